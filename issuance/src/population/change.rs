//! The verbs by which the register changes: one officer proposes with evidence, another applies.

use std::collections::{BTreeMap, HashMap, hash_map};

use crypto::identity::Date;
use serde_json::{Map, Value};
use thiserror::Error;

use super::check::{self, Declined};
use super::history::{self, ChangeUnfit, Event, EventKind, Evidence, FieldChange};
use super::model::{Finding, Person, Registered};
use super::names::Indexed;
use super::quality::Mark;
use super::store::history::{self as store_history, Kept, Proposed};
use super::{PopulationError, Register, duplicates, rules, store};
use crate::access::{self, partners};
use crate::deed::{Action, Consequences, Deed, Entry, Object, Objection, Occasion, Purpose, RegisterEvent};
use crate::ground::actor::Registers;
use crate::ground::ids::{ChangeId, OfficerId, PersonId};
use crate::ground::{Id, OfficeCode, Officer, OtherOffice};
use crate::store::{Db, StoreError, Tx};

/// What an officer wants changed.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// What happened.
    pub kind: EventKind,
    /// Since when it is so.
    pub valid_from: Option<Date>,
    /// On what it rests.
    pub evidence: Evidence,
    /// Fields of a declaration, each with what it holds from now on; null takes it away.
    pub fields: &'a Map<String, Value>,
}

/// What was proposed, and what would follow.
#[derive(Debug)]
pub struct Proposal {
    /// Identifier.
    pub id: ChangeId,
    /// Field by field.
    pub changes: Vec<FieldChange>,
    /// What an officer should look at in the record that would be.
    pub findings: Vec<Finding>,
    /// What would follow outside the register.
    pub consequences: Consequences,
}

/// Proposes a change of what the register holds of a person. Nothing changes before another officer applies it.
///
/// # Errors
/// [`ChangeError`]
pub async fn propose<A: Registers>(
    deed: &mut Deed<A>,
    register: &Register,
    person: PersonId,
    wanted: Wanted<'_>,
) -> Result<Proposal, ChangeError> {
    let registered = of_office(deed, person).await?;
    let today = deed.today();
    if wanted.valid_from.is_some_and(|date| date.first_day() > today) {
        return Err(ChangeUnfit::Ahead.into());
    }
    history::check_evidence(wanted.kind, &wanted.evidence)?;
    let (after, mut findings) = examined(register, deed, &registered, wanted.kind, wanted.fields)?;
    findings.extend(province_stays(&registered, &after));
    let changes = history::difference(&registered.person, &after);
    if changes.is_empty() {
        return Err(ChangeUnfit::Nothing.into());
    }
    let proposed = Proposed {
        id: deed.id(),
        person,
        office: registered.office.clone(),
        kind: wanted.kind,
        valid_from: wanted.valid_from,
        evidence: wanted.evidence,
        changes,
        proposed: deed.decision(),
        partner: deed.actor().partner(),
        state: "open".to_owned(),
        ended: None,
    };
    store_history::propose(deed.tx(), &proposed).await?;
    let entry = Entry::new(Action::PersonChangeProposed, Object::Person(person), Purpose::Update).about(person);
    deed.enter(entry.of(&registered.office).because(wanted.kind.word())).await?;
    let state = register.reference().state();
    let consequences = history::consequences(&registered.person, &after, state);
    Ok(Proposal { id: proposed.id, changes: proposed.changes, findings, consequences })
}

