//! Paper forms DC01 on their way into the register. One officer types a form bit by bit; another one of the office, who
//! had no hand in it, reads the paper a second time without seeing what was typed. The declaration enters when both
//! read the same: the first event of the person's history names both.
//!
//! What is typed is kept with each field, so that a browser that closes or a session that ends loses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crypto::identity::folded_name;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use time::Date;

use super::change::{ChangeError, proposer_stands};
use super::check::{self, Declined};
use super::duplicates::steps::{Alike, foreseen};
use super::history::{self, Evidence};
use super::model::{Declaration, DeclaredPlace, DeclaredRelative, Finding, Person};
use super::reference::{Reference, Table};
use super::steps::{self, Declared, Entered};
use super::store::forms as store;
use super::{Register, rules, units};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::{FormId, OfficerId, PersonId};
use crate::ground::text::tidy;
use crate::ground::{Decision, OfficeCode, Officer, OtherOffice};
use crate::store::{Record, StoreError};

/// How far a form is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FormState {
    /// Officers type it.
    Begun,
    /// It waits for the second reading.
    Sent,
    /// It entered the register.
    Entered,
    /// It was dropped.
    Dropped,
}

impl FormState {
    /// The word, as stored.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Sent => "sent",
            Self::Entered => "entered",
            Self::Dropped => "dropped",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Begun, Self::Sent, Self::Entered, Self::Dropped].into_iter().find(|state| state.word() == word)
    }
}

/// What was typed, field by field, as it was typed. Places have `unit` and `detail` in place of the three codes.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Typed(BTreeMap<String, String>);

/// Shows nothing: what is typed is personal.
impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(…)")
    }
}

impl Typed {
    /// What was kept before.
    pub(super) fn kept(all: BTreeMap<String, String>) -> Self {
        Self(all)
    }

