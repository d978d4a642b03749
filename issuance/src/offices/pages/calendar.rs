//! The page of the calendar: the days of a year that are no usual ones, and what waits for a second administrator.

use askama::Template;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;
use serde::Serialize;
use time::{Date, Month};

use super::super::calendar::{Day, SetDay};
use super::super::model::OfficesError;
use super::super::{steps, store};
use super::wrong;
use crate::access;
use crate::deed::Deed;
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{OfficeCode, Officer};
use crate::web::html::{
    Asked, CALENDAR, Dress, Filled, Frame, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about, texts, to,
};
use crate::web::{Desk, Named, Problem};

/// A year.
#[derive(Template)]
#[template(path = "calendar.html")]
struct Year {
    frame: Frame,
    token: String,
    key: String,
    year: i32,
    /// Whether the holidays of the year are known: class, glyph, words.
    known: (&'static str, &'static str, String),
    working: String,
    rows: Vec<Row>,
    proposed: Vec<Proposed>,
    national: bool,
    typed: Typed,
    done: Option<String>,
    trouble: Option<Trouble>,
}

impl Year {
    fn wrong(&self, field: &str) -> Option<&str> {
        wrong(self.trouble.as_ref(), field)
    }
}

/// A day that is no usual one.
struct Row {
    day: String,
    weekday: &'static str,
    name: String,
    working: bool,
}

/// What an administrator wants a day to be.
struct Proposed {
    iso: String,
    day: String,
    weekday: &'static str,
    name: String,
    working: bool,
    by: String,
    at: String,
    /// True for the administrator who proposed it: another one confirms.
    own: bool,
}

#[derive(Clone, Default)]
struct Typed {
    day: String,
    kind: String,
    name: String,
    reason: String,
}

/// Returns how many days wait for a second administrator, of this year and the next two.
///
/// # Errors
/// [`Problem`]
pub(crate) async fn waiting_days(desk: &Desk) -> Result<usize, Problem> {
    let today = desk.deeds().source().clock().today();
    let mut tx = desk.deeds().db().begin_read().await?;
    let (from, to) = (first(today.year()), last(today.year() + 2));
    Ok(steps::proposed_days(&mut tx, (from, to), desk.deeds().source().now()).await?.len())
}

fn first(year: i32) -> Date {
    Date::from_calendar_date(year, Month::January, 1).unwrap_or(Date::MIN)
}

fn last(year: i32) -> Date {
    Date::from_calendar_date(year, Month::December, 31).unwrap_or(Date::MAX)
}

/// `GET /pages/administration/calendar`
pub(super) async fn open(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let today = desk.deeds().source().clock().today();
    let year = asked.some("year").and_then(|text| text.parse().ok()).unwrap_or_else(|| today.year());
    let done = match asked.some("done") {
        Some("proposed") => Some(t.calendar.done_proposed.clone()),
        Some("confirmed") => Some(t.calendar.done_confirmed.clone()),
        _ => None,
    };
    page(&Year { done, ..sheet(&desk, &dress, &visitor, year, Typed::default(), None).await? })
}