/// Applies a change that another officer proposed: the event enters the history, the record follows from it, and the
/// offices above do what follows for numbers, applications and cards, all in this transaction.
///
/// # Errors
/// [`ChangeError::SameOfficer`]; [`ChangeError::Stale`] if another change came between; [`ChangeError`]
pub async fn apply(deed: &mut Deed<Officer>, register: &Register, id: ChangeId) -> Result<PersonId, ChangeError> {
    let proposed = open_change(deed, id).await?;
    if deed.actor().is_one_with(proposed.proposed.by) {
        return Err(ChangeError::SameOfficer);
    }
    match proposed.partner {
        None => proposer_stands(deed, proposed.proposed.by, &proposed.office).await?,
        Some(partner) => {
            let partner = partners::partner(deed.tx(), partner).await?;
            if !partner.is_some_and(|partner| partner.is_joined()) {
                return Err(ChangeError::ProposerGone);
            }
        }
    }
    let registered = of_office(deed, proposed.person).await?;
    let after = applied(&registered.person, &proposed.changes)?;
    // The register may know more by now: looked at again, as a declaration of today.
    let declared = super::model::Declaration::from(&after);
    history::check_number(&registered.person, registered.personal_number.is_some(), proposed.kind, &declared)?;
    let (after, mut findings) = check::examine(&declared, register.reference(), deed.today())?;
    findings.extend(province_stays(&registered, &after));
    store::hold_likeness(deed.tx(), &after).await?;
    findings.extend(still_found(deed.tx(), &registered, &after).await?);
    if duplicates::steps::doubt(deed.tx(), proposed.person, &after).await?.is_some() {
        findings.push(Finding::perhaps_declared_before());
    }
    let ordinal = store_history::count(deed.tx(), proposed.person).await? + 1;
    let event = Event {
        ordinal,
        kind: proposed.kind,
        valid_from: proposed.valid_from,
        proposed_by: proposed.proposed.by,
        recorded: deed.decision(),
        evidence: proposed.evidence.clone(),
        declared: None,
        changes: history::difference(&registered.person, &after),
        file: None,
        other: None,
        partner: proposed.partner,
    };
    store_history::add(deed.tx(), proposed.person, &event).await?;
    store_history::set_record(deed.tx(), proposed.person, (&registered.person, &after), &findings, ordinal).await?;
    let mark = Mark::of(&after, &findings, register.reference(), deed.today());
    store::quality::put(deed.tx(), proposed.person, &mark).await?;
    let by = deed.decision();
    store_history::end(deed.tx(), id, "applied", &by).await?;
    let entry = Entry::new(Action::PersonChanged, Object::Person(proposed.person), Purpose::Update);
    let entry = entry.about(proposed.person).of(&registered.office).with(Object::Officer(proposed.proposed.by));
    deed.enter(entry.because(proposed.kind.word())).await?;
    let state = register.reference().state();
    let consequences = history::consequences(&registered.person, &after, state);
    deed.publish(RegisterEvent { person: proposed.person, consequences }).await?;
    Ok(proposed.person)
}

/// Takes a proposal back: the officer who made it, or another one who looked at it and disagrees.
///
/// # Errors
/// [`ChangeError`]
pub async fn withdraw(deed: &mut Deed<Officer>, id: ChangeId) -> Result<(), ChangeError> {
    let proposed = open_change(deed, id).await?;
    let by = deed.decision();
    store_history::end(deed.tx(), id, "withdrawn", &by).await?;
    let entry = Entry::new(Action::PersonChangeWithdrawn, Object::Person(proposed.person), Purpose::Update);
    deed.enter(entry.about(proposed.person).of(&proposed.office)).await?;
    Ok(())
}

/// Turns a proposal down, for a reason that stands in the trail.
///
/// # Errors
/// [`ChangeError`]
pub async fn turn_down(deed: &mut Deed<Officer>, id: ChangeId, reason: &str) -> Result<(), ChangeError> {
    let proposed = open_change(deed, id).await?;
    let by = deed.decision();
    store_history::end(deed.tx(), id, "withdrawn", &by).await?;
    let entry = Entry::new(Action::PersonChangeWithdrawn, Object::Person(proposed.person), Purpose::Update);
    deed.enter(entry.about(proposed.person).of(&proposed.office).because(reason)).await?;
    Ok(())
}

/// What a second officer looks at before a change is applied.
#[derive(Debug)]
pub struct Weighed {
    /// The proposal.
    pub proposed: Proposed,
    /// The person as the register holds one now.
    pub registered: Registered,
    /// What an officer should look at in the record that would be.
    pub findings: Vec<Finding>,
    /// What would follow outside the register; `None` where the change can no longer be applied.
    pub consequences: Option<Consequences>,
}

/// Reads a proposed change with the person, and says what would follow if it is applied now. The reading is recorded.
///
/// # Errors
/// [`ChangeError`]
pub async fn weigh(deed: &mut Deed<Officer>, register: &Register, id: ChangeId) -> Result<Weighed, ChangeError> {
    let proposed = store_history::change_locked(deed, id).await?.ok_or(ChangeError::ChangeUnknown)?;
    deed.actor().may_act_for(&proposed.office)?;
    let registered = store::person(deed, proposed.person).await?.ok_or(ChangeError::PersonUnknown)?;
    let entry = Entry::new(Action::PersonRead, Object::Person(proposed.person), Purpose::Update);
    deed.enter(entry.about(proposed.person).of(&proposed.office)).await?;
    let after = applied(&registered.person, &proposed.changes).ok();
    let declared = after.as_ref().map(super::model::Declaration::from);
    let judged = declared.and_then(|one| check::examine(&one, register.reference(), deed.today()).ok());
    let state = register.reference().state();
    let (findings, consequences) = match judged {
        Some((after, findings)) => (findings, Some(history::consequences(&registered.person, &after, state))),
        None => (vec![], None),
    };
    Ok(Weighed { proposed, registered, findings, consequences })
}

