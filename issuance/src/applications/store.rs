//! SQL of the applications.

pub mod ahead;
pub mod claims;
pub mod closed;
pub mod drafts;
pub mod fingerprints;
pub mod items;
pub mod lists;
pub mod moving;
pub mod paper_archive;
pub mod payments;
pub mod progress;
pub mod register_checks;
pub mod tally;

use time::OffsetDateTime;

use super::deadlines::Progress;
use super::model::{Application, Slip, Stage};
use crate::deed::Deed;
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, OfficerId, PersonId};
use crate::ground::{Decision, Id, OfficeCode, Role};
use crate::store::{Argument, Kind, Migration, Record, Sealed, StoreError, Tx, sums};
use crate::{args, migration, sql};

/// The tables of applications.
pub const MIGRATIONS: &[Migration] = &[
    migration!(9, "0009_applications_applications"),
    migration!(23, "0023_applications_row_macs"),
    migration!(31, "0031_applications_officers"),
    migration!(48, "0048_applications_officer_row_macs"),
    migration!(55, "0055_applications_lists"),
    migration!(60, "0060_applications_closed"),
    migration!(84, "0084_applications_tally"),
    migration!(131, "0131_applications_progress"),
    migration!(150, "0150_applications_open"),
    migration!(151, "0151_applications_fees"),
    migration!(152, "0152_applications_claims"),
    migration!(153, "0153_applications_register_checks"),
    migration!(170, "0170_applications_batch_items"),
    migration!(190, "0190_applications_drafts"),
    migration!(191, "0191_applications_fingerprint_cards"),
    migration!(198, "0198_applications_paper_archive"),
    migration!(202, "0202_applications_tills"),
    migration!(205, "0205_applications_made_ahead"),
    migration!(207, "0207_applications_makers"),
    migration!(208, "0208_applications_by_due_day"),
    migration!(215, "0215_applications_tally_of_queues"),
];

/// Applications carry a MAC.
pub const APPLICATION: Sealed = Sealed {
    table: "application",
    columns: &[
        ("id", Kind::Uuid),
        ("slip", Kind::Text),
        ("person_id", Kind::Uuid),
        ("kind", Kind::Json),
        ("office", Kind::Text),
        ("registered_by", Kind::Uuid),
        ("registered_at", Kind::Moment),
        ("fee", Kind::Integer),
        ("stage", Kind::Text),
        ("stage_data", Kind::Json),
        ("approved_at", Kind::Moment),
        ("officers", Kind::Integer),
        ("owner_office", Kind::Text),
        ("owner", Kind::Text),
        ("due_on", Kind::Day),
        ("promised_on", Kind::Day),
        ("moved_at", Kind::Moment),
        ("moves", Kind::Integer),
        ("terms", Kind::Json),
    ],
    keys: 1,
    one: sql!(
        "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
         from application where id = $1"
    ),
    all: sql!(
        "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
         from application order by id"
    ),
    set: sql!("update application set version = $1, mac = $2 where id = $3"),
};

/// Officers who had a hand in an application: each row carries a MAC.
pub const APPLICATION_OFFICER: Sealed = Sealed {
    table: "application_officer",
    columns: &[("application_id", Kind::Uuid), ("officer_id", Kind::Uuid)],
    keys: 2,
    one: sql!(
        "select application_id, officer_id, version, mac from application_officer
         where application_id = $1 and officer_id = $2"
    ),
    all: sql!(
        "select application_id, officer_id, version, mac from application_officer order by application_id, officer_id"
    ),
    set: sql!("update application_officer set version = $1, mac = $2 where application_id = $3 and officer_id = $4"),
};

pub(super) async fn insert(tx: &mut Tx, application: &Application) -> Result<(), StoreError> {
    let Progress { owner, due, promised, moved_at, moves, terms } = &application.progress;
    let (owner_office, owner) = owner.as_ref().map(|(office, role)| (office.as_str(), role.name())).unzip();
    tx.run(
        sql!(
            "insert into application
                 (id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, owner_office,
                  owner, due_on, promised_on, moved_at, moves, terms)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
        ),
        args![
            application.id,
            &application.slip.0,
            application.person,
            Argument::json(&application.kind),
            &application.office,
            application.registered.by,
            application.registered.at,
            application.fee,
            application.stage.name(),
            Argument::json(&application.stage),
            owner_office,
            owner,
            *due,
            *promised,
            *moved_at,
            *moves,
            terms.as_ref().map_or(Argument::Json(None), Argument::json)
        ],
    )
    .await?;
    tx.seal(&APPLICATION, application.id).await
}

