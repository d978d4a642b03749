//! What an application is at each stage, and who may take it to the next; pure. Where each step leads stands in
//! the table of [`stages`].

use std::str::FromStr;

use crypto::identity::{CardSerial, validity};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::{Date, Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::cases::{self, Verdict};
use super::deadlines::Progress;
use super::stages::{self, Procedure, Rest, Step};
use crate::cards::model::{Card, Revocation, Status};
use crate::deed::UnknownWord;
use crate::ground::ids::{ApplicationId, CardId, OfficerId, PersonId};
use crate::ground::{Decision, OfficeCode, Role};

/// What is applied for: Law on Citizen Identification 59/2014/QH13, Art. 19 and 23.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "reason")]
pub enum Kind {
    /// The first card.
    First,
    /// Another card for one that the citizen has (đổi, Art. 23(1)).
    Change(ChangeReason),
    /// Another card for one that the citizen no longer has (cấp lại, Art. 23(2)).
    Reissue(ReissueReason),
}

/// Why a card is changed: Art. 23(1), letter by letter.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeReason {
    /// a) The holder reached 25, 40 or 60.
    AgeReached,
    /// b) The card is damaged and no longer usable.
    Damaged,
    /// c) Name or identifying features changed.
    NameOrFeaturesChanged,
    /// d) Sex or place of origin was determined anew.
    SexOrOriginRedetermined,
    /// đ) The card is wrong.
    ErrorOnCard,
    /// e) The citizen asks for it.
    OnRequest,
}

/// Why a card is issued again: Art. 23(2).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReissueReason {
    /// a) The card is lost.
    Lost,
    /// b) Nationality was regained.
    NationalityRegained,
}

impl Kind {
    /// From the two words of a request.
    ///
    /// # Errors
    /// [`ApplicationError::Reason`] if the reason is none of this kind.
    pub fn parse(kind: &str, reason: Option<&str>) -> Result<Self, ApplicationError> {
        let words = match reason {
            Some(reason) => serde_json::json!({ "kind": kind, "reason": reason }),
            None => serde_json::json!({ "kind": kind }),
        };
        serde_json::from_value(words).map_err(|_| ApplicationError::Reason)
    }

    /// The word for the kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Change(_) => "change",
            Self::Reissue(_) => "reissue",
        }
    }

    /// The kind without its reason.
    #[must_use]
    pub const fn which(self) -> KindName {
        match self {
            Self::First => KindName::First,
            Self::Change(_) => KindName::Change,
            Self::Reissue(_) => KindName::Reissue,
        }
    }
}

/// Why a card is changed or issued again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonName {
    /// Change: the holder reached 25, 40 or 60.
    AgeReached,
    /// Change: the card is damaged and no longer usable.
    Damaged,
    /// Change: name or identifying features changed.
    NameOrFeaturesChanged,
    /// Change: sex or place of origin was determined anew.
    SexOrOriginRedetermined,
    /// Change: the card is wrong.
    ErrorOnCard,
    /// Change: the citizen asks for it.
    OnRequest,
    /// Re-issue: the card is lost.
    Lost,
    /// Re-issue: nationality was regained.
    NationalityRegained,
}

/// A [`Kind`] as it is answered.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct KindAndReason {
    /// What is applied for.
    pub kind: KindName,
    /// Why; none for a first card.
    pub reason: Option<ReasonName>,
}

/// What is applied for, without its reason.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KindName {
    /// The first card.
    First,
    /// Another card for one that the citizen has.
    Change,
    /// Another card for one that the citizen no longer has.
    Reissue,
}

/// What the registry of cards knows of a person.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Held {
    /// A card was never in the person's hand.
    Never,
    /// A card is in the person's hand.
    Now {
        /// Its day of expiry; none: without limit.
        expires: Option<Date>,
    },
    /// The last one counts no more.
    Once,
}

impl Held {
    /// Returns what a person's cards say, those that never left the office aside.
    pub fn of(cards: &[Card]) -> Self {
        let in_hand = cards.iter().rev().find(|card| matches!(card.status, Status::Active { .. }));
        let once = |card: &Card| {
            let spoiled = Revocation::Spoiled;
            match card.status {
                Status::Suspended { .. } => true,
                Status::Revoked { reason, .. } => reason != spoiled,
                Status::Personalized | Status::Active { .. } => false,
            }
        };
        match in_hand {
            Some(card) => Self::Now { expires: card.expires },
            None if cards.iter().any(once) => Self::Once,
            None => Self::Never,
        }
    }
}

impl Kind {
    /// Judges an application by the cards that the person has and had. Returns what an officer must acknowledge: cards
    /// of before this register are not in it.
    ///
    /// # Errors
    /// [`ApplicationError::Contradicts`] if no officer can know better: the card is one of this register.
    pub fn judge(self, held: Held, today: Date) -> Result<Option<&'static str>, ApplicationError> {
        let case = cases::case(self);
        let verdict = match held {
            Held::Never => case.never,
            Held::Now { .. } => case.now,
            Held::Once => case.once,
        };
        match (verdict, held) {
            (Verdict::Contradicts(why), _) => Err(ApplicationError::Contradicts(why)),
            (Verdict::FitsExpired(why), Held::Now { expires }) if expires.is_none_or(|expires| today < expires) => {
                Err(ApplicationError::Contradicts(why))
            }
            (Verdict::Doubtful(why), _) => Ok(Some(why)),
            (Verdict::Fits | Verdict::FitsExpired(_), _) => Ok(None),
        }
    }
}

/// The approval on which a card is made, with those that stand before it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Approval {
    /// The officer who approved last.
    pub by: OfficerId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The first approval, of the application's own office, where the national office approves too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<Decision>,
    /// The check by the head of the team, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Decision>,
}

/// An approval that stands alone.
impl From<Decision> for Approval {
    fn from(Decision { by, at }: Decision) -> Self {
        Self { by, at, local: None, checked: None }
    }
}

/// What is missing or wrong in a dossier that goes back to the citizen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReturnReason {
    /// What the register holds is wrong or absent, and the citizen brings evidence (form DC02).
    DataDisagree,
    /// A paper that proves the kind of application is missing.
    EvidenceMissing,
    /// The features are wrong or not described.
    FeaturesUnfit,
    /// The old document is to be handed in.
    OldDocumentMissing,
    /// The portrait cannot stand on a card.
    PortraitUnfit,
}

/// A citizen's complaint about a refusal (Law on Complaints 02/2011/QH13, Art. 7 to 9).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Complaint {
    /// The day on which it was made.
    pub on: Date,
    /// In the citizen's words; empty once they are erased.
    pub words: String,
    /// The officer who took it, and the moment.
    pub taken: Decision,
}

/// The citizen's paper by which a complaint is taken back (Law on Complaints 02/2011/QH13, Art. 10).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Withdrawal {
    /// Which paper it is, with its day; empty once it is erased.
    pub paper: String,
    /// The officer who took it, and the moment.
    pub taken: Decision,
}

