//! The messages between a station and the issuance service: JSON over HTTPS with client certificates.
//!
//! | path | request | answer |
//! | --- | --- | --- |
//! | [`path::INTAKE_ORDERS`] | [`Presented`] | [`IntakeOrder`] |
//! | [`path::INTAKE_RECEIPTS`] | [`IntakeReceipt`] | [`Outcome`] |
//! | [`path::PERSONALIZATION_ORDERS`] | [`PresentedFor`] | [`PersonalizationOrder`] |
//! | [`path::PERSONALIZATION_RECEIPTS`] | [`PersonalizationReceipt`] | [`Outcome`] |
//! | [`path::SPOILED`] | [`Spoiled`] | the chip as the ledger has it |
//! | [`path::CUSTODY`] | | [`Custody`] |
//!
//! An answer that is no success is a [`Problem`](super::problem::Problem). Requests refuse unknown members, answers
//! ignore them, so that a service may be newer than its stations.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Order, Presentation, Receipt};
use crate::identity::CardSerial;

/// The paths of the station's interface. All of them but [`CUSTODY`](path::CUSTODY) are POST and need an
/// `Idempotency-Key`.
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

    /// Returns [`SPOILED`] for this chip.
    pub fn spoiled(serial: &CardSerial) -> String {
        SPOILED.replace("{serial}", &serial.to_string())
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
        };
        let json = format!(
            r#"{{"order":{ORDER},"read_back":{{"can":"000017","challenge":"01020304050607ff"}},"slip":"AAAAA00001"}}"#
        );
        golden(&personalization, &json);
        let with_voucher = PersonalizationOrder { voucher: Some("AAEC".to_owned()), ..personalization.clone() };
        golden(&with_voucher, &json.replace("\"AAAAA00001\"}", "\"AAAAA00001\",\"voucher\":\"AAEC\"}"));
        assert!(!format!("{personalization:?}").contains("000017"));
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
    fn an_account_has_its_golden_json_and_path() {
        let spoiled = Spoiled { reason: "bent".to_owned(), evidence: "seen".to_owned() };
        golden(&spoiled, r#"{"reason":"bent","evidence":"seen"}"#);
        assert!(serde_json::from_str::<Spoiled>(r#"{"reason":"bent","evidence":"seen","more":1}"#).is_err());
        assert_eq!(path::spoiled(&serial()), "/api/v1/station/chips/00000000000000000ABC/spoiled");
    }
}
