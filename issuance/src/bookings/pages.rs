//! The page of an office's opening hours, for administrators.

use askama::Template;
use axum::extract::{FromRef, State};
use crypto::perso::problem::ProblemCode;
use serde::Serialize;

use super::model::{DayOfWeek, HoursUnfit, OpeningHours, TimeOfDay, in_force};
use super::{BookingError, steps};
use crate::access;
use crate::deed::Deed;
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{OfficeCode, Officer, Permission};
use crate::offices::calendar::Day;
use crate::web::html::{
    Asked, Dress, Filled, Frame, PageRoutes, Place, Shown, Texts, Trouble, UNITS, Visitor, fill, page, page_about,
    texts, to,
};
use crate::web::{Desk, Named, Problem, Right};

/// The pages of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Desk: FromRef<S>,
{
    let administers = Right::Officer(Permission::Administer);
    PageRoutes::new().get(administers, "/pages/administration/offices/{code}/hours", open).post(
        administers,
        "/pages/administration/offices/{code}/hours",
        set,
    )
}

/// The hours of an office, as they are, were and will be.
#[derive(Template)]
#[template(path = "hours.html")]
struct Hours {
    frame: Frame,
    token: String,
    key: String,
    office: String,
    office_title: String,
    versions: Vec<Version>,
    typed: Typed,
    /// What is wrong with the rows.
    unfit: String,
    done: bool,
    trouble: Option<Trouble>,
}

