//! The beginning of the counter: a person is sought, and what was begun is found again.

use askama::Template;
use axum::Json;
use axum::extract::State;
use crypto::identity::PersonalNumber;
use crypto::perso::problem::ProblemCode;

use super::super::super::lists::taken;
use super::super::super::model::Kind;
use super::super::super::store::lists::by_due_day;
use super::super::super::store::progress_of;
use super::super::super::{Counter, steps};
use super::super::file::{kind_word, reference};
use super::super::queue::due_in_words;
use super::{REGISTRATION, address};
use crate::ground::ids::ApplicationId;
use crate::ground::text::Words;
use crate::ground::{Id, Officer, Role};
use crate::offices;
use crate::population::search::{BirthFit, By, Fit, Found, Sought};
use crate::web::html::{
    COUNTER, Dress, Filled, Frame, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about, texts,
};
use crate::web::{Desk, Problem};

/// The beginning.
#[derive(Template)]
#[template(path = "counter.html")]
struct Start {
    frame: Frame,
    token: String,
    typed: Typed,
    found: Option<Vec<Hit>>,
    /// What the search says beside those it found.
    says: String,
    work: Vec<Work>,
    work_more: Option<String>,
    trouble: Option<Trouble>,
}

/// What was typed into the search.
#[derive(Clone, Default)]
struct Typed {
    number: String,
    name: String,
    birth: String,
}

/// A person who was found.
struct Hit {
    href: String,
    name: String,
    readable: bool,
    birth: String,
    sex: &'static str,
    number: String,
    office: String,
    how: &'static str,
}

/// An application that waits at the counter. It has no name: that is shown when it is opened.
struct Work {
    href: String,
    reference: String,
    kind: &'static str,
    stage: &'static str,
    due: String,
    due_class: &'static str,
    taken: bool,
}

/// Returns what waits at the counter of an officer, in words.
pub(crate) async fn at_counter(desk: &Desk, officer: &Officer, t: &'static Texts) -> Result<String, Problem> {
    let (work, more) = waiting(desk, officer, t).await?;
    Ok(match work.first() {
        None => t.counter.work_none.clone(),
        Some(first) => {
            let count = format!("{}{}", work.len(), if more { "+" } else { "" });
            fill(&t.counter.work_some, &[("n", &count), ("due", &first.due)])
        }
    })
}

/// The page with nothing sought yet.
pub(super) async fn start(State(desk): State<Desk>, dress: Dress, visitor: Visitor) -> Shown {
    let begin = begin(&desk, &dress, &visitor, Typed::default()).await?;
    page(&begin)
}

/// Looks for a person: by a number, or by name and date of birth. What is asked for is personal, so it stands in no
/// address.
pub(super) async fn search(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    dress: Dress,
    visitor: Visitor,
    filled: Filled,
) -> Shown {
    let t = texts(dress.language);
    let dress = dress.at(COUNTER);
    let typed = Typed {
        number: filled.text("number").to_owned(),
        name: filled.text("name").to_owned(),
        birth: filled.text("birth").to_owned(),
    };
    let looked = async {
        let sought = sought(&typed)?;
        let officer = visitor.officer.clone();
        desk.look(officer, async |deed| steps::search(deed, &counter.register, &sought, REGISTRATION).await).await
    };
    match looked.await {
        Ok(Json((found, more))) => {
            let says = match found.len() {
                0 => t.counter.found_none.clone(),
                _ if more => t.counter.found_more.clone(),
                n => fill(&t.counter.found, &[("n", &n.to_string())]),
            };
            let found = found.into_iter().map(|found| Hit::of(found, t)).collect();
            let begin = begin(&desk, &dress, &visitor, typed).await?;
            page(&Start { found: Some(found), says, ..begin })
        }
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let begin = begin(&desk, &dress, &visitor, typed).await?;
            page_about(&problem, &Start { trouble: Some(Trouble::of(&problem, t)), ..begin })
        }
    }
}

async fn begin(desk: &Desk, dress: &Dress, visitor: &Visitor, typed: Typed) -> Result<Start, Problem> {
    let t = texts(dress.language);
    let (work, more) = waiting(desk, &visitor.officer, t).await?;
    Ok(Start {
        frame: Frame::new(dress, Some(visitor), Place::Counter),
        token: visitor.token.clone(),
        typed,
        found: None,
        says: String::new(),
        work,
        work_more: more.then(|| fill(&t.approvals.more, &[("n", &SHOWN.to_string())])),
        trouble: None,
    })
}

