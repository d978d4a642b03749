//! Differences of the stock: each is a case with an owner, the stock keepers of an office, and a day by which two of
//! them settle it.

use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::{Date, Duration};
use utoipa::ToSchema;

use super::ends::{end_loss, lose};
use super::error::ProductionError;
use super::model::{Chip, ChipState};
use super::store::cases as kept;
use super::{boxes, store};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::CaseId;
use crate::ground::text::tidy;
use crate::ground::{Decision, OfficeCode, Officer, Permission};
use crate::{access, offices};

/// What kind of difference it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaseKind {
    /// A chip was reported lost.
    Lost,
    /// A box came with other chips than were sent, or was not received.
    Box,
    /// A station or a store room holds other chips than the ledger says.
    Count,
    /// What was signed for a chip and the card that it became disagree.
    Signed,
}

impl CaseKind {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Box => "box",
            Self::Count => "count",
            Self::Signed => "signed",
        }
    }

    /// How a case of this kind can end.
    const fn outcomes(self) -> &'static [CaseOutcome] {
        match self {
            Self::Lost => &[CaseOutcome::Lost, CaseOutcome::Found],
            Self::Box => &[CaseOutcome::Arrived, CaseOutcome::Returned, CaseOutcome::Lost],
            Self::Count => &[CaseOutcome::Explained, CaseOutcome::Lost, CaseOutcome::Found],
            Self::Signed => &[CaseOutcome::Explained],
        }
    }
}

/// How a case ends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaseOutcome {
    /// The chips are at the office that the box was sent to.
    Arrived,
    /// The chips are at the office that sent the box.
    Returned,
    /// The missing chips are lost, and can become no card.
    Lost,
    /// The chips are where the ledger says; the reason says what was wrong with the count, or with what was signed.
    Explained,
    /// The lost chip was found, or a later count found what was missing.
    Found,
}

impl CaseOutcome {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Returned => "returned",
            Self::Lost => "lost",
            Self::Explained => "explained",
            Self::Found => "found",
        }
    }
}

/// How far a case is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaseState {
    /// Nothing was proposed.
    Open,
    /// It waits for a second officer.
    Proposed,
    /// Two officers settled it.
    Settled,
}

impl CaseState {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Proposed => "proposed",
            Self::Settled => "settled",
        }
    }
}

/// A difference that was just found.
pub(super) struct Difference {
    pub kind: CaseKind,
    /// Whose stock keepers settle it.
    pub office: OfficeCode,
    /// Of a box, the office that sent it: its stock keepers settle it with the others.
    pub from: Option<OfficeCode>,
    /// The chip, the box, the station or, for its store room, the office.
    pub subject: Object,
    /// Chips that should be there.
    pub missing: Vec<CardSerial>,
    /// Chips that should not be there.
    pub extra: Vec<CardSerial>,
}

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Identifier.
    pub id: CaseId,
    /// What kind of difference it is.
    pub kind: CaseKind,
    /// Whose stock keepers settle it; of a box, the office that it was sent to.
    pub office: OfficeCode,
    /// Of a box, the office that sent it.
    pub from: Option<OfficeCode>,
    /// `chip/…`, `stock-box/…`, `station/…` or, for a store room, `unit/…`.
    pub subject: String,
    /// Chips that should be there.
    pub missing: Vec<CardSerial>,
    /// Chips that should not be there.
    pub extra: Vec<CardSerial>,
    /// The officer who met the difference (nil: the service itself), and when.
    pub opened: Decision,
    /// The day by which it is settled.
    pub due_on: Date,
    /// How far it is.
    pub state: CaseState,
    /// How it ends, as proposed or settled.
    pub outcome: Option<CaseOutcome>,
    /// Why, in the proposing officer's words.
    pub reason: Option<String>,
    /// The first of the two officers.
    pub proposed: Option<Decision>,
    /// The second of the two officers.
    pub settled: Option<Decision>,
    /// The digest of what signed and produced disagree about; none for other kinds.
    pub evidence: Option<String>,
}

/// Opens a case, as this officer's: it is due on the third working day after this one.
pub(super) async fn open(deed: &mut Deed<Officer>, difference: Difference) -> Result<CaseId, ProductionError> {
    let opened = deed.decision();
    open_by(deed, opened, difference).await
}

/// As [`open`], for what the service met itself: then no officer opened it.
pub(super) async fn open_by<A: Actor>(
    deed: &mut Deed<A>,
    opened: Decision,
    difference: Difference,
) -> Result<CaseId, ProductionError> {
    open_for(deed, opened, difference, None).await
}

