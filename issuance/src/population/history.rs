//! What happened to a person in the register: each change with its evidence; the present record
//! follows from them. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use utoipa::ToSchema;

use super::model::{Declaration, DeclaredPlace, DeclaredRelative, Person, Place, Relative};
use crate::deed::Consequences;
use crate::ground::Decision;
use crate::ground::ids::{BatchId, PartnerId, PersonId};
use crate::ground::text::Words;

/// What kind of thing happened. Each kind touches certain fields only, so that a move never changes a name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The first declaration (form DC01, a birth message, a file). Nothing is changed by it.
    Declared,
    /// What the register holds was wrong, or was missing (form DC02).
    Corrected,
    /// Sex, year of birth, name or origin was determined anew by the civil-status authority (Law 60/2014/QH13).
    Redetermined,
    /// The person lives elsewhere, or in another household.
    Moved,
    /// Marriage, divorce, death of the spouse.
    MaritalStatusChanged,
    /// Death, or the court's declaration that the person is dead.
    Died,
    /// A court declared the person missing (Civil Code 91/2015/QH13, Art. 68).
    DeclaredMissing,
    /// A court took that back: the person is there, or is known to live (Art. 70).
    FoundAgain,
    /// Another record of the same person was merged into this one.
    Absorbed,
    /// The record was merged into another one of the same person.
    Merged,
    /// A merge was undone: the other record stands on its own again.
    Released,
    /// A merge was undone: the record stands on its own again.
    Restored,
    /// The record held the declarations of two people: what was the other's has a record of its own.
    Divided,
}

impl EventKind {
    /// The kinds that officers propose.
    pub const PROPOSED: [Self; 7] = [
        Self::Corrected,
        Self::Redetermined,
        Self::Moved,
        Self::MaritalStatusChanged,
        Self::Died,
        Self::DeclaredMissing,
        Self::FoundAgain,
    ];

    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Corrected => "corrected",
            Self::Redetermined => "redetermined",
            Self::Moved => "moved",
            Self::MaritalStatusChanged => "marital-status-changed",
            Self::Died => "died",
            Self::DeclaredMissing => "declared-missing",
            Self::FoundAgain => "found-again",
            Self::Absorbed => "absorbed",
            Self::Merged => "merged",
            Self::Released => "released",
            Self::Restored => "restored",
            Self::Divided => "divided",
        }
    }

    /// The fields of a declaration that this kind may touch; `None`: all.
    pub(super) const fn fields(self) -> Option<&'static [&'static str]> {
        match self {
            // Of a declaration, a merge or a split: these are proposed by verbs of their own.
            Self::Declared | Self::Absorbed | Self::Merged | Self::Released | Self::Restored | Self::Divided => {
                Some(&[])
            }
            Self::Corrected => None,
            Self::Redetermined => Some(&[
                "full_name",
                "birth_date",
                "sex",
                "birth_registration",
                "place_of_origin",
                "ethnic_group",
                "nationality",
                "father",
                "mother",
            ]),
            Self::Moved => Some(&[
                "permanent_residence",
                "temporary_residence",
                "current_residence",
                "head_of_household",
                "relation_to_head",
                "household_book_number",
            ]),
            Self::MaritalStatusChanged => Some(&["marital_status", "spouse"]),
            Self::Died => Some(&["died"]),
            Self::DeclaredMissing | Self::FoundAgain => Some(&["missing_since"]),
        }
    }
}

/// Form on which a change came in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// First declaration by the citizen.
    Dc01,
    /// Change or correction, with papers.
    Dc02,
    /// Message of the civil-status authority about a birth (Decree 137/2015/NĐ-CP, Art. 14).
    BirthMessage,
    /// Message of the civil-status authority about a death.
    DeathMessage,
    /// Line of a file.
    File,
}

