//! SQL of claims: which officer has an application before them.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::applications::claims::Claim;
use crate::ground::Id;
use crate::ground::ids::{ApplicationId, OfficerId};
use crate::store::{Argument, Record, StoreError, Tx};
use crate::{args, sql};

/// Notes that an officer has an application, in the place of the last one.
pub(in crate::applications) async fn put(tx: &mut Tx, id: ApplicationId, claim: &Claim) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into application_claim (application_id, officer_id, claimed_at, until, moves) values ($1, $2, $3, $4, $5)
         on conflict (application_id) do update set officer_id = $2, claimed_at = $3, until = $4, moves = $5"
    );
    tx.run(sql, args![id, claim.officer, claim.since, claim.until, claim.moves]).await?;
    Ok(())
}

/// Ends an officer's claim now.
pub(in crate::applications) async fn end(
    tx: &mut Tx,
    id: ApplicationId,
    officer: OfficerId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql =
        sql!("update application_claim set until = $1 where application_id = $2 and officer_id = $3 and until > $1");
    tx.run(sql, args![at, id, officer]).await?;
    Ok(())
}

/// Ends the claim of whichever officer has an application now.
pub(in crate::applications) async fn end_all(
    tx: &mut Tx,
    id: ApplicationId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!("update application_claim set until = $1 where application_id = $2 and until > $1");
    tx.run(sql, args![at, id]).await?;
    Ok(())
}

/// Returns the last claim of an application.
pub(in crate::applications) async fn of_application(
    tx: &mut Tx,
    id: ApplicationId,
) -> Result<Option<Claim>, StoreError> {
    let sql = sql!(
        "select application_id, officer_id, claimed_at, until, moves from application_claim where application_id = $1"
    );
    tx.one(sql, args![id]).await?.as_ref().map(read).transpose()
}

/// Returns the last claims of these applications.
pub(in crate::applications) async fn of_applications(
    tx: &mut Tx,
    ids: &[ApplicationId],
) -> Result<BTreeMap<ApplicationId, Claim>, StoreError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = sql!(
        pg "select application_id, officer_id, claimed_at, until, moves from application_claim
            where application_id = any($1)",
        lite "select application_id, officer_id, claimed_at, until, moves from application_claim
              where application_id in (select value from json_each($1))",
    );
    let rows = tx.all(sql, vec![Argument::Uuids(ids.iter().map(|id| id.uuid()).collect())]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "application_id")?, read(row)?))).collect()
}

fn read(row: &Record) -> Result<Claim, StoreError> {
    Ok(Claim {
        officer: Id::of(row, "officer_id")?,
        since: row.get("claimed_at")?,
        until: row.get("until")?,
        moves: row.number("moves")?,
    })
}
