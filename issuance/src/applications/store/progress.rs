//! SQL of owners and deadlines: what is late, what has no owner, what was said about it.

use std::collections::BTreeMap;

use time::{Date, OffsetDateTime};

use super::{APPLICATION, paper_archive, read};
use crate::applications::deadlines::Progress;
use crate::applications::model::Application;
use crate::ground::Id;
use crate::ground::ids::ApplicationId;
use crate::store::{Argument, Record, StoreError, Tx, sums};
use crate::{args, sql};

/// The word for what is said to the office that has it.
pub(in crate::applications) const REMINDER: &str = "reminder";
/// The word for what is said to the national office.
pub(in crate::applications) const ESCALATION: &str = "escalation";

/// A late application about which something may be to say.
#[derive(Clone, Copy, Debug)]
pub(in crate::applications) struct Late {
    pub id: ApplicationId,
    /// True if its owner was told already.
    pub reminded: bool,
}

/// Returns late applications of which the national office was not told at this stage, by id, after this one.
pub(in crate::applications) async fn late_unsaid(
    tx: &mut Tx,
    today: Date,
    after: ApplicationId,
    most: i64,
) -> Result<Vec<Late>, StoreError> {
    let sql = sql!(
        "select a.id, (select count(*) from application_reminder r
                       where r.application_id = a.id and r.moves = a.moves and r.kind = 'reminder') as reminded
         from application a
         where a.due_on < $1 and a.id > $2
             and not exists (select 1 from application_reminder r
                             where r.application_id = a.id and r.moves = a.moves and r.kind = 'escalation')
         order by a.id limit $3"
    );
    let rows = tx.all(sql, args![today, after, most]).await?;
    let late = |row: &Record| Ok(Late { id: Id::of(row, "id")?, reminded: row.get::<i64>("reminded")? > 0 });
    rows.iter().map(late).collect()
}

/// Notes what was said about a late application. Returns false if it was said before.
pub(in crate::applications) async fn note(
    tx: &mut Tx,
    id: ApplicationId,
    moves: u32,
    kind: &str,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "insert into application_reminder (application_id, moves, kind, said_at) values ($1, $2, $3, $4)
         on conflict (application_id, moves, kind) do nothing"
    );
    Ok(tx.run(sql, args![id, moves, kind, at]).await? == 1)
}

