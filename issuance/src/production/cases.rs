//! Differences of the stock: each is a case with an owner, the stock keepers of an office, and a day by which two of
//! them settle it.

use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use time::{Date, Duration};
use utoipa::ToSchema;

use super::ends::lose;
use super::error::ProductionError;
use super::model::ChipState;
use super::store::cases as kept;
use super::{boxes, store};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{CaseId, StationId};
use crate::ground::text::tidy;
use crate::ground::{Decision, OfficeCode, Officer, Permission};
use crate::{access, offices};

/// What kind of difference it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaseKind {
    /// A chip was reported lost.
    Lost,
    /// A box came with other chips than were sent.
    Box,
    /// A station holds other chips than the ledger says.
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
            Self::Lost => &[CaseOutcome::Lost],
            Self::Box => &[CaseOutcome::Arrived, CaseOutcome::Returned, CaseOutcome::Lost],
            Self::Count => &[CaseOutcome::Explained, CaseOutcome::Lost],
            Self::Signed => &[CaseOutcome::Explained],
        }
    }
}

/// How a case ends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaseOutcome {
    /// The chips on the courier's account are at the office that the box was sent to.
    Arrived,
    /// The chips on the courier's account are at the office that sent the box.
    Returned,
    /// The missing chips are lost, and can become no card.
    Lost,
    /// The chips are where the ledger says; the reason says what was wrong with the count, or with what was signed.
    Explained,
    /// The lost chip was found.
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
    /// The chip, the box or the station.
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
    /// Whose stock keepers settle it.
    pub office: OfficeCode,
    /// `chip/…`, `stock-box/…` or `station/…`.
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
}

/// Opens a case: it is due on the third working day after this one.
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
    let today = deed.today();
    let calendar = offices::steps::calendar(deed.tx(), today.year(), today.year() + 1).await?;
    let due_on = calendar.add_working_days(today, TERM).unwrap_or(Date::MAX);
    let Difference { kind, office, subject, missing, extra } = difference;
    let case = Case {
        id: deed.id(),
        kind,
        office,
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
    };
    kept::insert(deed.tx(), &case).await?;
    let entry = Entry::new(Action::StockCaseOpened, Object::StockCase(case.id), Purpose::Stock);
    deed.enter(entry.with(subject).of(&case.office).because(kind.word())).await?;
    Ok(case.id)
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
    (case.state, case.outcome, case.reason) = (CaseState::Proposed, Some(outcome), Some(reason));
    case.proposed = Some(deed.decision());
    kept::decide(deed.tx(), &case).await?;
    let entry = Entry::new(Action::StockCaseProposed, Object::StockCase(id), Purpose::Stock);
    deed.enter(entry.of(&case.office).because(outcome.word())).await?;
    Ok(case)
}

/// Settles a case as another officer proposed in the last week; what follows for the chips is posted.
///
/// # Errors
/// [`ProductionError::CaseUnknown`], [`ProductionError::SecondOfficer`], [`ProductionError::ProposalStale`]
pub async fn confirm(deed: &mut Deed<Officer>, id: CaseId) -> Result<Case, ProductionError> {
    let mut case = unsettled(deed, id).await?;
    let proposed = case.proposed.clone().filter(|proposed| deed.at() < proposed.at + PROPOSAL_WAITS);
    let (proposed, outcome) = proposed.zip(case.outcome).ok_or(ProductionError::ProposalUnknown)?;
    if proposed.by == deed.actor().id {
        return Err(ProductionError::SecondOfficer);
    }
    still_keeps_stock(deed, &proposed, &case.office).await?;
    match (case.kind, outcome) {
        (CaseKind::Box | CaseKind::Count, CaseOutcome::Lost) => lose_missing(deed, &case).await?,
        (CaseKind::Box, outcome) => boxes::settle(deed, &case, outcome).await?,
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
    let post = access::post_of_officer(deed.tx(), proposed.by).await?;
    let keeps = post.is_some_and(|(at, roles)| {
        let may = roles.iter().any(|role| Permission::Stock.roles().contains(role));
        may && (at == *office || at == OfficeCode::national())
    });
    if keeps { Ok(()) } else { Err(ProductionError::ProposalStale) }
}

/// Enters as lost what is still where it was missing.
async fn lose_missing(deed: &mut Deed<Officer>, case: &Case) -> Result<(), ProductionError> {
    let by = case.proposed.as_ref().map(|proposed| Object::Officer(proposed.by).to_string()).unwrap_or_default();
    let evidence = Object::StockCase(case.id).to_string();
    let station: Option<StationId> = case.subject.strip_prefix("station/").and_then(|id| id.parse().ok());
    for serial in case.missing.iter().chain(&case.extra) {
        let Some(chip) = store::chip_locked(deed.tx(), serial).await? else { continue };
        let boxed = chip.boxed.is_some_and(|id| Object::StockBox(id).to_string() == case.subject);
        let is_blank =
            matches!(chip.state, ChipState::Delivered | ChipState::Initialised { .. } | ChipState::Bound { .. });
        // A card is on the courier's account only while it is shipped.
        let is_card = matches!(chip.state, ChipState::Personalized { .. });
        let at_station = station.is_some() && chip.custody == station && case.missing.contains(serial);
        if (is_blank && (boxed || at_station)) || (is_card && boxed) {
            let reason = case.reason.clone().unwrap_or_default();
            lose(deed, chip, reason, evidence.clone(), by.clone()).await?;
        }
    }
    Ok(())
}

/// Settles the case of a loss: the chip was found.
pub(super) async fn found(deed: &mut Deed<Officer>, serial: &CardSerial) -> Result<(), ProductionError> {
    let subject = Object::Chip(*serial).to_string();
    let Some(mut case) = kept::unsettled_about(deed.tx(), &subject).await? else { return Ok(()) };
    (case.state, case.outcome, case.settled) = (CaseState::Settled, Some(CaseOutcome::Found), Some(deed.decision()));
    kept::decide(deed.tx(), &case).await?;
    let entry = Entry::new(Action::StockCaseSettled, Object::StockCase(case.id), Purpose::Stock);
    deed.enter(entry.of(&case.office).because(CaseOutcome::Found.word())).await?;
    Ok(())
}

/// Returns a case that is not settled and is of the officer's office, kept from other writers.
async fn unsettled(deed: &mut Deed<Officer>, id: CaseId) -> Result<Case, ProductionError> {
    let case = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::CaseUnknown)?;
    deed.actor().may_act_for(&case.office)?;
    if case.state == CaseState::Settled { Err(ProductionError::CaseUnknown) } else { Ok(case) }
}

impl Case {
    /// True if it should have been settled before this day.
    #[must_use]
    pub fn is_overdue(&self, today: Date) -> bool {
        self.state != CaseState::Settled && self.due_on < today
    }
}

/// A case is settled within so many working days.
const TERM: u32 = 3;
/// A proposal that is not confirmed for so long is made anew.
pub(super) const PROPOSAL_WAITS: Duration = Duration::days(7);
