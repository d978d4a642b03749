//! The verbs of the register.

use serde_json::Value;
use thiserror::Error;
use time::{Date, Duration};

use super::check::{self, Declined};
use super::duplicates::steps::Alike;
use super::history::{Event, EventKind, Evidence, fields_of};
use super::model::{Claim, Declaration, Finding, Person, Registered};
use super::quality::Mark;
use super::{Register, duplicates, store};
use crate::deed::{Action, Deed, DeedError, Deeds, Object, Occasion, Purpose};
use crate::ground::actor::Registers;
use crate::ground::ids::{OfficerId, PartnerId, PersonId};
use crate::ground::{OfficeCode, Officer, OtherOffice};
use crate::store::StoreError;

/// Checks a declaration and registers the person. Returns the register's id and what the registrar should look at.
///
/// # Errors
/// [`PopulationError::Declined`] with everything that stands against it.
pub async fn declare(
    deed: &mut Deed<Officer>,
    register: &Register,
    declaration: &Declaration,
) -> Result<(PersonId, Vec<Finding>), PopulationError> {
    let entered = enter_declaration(deed, register, declaration).await?;
    Ok((entered.id, entered.findings))
}

/// As [`declare`], with the persons who are probably the same one.
///
/// # Errors
/// As [`declare`].
pub async fn enter_declaration(
    deed: &mut Deed<Officer>,
    register: &Register,
    declaration: &Declaration,
) -> Result<Entered, PopulationError> {
    let (person, findings) = check::examine(declaration, register.reference(), deed.today())?;
    enter(deed, register, &person, (findings, Evidence::of_declaration()), None).await
}

/// A person who entered the register.
#[derive(Debug)]
pub struct Entered {
    /// The register's id.
    pub id: PersonId,
    /// What the registrar should look at.
    pub findings: Vec<Finding>,
    /// Persons who are probably the same one.
    pub duplicates: Vec<Alike>,
}

/// Enters a person who was examined, with the declaration as the first event; it names the partner whose report an
/// officer decided about, else the one that reports.
///
/// # Errors
/// [`PopulationError::Store`]
pub async fn enter<A: Registers>(
    deed: &mut Deed<A>,
    register: &Register,
    person: &Person,
    (findings, evidence): (Vec<Finding>, Evidence),
    reported_by: Option<PartnerId>,
) -> Result<Entered, PopulationError> {
    let declared = Declared { reported_by, ..Declared::new(findings, evidence) };
    Ok(enter_as(deed, register, person, declared).await?)
}

/// What is known of a declaration that enters the register, beside the person.
pub(super) struct Declared {
    /// What was found in it.
    pub findings: Vec<Finding>,
    /// On what it rests.
    pub evidence: Evidence,
    /// The register's id; one is made if it is not given.
    pub id: Option<PersonId>,
    /// The office that registers the person; that of the acting officer if it is not given.
    pub office: Option<OfficeCode>,
    /// The officer who proposed it; the acting one if it is not given.
    pub proposed_by: Option<OfficerId>,
    /// The record from which this one was split.
    pub other: Option<PersonId>,
    /// Number of the paper form.
    pub form: Option<String>,
    /// The day on the form: as of that day the person is confirmed.
    pub declared_on: Option<Date>,
    /// The partner whose report it is, where an officer decided about it.
    pub reported_by: Option<PartnerId>,
}

impl Declared {
    /// Returns a declaration of today that the acting officer enters at the officer's own office.
    pub fn new(findings: Vec<Finding>, evidence: Evidence) -> Self {
        let (id, office, proposed_by, other, form, declared_on) = (None, None, None, None, None, None);
        Self { findings, evidence, id, office, proposed_by, other, form, declared_on, reported_by: None }
    }
}

