//! The page where people are looked for: one box for a number or a name, a date of birth, and what narrows it. The
//! verbs are those of the register's search, and each person who is found is a record.

use askama::Template;
use axum::extract::State;
use crypto::identity::{CardSerial, folded_name};
use crypto::perso::problem::ProblemCode;
use time::Date;

use super::super::{Counter, steps};
use crate::cards;
use crate::deed::{Deed, Occasion, Purpose};
use crate::ground::ids::PersonId;
use crate::ground::text::Words;
use crate::ground::{Officer, Permission};
use crate::population::reference::{Entry, Reference, Table};
use crate::population::search::{BirthFit, By, Fit, Found, Sought, SoughtPlace};
use crate::web::html::{
    Dress, Filled, Frame, PERSONS, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about, texts,
};
use crate::web::{Desk, OccasionAsked, Problem};

/// The form, and who was found.
#[derive(Template)]
#[template(path = "persons.html")]
struct Persons {
    frame: Frame,
    form: Form,
    found: Option<People>,
    trouble: Option<Trouble>,
}

impl Persons {
    /// Returns what is wrong with a field that the officer filled in.
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

/// What is asked, as it was typed.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what is ticked, box by box")]
pub(super) struct Form {
    pub token: String,
    pub who: String,
    pub birth: String,
    pub father: String,
    pub mother: String,
    pub district: String,
    pub commune: String,
    pub beginning: bool,
    pub alike: bool,
    /// True if something in the folded part is filled in.
    pub narrowed: bool,
    /// True for an officer who may look for the card on a chip.
    pub by_chip: bool,
    /// What for: word, text, whether it is chosen.
    pub purposes: Vec<(&'static str, &'static str, bool)>,
    /// Provinces: code, name, whether it is chosen.
    pub provinces: Vec<(String, String, bool)>,
}

impl Form {
    /// The form for an officer, with what was typed.
    fn of(visitor: &Visitor, filled: Option<&Filled>, reference: &Reference, today: Date, t: &'static Texts) -> Self {
        let text = |name: &str| filled.map(|filled| filled.text(name).to_owned()).unwrap_or_default();
        let ticked = |name: &str| filled.is_some_and(|filled| filled.some(name).is_some());
        let (chosen, province) = (text("purpose"), text("province"));
        let [father, mother, district, commune] = ["father", "mother", "district", "commune"].map(text);
        let may = |task: &Option<Permission>| task.is_none_or(|task| visitor.officer.may(task));
        let tasks = Purpose::READING.iter().filter(|(_, task)| may(task));
        let is_chosen = |word: &str| if chosen.is_empty() { word == Purpose::LookUp.word() } else { chosen == word };
        let provinces = reference.entries(Table::Provinces, today).into_iter();
        Self {
            token: visitor.token.clone(),
            who: text("who"),
            birth: text("birth"),
            beginning: ticked("beginning"),
            alike: ticked("alike"),
            narrowed: [&father, &mother, &province, &district, &commune].iter().any(|text| !text.is_empty())
                || ticked("beginning")
                || ticked("alike"),
            by_chip: visitor.officer.may(Permission::ReadCard),
            purposes: tasks
                .map(|(purpose, _)| (purpose.word(), t.word(&t.purpose, purpose.word()), is_chosen(purpose.word())))
                .collect(),
            provinces: provinces
                .map(|entry| {
                    let is_it = entry.code == province;
                    (entry.code.clone(), entry.name_vi.filter(|name| !name.is_empty()).unwrap_or(entry.code), is_it)
                })
                .collect(),
            father,
            mother,
            district,
            commune,
        }
    }
}

/// Who was found.
#[derive(Debug)]
pub(super) struct People {
    pub title: String,
    pub rows: Vec<Row>,
    /// True if more than those fit.
    pub more: bool,
}

/// A person who was found.
#[derive(Debug)]
pub(super) struct Row {
    /// Where the person's file is; none for a person of another office.
    pub href: Option<String>,
    pub name: String,
    pub number: String,
    pub birth: String,
    pub sex: &'static str,
    pub by: &'static str,
    pub fit: &'static str,
    pub exact: bool,
}

/// `GET /pages/persons`
pub(super) async fn form(
    State(counter): State<Counter>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
) -> Shown {
    let (t, today) = (texts(dress.language), desk.deeds().source().clock().today());
    let form = Form::of(&visitor, None, counter.register.reference(), today, t);
    let frame = Frame::new(&dress, Some(&visitor), Place::Persons);
    page(&Persons { frame, form, found: None, trouble: None })
}

/// `POST /pages/persons`: a question and no write. What is asked for is personal, and so it stands in no address.
pub(super) async fn search(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    dress: Dress,
    visitor: Visitor,
    filled: Filled,
) -> Shown {
    let (t, today) = (texts(dress.language), desk.deeds().source().clock().today());
    let form = Form::of(&visitor, Some(&filled), counter.register.reference(), today, t);
    let frame = Frame::new(&dress.at(PERSONS), Some(&visitor), Place::Persons);
    match Box::pin(find(&desk, &counter, &visitor.officer, &filled, t)).await {
        Ok(found) => page(&Persons { frame, form, found: Some(found), trouble: None }),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let mut trouble = Trouble::of(&problem, t);
            if trouble.is_about("who") {
                let digits = compact(filled.text("who")).len();
                trouble.title = fill(&t.persons.number_wrong, &[("n", &digits.to_string())]);
            }
            page_about(&problem, &Persons { frame, form, found: None, trouble: Some(trouble) })
        }
    }
}

