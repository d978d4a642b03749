//! What the service needs to know an order of personalization again after it lost its database. The station keeps it,
//! sealed under the key-encryption key: it can withhold it, and neither read nor make one.
//!
//! The commands of the order are not in it. The station has them anyway, and keeps them beside the voucher; other
//! commands than these give other MACs, and no receipt fits them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::identity::{CardSerial, PersonalNumber};
use crypto::perso::{LifeCycle, Order, Reason, Receipt, Record, Script};
use crypto::pki::spki;
use crypto::suite::{Hash, VerifyingKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::Date;

use super::model::ChipKeys;
use crate::ground::ids::{ApplicationId, DocumentId, OfficerId, OrderId, PersonId, StationId};
use crate::ground::{OfficeCode, Secrets};
use crate::keys::CardKeys;

/// An order, and the card that it makes.
#[derive(Clone, Deserialize, Serialize)]
pub struct Voucher {
    pub(super) order: OrderId,
    pub(super) station: StationId,
    pub(super) serial: CardSerial,
    pub(super) keys: ChipKeys,
    pub(super) application: ApplicationId,
    pub(super) person: PersonId,
    number: String,
    /// The officer who gave the number.
    pub(super) numbered_by: Option<OfficerId>,
    pub(super) office: OfficeCode,
    pub(super) document: DocumentId,
    #[serde(with = "hex::serde")]
    pub(super) sod_sha256: [u8; 32],
    /// Of all files, as the chip reports it.
    #[serde(with = "hex::serde")]
    digest: [u8; 32],
    issued: i32,
    expires: Option<i32>,
    #[serde(with = "hex::serde")]
    challenge: [u8; 8],
    /// [`Record`] without its commands.
    script: serde_json::Value,
}

/// Shows nothing of the person.
impl std::fmt::Debug for Voucher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Voucher({}: chip {})", self.order, self.serial)
    }
}

/// What a voucher is made of, beside the order.
pub(super) struct Facts {
    pub station: StationId,
    pub keys: ChipKeys,
    pub application: ApplicationId,
    pub person: PersonId,
    pub number: PersonalNumber,
    pub numbered_by: Option<OfficerId>,
    pub office: OfficeCode,
    pub document: DocumentId,
    pub sod_sha256: [u8; 32],
    pub digest: [u8; 32],
    pub issued: Date,
    pub expires: Option<Date>,
    pub challenge: [u8; 8],
}

/// A voucher as the station keeps it.
#[derive(Clone, Debug, Deserialize)]
pub struct KeptVoucher {
    /// The order, with its commands.
    pub order: Order,
    /// Sealed, in base64.
    pub voucher: String,
}

/// What a station says that became of an order.
#[derive(Clone, Debug, Default)]
pub struct Testimony {
    /// The chip of the journal's entry.
    pub serial: Option<CardSerial>,
    /// The chip's answers.
    pub receipt: Option<Receipt>,
    /// Challenge and signature of active authentication.
    pub proof: Option<(Vec<u8>, Vec<u8>)>,
}

/// Why what a station shows proves nothing: it is not what this service and this chip wrote.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Lie {
    /// The seal of the voucher.
    #[error("the voucher is not this installation's, was made for another order, or was changed or cut")]
    NotOurs,
    /// The journal tells of the order under another chip.
    #[error("the journal tells of this order under chip {0}, and it was given for another one")]
    OtherChip(CardSerial),
    /// The chip's answers.
    #[error("the receipt is forged: {0}")]
    Receipt(String),
    /// What the chip reports.
    #[error("the chip reports other files or keys than the order was for")]
    Report,
    /// The signature.
    #[error("the signature over the challenge is not the chip's")]
    Signature,
}

