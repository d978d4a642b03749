//! The pages of citizens' objections, for the officers who answer them: what waits and until when, what the citizen
//! objects to, and the act of answering. The officer who looked is told that another one answers.

use askama::Template;
use axum::Json;
use axum::extract::{FromRef, State};
use crypto::perso::problem::ProblemCode;
use serde::Serialize;
use time::OffsetDateTime;

use super::objections::{self, CitizenObjection, ObjectionFile, ObjectionVerdict, Opened, Which};
use super::{CitizenError, MOST_OF_WORDS};
use crate::deed::Deed;
use crate::exchange::{AskedBy, LookInWords, look_in_words};
use crate::ground::ids::ObjectionId;
use crate::ground::text::SomeWords;
use crate::ground::{Officer, Permission};
use crate::web::html::{
    Asked, Dress, Filled, Frame, OBJECTIONS, PERSONS, PageRoutes, Place, REGISTER, Shown, Tag, Texts, Trouble, Visitor,
    fill, page, page_about, reference, texts, to, until,
};
use crate::web::{Desk, Named, Problem, Right};

/// The pages of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Desk: FromRef<S>,
{
    let answers = Right::Officer(Permission::AnswerObjections);
    PageRoutes::new().get(answers, OBJECTIONS, list).get(answers, "/pages/objections/{id}", open).post(
        answers,
        "/pages/objections/{id}/answer",
        answer,
    )
}

/// Returns how many objections wait for an officer, and how many of them are late, in words.
///
/// # Errors
/// [`Problem`]
pub(crate) async fn waiting_objections(desk: &Desk, officer: &Officer, t: &'static Texts) -> Result<String, Problem> {
    let now = desk.deeds().source().now();
    let mut tx = desk.deeds().db().begin_read().await?;
    let (all, late) = objections::how_many(&mut tx, officer, now, COUNTED).await?;
    let [all, late] = [all, late].map(|n| n.to_string());
    Ok(match (&*all, &*late) {
        ("0", _) => t.objections.none.clone(),
        (_, "0") => fill(&t.objections.some, &[("n", &all)]),
        _ => fill(&t.objections.some_late, &[("n", &all), ("late", &late)]),
    })
}