fn weekday(day: Date, t: &'static Texts) -> &'static str {
    let word = day.weekday().to_string().to_lowercase();
    let words = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    t.word(&t.weekday, words.iter().find(|one| **one == word).copied().unwrap_or("?"))
}

async fn sheet(
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    year: i32,
    typed: Typed,
    problem: Option<&Problem>,
) -> Result<Year, Problem> {
    let t = texts(dress.language);
    let year = year.clamp(1945, 2199);
    let (now, offset) = (desk.deeds().source().now(), desk.deeds().source().clock().offset());
    let mut tx = desk.deeds().db().begin_read().await?;
    let calendar = steps::calendar(&mut tx, year, year).await?;
    let mut proposed = vec![];
    for store::DayProposal { day, set, proposed: decision, .. } in
        steps::proposed_days(&mut tx, (first(year), last(year)), now).await?
    {
        proposed.push(Proposed {
            iso: Day(day).to_string(),
            day: ::pages::written::date(day),
            weekday: weekday(day, t),
            name: set.name,
            working: set.working,
            by: access::called(&mut tx, decision.by).await?,
            at: ::pages::written::moment(decision.at, offset),
            own: visitor.officer.is_one_with(decision.by),
        });
    }
    drop(tx);
    let days = || std::iter::successors(Some(first(year)), |day| day.next_day()).take_while(|day| *day <= last(year));
    let row = |day: Date| {
        calendar.name(day).map(|name| Row {
            day: ::pages::written::date(day),
            weekday: weekday(day, t),
            name: name.to_owned(),
            working: calendar.is_working(day),
        })
    };
    let working = days().filter(|day| calendar.is_working(*day)).count();
    let known = match (calendar.years_without_entries(first(year), last(year)).is_empty(), calendar.is_announced(year))
    {
        (false, _) => ("bad-t", "i-no", t.calendar.unknown.clone()),
        (true, false) => ("wait", "i-wait", t.calendar.computed.clone()),
        (true, true) => ("good", "i-ok", t.calendar.announced.clone()),
    };
    Ok(Year {
        frame: Frame::new(&dress.at(&format!("{CALENDAR}?year={year}")), Some(visitor), Place::Administration),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        year,
        known,
        working: fill(&t.calendar.working, &[("n", &working.to_string())]),
        rows: days().filter_map(row).collect(),
        proposed,
        national: visitor.officer.office == OfficeCode::national(),
        typed,
        done: None,
        trouble: problem.map(|problem| Trouble::of(problem, t)),
    })
}

/// What an act about a day came to, as it is kept under the key of the act.
#[derive(Serialize)]
struct Done {
    day: Day,
}

/// `POST /pages/administration/calendar`: proposes what a day is to be.
pub(super) async fn propose(State(desk): State<Desk>, dress: Dress, visitor: Visitor, filled: Filled) -> Shown {
    let typed = Typed {
        day: filled.text("day").trim().to_owned(),
        kind: filled.text("kind").to_owned(),
        name: filled.text("name").to_owned(),
        reason: filled.text("reason").to_owned(),
    };
    let about = |field: &str| {
        Problem::new(ProblemCode::CalendarDayUnfit).field(
            format!("/{field}"),
            ProblemCode::CalendarDayUnfit,
            "see the hint",
        )
    };
    let read = || {
        let day: Day = typed.day.parse().map_err(|_| about("day"))?;
        let working = match typed.kind.as_str() {
            "working" => true,
            "holiday" => false,
            _ => return Err(about("kind")),
        };
        let reason: SomeWords<MOST_OF_REASON> = filled.judged("reason")?;
        Ok::<_, Problem>((day, working, reason, filled.stamp()?))
    };
    let said = match read() {
        Ok((day, working, reason, stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| {
                steps::propose_day(deed, day.0, working, &typed.name, reason.as_str()).await?;
                Ok::<_, OfficesError>(Done { day })
            };
            let said = desk.write(visitor.officer.clone(), stamp, verb).await;
            said.map(|_| day.0.year())
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(year) => Ok(to(&format!("{CALENDAR}?year={year}&done=proposed"))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let is_name = problem.code() == ProblemCode::CalendarDayUnfit && problem.errors().is_empty();
            let problem = if is_name { about("name") } else { problem };
            let today = desk.deeds().source().clock().today();
            let year = typed.day.get(..4).and_then(|text| text.parse().ok()).unwrap_or_else(|| today.year());
            page_about(&problem, &sheet(&desk, &dress, &visitor, year, typed, Some(&problem)).await?)
        }
    }
}

/// `POST /pages/administration/calendar/{day}/confirmation`
pub(super) async fn confirm(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(day): Named<String>,
    filled: Filled,
) -> Shown {
    let read = || {
        // About what is no day nothing waits.
        let day: Day = day.parse().map_err(|_| Problem::new(ProblemCode::ProposalUnknown))?;
        Ok::<_, Problem>((day, filled.stamp()?))
    };
    let (day, stamp) = read()?;
    let seen = SetDay { working: filled.text("kind") == "working", name: filled.text("name").to_owned() };
    let verb = async |deed: &mut Deed<Officer>| {
        steps::confirm_day(deed, day.0, &seen).await?;
        Ok::<_, OfficesError>(Done { day })
    };
    match desk.write(visitor.officer.clone(), stamp, verb).await {
        Ok(_) => Ok(to(&format!("{CALENDAR}?year={}&done=confirmed", day.0.year()))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let year = day.0.year();
            page_about(&problem, &sheet(&desk, &dress, &visitor, year, Typed::default(), Some(&problem)).await?)
        }
    }
}
