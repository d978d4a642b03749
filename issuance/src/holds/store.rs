//! SQL of the legal holds.

use time::OffsetDateTime;

use super::model::{Hold, Named};
use crate::ground::ids::{ApplicationId, HoldId, PersonId};
use crate::ground::{Decision, Id};
use crate::store::{Kind, Migration, Record, Sealed, StoreError, Tx};
use crate::{args, migration, sql};

/// The table of holds.
pub const MIGRATIONS: &[Migration] = &[migration!(61, "0061_holds_legal_hold")];

/// Holds carry a MAC: one that another hand ended would let evidence be erased.
pub const LEGAL_HOLD: Sealed = Sealed {
    table: "legal_hold",
    columns: &[
        ("id", Kind::Uuid),
        ("object_kind", Kind::Text),
        ("object_id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("application_id", Kind::Uuid),
        ("grounds", Kind::Text),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
        ("confirmed_by", Kind::Uuid),
        ("confirmed_at", Kind::Moment),
        ("release_grounds", Kind::Text),
        ("release_proposed_by", Kind::Uuid),
        ("release_proposed_at", Kind::Moment),
        ("released_by", Kind::Uuid),
        ("released_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, object_kind, object_id, person_id, application_id, grounds, proposed_by, proposed_at, confirmed_by,
                confirmed_at, release_grounds, release_proposed_by, release_proposed_at, released_by, released_at,
                version, mac
         from legal_hold where id = $1"
    ),
    all: sql!(
        "select id, object_kind, object_id, person_id, application_id, grounds, proposed_by, proposed_at, confirmed_by,
                confirmed_at, release_grounds, release_proposed_by, release_proposed_at, released_by, released_at,
                version, mac
         from legal_hold order by id"
    ),
    set: sql!("update legal_hold set version = $1, mac = $2 where id = $3"),
};

/// Returns the hold that keeps this application, or all of this person, from being erased, if one stands. Every hold of
/// the person is read and verified.
///
/// # Errors
/// [`StoreError::Tampered`]: then nothing of the person may be erased either.
pub async fn standing(
    tx: &mut Tx,
    person: PersonId,
    application: ApplicationId,
    now: OffsetDateTime,
) -> Result<Option<Hold>, StoreError> {
    let sql = sql!(
        "select id, object_kind, object_id, person_id, application_id, grounds, proposed_by, proposed_at, confirmed_by,
                confirmed_at, release_grounds, release_proposed_by, release_proposed_at, released_by, released_at,
                version, mac
         from legal_hold where person_id = $1 order by id"
    );
    for row in tx.all_sealed(&LEGAL_HOLD, sql, args![person]).await? {
        let hold = read(&row)?;
        if hold.stands(now) && hold.application.is_none_or(|kept| kept == application) {
            return Ok(Some(hold));
        }
    }
    Ok(None)
}

/// Inserts a hold that an officer proposes.
///
/// # Errors
/// [`StoreError`]
pub async fn insert(tx: &mut Tx, hold: &Hold) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into legal_hold (id, object_kind, object_id, person_id, application_id, grounds, proposed_by, proposed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    tx.run(
        sql,
        args![
            hold.id,
            hold.named.word(),
            hold.object,
            hold.person,
            hold.application,
            &hold.grounds,
            hold.proposed.by,
            hold.proposed.at
        ],
    )
    .await?;
    tx.seal(&LEGAL_HOLD, hold.id).await
}

/// Returns a hold, kept from other writers.
///
/// # Errors
/// [`StoreError`]
pub async fn locked(tx: &mut Tx, id: HoldId) -> Result<Option<Hold>, StoreError> {
    tx.sealed_locked(&LEGAL_HOLD, id).await?.map(|row| read(&row)).transpose()
}

/// Writes down who did what to a hold last.
///
/// # Errors
/// [`StoreError`]
pub async fn decide(tx: &mut Tx, hold: &Hold) -> Result<(), StoreError> {
    let sql = sql!(
        "update legal_hold set confirmed_by = $1, confirmed_at = $2, release_grounds = $3, release_proposed_by = $4,
                release_proposed_at = $5, released_by = $6, released_at = $7
         where id = $8"
    );
    let by = |decision: &Option<Decision>| decision.as_ref().map(|decision| decision.by);
    let at = |decision: &Option<Decision>| decision.as_ref().map(|decision| decision.at);
    let arguments = args![
        by(&hold.confirmed),
        at(&hold.confirmed),
        hold.release_grounds.as_deref(),
        by(&hold.release_proposed),
        at(&hold.release_proposed),
        by(&hold.released),
        at(&hold.released),
        hold.id
    ];
    tx.change(&LEGAL_HOLD, hold.id, sql, arguments).await?;
    Ok(())
}

/// Returns the holds after this one, in the order of their proposal, each with whether its MAC holds.
///
/// # Errors
/// [`StoreError`]
pub async fn list(tx: &mut Tx, after: HoldId, most: i64) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, object_kind, object_id, person_id, application_id, grounds, proposed_by, proposed_at, confirmed_by,
                confirmed_at, release_grounds, release_proposed_by, release_proposed_at, released_by, released_at,
                version, mac
         from legal_hold where id > $1 order by id limit $2"
    );
    tx.all_judged(&LEGAL_HOLD, sql, args![after, most]).await
}

/// Reads a row.
///
/// # Errors
/// [`StoreError::Inconsistent`]
pub fn read(row: &Record) -> Result<Hold, StoreError> {
    let named = match row.get::<String>("object_kind")?.as_str() {
        "person" => Named::Person,
        "application" => Named::Application,
        "card" => Named::Card,
        other => return Err(StoreError::inconsistent("legal_hold", "object_kind", other.to_owned())),
    };
    Ok(Hold {
        id: Id::of(row, "id")?,
        named,
        object: row.get("object_id")?,
        person: Id::of(row, "person_id")?,
        application: Id::of_optional(row, "application_id")?,
        grounds: row.get("grounds")?,
        proposed: Decision { by: Id::of(row, "proposed_by")?, at: row.get("proposed_at")? },
        confirmed: Decision::of(row, "confirmed_by", "confirmed_at")?,
        release_grounds: row.get("release_grounds")?,
        release_proposed: Decision::of(row, "release_proposed_by", "release_proposed_at")?,
        released: Decision::of(row, "released_by", "released_at")?,
    })
}