/// Returns an application as it stands. The deed owes a record that names the person.
///
/// # Errors
/// [`StoreError`]
pub async fn application<A: Actor>(deed: &mut Deed<A>, id: ApplicationId) -> Result<Option<Application>, StoreError> {
    let row = deed.tx().sealed(&APPLICATION, id).await?;
    seen(deed, row.as_ref())
}

/// Returns person, office and stage of the application that a reading names as its case, only to be compared: nothing
/// of them is answered, so no record is due.
pub(super) async fn case(tx: &mut Tx, id: ApplicationId) -> Result<Option<(PersonId, OfficeCode, Stage)>, StoreError> {
    let row = tx.sealed(&APPLICATION, id).await?;
    row.map(|row| Ok((Id::of(&row, "person_id")?, row.parsed("office")?, row.json("stage_data")?))).transpose()
}

/// As [`application`], kept from other writers until the deed ends.
///
/// # Errors
/// [`StoreError`]
pub async fn application_locked<A: Actor>(
    deed: &mut Deed<A>,
    id: ApplicationId,
) -> Result<Option<Application>, StoreError> {
    let row = deed.tx().sealed_locked(&APPLICATION, id).await?;
    seen(deed, row.as_ref())
}

/// Returns the name of the portrait that an application has now; `None` without a portrait, and for a record that
/// cannot be believed. The name tells nothing about the person.
///
/// # Errors
/// [`StoreError`]
pub async fn portrait_name(tx: &mut Tx, id: ApplicationId) -> Result<Option<String>, StoreError> {
    let stage: Result<Option<Stage>, StoreError> =
        tx.sealed(&APPLICATION, id).await.and_then(|row| row.map(|row| row.json("stage_data")).transpose());
    match stage {
        Ok(stage) => Ok(stage.and_then(|stage| stage.capture_of().map(|capture| capture.portrait.clone()))),
        Err(StoreError::Inconsistent { .. } | StoreError::Tampered { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the id of the application of an office that was approved first and has no chip yet, if there is one; passes
/// over those that another station is taking, and over those of `but`.
///
/// # Errors
/// [`StoreError`]
pub async fn claim_approved(
    tx: &mut Tx,
    office: &OfficeCode,
    but: &[ApplicationId],
) -> Result<Option<ApplicationId>, StoreError> {
    let sql = sql!(
        pg "select id from application where office = $1 and stage = 'approved' and id <> all($2)
                and not exists (select 1 from batch_item i where i.application_id = application.id and i.outcome is null)
            order by approved_at, id limit 1",
        lite "select id from application where office = $1 and stage = 'approved'
                and id not in (select value from json_each($2))
                and not exists (select 1 from batch_item i where i.application_id = application.id and i.outcome is null)
              order by approved_at, id limit 1",
    );
    let but = Argument::Uuids(but.iter().map(|id| id.uuid()).collect());
    tx.claim(sql, vec![office.into(), but]).await?.map(|row| Id::of(&row, "id")).transpose()
}

/// As [`claim_approved`], the one with this slip, if it waits.
///
/// # Errors
/// [`StoreError`]
pub async fn claim_by_slip(
    tx: &mut Tx,
    office: &OfficeCode,
    slip: &Slip,
    but: &[ApplicationId],
) -> Result<Option<ApplicationId>, StoreError> {
    let sql = sql!(
        pg "select id from application where slip = $1 and office = $2 and stage = 'approved' and id <> all($3)
                and not exists (select 1 from batch_item i where i.application_id = application.id and i.outcome is null)
            order by id limit 1",
        lite "select id from application where slip = $1 and office = $2 and stage = 'approved'
                and id not in (select value from json_each($3))
                and not exists (select 1 from batch_item i where i.application_id = application.id and i.outcome is null)
              order by id limit 1",
    );
    let but = Argument::Uuids(but.iter().map(|id| id.uuid()).collect());
    tx.claim(sql, vec![(&slip.0).into(), office.into(), but]).await?.map(|row| Id::of(&row, "id")).transpose()
}

/// Takes an application whose row has no meaning or was changed by another hand out of the queue, as it is: its MAC is
/// not made anew. Returns the person whom it is about, if the row still tells. Mending `stage_data` by hand includes
/// setting `stage`, which puts it back.
///
/// # Errors
/// [`StoreError`]
pub async fn set_aside(tx: &mut Tx, id: ApplicationId) -> Result<Option<PersonId>, StoreError> {
    let sql = sql!("update application set stage = 'held' where id = $1 returning id, person_id");
    Ok(tx.one(sql, args![id]).await?.and_then(|row| Id::of(&row, "person_id").ok()))
}

/// Stores the stage to which an application moves, and who has it there until when: for
/// [`progress::move_to`](super::progress::move_to) alone.
pub(super) async fn move_to(
    tx: &mut Tx,
    id: ApplicationId,
    stage: &Stage,
    progress: &Progress,
) -> Result<(), StoreError> {
    let approved_at: Option<OffsetDateTime> = match stage {
        Stage::Approved { approval, .. } => Some(approval.at),
        _ => None,
    };
    let Progress { owner, due, promised, moved_at, moves, terms: _ } = progress;
    let (owner_office, owner) = owner.as_ref().map(|(office, role)| (office.as_str(), role.name())).unzip();
    tx.change(
        &APPLICATION,
        id,
        sql!(
            "update application set stage = $1, stage_data = $2, approved_at = coalesce($3, approved_at),
                 owner_office = $4, owner = $5, due_on = $6, promised_on = $7, moved_at = $8, moves = $9
             where id = $10"
        ),
        args![
            stage.name(),
            Argument::json(stage),
            approved_at,
            owner_office,
            owner,
            *due,
            *promised,
            *moved_at,
            *moves,
            id
        ],
    )
    .await?;
    match stage.closed_at() {
        Some(at) => closed::close(tx, id, at, matches!(stage, Stage::HandedOver { .. })).await,
        None => Ok(()),
    }
}

/// Stores what is known at a stage in another form; the application does not move.
pub(super) async fn rewrite(tx: &mut Tx, id: ApplicationId, stage: &Stage) -> Result<(), StoreError> {
    let sql = sql!("update application set stage_data = $1 where id = $2");
    tx.change(&APPLICATION, id, sql, args![Argument::json(stage), id]).await?;
    Ok(())
}

/// Enters an officer among those who had a hand in an application, for good; the application knows how many they are.
pub(super) async fn involve(tx: &mut Tx, id: ApplicationId, officer: OfficerId) -> Result<(), StoreError> {
    let known = involved(tx, id).await?;
    if known.contains(&officer) {
        return Ok(());
    }
    tx.run(sql!("insert into application_officer (application_id, officer_id) values ($1, $2)"), args![id, officer])
        .await?;
    tx.seal(&APPLICATION_OFFICER, (id, officer)).await?;
    let count = i64::try_from(known.len()).unwrap_or(i64::MAX) + 1;
    let sql = sql!("update application set officers = $1 where id = $2");
    tx.change(&APPLICATION, id, sql, args![count, id]).await?;
    Ok(())
}

/// Returns the officers who opened an application or ever captured for it. One whom another hand deleted is missed: the
/// application says how many they are. The caller holds the application.
///
/// # Errors
/// [`StoreError::Tampered`]
pub async fn involved(tx: &mut Tx, id: ApplicationId) -> Result<Vec<OfficerId>, StoreError> {
    let count: Option<i64> = match tx.sealed(&APPLICATION, id).await? {
        Some(row) => row.get("officers")?,
        None => None,
    };
    let sql = sql!(
        "select application_id, officer_id, version, mac from application_officer
         where application_id = $1 order by officer_id"
    );
    let rows = tx.all_sealed(&APPLICATION_OFFICER, sql, args![id]).await?;
    if count.is_some_and(|count| usize::try_from(count) != Ok(rows.len())) {
        return Err(StoreError::Tampered { table: APPLICATION_OFFICER.table, id: id.to_string() });
    }
    rows.iter().map(|row| Id::of(row, "officer_id")).collect()
}

fn seen<A: Actor>(deed: &mut Deed<A>, row: Option<&Record>) -> Result<Option<Application>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    deed.saw(Id::of(row, "person_id")?);
    read(row).map(Some)
}

fn read(row: &Record) -> Result<Application, StoreError> {
    Ok(Application {
        id: Id::of(row, "id")?,
        slip: Slip(row.get("slip")?),
        person: Id::of(row, "person_id")?,
        kind: row.json("kind")?,
        office: row.parsed("office")?,
        registered: Decision { by: Id::of(row, "registered_by")?, at: row.get("registered_at")? },
        fee: row.number("fee")?,
        stage: row.json("stage_data")?,
        progress: progress_of(row)?,
    })
}

/// Returns who has an application, and until when, as its row says.
pub(super) fn progress_of(row: &Record) -> Result<Progress, StoreError> {
    let office: Option<OfficeCode> = row.parsed_optional("owner_office")?;
    let role = row.get::<Option<String>>("owner")?;
    let role = role.map(|word| Role::named(&word).ok_or_else(|| row.inconsistent("owner"))).transpose()?;
    let moves = row.get::<Option<i64>>("moves")?.unwrap_or(0);
    let terms: Option<serde_json::Value> = row.get("terms")?;
    let terms = terms.map(serde_json::from_value).transpose().map_err(|_| row.inconsistent("terms"))?;
    Ok(Progress {
        owner: office.zip(role),
        due: row.get("due_on")?,
        promised: row.get("promised_on")?,
        moved_at: row.get("moved_at")?,
        moves: u32::try_from(moves).map_err(|_| row.inconsistent("moves"))?,
        terms,
    })
}

/// Returns how many applications stand at each stage, by stage, and when the oldest of them was registered; of a stage
/// that is an end, none. Reads what was counted and an index, however many applications there are.
///
/// # Errors
/// [`StoreError`]
pub async fn figures(tx: &mut Tx) -> Result<Vec<(String, u64, Option<OffsetDateTime>)>, StoreError> {
    let sql = sql!(
        "select state, cast(sum(n) as bigint) as n,
             (select registered_at from application
              where application.stage = application_tally.state
                  and application.stage not in ('refused', 'handed-over', 'cancelled')
              order by registered_at limit 1) as oldest
         from application_tally group by state having sum(n) > 0 order by state"
    );
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.get("state")?, row.number("n")?, row.get("oldest")?))).collect()
}

