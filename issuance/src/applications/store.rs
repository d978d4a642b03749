//! SQL of the applications.

use time::OffsetDateTime;

use super::model::{Application, Decision, Slip, Stage};
use crate::access::OfficeCode;
use crate::args;
use crate::store::{Migration, Record, StoreError, Tx};

/// Tables of the applications. `stage` is there for queues; what is known at a stage stands in `known`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 7001,
    title: "applications",
    sql: "create table application (
        id TEXT primary key,
        slip TEXT not null,
        person_id TEXT not null,
        kind TEXT not null,
        office TEXT not null,
        registered_by TEXT not null,
        registered_at BIGINT not null,
        fee BIGINT not null,
        stage TEXT not null,
        known TEXT not null,
        approved_at BIGINT
    );
    create index application_person on application (person_id, office);
    create index application_queue on application (office, stage, approved_at);",
}];

pub(super) async fn insert(tx: &mut Tx, application: &Application) -> Result<(), StoreError> {
    tx.run(
        "insert into application
             (id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, known)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            &application.id,
            &application.slip.0,
            &application.person,
            json(&application.kind),
            application.office.as_str(),
            &application.registered.by,
            application.registered.at,
            application.fee,
            application.stage.name(),
            json(&application.stage)
        ],
    )
    .await?;
    Ok(())
}

/// An application as it stands.
///
/// # Errors
/// [`StoreError`]
pub async fn application(tx: &mut Tx, id: &str) -> Result<Option<Application>, StoreError> {
    let sql = "select id, slip, person_id, kind, office, registered_by, registered_at, fee, known
               from application where id = $1";
    tx.one(sql, args![id]).await?.map(|row| read(&row)).transpose()
}

/// An application, kept from other writers until the transaction ends.
///
/// # Errors
/// [`StoreError`]
pub async fn application_locked(tx: &mut Tx, id: &str) -> Result<Option<Application>, StoreError> {
    let sql = "select id, slip, person_id, kind, office, registered_by, registered_at, fee, known
               from application where id = $1";
    tx.one_locked(sql, args![id]).await?.map(|row| read(&row)).transpose()
}

/// The application of an office that was approved first and has no chip yet, if there is one; passes over those that another
/// station is taking.
///
/// # Errors
/// [`StoreError`]
pub async fn claim_approved(tx: &mut Tx, office: &OfficeCode) -> Result<Option<Application>, StoreError> {
    let sql = "select id, slip, person_id, kind, office, registered_by, registered_at, fee, known
               from application where office = $1 and stage = 'approved' order by approved_at, id limit 1";
    tx.claim(sql, args![office.as_str()]).await?.map(|row| read(&row)).transpose()
}

/// Moves an application to another stage.
///
/// # Errors
/// [`StoreError`]
pub async fn move_to(tx: &mut Tx, id: &str, stage: &Stage) -> Result<(), StoreError> {
    let approved_at: Option<OffsetDateTime> = match stage {
        Stage::Approved { approval, .. } => Some(approval.at),
        _ => None,
    };
    tx.run(
        "update application set stage = $1, known = $2, approved_at = coalesce($3, approved_at) where id = $4",
        args![stage.name(), json(stage), approved_at, id],
    )
    .await?;
    Ok(())
}

/// Whether a person has an application that is still under way.
pub(super) async fn has_open(tx: &mut Tx, person: &str) -> Result<bool, StoreError> {
    let sql = "select 1 as one from application
               where person_id = $1 and stage not in ('refused', 'handed-over', 'cancelled') limit 1";
    Ok(tx.one(sql, args![person]).await?.is_some())
}

fn read(row: &Record) -> Result<Application, StoreError> {
    Ok(Application {
        id: row.get("id")?,
        slip: Slip(row.get("slip")?),
        person: row.get("person_id")?,
        kind: row.json("kind")?,
        office: row.parsed("office")?,
        registered: Decision { by: row.parsed("registered_by")?, at: row.get("registered_at")? },
        fee: row.number("fee")?,
        stage: row.json("known")?,
    })
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("stages and kinds become JSON")
}
