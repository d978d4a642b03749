//! Merge and split: two records of one person become one, a wrong merge is undone, and a record that holds two people's
//! declarations becomes two. One officer proposes with evidence, another applies (ADR 0031).
//!
//! No record and no event is deleted. Of a merge the other record points to the survivor and is in force no more; its
//! history stays, and so does its number, cancelled and never given again. What follows for cards and applications
//! follows in the same transaction, as with every change of the register.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use utoipa::ToSchema;

use super::change::{ChangeError, applied, examined, of_office, proposer_stands, province_stays, still_found};
use super::history::{self, ChangeUnfit, Event, EventKind, Evidence, FieldChange};
use super::model::{Declaration, Finding, Person, Registered};
use super::quality::Mark;
use super::steps::{self, Declared};
use super::store::{history as store_history, merge as store};
use super::{Register, check, duplicates};
use crate::deed::{Action, Consequences, Deed, Entry, Object, Objection, Purpose, RegisterEvent};
use crate::ground::ids::{MergeId, PersonId};
use crate::ground::{Decision, OfficeCode, Officer, OtherOffice};
use crate::store::StoreError;

/// What becomes of the records.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MergeKind {
    /// Two records of one person: one survives.
    Merge,
    /// A merge was wrong: both records stand again.
    Undo,
    /// One record holds two people's declarations: the second gets a record of its own.
    Split,
}

impl MergeKind {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Undo => "undo",
            Self::Split => "split",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Merge, Self::Undo, Self::Split].into_iter().find(|kind| kind.word() == word)
    }
}

/// A merge or a split that waits for a second officer, or that one ended.
#[derive(Clone)]
pub struct ProposedMerge {
    /// Identifier.
    pub id: MergeId,
    /// What becomes of the records.
    pub kind: MergeKind,
    /// The record that survives; of a split the one that there is.
    pub person: PersonId,
    /// The record that is merged, or stands again; none for a split.
    pub other: Option<PersonId>,
    /// The office of the record that survives.
    pub office: OfficeCode,
    /// On what it rests.
    pub evidence: Evidence,
    /// What changes in the record that survives.
    pub changes: Vec<FieldChange>,
    /// What the second person of a split declares.
    pub declaration: Option<Declaration>,
    /// Events of the record that survives, as the proposal saw it.
    pub person_events: u32,
    /// Events of the other one.
    pub other_events: Option<u32>,
    /// The officer who proposed it.
    pub proposed: Decision,
    /// `open`, `applied` or `withdrawn`.
    pub state: String,
    /// The officer who ended it.
    pub ended: Option<Decision>,
}

/// Shows what and whom, and no value.
impl fmt::Debug for ProposedMerge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProposedMerge({} {} {:?})", self.kind.word(), self.person, self.other)
    }
}

/// What was proposed, and what would follow.
#[derive(Debug)]
pub struct Proposal {
    /// Identifier.
    pub id: MergeId,
    /// What changes in the record that survives.
    pub changes: Vec<FieldChange>,
    /// What an officer should look at in the records that would be.
    pub findings: Vec<Finding>,
    /// What would follow for the record that survives.
    pub consequences: Consequences,
    /// What would follow for the other one.
    pub of_other: Consequences,
}

/// Proposes that two records are of one person. `person` survives, and takes over these fields of the other one.
///
/// # Errors
/// [`MergeError`]
pub async fn propose_merge(
    deed: &mut Deed<Officer>,
    register: &Register,
    person: PersonId,
    other: PersonId,
    take: &[String],
    evidence: Evidence,
) -> Result<Proposal, MergeError> {
    let (survivor, merged) = both(deed, person, other).await?;
    number_survives(&survivor, &merged)?;
    let mut record = history::fields_of(&survivor.person);
    let of_other = history::fields_of(&merged.person);
    for field in take {
        let value = of_other.get(field).ok_or_else(|| MergeUnfit::Field(field.clone()))?;
        record.insert(field.clone(), value.clone());
    }
    let wanted = record_of(record)?;
    let of_other = Consequences { merged_into: Some(person), ..Consequences::default() };
    let other = Some((other, of_other));
    propose(deed, register, MergeKind::Merge, &survivor, wanted, other, None, evidence).await
}

