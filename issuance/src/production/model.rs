//! The stock ledger: what a chip is from the day it arrives, so that every blank is accounted for; pure.

use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::ledger::{LedgerAccount, Place};
use crate::ground::OfficeCode;
use crate::ground::ids::{ApplicationId, BoxId, CardId, DeliveryId, DestructionId, PostingId, StationId};

/// One chip in the ledger.
#[derive(Clone, Debug)]
pub struct Chip {
    /// Its serial, as the manufacturer announced it.
    pub serial: CardSerial,
    /// The delivery that it came with.
    pub delivery: DeliveryId,
    /// Under which transport master key it came.
    pub transport_key_id: String,
    /// The office that has it.
    pub office: OfficeCode,
    /// The station that holds it; none: in the store room.
    pub custody: Option<StationId>,
    /// The box in which it is on its way to another office.
    pub boxed: Option<BoxId>,
    /// What it is.
    pub state: ChipState,
    /// Its last posting; none for a chip of before the ledger.
    pub posting: Option<PostingId>,
    /// The account that it is on by that posting.
    pub(super) booked: LedgerAccount,
}

impl Chip {
    /// Returns the account on which the chip belongs as it is now.
    #[must_use]
    pub fn account(&self) -> LedgerAccount {
        use ChipStateName as S;
        let state = self.state.which();
        let (place, holder) = match (state, self.boxed, self.custody) {
            (S::Spoiled, ..) => (Place::Spoiled, None),
            (S::Destroyed, ..) => (Place::Destroyed, None),
            (S::Lost, ..) => (Place::Lost, None),
            (_, Some(boxed), _) => (Place::Courier, Some(boxed.uuid())),
            (S::Personalized, None, _) => (Place::Card, None),
            (_, None, Some(station)) => (Place::Station, Some(station.uuid())),
            (_, None, None) if self.office == OfficeCode::national() => (Place::StoreRoom, None),
            (_, None, None) => (Place::Office, None),
        };
        LedgerAccount::at(place, &self.office, holder, state)
    }
}

/// What a chip is. A state carries what is known by then.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum ChipState {
    /// Announced by the manufacturer; transport keys.
    Delivered,
    /// Issuer keys, and key pairs of its own.
    Initialised {
        /// The public halves.
        keys: ChipKeys,
    },
    /// Belongs to one application, and to no other ever after.
    Bound {
        /// The public halves.
        keys: ChipKeys,
        /// That application.
        application: ApplicationId,
    },
    /// It proved that it carries the card.
    Personalized {
        /// The public halves.
        keys: ChipKeys,
        /// The application.
        application: ApplicationId,
        /// The card.
        card: CardId,
    },
    /// Will never be a card (again).
    Spoiled {
        /// The account that was given of it.
        account: Account,
        /// The application that it was bound to, if any.
        application: Option<ApplicationId>,
    },
    /// It was spoiled, and is no more.
    Destroyed {
        /// The account that was given of it when it was spoiled.
        account: Account,
        /// The application that it was bound to, if any.
        application: Option<ApplicationId>,
        /// With which others, and before which witnesses.
        destruction: DestructionId,
    },
    /// It is not where it should be, and will never be a card (again).
    Lost {
        /// The report.
        account: Account,
        /// The application that it was bound to, if any.
        application: Option<ApplicationId>,
    },
}

/// The name of a state, without what is known in it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChipStateName {
    /// Announced by the manufacturer; transport keys.
    Delivered,
    /// Issuer keys, and key pairs of its own.
    Initialised,
    /// Belongs to one application.
    Bound,
    /// It proved that it carries the card.
    Personalized,
    /// Will never be a card (again).
    Spoiled,
    /// It was spoiled, and is no more.
    Destroyed,
    /// It is not where it should be.
    Lost,
}

impl ChipStateName {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Delivered,
        Self::Initialised,
        Self::Bound,
        Self::Personalized,
        Self::Spoiled,
        Self::Destroyed,
        Self::Lost,
    ];

    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Initialised => "initialised",
            Self::Bound => "bound",
            Self::Personalized => "personalized",
            Self::Spoiled => "spoiled",
            Self::Destroyed => "destroyed",
            Self::Lost => "lost",
        }
    }
}

/// What a chip said about its own keys, under its own MAC.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChipKeys {
    /// Version of the issuer key set on the chip.
    pub key_version: u8,
    /// Public key of active authentication (DG15): SubjectPublicKeyInfo.
    #[serde(with = "hex::serde")]
    pub active_auth: Vec<u8>,
    /// Public key of chip authentication (DG14): SubjectPublicKeyInfo.
    #[serde(with = "hex::serde")]
    pub chip_auth: Vec<u8>,
}