async fn find(
    desk: &Desk,
    counter: &Counter,
    officer: &Officer,
    filled: &Filled,
    t: &'static Texts,
) -> Result<People, Problem> {
    let today = desk.deeds().source().clock().today();
    let purpose: Words<20> = filled.judged("purpose")?;
    let purpose = Some(purpose).filter(|purpose| !purpose.as_str().is_empty());
    let occasion = OccasionAsked { purpose, case: None }.of(officer)?;
    let (found, more) = match asked(filled, counter.register.reference(), today)? {
        Wanted::Chip(serial) => {
            if !officer.may(Permission::ReadCard) {
                return Err(Problem::new(ProblemCode::RoleMissing));
            }
            let look = async |deed: &mut Deed<Officer>| of_chip(deed, counter, serial, occasion).await;
            (desk.look(officer.clone(), look).await?.0, false)
        }
        Wanted::Sought(sought) => {
            let look = async |deed: &mut Deed<Officer>| steps::search(deed, &counter.register, &sought, occasion).await;
            desk.look(officer.clone(), look).await?.0
        }
    };
    let rows: Vec<Row> = found.iter().map(|found| row(found, occasion, t)).collect();
    let title = match rows.len() {
        0 => t.persons.none.clone(),
        n => fill(&t.persons.found, &[("n", &format!("{n}{}", if more { "+" } else { "" }))]),
    };
    Ok(People { title, rows, more })
}

/// Finds the holder of the card on a chip, whom the officer may read.
async fn of_chip(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    serial: CardSerial,
    occasion: Occasion,
) -> Result<Vec<Found>, Problem> {
    let Some((person, _)) = cards::on_chip(deed, serial, occasion).await? else { return Ok(vec![]) };
    let registered = crate::population::steps::read(deed, person, occasion).await?;
    let Some(number) = registered.personal_number else { return Ok(vec![]) };
    let sought = Sought { personal_number: words(number.as_str().to_owned())?, ..Sought::default() };
    Ok(steps::search(deed, &counter.register, &sought, occasion).await?.0)
}

/// By what people are looked for.
enum Wanted {
    /// The card on this chip.
    Chip(CardSerial),
    /// What the register's search takes.
    Sought(Box<Sought>),
}

/// Reads the form: the one box takes a number for life, the number of an old card, the serial of a chip, or a name.
fn asked(filled: &Filled, reference: &Reference, today: Date) -> Result<Wanted, Problem> {
    let who = compact(filled.text("who"));
    if who.len() == 20
        && let Ok(serial) = who.parse()
    {
        return Ok(Wanted::Chip(serial));
    }
    let mut sought = Sought {
        birth_date: filled.judged("birth")?,
        father: filled.judged("father")?,
        mother: filled.judged("mother")?,
        residence: residence(filled, reference, today)?,
        beginning: filled.some("beginning").is_some(),
        alike: filled.some("alike").is_some(),
        ..Sought::default()
    };
    let is_number = !who.is_empty() && who.bytes().all(|b| b.is_ascii_digit());
    match who.len() {
        12 if is_number => sought.personal_number = words(who)?,
        9 if is_number => sought.old_id_number = words(who)?,
        _ if is_number => {
            let code = ProblemCode::SearchUnfit;
            return Err(Problem::new(code).field("/who", code, "12 digits, 9 of an old card, 20 of a chip"));
        }
        _ => sought.full_name = filled.judged("who")?,
    }
    Ok(Wanted::Sought(Box::new(sought)))
}

/// Reads where a person lives, in names or codes.
fn residence(filled: &Filled, reference: &Reference, today: Date) -> Result<SoughtPlace, Problem> {
    let province = filled.text("province");
    let district = unit(filled, "district", reference, Table::Districts, province, today)?;
    let within = if district.is_empty() { province } else { &district };
    let commune = unit(filled, "commune", reference, Table::Communes, within, today)?;
    let province = filled.judged("province")?;
    Ok(SoughtPlace { province, district: words(district)?, commune: words(commune)? })
}