/// As [`open_by`], for a difference that is known again by its digest.
pub(super) async fn open_for<A: Actor>(
    deed: &mut Deed<A>,
    opened: Decision,
    difference: Difference,
    evidence: Option<String>,
) -> Result<CaseId, ProductionError> {
    let today = deed.today();
    let calendar = offices::steps::calendar(deed.tx(), today.year(), today.year() + 1).await?;
    let due_on = calendar.add_working_days(today, TERM).unwrap_or(Date::MAX);
    let Difference { kind, office, from, subject, missing, extra } = difference;
    let case = Case {
        id: deed.id(),
        kind,
        office,
        from,
        subject: subject.to_string(),
        missing,
        extra,
        opened,
        due_on,
        state: CaseState::Open,
        outcome: None,
        reason: None,
        proposed: None,
        settled: None,
        evidence,
    };
    kept::insert(deed.tx(), &case).await?;
    let entry = Entry::new(Action::StockCaseOpened, Object::StockCase(case.id), Purpose::Stock);
    deed.enter(entry.with(subject).of(&case.office).because(kind.word())).await?;
    Ok(case.id)
}

/// A later look at the same thing found another difference, which takes the place of the former: what was proposed is
/// proposed anew. The same difference changes nothing.
pub(super) async fn look_again(
    deed: &mut Deed<Officer>,
    mut case: Case,
    missing: Vec<CardSerial>,
    extra: Vec<CardSerial>,
) -> Result<CaseId, ProductionError> {
    if (&case.missing, &case.extra) != (&missing, &extra) {
        (case.missing, case.extra) = (missing, extra);
        (case.state, case.outcome, case.reason, case.proposed) = (CaseState::Open, None, None, None);
        kept::decide(deed.tx(), &case).await?;
        let entry = Entry::new(Action::StockCaseOpened, Object::StockCase(case.id), Purpose::Stock);
        deed.enter(entry.of(&case.office).because("another difference was found")).await?;
    }
    Ok(case.id)
}

/// A later look found all: with the officer who opened the case two have looked, and it is settled. One alone
/// proposes it.
pub(super) async fn all_there(
    deed: &mut Deed<Officer>,
    mut case: Case,
    outcome: CaseOutcome,
) -> Result<(), ProductionError> {
    let reason = "a later count found all";
    if deed.actor().is_one_with(case.opened.by) {
        return propose_for(deed, &mut case, outcome, reason.to_owned()).await;
    }
    end(deed, case, outcome, reason).await
}

/// A chip that the cases about this box miss came with another one: they are about it no more, and what was proposed is
/// proposed anew. One that is about nothing else is settled with it.
pub(super) async fn came_elsewhere(
    deed: &mut Deed<Officer>,
    subject: &str,
    serial: &CardSerial,
) -> Result<(), ProductionError> {
    for case in kept::unsettled_about(deed.tx(), subject).await? {
        let missing: Vec<CardSerial> = case.missing.iter().copied().filter(|missed| missed != serial).collect();
        let extra = case.extra.clone();
        if missing.is_empty() && extra.is_empty() {
            end(deed, Case { missing, ..case }, CaseOutcome::Arrived, "it came with another parcel").await?;
        } else {
            look_again(deed, case, missing, extra).await?;
        }
    }
    Ok(())
}

/// Settles a case because nothing is left of what it was about.
pub(super) async fn end(
    deed: &mut Deed<Officer>,
    mut case: Case,
    outcome: CaseOutcome,
    reason: &str,
) -> Result<(), ProductionError> {
    (case.state, case.outcome, case.reason) = (CaseState::Settled, Some(outcome), Some(reason.to_owned()));
    case.settled = Some(deed.decision());
    kept::decide(deed.tx(), &case).await?;
    let entry = Entry::new(Action::StockCaseSettled, Object::StockCase(case.id), Purpose::Stock);
    deed.enter(entry.of(&case.office).because(outcome.word())).await?;
    Ok(())
}

/// Proposes how a case ends. Proposed again, the later proposal counts.
///
/// # Errors
/// [`ProductionError::CaseUnknown`], also for what is settled; [`ProductionError::CaseOutcome`]
pub async fn propose(
    deed: &mut Deed<Officer>,
    id: CaseId,
    outcome: CaseOutcome,
    reason: &str,
) -> Result<Case, ProductionError> {
    let mut case = unsettled(deed, id).await?;
    if !case.kind.outcomes().contains(&outcome) {
        return Err(ProductionError::CaseOutcome);
    }
    let reason = tidy(reason).ok_or(ProductionError::EvidenceMissing)?;
    propose_for(deed, &mut case, outcome, reason).await?;
    Ok(case)
}

