//! SQL of the lists of cards. Each way to ask has a statement of its own that goes along one index.

use crypto::identity::CardSerial;

use super::CARD;
use crate::ground::OfficeCode;
use crate::ground::ids::{CardId, PersonId};
use crate::store::{Record, StoreError, Tx};
use crate::{args, sql};

/// The cards wanted, and the office that sees them.
#[derive(Clone, Copy, Debug)]
pub(in crate::cards) enum Wanted<'a> {
    /// Those of an office.
    Office(&'a OfficeCode),
    /// Those of an office in this state.
    State(&'a OfficeCode, &'a str),
    /// Those of a person at this office, in this state or, if it is empty, in any; the national office
    /// sees those of all offices.
    Person(PersonId, &'a OfficeCode, &'a str),
    /// The one on this chip, likewise.
    Serial(CardSerial, &'a OfficeCode, &'a str),
}

/// Returns a page of cards, in the order of their issue, each with whether its MAC holds.
pub(in crate::cards) async fn cards(
    tx: &mut Tx,
    wanted: Wanted<'_>,
    after: CardId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let (sql, arguments) = match wanted {
        Wanted::Office(office) => (
            sql!(
                "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data,
                        suspended_until, must_change, body, recalled, version, mac
                 from card where office = $1 and id > $2 order by id limit $3"
            ),
            args![office, after, most],
        ),
        Wanted::State(office, state) => (
            sql!(
                "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data,
                        suspended_until, must_change, body, recalled, version, mac
                 from card where office = $1 and status = $2 and id > $3 order by id limit $4"
            ),
            args![office, state, after, most],
        ),
        Wanted::Person(person, office, state) => (
            sql!(
                "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data,
                        suspended_until, must_change, body, recalled, version, mac
                 from card where person_id = $1 and (office = $2 or $2 = 'national') and ($3 = '' or status = $3)
                   and id > $4 order by id limit $5"
            ),
            args![person, office, state, after, most],
        ),
        Wanted::Serial(serial, office, state) => (
            sql!(
                "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data,
                        suspended_until, must_change, body, recalled, version, mac
                 from card where serial = $1 and (office = $2 or $2 = 'national') and ($3 = '' or status = $3)
                   and id > $4 order by id limit $5"
            ),
            args![serial.to_string(), office, state, after, most],
        ),
    };
    tx.all_judged(&CARD, sql, arguments).await
}