    /// Takes the texts of the known fields; empty ones are left out.
    ///
    /// # Errors
    /// [`FormError::TooLong`]
    pub fn of<'a>(
        fields: impl IntoIterator<Item = &'a str>,
        text: impl Fn(&str) -> &'a str,
    ) -> Result<Self, FormError> {
        let mut typed = BTreeMap::new();
        for field in fields {
            let text = text(field).trim();
            if text.chars().count() > MOST_TYPED {
                return Err(FormError::TooLong(field.to_owned()));
            }
            if !text.is_empty() {
                typed.insert(field.to_owned(), text.to_owned());
            }
        }
        Ok(Self(typed))
    }

    /// Takes the texts as they were typed, whatever they are, to show them again.
    pub fn again<'a>(fields: impl IntoIterator<Item = &'a str>, text: impl Fn(&str) -> &'a str) -> Self {
        Self(fields.into_iter().map(|field| (field.to_owned(), text(field).to_owned())).collect())
    }

    /// Returns the text of a field; empty if nothing was typed.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.0.get(field).map(String::as_str).unwrap_or_default()
    }

    /// True if nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what a declaration would be typed as.
    #[must_use]
    pub fn from_declaration(declaration: &Declaration, reference: &Reference, on: Date) -> Self {
        let mut typed = BTreeMap::new();
        for (field, value) in history::members(declaration) {
            match value {
                serde_json::Value::String(text) => _ = typed.insert(field, text),
                serde_json::Value::Object(_) if PLACES.contains(&&*field) => {
                    let place: DeclaredPlace = serde_json::from_value(value).unwrap_or_default();
                    typed.insert(format!("{field}.unit"), units::write(&place, reference, on));
                    typed.insert(format!("{field}.detail"), place.detail);
                }
                serde_json::Value::Object(parts) => {
                    for (part, value) in parts {
                        typed.insert(format!("{field}.{part}"), value.as_str().unwrap_or_default().to_owned());
                    }
                }
                _ => {}
            }
        }
        if let Some(sex) = typed.get_mut("sex") {
            match &**sex {
                "F" => "Nữ".clone_into(sex),
                "M" => "Nam".clone_into(sex),
                _ => {}
            }
        }
        typed.retain(|_, text| !text.is_empty());
        Self(typed)
    }

    /// Returns a name for what was typed: SHA-256 in hexadecimal. What an officer saw of a record is said so.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (field, text) in &self.0 {
            hash.update(format!("{field}\0{text}\0"));
        }
        hex::encode(hash.finalize())
    }

    /// Reads what was typed as a declaration. Returns it with the places of which it is not clear what they mean; those
    /// are left empty.
    #[must_use]
    pub fn declaration(&self, reference: &Reference, on: Date) -> (Declaration, Vec<Finding>) {
        let mut unclear = vec![];
        let mut place = |field: &str| {
            let typed = self.text(&format!("{field}.unit"));
            let detail = self.text(&format!("{field}.detail")).to_owned();
            match units::read(typed, reference, on) {
                Ok(place) => Some(DeclaredPlace { detail, ..place }).filter(|place| !is_nowhere(place)),
                Err(_) => {
                    let says = "it is not clear which unit is meant";
                    unclear.push(Finding {
                        code: UNIT_UNCLEAR.to_owned(),
                        ..Finding::new(rules::PROVINCE_UNASSIGNED, format!("{field}.unit"), says)
                    });
                    None
                }
            }
        };
        let relative = |field: &str| {
            let part = |part: &str| self.text(&format!("{field}.{part}")).to_owned();
            let relative = DeclaredRelative {
                full_name: part("full_name"),
                personal_number: digits(&part("personal_number")),
                old_id_number: digits(&part("old_id_number")),
                nationality: code_of(&part("nationality"), Table::Countries, reference, on),
            };
            let said = [&relative.full_name, &relative.personal_number, &relative.old_id_number];
            said.iter().any(|text| !text.is_empty()).then_some(relative)
        };
        let text = |field: &str| self.text(field).to_owned();
        let declaration = Declaration {
            full_name: text("full_name"),
            birth_date: text("birth_date"),
            sex: text("sex"),
            birth_registration: place("birth_registration").unwrap_or_default(),
            place_of_origin: place("place_of_origin").unwrap_or_default(),
            ethnic_group: code_of(&text("ethnic_group"), Table::EthnicGroups, reference, on),
            religion: text("religion"),
            nationality: code_of(&text("nationality"), Table::Countries, reference, on),
            marital_status: text("marital_status"),
            permanent_residence: place("permanent_residence"),
            temporary_residence: place("temporary_residence"),
            current_residence: place("current_residence"),
            blood_group: text("blood_group"),
            father: relative("father"),
            mother: relative("mother"),
            spouse: relative("spouse"),
            representative: relative("representative"),
            head_of_household: relative("head_of_household"),
            relation_to_head: text("relation_to_head"),
            died: text("died"),
            missing_since: text("missing_since"),
            old_id_number: digits(&text("old_id_number")),
            household_book_number: text("household_book_number"),
        };
        (declaration, unclear)
    }

    /// Returns the same with other texts in these fields; an empty one takes a field away.
    fn with(&self, fields: &[&str], other: &Self) -> Self {
        let mut all = self.0.clone();
        for field in fields {
            match other.0.get(*field) {
                Some(text) => _ = all.insert((*field).to_owned(), text.clone()),
                None => _ = all.remove(*field),
            }
        }
        Self(all)
    }
}

fn is_nowhere(place: &DeclaredPlace) -> bool {
    [&place.province, &place.district, &place.commune, &place.detail].iter().all(|part| part.is_empty())
}

/// Returns a number without what people write between its digits, or the text as it is if it is no number.
fn digits(text: &str) -> String {
    let close: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '.' | '-')).collect();
    if close.bytes().all(|b| b.is_ascii_digit()) { close } else { text.to_owned() }
}

/// Returns the code of a choice that was written with its name (`01 Kinh`) or by its name alone (`kinh`);
/// any other text as it is.
fn code_of(text: &str, table: Table, reference: &Reference, on: Date) -> String {
    let first = text.split_whitespace().next().unwrap_or_default();
    let is_code =
        first.bytes().all(|b| b.is_ascii_digit()) || first.len() == 3 && first.bytes().all(|b| b.is_ascii_uppercase());
    if is_code {
        return first.to_owned();
    }
    let wanted = folded_name(text);
    let is_it = |name: &Option<String>| name.as_deref().is_some_and(|name| folded_name(name) == wanted);
    let found = reference.entries(table, on).into_iter().find(|entry| is_it(&entry.name_vi) || is_it(&entry.name_en));
    found.map_or_else(|| text.to_owned(), |entry| entry.code)
}