/// The list of objections.
#[derive(Template)]
#[template(path = "objections.html")]
struct Objections {
    frame: Frame,
    /// The choices: address, name, whether it is the present one.
    ways: Vec<(String, &'static str, bool)>,
    /// The list has those that were answered.
    answered: bool,
    rows: Vec<Row>,
    /// What is said of a list without rows.
    none: &'static str,
    next: Option<String>,
}

struct Row {
    href: String,
    reference: String,
    about: &'static str,
    made: String,
    due: String,
    office: String,
    tag: Tag,
}

/// The choices of the list, as they stand in its address.
const CHOICES: [(Which, &str); 3] = [(Which::Waiting, "waiting"), (Which::Late, "late"), (Which::Answered, "answered")];

/// `GET /pages/objections`
async fn list(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let malformed = || Problem::new(ProblemCode::QueryMalformed);
    let which = match asked.some("state") {
        None => Which::default(),
        Some(word) => CHOICES.iter().find(|(_, known)| *known == word).ok_or_else(malformed)?.0,
    };
    let after = asked.some("after").map(str::parse::<ObjectionId>).transpose().map_err(|_| malformed())?;
    let look = async |deed: &mut Deed<Officer>| {
        let rows = objections::listed(deed, which, after, SHOWN + 1).await?;
        Ok::<_, CitizenError>((rows, deed.at()))
    };
    let Json((mut rows, now)) = desk.look(visitor.officer.clone(), look).await?;
    let most = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    let word = |which: Which| CHOICES.iter().find(|(known, _)| *known == which).map_or("", |(_, word)| word);
    let last = rows.last().filter(|_| more);
    let next = last.map(|(case, _)| format!("{OBJECTIONS}?state={}&after={}", word(which), case.id));
    let o = &t.objections;
    let way = |(one, text): (Which, &'static str)| (format!("{OBJECTIONS}?state={}", word(one)), text, one == which);
    let names = [(Which::Waiting, &*o.waiting), (Which::Late, &o.late_ones), (Which::Answered, &o.answered)];
    page(&Objections {
        frame: Frame::new(&dress, Some(&visitor), Place::Objections),
        ways: names.map(way).to_vec(),
        answered: which == Which::Answered,
        rows: rows.iter().map(|(case, holds)| row(case, *holds, (&desk, now), t)).collect(),
        none: match which {
            Which::Answered => &o.none_answered,
            Which::Late => &o.none_late,
            Which::Waiting => &o.none,
        },
        next,
    })
}

fn row(case: &CitizenObjection, holds: bool, (desk, now): (&Desk, OffsetDateTime), t: &'static Texts) -> Row {
    let tag = if holds { state(case, now, t) } else { ("bad-t", "i-no", t.objections.changed_elsewhere.clone()) };
    Row {
        href: address(case.id),
        reference: reference(&case.id),
        about: about(case, t),
        made: written(desk, case.made_at),
        due: written(desk, case.answer.as_ref().map_or(case.due, |given| given.by.at)),
        office: case.office.to_string(),
        tag,
    }
}

fn about(case: &CitizenObjection, t: &'static Texts) -> &'static str {
    if case.look.is_some() { &t.objections.to_look } else { &t.objections.to_record }
}

/// Returns how far an objection is: answered, late, or how long there is time.
fn state(case: &CitizenObjection, now: OffsetDateTime, t: &'static Texts) -> Tag {
    let o = &t.objections;
    match case.answer.as_ref().map(|given| given.verdict) {
        Some(ObjectionVerdict::Upheld) => ("good", "i-ok", o.upheld.clone()),
        Some(ObjectionVerdict::Rejected) => ("", "i-none", o.rejected.clone()),
        None => until(case.due, now, t),
    }
}

fn written(desk: &Desk, at: OffsetDateTime) -> String {
    ::pages::written::moment(at, desk.deeds().source().clock().offset())
}

fn address(id: ObjectionId) -> String {
    format!("{OBJECTIONS}/{id}")
}

/// One objection.
#[derive(Template)]
#[template(path = "objection.html")]
struct ObjectionPage {
    frame: Frame,
    token: String,
    key: String,
    id: ObjectionId,
    title: String,
    about: &'static str,
    tag: Tag,
    /// What the citizen says.
    words: String,
    /// The look that it is about.
    look: Option<LookInWords>,
    /// The partner's officer and case.
    asked: Option<AskedBy>,
    /// The officer of the register who looked.
    looker: Option<String>,
    /// The trail has no such look.
    look_gone: bool,
    /// Pages of the person that the officer may open: address, name.
    ways: Vec<(String, &'static str)>,
    /// Who answers it: role and office.
    answers: String,
    made: String,
    due: String,
    answer: Option<Given>,
    /// What the verb itself says against an answer of this officer.
    barred: Option<Trouble>,
    typed: Typed,
    done: bool,
    trouble: Option<Trouble>,
}

/// What was answered, by whom, when.
struct Given {
    words: String,
    by: String,
    at: String,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
struct Typed {
    verdict: String,
    words: String,
}

impl ObjectionPage {
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }

    /// The form is there: for an objection that waits, to an officer who may answer it.
    fn is_open(&self) -> bool {
        self.answer.is_none() && self.barred.is_none()
    }
}

/// `GET /pages/objections/{id}`
async fn open(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<ObjectionId>,
    asked: Asked,
) -> Shown {
    let sheet = sheet(&desk, &dress, &visitor, id, (Typed::default(), None)).await?;
    page(&ObjectionPage { done: sheet.answer.is_some() && asked.some("done").is_some(), ..sheet })
}

async fn sheet(
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    id: ObjectionId,
    (typed, problem): (Typed, Option<&Problem>),
) -> Result<ObjectionPage, Problem> {
    let (t, officer) = (texts(dress.language), &visitor.officer);
    let look = async |deed: &mut Deed<Officer>| objections::file(deed, id).await.map(|file| (file, deed.at()));
    let Json((file, now)) = desk.look(officer.clone(), look).await?;
    let ObjectionFile { opened: Opened { case, words, answer }, look, looker, answered_by } = file;
    let barred = if case.answer.is_none() { barred(desk, officer, id, t).await? } else { None };
    let look_gone = case.look.is_some() && look.is_none();
    let (look, asked) = look.map(|found| (look_in_words(found.look, desk, t), found.asked)).unzip();
    let person = case.person;
    let mut ways = vec![];
    if officer.may(Permission::ReadPerson) {
        ways.push((format!("{PERSONS}/{person}"), &*t.objections.open_person));
    }
    if officer.may(Permission::Declare) {
        ways.push((format!("{REGISTER}/persons/{person}"), &t.objections.open_record));
    }
    if officer.may(Permission::ReadLooks) {
        ways.push((format!("{PERSONS}/{person}/looks"), &t.objections.open_looks));
    }
    let unit = fill(&t.layout.unit, &[("office", case.office.as_str())]);
    let given = answer.zip(case.answer.as_ref()).map(|(words, given)| Given {
        words,
        by: answered_by.unwrap_or_default(),
        at: written(desk, given.by.at),
    });
    Ok(ObjectionPage {
        frame: Frame::new(&dress.at(&address(id)), Some(visitor), Place::Objections),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        id,
        title: fill(&t.objections.called, &[("reference", &reference(&id))]),
        about: about(&case, t),
        tag: state(&case, now, t),
        words,
        look,
        asked: asked.flatten(),
        looker,
        look_gone,
        ways,
        answers: format!("{}, {unit}", t.word(&t.role, case.role.name())),
        made: written(desk, case.made_at),
        due: written(desk, case.due),
        answer: given,
        barred,
        typed,
        done: false,
        trouble: problem.map(|problem| Trouble::of(problem, t)),
    })
}

/// Returns what the verb itself says against an answer of this officer: it is tried in a deed that is not kept.
async fn barred(
    desk: &Desk,
    officer: &Officer,
    id: ObjectionId,
    t: &'static Texts,
) -> Result<Option<Trouble>, Problem> {
    let mut deed = desk.deeds().open(officer.clone()).await?;
    let said = objections::answer(&mut deed, id, (ObjectionVerdict::Rejected, "?")).await;
    drop(deed);
    let Some(problem) = said.err().map(Problem::from) else { return Ok(None) };
    match problem.code() {
        _ if problem.status().is_server_error() => Err(problem),
        // Another officer answered it a moment ago: the next look shows that.
        ProblemCode::ObjectionAnswered => Ok(None),
        ProblemCode::SecondOfficerNeeded => {
            let mut own = Trouble::of(&problem, t);
            t.objections.own.clone_into(&mut own.title);
            t.objections.own_says.clone_into(&mut own.says);
            Ok(Some(own))
        }
        _ => Ok(Some(Trouble::of(&problem, t))),
    }
}

/// What an act came to, as it is kept under the key of the act.
#[derive(Serialize)]
struct Done {
    objection: ObjectionId,
}

/// `POST /pages/objections/{id}/answer`
async fn answer(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<ObjectionId>,
    filled: Filled,
) -> Shown {
    let typed = Typed { verdict: filled.text("verdict").to_owned(), words: filled.text("words").to_owned() };
    let read = || {
        let unchosen = || {
            let code = ProblemCode::ReasonMissing;
            Problem::new(code).field("/verdict", code, "upheld or rejected")
        };
        let verdict = typed.verdict.parse::<ObjectionVerdict>().map_err(|_| unchosen())?;
        let words: SomeWords<MOST_OF_WORDS> = filled.judged("words")?;
        Ok::<_, Problem>((verdict, words, filled.stamp()?))
    };
    let said = match read() {
        Ok((verdict, words, stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| {
                objections::answer(deed, id, (verdict, words.as_str())).await?;
                Ok::<_, CitizenError>(Done { objection: id })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(_) => Ok(to(&format!("{}?done=answered", address(id)))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => match sheet(&desk, &dress, &visitor, id, (typed, Some(&problem))).await {
            Ok(sheet) => page_about(&problem, &sheet),
            // Others answer it: what the verb said is all there is to say.
            Err(_) => Err(problem),
        },
    }
}

/// So many objections are a page.
const SHOWN: i64 = 50;
/// So many are counted for the beginning.
const COUNTED: i64 = 200;
