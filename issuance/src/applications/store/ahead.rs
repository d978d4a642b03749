//! SQL of what was made ahead for the items of batches of cards. A row says only where it is: whether it may stand on a
//! card, what it holds says, under the key of the service.

use time::{Date, OffsetDateTime};

use crate::ground::Id;
use crate::ground::ids::{ApplicationId, CardBatchId};
use crate::store::{StoreError, Tx};
use crate::{args, sql};

/// Returns items of a batch that wait for a chip and for which nothing was made ahead today, since they moved last, by
/// place.
///
/// # Errors
/// [`StoreError`]
pub async fn lacking(
    tx: &mut Tx,
    batch: CardBatchId,
    today: Date,
    most: i64,
) -> Result<Vec<ApplicationId>, StoreError> {
    let sql = sql!(
        "select i.application_id from batch_item i join application a on a.id = i.application_id
             left join made_ahead m on m.application_id = i.application_id and m.day = $2 and m.moves = a.moves
         where i.batch_id = $1 and i.outcome is null and a.stage = 'approved' and m.application_id is null
         order by i.place limit $3"
    );
    tx.all(sql, args![batch, today, most]).await?.iter().map(|row| Id::of(row, "application_id")).collect()
}

/// Returns how many items of a batch wait for a chip with what was made ahead today, since they moved last.
///
/// # Errors
/// [`StoreError`]
pub async fn ready(tx: &mut Tx, batch: CardBatchId, today: Date) -> Result<u64, StoreError> {
    let sql = sql!(
        "select count(*) as n from batch_item i join application a on a.id = i.application_id
             join made_ahead m on m.application_id = i.application_id
         where i.batch_id = $1 and i.outcome is null and a.stage = 'approved' and m.day = $2 and m.moves = a.moves
             and m.object is not null"
    );
    tx.one(sql, args![batch, today]).await?.map_or(Ok(0), |row| row.number("n"))
}

/// Returns the object that was made ahead for an application today.
///
/// # Errors
/// [`StoreError`]
pub async fn of_today(tx: &mut Tx, id: ApplicationId, today: Date) -> Result<Option<String>, StoreError> {
    let sql = sql!("select object from made_ahead where application_id = $1 and day = $2");
    let row = tx.one(sql, args![id, today]).await?;
    Ok(row.map(|row| row.get::<Option<String>>("object")).transpose()?.flatten())
}

/// Notes what was made ahead for an application, or that it could not be. Returns the object of before.
///
/// # Errors
/// [`StoreError`]
pub async fn put(
    tx: &mut Tx,
    id: ApplicationId,
    today: Date,
    object: Option<&str>,
    at: OffsetDateTime,
) -> Result<Option<String>, StoreError> {
    let before = tx.one(sql!("select object from made_ahead where application_id = $1"), args![id]).await?;
    let sql = sql!(
        "insert into made_ahead (application_id, day, moves, object, made_at)
         select id, $2, moves, $3, $4 from application where id = $1
         on conflict (application_id)
         do update set day = excluded.day, moves = excluded.moves, object = excluded.object, made_at = excluded.made_at"
    );
    tx.run(sql, args![id, today, object.map(str::to_owned), at]).await?;
    Ok(before.map(|row| row.get::<Option<String>>("object")).transpose()?.flatten())
}
