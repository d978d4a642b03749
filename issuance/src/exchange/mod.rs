//! Exchange with other authorities: what they may ask under agreements, what they are told, and the log that the
//! citizen sees.
//!
//! A partner names purpose, case and officer with each question; without them there is no answer. The answer is built
//! from the field mask of the agreement, signed, and kept for as long as the agreement says. A question, its answer,
//! the record about each person it tells of, and what it takes of the quota are one transaction.

mod adapters;
mod agreements;
mod agreements_api;
mod answer;
mod api;
mod ask;
mod confirmations;
mod emergencies;
mod emergencies_api;
mod feed;
mod incoming;
mod limits;
mod lists;
mod looks;
mod looks_api;
mod model;
mod notifications;
mod oauth;
mod pages;
mod problem;
mod signing;
mod statistics;
mod store;
mod subject;
mod told;
mod turns;

use std::sync::Arc;

pub use adapters::NpdbSettings;
pub(crate) use adapters::{carried, in_their_words, routes as adapters};
pub use agreements::in_force_until;
pub use api::routes;
pub(crate) use api::signed;
pub use ask::{Answered, Asked, ask, erase_answers, erase_misses};
pub use emergencies::{Emergencies, emergencies, emergency_of};
pub use feed::{erase_notices, place_changes};
pub use looks::{Alert, alerts, trail_of};
pub(crate) use looks::{AskedBy, Looks, ObjectedLook, objected_look, own_look, own_looks};
pub(crate) use looks_api::LooksView;
pub use model::{Dimension, Field, Grant, PurposeCode, Service};
pub use notifications::{Delivered, deliver_notifications, notifications_given_up};
pub use oauth::{TokenSigner, is_issuer};
pub(crate) use pages::{LookInWords, look_in_words, pages, waiting_agreements, waiting_emergencies};
use serde::{Deserialize, Serialize};
pub use signing::{AnswerKeys, AnswerSigner, AnswerSignerError};
pub use statistics::count_statistics;
pub use store::MIGRATIONS;
pub use store::agreements::{AGREEMENT, EXCHANGE_PURPOSE};
pub use store::delays::{EXCHANGE_CANARY, EXCHANGE_DELAY};
pub use store::emergencies::EMERGENCY_LOOK;
pub use store::notifications::PARTNER_ADDRESS;
pub use store::reports::EXCHANGE_REPORT;
pub use subject::Subject;
use thiserror::Error;
use time::Duration;

use self::confirmations::Confirmations;
use self::limits::Quota;
use self::turns::Turns;
use crate::access::AccessError;
use crate::deed::DeedError;
use crate::ground::OtherOffice;
use crate::numbering::Numbers;
use crate::population::{PopulationError, Register};
use crate::store::StoreError;

/// Settings of the exchange.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// So many questions of one officer of a partner may miss (no such number, or particulars that do not belong
    /// together) within an hour; the next ones are refused until the hour is over.
    pub misses_of_officer: u32,
    /// As `misses_of_officer`, of one partner about one person.
    pub misses_about_person: u32,
    /// The clock of a partner may be ahead or behind by this much, where its question says the time.
    #[serde(with = "crate::ground::span")]
    pub clocks_differ: Duration,
    /// Names that are no officer's, whatever the partner calls its programmes.
    pub no_officers: Vec<String>,
    /// What changed of persons whom a partner follows is kept for it so long: one that did not read for longer reads
    /// the persons anew.
    #[serde(with = "crate::ground::span")]
    pub changes_kept: Duration,
    /// An officer who broke the glass may read the person for so long.
    #[serde(with = "crate::ground::span")]
    pub emergency_lasts: Duration,
    /// So many looks of one officer in emergencies may wait for their review; the next one is refused until then.
    pub emergencies_unreviewed: u32,
    /// A look in an emergency is reviewed within this time; health complains from then on.
    #[serde(with = "crate::ground::span")]
    pub emergency_reviewed_within: Duration,
    /// Who gives access tokens, as tokens and their metadata name it: `https://` and the name of this service.
    pub issuer: String,
    /// An access token counts for so long.
    #[serde(with = "crate::ground::span")]
    pub token_life: Duration,
    /// True for a service with invented people, where partners try what they build: every answer says so.
    pub sandbox: bool,
    /// Statistics: a count below this number is not told. An agreement may name a higher one.
    pub small_cell: u32,
    /// Statistics: the standard deviation of the error that each count is given, in persons.
    pub noise: u32,
    /// Messages of the national population database.
    pub npdb: NpdbSettings,
}

impl Default for Settings {
    fn default() -> Self {
        let no_officers = ["0", "admin", "anonymous", "api", "null", "robot", "root", "service", "system", "test"];
        Self {
            misses_of_officer: 30,
            misses_about_person: 10,
            clocks_differ: Duration::minutes(5),
            no_officers: no_officers.map(str::to_owned).to_vec(),
            changes_kept: Duration::days(90),
            emergency_lasts: Duration::hours(1),
            emergencies_unreviewed: 3,
            emergency_reviewed_within: Duration::days(3),
            issuer: "https://issuance.invalid:8443".to_owned(),
            token_life: Duration::minutes(10),
            sandbox: false,
            small_cell: 10,
            noise: 10,
            npdb: NpdbSettings::default(),
        }
    }
}