/// Proposes that a merge was wrong: `person`, which is merged into another record, stands on its own again, and the
/// survivor gives back what it took over, as far as it still holds it.
///
/// # Errors
/// [`MergeError`]
pub async fn propose_undo(
    deed: &mut Deed<Officer>,
    register: &Register,
    person: PersonId,
    evidence: Evidence,
) -> Result<Proposal, MergeError> {
    let merged = super::store::person(deed, person).await?.ok_or(ChangeError::PersonUnknown)?;
    let into = merged.merged_into.ok_or(MergeUnfit::NotMerged)?;
    let survivor = of_office(deed, into).await?;
    let merged = super::store::person_locked(deed, person).await?.ok_or(ChangeError::PersonUnknown)?;
    deed.actor().may_act_for(&merged.office)?;
    let events = store_history::events(deed, into).await?;
    let absorbed = events.iter().rfind(|event| event.kind == EventKind::Absorbed && event.other == Some(person));
    let mut record = history::fields_of(&survivor.person);
    for change in absorbed.map(|event| &event.changes[..]).unwrap_or_default() {
        // What was changed since rests on evidence of its own.
        if record.get(&change.field) == Some(&change.after) {
            record.insert(change.field.clone(), change.before.clone());
        }
    }
    let wanted = record_of(record)?;
    let of_other = Consequences { restored: true, ..Consequences::default() };
    propose(deed, register, MergeKind::Undo, &survivor, wanted, Some((person, of_other)), None, evidence).await
}

/// Proposes that a record holds two people's declarations: the second person declares anew and gets a record, and
/// these fields of the first one's are put right.
///
/// # Errors
/// [`MergeError`]
pub async fn propose_split(
    deed: &mut Deed<Officer>,
    register: &Register,
    person: PersonId,
    declaration: Declaration,
    fields: &Map<String, Value>,
    evidence: Evidence,
) -> Result<Proposal, MergeError> {
    let registered = of_office(deed, person).await?;
    let wanted = if fields.is_empty() {
        registered.person.clone()
    } else {
        examined(register, deed, &registered, EventKind::Corrected, fields)?.0
    };
    let second = Some(declaration);
    propose(deed, register, MergeKind::Split, &registered, wanted, None, second, evidence).await
}

/// Judges the records that would be, and keeps the proposal.
#[expect(clippy::too_many_arguments, reason = "three verbs end here, each with its own part")]
async fn propose(
    deed: &mut Deed<Officer>,
    register: &Register,
    kind: MergeKind,
    survivor: &Registered,
    wanted: Person,
    other: Option<(PersonId, Consequences)>,
    declaration: Option<Declaration>,
    evidence: Evidence,
) -> Result<Proposal, MergeError> {
    let (after, mut findings) = judged(register, deed, survivor, &wanted)?;
    if let Some(second) = &declaration {
        let second = check::examine(second, register.reference(), deed.today()).map_err(ChangeError::from)?;
        findings.extend(second.1);
    }
    let changes = history::difference(&survivor.person, &after);
    let other_id = other.map(|(id, _)| id);
    let other_events = match other_id {
        Some(other) => Some(store_history::count(deed.tx(), other).await?),
        None => None,
    };
    let proposed = ProposedMerge {
        id: deed.id(),
        kind,
        person: survivor.id,
        other: other_id,
        office: survivor.office.clone(),
        evidence,
        changes,
        declaration,
        person_events: store_history::count(deed.tx(), survivor.id).await?,
        other_events,
        proposed: deed.decision(),
        state: "open".to_owned(),
        ended: None,
    };
    store::propose(deed.tx(), &proposed).await?;
    told(deed, Action::PersonMergeProposed, &proposed).await?;
    let state = register.reference().state();
    let consequences = history::consequences(&survivor.person, &after, state);
    let of_other = other.map_or_else(Consequences::default, |(_, consequences)| consequences);
    Ok(Proposal { id: proposed.id, changes: proposed.changes, findings, consequences, of_other })
}