/// Returns applications whose card was not fetched until before this day, by id, after this one.
pub(in crate::applications) async fn missed(
    tx: &mut Tx,
    today: Date,
    after: ApplicationId,
    most: i64,
) -> Result<Vec<ApplicationId>, StoreError> {
    let sql = sql!(
        "select id from application where due_on < $1 and stage = 'personalized' and id > $2 order by id limit $3"
    );
    tx.all(sql, args![today, after, most]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns applications whose card is ready since a moment between these, and of which this was not said, by id, after
/// this one.
pub(in crate::applications) async fn unfetched(
    tx: &mut Tx,
    (after, until): (OffsetDateTime, OffsetDateTime),
    kind: &str,
    from: ApplicationId,
    most: i64,
) -> Result<Vec<ApplicationId>, StoreError> {
    let sql = sql!(
        "select a.id from application a
         where a.stage = 'personalized' and a.moved_at > $1 and a.moved_at <= $2 and a.id > $3
             and not exists (select 1 from application_reminder r
                             where r.application_id = a.id and r.moves = a.moves and r.kind = $4)
         order by a.id limit $5"
    );
    let rows = tx.all(sql, args![after, until, from, kind, most]).await?;
    rows.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns applications that wait without owner or due day, by id, after this one.
///
/// # Errors
/// [`StoreError`]
pub async fn ownerless(tx: &mut Tx, after: ApplicationId, most: i64) -> Result<Vec<ApplicationId>, StoreError> {
    let sql = sql!(
        "select id from application
         where stage not in ('refused', 'handed-over', 'cancelled') and (owner is null or due_on is null) and id > $1
         order by id limit $2"
    );
    tx.all(sql, args![after, most]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns how many applications wait without owner or due day.
///
/// # Errors
/// [`StoreError`]
pub async fn count_ownerless(tx: &mut Tx) -> Result<u64, StoreError> {
    let sql = sql!(
        "select count(*) as n from application
         where stage not in ('refused', 'handed-over', 'cancelled') and (owner is null or due_on is null)"
    );
    tx.one(sql, args![]).await?.map_or(Ok(0), |row| row.number("n"))
}

/// Returns how many applications are late, by stage; classifications and look-ups under words of their own.
///
/// # Errors
/// [`StoreError`]
pub async fn count_late(tx: &mut Tx, today: Date) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = sql!("select stage as state, count(*) as n from application where due_on < $1 group by stage");
    let rows = tx.all(sql, args![today]).await?;
    let mut late: BTreeMap<String, u64> = BTreeMap::new();
    for (stage, n) in sums(&rows)? {
        late.insert(stage, n.unsigned_abs());
    }
    for row in paper_archive::late(tx, today).await? {
        *late.entry(row.stage).or_default() += 1;
    }
    Ok(late.into_iter().collect())
}

/// A late application, as it is listed: nothing of it is personal.
#[derive(Clone, Debug)]
pub struct LateRow {
    /// The application.
    pub id: ApplicationId,
    /// Where it stands.
    pub stage: String,
    /// The office that has it.
    pub owner_office: String,
    /// The role that has it.
    pub owner: String,
    /// When it was due.
    pub due: Date,
    /// When its owner was told.
    pub reminded_at: Option<OffsetDateTime>,
    /// When the national office was told.
    pub escalated_at: Option<OffsetDateTime>,
}

/// Returns late applications, classifications and look-ups by office, role and day; the rows are what they say, their
/// MACs are not looked at.
///
/// # Errors
/// [`StoreError`]
pub async fn late(tx: &mut Tx, today: Date) -> Result<Vec<LateRow>, StoreError> {
    let sql = sql!(
        "select a.id, a.stage, a.owner_office, a.owner, a.due_on,
             (select r.said_at from application_reminder r
              where r.application_id = a.id and r.moves = a.moves and r.kind = 'reminder') as reminded_at,
             (select r.said_at from application_reminder r
              where r.application_id = a.id and r.moves = a.moves and r.kind = 'escalation') as escalated_at
         from application a where a.due_on < $1 and a.owner is not null
         order by a.owner_office, a.owner, a.due_on, a.id"
    );
    let rows = tx.all(sql, args![today]).await?;
    let late = |row: &Record| {
        Ok(LateRow {
            id: Id::of(row, "id")?,
            stage: row.get("stage")?,
            owner_office: row.get("owner_office")?,
            owner: row.get("owner")?,
            due: row.get("due_on")?,
            reminded_at: row.get("reminded_at")?,
            escalated_at: row.get("escalated_at")?,
        })
    };
    let mut rows = rows.iter().map(late).collect::<Result<Vec<LateRow>, StoreError>>()?;
    rows.extend(paper_archive::late(tx, today).await?);
    let key = |row: &LateRow| (row.owner_office.clone(), row.owner.clone(), row.due, row.id);
    rows.sort_by_key(key);
    Ok(rows)
}

/// Returns the offices and roles that have applications, or work beside them, each with how many.
///
/// # Errors
/// [`StoreError`]
pub async fn owners(tx: &mut Tx) -> Result<Vec<(String, String, u64)>, StoreError> {
    let sql = sql!(
        "select owner_office, owner, count(*) as n from application where owner is not null
         group by owner_office, owner order by owner_office, owner"
    );
    let rows = tx.all(sql, args![]).await?;
    let mut owners: BTreeMap<(String, String), u64> = BTreeMap::new();
    for row in &rows {
        owners.insert((row.get("owner_office")?, row.get("owner")?), row.number("n")?);
    }
    for (office, owner, n) in paper_archive::owners(tx).await? {
        *owners.entry((office, owner)).or_default() += n;
    }
    Ok(owners.into_iter().map(|((office, owner), n)| (office, owner, n)).collect())
}

/// Returns applications that wait for an officer's decision, by id, after this one: about a complaint, taken anew after
/// one, or late.
pub(in crate::applications) async fn to_decide(
    tx: &mut Tx,
    today: Date,
    after: ApplicationId,
    most: i64,
) -> Result<Vec<ApplicationId>, StoreError> {
    let sql = sql!(
        pg "select id from application
            where owner is not null and owner = 'approver' and id > $1
                and (stage = 'appealed' or due_on < $2 or stage_data #> '{capture,heard}' is not null)
            order by id limit $3",
        lite "select id from application
              where owner is not null and owner = 'approver' and id > $1
                  and (stage = 'appealed' or due_on < $2 or json_extract(stage_data, '$.capture.heard') is not null)
              order by id limit $3",
    );
    tx.all(sql, args![after, today, most]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns an application for a check that answers nothing of it but its identifier and its
/// office, so no record is due.
pub(in crate::applications) async fn looked_at(
    tx: &mut Tx,
    id: ApplicationId,
) -> Result<Option<Application>, StoreError> {
    tx.sealed(&APPLICATION, id).await?.as_ref().map(read).transpose()
}

/// Returns an application for upkeep, kept from other writers: nothing of it is answered, so no record is due.
pub(in crate::applications) async fn of_before(
    tx: &mut Tx,
    id: ApplicationId,
) -> Result<Option<Application>, StoreError> {
    tx.sealed_locked(&APPLICATION, id).await?.as_ref().map(read).transpose()
}

/// Writes who has an application, and until when, and leaves its stage.
pub(in crate::applications) async fn set(
    tx: &mut Tx,
    id: ApplicationId,
    progress: &Progress,
) -> Result<(), StoreError> {
    let Progress { owner, due, promised, moved_at, moves, terms } = progress;
    let (office, role) = owner.as_ref().map(|(office, role)| (office.as_str(), role.name())).unzip();
    let sql = sql!(
        "update application set owner_office = $1, owner = $2, due_on = $3, promised_on = $4, moved_at = $5, moves = $6,
             terms = $7
         where id = $8"
    );
    let terms = terms.as_ref().map_or(Argument::Json(None), Argument::json);
    tx.change(&APPLICATION, id, sql, args![office, role, *due, *promised, *moved_at, *moves, terms, id]).await?;
    Ok(())
}
