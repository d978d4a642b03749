//! Recurring work of the service: each job is a row that says when it is due and which process has it.
//!
//! Several processes may serve one database: a job is leased by one of them at a time, and a lease that is
//! not given back runs out.

mod store;

pub use store::{JobState, MIGRATIONS, schedule};
use time::Duration;

use crate::deed::Deeds;
use crate::ground::Id;
use crate::store::StoreError;

/// A process that runs jobs. Types without values.
#[derive(Debug)]
pub enum Worker {}

/// The jobs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Job {
    /// Says which bookings are to be moved, and which were missed.
    Bookings,
    /// Says that the owner of the key file breaks glass.
    BreakGlass,
    /// Says which applications are late, and to whom.
    Deadlines,
    /// Revokes the cards whose report of loss can be undone no longer.
    EndSuspensions,
    /// Purges expired answers and sessions.
    PurgeExpired,
    /// Erases what is kept no longer.
    Retention,
    /// Makes the trust bundle anew.
    TrustBundle,
    /// Warns of what will expire.
    Warnings,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Bookings,
        Self::BreakGlass,
        Self::Deadlines,
        Self::EndSuspensions,
        Self::PurgeExpired,
        Self::Retention,
        Self::TrustBundle,
        Self::Warnings,
    ];

    /// So long after it was done it is due again. No row says more, but one that was written
    /// under a clock that was ahead.
    #[must_use]
    pub const fn period(self) -> Duration {
        match self {
            Self::Retention | Self::Warnings => Duration::hours(24),
            Self::Bookings
            | Self::BreakGlass
            | Self::Deadlines
            | Self::EndSuspensions
            | Self::PurgeExpired
            | Self::TrustBundle => Duration::hours(1),
        }
    }

    /// The name, as stored and logged.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bookings => "bookings",
            Self::BreakGlass => "break-glass",
            Self::Deadlines => "deadlines",
            Self::EndSuspensions => "end-suspensions",
            Self::PurgeExpired => "purge-expired",
            Self::Retention => "retention",
            Self::TrustBundle => "trust-bundle",
            Self::Warnings => "warnings",
        }
    }
}

/// A lease on a job.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    job: Job,
    worker: Id<Worker>,
}

/// Leases a job to this process if it is due and no other process has it. Returns `None` otherwise.
///
/// # Errors
/// [`StoreError`]
pub async fn lease(deeds: &Deeds, job: Job, worker: Id<Worker>) -> Result<Option<Lease>, StoreError> {
    let now = deeds.source().now();
    let mut tx = deeds.db().begin_upkeep().await?;
    let leased = store::lease(&mut tx, job.name(), worker, now, now + LEASE, now + job.period()).await?;
    tx.commit().await?;
    Ok(leased.then_some(Lease { job, worker }))
}

/// Gives a lease back: the job is done, or failed, and is due again after `rest`, which is at most
/// its [period](Job::period).
///
/// # Errors
/// [`StoreError`]
pub async fn give_back(deeds: &Deeds, lease: Lease, done: bool, rest: Duration) -> Result<(), StoreError> {
    let now = deeds.source().now();
    let next = now + rest.min(lease.job.period());
    let mut tx = deeds.db().begin_upkeep().await?;
    store::give_back(&mut tx, lease.job.name(), lease.worker, done, now, next).await?;
    tx.commit().await
}

/// A process that died gives its jobs free after this.
const LEASE: Duration = Duration::minutes(5);