/// A paper form on its way into the register.
#[derive(Clone, Debug)]
pub struct PaperForm {
    /// Identifier.
    pub id: FormId,
    /// The office where it is typed, which will have registered the person.
    pub office: OfficeCode,
    /// How far it is.
    pub state: FormState,
    /// What was typed; nothing once it has ended.
    pub typed: Typed,
    /// Fields that a second officer read otherwise before the form came back.
    pub differs: Vec<String>,
    /// Counts what was kept: an officer names the one that the page showed.
    pub revision: u32,
    /// Who typed a bit of it. The rows of a version before tell only who did so last.
    pub hands: Vec<OfficerId>,
    /// Who began it.
    pub begun: Decision,
    /// Who kept it last.
    pub saved: Decision,
    /// Who sent it to be read a second time.
    pub sent: Option<Decision>,
    /// Who entered or dropped it.
    pub ended: Option<Decision>,
    /// The person who was made of it.
    pub person: Option<PersonId>,
}

impl PaperForm {
    /// True for an officer who began the form, typed a bit of it, or sent it: the paper is not read a second time by
    /// such a one.
    #[must_use]
    pub fn had_a_hand(&self, officer: &Officer) -> bool {
        let ends = [Some(&self.begun), Some(&self.saved), self.sent.as_ref()];
        let ends = ends.into_iter().flatten().map(|hand| hand.by);
        ends.chain(self.hands.iter().copied()).any(|by| officer.is_one_with(by))
    }

    /// Returns how the paper is called in lists: its number without what is not seen, or nothing if it has none yet.
    #[must_use]
    pub fn number(&self) -> Option<String> {
        let number = tidy(self.typed.text(FORM_NUMBER))?;
        if number.chars().count() <= MOST_OF_NUMBER {
            return Some(number);
        }
        Some(number.chars().take(MOST_OF_NUMBER).chain(['…']).collect())
    }
}

/// Begins to type a form.
///
/// # Errors
/// [`StoreError`]
pub async fn begin(deed: &mut Deed<Officer>) -> Result<PaperForm, FormError> {
    let now = deed.decision();
    let form = PaperForm {
        id: deed.id(),
        office: deed.actor().office.clone(),
        state: FormState::Begun,
        typed: Typed::default(),
        differs: vec![],
        revision: 0,
        hands: vec![],
        begun: now.clone(),
        saved: now,
        sent: None,
        ended: None,
        person: None,
    };
    store::begin(deed.tx(), &form).await?;
    told(deed, Action::DeclarationFormBegun, &form, None).await?;
    Ok(form)
}

/// Reads a form that officers type. The reading is recorded.
///
/// # Errors
/// [`FormError::Unknown`], [`FormError::MovedOn`] for one that waits for its second reading.
pub async fn read(deed: &mut Deed<Officer>, id: FormId) -> Result<PaperForm, FormError> {
    let form = in_state(deed, id, FormState::Begun).await?;
    told(deed, Action::DeclarationFormRead, &form, None).await?;
    Ok(form)
}

/// Keeps what was typed; `seen` is the revision that the officer's page showed.
///
/// # Errors
/// [`FormError::MovedOn`] if something else was kept meanwhile, by another officer or on another page of the same one.
pub async fn keep(deed: &mut Deed<Officer>, id: FormId, seen: u32, typed: Typed) -> Result<PaperForm, FormError> {
    let mut form = in_state(deed, id, FormState::Begun).await?;
    // What is kept already needs no page that is up to date: so what is sent twice is kept once.
    if form.typed == typed {
        told(deed, Action::DeclarationFormRead, &form, None).await?;
        return Ok(form);
    }
    if form.revision != seen {
        return Err(FormError::MovedOn);
    }
    form.typed = typed;
    form.revision += 1;
    form.saved = deed.decision();
    if !form.hands.contains(&form.saved.by) {
        form.hands.push(form.saved.by);
    }
    store::put(deed.tx(), &form).await?;
    told(deed, Action::DeclarationFormKept, &form, None).await?;
    Ok(form)
}

/// What the rules and the register say of a form before it is declared.
#[derive(Debug)]
pub struct Foreseen {
    /// What an officer should look at.
    pub findings: Vec<Finding>,
    /// Persons who are probably the same one, each recorded.
    pub alike: Vec<Alike>,
}

