//! SQL of the findings of a reconciliation: documents that were signed before a loss, and that the restored database
//! does not know.

use crypto::identity::CardSerial;
use time::OffsetDateTime;

use crate::ground::ids::{FindingId, OfficerId, PersonId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Findings carry a MAC.
pub const FINDING: Sealed = Sealed {
    table: "finding",
    columns: &[
        ("id", Kind::Uuid),
        ("sod_sha256", Kind::Bytes),
        ("serial", Kind::Text),
        ("office", Kind::Text),
        ("person_id", Kind::Uuid),
        ("reason", Kind::Text),
        ("state", Kind::Text),
        ("found_at", Kind::Moment),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
        ("decided_by", Kind::Uuid),
        ("decided_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, sod_sha256, serial, office, person_id, reason, state, found_at, proposed_by, proposed_at, decided_by,
                decided_at, version, mac
         from finding where id = $1"
    ),
    all: sql!(
        "select id, sod_sha256, serial, office, person_id, reason, state, found_at, proposed_by, proposed_at, decided_by,
                decided_at, version, mac
         from finding order by id"
    ),
    set: sql!("update finding set version = $1, mac = $2 where id = $3"),
};

/// A document that the restored database does not know.
#[derive(Clone, Debug)]
pub(in crate::production) struct Finding {
    pub id: FindingId,
    pub sod_sha256: [u8; 32],
    pub serial: CardSerial,
    pub office: OfficeCode,
    pub person: PersonId,
    /// Why it was not entered again, as a word.
    pub reason: String,
    /// `open`, `proposed`, `revoked` or `settled` (entered after all).
    pub state: String,
    pub proposed: Option<Decision>,
}

pub(in crate::production) async fn insert(
    tx: &mut Tx,
    finding: &Finding,
    found_at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into finding (id, sod_sha256, serial, office, person_id, reason, state, found_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let Finding { id, sod_sha256, serial, office, person, reason, state, .. } = finding;
    tx.run(sql, args![*id, *sod_sha256, serial.to_string(), office, *person, reason, state, found_at]).await?;
    tx.seal(&FINDING, *id).await
}

/// Returns the finding about a document.
pub(in crate::production) async fn of_document(
    tx: &mut Tx,
    sod_sha256: &[u8; 32],
) -> Result<Option<Finding>, StoreError> {
    let sql = sql!(
        "select id, sod_sha256, serial, office, person_id, reason, state, found_at, proposed_by, proposed_at, decided_by,
                decided_at, version, mac
         from finding where sod_sha256 = $1"
    );
    tx.all_sealed(&FINDING, sql, args![*sod_sha256]).await?.first().map(read).transpose()
}

/// Returns a finding, kept from other writers until the transaction ends.
pub(in crate::production) async fn locked(tx: &mut Tx, id: FindingId) -> Result<Option<Finding>, StoreError> {
    tx.sealed_locked(&FINDING, id).await?.map(|row| read(&row)).transpose()
}

/// Notes the first of the two officers.
pub(in crate::production) async fn propose(tx: &mut Tx, id: FindingId, by: &Decision) -> Result<(), StoreError> {
    let sql = sql!("update finding set state = 'proposed', proposed_by = $1, proposed_at = $2 where id = $3");
    tx.change(&FINDING, id, sql, args![by.by, by.at, id]).await?;
    Ok(())
}

/// Ends a finding in this state.
pub(in crate::production) async fn decide(
    tx: &mut Tx,
    id: FindingId,
    state: &str,
    by: Option<OfficerId>,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!("update finding set state = $1, decided_by = $2, decided_at = $3 where id = $4");
    tx.change(&FINDING, id, sql, args![state, by, at, id]).await?;
    Ok(())
}

/// Returns a page of the findings of an office (the national office: of all), each with whether its MAC holds.
pub(in crate::production) async fn listed(
    tx: &mut Tx,
    office: &OfficeCode,
    after: FindingId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, sod_sha256, serial, office, person_id, reason, state, found_at, proposed_by, proposed_at, decided_by,
                decided_at, version, mac
         from finding where (office = $1 or $1 = 'national') and id > $2 order by id limit $3"
    );
    tx.all_judged(&FINDING, sql, args![office, after, most]).await
}

fn read(row: &Record) -> Result<Finding, StoreError> {
    let (by, at) = (Id::of_optional(row, "proposed_by")?, row.get("proposed_at")?);
    Ok(Finding {
        id: Id::of(row, "id")?,
        sod_sha256: row.array("sod_sha256")?,
        serial: row.parsed("serial")?,
        office: row.parsed("office")?,
        person: Id::of(row, "person_id")?,
        reason: row.get("reason")?,
        state: row.get("state")?,
        proposed: by.zip(at).map(|(by, at)| Decision { by, at }),
    })
}