/// A complaint that the citizen took back, and that ended with it. The refusal stands as if there had been none, and
/// the citizen may complain anew while the term runs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Discontinued {
    /// The day on which the complaint was made.
    pub on: Date,
    /// The citizen's paper.
    pub withdrawal: Withdrawal,
    /// The officer of the national office who saw the paper, and the moment.
    pub decision: Decision,
}

/// A refusal that stands after a complaint: it is for good.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Upheld {
    /// The complaint.
    pub complaint: Complaint,
    /// The officer of the national office who decided about it, and the moment.
    pub decision: Decision,
    /// The reason, which the citizen is told.
    pub reason: String,
}

/// A refusal that was taken back after a complaint: the decision is taken anew.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Heard {
    /// The officer who refused, and the moment.
    pub refused: Decision,
    /// Why it was refused.
    pub refusal: String,
    /// The complaint.
    pub complaint: Complaint,
    /// The officer of the national office who decided about it, and the moment.
    pub decision: Decision,
    /// Why it was allowed, which the citizen is told.
    pub reason: String,
}

/// Where an application stands. A stage carries what is known by then.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "stage")]
pub enum Stage {
    /// Opened at a counter.
    Registered,
    /// Portrait and features taken.
    Captured {
        /// What was taken.
        capture: Capture,
    },
    /// The citizen is to bring what is missing.
    Returned {
        /// What was taken, if anything was.
        capture: Option<Capture>,
        /// The officer and the moment.
        returned: Decision,
        /// What is missing or wrong: one or more.
        reasons: Vec<ReturnReason>,
        /// The same in words for the citizen.
        says: String,
        /// The last day on which the citizen may bring it.
        until: Date,
    },
    /// The head of the team found it in order; waits for the approval.
    Checked {
        /// What was taken.
        capture: Capture,
        /// The officer and the moment.
        checked: Decision,
    },
    /// The office agreed; waits for the approval of the national office.
    LocallyApproved {
        /// What was taken.
        capture: Capture,
        /// The check by the head of the team, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checked: Option<Decision>,
        /// The officer who approved, and the moment.
        local: Decision,
    },
    /// All whose approval is needed agreed; waits for a chip.
    Approved {
        /// What was taken.
        capture: Capture,
        /// The officers and the moments.
        approval: Approval,
    },
    /// Approved, but taken out of the queue: it cannot become a card as it stands.
    Held {
        /// What was taken.
        capture: Capture,
        /// The approval.
        approval: Approval,
        /// Why, and who mends it.
        hold: Hold,
    },
    /// A second officer disagreed.
    Refused {
        /// What was taken.
        capture: Capture,
        /// The officer and the moment.
        decision: Decision,
        /// The reason, which the citizen is told.
        reason: String,
        /// Until when the citizen may complain (Law on Complaints 02/2011/QH13, Art. 9: 90 days).
        appeal_until: Date,
        /// The citizen complained, and the refusal stands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upheld: Option<Box<Upheld>>,
        /// The citizen complained, and took the complaint back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        discontinued: Option<Box<Discontinued>>,
    },
    /// The citizen complained about the refusal; waits for the national office.
    Appealed {
        /// What was taken.
        capture: Capture,
        /// The officer who refused, and the moment.
        decision: Decision,
        /// The reason of the refusal.
        reason: String,
        /// Until when the citizen could complain.
        appeal_until: Date,
        /// The complaint.
        complaint: Complaint,
        /// The citizen takes it back; waits for the national office all the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        withdrawal: Option<Box<Withdrawal>>,
    },
    /// Bound to one chip, on which it is being written.
    InProduction {
        /// What was taken.
        capture: Capture,
        /// The officers and the moments.
        approval: Approval,
        /// That chip.
        chip: CardSerial,
    },
    /// The chip proved that it is personalized, at another office: the card is to be shipped, or on its way.
    Shipped {
        /// What was taken.
        capture: Capture,
        /// The officers and the moments.
        approval: Approval,
        /// The card it became.
        card: CardId,
    },
    /// The chip proved that it is personalized.
    Personalized {
        /// What was taken.
        capture: Capture,
        /// The officers and the moments.
        approval: Approval,
        /// The card it became.
        card: CardId,
    },
    /// The citizen did not come in time: the card is kept for a while, and then destroyed.
    NotFetched {
        /// What was taken.
        capture: Capture,
        /// The officers and the moments.
        approval: Approval,
        /// The card it became.
        card: CardId,
    },
    /// The citizen has the card.
    HandedOver {
        /// The approval.
        approval: Approval,
        /// The card.
        card: CardId,
        /// The hand-over.
        handed_over: Decision,
    },
    /// Ended before there was a card.
    Cancelled {
        /// The reason.
        reason: String,
        /// The officer and the moment.
        decision: Decision,
        /// True if the citizen wanted it no more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        withdrawn: bool,
        /// True if there was a card, and the citizen did not fetch it while it was kept.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        given_up: bool,
    },
}

/// The name of a stage, without what is known at it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StageName {
    /// Opened at a counter.
    Registered,
    /// Portrait and features taken.
    Captured,
    /// The citizen is to bring what is missing.
    Returned,
    /// The head of the team found it in order.
    Checked,
    /// The office agreed; waits for the national office.
    LocallyApproved,
    /// All agreed whose approval is needed; waits for a chip.
    Approved,
    /// Approved, but taken out of the queue.
    Held,
    /// A second officer disagreed.
    Refused,
    /// The citizen complained about the refusal; waits for the national office.
    Appealed,
    /// Being written on a chip.
    InProduction,
    /// The card is made at another office, and on its way.
    Shipped,
    /// The card is made.
    Personalized,
    /// The card is made, and the citizen did not come in time.
    NotFetched,
    /// The citizen has the card.
    HandedOver,
    /// Ended before there was a card.
    Cancelled,
}

impl StageName {
    /// All of them, in the order in which an application meets them.
    pub const ALL: [Self; 15] = [
        Self::Registered,
        Self::Captured,
        Self::Returned,
        Self::Checked,
        Self::LocallyApproved,
        Self::Approved,
        Self::Held,
        Self::Refused,
        Self::Appealed,
        Self::InProduction,
        Self::Shipped,
        Self::Personalized,
        Self::NotFetched,
        Self::HandedOver,
        Self::Cancelled,
    ];

    /// The name, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Captured => "captured",
            Self::Returned => "returned",
            Self::Checked => "checked",
            Self::LocallyApproved => "locally-approved",
            Self::Approved => "approved",
            Self::Held => "held",
            Self::Refused => "refused",
            Self::Appealed => "appealed",
            Self::InProduction => "in-production",
            Self::Shipped => "shipped",
            Self::Personalized => "personalized",
            Self::NotFetched => "not-fetched",
            Self::HandedOver => "handed-over",
            Self::Cancelled => "cancelled",
        }
    }

    /// True while something is still to be done about the application.
    #[must_use]
    pub fn is_open(self) -> bool {
        stages::row(self).rest != Rest::Over
    }

    /// True where there is a card, whose chip proved itself.
    #[must_use]
    pub const fn has_card(self) -> bool {
        matches!(self, Self::Shipped | Self::Personalized | Self::NotFetched | Self::HandedOver)
    }
}