/// Applies a merge or a split that another officer proposed. Returns the record that was made, of a split.
///
/// # Errors
/// [`ChangeError::SameOfficer`]; [`ChangeError::Stale`] if one of the records changed meanwhile; [`MergeError`]
pub async fn apply(deed: &mut Deed<Officer>, register: &Register, id: MergeId) -> Result<Option<PersonId>, MergeError> {
    let proposed = open_merge(deed, id).await?;
    if deed.actor().is_one_with(proposed.proposed.by) {
        return Err(ChangeError::SameOfficer.into());
    }
    proposer_stands(deed, proposed.proposed.by, &proposed.office).await?;
    let (survivor, other) = match (proposed.kind, proposed.other) {
        (MergeKind::Merge, Some(other)) => {
            let (survivor, merged) = both(deed, proposed.person, other).await?;
            // A number is no event: one that was established meanwhile makes no proposal stale.
            number_survives(&survivor, &merged)?;
            (survivor, Some(merged))
        }
        (MergeKind::Undo, Some(other)) => {
            let survivor = of_office(deed, proposed.person).await?;
            let merged = super::store::person_locked(deed, other).await?.ok_or(ChangeError::PersonUnknown)?;
            deed.actor().may_act_for(&merged.office)?;
            if merged.merged_into != Some(survivor.id) {
                return Err(MergeUnfit::NotMerged.into());
            }
            (survivor, Some(merged))
        }
        _ => (of_office(deed, proposed.person).await?, None),
    };
    let mut seen = store_history::count(deed.tx(), survivor.id).await? == proposed.person_events;
    if let Some(other) = &other {
        seen &= Some(store_history::count(deed.tx(), other.id).await?) == proposed.other_events;
    }
    if !seen {
        return Err(ChangeError::Stale("record".to_owned()).into());
    }
    let after = applied(&survivor.person, &proposed.changes)?;
    let (after, mut findings) = judged(register, deed, &survivor, &after)?;
    super::store::hold_likeness(deed.tx(), &after).await?;
    let kind = proposed.kind;
    let second = proposed.declaration.as_ref().filter(|_| kind == MergeKind::Split);
    let second = second.map(|declaration| (deed.id(), declaration));
    let of_other = match (&other, kind) {
        (Some(merged), MergeKind::Merge) => {
            store::merge(deed.tx(), merged.id, survivor.id).await?;
            let by = deed.decision();
            store_history::withdraw_open(deed.tx(), merged.id, &by).await?;
            Some((merged, EventKind::Merged, Consequences { merged_into: Some(survivor.id), ..Default::default() }))
        }
        (Some(merged), _) => {
            store::restore(deed.tx(), merged.id).await?;
            Some((merged, EventKind::Restored, Consequences { restored: true, ..Default::default() }))
        }
        (None, _) => None,
    };
    findings.extend(still_found(deed.tx(), &survivor, &after).await?);
    if duplicates::steps::doubt(deed.tx(), survivor.id, &after).await?.is_some() {
        findings.push(Finding::perhaps_declared_before());
    }
    let event_kind = match kind {
        MergeKind::Merge => EventKind::Absorbed,
        MergeKind::Undo => EventKind::Released,
        MergeKind::Split => EventKind::Divided,
    };
    let second_id = second.map(|(id, _)| id);
    let beside = second_id.or(proposed.other);
    let changes = history::difference(&survivor.person, &after);
    add(deed, &proposed, &survivor, (event_kind, beside, changes.clone()), &after, &findings).await?;
    let mark = Mark::of(&after, &findings, register.reference(), deed.today());
    super::store::quality::put(deed.tx(), survivor.id, &mark).await?;
    if let Some((merged, kind, _)) = &of_other {
        let unchanged = (*kind, Some(survivor.id), vec![]);
        add(deed, &proposed, merged, unchanged, &merged.person, &merged.findings).await?;
        let mark = Mark::of(&merged.person, &merged.findings, register.reference(), deed.today());
        let mark = if *kind == EventKind::Merged { mark.uncounted() } else { mark };
        super::store::quality::put(deed.tx(), merged.id, &mark).await?;
    }
    if let Some((id, declaration)) = second {
        // After the survivor's record was put right, so that the two are not taken for one person.
        part(deed, register, &proposed, (id, declaration)).await?;
    }
    let by = deed.decision();
    store::end(deed.tx(), id, "applied", &by).await?;
    let action = if kind == MergeKind::Merge { Action::PersonMerged } else { Action::PersonSplit };
    told(deed, action, &proposed).await?;
    if let Some((merged, _, consequences)) = of_other {
        deed.publish(RegisterEvent { person: merged.id, consequences }).await?;
    }
    let state = register.reference().state();
    let consequences = history::consequences(&survivor.person, &after, state);
    deed.publish(RegisterEvent { person: survivor.id, consequences }).await?;
    Ok(second_id)
}

/// Takes a proposal back: the officer who made it, or another one who looked at it and disagrees.
///
/// # Errors
/// [`MergeError`]
pub async fn withdraw(deed: &mut Deed<Officer>, id: MergeId) -> Result<(), MergeError> {
    let proposed = open_merge(deed, id).await?;
    let by = deed.decision();
    store::end(deed.tx(), id, "withdrawn", &by).await?;
    told(deed, Action::PersonMergeWithdrawn, &proposed).await?;
    Ok(())
}