/// As [`enter`]; with the office, the officer and the paper that the declaration is of.
pub(super) async fn enter_as<A: Registers>(
    deed: &mut Deed<A>,
    register: &Register,
    person: &Person,
    declared: Declared,
) -> Result<Entered, StoreError> {
    let Declared { mut findings, evidence, other, .. } = declared;
    store::hold_likeness(deed.tx(), person).await?;
    // Namesakes born on one day exist, so this does not stop the registrar; but a person declared twice must
    // not get two numbers unseen.
    let (duplicates, found) = duplicates::steps::of_declaration(deed, person).await?;
    findings.extend(found);
    let id = declared.id.unwrap_or_else(|| deed.id());
    let (by, today) = (deed.decision(), deed.today());
    let office = declared.office.unwrap_or_else(|| deed.actor().office().clone());
    let paper = (declared.form.as_deref(), declared.declared_on);
    store::insert(deed.tx(), id, &office, &by, (person, &findings[..]), paper).await?;
    let mark = Mark::of(person, &findings, register.reference(), declared.declared_on.unwrap_or(today));
    store::quality::enter(deed.tx(), id, &mark, today).await?;
    let event = Event {
        ordinal: 1,
        kind: EventKind::Declared,
        valid_from: None,
        proposed_by: declared.proposed_by.unwrap_or(by.by),
        recorded: by,
        evidence,
        declared: Some(Value::Object(fields_of(person))),
        changes: vec![],
        file: None,
        other,
        partner: declared.reported_by.or_else(|| deed.actor().partner()),
    };
    store::history::add(deed.tx(), id, &event).await?;
    deed.settle(id, &office).await?;
    deed.record(Action::PersonDeclared, Object::Person(id), Some(id), Purpose::Declaration).await?;
    Ok(Entered { id, findings, duplicates })
}

/// Reads a person: for an officer of the office that registered the person, or of one that has a case of the person.
/// The record names the case: that of the office, else the one that the officer gives.
///
/// # Errors
/// [`PopulationError::Unknown`], [`PopulationError::OtherOffice`]
pub async fn read(deed: &mut Deed<Officer>, id: PersonId, occasion: Occasion) -> Result<Registered, PopulationError> {
    let office = deed.actor().office.clone();
    let (registered, opened) = store::person_open_to(deed, id, &office).await?.ok_or(PopulationError::Unknown)?;
    if opened.is_none() {
        deed.actor().may_act_for(&registered.office)?;
    }
    let occasion = Occasion { case: opened.and_then(|opened| opened.0).or(occasion.case), ..occasion };
    deed.record_reading(Action::PersonRead, Object::Person(id), id, &registered.office, occasion).await?;
    Ok(registered)
}

/// Records that a person was found and is told of. Returns whether the officer may read the person without more.
pub(super) async fn found<A: Registers>(
    deed: &mut Deed<A>,
    registered: &Registered,
    occasion: Occasion,
) -> Result<bool, StoreError> {
    deed.saw(registered.id);
    deed.settle(registered.id, &registered.office).await?;
    let (object, person) = (Object::Person(registered.id), registered.id);
    deed.record_reading(Action::PersonFound, object, person, &registered.office, occasion).await?;
    Ok(deed.actor().may_act_for(&registered.office).is_ok())
}

/// Reads a person by a claim of the citizen, at any office: once, and without a right that lasts. `in_hand` are the
/// days of issue of the cards that the citizen has and that count.
///
/// # Errors
/// [`PopulationError::Unknown`], [`PopulationError::ClaimMismatch`]
pub async fn read_by_claim(
    deed: &mut Deed<Officer>,
    id: PersonId,
    claim: &Claim,
    in_hand: &[time::Date],
    occasion: Occasion,
) -> Result<Registered, PopulationError> {
    let registered = store::person(deed, id).await?.ok_or(PopulationError::Unknown)?;
    if !claim.tells_of(&registered, in_hand) {
        return Err(PopulationError::ClaimMismatch);
    }
    deed.record_reading(Action::PersonRead, Object::Person(id), id, &registered.office, occasion).await?;
    Ok(registered)
}