impl FromStr for StageName {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|stage| stage.word() == word).ok_or(UnknownWord)
    }
}

/// Why an approved application was taken out of the queue, and who mends it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Hold {
    /// The reason.
    pub reason: HoldReason,
    /// The role, at the application's office, that mends it.
    pub owner: Role,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// Why an approved application cannot become a card as it stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HoldReason {
    /// No card can carry what the register or the counter holds.
    NotComposable,
    /// The portrait is gone or broken.
    PortraitLost,
    /// The person's row in the register, or what it points to, has no meaning.
    RecordInconsistent,
}

impl HoldReason {
    /// The word, as stored and answered.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotComposable => "not-composable",
            Self::PortraitLost => "portrait-lost",
            Self::RecordInconsistent => "record-inconsistent",
        }
    }

    /// The role that mends it.
    pub fn owner(self) -> Role {
        match self {
            Self::NotComposable | Self::RecordInconsistent => Role::Registrar,
            Self::PortraitLost => Role::Capture,
        }
    }
}

/// What the counter took from the citizen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Capture {
    /// The officer who took it, and the moment.
    pub taken: Decision,
    /// Name of the sealed object that holds the passport portrait: 64 hexadecimal digits.
    pub portrait: String,
    /// Identifying features (đặc điểm nhân dạng).
    pub features: String,
    /// Random, drawn at this capture, part of every [`DossierDigest`] of it and answered to no caller. Zeros for a
    /// capture of before dossiers were named.
    #[serde(default, with = "hex::serde")]
    pub salt: [u8; 16],
    /// The complaint because of which the decision is taken anew, for the officers who take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Box<Heard>>,
}

/// What one officer saw of an application, as that officer names it in an approval.
///
/// SHA-256 over the capture's salt, the officer, the portrait and the features. The salt leaves the service only inside
/// this digest, and the digest only in an answer to this officer's own reading, which the audit trail records. So an
/// approval that carries it comes from an officer who was given this very portrait and these features: neither a look
/// at an earlier capture nor a digest that a colleague passed on will do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DossierDigest(#[serde(with = "hex::serde")] pub [u8; 32]);

impl Capture {
    /// Returns the name of what this officer sees when reading the application.
    pub fn dossier(&self, officer: OfficerId) -> DossierDigest {
        let mut hash = Sha256::new();
        // Each part has a fixed length but the last.
        hash.update(self.salt);
        hash.update(officer.uuid());
        hash.update(Sha256::digest(&self.portrait));
        hash.update(&self.features);
        DossierDigest(hash.finalize().into())
    }
}

/// One application.
#[derive(Clone, Debug)]
pub struct Application {
    /// Identifier.
    pub id: ApplicationId,
    /// What the citizen brings to fetch the card: printed on the appointment slip.
    pub slip: Slip,
    /// The person who applies.
    pub person: PersonId,
    /// What is applied for.
    pub kind: Kind,
    /// The office; it also hands the card over.
    pub office: OfficeCode,
    /// The officer who opened it, and the moment.
    pub registered: Decision,
    /// The fee, in đồng.
    pub fee: u32,
    /// The stage that it has reached.
    pub stage: Stage,
    /// Who has it, and until when.
    pub progress: Progress,
}

impl Application {
    /// Returns how it is decided: as it was when it was opened.
    #[must_use]
    pub fn procedure(&self) -> Procedure {
        self.progress.terms.map(|terms| terms.procedure).unwrap_or_default()
    }
}

/// Number of an appointment slip: ten characters that are not mistaken for each other, drawn at random.
///
/// Random rather than counted: one's own slip number plus one does not fetch the next citizen's card, and no
/// sequence has to be shared.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Slip(pub String);

impl Slip {
    /// From ten random bytes.
    pub fn draw(random: [u8; 10]) -> Self {
        Self(random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
    }

    /// From a text as people read it from paper: case, spaces and dashes do not count.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        Self(text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect())
    }

    /// True if the text is this number as people read it from paper.
    pub fn matches(&self, text: &str) -> bool {
        Self::typed(text) == *self
    }
}

/// What an application knows at a stage, taken apart: a step adds to it, and the stage that it leads to takes what it
/// needs.
#[derive(Default)]
struct Known {
    capture: Option<Capture>,
    checked: Option<Decision>,
    local: Option<Decision>,
    approval: Option<Approval>,
    hold: Option<Hold>,
    /// Of a return, a refusal, a cancellation, a hand-over.
    decision: Option<Decision>,
    reason: Option<String>,
    reasons: Vec<ReturnReason>,
    withdrawn: bool,
    given_up: bool,
    /// The day until which the citizen may come, or complain.
    until: Option<Date>,
    complaint: Option<Complaint>,
    withdrawal: Option<Box<Withdrawal>>,
    upheld: Option<Box<Upheld>>,
    discontinued: Option<Box<Discontinued>>,
    chip: Option<CardSerial>,
    card: Option<CardId>,
}

impl Known {
    /// Returns the stage of this name, if everything is known that it carries.
    fn stage(self, name: StageName) -> Option<Stage> {
        Some(match name {
            StageName::Registered => Stage::Registered,
            StageName::Captured => Stage::Captured { capture: self.capture? },
            StageName::Returned => Stage::Returned {
                capture: self.capture,
                returned: self.decision?,
                reasons: self.reasons,
                says: self.reason?,
                until: self.until?,
            },
            StageName::Checked => Stage::Checked { capture: self.capture?, checked: self.checked? },
            StageName::LocallyApproved => {
                Stage::LocallyApproved { capture: self.capture?, checked: self.checked, local: self.local? }
            }
            StageName::Approved => Stage::Approved { capture: self.capture?, approval: self.approval? },
            StageName::Held => Stage::Held { capture: self.capture?, approval: self.approval?, hold: self.hold? },
            StageName::Refused => Stage::Refused {
                capture: self.capture?,
                decision: self.decision?,
                reason: self.reason?,
                appeal_until: self.until?,
                upheld: self.upheld,
                discontinued: self.discontinued,
            },
            StageName::Appealed => Stage::Appealed {
                capture: self.capture?,
                decision: self.decision?,
                reason: self.reason?,
                appeal_until: self.until?,
                complaint: self.complaint?,
                withdrawal: self.withdrawal,
            },
            StageName::InProduction => {
                Stage::InProduction { capture: self.capture?, approval: self.approval?, chip: self.chip? }
            }
            StageName::Shipped => Stage::Shipped { capture: self.capture?, approval: self.approval?, card: self.card? },
            StageName::Personalized => {
                Stage::Personalized { capture: self.capture?, approval: self.approval?, card: self.card? }
            }
            StageName::NotFetched => {
                Stage::NotFetched { capture: self.capture?, approval: self.approval?, card: self.card? }
            }
            StageName::HandedOver => {
                Stage::HandedOver { approval: self.approval?, card: self.card?, handed_over: self.decision? }
            }
            StageName::Cancelled => Stage::Cancelled {
                reason: self.reason?,
                decision: self.decision?,
                withdrawn: self.withdrawn,
                given_up: self.given_up,
            },
        })
    }
}

