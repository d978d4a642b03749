//! SQL of the lists of the stock. Each way to ask has a statement of its own that goes along one
//! index; ordered by serial.

use crypto::identity::CardSerial;

use super::CHIP;
use crate::ground::OfficeCode;
use crate::ground::ids::{DeliveryId, StationId};
use crate::store::{Record, StoreError, Tx};
use crate::{args, sql};

/// The chips wanted, and the office that sees them. An empty state is any.
#[derive(Clone, Copy, Debug)]
pub(in crate::production) enum Wanted<'a> {
    /// Those of an office.
    Office(&'a OfficeCode),
    /// Those of an office in this state.
    State(&'a OfficeCode, &'a str),
    /// Those in the custody of a station.
    Custody(StationId, &'a OfficeCode, &'a str),
    /// Those of a delivery.
    Delivery(DeliveryId, &'a OfficeCode, &'a str),
}

/// Returns a page of chips, by serial, each with whether its MAC holds.
pub(in crate::production) async fn chips(
    tx: &mut Tx,
    wanted: Wanted<'_>,
    after: &str,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let (sql, arguments) = match wanted {
        Wanted::Office(office) => (
            sql!(
                "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id,
                        version, mac
                 from chip where office = $1 and id > $2 order by id limit $3"
            ),
            args![office, after, most],
        ),
        Wanted::State(office, state) => (
            sql!(
                "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id,
                        version, mac
                 from chip where office = $1 and state = $2 and id > $3 order by id limit $4"
            ),
            args![office, state, after, most],
        ),
        Wanted::Custody(station, office, state) => (
            sql!(
                "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id,
                        version, mac
                 from chip where custody = $1 and (office = $2 or $2 = 'national') and ($3 = '' or state = $3)
                   and id > $4 order by id limit $5"
            ),
            args![station, office, state, after, most],
        ),
        Wanted::Delivery(delivery, office, state) => (
            sql!(
                "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id,
                        version, mac
                 from chip where delivery_id = $1 and (office = $2 or $2 = 'national') and ($3 = '' or state = $3)
                   and id > $4 order by id limit $5"
            ),
            args![delivery, office, state, after, most],
        ),
    };
    tx.all_judged(&CHIP, sql, arguments).await
}

/// Returns a page of the chips of an office that are bound and no card yet, by serial: each with the orders that were
/// made for it, the first and the last.
pub(in crate::production) async fn unfinished(
    tx: &mut Tx,
    office: &OfficeCode,
    after: &str,
    most: i64,
) -> Result<Vec<Record>, StoreError> {
    let sql = sql!(
        "select id, custody,
                (select count(*) from perso_order where perso_order.serial = chip.id) as orders,
                (select min(made_at) from perso_order where perso_order.serial = chip.id) as first_at,
                (select max(made_at) from perso_order where perso_order.serial = chip.id) as last_at,
                (select application_id from document where document.serial = chip.id order by made_at desc limit 1)
                    as application_id
         from chip where office = $1 and state = 'bound' and id > $2 order by id limit $3"
    );
    tx.all(sql, args![office, after, most]).await
}

/// Returns a page of the chips in a station's custody that are no card and no waste, by serial, each
/// with whether its MAC holds.
pub(in crate::production) async fn blanks(
    tx: &mut Tx,
    station: StationId,
    after: &str,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id,
                version, mac
         from chip where custody = $1 and state in ('delivered', 'initialised', 'bound') and id > $2
         order by id limit $3"
    );
    tx.all_judged(&CHIP, sql, args![station, after, most]).await
}

/// Returns a chip, if it is in the station's custody, with whether its MAC holds.
pub(in crate::production) async fn held_chip(
    tx: &mut Tx,
    station: StationId,
    serial: &CardSerial,
) -> Result<Option<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id,
                version, mac
         from chip where custody = $1 and id = $2"
    );
    Ok(tx.all_judged(&CHIP, sql, args![station, serial.to_string()]).await?.pop())
}

/// Returns how many chips in a station's custody are in each state before that of a card.
pub(in crate::production) async fn blanks_by_state(tx: &mut Tx, station: StationId) -> Result<Vec<Record>, StoreError> {
    let sql = sql!(
        "select state, count(*) as chips from chip
         where custody = $1 and state in ('delivered', 'initialised', 'bound') group by state"
    );
    tx.all(sql, args![station]).await
}