/// The authority or person from whom a fact comes (Law 59/2014/QH13, Art. 9(2)).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FactSource {
    /// The citizen's own word.
    Citizen,
    /// The civil-status authority.
    CivilStatus,
    /// A court.
    Court,
    /// The archive of identity papers.
    IdentityArchive,
    /// The register of residence.
    Residence,
    /// Another authority.
    OtherAuthority,
}

/// How sure a fact is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// An authority's paper or message proves it.
    Proved,
    /// The citizen says so.
    Declared,
}

/// On what a change rests.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The form.
    pub form: Form,
    /// From whom the fact comes.
    pub source: FactSource,
    /// The paper, with its number and day, as the officer saw it (`Giấy chứng tử số 12/2026`).
    #[serde(default)]
    #[schema(value_type = String, max_length = 200)]
    pub document: Words<200>,
    /// How sure it is.
    pub confidence: Confidence,
}

impl Evidence {
    /// What a first declaration at a counter rests on.
    #[must_use]
    pub fn of_declaration() -> Self {
        Self {
            form: Form::Dc01,
            source: FactSource::Citizen,
            document: Words::default(),
            confidence: Confidence::Declared,
        }
    }

    /// What a declaration in a line of a file rests on: the paper form, where the line names one, and the line.
    #[must_use]
    pub fn of_line(form: Option<&str>, file: &str, line: u64) -> Self {
        let place = format!("{file}, line {line}");
        let paper = form.map_or_else(|| place.clone(), |form| format!("DC01 {form}; {place}"));
        let document = [paper, place, format!("line {line}")];
        Self {
            form: Form::File,
            source: FactSource::Citizen,
            document: document.into_iter().find_map(|text| text.try_into().ok()).unwrap_or_default(),
            confidence: Confidence::Declared,
        }
    }
}

/// Shows nothing: papers name people.
impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Evidence(…)")
    }
}

/// One field that changes.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct FieldChange {
    /// Field of the record.
    pub field: String,
    /// What stood there, a text or an object; null for nothing.
    pub before: Value,
    /// What stands there now; null for nothing.
    pub after: Value,
}

/// Shows the field only.
impl fmt::Debug for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldChange({})", self.field)
    }
}

/// One event of a person's history.
#[derive(Clone, Debug)]
pub struct Event {
    /// 1 for the declaration, then counted up.
    pub ordinal: u32,
    /// What happened.
    pub kind: EventKind,
    /// Since when it is so, as declared (`dd/MM/yyyy`, `MM/yyyy` or `yyyy`).
    pub valid_from: Option<crypto::identity::Date>,
    /// The officer who proposed it; of a declaration the officer who entered it.
    pub proposed_by: crate::ground::ids::OfficerId,
    /// The officer who applied it, and the moment from which the register says so.
    pub recorded: Decision,
    /// On what it rests.
    pub evidence: Evidence,
    /// The whole record as it was declared; of the first event only.
    pub declared: Option<Value>,
    /// What changed.
    pub changes: Vec<FieldChange>,
    /// Of a declaration that came with a file: which, and where in it.
    pub file: Option<OfFile>,
    /// The other record of a merge or a split.
    pub other: Option<PersonId>,
    /// The partner that reported it under an agreement; the officer is then the one who signed the agreement.
    pub partner: Option<PartnerId>,
}

/// The place of a declaration in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfFile {
    /// The file, as the register knows it.
    pub batch: BatchId,
    /// Its name.
    pub name: String,
    /// SHA-256 of the whole file.
    pub digest: [u8; 32],
    /// The line.
    pub line: u64,
}