impl ChipKeys {
    /// Returns the SHA-256 of each public key, and what it is used for: how the ledger knows a key again.
    pub(super) fn fingerprints(&self) -> [([u8; 32], &'static str); 2] {
        let uses = [(&self.active_auth, "active-authentication"), (&self.chip_auth, "chip-authentication")];
        uses.map(|(spki, key_use)| (Sha256::digest(spki).into(), key_use))
    }
}

/// The account of a chip that became no card.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Account {
    /// What happened.
    pub reason: String,
    /// What shows it (a station's journal entry, a witness, a protocol of destruction).
    pub evidence: String,
    /// The caller who gave the account (`station/…`, `officer/…`).
    pub by: String,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl ChipState {
    /// The state's name, as stored and answered.
    pub fn name(&self) -> &'static str {
        self.which().word()
    }

    /// Which state it is.
    #[must_use]
    pub const fn which(&self) -> ChipStateName {
        match self {
            Self::Delivered => ChipStateName::Delivered,
            Self::Initialised { .. } => ChipStateName::Initialised,
            Self::Bound { .. } => ChipStateName::Bound,
            Self::Personalized { .. } => ChipStateName::Personalized,
            Self::Spoiled { .. } => ChipStateName::Spoiled,
            Self::Destroyed { .. } => ChipStateName::Destroyed,
            Self::Lost { .. } => ChipStateName::Lost,
        }
    }

    /// The chip's public keys, from its initialisation on until it is spoiled.
    pub fn keys(&self) -> Option<&ChipKeys> {
        match self {
            Self::Delivered | Self::Spoiled { .. } | Self::Destroyed { .. } | Self::Lost { .. } => None,
            Self::Initialised { keys } | Self::Bound { keys, .. } | Self::Personalized { keys, .. } => Some(keys),
        }
    }

    /// The application that the chip is or was bound to.
    pub fn application(&self) -> Option<ApplicationId> {
        match self {
            Self::Delivered | Self::Initialised { .. } => None,
            Self::Bound { application, .. } | Self::Personalized { application, .. } => Some(*application),
            Self::Spoiled { application, .. }
            | Self::Destroyed { application, .. }
            | Self::Lost { application, .. } => *application,
        }
    }

    /// `Delivered → Initialised`.
    ///
    /// # Errors
    /// [`ChipError`]
    pub fn initialise(self, keys: ChipKeys) -> Result<Self, ChipError> {
        match self {
            Self::Delivered => Ok(Self::Initialised { keys }),
            other => Err(other.refusal()),
        }
    }

    /// `Initialised → Bound`.
    ///
    /// # Errors
    /// [`ChipError`]
    pub fn bind(self, application: ApplicationId) -> Result<Self, ChipError> {
        match self {
            Self::Initialised { keys } => Ok(Self::Bound { keys, application }),
            other => Err(other.refusal()),
        }
    }

    /// `Bound → Personalized`.
    ///
    /// # Errors
    /// [`ChipError`]
    pub fn personalize(self, card: CardId) -> Result<Self, ChipError> {
        match self {
            Self::Bound { keys, application } => Ok(Self::Personalized { keys, application, card }),
            other => Err(other.refusal()),
        }
    }

    /// Any state but an end → `Spoiled`.
    ///
    /// # Errors
    /// [`ChipError::Spoiled`], [`ChipError::Destroyed`], [`ChipError::Lost`]
    pub fn spoil(self, account: Account) -> Result<Self, ChipError> {
        match self {
            Self::Spoiled { .. } | Self::Destroyed { .. } | Self::Lost { .. } => Err(self.refusal()),
            other => Ok(Self::Spoiled { application: other.application(), account }),
        }
    }

    /// `Lost → Spoiled`: where it was meanwhile is not known, so it never becomes a card.
    ///
    /// # Errors
    /// [`ChipError::NotLost`]
    pub fn find(self, account: Account) -> Result<Self, ChipError> {
        match self {
            Self::Lost { application, .. } => Ok(Self::Spoiled { account, application }),
            _ => Err(ChipError::NotLost),
        }
    }

    /// `Spoiled → Destroyed`.
    ///
    /// # Errors
    /// [`ChipError`]
    pub fn destroy(self, destruction: DestructionId) -> Result<Self, ChipError> {
        match self {
            Self::Spoiled { account, application } => Ok(Self::Destroyed { account, application, destruction }),
            Self::Destroyed { .. } | Self::Lost { .. } => Err(self.refusal()),
            _ => Err(ChipError::NotSpoiled),
        }
    }

    /// Any state but `Destroyed` and `Lost` → `Lost`.
    ///
    /// # Errors
    /// [`ChipError::Destroyed`], [`ChipError::Lost`]
    pub fn lose(self, account: Account) -> Result<Self, ChipError> {
        match self {
            Self::Destroyed { .. } | Self::Lost { .. } => Err(self.refusal()),
            other => Ok(Self::Lost { application: other.application(), account }),
        }
    }

