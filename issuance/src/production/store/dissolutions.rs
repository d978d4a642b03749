//! SQL of the stock of an office that is dissolved: what is left there, and whose it is from then on.

use crypto::identity::CardSerial;

use super::batches::PRODUCTION_BATCH;
use super::boxes::STOCK_BOX;
use super::card_batches::CARD_BATCH;
use super::cases::STOCK_CASE;
use crate::ground::ids::{BoxId, CardBatchId, CaseId, ProductionBatchId, StationId};
use crate::ground::{Id, OfficeCode};
use crate::production::cases::Case;
use crate::store::{StoreError, Tx};
use crate::{args, sql};

/// What the stock of an office holds and has to do.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::production) struct StockLeft {
    pub chips: u64,
    pub chips_at_stations: u64,
    pub boxes: u64,
    pub cases: u64,
    pub batches: u64,
}

/// Counts what the stock of an office holds and has to do.
pub(in crate::production) async fn count(tx: &mut Tx, office: &OfficeCode) -> Result<StockLeft, StoreError> {
    let sql = sql!(
        "select count(*) as n, count(case when custody is not null and state <> 'spoiled' then 1 end) as held from chip
         where office = $1 and box_id is null and state in ('delivered', 'initialised', 'bound', 'spoiled')"
    );
    let row = tx.one(sql, args![office]).await?;
    let (all, held): (u64, u64) =
        row.map_or(Ok((0, 0)), |row| Ok::<_, StoreError>((row.number("n")?, row.number("held")?)))?;
    Ok(StockLeft {
        chips: all - held.min(all),
        chips_at_stations: held,
        boxes: boxes(tx, office).await?.len() as u64,
        cases: cases(tx, office).await?.len() as u64,
        batches: (batches(tx, office).await?.len() + card_batches(tx, office).await?.len()) as u64,
    })
}

/// Returns chips of an office that lie in no box and are neither a card nor destroyed, by serial, after this one.
pub(in crate::production) async fn chips(
    tx: &mut Tx,
    office: &OfficeCode,
    after: &str,
    most: i64,
) -> Result<Vec<CardSerial>, StoreError> {
    let sql = sql!(
        "select id from chip
         where office = $1 and box_id is null and id > $2
             and state in ('delivered', 'initialised', 'bound', 'spoiled', 'lost')
         order by id limit $3"
    );
    tx.all(sql, args![office, after, most]).await?.iter().map(|row| row.parsed("id")).collect()
}

/// Returns chips of an office that a station holds and that are no card yet, by serial.
pub(in crate::production) async fn chips_at(
    tx: &mut Tx,
    office: &OfficeCode,
    station: StationId,
) -> Result<Vec<CardSerial>, StoreError> {
    let sql = sql!(
        "select id from chip
         where office = $1 and custody = $2 and box_id is null and state in ('delivered', 'initialised', 'bound')
         order by id"
    );
    tx.all(sql, args![office, station]).await?.iter().map(|row| row.parsed("id")).collect()
}

/// Returns the boxes that are on their way from or to an office.
pub(in crate::production) async fn boxes(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<BoxId>, StoreError> {
    let sql = sql!(
        "select id from stock_box
         where (from_office = $1 or to_office = $1) and received_at is null and ended_at is null order by id"
    );
    tx.all(sql, args![office]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns the differences of an office's stock, and of boxes that it sent, that are not settled.
pub(in crate::production) async fn cases(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<CaseId>, StoreError> {
    let sql =
        sql!("select id from stock_case where (office = $1 or from_office = $1) and state <> 'settled' order by id");
    tx.all(sql, args![office]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns the open batches of production of an office's stations.
pub(in crate::production) async fn batches(
    tx: &mut Tx,
    office: &OfficeCode,
) -> Result<Vec<ProductionBatchId>, StoreError> {
    let sql = sql!("select id from production_batch where office = $1 and closed_at is null order by id");
    tx.all(sql, args![office]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns the batches of cards of an office that are not closed.
pub(in crate::production) async fn card_batches(
    tx: &mut Tx,
    office: &OfficeCode,
) -> Result<Vec<CardBatchId>, StoreError> {
    let sql = sql!("select id from card_batch where office = $1 and state <> 'closed' order by id");
    tx.all(sql, args![office]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Gives a box on its way to the office that takes the place of another one: of the sender, of the receiver.
pub(in crate::production) async fn give_box(
    tx: &mut Tx,
    id: BoxId,
    from: &OfficeCode,
    to: &OfficeCode,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update stock_box set from_office = case when from_office = $1 then $2 else from_office end,
                to_office = case when to_office = $1 then $2 else to_office end
         where id = $3"
    );
    tx.change(&STOCK_BOX, id, sql, args![from, to, id]).await?;
    Ok(())
}

/// Gives a case to the offices that it has now, and names what it is about as it is named now.
pub(in crate::production) async fn give_case(tx: &mut Tx, case: &Case) -> Result<(), StoreError> {
    let sql = sql!("update stock_case set office = $1, from_office = $2, subject = $3 where id = $4");
    let from = case.from.as_ref().map(OfficeCode::as_str);
    tx.change(&STOCK_CASE, case.id, sql, args![&case.office, from, &case.subject, case.id]).await?;
    Ok(())
}

/// Gives an open batch of production to another office.
pub(in crate::production) async fn give_batch(
    tx: &mut Tx,
    id: ProductionBatchId,
    to: &OfficeCode,
) -> Result<(), StoreError> {
    let sql = sql!("update production_batch set office = $1 where id = $2");
    tx.change(&PRODUCTION_BATCH, id, sql, args![to, id]).await?;
    Ok(())
}

/// Gives a batch of cards to another office.
pub(in crate::production) async fn give_card_batch(
    tx: &mut Tx,
    id: CardBatchId,
    to: &OfficeCode,
) -> Result<(), StoreError> {
    let sql = sql!("update card_batch set office = $1 where id = $2");
    tx.change(&CARD_BATCH, id, sql, args![to, id]).await?;
    Ok(())
}
