//! SQL of what goes on in a factory: batches that are not closed, what stations were heard to do, what was spoiled.

use time::{Date, OffsetDateTime};

use super::CHIP;
use super::card_batches::CARD_BATCH;
use crate::ground::OfficeCode;
use crate::ground::ids::StationId;
use crate::store::{Record, StoreError, Tx};
use crate::{args, sql};

/// Returns the batches of an office that are not closed, the most urgent first, each with whether its MAC holds.
pub(in crate::production) async fn unclosed_of(
    tx: &mut Tx,
    office: &OfficeCode,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, office, priority, cut_off, most, state, drafted_by, drafted_at, released_by, released_at, reason, items,
                good, dropped, spoiled, closed_by, closed_at, version, mac
         from card_batch where office = $1 and state <> 'closed' order by priority desc, id limit $2"
    );
    tx.all_judged(&CARD_BATCH, sql, args![office, most]).await
}

/// Returns the batches of an office that were closed, the last ones drafted first, each with whether its MAC holds.
pub(in crate::production) async fn closed_of(
    tx: &mut Tx,
    office: &OfficeCode,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, office, priority, cut_off, most, state, drafted_by, drafted_at, released_by, released_at, reason, items,
                good, dropped, spoiled, closed_by, closed_at, version, mac
         from card_batch where office = $1 and state = 'closed' order by id desc limit $2"
    );
    tx.all_judged(&CARD_BATCH, sql, args![office, most]).await
}

/// Returns when a station of an office was last heard by what the ledger has of it: a blank that it initialised, a chip
/// that it bound, a card that it finished, a chip that it gave up.
pub(in crate::production) async fn heard(
    tx: &mut Tx,
    office: &OfficeCode,
    station: StationId,
) -> Result<Option<OffsetDateTime>, StoreError> {
    // One account after the other: each is the end of an index.
    let mut last = None;
    for state in ["delivered", "initialised", "bound"] {
        let sql = sql!(
            "select at from posting
             where from_account = $1 and what in ('initialised', 'bound', 'personalized', 'spoiled')
             order by id desc limit 1"
        );
        if let Some(row) = tx.one(sql, args![format!("station/{office}/{station}/{state}")]).await? {
            last = last.max(Some(row.get("at")?));
        }
    }
    Ok(last)
}

/// Returns the chips of an office that were spoiled last, the newest first, each with when and whether its MAC holds.
pub(in crate::production) async fn spoiled_last(
    tx: &mut Tx,
    office: &OfficeCode,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select c.id, c.delivery_id, c.transport_key_id, c.office, c.custody, c.state, c.state_data, c.posting_id, c.box_id,
                c.version, c.mac
         from (select id, serial from posting where to_account = $1 order by id desc limit $2) p
         join chip c on c.id = p.serial order by p.id desc"
    );
    tx.all_judged(&CHIP, sql, args![format!("spoiled/{office}"), most]).await
}

/// Counts what of an office's stock waits for two officers: cases, and those of them that were due before a day.
pub(in crate::production) async fn cases_of(
    tx: &mut Tx,
    office: &OfficeCode,
    today: Date,
) -> Result<(u64, u64), StoreError> {
    let sql = sql!(
        "select count(*) as n, count(case when due_on < $2 then 1 end) as overdue
         from stock_case where state <> 'settled' and (office = $1 or from_office = $1)"
    );
    let row = tx.one(sql, args![office, today]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.number("n")?, row.number("overdue")?)))
}

/// Returns the boxes and parcels that an office awaits, or sent and that did not arrive yet, those due first before the
/// others, each with whether its MAC holds.
pub(in crate::production) async fn boxes_of(
    tx: &mut Tx,
    office: &OfficeCode,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, from_office, to_office, serials, sent_by, sent_at, counted, received_by, received_at, seal,
                due_on, ended, ended_by, ended_at, found_seal, version, mac
         from stock_box
         where received_at is null and ended_at is null and (from_office = $1 or to_office = $1)
         order by due_on, id limit $2"
    );
    tx.all_judged(&super::boxes::STOCK_BOX, sql, args![office, most]).await
}
