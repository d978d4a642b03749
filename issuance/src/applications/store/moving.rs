//! SQL of applications whose office is dissolved.

use time::OffsetDateTime;

use super::APPLICATION;
use crate::ground::ids::ApplicationId;
use crate::ground::{Id, OfficeCode};
use crate::store::{StoreError, Tx};
use crate::{args, sql};

/// Returns applications of an office that are under way, and refused ones about which a complaint may
/// come, by id, after this one.
///
/// # Errors
/// [`StoreError`]
pub async fn not_ended(
    tx: &mut Tx,
    office: &OfficeCode,
    now: OffsetDateTime,
    after: ApplicationId,
    most: i64,
) -> Result<Vec<ApplicationId>, StoreError> {
    let sql = sql!(
        "select a.id from application a
         where a.office = $1 and a.stage not in ('handed-over', 'cancelled') and a.id > $2
             and not exists (select 1 from closed_application c where c.application_id = a.id and c.closed_at <= $3)
         order by a.id limit $4"
    );
    tx.all(sql, args![office, after, now, most]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns how many such applications there are, and how many of them are cards that can be fetched.
///
/// # Errors
/// [`StoreError`]
pub async fn count_not_ended(tx: &mut Tx, office: &OfficeCode, now: OffsetDateTime) -> Result<(u64, u64), StoreError> {
    let sql = sql!(
        "select count(*) as n, count(case when a.stage in ('personalized', 'not-fetched') then 1 end) as cards
         from application a
         where a.office = $1 and a.stage not in ('handed-over', 'cancelled')
             and not exists (select 1 from closed_application c where c.application_id = a.id and c.closed_at <= $2)"
    );
    let row = tx.one(sql, args![office, now]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.number("n")?, row.number("cards")?)))
}

/// Returns the roles that have applications of an office before them.
///
/// # Errors
/// [`StoreError`]
pub async fn roles_with_work(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<String>, StoreError> {
    let sql = sql!(
        "select owner, count(*) as n from application where owner_office = $1 and owner is not null
         group by owner order by owner"
    );
    tx.all(sql, args![office]).await?.iter().map(|row| row.get("owner")).collect()
}

/// Gives an application to another office, with what that office has of it. Owner, terms and due day stay.
pub(in crate::applications) async fn give(
    tx: &mut Tx,
    id: ApplicationId,
    from: &OfficeCode,
    to: &OfficeCode,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update application set office = $1, owner_office = case when owner_office = $2 then $1 else owner_office end
         where id = $3"
    );
    tx.change(&APPLICATION, id, sql, args![to, from, id]).await?;
    Ok(())
}