/// What this office has.
#[derive(Clone, Debug)]
pub struct Exchange {
    settings: Arc<Settings>,
    register: Register,
    signer: AnswerSigner,
    tokens: TokenSigner,
    numbers: Numbers,
    quota: Quota,
    turns: Turns,
    confirmations: Confirmations,
}

impl Exchange {
    /// The office with these settings.
    #[must_use]
    pub fn new(
        settings: Settings,
        register: Register,
        signer: AnswerSigner,
        tokens: TokenSigner,
        numbers: Numbers,
    ) -> Self {
        Self {
            settings: Arc::new(settings),
            register,
            signer,
            tokens,
            numbers,
            quota: Quota::default(),
            turns: Turns::default(),
            confirmations: Confirmations::default(),
        }
    }

    /// Signs a copy of what a citizen was told, a JSON object with members, by the key of answers.
    ///
    /// # Errors
    /// [`AnswerSignerError::Signature`]
    pub(crate) fn sign_copy(&self, copy: Vec<u8>) -> Result<Answered, AnswerSignerError> {
        let (body, signature) = self.signer.sign(copy)?;
        Ok(Answered { body, signature })
    }

    /// True where the people are invented, and partners try what they build.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        self.settings.sandbox
    }

    /// So long what changed is kept for partners who follow.
    #[must_use]
    pub fn changes_kept(&self) -> Duration {
        self.settings.changes_kept
    }
}

/// Why the exchange does not do what was asked.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// Partner or officer.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// An address, or the certificates of its server, that cannot be.
    #[error("{0}")]
    AddressUnfit(&'static str),
    /// No such address of a partner's system.
    #[error("no such address of a partner's system")]
    AddressUnknown,
    /// No such agreement.
    #[error("agreement unknown")]
    AgreementUnknown,
    /// A cursor that a feed does not have.
    #[error("the feed has no such cursor any more: read the list of follows, and go on at its cursor")]
    CursorGone,
    /// A moment that no delay can have.
    #[error("looks are told later until a moment that lies ahead, at most two years")]
    DelayUnfit,
    /// No such delay, or no such note.
    #[error("nothing of the kind waits")]
    DelayUnknown,
    /// The deed.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// An officer or a partner missed too often.
    #[error("too many questions about what is not so: {0}")]
    Guessing(&'static str),
    /// The officer's looks in emergencies wait for their review.
    #[error("looks of this officer in emergencies wait for their review")]
    EmergenciesUnreviewed,
    /// A look in an emergency whose time is over, or another officer's.
    #[error("the time of the look is over, or another officer opened it")]
    EmergencyOver,
    /// No such look in an emergency.
    #[error("no such look in an emergency")]
    EmergencyUnknown,
    /// No such list of the partner.
    #[error("list unknown")]
    ListUnknown,
    /// The number of an agreement or the code of a purpose is taken.
    #[error("the number or the code is taken")]
    NameTaken,
    /// No agreement allows it.
    #[error("no agreement in force allows it: {0}")]
    NotAgreed(String),
    /// An answer does not become JSON: a fault of this program.
    #[error("an answer does not become JSON")]
    NotJson(#[from] serde_json::Error),
    /// Another office.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The person.
    #[error(transparent)]
    Person(#[from] PopulationError),
    /// A second signature is that of a data protection officer.
    #[error("a data protection officer confirms it")]
    ProtectorNeeded,
    /// Agreements have the purpose.
    #[error("agreements have the purpose: {0}; end them first")]
    PurposeInUse(String),
    /// Not the code of a purpose.
    #[error("the code of a purpose has 2 to 40 lower-case letters, digits and hyphens")]
    PurposeUnfit,
    /// No such purpose.
    #[error("purpose unknown")]
    PurposeUnknown,
    /// The day's quota is spent.
    #[error("the day's quota is spent")]
    QuotaSpent {
        /// Seconds until the next day begins.
        wait: u64,
    },
    /// The identifier of a request came before.
    #[error("the identifier of the request came before")]
    Repeated,
    /// The identifier of a request came before with another content.
    #[error("the identifier of the request came before, with another content")]
    RequestReused,
    /// No such report of the partner, or none that is held.
    #[error("no such report is known, or it waits no more")]
    ReportUnknown,
    /// What is asked means nothing.
    #[error("{0}")]
    RequestUnfit(String),
    /// The signer of answers.
    #[error(transparent)]
    Signer(#[from] AnswerSignerError),
    /// It is signed, confirmed, ended or over already.
    #[error("it is signed, confirmed, ended or over already")]
    State,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Terms that mean nothing.
    #[error(transparent)]
    Unfit(#[from] model::AgreementUnfit),
}