/// Returns the record as it was declared: the present one, with the changes of the later events undone, the last first.
///
/// # Errors
/// [`HistoryBroken`]
pub fn undo(record: &Value, later: &[Event]) -> Result<Value, HistoryBroken> {
    let record = serde_json::from_value::<Person>(record.clone()).map_err(|_| HistoryBroken::Empty)?;
    let mut record = fields_of(&record);
    for (event, due) in later.iter().zip(2..) {
        if event.ordinal != due {
            return Err(HistoryBroken::Gap(due));
        }
    }
    for event in later.iter().rev() {
        for change in &event.changes {
            let there = record.insert(change.field.clone(), change.before.clone()).unwrap_or(Value::Null);
            if there != change.after {
                return Err(HistoryBroken::Disagrees(event.ordinal, change.field.clone()));
            }
        }
    }
    Ok(Value::Object(record))
}

/// Returns the record that follows from the events of one person.
///
/// # Errors
/// [`HistoryBroken`]
pub fn rebuild(events: &[Event]) -> Result<Value, HistoryBroken> {
    let (first, later) = events.split_first().ok_or(HistoryBroken::Empty)?;
    // Through the type: a record of an earlier version has the names of its time.
    let declared = first.declared.clone().and_then(|declared| serde_json::from_value::<Person>(declared).ok());
    let mut record = fields_of(&declared.ok_or(HistoryBroken::Empty)?);
    if first.ordinal != 1 {
        return Err(HistoryBroken::Gap(1));
    }
    for (event, due) in later.iter().zip(2..) {
        if event.ordinal != due {
            return Err(HistoryBroken::Gap(due));
        }
        for change in &event.changes {
            let there = record.insert(change.field.clone(), change.after.clone()).unwrap_or(Value::Null);
            if there != change.before {
                return Err(HistoryBroken::Disagrees(due, change.field.clone()));
            }
        }
    }
    Ok(Value::Object(record))
}

/// Returns the record into which this one is merged, as the events tell.
#[must_use]
pub fn merged_into(events: &[Event]) -> Option<PersonId> {
    events.iter().fold(None, |into, event| match event.kind {
        EventKind::Merged => event.other,
        EventKind::Restored => None,
        _ => into,
    })
}

/// The events of a person do not follow from each other.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum HistoryBroken {
    /// An event starts from another value than the one before left, or leaves another than stands there.
    #[error("event {0} changes `{1}`, and the value beside it is another one")]
    Disagrees(u32, String),
    /// There is no declaration.
    #[error("the history does not begin with a declaration")]
    Empty,
    /// An event is missing.
    #[error("event {0} is missing")]
    Gap(u32),
}

/// Returns for each field the event that it stands on: the last one that changed it, else the declaration.
#[must_use]
pub fn stands_on(events: &[Event], record: &Map<String, Value>) -> BTreeMap<String, u32> {
    let mut on: BTreeMap<String, u32> =
        record.iter().filter(|(_, value)| !value.is_null()).map(|(field, _)| (field.clone(), 1)).collect();
    for event in events {
        for change in &event.changes {
            on.insert(change.field.clone(), event.ordinal);
        }
    }
    on
}

/// Returns what differs between two records of one person.
#[must_use]
pub fn difference(before: &Person, after: &Person) -> Vec<FieldChange> {
    let (before, after) = (fields_of(before), fields_of(after));
    let names = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>();
    let value = |of: &Map<String, Value>, name: &str| of.get(name).cloned().unwrap_or(Value::Null);
    names
        .into_iter()
        .map(|name| FieldChange { field: name.clone(), before: value(&before, name), after: value(&after, name) })
        .filter(|change| change.before != change.after)
        .collect()
}

/// Returns the fields of a record, by name.
pub(super) fn fields_of(person: &Person) -> Map<String, Value> {
    members(person)
}

/// Returns the members of a form or a record: all of them become JSON objects.
pub(super) fn members(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        _ => unreachable!("a record is a JSON object"),
    }
}