impl Voucher {
    /// Returns the voucher of an order, sealed, in base64.
    pub(super) fn sealed(secrets: &Secrets, order: OrderId, script: &Record, facts: Facts) -> String {
        let mut bare = serde_json::to_value(script).expect("a record becomes JSON");
        bare.as_object_mut().expect("a record is an object").remove(COMMANDS);
        let voucher = Self {
            order,
            station: facts.station,
            serial: script.serial(),
            keys: facts.keys,
            application: facts.application,
            person: facts.person,
            number: facts.number.to_string(),
            numbered_by: facts.numbered_by,
            office: facts.office,
            document: facts.document,
            sod_sha256: facts.sod_sha256,
            digest: facts.digest,
            issued: facts.issued.to_julian_day(),
            expires: facts.expires.map(Date::to_julian_day),
            challenge: facts.challenge,
            script: bare,
        };
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&voucher).expect("a voucher becomes JSON"));
        STANDARD.encode(secrets.seal(&purpose(&order.to_string()), &plain))
    }

    /// Opens a voucher that a station kept.
    ///
    /// # Errors
    /// [`Lie::NotOurs`]
    pub fn open(secrets: &Secrets, kept: &KeptVoucher) -> Result<Self, Lie> {
        let sealed = STANDARD.decode(&kept.voucher).map_err(|_| Lie::NotOurs)?;
        let plain = secrets.open(&purpose(&kept.order.id), &sealed).map_err(|_| Lie::NotOurs)?;
        serde_json::from_slice(&plain).map_err(|_| Lie::NotOurs)
    }

    /// Returns the chip.
    #[must_use]
    pub fn serial(&self) -> CardSerial {
        self.serial
    }

    /// Returns the application.
    #[must_use]
    pub fn application(&self) -> ApplicationId {
        self.application
    }

    /// Returns the order.
    #[must_use]
    pub fn order(&self) -> OrderId {
        self.order
    }

    /// Returns the fingerprint of the document.
    #[must_use]
    pub fn document(&self) -> [u8; 32] {
        self.sod_sha256
    }

    /// Returns the holder's number; none if it is no number, which no voucher of ours has.
    pub(super) fn number(&self) -> Option<PersonalNumber> {
        self.number.parse().ok()
    }

    /// Returns the days of issue and expiry.
    pub(super) fn days(&self) -> Option<(Date, Option<Date>)> {
        let issued = Date::from_julian_day(self.issued).ok()?;
        Some((issued, self.expires.map(Date::from_julian_day).transpose().ok()?))
    }

    /// Judges what the station says that became of the order. True if the chip itself proves that it is the card: all
    /// answers under its MAC, a report of these files and keys, and its signature over the order's challenge. False if
    /// the testimony ends before that.
    ///
    /// # Errors
    /// [`Lie`]
    pub fn proved(
        &self,
        card_keys: &CardKeys,
        hash: Hash,
        kept: &KeptVoucher,
        testimony: &Testimony,
    ) -> Result<bool, Lie> {
        if let Some(serial) = testimony.serial.filter(|serial| *serial != self.serial) {
            return Err(Lie::OtherChip(serial));
        }
        let Some(receipt) = &testimony.receipt else { return Ok(false) };
        let mut script = self.script.clone();
        let whole = script.as_object_mut().zip(serde_json::to_value(&kept.order).ok());
        if let Some((script, mut order)) = whole {
            script.insert(COMMANDS.to_owned(), order[COMMANDS].take());
        }
        let record: Record = serde_json::from_value(script).map_err(|_| Lie::NotOurs)?;
        let keys = card_keys.issuer(&self.serial, record.key_version()).map_err(|_| Lie::NotOurs)?;
        let outcome = match Script::from_record(record).verify(&keys, receipt) {
            Ok(outcome) => outcome,
            Err(error) if matches!(error.reason, Reason::Incomplete | Reason::Refused(_)) => return Ok(false),
            Err(error) => return Err(Lie::Receipt(error.to_string())),
        };
        let Some(report) = outcome.report.filter(|report| report.life_cycle == LifeCycle::Personalized) else {
            return Ok(false);
        };
        let [active_auth, chip_auth] =
            [&self.keys.active_auth, &self.keys.chip_auth].map(|key| match spki::parse(key) {
                Ok(VerifyingKey::Ec(key)) => Some(key),
                _ => None,
            });
        let [Some(active_auth), Some(chip_auth)] = [active_auth, chip_auth] else { return Err(Lie::NotOurs) };
        let same = report.active_auth == Some(active_auth.clone()) && report.chip_auth == Some(chip_auth);
        if report.digest != self.digest || !same {
            return Err(Lie::Report);
        }
        let Some((challenge, signature)) = &testimony.proof else { return Ok(false) };
        let right = VerifyingKey::Ec(active_auth).verify_plain(hash, &self.challenge, signature);
        if challenge[..] == self.challenge && right.is_ok() { Ok(true) } else { Err(Lie::Signature) }
    }
}

fn purpose(order: &str) -> String {
    format!("voucher/{order}")
}

/// The member of a record, and of an order, that holds the commands.
const COMMANDS: &str = "commands";
