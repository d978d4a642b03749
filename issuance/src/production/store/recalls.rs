//! SQL of recalls.

use crypto::identity::CardSerial;

use super::super::model::ChipStateName;
use super::super::recalls::RecallKind;
use super::cases::word;
use super::{CHIP, DELIVERY};
use crate::ground::ids::{DeliveryId, RecallId};
use crate::ground::{Decision, Id};
use crate::store::{Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Recalls carry a MAC: one that another hand ended would let bad chips become cards.
pub const RECALL: Sealed = Sealed {
    table: "recall",
    columns: &[
        ("id", Kind::Uuid),
        ("kind", Kind::Text),
        ("value", Kind::Text),
        ("manufacturer", Kind::Text),
        ("reason", Kind::Text),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
        ("confirmed_by", Kind::Uuid),
        ("confirmed_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, kind, value, manufacturer, reason, proposed_by, proposed_at, confirmed_by, confirmed_at, version, mac
         from recall where id = $1"
    ),
    all: sql!(
        "select id, kind, value, manufacturer, reason, proposed_by, proposed_at, confirmed_by, confirmed_at, version, mac
         from recall order by id"
    ),
    set: sql!("update recall set version = $1, mac = $2 where id = $3"),
};

/// A recall of chips.
#[derive(Clone, Debug)]
pub struct Recall {
    /// Identifier.
    pub id: RecallId,
    /// By what.
    pub kind: RecallKind,
    /// The lot, the firmware or the identifier of the delivery.
    pub value: String,
    /// Only of this manufacturer.
    pub manufacturer: Option<String>,
    /// What is wrong with the chips, in the officer's words.
    pub reason: String,
    /// The first of the two officers.
    pub proposed: Decision,
    /// The second one: from then on it is in force.
    pub confirmed: Option<Decision>,
}

/// As which text a lot, a firmware or a manufacturer counts: without spaces, and in small letters. The statements fold
/// their columns alike, in both databases letters of ASCII alone.
pub(in crate::production) fn folded(text: &str) -> String {
    text.chars().filter(|c| *c != ' ').collect::<String>().to_ascii_lowercase()
}

pub(in crate::production) async fn insert(tx: &mut Tx, recall: &Recall) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into recall (id, kind, value, manufacturer, reason, proposed_by, proposed_at)
         values ($1, $2, $3, $4, $5, $6, $7)"
    );
    let Recall { id, kind, value, manufacturer, reason, proposed, .. } = recall;
    let arguments = args![*id, kind.word(), value, manufacturer.as_deref(), reason, proposed.by, proposed.at];
    tx.run(sql, arguments).await?;
    tx.seal(&RECALL, *id).await
}

/// Returns a recall, kept from other writers.
pub(in crate::production) async fn locked(tx: &mut Tx, id: RecallId) -> Result<Option<Recall>, StoreError> {
    tx.sealed_locked(&RECALL, id).await?.map(|row| read(&row)).transpose()
}

/// Writes down who confirmed a recall.
pub(in crate::production) async fn confirm(tx: &mut Tx, recall: &Recall) -> Result<(), StoreError> {
    let sql = sql!("update recall set confirmed_by = $1, confirmed_at = $2 where id = $3");
    let Some(confirmed) = &recall.confirmed else { return Ok(()) };
    tx.change(&RECALL, recall.id, sql, args![confirmed.by, confirmed.at, recall.id]).await?;
    Ok(())
}