/// Turns a proposal down, for a reason that stands in the trail.
///
/// # Errors
/// [`MergeError`]
pub async fn turn_down(deed: &mut Deed<Officer>, id: MergeId, reason: &str) -> Result<(), MergeError> {
    let proposed = open_merge(deed, id).await?;
    let by = deed.decision();
    store::end(deed.tx(), id, "withdrawn", &by).await?;
    for person in [Some(proposed.person), proposed.other].into_iter().flatten() {
        let entry = Entry::new(Action::PersonMergeWithdrawn, Object::Person(person), Purpose::Update);
        deed.enter(entry.about(person).of(&proposed.office).because(reason)).await?;
    }
    Ok(())
}

/// What a second officer looks at before records are merged or split.
#[derive(Debug)]
pub struct Weighed {
    /// The proposal.
    pub proposed: ProposedMerge,
    /// The record that survives, or is split.
    pub survivor: Registered,
    /// The other record.
    pub other: Option<Registered>,
    /// What would follow for the record that survives; `None` where the proposal can no longer be applied.
    pub consequences: Option<Consequences>,
    /// What would follow for the other one.
    pub of_other: Consequences,
}

/// Reads a proposed merge or split with both records, and says what would follow. The reading is a record about each
/// person.
///
/// # Errors
/// [`MergeError`]
pub async fn weigh(deed: &mut Deed<Officer>, register: &Register, id: MergeId) -> Result<Weighed, MergeError> {
    let proposed = store::proposed_locked(deed.tx(), id).await?.ok_or(MergeError::Unknown)?;
    deed.actor().may_act_for(&proposed.office)?;
    let survivor = super::store::person(deed, proposed.person).await?.ok_or(ChangeError::PersonUnknown)?;
    let other = match proposed.other {
        Some(other) => super::store::person(deed, other).await?,
        None => None,
    };
    told(deed, Action::PersonRead, &proposed).await?;
    let after = applied(&survivor.person, &proposed.changes).ok();
    let state = register.reference().state();
    let consequences = after.map(|after| history::consequences(&survivor.person, &after, state));
    let of_other = match proposed.kind {
        MergeKind::Merge => Consequences { merged_into: Some(survivor.id), ..Consequences::default() },
        MergeKind::Undo => Consequences { restored: true, ..Consequences::default() },
        MergeKind::Split => Consequences::default(),
    };
    Ok(Weighed { proposed, survivor, other, consequences, of_other })
}

/// Returns a page of the merges and splits of an office that wait for a second officer, oldest first, each with whether
/// its row is to be believed. Of the persons nothing is answered but that something waits.
///
/// # Errors
/// [`StoreError`]
pub async fn waiting(
    deed: &mut Deed<Officer>,
    after: MergeId,
    most: i64,
) -> Result<Vec<(crate::store::Record, bool)>, StoreError> {
    let office = deed.actor().office.clone();
    let rows = store::open(deed.tx(), &office, after, most).await?;
    let asked = Object::Asked("register-merges".into());
    deed.enter(Entry::new(Action::PersonsSought, asked, Purpose::Update).of(&office)).await?;
    Ok(rows)
}

/// Returns a proposed merge or split, whatever became of it. The reading is a record about each person.
///
/// # Errors
/// [`MergeError`]
pub async fn read(deed: &mut Deed<Officer>, id: MergeId) -> Result<ProposedMerge, MergeError> {
    let proposed = store::proposed_locked(deed.tx(), id).await?.ok_or(MergeError::Unknown)?;
    deed.actor().may_act_for(&proposed.office)?;
    told(deed, Action::PersonRead, &proposed).await?;
    Ok(proposed)
}

/// Enters the second person of a split, at the office of the record that was split and by the word of the officer who
/// proposed it.
async fn part(
    deed: &mut Deed<Officer>,
    register: &Register,
    proposed: &ProposedMerge,
    (id, declaration): (PersonId, &Declaration),
) -> Result<(), MergeError> {
    let examined = check::examine(declaration, register.reference(), deed.today());
    let (person, findings) = examined.map_err(ChangeError::from)?;
    let declared = Declared {
        id: Some(id),
        office: Some(proposed.office.clone()),
        proposed_by: Some(proposed.proposed.by),
        other: Some(proposed.person),
        ..Declared::new(findings, proposed.evidence.clone())
    };
    Box::pin(steps::enter_as(deed, register, &person, declared)).await?;
    Ok(())
}

