//! SQL of what citizens said to what the register holds.

use crate::applications::model::Application;
use crate::applications::register_check::RegisterCheck;
use crate::ground::ids::ApplicationId;
use crate::ground::{Decision, Id};
use crate::store::{Argument, Kind, Sealed, StoreError, Tx};
use crate::{args, sql};

/// What a citizen said to what the register holds carries a MAC.
pub const REGISTER_CHECK: Sealed = Sealed {
    table: "register_check",
    columns: &[
        ("application_id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("disagrees", Kind::Json),
        ("events", Kind::Integer),
        ("said_by", Kind::Uuid),
        ("said_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select application_id, person_id, disagrees, events, said_by, said_at, version, mac from register_check
         where application_id = $1"
    ),
    all: sql!(
        "select application_id, person_id, disagrees, events, said_by, said_at, version, mac from register_check
         order by application_id"
    ),
    set: sql!("update register_check set version = $1, mac = $2 where application_id = $3"),
};

/// Keeps what the citizen said last.
pub(in crate::applications) async fn put(
    tx: &mut Tx,
    application: &Application,
    check: &RegisterCheck,
) -> Result<(), StoreError> {
    let RegisterCheck { disagrees, events, said } = check;
    let id = application.id;
    let disagrees = Argument::json(disagrees);
    if tx.sealed_locked(&REGISTER_CHECK, id).await?.is_some() {
        let sql = sql!(
            "update register_check set disagrees = $1, events = $2, said_by = $3, said_at = $4 where application_id = $5"
        );
        tx.change(&REGISTER_CHECK, id, sql, args![disagrees, *events, said.by, said.at, id]).await?;
        return Ok(());
    }
    let sql = sql!(
        "insert into register_check (application_id, person_id, disagrees, events, said_by, said_at, version, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let values = args![id, application.person, disagrees, *events, said.by, said.at];
    tx.insert_sealed(&REGISTER_CHECK, sql, values).await
}

/// Returns what the citizen said last. The deed owes a record that names the person.
pub(in crate::applications) async fn of_application(
    tx: &mut Tx,
    id: ApplicationId,
) -> Result<Option<RegisterCheck>, StoreError> {
    let Some(row) = tx.sealed(&REGISTER_CHECK, id).await? else { return Ok(None) };
    let said = Decision { by: Id::of(&row, "said_by")?, at: row.get("said_at")? };
    Ok(Some(RegisterCheck { disagrees: row.json("disagrees")?, events: row.number("events")?, said }))
}
