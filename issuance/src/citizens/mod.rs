//! Citizens in their own matters, with the card (ADR 0052): the service is the terminal, and an agent at the reader
//! carries what it cannot read. A card that proved itself opens a session that lasts while it answers.
//!
//! Log-ins and sessions are in memory only: a channel to a chip cannot be kept elsewhere. A service of several
//! processes needs requests of one agent to reach the same one.

mod api;
mod codes;
mod log_in;
mod objections;
mod objections_api;
mod own;
mod pages;
mod problem;
mod sessions;
mod steps;
mod store;

use std::sync::Arc;

pub use api::routes;
use crypto::log_in::Refusal;
use crypto::pki::CrlError;
pub use objections::is_objection_overdue;
pub(crate) use pages::{pages, waiting_objections};
use serde::{Deserialize, Serialize};
pub use store::objections::OBJECTION;
pub use store::{CITIZEN_CODE, MIGRATIONS};
use thiserror::Error;
use time::Duration;

use self::sessions::Sessions;
use crate::access::{Access, AccessError, CitizenSessions};
use crate::cards::{self, CardError};
use crate::deed::DeedError;
use crate::keys::{CrlFileError, CurrentCrl, Signers};
use crate::store::StoreError;

/// So many characters a citizen says, and is answered.
const MOST_OF_WORDS: usize = 2000;

/// Settings of the log-in with the card.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A card must have proved itself so long after its log-in began.
    #[serde(with = "crate::ground::span")]
    pub log_in_within: Duration,
    /// A session ends so long after the card answered last …
    #[serde(with = "crate::ground::span")]
    pub answer_within: Duration,
    /// … and in any case so long after the log-in.
    #[serde(with = "crate::ground::span")]
    pub session: Duration,
    /// So many log-ins are under way at once …
    pub at_once: usize,
    /// … from one place …
    pub at_once_of_place: usize,
    /// … and with one card: beyond that, the oldest one is given up.
    pub at_once_of_card: usize,
    /// So many log-ins begin from one place in a minute.
    pub begun_in_a_minute: u32,
    /// So many sessions are open at once.
    pub sessions: usize,
    /// An objection is answered within this time; health complains from then on.
    #[serde(with = "crate::ground::span")]
    pub objection_answered_within: Duration,
    /// So many objections of a citizen may wait for their answer; the next one is refused until then.
    pub objections_open: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            log_in_within: Duration::seconds(30),
            answer_within: Duration::seconds(45),
            session: Duration::minutes(15),
            at_once: 256,
            at_once_of_place: 8,
            at_once_of_card: 3,
            begun_in_a_minute: 30,
            sessions: 10_000,
            objection_answered_within: Duration::hours(72),
            objections_open: 5,
        }
    }
}

/// What this office has. Clones share the sessions.
#[derive(Clone, Debug)]
pub struct Citizens {
    access: Access,
    cards: cards::Settings,
    signer: Signers,
    crl: CurrentCrl,
    settings: Settings,
    sessions: Arc<Sessions>,
}

impl Citizens {
    /// The office with these settings; no card is logged in.
    #[must_use]
    pub fn new(settings: Settings, access: Access, cards: cards::Settings, signer: Signers, crl: CurrentCrl) -> Self {
        Self { access, cards, signer, crl, settings, sessions: Arc::new(Sessions::new(settings)) }
    }

    /// Returns the settings.
    const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the sessions, for the gate.
    #[must_use]
    pub fn sessions(&self) -> Arc<dyn CitizenSessions> {
        Arc::clone(&self.sessions) as Arc<dyn CitizenSessions>
    }
}

/// Why a card opens nothing, or opens no more.
#[derive(Debug, Error)]
pub enum CitizenError {
    /// Too many wait for a turn.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Too many log-ins.
    #[error("too many log-ins are under way")]
    Busy {
        /// Come again after so many seconds.
        wait: u64,
    },
    /// What is done with the card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// None is looked at for now.
    #[error("too many wrong codes")]
    CodeLocked {
        /// Come again after so many seconds; none: a new one is set at the counter.
        wait: Option<u64>,
    },
    /// The card alone does not open this.
    #[error("the code is needed too")]
    CodeNeeded,
    /// Not 6 to 12 digits, a row of them, or what stands on the card.
    #[error("a code has 6 to 12 digits, is no row, and does not stand on the card")]
    CodeUnfit,
    /// The card has no code.
    #[error("no code was set for this card")]
    CodeUnset,
    /// Another code than the one that was set.
    #[error("the code is another one")]
    CodeWrong,
    /// The State's list of revoked certificates.
    #[error(transparent)]
    Crl(#[from] CrlFileError),
    /// The same, where it is none of the State's.
    #[error(transparent)]
    CrlUnfit(#[from] CrlError),
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// A look of which the citizen was not told.
    #[error("no such look was told")]
    LookUnknown,
    /// The card is not known, not handed over, suspended, revoked or expired, or its holder is dead. Which of them is
    /// told at a counter.
    #[error("the card is not in force")]
    NotInForce,
    /// The objection was answered.
    #[error("the objection was answered before")]
    ObjectionAnswered,
    /// No such objection, or one that others answer.
    #[error("no such objection waits for this officer")]
    ObjectionUnknown,
    /// Too many objections of the citizen wait.
    #[error("objections of the citizen wait for their answer")]
    ObjectionsOpen,
    /// The card.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No session.
    #[error("no card is logged in with this session")]
    SessionNeeded,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such log-in, or another connection's.
    #[error("no such log-in is under way with this ticket")]
    Unknown,
}
