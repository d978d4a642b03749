//! SQL of the batches of cards. Their items are the office of applications'.

use time::OffsetDateTime;

use crate::ground::ids::{CardBatchId, OfficerId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::production::card_batches::{CardBatch, CardBatchState, Closing};
use crate::store::{Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Batches of cards carry a MAC: they say which two officers released one.
pub const CARD_BATCH: Sealed = Sealed {
    table: "card_batch",
    columns: &[
        ("id", Kind::Uuid),
        ("office", Kind::Text),
        ("priority", Kind::Integer),
        ("cut_off", Kind::Moment),
        ("most", Kind::Integer),
        ("state", Kind::Text),
        ("drafted_by", Kind::Uuid),
        ("drafted_at", Kind::Moment),
        ("released_by", Kind::Uuid),
        ("released_at", Kind::Moment),
        ("reason", Kind::Text),
        ("items", Kind::Integer),
        ("good", Kind::Integer),
        ("dropped", Kind::Integer),
        ("spoiled", Kind::Integer),
        ("closed_by", Kind::Uuid),
        ("closed_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, office, priority, cut_off, most, state, drafted_by, drafted_at, released_by, released_at, reason, items,
                good, dropped, spoiled, closed_by, closed_at, version, mac
         from card_batch where id = $1"
    ),
    all: sql!(
        "select id, office, priority, cut_off, most, state, drafted_by, drafted_at, released_by, released_at, reason, items,
                good, dropped, spoiled, closed_by, closed_at, version, mac
         from card_batch order by id"
    ),
    set: sql!("update card_batch set version = $1, mac = $2 where id = $3"),
};

pub(in crate::production) async fn insert(tx: &mut Tx, batch: &CardBatch) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into card_batch (id, office, priority, cut_off, most, state, drafted_by, drafted_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let CardBatch { id, office, priority, cut_off, most, state, drafted, .. } = batch;
    let (priority, most) = (i64::from(*priority), i64::from(*most));
    tx.run(sql, args![*id, office, priority, *cut_off, most, state.word(), drafted.by, drafted.at]).await?;
    tx.seal(&CARD_BATCH, *id).await
}

/// Returns a batch.
pub(in crate::production) async fn batch(tx: &mut Tx, id: CardBatchId) -> Result<Option<CardBatch>, StoreError> {
    tx.sealed(&CARD_BATCH, id).await?.map(|row| read(&row)).transpose()
}

/// Returns a batch, kept from other writers.
pub(in crate::production) async fn locked(tx: &mut Tx, id: CardBatchId) -> Result<Option<CardBatch>, StoreError> {
    tx.sealed_locked(&CARD_BATCH, id).await?.map(|row| read(&row)).transpose()
}

/// Writes down what became of a batch.
pub(in crate::production) async fn change(tx: &mut Tx, batch: &CardBatch) -> Result<(), StoreError> {
    let sql = sql!(
        "update card_batch set state = $1, released_by = $2, released_at = $3, reason = $4, items = $5, good = $6,
                dropped = $7, spoiled = $8, closed_by = $9, closed_at = $10
         where id = $11"
    );
    let (released_by, released_at) = parts(batch.released.as_ref());
    let closed = batch.closed.as_ref();
    let (closed_by, closed_at) = parts(closed.map(|closed| &closed.by));
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let arguments = args![
        batch.state.word(),
        released_by,
        released_at,
        batch.reason.clone(),
        batch.items.map(number),
        closed.map(|closed| number(closed.good)),
        closed.map(|closed| number(closed.left)),
        closed.map(|closed| number(closed.spoiled)),
        closed_by,
        closed_at,
        batch.id
    ];
    tx.change(&CARD_BATCH, batch.id, sql, arguments).await?;
    Ok(())
}

fn parts(decision: Option<&Decision>) -> (Option<OfficerId>, Option<OffsetDateTime>) {
    decision.map(|decision| (decision.by, decision.at)).unzip()
}

/// Returns the batches of an office that stations work on, the most urgent first, then the oldest.
pub(in crate::production) async fn working(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<CardBatch>, StoreError> {
    let sql = sql!(
        "select id, office, priority, cut_off, most, state, drafted_by, drafted_at, released_by, released_at, reason, items,
                good, dropped, spoiled, closed_by, closed_at, version, mac
         from card_batch where office = $1 and state in ('released', 'paused') order by priority desc, id"
    );
    tx.all_sealed(&CARD_BATCH, sql, args![office]).await?.iter().map(read).collect()
}

/// Returns a page of the batches of an office (the national office: of all), each with whether its MAC holds.
pub(in crate::production) async fn listed(
    tx: &mut Tx,
    office: &OfficeCode,
    after: CardBatchId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, office, priority, cut_off, most, state, drafted_by, drafted_at, released_by, released_at, reason, items,
                good, dropped, spoiled, closed_by, closed_at, version, mac
         from card_batch where (office = $1 or $1 = 'national') and id > $2 order by id limit $3"
    );
    tx.all_judged(&CARD_BATCH, sql, args![office, after, most]).await
}

/// Returns the batches that are not closed, of all offices: for `issuance batches`.
///
/// # Errors
/// [`StoreError`]
pub async fn unclosed(tx: &mut Tx) -> Result<Vec<CardBatch>, StoreError> {
    let sql = sql!(
        "select id, office, priority, cut_off, most, state, drafted_by, drafted_at, released_by, released_at, reason, items,
                good, dropped, spoiled, closed_by, closed_at, version, mac
         from card_batch where state <> 'closed' order by office, priority desc, id"
    );
    tx.all_sealed(&CARD_BATCH, sql, args![]).await?.iter().map(read).collect()
}

pub(in crate::production) fn read(row: &Record) -> Result<CardBatch, StoreError> {
    let decision = |by: &str, at: &str| -> Result<Option<Decision>, StoreError> {
        let (by, at) = (Id::of_optional(row, by)?, row.get(at)?);
        Ok(by.zip(at).map(|(by, at)| Decision { by, at }))
    };
    let word: String = row.get("state")?;
    let state = CardBatchState::ALL.into_iter().find(|state| state.word() == word);
    let optional = |column: &str| -> Result<Option<u64>, StoreError> {
        Ok(row.get::<Option<i64>>(column)?.and_then(|n| u64::try_from(n).ok()))
    };
    let closed = match decision("closed_by", "closed_at")? {
        Some(by) => Some(Closing {
            by,
            good: optional("good")?.unwrap_or(0),
            left: optional("dropped")?.unwrap_or(0),
            spoiled: optional("spoiled")?.unwrap_or(0),
        }),
        None => None,
    };
    Ok(CardBatch {
        id: Id::of(row, "id")?,
        office: row.parsed("office")?,
        priority: row.number("priority")?,
        cut_off: row.get("cut_off")?,
        most: row.number("most")?,
        state: state.ok_or_else(|| row.inconsistent("state"))?,
        drafted: Decision { by: Id::of(row, "drafted_by")?, at: row.get("drafted_at")? },
        released: decision("released_by", "released_at")?,
        reason: row.get("reason")?,
        items: optional("items")?,
        closed,
    })
}