/// Returns a page of the changes of an office that wait for a second officer, oldest first, each with whether its row
/// is to be believed. Of the persons nothing is answered but that something waits.
///
/// # Errors
/// [`StoreError`]
pub async fn waiting(
    deed: &mut Deed<Officer>,
    after: ChangeId,
    most: i64,
) -> Result<Vec<(crate::store::Record, bool)>, StoreError> {
    let office = deed.actor().office.clone();
    let rows = store_history::open_changes(deed.tx(), &office, after, most).await?;
    let asked = Object::Asked("register-changes".into());
    deed.enter(Entry::new(Action::PersonsSought, asked, Purpose::Update).of(&office)).await?;
    Ok(rows)
}

/// Returns how far a proposed change is: `open`, `applied` or `withdrawn`. Nothing of it is answered, so no record is
/// due.
///
/// # Errors
/// [`StoreError`]
pub async fn state_of(tx: &mut Tx, id: ChangeId) -> Result<Option<String>, StoreError> {
    store_history::state_of(tx, id).await
}

/// Returns a proposed change, whatever became of it.
///
/// # Errors
/// [`ChangeError`]
pub async fn read(deed: &mut Deed<Officer>, id: ChangeId) -> Result<Proposed, ChangeError> {
    let proposed = store_history::change_locked(deed, id).await?.ok_or(ChangeError::ChangeUnknown)?;
    deed.actor().may_act_for(&proposed.office)?;
    let entry = Entry::new(Action::PersonRead, Object::Person(proposed.person), Purpose::Update);
    deed.enter(entry.about(proposed.person).of(&proposed.office)).await?;
    Ok(proposed)
}

/// What a person's history tells.
#[derive(Debug)]
pub struct History {
    /// First event first.
    pub events: Vec<Event>,
    /// For each field that holds something: the event that it stands on.
    pub stands_on: BTreeMap<String, u32>,
}

/// Reads a person's history, for an officer who may read the person.
///
/// # Errors
/// [`PopulationError`]
pub async fn history(deed: &mut Deed<Officer>, id: PersonId, occasion: Occasion) -> Result<History, PopulationError> {
    let registered = super::steps::read(deed, id, occasion).await?;
    let events = store_history::events(deed, id).await?;
    deed.record_reading(Action::PersonHistoryRead, Object::Person(id), id, &registered.office, occasion).await?;
    let record = history::fields_of(&registered.person);
    let stands_on = history::stands_on(&events, &record);
    Ok(History { events, stands_on })
}

/// What the comparison of records and events found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Comparison {
    /// Persons looked at.
    pub persons: u64,
    /// Events that they have together.
    pub events: u64,
    /// Persons whose record does not follow from their events, each with the reason; at most a thousand are named.
    pub differ: Vec<(PersonId, String)>,
}

/// Builds every person's record again from the events, and compares it with the record that is kept; of a person who
/// came with a file, undoes the events and compares what is left with what was declared. Changes nothing. After each
/// page of persons, `tell` is told how many were looked at.
///
/// # Errors
/// [`StoreError`]
pub async fn compare(db: &Db, mut tell: impl FnMut(u64)) -> Result<Comparison, StoreError> {
    let (mut found, mut files) = (Comparison::default(), HashMap::new());
    let mut after = Id::nil();
    loop {
        let mut tx = db.begin_read().await?;
        let page = store_history::records(&mut tx, after, PAGE).await?;
        let Some(last) = page.last().map(|kept| kept.person) else { return Ok(found) };
        let mut histories = store_history::events_between(&mut tx, after, last).await?;
        after = last;
        for kept in &page {
            found.persons += 1;
            let fault = match histories.remove(&kept.person).unwrap_or_else(|| Ok(vec![])) {
                Ok(history) => {
                    found.events += history.len() as u64;
                    match &kept.origin {
                        None => fault_of(kept, &history),
                        Some(origin) => {
                            found.events += 1;
                            let known = match files.entry(origin.batch) {
                                hash_map::Entry::Occupied(known) => *known.get(),
                                hash_map::Entry::Vacant(unknown) => {
                                    let file = store::import::batch_of(&mut tx, origin.batch).await;
                                    *unknown.insert(matches!(file, Ok(Some(_))))
                                }
                            };
                            fault_of_file(&tx, kept, origin, &history, known)
                        }
                    }
                    .or_else(|| misplaced(kept))
                }
                Err(error @ (StoreError::Tampered { .. } | StoreError::Inconsistent { .. })) => Some(error.to_string()),
                Err(error) => return Err(error),
            };
            if let Some(fault) = fault.filter(|_| found.differ.len() < MOST_NAMED) {
                found.differ.push((kept.person, fault));
            }
        }
        tell(found.persons);
    }
}