impl Stage {
    /// Takes a step: where it leads stands in the table of [`stages`], and what is learned by it goes along.
    fn take(
        self,
        step: Step,
        procedure: Procedure,
        learn: impl FnOnce(Known) -> Known,
    ) -> Result<Self, TransitionError> {
        let from = self.which();
        let to = stages::next(from, step, procedure);
        to.and_then(|to| learn(self.known()).stage(to)).ok_or(TransitionError::NotFrom(from.word()))
    }

    /// Takes a step that is the same under every procedure.
    fn step(self, step: Step, learn: impl FnOnce(Known) -> Known) -> Result<Self, TransitionError> {
        self.take(step, Procedure::default(), learn)
    }

    fn known(self) -> Known {
        let none = Known::default();
        match self {
            Self::Registered => none,
            Self::Captured { capture } => Known { capture: Some(capture), ..none },
            Self::Returned { capture, returned, reasons, says, until } => {
                Known { capture, decision: Some(returned), reasons, reason: Some(says), until: Some(until), ..none }
            }
            Self::Checked { capture, checked } => Known { capture: Some(capture), checked: Some(checked), ..none },
            Self::LocallyApproved { capture, checked, local } => {
                Known { capture: Some(capture), checked, local: Some(local), ..none }
            }
            Self::Approved { capture, approval } => Known { capture: Some(capture), approval: Some(approval), ..none },
            Self::Held { capture, approval, hold } => {
                Known { capture: Some(capture), approval: Some(approval), hold: Some(hold), ..none }
            }
            // What became of an earlier complaint does not go along: a stage that follows is of another one.
            Self::Refused { capture, decision, reason, appeal_until, upheld, discontinued: _ } => Known {
                capture: Some(capture),
                decision: Some(decision),
                reason: Some(reason),
                until: Some(appeal_until),
                upheld,
                ..none
            },
            Self::Appealed { capture, decision, reason, appeal_until, complaint, withdrawal } => Known {
                capture: Some(capture),
                decision: Some(decision),
                reason: Some(reason),
                until: Some(appeal_until),
                complaint: Some(complaint),
                withdrawal,
                ..none
            },
            Self::InProduction { capture, approval, chip } => {
                Known { capture: Some(capture), approval: Some(approval), chip: Some(chip), ..none }
            }
            Self::Shipped { capture, approval, card }
            | Self::Personalized { capture, approval, card }
            | Self::NotFetched { capture, approval, card } => {
                Known { capture: Some(capture), approval: Some(approval), card: Some(card), ..none }
            }
            Self::HandedOver { approval, card, handed_over } => {
                Known { approval: Some(approval), card: Some(card), decision: Some(handed_over), ..none }
            }
            Self::Cancelled { reason, decision, withdrawn, given_up } => {
                Known { reason: Some(reason), decision: Some(decision), withdrawn, given_up, ..none }
            }
        }
    }

    /// True while something is still to be done about the application.
    pub fn is_open(&self) -> bool {
        self.which().is_open()
    }

    /// Since when the application is over and done: for a refused one, when no complaint is possible any more. `None`
    /// while something may still be done about it.
    #[must_use]
    pub fn closed_at(&self) -> Option<OffsetDateTime> {
        match self {
            // To the end of that day, wherever the service stands; a complaint that came in time may be decided later.
            Self::Refused { appeal_until, upheld, discontinued, .. } => {
                let last = appeal_until.midnight().assume_utc() + Duration::days(1);
                let ended = upheld.as_ref().map(|upheld| upheld.decision.at);
                let ended = ended.or(discontinued.as_ref().map(|discontinued| discontinued.decision.at));
                Some(ended.map_or(last, |ended| last.max(ended)))
            }
            Self::Cancelled { decision, .. } => Some(decision.at),
            Self::HandedOver { handed_over, .. } => Some(handed_over.at),
            _ => None,
        }
    }