/// True if a delivery has what a recall names.
pub(in crate::production) async fn concerns_any(tx: &mut Tx, recall: &Recall) -> Result<bool, StoreError> {
    let sql = sql!(
        pg "select id from delivery
            where (($1 = 'delivery' and cast(id as text) = $2)
                   or ($1 = 'lot' and lower(replace(batch, ' ', '') collate \"C\") = $2)
                   or ($1 = 'firmware' and lower(replace(firmware, ' ', '') collate \"C\") = $2))
              and ($3 = '' or lower(replace(manufacturer, ' ', '') collate \"C\") = $3)
            order by id limit 1",
        lite "select id from delivery
              where (($1 = 'delivery' and cast(id as text) = $2) or ($1 = 'lot' and lower(replace(batch, ' ', '')) = $2)
                     or ($1 = 'firmware' and lower(replace(firmware, ' ', '')) = $2))
                and ($3 = '' or lower(replace(manufacturer, ' ', '')) = $3)
              order by id limit 1",
    );
    let maker = folded(recall.manufacturer.as_deref().unwrap_or_default());
    Ok(tx.one(sql, args![recall.kind.word(), folded(&recall.value), maker]).await?.is_some())
}

/// Returns a recall in force that concerns the chips of a delivery. A delivery that another hand changed is refused: it
/// would hide its chips from the recall of their lot.
pub(in crate::production) async fn in_force_for(
    tx: &mut Tx,
    delivery: DeliveryId,
) -> Result<Option<Recall>, StoreError> {
    tx.sealed(&DELIVERY, delivery).await?;
    let sql = sql!(
        pg "select recall.id as id, kind, value, recall.manufacturer as manufacturer, reason, proposed_by, proposed_at,
                   confirmed_by, confirmed_at, recall.version as version, recall.mac as mac
            from recall join delivery on delivery.id = $1
            where confirmed_at is not null
              and ((kind = 'delivery' and value = cast(delivery.id as text))
                   or (kind = 'lot' and lower(replace(value, ' ', '') collate \"C\")
                       = lower(replace(batch, ' ', '') collate \"C\"))
                   or (kind = 'firmware' and lower(replace(value, ' ', '') collate \"C\")
                       = lower(replace(firmware, ' ', '') collate \"C\")))
              and lower(replace(coalesce(recall.manufacturer, delivery.manufacturer), ' ', '') collate \"C\")
                  = lower(replace(delivery.manufacturer, ' ', '') collate \"C\")
            order by recall.id limit 1",
        lite "select recall.id as id, kind, value, recall.manufacturer as manufacturer, reason, proposed_by, proposed_at,
                     confirmed_by, confirmed_at, recall.version as version, recall.mac as mac
              from recall join delivery on delivery.id = $1
              where confirmed_at is not null
                and ((kind = 'delivery' and value = cast(delivery.id as text))
                     or (kind = 'lot' and lower(replace(value, ' ', '')) = lower(replace(batch, ' ', '')))
                     or (kind = 'firmware' and lower(replace(value, ' ', '')) = lower(replace(firmware, ' ', ''))))
                and lower(replace(coalesce(recall.manufacturer, delivery.manufacturer), ' ', ''))
                    = lower(replace(delivery.manufacturer, ' ', ''))
              order by recall.id limit 1",
    );
    tx.all_sealed(&RECALL, sql, args![delivery]).await?.first().map(read).transpose()
}

/// Returns a page of the recalls, each with whether its MAC holds.
pub(in crate::production) async fn listed(
    tx: &mut Tx,
    after: RecallId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, kind, value, manufacturer, reason, proposed_by, proposed_at, confirmed_by, confirmed_at, version, mac
         from recall where id > $1 order by id limit $2"
    );
    tx.all_judged(&RECALL, sql, args![after, most]).await
}

/// Returns a page of the chips that a recall concerns, by serial, each with whether its MAC holds.
pub(in crate::production) async fn chips(
    tx: &mut Tx,
    recall: &Recall,
    after: &str,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        pg "select chip.id as id, delivery_id, chip.transport_key_id as transport_key_id, office, custody, state,
                   state_data, posting_id, box_id, chip.version as version, chip.mac as mac
            from chip join delivery on delivery.id = chip.delivery_id
            where (($1 = 'delivery' and cast(delivery.id as text) = $2)
                   or ($1 = 'lot' and lower(replace(batch, ' ', '') collate \"C\") = $2)
                   or ($1 = 'firmware' and lower(replace(firmware, ' ', '') collate \"C\") = $2))
              and ($3 = '' or lower(replace(manufacturer, ' ', '') collate \"C\") = $3) and chip.id > $4
            order by chip.id limit $5",
        lite "select chip.id as id, delivery_id, chip.transport_key_id as transport_key_id, office, custody, state,
                     state_data, posting_id, box_id, chip.version as version, chip.mac as mac
              from chip join delivery on delivery.id = chip.delivery_id
              where (($1 = 'delivery' and cast(delivery.id as text) = $2)
                     or ($1 = 'lot' and lower(replace(batch, ' ', '')) = $2)
                     or ($1 = 'firmware' and lower(replace(firmware, ' ', '')) = $2))
                and ($3 = '' or lower(replace(manufacturer, ' ', '')) = $3) and chip.id > $4
              order by chip.id limit $5",
    );
    let maker = folded(recall.manufacturer.as_deref().unwrap_or_default());
    tx.all_judged(&CHIP, sql, args![recall.kind.word(), folded(&recall.value), maker, after, most]).await
}

/// Returns chips in a state that a recall concerns, by serial.
pub(in crate::production) async fn in_state(
    tx: &mut Tx,
    recall: &Recall,
    state: ChipStateName,
    after: &str,
    most: i64,
) -> Result<Vec<CardSerial>, StoreError> {
    let sql = sql!(
        pg "select chip.id as id from chip join delivery on delivery.id = chip.delivery_id
            where (($1 = 'delivery' and cast(delivery.id as text) = $2)
                   or ($1 = 'lot' and lower(replace(batch, ' ', '') collate \"C\") = $2)
                   or ($1 = 'firmware' and lower(replace(firmware, ' ', '') collate \"C\") = $2))
              and ($3 = '' or lower(replace(manufacturer, ' ', '') collate \"C\") = $3) and chip.state = $4 and chip.id > $5
            order by chip.id limit $6",
        lite "select chip.id as id from chip join delivery on delivery.id = chip.delivery_id
              where (($1 = 'delivery' and cast(delivery.id as text) = $2)
                     or ($1 = 'lot' and lower(replace(batch, ' ', '')) = $2)
                     or ($1 = 'firmware' and lower(replace(firmware, ' ', '')) = $2))
                and ($3 = '' or lower(replace(manufacturer, ' ', '')) = $3) and chip.state = $4 and chip.id > $5
              order by chip.id limit $6",
    );
    let maker = folded(recall.manufacturer.as_deref().unwrap_or_default());
    let arguments = args![recall.kind.word(), folded(&recall.value), maker, state.word(), after, most];
    tx.all(sql, arguments).await?.iter().map(|row| row.parsed("id")).collect()
}

pub(in crate::production) fn read(row: &Record) -> Result<Recall, StoreError> {
    let (by, at) = (Id::of_optional(row, "confirmed_by")?, row.get("confirmed_at")?);
    Ok(Recall {
        id: Id::of(row, "id")?,
        kind: word(row, "kind")?,
        value: row.get("value")?,
        manufacturer: row.get("manufacturer")?,
        reason: row.get("reason")?,
        proposed: Decision { by: Id::of(row, "proposed_by")?, at: row.get("proposed_at")? },
        confirmed: by.zip(at).map(|(by, at)| Decision { by, at }),
    })
}