/// Why the record of a person who came with a file does not follow from the declaration and the events; names fields,
/// and no value.
fn fault_of_file(
    tx: &Tx,
    kept: &Kept,
    origin: &store::import::Origin,
    history: &[Event],
    known: bool,
) -> Option<String> {
    if !known {
        return Some("the file that it came with is unknown, or was changed outside the service".to_owned());
    }
    let events = history.len() + 1;
    if u32::try_from(events) != Ok(kept.events) {
        return Some(format!("the record counts {} events, the history has {events}", kept.events));
    }
    if kept.merged_into != history::merged_into(history) {
        return Some(NOT_MERGED_SO.to_owned());
    }
    match history::undo(&kept.record, history) {
        Err(broken) => Some(broken.to_string()),
        Ok(declared) if !store_history::is_as_declared(tx, kept.person, origin, &declared) => {
            Some("what is left when the events are undone is not what was declared".to_owned())
        }
        Ok(_) => None,
    }
}

/// Why a record does not follow from its events; names fields, and no value.
fn fault_of(kept: &Kept, history: &[Event]) -> Option<String> {
    let Kept { record, events, merged_into, .. } = kept;
    let events = *events;
    if u32::try_from(history.len()) != Ok(events) {
        return Some(format!("the record counts {events} events, the history has {}", history.len()));
    }
    if *merged_into != history::merged_into(history) {
        return Some(NOT_MERGED_SO.to_owned());
    }
    let Ok(kept) = serde_json::from_value::<Person>(record.clone()) else {
        return Some("the record cannot be read".to_owned());
    };
    match history::rebuild(history) {
        Err(broken) => Some(broken.to_string()),
        Ok(Value::Object(built)) => {
            let kept = history::fields_of(&kept);
            let names: Vec<&str> =
                built.keys().filter(|name| kept.get(*name) != built.get(*name)).map(|name| &**name).collect();
            (!names.is_empty()).then(|| format!("does not follow from the events: {}", names.join(", ")))
        }
        Ok(_) => Some("the history makes no record".to_owned()),
    }
}

/// Why a person is not found, or found by what is not theirs; names columns, and no value.
fn misplaced(kept: &Kept) -> Option<String> {
    let person: Person = serde_json::from_value(kept.record.clone()).ok()?;
    let names = kept.found_by.as_ref()?.differs_from(&Indexed::of(&person));
    (!names.is_empty()).then(|| format!("does not follow from the record: {}", names.join(", ")))
}

const NOT_MERGED_SO: &str = "whether it is merged, and into which record, does not follow from the events";
const PAGE: i64 = 500;
const MOST_NAMED: usize = 1000;

/// Says that the number for life stays, where the record tells another province of birth registration from now on.
pub(super) fn province_stays(registered: &Registered, after: &Person) -> Option<Finding> {
    let number = registered.personal_number?;
    // With another sex or year the number is established anew, of the province that the record tells then.
    let stays = number.sex() == after.sex && number.birth_year() == after.birth.year();
    (stays && number.province() != after.birth_registration.province).then(Finding::number_keeps_province)
}

/// Returns the findings that the person has from a comparison with others in the register, as far as they hold: an
/// import finds them, and a change of something else does not mend them.
pub(super) async fn still_found(
    tx: &mut Tx,
    registered: &Registered,
    after: &Person,
) -> Result<Vec<Finding>, StoreError> {
    let before = &registered.person;
    let mut found = vec![];
    for finding in &registered.findings {
        let holds = match rules::by_code(&finding.code) {
            Some(&rules::OLD_NUMBER_SHARED) => match &after.old_id_number {
                Some(number) if before.old_id_number == after.old_id_number => {
                    store::shares_old_number(tx, registered.id, number).await?
                }
                _ => false,
            },
            Some(rule @ &(rules::HOUSEHOLD_WITHOUT_HEAD | rules::HOUSEHOLD_WITH_TWO_HEADS)) => {
                let same =
                    (before.household(), before.heads_household()) == (after.household(), after.heads_household());
                match after.household().filter(|_| same) {
                    Some(household) if *rule == rules::HOUSEHOLD_WITHOUT_HEAD => {
                        store::heads(tx, &household).await? == 0
                    }
                    Some(household) => store::heads(tx, &household).await? > 1,
                    None => false,
                }
            }
            _ => false,
        };
        if holds {
            found.push(finding.clone());
        }
    }
    Ok(found)
}