/// Returns what a step from one record to another means beyond the register of this State.
#[must_use]
pub fn consequences(before: &Person, after: &Person, state: &str) -> Consequences {
    Consequences {
        died: before.died.is_none() && after.died.is_some(),
        missing: before.missing_since.is_none() && after.missing_since.is_some(),
        found: before.missing_since.is_some() && after.missing_since.is_none(),
        nationality_lost: before.nationality == state && after.nationality != state,
        renumbered: before.sex != after.sex || before.birth.year() != after.birth.year(),
        // A card says the nationality of the State, which the holder has or loses.
        on_card: before.on_card() != after.on_card() || before.nationality != after.nationality,
        merged_into: None,
        restored: false,
    }
}

/// Returns the declaration that a person would make now, with the fields of a change laid over it. A field that is null
/// is taken away.
///
/// # Errors
/// [`ChangeUnfit`]
pub fn overlay(
    person: &Person,
    has_number: bool,
    kind: EventKind,
    fields: &Map<String, Value>,
) -> Result<Declaration, ChangeUnfit> {
    if fields.is_empty() {
        return Err(ChangeUnfit::Nothing);
    }
    let mut declared = members(&Declaration::from(person));
    for (field, value) in fields {
        if !declared.contains_key(field) {
            return Err(ChangeUnfit::Unknown(field.clone()));
        }
        if kind.fields().is_some_and(|may| !may.contains(&field.as_str())) {
            return Err(ChangeUnfit::NotOfKind(field.clone(), kind));
        }
        // Null is the empty field: of a text the empty text, of a place or a relative none.
        let empty = if declared[field].is_string() { Value::String(String::new()) } else { Value::Null };
        declared.insert(field.clone(), if value.is_null() { empty } else { value.clone() });
    }
    let declaration: Declaration =
        serde_json::from_value(Value::Object(declared)).map_err(|error| malformed(person, fields, &error))?;
    check_number(person, has_number, kind, &declaration)?;
    let missing = "missing_since";
    let missing_is_set = !declaration.missing_since.trim().is_empty();
    match kind {
        EventKind::DeclaredMissing if !missing_is_set => Err(ChangeUnfit::NotOfKind(missing.to_owned(), kind)),
        EventKind::FoundAgain if missing_is_set => Err(ChangeUnfit::NotOfKind(missing.to_owned(), kind)),
        // A court declares it, and a court takes it back.
        EventKind::Corrected if fields.contains_key(missing) => Err(ChangeUnfit::NotOfKind(missing.to_owned(), kind)),
        _ => Ok(declaration),
    }
}

/// Refuses that a person is missing, or found again, on the word of anyone but a court.
///
/// # Errors
/// [`ChangeUnfit::NeedsCourt`]
pub fn check_evidence(kind: EventKind, evidence: &Evidence) -> Result<(), ChangeUnfit> {
    let of_court = evidence.source == FactSource::Court && !evidence.document.as_str().is_empty();
    match kind {
        EventKind::DeclaredMissing | EventKind::FoundAgain if !of_court => Err(ChangeUnfit::NeedsCourt),
        _ => Ok(()),
    }
}

/// Names the field whose value has not its shape: the first that cannot be read alone.
fn malformed(person: &Person, fields: &Map<String, Value>, error: &serde_json::Error) -> ChangeUnfit {
    let is_unfit = |field: &String| {
        let mut alone = members(&Declaration::from(person));
        alone.insert(field.clone(), fields[field].clone());
        serde_json::from_value::<Declaration>(Value::Object(alone)).is_err() && !fields[field].is_null()
    };
    ChangeUnfit::Malformed(fields.keys().find(|field| is_unfit(field)).cloned(), error.to_string())
}

/// Refuses a correction of what the number for life tells: the law changes that by a new determination only.
///
/// # Errors
/// [`ChangeUnfit::NeedsRedetermination`]
pub fn check_number(
    person: &Person,
    has_number: bool,
    kind: EventKind,
    declaration: &Declaration,
) -> Result<(), ChangeUnfit> {
    let same_year =
        declaration.birth_date.parse::<crypto::identity::Date>().is_ok_and(|date| date.year() == person.birth.year());
    let same_sex = declaration.sex.parse() == Ok(person.sex);
    if has_number && kind == EventKind::Corrected {
        for (field, same) in [("birth_date", same_year), ("sex", same_sex)] {
            if !same {
                return Err(ChangeUnfit::NeedsRedetermination(field));
            }
        }
    }
    Ok(())
}