/// Says what the rules and the register find in what was typed, before anything is declared.
///
/// # Errors
/// [`FormError::Declined`] with everything that stands against it.
pub async fn foresee(deed: &mut Deed<Officer>, register: &Register, form: &PaperForm) -> Result<Foreseen, FormError> {
    let (person, mut findings) = examined(deed, register, &form.typed)?;
    let (alike, found) = foreseen(deed, &person).await?;
    findings.extend(found);
    Ok(Foreseen { findings, alike })
}

/// Sends a form to be read a second time.
///
/// # Errors
/// As [`keep`]; [`FormError::Declined`] if no person can be made of it.
pub async fn send(
    deed: &mut Deed<Officer>,
    register: &Register,
    id: FormId,
    seen: u32,
    typed: Typed,
) -> Result<PaperForm, FormError> {
    let mut form = keep(deed, id, seen, typed).await?;
    examined(deed, register, &form.typed)?;
    if form.typed.text(FORM_NUMBER).is_empty() {
        let says = "the second officer finds the paper by its number";
        return Err(Declined(vec![Finding::new(rules::FIELD_MISSING, FORM_NUMBER, says)]).into());
    }
    if form.typed.text(FORM_NUMBER).chars().count() > MOST_OF_NUMBER {
        let says = format!("the number of a form has at most {MOST_OF_NUMBER} characters");
        return Err(Declined(vec![Finding::new(rules::TEXT_TOO_LONG, FORM_NUMBER, says)]).into());
    }
    form.state = FormState::Sent;
    form.differs = vec![];
    form.sent = Some(deed.decision());
    store::put(deed.tx(), &form).await?;
    told(deed, Action::DeclarationFormSent, &form, None).await?;
    Ok(form)
}

/// Opens a form for its second reading. The opening is recorded.
///
/// # Errors
/// [`FormError::SameOfficer`] for an officer who had a hand in it; [`FormError`]
pub async fn to_read(deed: &mut Deed<Officer>, id: FormId) -> Result<PaperForm, FormError> {
    let form = of_second(deed, id).await?;
    told(deed, Action::DeclarationFormRead, &form, Some("to be read a second time")).await?;
    Ok(form)
}

/// Returns a form that waits for its second reading, for an officer who had no hand in it.
async fn of_second(deed: &mut Deed<Officer>, id: FormId) -> Result<PaperForm, FormError> {
    let form = in_state(deed, id, FormState::Sent).await?;
    if form.had_a_hand(deed.actor()) {
        return Err(FormError::SameOfficer);
    }
    Ok(form)
}

/// Compares what a second officer reads of the paper with what was typed. Returns the form and the fields that differ.
/// The comparison is recorded with their names: it tells the officer what was typed.
///
/// # Errors
/// [`FormError::Declined`] for what the second officer typed so that it cannot be read; [`FormError`]
pub async fn compare(
    deed: &mut Deed<Officer>,
    register: &Register,
    id: FormId,
    second: &Typed,
) -> Result<(PaperForm, Vec<String>), FormError> {
    let form = of_second(deed, id).await?;
    let differs = differing(deed, register, &form, second)?;
    let says = if differs.is_empty() { "nothing differs".to_owned() } else { differs.join(", ") };
    told(deed, Action::DeclarationFormCompared, &form, Some(&says)).await?;
    Ok((form, differs))
}

/// Enters a form that two officers read alike into the register.
///
/// # Errors
/// [`FormError::Differs`] if the readings differ; [`FormError`]
pub async fn enter(
    deed: &mut Deed<Officer>,
    register: &Register,
    id: FormId,
    second: &Typed,
) -> Result<Entered, FormError> {
    let mut form = of_second(deed, id).await?;
    let differs = differing(deed, register, &form, second)?;
    if !differs.is_empty() {
        return Err(FormError::Differs(differs));
    }
    let first = form.sent.clone().ok_or(FormError::MovedOn)?;
    proposer_stands(deed, first.by, &form.office).await?;
    let (person, findings) = examined(deed, register, &form.typed)?;
    let number = form.typed.text(FORM_NUMBER).to_owned();
    let document = format!("DC01 {number}").try_into().unwrap_or_default();
    let declared = Declared {
        office: Some(form.office.clone()),
        proposed_by: Some(first.by),
        form: Some(number.chars().take(MOST_OF_NUMBER).collect()),
        ..Declared::new(findings, Evidence { document, ..Evidence::of_declaration() })
    };
    let entered = Box::pin(steps::enter_as(deed, register, &person, declared)).await?;
    form.person = Some(entered.id);
    end(deed, form, FormState::Entered).await?;
    Ok(entered)
}