    /// The stage's name, as in the API.
    pub fn name(&self) -> &'static str {
        self.which().word()
    }

    /// Which stage it is.
    #[must_use]
    pub const fn which(&self) -> StageName {
        match self {
            Self::Registered => StageName::Registered,
            Self::Captured { .. } => StageName::Captured,
            Self::Returned { .. } => StageName::Returned,
            Self::Checked { .. } => StageName::Checked,
            Self::LocallyApproved { .. } => StageName::LocallyApproved,
            Self::Approved { .. } => StageName::Approved,
            Self::Held { .. } => StageName::Held,
            Self::Refused { .. } => StageName::Refused,
            Self::Appealed { .. } => StageName::Appealed,
            Self::InProduction { .. } => StageName::InProduction,
            Self::Shipped { .. } => StageName::Shipped,
            Self::Personalized { .. } => StageName::Personalized,
            Self::NotFetched { .. } => StageName::NotFetched,
            Self::HandedOver { .. } => StageName::HandedOver,
            Self::Cancelled { .. } => StageName::Cancelled,
        }
    }

    /// The chip that the application is being written on.
    pub fn chip(&self) -> Option<CardSerial> {
        match self {
            Self::InProduction { chip, .. } => Some(*chip),
            _ => None,
        }
    }

    /// What was taken at the counter, while it is kept.
    pub fn capture_of(&self) -> Option<&Capture> {
        match self {
            Self::Captured { capture }
            | Self::Checked { capture, .. }
            | Self::LocallyApproved { capture, .. }
            | Self::Approved { capture, .. }
            | Self::Held { capture, .. }
            | Self::Refused { capture, .. }
            | Self::Appealed { capture, .. }
            | Self::InProduction { capture, .. }
            | Self::Shipped { capture, .. }
            | Self::Personalized { capture, .. }
            | Self::NotFetched { capture, .. } => Some(capture),
            Self::Returned { capture, .. } => capture.as_ref(),
            Self::Registered | Self::HandedOver { .. } | Self::Cancelled { .. } => None,
        }
    }

    /// The approval on which a card is made, from the last one on.
    #[must_use]
    pub fn approval_of(&self) -> Option<&Approval> {
        match self {
            Self::Approved { approval, .. }
            | Self::Held { approval, .. }
            | Self::InProduction { approval, .. }
            | Self::Shipped { approval, .. }
            | Self::Personalized { approval, .. }
            | Self::NotFetched { approval, .. }
            | Self::HandedOver { approval, .. } => Some(approval),
            _ => None,
        }
    }

    /// Returns the officers who found it in order so far: the check, the approvals.
    #[must_use]
    pub fn agreed(&self) -> Vec<&Decision> {
        match self {
            Self::Checked { checked, .. } => vec![checked],
            Self::LocallyApproved { checked, local, .. } => checked.iter().chain([local]).collect(),
            _ => vec![],
        }
    }

    /// Returns the officer who brought it to this stage, and the moment; none for what was just opened.
    #[must_use]
    pub fn moved_by(&self) -> Option<(OfficerId, OffsetDateTime)> {
        let of = |decision: &Decision| Some((decision.by, decision.at));
        match self {
            Self::Registered => None,
            Self::Captured { capture } => of(&capture.taken),
            Self::Refused { upheld: Some(upheld), .. } => of(&upheld.decision),
            Self::Refused { discontinued: Some(discontinued), .. } => of(&discontinued.decision),
            Self::Appealed { withdrawal: Some(withdrawal), .. } => of(&withdrawal.taken),
            Self::Appealed { complaint, .. } => of(&complaint.taken),
            Self::Returned { returned: decision, .. }
            | Self::Checked { checked: decision, .. }
            | Self::LocallyApproved { local: decision, .. }
            | Self::Refused { decision, .. }
            | Self::HandedOver { handed_over: decision, .. }
            | Self::Cancelled { decision, .. } => of(decision),
            Self::Approved { approval, .. }
            | Self::Held { approval, .. }
            | Self::InProduction { approval, .. }
            | Self::Shipped { approval, .. }
            | Self::Personalized { approval, .. }
            | Self::NotFetched { approval, .. } => Some((approval.by, approval.at)),
        }
    }

    /// `Registered → Captured`, and again before the decision: a better portrait replaces the first. Of a returned and
    /// of a held application too, which then needs a new decision.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn capture(self, capture: Capture) -> Result<Self, TransitionError> {
        // What a complaint said stays with what is taken anew.
        self.step(Step::Capture, |known| {
            let heard = known.capture.and_then(|before| before.heard);
            Known { capture: Some(Capture { heard, ..capture }), ..known }
        })
    }

    /// `Captured → Checked`, by the head of the team, who is not among the `involved` and saw what is checked.
    ///
    /// # Errors
    /// As [`approve`](Self::approve).
    pub fn check(
        self,
        procedure: Procedure,
        involved: &[OfficerId],
        checked: Decision,
        seen: Option<DossierDigest>,
    ) -> Result<Self, TransitionError> {
        self.second(involved, checked.by)?;
        self.seen(checked.by, seen, procedure, Step::Check)?;
        self.take(Step::Check, procedure, |known| Known { checked: Some(checked), ..known })
    }

    /// `Captured | Checked → Approved`, or `→ LocallyApproved → Approved` where the national office approves too: by an
    /// officer who is not among the `involved` (those who declared the person, gave the number, opened the application
    /// or ever captured for it), who neither checked nor approved it before, and who saw what is approved.
    ///
    /// # Errors
    /// [`TransitionError::SameOfficer`], [`TransitionError::NotFrom`], [`TransitionError::NotSeen`],
    /// [`TransitionError::Changed`]
    pub fn approve(
        self,
        procedure: Procedure,
        involved: &[OfficerId],
        approval: Decision,
        seen: Option<DossierDigest>,
    ) -> Result<Self, TransitionError> {
        self.second(involved, approval.by)?;
        let step = if let Self::LocallyApproved { .. } = self { Step::Confirm } else { Step::Approve };
        self.seen(approval.by, seen, procedure, step)?;
        self.take(step, procedure, |known| {
            let whole =
                Approval { local: known.local.clone(), checked: known.checked.clone(), ..approval.clone().into() };
            // The first approval of two, unless this is the second.
            Known { local: known.local.or(Some(approval)), approval: Some(whole), ..known }
        })
    }

    /// `Captured | Checked | Approved | Held | … → Captured`: what the register holds of the person changed, so the
    /// decision is to be taken anew, by officers who see what stands there now. With another `salt` no dossier that was
    /// seen before is named any more.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn reopen(self, salt: [u8; 16]) -> Result<Self, TransitionError> {
        self.step(Step::Reopen, |known| known.salted(salt))
    }

    /// `→ Returned`: the citizen is to bring what is missing, until a day. By an officer who had no hand in it where a
    /// second officer has it, and by the counter before.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`], [`TransitionError::SameOfficer`]
    pub fn give_back(
        self,
        involved: &[OfficerId],
        returned: Decision,
        (reasons, says): (Vec<ReturnReason>, String),
        until: Date,
    ) -> Result<Self, TransitionError> {
        if self.capture_of().is_some() {
            self.second(involved, returned.by)?;
        }
        let (decision, reason, until) = (Some(returned), Some(says), Some(until));
        self.step(Step::Return, |known| Known { decision, reason, reasons, until, ..known })
    }

    /// `Returned → Captured`: the citizen brought what was missing, and what was taken stands. Under another salt, so
    /// that officers look again.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`], also where nothing was taken yet.
    pub fn resubmit(self, salt: [u8; 16]) -> Result<Self, TransitionError> {
        self.step(Step::Resubmit, |known| known.salted(salt))
    }

    /// `Captured | Checked | LocallyApproved → Refused`, by such an officer likewise. The citizen may complain for 90
    /// days from `today`, the civil day.
    ///
    /// # Errors
    /// As [`approve`](Self::approve).
    pub fn refuse(
        self,
        involved: &[OfficerId],
        decision: Decision,
        reason: String,
        today: Date,
    ) -> Result<Self, TransitionError> {
        self.second(involved, decision.by)?;
        let (decision, reason, until) = (Some(decision), Some(reason), Some(today + APPEAL));
        self.step(Step::Refuse, |known| Known { decision, reason, until, ..known })
    }

    /// `Refused → Appealed`: the citizen complains, until the day that the refusal names.
    ///
    /// # Errors
    /// [`TransitionError::Complained`], [`TransitionError::ComplainedLate`], [`TransitionError::NotRefused`]
    pub fn appeal(self, complaint: Complaint) -> Result<Self, TransitionError> {
        match &self {
            Self::Appealed { .. } | Self::Refused { upheld: Some(_), .. } => Err(TransitionError::Complained),
            Self::Refused { appeal_until, .. } if complaint.on > *appeal_until => {
                Err(TransitionError::ComplainedLate(*appeal_until))
            }
            Self::Refused { .. } => self.step(Step::Appeal, |known| Known { complaint: Some(complaint), ..known }),
            _ => Err(TransitionError::NotRefused(self.name())),
        }
    }

    /// `Appealed → Refused`, for good: by an officer who neither refused it nor had a hand in it.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`], [`TransitionError::SameOfficer`]
    pub fn uphold(self, involved: &[OfficerId], decision: Decision, reason: String) -> Result<Self, TransitionError> {
        self.second(involved, decision.by)?;
        self.step(Step::Uphold, |known| {
            let complaint = known.complaint;
            let upheld = complaint.map(|complaint| Box::new(Upheld { complaint, decision, reason }));
            Known { complaint: None, upheld, ..known }
        })
    }

    /// `Appealed → Captured`, by such an officer likewise: the decision is to be taken anew, by
    /// officers who look again.
    ///
    /// # Errors
    /// As [`uphold`](Self::uphold).
    pub fn allow(
        self,
        involved: &[OfficerId],
        decision: Decision,
        reason: String,
        salt: [u8; 16],
    ) -> Result<Self, TransitionError> {
        self.second(involved, decision.by)?;
        self.step(Step::Allow, |known| {
            let Known { capture, complaint, decision: refused, reason: refusal, .. } = known;
            let heard = refused.zip(refusal).zip(complaint).map(|((refused, refusal), complaint)| {
                Box::new(Heard { refused, refusal, complaint, decision, reason })
            });
            Known { capture: capture.map(|capture| Capture { salt, heard, ..capture }), ..Known::default() }
        })
    }

    /// `Appealed → Appealed`: the citizen takes the complaint back, on paper. No officer at the counter ends it by
    /// that: an officer of the national office does, or decides all the same.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn take_back(self, withdrawal: Withdrawal) -> Result<Self, TransitionError> {
        self.step(Step::TakeBack, |known| Known { withdrawal: Some(Box::new(withdrawal)), ..known })
    }

    /// `Appealed → Refused`, as if there had been no complaint: the citizen took it back. By an officer who neither
    /// refused it nor had a hand in it, nor took the complaint or the paper that takes it back.
    ///
    /// # Errors
    /// [`TransitionError::NotTakenBack`] without such a paper; as [`uphold`](Self::uphold).
    pub fn discontinue(self, involved: &[OfficerId], decision: Decision) -> Result<Self, TransitionError> {
        self.second(involved, decision.by)?;
        if let Self::Appealed { withdrawal: None, .. } = self {
            return Err(TransitionError::NotTakenBack);
        }
        self.step(Step::Discontinue, |known| {
            let taken_back = known.complaint.as_ref().zip(known.withdrawal);
            let discontinued = taken_back.map(|(complaint, withdrawal)| {
                Box::new(Discontinued { on: complaint.on, withdrawal: *withdrawal, decision })
            });
            Known { complaint: None, withdrawal: None, discontinued, ..known }
        })
    }

    /// Refuses an officer who had a hand in it: who is involved, captured, checked or approved; and about a complaint,
    /// who refused it, took the complaint or the paper that takes it back. Also for one that is
    /// already approved: the same person's second approval is that person's mistake, not the stage's.
    pub(super) fn second(&self, involved: &[OfficerId], by: OfficerId) -> Result<(), TransitionError> {
        let captured = self.capture_of().is_some_and(|capture| capture.taken.by == by);
        let agreed = self.agreed().iter().any(|decision| decision.by == by);
        let approved = matches!(self, Self::Approved { approval, .. } if approval.has(by));
        let refused = matches!(self, Self::Appealed { decision, complaint, withdrawal, .. }
            if decision.by == by || complaint.taken.by == by
                || withdrawal.as_ref().is_some_and(|withdrawal| withdrawal.taken.by == by));
        match self {
            Self::Captured { .. }
            | Self::Checked { .. }
            | Self::LocallyApproved { .. }
            | Self::Approved { .. }
            | Self::Appealed { .. }
                if captured || agreed || approved || refused || involved.contains(&by) =>
            {
                Err(TransitionError::SameOfficer)
            }
            Self::Held { .. } => Err(TransitionError::Held),
            _ => Ok(()),
        }
    }

    /// Returns the officers who captured, agreed, refused or took a complaint, as far as the stage tells.
    #[must_use]
    pub fn hands(&self) -> Vec<OfficerId> {
        let captured = self.capture_of().map(|capture| capture.taken.by);
        let agreed = self.agreed().into_iter().map(|decision| decision.by);
        let complained = match self {
            Self::Appealed { decision, complaint, withdrawal, .. } => {
                let taken_back = withdrawal.as_ref().map(|withdrawal| withdrawal.taken.by);
                [decision.by, complaint.taken.by].into_iter().chain(taken_back).collect()
            }
            _ => vec![],
        };
        captured.into_iter().chain(agreed).chain(complained).collect()
    }

    /// Refuses an officer who does not name what stands here, if the step is possible at all.
    fn seen(
        &self,
        by: OfficerId,
        seen: Option<DossierDigest>,
        procedure: Procedure,
        step: Step,
    ) -> Result<(), TransitionError> {
        let Some(capture) = self.capture_of().filter(|_| stages::next(self.which(), step, procedure).is_some()) else {
            return Err(TransitionError::NotFrom(self.name()));
        };
        match seen {
            None => Err(TransitionError::NotSeen),
            Some(seen) if seen == capture.dossier(by) => Ok(()),
            Some(_) => Err(TransitionError::Changed),
        }
    }

    /// `Approved → InProduction`.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn bind(self, chip: CardSerial) -> Result<Self, TransitionError> {
        self.step(Step::Bind, |known| Known { chip: Some(chip), ..known })
    }

    /// `Approved → Held`.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn hold(self, hold: Hold) -> Result<Self, TransitionError> {
        self.step(Step::Hold, |known| Known { hold: Some(hold), ..known })
    }

    /// `Held → Approved`: what stood against the card is mended. By an officer who may decide on it.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`], [`TransitionError::SameOfficer`]
    pub fn release(self, involved: &[OfficerId], by: OfficerId) -> Result<Self, TransitionError> {
        match &self {
            Self::Held { capture, .. } if capture.taken.by == by || involved.contains(&by) => {
                Err(TransitionError::SameOfficer)
            }
            _ => self.step(Step::Release, |known| known),
        }
    }

    /// `Personalized → NotFetched`: the citizen did not come in time.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn miss(self) -> Result<Self, TransitionError> {
        self.step(Step::Miss, |known| known)
    }

    /// `NotFetched → Cancelled`: the citizen did not come while the card was kept. The card ends with it.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn give_up(self, decision: Decision) -> Result<Self, TransitionError> {
        let (decision, reason) = (Some(decision), Some(NOT_FETCHED.to_owned()));
        self.step(Step::GiveUp, |known| Known { decision, reason, given_up: true, ..known })
    }

    /// `InProduction | Personalized | NotFetched → Approved`: the chip was spoiled before the citizen had it,
    /// another one may take its place.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn unbind(self) -> Result<Self, TransitionError> {
        self.step(Step::Unbind, |known| known)
    }

    /// `InProduction → Personalized`.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn personalize(self, card: CardId) -> Result<Self, TransitionError> {
        self.step(Step::Personalize, |known| Known { card: Some(card), ..known })
    }

    /// `InProduction → Shipped`: the card was made at another office than the application's.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn dispatch(self, card: CardId) -> Result<Self, TransitionError> {
        self.step(Step::Dispatch, |known| Known { card: Some(card), ..known })
    }

    /// `Shipped → Personalized`: the card arrived at the office of the application.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn arrive(self) -> Result<Self, TransitionError> {
        self.step(Step::Arrive, |known| known)
    }

    /// The card that is made and not handed over.
    #[must_use]
    pub const fn finished(&self) -> Option<CardId> {
        match self {
            Self::HandedOver { .. } => None,
            _ => self.card(),
        }
    }

    /// The card, from the proof of its chip on.
    #[must_use]
    pub const fn card(&self) -> Option<CardId> {
        match self {
            Self::Shipped { card, .. }
            | Self::Personalized { card, .. }
            | Self::NotFetched { card, .. }
            | Self::HandedOver { card, .. } => Some(*card),
            _ => None,
        }
    }

    /// `Personalized | NotFetched → HandedOver`.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn hand_over(self, handed_over: Decision) -> Result<Self, TransitionError> {
        self.step(Step::HandOver, |known| Known { decision: Some(handed_over), ..known })
    }

    /// Any stage before the chip proved itself → `Cancelled`. The chip of an application in
    /// production is spoiled with it.
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn cancel(self, decision: Decision, reason: String) -> Result<Self, TransitionError> {
        let (decision, reason) = (Some(decision), Some(reason));
        self.step(Step::Cancel, |known| Known { decision, reason, ..known })
    }

    /// Any stage without a chip → `Cancelled`: the citizen does not want the card any more. Not while a complaint is
    /// open: one officer would end it; see [`take_back`](Self::take_back).
    ///
    /// # Errors
    /// [`TransitionError::NotFrom`]
    pub fn withdraw(self, decision: Decision, reason: String) -> Result<Self, TransitionError> {
        let (decision, reason) = (Some(decision), Some(reason));
        self.step(Step::Withdraw, |known| Known { decision, reason, withdrawn: true, ..known })
    }
}