/// Counts applications again, and returns where the tally says otherwise: stage, what it says, what there is.
///
/// # Errors
/// [`StoreError`]
pub async fn miscounted(tx: &mut Tx) -> Result<Vec<(String, i64, i64)>, StoreError> {
    let sql = sql!(
        "select state, cast(sum(said) as bigint) as said, cast(sum(counted) as bigint) as counted
         from (select state, n as said, 0 as counted from application_tally
               union all select stage as state, 0 as said, count(*) as counted from application group by stage) both_ways
         group by state having sum(said) <> sum(counted) order by state"
    );
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.get("state")?, row.get("said")?, row.get("counted")?))).collect()
}

/// Adds up a piece of what is counted, so that few rows are read: one row for each change becomes one row for each
/// state. Beside other writers nothing is lost or counted twice, since only rows that it deletes are added up. Returns
/// true if no more is left.
///
/// # Errors
/// [`StoreError`]
pub async fn add_up(tx: &mut Tx) -> Result<bool, StoreError> {
    let sql = sql!(
        "delete from application_tally where id in (select id from application_tally order by id limit $1) returning state, n"
    );
    let rows = tx.all(sql, args![PIECE]).await?;
    for (state, n) in sums(&rows)? {
        tx.run(sql!("insert into application_tally (state, n) values ($1, $2)"), args![state, n]).await?;
    }
    Ok(i64::try_from(rows.len()).is_ok_and(|rows| rows < PIECE))
}

/// So many changes are added up in a transaction, so that no other waits for long.
const PIECE: i64 = 10_000;