    /// Why the chip, being what it is, becomes nothing else.
    pub(super) const fn refusal(&self) -> ChipError {
        match self {
            Self::Delivered => ChipError::NotInitialised,
            Self::Initialised { .. } => ChipError::Initialised,
            Self::Bound { .. } => ChipError::Bound,
            Self::Personalized { .. } => ChipError::Personalized,
            Self::Spoiled { .. } => ChipError::Spoiled,
            Self::Destroyed { .. } => ChipError::Destroyed,
            Self::Lost { .. } => ChipError::Lost,
        }
    }
}

/// Why a chip does not change its state.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ChipError {
    /// It belongs to an application.
    #[error("the chip is bound to an application")]
    Bound,
    /// It was destroyed.
    #[error("the chip was destroyed")]
    Destroyed,
    /// It was initialised before.
    #[error("the chip is initialised")]
    Initialised,
    /// It was reported lost.
    #[error("the chip was reported lost")]
    Lost,
    /// It has no keys of its own yet.
    #[error("the chip is not initialised")]
    NotInitialised,
    /// It was not reported lost.
    #[error("the chip was not reported lost")]
    NotLost,
    /// It was not written off.
    #[error("the chip is not spoiled")]
    NotSpoiled,
    /// It is a card.
    #[error("the chip is personalized")]
    Personalized,
    /// It was written off.
    #[error("the chip is spoiled")]
    Spoiled,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::ground::Id;

    fn id<T>(n: u128) -> Id<T> {
        Id::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn keys() -> ChipKeys {
        ChipKeys { key_version: 1, active_auth: vec![1], chip_auth: vec![2] }
    }

    fn account() -> Account {
        let at = datetime!(2026-11-22 08:00 UTC);
        Account { reason: "torn".into(), evidence: "journal 7".into(), by: "station/s".into(), at }
    }

    #[test]
    fn a_blank_becomes_one_card() {
        let bound = ChipState::Delivered.initialise(keys()).unwrap().bind(id(1)).unwrap();
        assert_eq!(bound.clone().bind(id(2)), Err(ChipError::Bound));
        let card = bound.personalize(id(3)).unwrap();
        assert_eq!(card.clone().bind(id(2)), Err(ChipError::Personalized));
        assert_eq!(card.personalize(id(4)), Err(ChipError::Personalized));
    }

    #[test]
    fn a_blank_without_keys_takes_no_application() {
        assert_eq!(ChipState::Delivered.bind(id(1)), Err(ChipError::NotInitialised));
    }

    #[test]
    fn keys_are_made_once() {
        let initialised = ChipState::Delivered.initialise(keys()).unwrap();
        assert_eq!(initialised.initialise(keys()), Err(ChipError::Initialised));
    }

    #[test]
    fn every_state_can_be_accounted_for_and_stays_so() {
        let initialised = ChipState::Delivered.initialise(keys()).unwrap();
        let bound = initialised.clone().bind(id(1)).unwrap();
        let card = bound.clone().personalize(id(3)).unwrap();
        for (state, application) in
            [(ChipState::Delivered, None), (initialised, None), (bound, Some(id(1))), (card, Some(id(1)))]
        {
            let spoiled = state.spoil(account()).unwrap();
            assert_eq!(spoiled.application(), application);
            assert_eq!(spoiled.clone().spoil(account()), Err(ChipError::Spoiled));
            assert_eq!(spoiled.bind(id(2)), Err(ChipError::Spoiled));
        }
    }

    #[test]
    fn only_what_is_spoiled_is_destroyed_and_what_is_lost_can_only_be_found_to_be_spoiled() {
        let bound = ChipState::Delivered.initialise(keys()).unwrap().bind(id(1)).unwrap();
        assert_eq!(bound.clone().destroy(id(5)), Err(ChipError::NotSpoiled));
        let lost = bound.clone().lose(account()).unwrap();
        assert_eq!(lost.application(), Some(id(1)));
        assert_eq!(lost.clone().lose(account()), Err(ChipError::Lost));
        assert_eq!(lost.clone().destroy(id(5)), Err(ChipError::Lost));
        assert_eq!(lost.clone().bind(id(2)), Err(ChipError::Lost));
        assert_eq!(lost.clone().spoil(account()), Err(ChipError::Lost), "it is not there to be written off");
        assert_eq!(bound.find(account()), Err(ChipError::NotLost));
        let found = lost.find(account()).unwrap();
        assert_eq!(found.application(), Some(id(1)));
        let destroyed = found.destroy(id(5)).unwrap();
        assert_eq!(destroyed.application(), Some(id(1)));
        assert_eq!(destroyed.clone().spoil(account()), Err(ChipError::Destroyed));
        assert_eq!(destroyed.clone().lose(account()), Err(ChipError::Destroyed));
        assert_eq!(destroyed.bind(id(2)), Err(ChipError::Destroyed));
    }

    #[test]
    fn states_survive_the_store() {
        let bound = ChipState::Delivered.initialise(keys()).unwrap().bind(id(1)).unwrap();
        let text = serde_json::to_string(&bound).unwrap();
        assert_eq!(serde_json::from_str::<ChipState>(&text).unwrap(), bound);
    }
}