/// Returns the code of a district or commune that was typed as a code or as its name, with or without
/// marks and the word before it.
fn unit(
    filled: &Filled,
    field: &'static str,
    reference: &Reference,
    table: Table,
    within: &str,
    today: Date,
) -> Result<String, Problem> {
    let typed = filled.text(field).trim();
    if typed.is_empty() || typed.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(typed.to_owned());
    }
    let wanted = folded_name(typed);
    let is_within = |entry: &Entry| within.is_empty() || is_within(reference, entry, within, today);
    let is_it = |entry: &Entry| {
        let name = entry.name_vi.as_deref().map(folded_name).unwrap_or_default();
        name == wanted || KINDS.iter().any(|kind| name.strip_prefix(kind).is_some_and(|rest| rest.trim() == wanted))
    };
    let found: Vec<String> =
        reference.entries(table, today).into_iter().filter(|e| is_it(e) && is_within(e)).map(|e| e.code).collect();
    match &found[..] {
        [one] => Ok(one.clone()),
        _ => {
            let code = ProblemCode::SearchUnfit;
            let says = "the name of one unit within the unit above it, or its code";
            Err(Problem::new(code).field(format!("/{field}"), code, says))
        }
    }
}

/// True for a unit that belongs to this one, or to a unit that does.
fn is_within(reference: &Reference, entry: &Entry, within: &str, today: Date) -> bool {
    let Some(above) = entry.within.as_deref() else { return false };
    above == within || reference.district(above, today).is_some_and(|district| district.within == within)
}

/// The words before the names of units, as they are folded.
const KINDS: [&str; 9] =
    ["thanh pho ", "thi xa ", "thi tran ", "huyen ", "quan ", "phuong ", "xa ", "tinh ", "huyen dao "];

/// A text of the search, as one of the API.
fn words<const MOST: usize>(text: String) -> Result<Words<MOST>, Problem> {
    Words::try_from(text).map_err(|error| Problem::new(ProblemCode::SearchUnfit).detail(error))
}

/// Returns a number without what people write between its digits.
pub(super) fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '.' | '-')).collect()
}

fn row(found: &Found, occasion: Occasion, t: &'static Texts) -> Row {
    let by = match found.by {
        By::Number => &t.persons.by_number,
        By::Replaced => &t.persons.by_replaced,
        By::Merged => &t.persons.by_merged,
        By::OldNumber => &t.persons.by_old_number,
        By::Name => &t.persons.by_name,
        By::Parents => &t.persons.by_parents,
        By::Residence => &t.persons.by_residence,
    };
    let fit = match (found.fit, found.birth) {
        (Fit::Exact, Some(BirthFit::YearOnly)) => &t.persons.fit_year_only,
        (Fit::Exact, _) => &t.persons.fit_exact,
        (Fit::WithoutTones, _) => &t.persons.fit_without_tones,
        (Fit::Beginning, _) => &t.persons.fit_beginning,
        (Fit::WordOrder, _) => &t.persons.fit_word_order,
        (Fit::SomeWords, _) => &t.persons.fit_some_words,
        (Fit::OneLetter, _) => &t.persons.fit_one_letter,
    };
    let of = &found.registered;
    let (by, fit, exact) = (by.as_str(), fit.as_str(), found.fit == Fit::Exact);
    if !found.readable {
        let name = fill(&t.persons.elsewhere, &[("office", of.office.as_str())]);
        return Row { href: None, name, number: String::new(), birth: String::new(), sex: "", by, fit, exact };
    }
    let number = of.personal_number.as_ref();
    Row {
        href: Some(address(of.id, occasion.purpose)),
        name: of.person.full_name.as_str().to_owned(),
        number: number.map_or_else(|| t.file.number_none.clone(), |n| ::pages::written::personal_number(n.as_str())),
        birth: of.person.birth.to_string(),
        sex: t.word(&t.sex, &of.person.sex.letter().to_string()),
        by,
        fit,
        exact,
    }
}

/// Where a person's file is, opened for this purpose.
fn address(person: PersonId, purpose: Purpose) -> String {
    match purpose {
        Purpose::LookUp => format!("{PERSONS}/{person}"),
        purpose => format!("{PERSONS}/{person}?purpose={purpose}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for (typed, read) in [("003 078 220 911", "003078220911"), ("000.411.902", "000411902"), ("\u{a0}1-2", "12")] {
            assert_eq!(compact(typed), read);
        }
    }
}