/// Adds the event of a merge or split to a person's history, with the record that follows.
async fn add(
    deed: &mut Deed<Officer>,
    proposed: &ProposedMerge,
    before: &Registered,
    (kind, other, changes): (EventKind, Option<PersonId>, Vec<FieldChange>),
    after: &Person,
    findings: &[Finding],
) -> Result<(), StoreError> {
    let ordinal = store_history::count(deed.tx(), before.id).await? + 1;
    let event = Event {
        ordinal,
        kind,
        valid_from: None,
        proposed_by: proposed.proposed.by,
        recorded: deed.decision(),
        evidence: proposed.evidence.clone(),
        declared: None,
        changes,
        file: None,
        other,
        partner: None,
    };
    store_history::add(deed.tx(), before.id, &event).await?;
    store_history::set_record(deed.tx(), before.id, (&before.person, after), findings, ordinal).await
}

/// A record about each person of a proposal.
async fn told(deed: &mut Deed<Officer>, action: Action, proposed: &ProposedMerge) -> Result<(), StoreError> {
    let persons = [Some(proposed.person), proposed.other];
    for person in persons.into_iter().flatten() {
        let entry = Entry::new(action, Object::Person(person), Purpose::Update).about(person);
        let beside = persons.into_iter().flatten().find(|one| *one != person).map(Object::Person);
        let entry = Entry { related: beside, ..entry.of(&proposed.office) };
        deed.enter(entry.because(proposed.kind.word())).await?;
    }
    Ok(())
}

/// Judges the record that survives, as a declaration of today.
fn judged(
    register: &Register,
    deed: &Deed<Officer>,
    survivor: &Registered,
    wanted: &Person,
) -> Result<(Person, Vec<Finding>), MergeError> {
    let declared = Declaration::from(wanted);
    let has_number = survivor.personal_number.is_some();
    history::check_number(&survivor.person, has_number, EventKind::Corrected, &declared)?;
    let examined = check::examine(&declared, register.reference(), deed.today());
    let (after, mut findings) = examined.map_err(ChangeError::from)?;
    findings.extend(province_stays(survivor, &after));
    Ok((after, findings))
}

fn record_of(record: Map<String, Value>) -> Result<Person, MergeError> {
    serde_json::from_value(Value::Object(record)).map_err(|_| ChangeError::Stale("record".to_owned()).into())
}

async fn open_merge(deed: &mut Deed<Officer>, id: MergeId) -> Result<ProposedMerge, MergeError> {
    let proposed = store::proposed_locked(deed.tx(), id).await?.ok_or(MergeError::Unknown)?;
    deed.actor().may_act_for(&proposed.office)?;
    if proposed.state == "open" { Ok(proposed) } else { Err(MergeError::Unknown) }
}

/// Returns two records in force, kept from other writers, if the officer may act for both offices.
async fn both(
    deed: &mut Deed<Officer>,
    survivor: PersonId,
    other: PersonId,
) -> Result<(Registered, Registered), MergeError> {
    if survivor == other {
        return Err(MergeUnfit::Itself.into());
    }
    // In the order of their ids: two merges that cross do not wait for each other.
    let first = of_office(deed, survivor.min(other)).await?;
    let second = of_office(deed, survivor.max(other)).await?;
    Ok(if first.id == survivor { (first, second) } else { (second, first) })
}

/// Refuses that the record with the number for life goes into one without: the number would be in force no more, and
/// the person would have none.
fn number_survives(survivor: &Registered, merged: &Registered) -> Result<(), MergeUnfit> {
    if survivor.personal_number.is_none() && merged.personal_number.is_some() {
        return Err(MergeUnfit::NumberAtOther);
    }
    Ok(())
}

/// What is wrong with a merge or split that is asked for.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum MergeUnfit {
    /// No such field.
    #[error("no field of a record is called `{0}`")]
    Field(String),
    /// One record.
    #[error("a record is not merged with itself")]
    Itself,
    /// Nothing to be undone.
    #[error("the record is not merged into another one")]
    NotMerged,
    /// The record that would survive has no number, the other one has.
    #[error("the other record has the number for life: let that one survive")]
    NumberAtOther,
}

/// Why records are neither merged nor split.
#[derive(Debug, Error)]
pub enum MergeError {
    /// As with every change of the register.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// What is asked is no merge.
    #[error(transparent)]
    Unfit(#[from] MergeUnfit),
    /// No such proposal, or it is no longer open.
    #[error("no merge or split with this id is open")]
    Unknown,
}

impl From<StoreError> for MergeError {
    fn from(error: StoreError) -> Self {
        Self::Change(error.into())
    }
}

impl From<OtherOffice> for MergeError {
    fn from(error: OtherOffice) -> Self {
        Self::Change(error.into())
    }
}

impl From<Objection> for MergeError {
    fn from(error: Objection) -> Self {
        Self::Change(error.into())
    }
}

impl From<ChangeUnfit> for MergeError {
    fn from(error: ChangeUnfit) -> Self {
        Self::Change(error.into())
    }
}