/// Writes down what an officer who may settle a case proposes.
pub(super) async fn propose_for(
    deed: &mut Deed<Officer>,
    case: &mut Case,
    outcome: CaseOutcome,
    reason: String,
) -> Result<(), ProductionError> {
    (case.state, case.outcome, case.reason) = (CaseState::Proposed, Some(outcome), Some(reason));
    case.proposed = Some(deed.decision());
    kept::decide(deed.tx(), case).await?;
    let entry = Entry::new(Action::StockCaseProposed, Object::StockCase(case.id), Purpose::Stock);
    deed.enter(entry.of(&case.office).because(outcome.word())).await?;
    Ok(())
}

/// Settles a case as another officer proposed in the last week; what follows for the chips is posted. The officer says
/// what was read, by the [digest](Case::digest) of the proposal. A case of a box is settled by one officer of each of
/// the two offices: neither decides alone what the other one has.
///
/// # Errors
/// [`ProductionError::CaseUnknown`], [`ProductionError::SecondOfficer`], [`ProductionError::ProposalStale`],
/// [`ProductionError::ProposalChanged`] where it was proposed otherwise since, [`ProductionError::OtherSide`]
pub async fn confirm(deed: &mut Deed<Officer>, id: CaseId, digest: &str) -> Result<Case, ProductionError> {
    let mut case = unsettled(deed, id).await?;
    let proposed = case.proposed.clone().filter(|proposed| deed.at() < proposed.at + PROPOSAL_WAITS);
    let (proposed, outcome) = proposed.zip(case.outcome).ok_or(ProductionError::ProposalUnknown)?;
    if deed.actor().is_one_with(proposed.by) {
        return Err(ProductionError::SecondOfficer);
    }
    if case.digest().as_deref() != Some(digest) {
        return Err(ProductionError::ProposalChanged);
    }
    let first = keeper_now(deed, &proposed).await?.and_then(|office| case.side(&office));
    let first = first.ok_or(ProductionError::ProposalStale)?;
    if case.kind == CaseKind::Box {
        let second = case.side(&deed.actor().office).ok_or(ProductionError::OtherSide)?;
        if let (Side::Sender, Side::Sender) | (Side::Receiver, Side::Receiver) = (first, second) {
            return Err(ProductionError::OtherSide);
        }
    }
    match (case.kind, outcome) {
        (CaseKind::Count, CaseOutcome::Lost) => lose_missing(deed, &case).await?,
        (CaseKind::Box, outcome) => {
            if outcome == CaseOutcome::Lost {
                lose_missing(deed, &case).await?;
            }
            boxes::settle(deed, &case, outcome).await?;
        }
        (CaseKind::Lost, CaseOutcome::Found) => end_loss(deed, &case).await?,
        (CaseKind::Lost | CaseKind::Count | CaseKind::Signed, _) => {}
    }
    (case.state, case.settled) = (CaseState::Settled, Some(deed.decision()));
    kept::decide(deed.tx(), &case).await?;
    let entry = Entry::new(Action::StockCaseSettled, Object::StockCase(id), Purpose::Stock);
    deed.enter(entry.of(&case.office).because(outcome.word())).await?;
    Ok(case)
}

/// The officer who proposed something must still keep the stock of this office.
pub(super) async fn still_keeps_stock(
    deed: &mut Deed<Officer>,
    proposed: &Decision,
    office: &OfficeCode,
) -> Result<(), ProductionError> {
    let at = keeper_now(deed, proposed).await?;
    let keeps = at.is_some_and(|at| at == *office || at == OfficeCode::national());
    if keeps { Ok(()) } else { Err(ProductionError::ProposalStale) }
}

/// Returns the office whose stock the officer who proposed something keeps now; none for one who left, or keeps no
/// stock any more.
async fn keeper_now(deed: &mut Deed<Officer>, proposed: &Decision) -> Result<Option<OfficeCode>, ProductionError> {
    let post = access::post_of_officer(deed.tx(), proposed.by).await?;
    let keeps = |(_, roles): &(OfficeCode, Vec<_>)| roles.iter().any(|role| Permission::Stock.roles().contains(role));
    Ok(post.filter(keeps).map(|(office, _)| office))
}

/// For which of the two offices of a box an officer speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    /// The office that sent it.
    Sender,
    /// The office that it was sent to.
    Receiver,
    /// The national office stands for either, where it is neither.
    Either,
}

