//! SQL of the ten-print cards.

use crate::applications::fingerprints::TenPrintCard;
use crate::applications::model::Application;
use crate::ground::ids::ApplicationId;
use crate::store::{Argument, Kind, Sealed, StoreError, Tx};
use crate::{args, sql};

/// A ten-print card carries a MAC.
pub const FINGERPRINT_CARD: Sealed = Sealed {
    table: "fingerprint_card",
    columns: &[("application_id", Kind::Uuid), ("person_id", Kind::Uuid), ("prints", Kind::Json)],
    keys: 1,
    one: sql!("select application_id, person_id, prints, version, mac from fingerprint_card where application_id = $1"),
    all: sql!("select application_id, person_id, prints, version, mac from fingerprint_card order by application_id"),
    set: sql!("update fingerprint_card set version = $1, mac = $2 where application_id = $3"),
};

/// Keeps the card of an application, in the place of what was known.
pub(in crate::applications) async fn put(
    tx: &mut Tx,
    application: &Application,
    card: &TenPrintCard,
) -> Result<(), StoreError> {
    let id = application.id;
    let prints = Argument::json(card);
    if tx.sealed_locked(&FINGERPRINT_CARD, id).await?.is_some() {
        let sql = sql!("update fingerprint_card set prints = $1 where application_id = $2");
        tx.change(&FINGERPRINT_CARD, id, sql, args![prints, id]).await?;
        return Ok(());
    }
    let sql = sql!(
        "insert into fingerprint_card (application_id, person_id, prints, version, mac) values ($1, $2, $3, $4, $5)"
    );
    tx.insert_sealed(&FINGERPRINT_CARD, sql, args![id, application.person, prints]).await
}

/// Returns the card of an application; an empty one where nothing was taken. The deed owes a record that names the
/// person.
pub(in crate::applications) async fn of_application(
    tx: &mut Tx,
    id: ApplicationId,
) -> Result<TenPrintCard, StoreError> {
    match tx.sealed(&FINGERPRINT_CARD, id).await? {
        Some(row) => row.json("prints"),
        None => Ok(TenPrintCard::default()),
    }
}

/// Forgets the card of an application: its images are erased.
pub(in crate::applications) async fn forget(tx: &mut Tx, id: ApplicationId) -> Result<(), StoreError> {
    tx.run(sql!("delete from fingerprint_card where application_id = $1"), args![id]).await?;
    Ok(())
}
