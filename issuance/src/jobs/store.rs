//! SQL of the jobs.

use time::OffsetDateTime;

use super::Worker;
use crate::ground::Id;
use crate::store::{Migration, StoreError, Tx};
use crate::{args, migration, sql};

/// The table of jobs.
pub const MIGRATIONS: &[Migration] = &[migration!(3, "0003_jobs_schedule")];

/// Leases a job if it is due and free. A job that has no row yet is due at once; so is one whose row was written under
/// a clock that was ahead: due later than any job rests, or leased for longer than any lease runs.
pub(super) async fn lease(
    tx: &mut Tx,
    job: &str,
    worker: Id<Worker>,
    now: OffsetDateTime,
    until: OffsetDateTime,
    latest_due: OffsetDateTime,
) -> Result<bool, StoreError> {
    tx.run(
        sql!("insert into job (id, due_at, failures) values ($1, $2, 0) on conflict (id) do nothing"),
        args![job, now],
    )
    .await?;
    let leased = tx
        .run(
            sql!(
                "update job set leased_by = $1, leased_until = $2
                 where id = $3 and (due_at <= $4 or due_at > $5)
                     and (leased_until is null or leased_until <= $4 or leased_until > $2)"
            ),
            args![worker, until, job, now, latest_due],
        )
        .await?;
    Ok(leased == 1)
}

/// Ends a lease, unless it ran out and another process has the job.
pub(super) async fn give_back(
    tx: &mut Tx,
    job: &str,
    worker: Id<Worker>,
    done: bool,
    now: OffsetDateTime,
    next: OffsetDateTime,
) -> Result<(), StoreError> {
    let done_at = done.then_some(now);
    tx.run(
        sql!(
            "update job set leased_by = null, leased_until = null, due_at = $1, done_at = coalesce($2, done_at),
                 failures = case when $3 then 0 else failures + 1 end
             where id = $4 and leased_by = $5"
        ),
        args![next, done_at, done, job, worker],
    )
    .await?;
    Ok(())
}

/// A job as its row says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JobState {
    /// Its name.
    pub name: String,
    /// When it is due.
    pub due_at: OffsetDateTime,
    /// How often it failed since it was done.
    pub failures: u32,
    /// When it was done.
    pub done_at: Option<OffsetDateTime>,
}

/// Returns all jobs that ever ran, by name.
///
/// # Errors
/// [`StoreError`]
pub async fn schedule(tx: &mut Tx) -> Result<Vec<JobState>, StoreError> {
    let rows = tx.all(sql!("select id, due_at, failures, done_at from job order by id"), args![]).await?;
    let job = |row: &crate::store::Record| {
        Ok(JobState {
            name: row.get("id")?,
            due_at: row.get("due_at")?,
            failures: row.number("failures")?,
            done_at: row.get("done_at")?,
        })
    };
    rows.iter().map(job).collect()
}
