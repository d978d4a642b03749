//! The messages between a station and the issuance service: JSON over HTTPS with client certificates.
//!
//! | path | request | answer |
//! | --- | --- | --- |
//! | [`path::INTAKE_ORDERS`] | [`Presented`] | [`IntakeOrder`] |
//! | [`path::INTAKE_RECEIPTS`] | [`IntakeReceipt`] | [`Outcome`] |
//! | [`path::PERSONALIZATION_ORDERS`] | [`PresentedFor`] | [`PersonalizationOrder`] |
//! | [`path::PERSONALIZATION_RECEIPTS`] | [`PersonalizationReceipt`] | [`Outcome`] |
//! | [`path::RENEWAL`] | [`Renewal`] | [`Renewed`] |
//! | [`path::SPOILED`] | [`Spoiled`] | the chip as the ledger has it |
//! | [`path::CUSTODY`] | | [`Custody`] |
//! | [`path::BATCHES`] | | [`OpenBatches`] |
//! | [`path::BATCH`] | | [`BatchProgress`] |
//!
//! An answer that is no success is a [`Problem`](super::problem::Problem). Requests refuse unknown members, answers
//! ignore them, so that a service may be newer than its stations.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Order, Presentation, Receipt};
use crate::identity::CardSerial;

/// The versions of this protocol. Each side names in [`HEADER`](version::HEADER) those that it speaks; the highest of
/// both lists is spoken.
///
/// Version 1 names no version at all, in no header and in no address: `/api/station/…`. Version 2 has both, and
/// `/api/v1/station/…`. A service speaks its own version and the one before, and so does a station.
pub mod version {
    use thiserror::Error;

    /// The header with the versions that a side speaks: numbers from 1, the newest first, with commas between them.
    /// A side that sends none speaks [`UNSAID`] alone.
    pub const HEADER: &str = "citizen-card-protocol";

    /// What this program speaks, the newest first.
    pub const SPOKEN: [u16; 2] = [2, 1];

    /// What a side speaks that names no version.
    pub const UNSAID: u16 = 1;

    /// The most numbers that a list may have.
    const MOST: usize = 16;

    /// A list of versions that cannot be read.
    #[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
    #[error("no list of versions: numbers from 1 with commas between them, 16 at most")]
    pub struct VersionsMalformed;

    /// Two sides that have no version in common.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub enum Apart {
        /// The other side speaks none that is new enough.
        TooNew,
        /// The other side speaks none that this one still does.
        TooOld,
    }

    /// Returns the value of the header.
    pub fn said() -> String {
        shown(&SPOKEN)
    }

    /// Returns versions as in the header: `2, 1`.
    pub fn shown(versions: &[u16]) -> String {
        versions.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Reads the value of the header; without one, the other side speaks [`UNSAID`].
    ///
    /// # Errors
    /// [`VersionsMalformed`].
    pub fn heard(value: Option<&[u8]>) -> Result<Vec<u16>, VersionsMalformed> {
        let Some(value) = value else { return Ok(vec![UNSAID]) };
        let text = std::str::from_utf8(value).map_err(|_| VersionsMalformed)?;
        let versions: Vec<u16> = text
            .split(',')
            .take(MOST + 1)
            .map(|number| number.trim().parse().ok().filter(|number| *number > 0))
            .collect::<Option<_>>()
            .ok_or(VersionsMalformed)?;
        if versions.len() > MOST { Err(VersionsMalformed) } else { Ok(versions) }
    }

    /// Returns the version that is spoken with a side that speaks these.
    ///
    /// # Errors
    /// [`Apart`], if there is none.
    pub fn agreed(theirs: &[u16]) -> Result<u16, Apart> {
        let common = SPOKEN.iter().copied().filter(|version| theirs.contains(version)).max();
        let newer = theirs.iter().max() > SPOKEN.iter().max();
        common.ok_or(if newer { Apart::TooNew } else { Apart::TooOld })
    }
}

/// The header with which the service tells a station which TLS authorities it has: the SHA-256 of each certificate in
/// hexadecimal, with commas between them. Two while an authority is rolled over.
pub const AUTHORITIES: &str = "citizen-card-tls-authorities";