impl Hours {
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

struct Version {
    since: String,
    now: bool,
    later: bool,
    by: String,
    /// Day of the week, from, to, minutes of a slot, desks.
    rows: Vec<(&'static str, String, String, u16, u16)>,
}

#[derive(Clone, Default)]
struct Typed {
    since: String,
    rows: String,
    reason: String,
}

/// The days of the week: the word of the texts, and how a row begins in Vietnamese and in English.
const DAYS: [(DayOfWeek, &str, &str, &str); 7] = [
    (DayOfWeek::Monday, "monday", "T2", "Mon"),
    (DayOfWeek::Tuesday, "tuesday", "T3", "Tue"),
    (DayOfWeek::Wednesday, "wednesday", "T4", "Wed"),
    (DayOfWeek::Thursday, "thursday", "T5", "Thu"),
    (DayOfWeek::Friday, "friday", "T6", "Fri"),
    (DayOfWeek::Saturday, "saturday", "T7", "Sat"),
    (DayOfWeek::Sunday, "sunday", "CN", "Sun"),
];

fn in_words(day: DayOfWeek, t: &'static Texts) -> &'static str {
    let word = DAYS.iter().find(|(known, ..)| *known == day).map_or("?", |(_, word, ..)| word);
    t.word(&t.weekday, word)
}

/// Returns hours as they are typed, a row each.
fn as_typed(hours: &[OpeningHours], vietnamese: bool) -> String {
    let row = |one: &OpeningHours| {
        let OpeningHours { weekday, from, to, slot_minutes, desks } = one;
        let known = DAYS.iter().find(|(known, ..)| known == weekday);
        let day = known.map_or("?", |(_, _, vi, en)| if vietnamese { vi } else { en });
        format!("{day} {from} {to} {slot_minutes} {desks}")
    };
    hours.iter().map(row).collect::<Vec<_>>().join("\n")
}

/// Reads rows as they are typed. Says which row is none.
fn read_rows(text: &str) -> Result<Vec<OpeningHours>, usize> {
    let rows = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let read = |(line, number): (&str, usize)| {
        let [day, from, to, minutes, desks] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(number);
        };
        let is_it = |word: &str| word.eq_ignore_ascii_case(day);
        let (weekday, ..) = *DAYS.iter().find(|(_, _, vi, en)| is_it(vi) || is_it(en)).ok_or(number)?;
        let time = |text: &str| text.parse::<TimeOfDay>().map_err(|_| number);
        let count = |text: &str| text.parse::<u16>().map_err(|_| number);
        Ok(OpeningHours {
            weekday,
            from: time(from)?,
            to: time(to)?,
            slot_minutes: count(minutes)?,
            desks: count(desks)?,
        })
    };
    rows.map(read).collect()
}

async fn open(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(code): Named<OfficeCode>,
    asked: Asked,
) -> Shown {
    let hours = sheet(&desk, &dress, &visitor, &code, None, (None, String::new())).await?;
    page(&Hours { done: asked.some("done").is_some(), ..hours })
}

async fn sheet(
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    office: &OfficeCode,
    typed: Option<Typed>,
    (problem, unfit): (Option<&Problem>, String),
) -> Result<Hours, Problem> {
    visitor.officer.may_act_for(office)?;
    let (t, today) = (texts(dress.language), desk.deeds().source().clock().today());
    let mut tx = desk.deeds().db().begin_read().await?;
    let versions = steps::hours(&mut tx, office).await?;
    let now = in_force(&versions, today).map(|hours| hours.version);
    let mut rows = vec![];
    for one in versions.iter().rev() {
        rows.push(Version {
            since: ::pages::written::date(one.valid_from),
            now: now == Some(one.version),
            later: one.valid_from > today,
            by: access::called(&mut tx, one.set.by).await?,
            rows: one
                .week
                .hours()
                .iter()
                .map(|row| {
                    let OpeningHours { weekday, from, to, slot_minutes, desks } = row;
                    (in_words(*weekday, t), from.to_string(), to.to_string(), *slot_minutes, *desks)
                })
                .collect(),
        });
    }
    drop(tx);
    let last = versions.last().map_or_else(String::new, |last| as_typed(last.week.hours(), t.is_vietnamese()));
    Ok(Hours {
        frame: Frame::new(&dress.at(&format!("{UNITS}/{office}/hours")), Some(visitor), Place::Administration),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        office: office.to_string(),
        office_title: fill(&t.layout.unit, &[("office", office.as_str())]),
        versions: rows,
        typed: typed.unwrap_or_else(|| Typed { rows: last, ..Typed::default() }),
        unfit,
        done: false,
        trouble: problem.map(|problem| Trouble::of(problem, t)),
    })
}

/// What the act came to, as it is kept under its key.
#[derive(Serialize)]
struct Done {
    version: u32,
}

async fn set(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(code): Named<OfficeCode>,
    filled: Filled,
) -> Shown {
    let t = texts(dress.language);
    let typed = Typed {
        since: filled.text("since").trim().to_owned(),
        rows: filled.text("rows").to_owned(),
        reason: filled.text("reason").to_owned(),
    };
    let about = |code: ProblemCode, field: &str| Problem::new(code).field(format!("/{field}"), code, "see the hint");
    let mut unfit = String::new();
    let said = async {
        let since: Day = typed.since.parse().map_err(|_| about(ProblemCode::PeriodUnfit, "since"))?;
        let rows = read_rows(&typed.rows).map_err(|row| {
            unfit = fill(&t.hours.row_wrong, &[("n", &row.to_string())]);
            about(ProblemCode::HoursUnfit, "rows")
        })?;
        let reason: SomeWords<MOST_OF_REASON> = filled.judged("reason")?;
        let verb = async |deed: &mut Deed<Officer>| {
            let said = steps::set_hours(deed, &code, since.0, rows.clone(), reason.as_str()).await;
            if let Err(BookingError::Hours(error)) = &said {
                unfit = why(*error, t);
            }
            said.map(|hours| Done { version: hours.version })
        };
        desk.write(visitor.officer.clone(), filled.stamp()?, verb).await
    };
    match said.await {
        Ok(_) => Ok(to(&format!("{UNITS}/{code}/hours?done=yes"))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let problem = match problem.code() {
                // The verb names the fields of the API; here all of it is one.
                ProblemCode::HoursUnfit => about(ProblemCode::HoursUnfit, "rows"),
                _ => problem,
            };
            page_about(&problem, &sheet(&desk, &dress, &visitor, &code, Some(typed), (Some(&problem), unfit)).await?)
        }
    }
}

/// Returns what is wrong with hours, in words.
fn why(unfit: HoursUnfit, t: &'static Texts) -> String {
    match unfit {
        HoursUnfit::Desks => t.hours.why_desks.clone(),
        HoursUnfit::Overlap(day) => fill(&t.hours.why_overlap, &[("day", in_words(day, t))]),
        HoursUnfit::From(day) => fill(&t.hours.why_from, &[("day", &::pages::written::date(day))]),
        HoursUnfit::Slot => t.hours.why_slot.clone(),
        HoursUnfit::TooMany => t.hours.why_many.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_are_written() {
        let text = "T2 07:30 11:30 15 2\n\nsat 08:00 10:00 30 1\n";
        let rows = read_rows(text).unwrap();
        assert_eq!(rows.iter().map(|row| row.weekday).collect::<Vec<_>>(), [DayOfWeek::Monday, DayOfWeek::Saturday]);
        assert_eq!(as_typed(&rows, true), "T2 07:30 11:30 15 2\nT7 08:00 10:00 30 1");
        assert_eq!(as_typed(&rows, false), "Mon 07:30 11:30 15 2\nSat 08:00 10:00 30 1");
        assert_eq!(read_rows("  "), Ok(vec![]));
        for (text, row) in [("T2 07:30 11:30 15", 1), ("\nT1 07:30 11:30 15 2", 2), ("CN 07:30 24:30 15 2", 1)] {
            assert_eq!(read_rows(text), Err(row), "{text}");
        }
    }
}