/// Gives a form back to be typed again: the fields are named that were read otherwise.
///
/// # Errors
/// [`FormError`]
pub async fn give_back(
    deed: &mut Deed<Officer>,
    register: &Register,
    id: FormId,
    second: &Typed,
) -> Result<PaperForm, FormError> {
    let mut form = of_second(deed, id).await?;
    form.differs = differing(deed, register, &form, second)?;
    form.state = FormState::Begun;
    form.revision += 1;
    store::put(deed.tx(), &form).await?;
    let says = form.differs.join(", ");
    told(deed, Action::DeclarationFormReturned, &form, Some(&says)).await?;
    Ok(form)
}

/// Drops a form that officers type, for a reason: it was entered another way, or is no declaration.
///
/// # Errors
/// [`FormError`]
pub async fn drop(deed: &mut Deed<Officer>, id: FormId, reason: &str) -> Result<(), FormError> {
    let form = in_state(deed, id, FormState::Begun).await?;
    told(deed, Action::DeclarationFormDropped, &form, Some(reason)).await?;
    end(deed, form, FormState::Dropped).await?;
    Ok(())
}

/// Returns a page of the forms of an office in a state, oldest first, each with whether its row is to be believed.
/// Nothing of what was typed is answered.
///
/// # Errors
/// [`StoreError`]
pub async fn waiting(
    deed: &mut Deed<Officer>,
    state: FormState,
    after: FormId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let office = deed.actor().office.clone();
    let rows = store::waiting(deed.tx(), &office, state, after, most).await?;
    let asked = Object::Asked("declaration-forms".into());
    deed.enter(Entry::new(Action::DeclarationFormsListed, asked, Purpose::Declaration).of(&office)).await?;
    Ok(rows)
}

/// Judges what was typed, and says all that stands against it at once.
fn examined(deed: &Deed<Officer>, register: &Register, typed: &Typed) -> Result<(Person, Vec<Finding>), Declined> {
    let (declaration, unclear) = typed.declaration(register.reference(), deed.today());
    let judged = check::examine(&declaration, register.reference(), deed.today());
    if unclear.is_empty() {
        return judged;
    }
    // What is said of a place that was left empty is said better by what makes it unclear.
    let top = |field: &str| field.split('.').next().unwrap_or_default().to_owned();
    let places: BTreeSet<String> = unclear.iter().map(|finding| top(&finding.field)).collect();
    let others = judged.err().map(|declined| declined.0).unwrap_or_default();
    let others = others.into_iter().filter(|finding| !places.contains(&top(&finding.field)));
    Err(Declined(others.chain(unclear).collect()))
}

/// Returns the fields of the second reading that say another thing, judged as the register reads both.
fn differing(
    deed: &Deed<Officer>,
    register: &Register,
    form: &PaperForm,
    second: &Typed,
) -> Result<Vec<String>, FormError> {
    let (first, _) = examined(deed, register, &form.typed)?;
    let (again, findings) = examined(deed, register, &form.typed.with(&READ_TWICE, second))?;
    let mut differs: BTreeSet<String> = BTreeSet::new();
    for change in history::difference(&first, &again) {
        let lower = |value: &serde_json::Value| value.to_string().to_lowercase();
        if lower(&change.before) != lower(&change.after) {
            differs.insert(change.field);
        }
    }
    // What cannot be read is put aside by the register, and would pass as nothing here.
    for field in READ_TWICE {
        let top = field.split('.').next().unwrap_or_default();
        let unread = findings.iter().any(|finding| finding.field.starts_with(top) && finding.shape.is_some());
        if unread && second.text(field) != form.typed.text(field) {
            differs.insert(top.to_owned());
        }
    }
    Ok(READ_TWICE
        .iter()
        .filter_map(|field| field.split('.').next())
        .filter(|f| differs.contains(*f))
        .map(str::to_owned)
        .collect())
}

async fn in_state(deed: &mut Deed<Officer>, id: FormId, state: FormState) -> Result<PaperForm, FormError> {
    let form = store::form_locked(deed.tx(), id).await?.ok_or(FormError::Unknown)?;
    deed.actor().may_act_for(&form.office)?;
    match form.state {
        found if found == state => Ok(form),
        FormState::Dropped | FormState::Entered => Err(FormError::Unknown),
        _ => Err(FormError::MovedOn),
    }
}