/// Enters as lost what is still where it was missing.
async fn lose_missing(deed: &mut Deed<Officer>, case: &Case) -> Result<(), ProductionError> {
    let by = case.proposed.as_ref().map(|proposed| Object::Officer(proposed.by).to_string()).unwrap_or_default();
    let evidence = Object::StockCase(case.id).to_string();
    for serial in case.missing.iter().chain(&case.extra) {
        let Some(chip) = store::chip_locked(deed.tx(), serial).await? else { continue };
        let boxed = chip.boxed.is_some_and(|id| Object::StockBox(id).to_string() == case.subject);
        let is_blank =
            matches!(chip.state, ChipState::Delivered | ChipState::Initialised { .. } | ChipState::Bound { .. });
        // A card is on the courier's account only while it is shipped.
        let is_card = matches!(chip.state, ChipState::Personalized { .. });
        let at_place = chip.boxed.is_none() && place_of(&chip) == case.subject && case.missing.contains(serial);
        if (is_blank && (boxed || at_place)) || (is_card && boxed) {
            // Another office counted it: what is there is not lost.
            if kept::counts_too_many(deed.tx(), case.id, serial).await? {
                let source = Box::new(ProductionError::CountedElsewhere);
                return Err(ProductionError::OfChip { serial: *serial, source });
            }
            let reason = case.reason.clone().unwrap_or_default();
            lose(deed, chip, reason, evidence.clone(), by.clone()).await?;
        }
    }
    Ok(())
}

/// The chip of a count that was missing is found: a case that is about nothing else any more is settled with it.
pub(super) async fn found(deed: &mut Deed<Officer>, found: &Chip) -> Result<(), ProductionError> {
    for case in kept::unsettled_about(deed.tx(), &place_of(found)).await? {
        if case.extra.is_empty() && case.missing == [found.serial] {
            end(deed, case, CaseOutcome::Found, "what was missing was found").await?;
        }
    }
    Ok(())
}

/// The station that holds a chip or, for its store room, the office: what a count of it is about.
fn place_of(chip: &Chip) -> String {
    let store_room = || Object::Unit(chip.office.to_string());
    chip.custody.map_or_else(store_room, Object::Station).to_string()
}

/// Returns a case that is not settled and is of the officer's office, kept from other writers.
async fn unsettled(deed: &mut Deed<Officer>, id: CaseId) -> Result<Case, ProductionError> {
    let mut case = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::CaseUnknown)?;
    if case.kind == CaseKind::Box && case.from.is_none() {
        // A case of before: the box says who sent it.
        case.from = boxes::of_case(deed, &case).await?.map(|boxed| boxed.from);
    }
    if case.side(&deed.actor().office).is_none() {
        deed.actor().may_act_for(&case.office)?;
    }
    if case.state == CaseState::Settled { Err(ProductionError::CaseUnknown) } else { Ok(case) }
}

impl Case {
    /// True if it should have been settled before this day.
    #[must_use]
    pub fn is_overdue(&self, today: Date) -> bool {
        self.state != CaseState::Settled && self.due_on < today
    }

    /// Names what was proposed: how the case ends, why, by whom and when, and for which chips. It is what the second
    /// officer read. None where nothing is proposed.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        let ((outcome, reason), proposed) = self.outcome.zip(self.reason.as_deref()).zip(self.proposed.as_ref())?;
        let chips = |serials: &[CardSerial]| serials.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let (missing, extra, at) =
            (chips(&self.missing), chips(&self.extra), proposed.at.unix_timestamp_nanos() / 1_000);
        let of = [self.id.to_string(), outcome.word().to_owned(), proposed.by.to_string(), at.to_string()];
        let mut hash = Sha256::new();
        for part in of.iter().map(String::as_str).chain([missing.as_str(), &extra, reason]) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Some(hex::encode(hash.finalize()))
    }

    /// For which of the two offices of a box, or that the one office of another case, an officer of this office speaks.
    fn side(&self, office: &OfficeCode) -> Option<Side> {
        if *office == self.office {
            Some(Side::Receiver)
        } else if self.from.as_ref() == Some(office) {
            Some(Side::Sender)
        } else {
            (*office == OfficeCode::national()).then_some(Side::Either)
        }
    }
}

/// A case is settled within so many working days.
const TERM: u32 = 3;
/// A proposal that is not confirmed for so long is made anew.
pub(super) const PROPOSAL_WAITS: Duration = Duration::days(7);