/// Why no change can be made of what was asked.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ChangeUnfit {
    /// The value of this field has not its shape.
    #[error("{1}")]
    Malformed(Option<String>, String),
    /// Sex or year of birth of a person who has a number.
    #[error("`{0}` is part of the number for life: it changes by `redetermined` only")]
    NeedsRedetermination(&'static str),
    /// It is so only in the future.
    #[error("`valid_from` lies ahead")]
    Ahead,
    /// A person is missing, or found again, by a court's word alone.
    #[error("a court decides it: `evidence` has `source` `court`, and the decision in `document`")]
    NeedsCourt,
    /// A field that this kind does not touch.
    #[error("`{0}` does not change by `{word}`", word = .1.word())]
    NotOfKind(String, EventKind),
    /// All is as it was.
    #[error("nothing changes")]
    Nothing,
    /// No such field.
    #[error("no field of a declaration is called `{0}`")]
    Unknown(String),
}

impl ChangeUnfit {
    /// The field that it is about.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::NeedsRedetermination(field) => Some(field),
            Self::NotOfKind(field, _) | Self::Unknown(field) => Some(field),
            Self::Malformed(field, _) => field.as_deref(),
            Self::Ahead | Self::NeedsCourt | Self::Nothing => None,
        }
    }
}

impl From<&Person> for Declaration {
    fn from(person: &Person) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            full_name: person.full_name.as_str().to_owned(),
            birth_date: person.birth.to_string(),
            sex: person.sex.letter().to_string(),
            birth_registration: (&person.birth_registration).into(),
            place_of_origin: (&person.place_of_origin).into(),
            ethnic_group: person.ethnic_group.clone(),
            religion: person.religion.as_ref().map(|text| text.as_str().to_owned()).unwrap_or_default(),
            nationality: person.nationality.clone(),
            marital_status: person.marital_status.map(|status| status.word().to_owned()).unwrap_or_default(),
            permanent_residence: person.permanent_residence.as_ref().map(Into::into),
            temporary_residence: person.temporary_residence.as_ref().map(Into::into),
            current_residence: person.current_residence.as_ref().map(Into::into),
            blood_group: text(&person.blood_group),
            father: person.father.as_ref().map(Into::into),
            mother: person.mother.as_ref().map(Into::into),
            spouse: person.spouse.as_ref().map(Into::into),
            representative: person.representative.as_ref().map(Into::into),
            head_of_household: person.head_of_household.as_ref().map(Into::into),
            relation_to_head: text(&person.relation_to_head),
            died: person.died.map(|date| date.to_string()).unwrap_or_default(),
            missing_since: person.missing_since.map(|date| date.to_string()).unwrap_or_default(),
            old_id_number: text(&person.old_id_number),
            household_book_number: text(&person.household_book_number),
        }
    }
}

impl From<&Place> for DeclaredPlace {
    fn from(place: &Place) -> Self {
        Self {
            province: place.province.to_string(),
            district: place.district.clone().unwrap_or_default(),
            commune: place.commune.clone().unwrap_or_default(),
            detail: place.detail.as_ref().map(|text| text.as_str().to_owned()).unwrap_or_default(),
        }
    }
}

impl From<&Relative> for DeclaredRelative {
    fn from(relative: &Relative) -> Self {
        Self {
            full_name: relative.full_name.as_str().to_owned(),
            personal_number: relative.personal_number.map(|number| number.as_str().to_owned()).unwrap_or_default(),
            old_id_number: relative.old_id_number.clone().unwrap_or_default(),
            nationality: relative.nationality.clone(),
        }
    }
}