/// The paths of the station's interface. [`CUSTODY`](path::CUSTODY), [`BATCHES`](path::BATCHES) and
/// [`BATCH`](path::BATCH) are GET, all others are POST and need an `Idempotency-Key`.
pub mod path {
    use crate::identity::CardSerial;

    /// Asks for an order that initialises a blank.
    pub const INTAKE_ORDERS: &str = "/api/v1/station/intake/orders";
    /// Reports what a blank answered.
    pub const INTAKE_RECEIPTS: &str = "/api/v1/station/intake/receipts";
    /// Asks for an order that makes a chip the card of the next approved application.
    pub const PERSONALIZATION_ORDERS: &str = "/api/v1/station/personalization/orders";
    /// Reports what a chip answered, and its signature.
    pub const PERSONALIZATION_RECEIPTS: &str = "/api/v1/station/personalization/receipts";
    /// Accounts for a chip that is given up. `{serial}` stands for its 20 hexadecimal digits.
    pub const SPOILED: &str = "/api/v1/station/chips/{serial}/spoiled";

    /// Shows the chips in the station's custody (GET).
    pub const CUSTODY: &str = "/api/v1/station/custody";
    /// Shows the batches of cards that the station's office works on (GET).
    pub const BATCHES: &str = "/api/v1/station/batches";
    /// Shows how far a batch of cards is (GET). `{id}` stands for its identifier.
    pub const BATCH: &str = "/api/v1/station/batches/{id}";
    /// Asks for the next certificate of the station.
    pub const RENEWAL: &str = "/api/v1/station/certificate";

    /// Returns [`SPOILED`] for this chip.
    pub fn spoiled(serial: &CardSerial) -> String {
        SPOILED.replace("{serial}", &serial.to_string())
    }

    /// Returns [`BATCH`] for this batch.
    pub fn batch(id: &str) -> String {
        BATCH.replace("{id}", id)
    }
}

/// Request: what the station read from the chip on its reader.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Presented {
    /// In the clear and unproved.
    pub presentation: Presentation,
}

/// Request: what the station read from the chip, and which application it is to become the card of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PresentedFor {
    /// In the clear and unproved.
    pub presentation: Presentation,
    /// The slip of an application that waits; without it, the one that waits longest is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slip: Option<String>,
    /// The batch of cards whose next item is wanted for a chip that belongs to no application yet; not with a slip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// The fence of the lease that this process has for the chip; none after a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
}

/// An item of a batch of cards that belongs to a station until a moment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lease {
    /// The batch.
    pub batch: String,
    /// The item.
    pub item: String,
    /// Grows by one with every lease of the item. What a process that is no longer the holder asks is refused by it.
    pub fence: u64,
    /// Until when, as in RFC 3339; each order renews it.
    pub until: String,
}

/// Answer: the batches of cards that the station's office works on, the most urgent first.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct OpenBatches {
    /// Released, running or paused.
    pub batches: Vec<BatchProgress>,
}

/// Answer: how far a batch of cards is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BatchProgress {
    /// Its identifier.
    pub id: String,
    /// `released`, `running`, `paused` or `closed`.
    pub state: String,
    /// The higher, the more urgent.
    pub priority: u8,
    /// Items that wait for a chip.
    pub waiting: u64,
    /// Items that are bound to a chip.
    pub leased: u64,
    /// Items that are cards.
    pub done: u64,
    /// Items that become no card of this batch.
    pub left: u64,
    /// Chips that were used up and are no card.
    pub spoiled: u64,
    /// Cards per minute, over the last minutes.
    pub per_minute: f64,
    /// Seconds until all items are cards, at that rate; none without a rate.
    pub seconds_left: Option<u64>,
}

/// Answer: the chips in the custody of the station that asks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Custody {
    /// Blanks that still are to be taken in.
    pub delivered: u64,
    /// Stock: initialised, and bound to no application.
    pub initialised: u64,
    /// Bound to an application, and no card yet.
    pub bound: u64,
    /// Those of this page, by serial number; of every state if one is asked for by its serial number.
    pub items: Vec<ChipInCustody>,
    /// The next page is asked for with this text as `after`; none where the list ends.
    pub next: Option<String>,
}

/// A chip in a station's custody.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChipInCustody {
    /// Its serial number.
    pub serial: CardSerial,
    /// What the ledger has it as: `delivered`, `initialised`, `bound`, `personalized` or `spoiled`.
    pub state: String,
}