/// Refuses to open a case of a person whom another office registered, unless the citizen is there: tells number, date
/// of birth and name, or shows a card (`in_hand`: the days of issue of the cards that the citizen has and that count).
/// Which part is wrong is not said.
///
/// # Errors
/// [`PopulationError::ClaimNeeded`], [`PopulationError::ClaimMismatch`]
pub fn citizen_is_there(
    officer: &Officer,
    registered: &Registered,
    claim: Option<&Claim>,
    in_hand: &[time::Date],
) -> Result<(), PopulationError> {
    if officer.may_act_for(&registered.office).is_ok() {
        return Ok(());
    }
    let claim = claim.ok_or(PopulationError::ClaimNeeded)?;
    if claim.tells_of(registered, in_hand) { Ok(()) } else { Err(PopulationError::ClaimMismatch) }
}

/// Counts a claim before it is judged, so that a hundred at once are not one; [`claim_judged`] takes a right one back.
///
/// # Errors
/// [`PopulationError::ClaimTooSoon`] after three or more wrong ones in a row: a minute, then twice as long each time.
pub async fn begin_claim(deeds: &Deeds, officer: OfficerId) -> Result<(), PopulationError> {
    let now = deeds.source().now();
    let mut tx = deeds.db().begin_upkeep().await?;
    let (failures, last_at) = store::claims_locked(&mut tx, officer, now).await?;
    // The clock was ahead: the wait begins now.
    let last_at = if last_at > now + Duration::minutes(1) {
        store::count_claim(&mut tx, officer, failures, now).await?;
        tx.commit().await?;
        tx = deeds.db().begin_upkeep().await?;
        now
    } else {
        last_at
    };
    let failures = if now - last_at > CLAIMS_FORGOTTEN { 0 } else { failures };
    let doubled = failures.saturating_sub(CLAIMS_FREE).min(6);
    if failures >= CLAIMS_FREE && now < last_at + (CLAIM_WAIT * 2_i32.pow(doubled)).min(CLAIM_WAIT_MOST) {
        return Err(PopulationError::ClaimTooSoon);
    }
    store::count_claim(&mut tx, officer, failures + 1, now).await?;
    Ok(tx.commit().await?)
}

/// Ends a claim: a wrong one is a record about the person, whose own office sees it; another one does not count. It
/// ends no row of wrong ones, or an officer would guess between two openings that are in order.
///
/// # Errors
/// [`DeedError`]
pub async fn claim_judged(deeds: &Deeds, officer: &Officer, person: PersonId, right: bool) -> Result<(), DeedError> {
    if right {
        let mut tx = deeds.db().begin_upkeep().await?;
        store::uncount_claim(&mut tx, officer.id).await?;
        return Ok(tx.commit().await?);
    }
    let mut deed = deeds.open(officer.clone()).await?;
    deed.record(Action::ClaimRefused, Object::Person(person), Some(person), Purpose::Registration).await?;
    deed.commit().await
}

/// So many wrong claims in a row cost no time.
const CLAIMS_FREE: u32 = 3;
/// The wait after them; each further wrong claim doubles it …
const CLAIM_WAIT: Duration = Duration::minutes(1);
/// … up to this.
const CLAIM_WAIT_MOST: Duration = Duration::hours(1);
/// After so long without a claim the row ends.
const CLAIMS_FORGOTTEN: Duration = Duration::days(1);

/// Why the register does not do what was asked.
#[derive(Debug, Error)]
pub enum PopulationError {
    /// What the citizen claims is not what the register holds.
    #[error("the claim does not match")]
    ClaimMismatch,
    /// Another office registered the person, and the citizen is not shown to be there.
    #[error("a claim of the citizen is needed")]
    ClaimNeeded,
    /// Too many wrong claims in a row.
    #[error("wrong claims in a row: wait")]
    ClaimTooSoon,
    /// No person can be made of the declaration.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// The record is merged into this one.
    #[error("the record was merged into person {0}")]
    Merged(PersonId),
    /// Another office's person.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such person.
    #[error("person unknown")]
    Unknown,
}