/// Reads what is asked: a number alone, if there is one. The text of a card's QR code has it first.
fn sought(typed: &Typed) -> Result<Sought, Problem> {
    let unfit = |field: &'static str| {
        let code = ProblemCode::SearchUnfit;
        Problem::new(code).field(field, code, "a number, or a name with the date of birth")
    };
    let digits: String = typed.number.split('|').next().unwrap_or_default().split_whitespace().collect();
    if !digits.is_empty() {
        let number = Words::try_from(digits.clone()).map_err(|_| unfit("/number"))?;
        return match digits.len() {
            9 => Ok(Sought { old_id_number: number, ..Sought::default() }),
            _ if digits.parse::<PersonalNumber>().is_ok() => {
                Ok(Sought { personal_number: number, ..Sought::default() })
            }
            _ => Err(unfit("/number")),
        };
    }
    let full_name = Words::try_from(typed.name.clone()).map_err(|_| unfit("/name"))?;
    let birth_date = Words::try_from(typed.birth.trim().to_owned()).map_err(|_| unfit("/birth"))?;
    Ok(Sought { full_name, birth_date, ..Sought::default() })
}

impl Hit {
    fn of(found: Found, t: &'static Texts) -> Self {
        let Found { registered, by, fit, birth, readable } = found;
        let person = Some(&registered.person).filter(|_| readable);
        let number = registered.personal_number.as_ref().filter(|_| readable);
        Self {
            href: format!("{COUNTER}/persons/{}", registered.id),
            name: match person {
                Some(person) => person.full_name.as_str().to_owned(),
                None => fill(&t.file.doubles_elsewhere, &[("office", registered.office.as_str())]),
            },
            readable,
            birth: person.map(|person| person.birth.to_string()).unwrap_or_default(),
            sex: person.map_or("", |person| t.word(&t.sex, &person.sex.letter().to_string())),
            number: number.map(|n| ::pages::written::personal_number(n.as_str())).unwrap_or_default(),
            office: registered.office.to_string(),
            how: how(by, fit, birth, t),
        }
    }
}

/// Returns what an officer should know of the way in which a person was found; nothing where all agrees.
fn how(by: By, fit: Fit, birth: Option<BirthFit>, t: &'static Texts) -> &'static str {
    match (by, fit, birth) {
        (By::Replaced, ..) => &t.counter.how_replaced,
        (By::Merged, ..) => &t.counter.how_merged,
        (_, Fit::WithoutTones, _) => &t.counter.how_tones,
        (_, Fit::Beginning | Fit::WordOrder | Fit::SomeWords | Fit::OneLetter, _) => &t.counter.how_alike,
        (_, _, Some(BirthFit::YearOnly)) => &t.counter.how_year,
        _ => "",
    }
}

/// Reads what waits at the counter of the officer's office: what was begun and not sent, and what came back.
async fn waiting(desk: &Desk, officer: &Officer, t: &'static Texts) -> Result<(Vec<Work>, bool), Problem> {
    let source = desk.deeds().source();
    let (now, today) = (source.now(), source.clock().today());
    let mut tx = desk.deeds().db().begin_read().await?;
    let mut found = by_due_day(&mut tx, &officer.office, Role::Capture, SHOWN + 1).await?;
    let shown = usize::try_from(SHOWN).unwrap_or_default();
    let more = found.len() > shown;
    found.truncate(shown);
    let claims = taken(&mut tx, &found, now).await?;
    let calendar = offices::steps::calendar(&mut tx, today.year() - 1, today.year()).await?;
    drop(tx);
    let mut work = vec![];
    for (record, _) in &found {
        let id: ApplicationId = Id::of(record, "id")?;
        let kind: Option<Kind> = record.json("kind").ok();
        let progress = progress_of(record).ok();
        let due = progress.as_ref().and_then(|progress| progress.due);
        let late = progress.map_or(0, |progress| progress.days_late(today, &calendar));
        let (due, due_class) = due_in_words(due, late, today, t);
        let stage: String = record.get("stage")?;
        work.push(Work {
            href: address(id),
            reference: reference(id),
            kind: kind.map_or("?", |kind| t.word(&t.kind, &kind_word(kind))),
            stage: t.word(&t.stage, &stage),
            due,
            due_class,
            taken: claims.get(&id).is_some_and(|claim| claim.officer != officer.id),
        });
    }
    Ok((work, more))
}

/// So many rows are shown.
const SHOWN: i64 = 50;