/// Ends a form, and erases what was typed.
async fn end(deed: &mut Deed<Officer>, form: PaperForm, state: FormState) -> Result<(), StoreError> {
    let ended = Some(deed.decision());
    let form = PaperForm { state, ended, typed: Typed::default(), ..form };
    store::put(deed.tx(), &form).await
}

async fn told(
    deed: &mut Deed<Officer>,
    action: Action,
    form: &PaperForm,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    let entry = Entry::new(action, Object::Form(form.id), Purpose::Declaration).of(&form.office);
    deed.enter(Entry { reason: reason.map(str::to_owned), ..entry }).await
}

/// The places of a declaration.
pub const PLACES: [&str; 5] =
    ["birth_registration", "place_of_origin", "permanent_residence", "temporary_residence", "current_residence"];
/// The relatives of a declaration.
pub const RELATIVES: [&str; 5] = ["father", "mother", "spouse", "representative", "head_of_household"];
/// The fields that a second officer reads of the paper: what the number for life and the card are made of, and by what
/// a person is found.
pub const READ_TWICE: [&str; 9] = [
    "full_name",
    "birth_date",
    "sex",
    "birth_registration.unit",
    "place_of_origin.unit",
    "permanent_residence.unit",
    "father.full_name",
    "mother.full_name",
    "old_id_number",
];
/// The number of the paper form.
pub const FORM_NUMBER: &str = "form";
/// What is said of a place that may be several.
pub const UNIT_UNCLEAR: &str = "unit-unclear";
/// Longest text of a field as it is typed, characters.
const MOST_TYPED: usize = 400;
/// Longest number of a paper form, characters.
const MOST_OF_NUMBER: usize = 40;

/// Why a form does not go on.
#[derive(Debug, Error)]
pub enum FormError {
    /// The first officer, or what the register says of the change.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// No person can be made of it.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// The second reading says another thing.
    #[error("the readings differ: {}", .0.join(", "))]
    Differs(Vec<String>),
    /// Another officer kept, sent or returned it meanwhile.
    #[error("the form moved on")]
    MovedOn,
    /// Another office's form.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// An officer who had a hand in it.
    #[error("a second officer is needed")]
    SameOfficer,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A text is too long.
    #[error("`{0}` is longer than {MOST_TYPED} characters")]
    TooLong(String),
    /// No such form, or it has ended.
    #[error("no form with this id is under way")]
    Unknown,
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn what_is_typed_is_read_as_it_is_meant_and_what_is_unclear_is_named() {
        let reference = Reference::new(&[]);
        let on = date!(2026 - 11 - 26);
        let typed = |fields: &[(&str, &str)]| {
            let fields: BTreeMap<String, String> =
                fields.iter().map(|(field, text)| ((*field).to_owned(), (*text).to_owned())).collect();
            Typed(fields)
        };
        let form = typed(&[
            ("full_name", "Nguyễn Thị Mẫu"),
            ("ethnic_group", "kinh"),
            ("birth_registration.unit", "Phúc Xá, Ba Đình, Hà Nội"),
            ("permanent_residence.unit", "00001"),
            ("permanent_residence.detail", "Số 1"),
            ("father.full_name", "Nguyễn Văn A"),
            ("father.personal_number", "001 078 000 001"),
        ]);
        let (declaration, unclear) = form.declaration(&reference, on);
        assert_eq!(unclear, []);
        assert_eq!(declaration.birth_registration.commune, "00001");
        assert_eq!(declaration.permanent_residence.as_ref().unwrap().detail, "Số 1");
        assert_eq!(declaration.father.as_ref().unwrap().personal_number, "001078000001");
        assert_eq!((declaration.ethnic_group.as_str(), declaration.mother.is_none()), ("01", true));
        assert!(declaration.temporary_residence.is_none());
        let (_, unclear) = typed(&[("place_of_origin.unit", "Tân Lập")]).declaration(&reference, on);
        assert_eq!((&*unclear[0].field, &*unclear[0].code), ("place_of_origin.unit", UNIT_UNCLEAR));
        // And back: the register's own words are read as the same declaration.
        let (again, _) = Typed::from_declaration(&declaration, &reference, on).declaration(&reference, on);
        assert_eq!(history::members(&again), history::members(&declaration));
    }
}