impl Known {
    /// With another salt in what was taken.
    fn salted(self, salt: [u8; 16]) -> Self {
        Self { capture: self.capture.map(|capture| Capture { salt, ..capture }), ..self }
    }
}

impl Approval {
    /// Returns the officers who found it in order: who checked it, who approved it first and last.
    #[must_use]
    pub fn officers(&self) -> Vec<OfficerId> {
        let before = self.checked.iter().chain(&self.local).map(|decision| decision.by);
        before.chain([self.by]).collect()
    }

    /// True if this officer approved, first or last.
    fn has(&self, officer: OfficerId) -> bool {
        self.by == officer || self.local.as_ref().is_some_and(|local| local.by == officer)
    }
}

/// The reason of an application whose card was not fetched.
pub const NOT_FETCHED: &str = "not-fetched";

/// Why a stage does not change.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TransitionError {
    /// The citizen complained before: the complaint is open, or decided.
    #[error("the citizen complained about this refusal before")]
    Complained,
    /// The citizen complains too late.
    #[error("the citizen could complain until {0}")]
    ComplainedLate(Date),
    /// The stage has no such way out.
    #[error("not possible while {0}")]
    NotFrom(&'static str),
    /// A complaint about what is not refused.
    #[error("the application is {0}, not refused")]
    NotRefused(&'static str),
    /// It is held, and must be released first.
    #[error("the application is held")]
    Held,
    /// Portrait or features are other ones than the officer saw.
    #[error("portrait or features are not those that this officer saw")]
    Changed,
    /// The approval does not say what was seen.
    #[error("the approval names no dossier that was seen")]
    NotSeen,
    /// The counter has no paper of the citizen that takes the complaint back.
    #[error("no paper of the citizen that takes the complaint back was entered")]
    NotTakenBack,
    /// An officer who declared, numbered, opened or captured cannot decide, and one who approved cannot approve again.
    #[error("a second officer is needed")]
    SameOfficer,
}

/// Why there is no such application; the store's and access errors are in [`steps`](super::steps).
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ApplicationError {
    /// The registry of cards shows that this kind cannot be meant.
    #[error("{0}")]
    Contradicts(&'static str),
    /// Not yet fourteen (Art. 19(1)).
    #[error("a card is issued from the age of fourteen")]
    TooYoung,
    /// A word that is no kind, or a reason that does not belong to it.
    #[error("kind and reason do not fit")]
    Reason,
}

/// The card is for citizens of fourteen and more (Law 59/2014/QH13, Art. 19(1)).
///
/// # Errors
/// [`ApplicationError::TooYoung`]
pub fn old_enough(birth: crypto::identity::Date, today: Date) -> Result<(), ApplicationError> {
    if validity::age(birth, today) >= YOUNGEST { Ok(()) } else { Err(ApplicationError::TooYoung) }
}

const YOUNGEST: i32 = 14;
const APPEAL: Duration = Duration::days(90);
/// Crockford's base 32: no I, L, O, U.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;
    use crate::ground::Id;

    /// An officer whose id is made of the letters of a name.
    fn officer(name: &str) -> OfficerId {
        Id::from_uuid(uuid::Uuid::from_u128(name.bytes().fold(0, |sum, byte| sum * 256 + u128::from(byte))))
    }

    fn card() -> CardId {
        Id::from_uuid(uuid::Uuid::from_u128(7))
    }

    fn by(name: &str) -> Decision {
        Decision { by: officer(name), at: datetime!(2026-11-22 08:00 UTC) }
    }

    const TODAY: Date = date!(2026 - 11 - 22);
    const ONE: Procedure = Procedure { team_check: false, central_approval: false };

    fn captured() -> Stage {
        let capture = Capture {
            taken: by("capture"),
            portrait: "p".into(),
            features: "Nốt ruồi".into(),
            salt: [7; 16],
            heard: None,
        };
        Stage::Registered.capture(capture).unwrap()
    }

    fn seen_by(name: &str) -> Option<DossierDigest> {
        captured().capture_of().map(|capture| capture.dossier(officer(name)))
    }

    fn involved() -> [OfficerId; 2] {
        ["registrar", "opener"].map(officer)
    }

    fn chip() -> CardSerial {
        CardSerial([7; 10])
    }

    #[test]
    fn an_application_goes_its_way() {
        let stage =
            captured().approve(ONE, &involved(), by("approver"), seen_by("approver")).unwrap().bind(chip()).unwrap();
        assert_eq!(stage.chip(), Some(chip()));
        let stage = stage.personalize(card()).unwrap().hand_over(by("clerk")).unwrap();
        assert_eq!(stage.name(), "handed-over");
    }

    #[test]
    fn an_officer_does_not_decide_on_their_own_work() {
        for name in ["capture", "opener", "registrar"] {
            assert_eq!(
                captured().approve(ONE, &involved(), by(name), seen_by(name)).unwrap_err(),
                TransitionError::SameOfficer
            );
            let refused = captured().refuse(&involved(), by(name), "…".into(), TODAY);
            assert_eq!(refused.unwrap_err(), TransitionError::SameOfficer);
        }
        let approved = captured().approve(ONE, &involved(), by("approver"), seen_by("approver")).unwrap();
        assert_eq!(
            approved.clone().approve(ONE, &involved(), by("approver"), seen_by("approver")).unwrap_err(),
            TransitionError::SameOfficer
        );
        let third = approved.approve(ONE, &involved(), by("third"), seen_by("third"));
        assert_eq!(third.unwrap_err(), TransitionError::NotFrom("approved"));
    }

    #[test]
    fn only_what_was_seen_is_approved() {
        let approve = |seen| captured().approve(ONE, &involved(), by("approver"), seen).map(|stage| stage.name());
        assert_eq!(approve(None), Err(TransitionError::NotSeen));
        assert_eq!(approve(seen_by("a colleague")), Err(TransitionError::Changed));
        let Some(capture) = captured().capture_of().cloned() else { panic!("not captured") };
        let others = [
            Capture { portrait: "q".into(), ..capture.clone() },
            Capture { features: "Nốt ruồi đen".into(), ..capture.clone() },
            Capture { salt: [8; 16], ..capture },
        ];
        for other in others {
            assert_eq!(approve(Some(other.dossier(officer("approver")))), Err(TransitionError::Changed));
        }
        assert_eq!(approve(seen_by("approver")), Ok("approved"));
    }

    #[test]
    fn a_held_application_is_released_by_an_officer_who_may_decide() {
        let hold = Hold { reason: HoldReason::PortraitLost, owner: Role::Capture, at: datetime!(2026-11-22 08:00 UTC) };
        let held =
            captured().approve(ONE, &involved(), by("approver"), seen_by("approver")).unwrap().hold(hold).unwrap();
        for name in ["capture", "opener", "registrar"] {
            let released = held.clone().release(&involved(), officer(name));
            assert_eq!(released.unwrap_err(), TransitionError::SameOfficer, "{name}");
        }
        assert_eq!(held.release(&involved(), officer("approver")).unwrap().name(), "approved");
    }

    #[test]
    fn a_refusal_says_until_when_to_complain() {
        let Stage::Refused { appeal_until, .. } =
            captured().refuse(&involved(), by("approver"), "…".into(), TODAY).unwrap()
        else {
            panic!("not refused")
        };
        assert_eq!(appeal_until, date!(2027 - 02 - 20));
    }

    #[test]
    fn a_spoiled_chip_gives_the_application_back() {
        let approved = captured().approve(ONE, &involved(), by("approver"), seen_by("approver")).unwrap();
        let bound = approved.clone().bind(chip()).unwrap();
        assert_eq!(bound.clone().unbind().unwrap(), approved);
        assert_eq!(bound.personalize(card()).unwrap().unbind().unwrap(), approved);
    }

    #[test]
    fn what_became_a_card_cannot_be_cancelled() {
        let stage =
            captured().approve(ONE, &involved(), by("approver"), seen_by("approver")).unwrap().bind(chip()).unwrap();
        assert_eq!(stage.clone().cancel(by("x"), "…".into()).unwrap().name(), "cancelled");
        let card = stage.personalize(card()).unwrap();
        assert_eq!(card.cancel(by("x"), "…".into()).unwrap_err(), TransitionError::NotFrom("personalized"));
    }

    #[test]
    fn a_kind_is_answered_as_it_is_documented() {
        use {ChangeReason as C, ReissueReason as R};
        let changes = [C::AgeReached, C::Damaged, C::NameOrFeaturesChanged, C::SexOrOriginRedetermined];
        let changes = changes.into_iter().chain([C::ErrorOnCard, C::OnRequest]).map(Kind::Change);
        let reissues = [R::Lost, R::NationalityRegained].map(Kind::Reissue);
        for kind in changes.chain(reissues).chain([Kind::First]) {
            let answered: KindAndReason = serde_json::from_value(serde_json::json!(kind)).unwrap();
            assert_eq!((answered.kind, answered.reason.is_some()), (kind.which(), kind != Kind::First));
        }
    }

    #[test]
    fn stages_survive_the_store() {
        let approved = captured().approve(ONE, &involved(), by("approver"), seen_by("approver")).unwrap();
        for stage in [Stage::Registered, captured(), approved.bind(chip()).unwrap()] {
            let text = serde_json::to_string(&stage).unwrap();
            assert_eq!(serde_json::from_str::<Stage>(&text).unwrap(), stage);
        }
    }

    #[test]
    fn a_kind_fits_the_cards_that_a_person_has_and_had() {
        let judged = |kind: Kind, held| kind.judge(held, TODAY).map(|doubt| doubt.is_some()).ok();
        let (lost, age) = (Kind::Reissue(ReissueReason::Lost), Kind::Change(ChangeReason::AgeReached));
        let worn = Kind::Change(ChangeReason::Damaged);
        let valid = Held::Now { expires: Some(date!(2026 - 11 - 23)) };
        let due = Held::Now { expires: Some(TODAY) };
        let forever = Held::Now { expires: None };
        for (kind, never, once, of_valid, of_due, of_forever) in [
            (Kind::First, Some(false), None, Some(false), Some(false), Some(false)),
            (lost, Some(true), Some(false), None, None, None),
            (worn, Some(true), None, Some(false), Some(false), Some(false)),
            (age, Some(true), None, None, Some(false), None),
        ] {
            let expected =
                [(Held::Never, never), (Held::Once, once), (valid, of_valid), (due, of_due), (forever, of_forever)];
            for (held, expected) in expected {
                assert_eq!(judged(kind, held), expected, "{kind:?} {held:?}");
            }
        }
    }

    /// As a version before stored it, without salt.
    #[test]
    fn a_capture_of_before_is_still_read() {
        let golden = r#"{"stage":"captured","capture":{"taken":{"by":"0197a3f0-1234-7abc-8def-0123456789ab","at":"2026-11-22T08:00:00Z"},"portrait":"p","features":"f"}}"#;
        let stage: Stage = serde_json::from_str(golden).unwrap();
        assert_eq!(stage.capture_of().map(|capture| capture.salt), Some([0; 16]));
    }

    #[test]
    fn a_reason_belongs_to_its_kind() {
        assert_eq!(Kind::parse("first", None), Ok(Kind::First));
        assert_eq!(Kind::parse("change", Some("damaged")), Ok(Kind::Change(ChangeReason::Damaged)));
        assert_eq!(Kind::parse("reissue", Some("lost")), Ok(Kind::Reissue(ReissueReason::Lost)));
        for (kind, reason) in [("first", Some("lost")), ("change", None), ("reissue", Some("damaged")), ("x", None)] {
            assert_eq!(Kind::parse(kind, reason), Err(ApplicationError::Reason), "{kind} {reason:?}");
        }
    }

    #[test]
    fn fourteen_on_the_birthday() {
        let birth = "05/01/2012".parse().unwrap();
        assert_eq!(old_enough(birth, date!(2026 - 01 - 04)), Err(ApplicationError::TooYoung));
        assert_eq!(old_enough(birth, date!(2026 - 01 - 05)), Ok(()));
    }

    #[test]
    fn slips_are_read_as_people_write_them() {
        let slip = Slip::draw([0, 31, 32, 255, 4, 5, 6, 7, 8, 9]);
        assert_eq!(slip.0, "0Z0Z456789");
        assert!(slip.matches("0z0z-4567 89") && !slip.matches("0Z0Z456780"));
    }
}