/// Reads and judges the record that a change would make.
pub(super) fn examined<A: Registers>(
    register: &Register,
    deed: &Deed<A>,
    registered: &Registered,
    kind: EventKind,
    fields: &Map<String, Value>,
) -> Result<(Person, Vec<Finding>), ChangeError> {
    let has_number = registered.personal_number.is_some();
    let declaration = history::overlay(&registered.person, has_number, kind, fields)?;
    let (after, findings) = check::examine(&declaration, register.reference(), deed.today())?;
    // In a declaration a field that cannot be read is left empty, and named. Here it is what was asked for.
    let record = history::fields_of(&after);
    let of_field = |finding: &Finding| finding.field.split('.').next().unwrap_or_default().to_owned();
    let wanted = |field: &String| fields.get(field).is_some_and(|value| !value.is_null() && value != "");
    let is_lost = |field: &String| record.get(field).is_none_or(Value::is_null);
    let (lost, findings): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| Some(of_field(finding)).is_some_and(|field| wanted(&field) && is_lost(&field)));
    if lost.is_empty() { Ok((after, findings)) } else { Err(Declined(lost).into()) }
}

/// Returns the record with the changes laid over it, if each field still holds what the proposal saw.
pub(super) fn applied(person: &Person, changes: &[FieldChange]) -> Result<Person, ChangeError> {
    let mut record = history::fields_of(person);
    for change in changes {
        let there = record.insert(change.field.clone(), change.after.clone()).unwrap_or(Value::Null);
        if there != change.before {
            return Err(ChangeError::Stale(change.field.clone()));
        }
    }
    serde_json::from_value(Value::Object(record)).map_err(|_| ChangeError::Stale("record".to_owned()))
}

async fn open_change(deed: &mut Deed<Officer>, id: ChangeId) -> Result<Proposed, ChangeError> {
    let proposed = store_history::change_locked(deed, id).await?.ok_or(ChangeError::ChangeUnknown)?;
    deed.actor().may_act_for(&proposed.office)?;
    if proposed.state == "open" { Ok(proposed) } else { Err(ChangeError::ChangeUnknown) }
}

/// Refuses what an officer proposed who has left since, or may not propose any more: it is no officer's word.
pub(super) async fn proposer_stands(
    deed: &mut Deed<Officer>,
    by: OfficerId,
    office: &OfficeCode,
) -> Result<(), ChangeError> {
    let proposer = access::office_of_officer_in_service(deed.tx(), by).await?;
    if proposer.is_some_and(|of| of == *office || of == OfficeCode::national()) {
        Ok(())
    } else {
        Err(ChangeError::ProposerGone)
    }
}

/// Returns the person, kept from other writers, if the record is in force and the officer's
/// office registered the person.
pub(super) async fn of_office<A: Registers>(deed: &mut Deed<A>, id: PersonId) -> Result<Registered, ChangeError> {
    let registered = store::person_locked(deed, id).await?.ok_or(ChangeError::PersonUnknown)?;
    deed.actor().may_act_for(&registered.office)?;
    match registered.merged_into {
        Some(into) => Err(ChangeError::Merged(into)),
        None => Ok(registered),
    }
}

/// Why the register does not change.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// No such proposal, or it is no longer open.
    #[error("no change with this id is open")]
    ChangeUnknown,
    /// The record that would be is none.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// The record is merged into this one.
    #[error("the record was merged into person {0}")]
    Merged(PersonId),
    /// An office above cannot do what follows.
    #[error(transparent)]
    Objection(#[from] Objection),
    /// Another office's person.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// No such person.
    #[error("person unknown")]
    PersonUnknown,
    /// The officer who proposed it.
    #[error("the officer who proposed it has left, or is of another office now; or the partner that reported it ended")]
    ProposerGone,
    /// One officer cannot do both.
    #[error("a second officer is needed")]
    SameOfficer,
    /// Another change came between.
    #[error("`{0}` no longer holds what the proposal saw")]
    Stale(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is asked is no change.
    #[error(transparent)]
    Unfit(#[from] ChangeUnfit),
}