/// Answer: an order of intake.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IntakeOrder {
    /// To be played as it is.
    pub order: Order,
}

/// Request: what a blank answered to an order of intake.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IntakeReceipt {
    /// All answers.
    pub receipt: Receipt,
}

/// Answer: a sealed order and what is needed to read the finished card back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PersonalizationOrder {
    /// To be played as it is.
    pub order: Order,
    /// Access and challenge for reading the card back.
    pub read_back: ReadBack,
    /// The slip of the application that the chip is bound to. The station learns no more of it.
    pub slip: String,
    /// What the service needs to know this order again if it loses its database: sealed, base64, kept by the station
    /// beside its journal. An older service gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<String>,
    /// The lease, if the application is an item of a batch of cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

/// What a station needs to read the finished card back.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct ReadBack {
    /// Card access number, six digits.
    pub can: String,
    /// Eight bytes that the chip signs, hexadecimal on the wire.
    #[serde(with = "hex::serde")]
    pub challenge: [u8; 8],
}

/// Hides the card access number.
impl fmt::Debug for ReadBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadBack(…)")
    }
}

/// Request: what the chip answered to an order of personalization, and its signature if it gave one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PersonalizationReceipt {
    /// All answers.
    pub receipt: Receipt,
    /// The chip's signature over the challenge of the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_authentication: Option<ActiveAuthentication>,
}

/// Active authentication over the service's challenge (Doc 9303-11, 8th ed., §6.1). Hexadecimal on the wire.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveAuthentication {
    /// The challenge of the order, eight bytes.
    #[serde(with = "hex::serde")]
    pub challenge: Vec<u8>,
    /// The chip's answer, `r || s`.
    #[serde(with = "hex::serde")]
    pub signature: Vec<u8>,
}

/// Request: why a station gives a chip up.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spoiled {
    /// What happened.
    pub reason: String,
    /// What shows it.
    pub evidence: String,
}

/// Request: the next certificate of the station, for a new key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// PKCS#10 request in PEM.
    pub csr_pem: String,
}

/// Answer: the next certificate of the station.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Renewed {
    /// PEM.
    pub certificate_pem: String,
    /// The authority that certifies service and stations, PEM; while it is rolled over, the old one and the new one.
    pub ca_pem: String,
}

/// Answer: what the service concluded from a receipt.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(into = "OutcomeWire", try_from = "OutcomeWire")]
pub enum Outcome {
    /// The receipt does not prove the aim of the order; another order is needed.
    Incomplete {
        /// The step that is missing.
        next: Next,
    },
    /// The blank has its keys and is stock.
    Initialised,
    /// The chip is a citizen's card.
    Personalized {
        /// The card's id at the service.
        card_id: String,
    },
}

impl Outcome {
    /// Returns the word on the wire: `incomplete`, `initialised` or `personalized`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Incomplete { .. } => "incomplete",
            Self::Initialised => "initialised",
            Self::Personalized { .. } => "personalized",
        }
    }

    /// Whether another order is needed.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Incomplete { .. })
    }

    /// Returns the card's id, once the chip is personalized.
    pub fn card_id(&self) -> Option<&str> {
        match self {
            Self::Personalized { card_id } => Some(card_id),
            Self::Incomplete { .. } | Self::Initialised => None,
        }
    }
}

/// What a station does next with a chip whose receipt was incomplete.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// Have the chip sign the challenge of a new order.
    ActiveAuthentication,
    /// Present the chip again, for a new order.
    Present,
}

#[derive(Deserialize, Serialize)]
struct OutcomeWire {
    outcome: Word,
    #[serde(default)]
    card_id: Option<String>,
    #[serde(default)]
    next: Option<Next>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Incomplete,
    Initialised,
    Personalized,
}

impl From<Outcome> for OutcomeWire {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Incomplete { next } => Self { outcome: Word::Incomplete, card_id: None, next: Some(next) },
            Outcome::Initialised => Self { outcome: Word::Initialised, card_id: None, next: None },
            Outcome::Personalized { card_id } => {
                Self { outcome: Word::Personalized, card_id: Some(card_id), next: None }
            }
        }
    }
}

impl TryFrom<OutcomeWire> for Outcome {
    type Error = &'static str;

    fn try_from(wire: OutcomeWire) -> Result<Self, &'static str> {
        match wire.outcome {
            Word::Incomplete => Ok(Self::Incomplete { next: wire.next.unwrap_or(Next::Present) }),
            Word::Initialised => Ok(Self::Initialised),
            Word::Personalized => {
                let card_id = wire.card_id.ok_or("a personalized chip without the id of its card")?;
                Ok(Self::Personalized { card_id })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::identity::CardSerial;
    use crate::perso::{LifeCycle, Purpose};

    /// Checks that the message has exactly this JSON, and reads back from it.
    fn golden<M: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(message: &M, json: &str) {
        assert_eq!(serde_json::to_string(message).unwrap(), json);
        assert_eq!(&serde_json::from_str::<M>(json).unwrap(), message);
    }

    fn serial() -> CardSerial {
        CardSerial([0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0xbc])
    }

    fn order() -> Order {
        Order {
            id: "0190".to_owned(),
            purpose: Purpose::Intake,
            serial: serial(),
            commands: vec![vec![0, 0xa4, 4, 0], vec![0x80, 0x50]],
        }
    }

    fn receipt() -> Receipt {
        Receipt { order: "0190".to_owned(), responses: vec![vec![0x90, 0x00]] }
    }

    const ORDER: &str =
        r#"{"id":"0190","purpose":"intake","serial":"00000000000000000ABC","commands":["AKQEAA==","gFA="]}"#;
    const RECEIPT: &str = r#"{"order":"0190","responses":["kAA="]}"#;

    #[test]
    fn a_presentation_has_its_golden_json() {
        let presentation = Presentation {
            serial: serial(),
            life_cycle: LifeCycle::Blank,
            key_version: 1,
            sequence_counter: 7,
            max_command: 261,
            max_response: 258,
        };
        golden(
            &Presented { presentation },
            r#"{"presentation":{"serial":"00000000000000000ABC","life_cycle":"blank","key_version":1,"sequence_counter":7,"max_command":261,"max_response":258}}"#,
        );
    }

    #[test]
    fn orders_have_their_golden_json() {
        golden(&IntakeOrder { order: order() }, &format!(r#"{{"order":{ORDER}}}"#));
        let personalization = PersonalizationOrder {
            order: order(),
            read_back: ReadBack { can: "000017".to_owned(), challenge: [1, 2, 3, 4, 5, 6, 7, 0xff] },
            slip: "AAAAA00001".to_owned(),
            voucher: None,
            lease: None,
        };
        let json = format!(
            r#"{{"order":{ORDER},"read_back":{{"can":"000017","challenge":"01020304050607ff"}},"slip":"AAAAA00001"}}"#
        );
        golden(&personalization, &json);
        let with_voucher = PersonalizationOrder { voucher: Some("AAEC".to_owned()), ..personalization.clone() };
        golden(&with_voucher, &json.replace("\"AAAAA00001\"}", "\"AAAAA00001\",\"voucher\":\"AAEC\"}"));
        assert!(!format!("{personalization:?}").contains("000017"));
        let lease = Lease {
            batch: "0191".to_owned(),
            item: "0192".to_owned(),
            fence: 3,
            until: "2026-11-26T08:00:00Z".to_owned(),
        };
        let leased = PersonalizationOrder { lease: Some(lease), ..personalization };
        let said = r#""AAAAA00001","lease":{"batch":"0191","item":"0192","fence":3,"until":"2026-11-26T08:00:00Z"}}"#;
        golden(&leased, &json.replace("\"AAAAA00001\"}", said));
    }

    #[test]
    fn batches_have_their_golden_json_and_path() {
        let progress = BatchProgress {
            id: "0191".to_owned(),
            state: "running".to_owned(),
            priority: 5,
            waiting: 3,
            leased: 2,
            done: 1,
            left: 0,
            spoiled: 1,
            per_minute: 1.5,
            seconds_left: Some(200),
        };
        let json = r#"{"id":"0191","state":"running","priority":5,"waiting":3,"leased":2,"done":1,"left":0,"spoiled":1,"per_minute":1.5,"seconds_left":200}"#;
        golden(&progress, json);
        golden(&OpenBatches { batches: vec![progress] }, &format!(r#"{{"batches":[{json}]}}"#));
        assert_eq!(path::batch("0191"), "/api/v1/station/batches/0191");
    }

    #[test]
    fn receipts_have_their_golden_json() {
        golden(&IntakeReceipt { receipt: receipt() }, &format!(r#"{{"receipt":{RECEIPT}}}"#));
        let bare = PersonalizationReceipt { receipt: receipt(), active_authentication: None };
        golden(&bare, &format!(r#"{{"receipt":{RECEIPT}}}"#));
        let null = format!(r#"{{"receipt":{RECEIPT},"active_authentication":null}}"#);
        assert_eq!(serde_json::from_str::<PersonalizationReceipt>(&null).unwrap(), bare);
        let proof = ActiveAuthentication { challenge: vec![1; 8], signature: vec![0xab, 0xcd] };
        let proved = PersonalizationReceipt { receipt: receipt(), active_authentication: Some(proof) };
        let json = format!(
            r#"{{"receipt":{RECEIPT},"active_authentication":{{"challenge":"0101010101010101","signature":"abcd"}}}}"#
        );
        golden(&proved, &json);
    }

    #[test]
    fn outcomes_have_their_golden_json() {
        golden(&Outcome::Initialised, r#"{"outcome":"initialised","card_id":null,"next":null}"#);
        golden(
            &Outcome::Personalized { card_id: "0192".to_owned() },
            r#"{"outcome":"personalized","card_id":"0192","next":null}"#,
        );
        golden(
            &Outcome::Incomplete { next: Next::Present },
            r#"{"outcome":"incomplete","card_id":null,"next":"present"}"#,
        );
        golden(
            &Outcome::Incomplete { next: Next::ActiveAuthentication },
            r#"{"outcome":"incomplete","card_id":null,"next":"active-authentication"}"#,
        );
    }

    #[test]
    fn an_outcome_may_leave_out_what_it_does_not_have() {
        let read = |json: &str| serde_json::from_str::<Outcome>(json).ok();
        assert_eq!(read(r#"{"outcome":"initialised"}"#), Some(Outcome::Initialised));
        assert_eq!(read(r#"{"outcome":"incomplete"}"#), Some(Outcome::Incomplete { next: Next::Present }));
        assert_eq!(read(r#"{"outcome":"personalized"}"#), None, "a card has an id");
        assert_eq!(read(r#"{"outcome":"lost"}"#), None, "the words are closed");
        assert_eq!(read(r#"{"outcome":"initialised","more":1}"#), Some(Outcome::Initialised));
    }

    #[test]
    fn the_highest_version_that_both_speak_is_spoken() {
        use version::{Apart, agreed, heard};
        assert_eq!(version::said(), "2, 1");
        for (said, spoken) in [
            (None, Ok(1)),
            (Some("2, 1"), Ok(2)),
            (Some("3,2"), Ok(2)),
            (Some(" 1 "), Ok(1)),
            (Some("4, 3"), Err(Apart::TooNew)),
            (Some("65535"), Err(Apart::TooNew)),
        ] {
            let theirs = heard(said.map(str::as_bytes)).unwrap();
            assert_eq!(agreed(&theirs), spoken, "{said:?}");
        }
        // No version is older than the first that this program speaks, today; an empty list stands for one.
        assert_eq!(agreed(&[]), Err(Apart::TooOld));
    }

    #[test]
    fn what_is_no_list_of_versions_is_no_version() {
        let many = ["1"; 17].join(",");
        for said in ["", "0", "-1", "two", "2,", "2 1", "2;1", "65536", "\u{ff12}", &many] {
            assert_eq!(version::heard(Some(said.as_bytes())), Err(version::VersionsMalformed), "{said}");
        }
        assert_eq!(version::heard(Some(&[0xff])), Err(version::VersionsMalformed));
    }

    #[test]
    fn an_account_has_its_golden_json_and_path() {
        let spoiled = Spoiled { reason: "bent".to_owned(), evidence: "seen".to_owned() };
        golden(&spoiled, r#"{"reason":"bent","evidence":"seen"}"#);
        assert!(serde_json::from_str::<Spoiled>(r#"{"reason":"bent","evidence":"seen","more":1}"#).is_err());
        assert_eq!(path::spoiled(&serial()), "/api/v1/station/chips/00000000000000000ABC/spoiled");
    }
}
