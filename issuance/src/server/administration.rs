//! The pages of the administration that belong to no office alone: what waits in all of them, the tables of places, and
//! the state of the keys. Officers, stations, offices, calendar and deputies have pages in their own offices.

use askama::Template;
use axum::extract::State;
use time::{Date, OffsetDateTime};

use super::status::{self, Keys, Severity};
use super::{Offices, Watch};
use crate::ground::{OfficeCode, Officer, Permission};
use crate::keys::Held;
use crate::offices::calendar::Day;
use crate::population::Register;
use crate::population::reference::{Entry, Table};
use crate::web::html::{
    ADMINISTRATION, Asked, CALENDAR, DEPUTIES, Dress, Frame, KEYS, OFFICERS, PROPOSALS, PageRoutes, Place, STATIONS,
    Shown, TABLES, Texts, UNITS, Visitor, fill, page, texts,
};
use crate::web::{Desk, Problem, Right};
use crate::{access, offices};

/// The pages of this file.
pub(super) fn pages() -> PageRoutes<Offices> {
    let administers = Right::Officer(Permission::Administer);
    PageRoutes::new().get(administers, ADMINISTRATION, overview).get(administers, TABLES, tables).get(
        administers,
        KEYS,
        keys,
    )
}

/// How much waits in the offices for an administrator.
struct Waits {
    proposals: usize,
    days: usize,
    deputies: usize,
    stations: usize,
}

impl Waits {
    async fn of(desk: &Desk, officer: &Officer) -> Result<Self, Problem> {
        Ok(Self {
            proposals: access::waiting_proposals(desk, officer).await?,
            // The national office alone decides about days.
            days: if officer.office == OfficeCode::national() { offices::waiting_days(desk).await? } else { 0 },
            deputies: offices::waiting_deputies(desk, &officer.office).await?,
            stations: access::ending_stations(desk, officer).await?,
        })
    }
}

/// Returns how much waits for the confirmation of an administrator, in words.
pub(super) async fn waiting(desk: &Desk, officer: &Officer, t: &'static Texts) -> Result<String, Problem> {
    let Waits { proposals, days, deputies, stations: _ } = Waits::of(desk, officer).await?;
    Ok(some(proposals + days + deputies, &t.administration.waits_none, &t.administration.waits_some))
}

fn some(n: usize, none: &str, some: &str) -> String {
    if n == 0 { none.to_owned() } else { fill(some, &[("n", &n.to_string())]) }
}

/// The beginning of the administration.
#[derive(Template)]
#[template(path = "administration.html")]
struct Overview {
    frame: Frame,
    /// A page each: address, name, what is to be done or what it is for, whether something waits.
    works: Vec<(&'static str, &'static str, String, bool)>,
}

async fn overview(State(desk): State<Desk>, State(watch): State<Watch>, dress: Dress, visitor: Visitor) -> Shown {
    let (t, officer) = (texts(dress.language), &visitor.officer);
    let a = &t.administration;
    let waits = Waits::of(&desk, officer).await?;
    let mut works = vec![
        (PROPOSALS, &*a.proposals, some(waits.proposals, &a.waits_none, &a.waits_some), waits.proposals > 0),
        (OFFICERS, &a.officers, a.officers_says.clone(), false),
        (DEPUTIES, &a.deputies, some(waits.deputies, &a.deputies_says, &a.waits_some), waits.deputies > 0),
        (UNITS, &a.offices, a.offices_says.clone(), false),
        (CALENDAR, &a.calendar, some(waits.days, &a.calendar_says, &a.waits_some), waits.days > 0),
        (STATIONS, &a.stations, some(waits.stations, &a.stations_says, &a.stations_end), waits.stations > 0),
        (TABLES, &a.tables, a.tables_says.clone(), false),
    ];
    if officer.office == OfficeCode::national() {
        let keys = watch.keys(desk.deeds()).await.map_err(|error| Problem::internal(&error))?;
        let now = desk.deeds().source().now();
        let alarms = keys.certificates.iter().filter(|one| alarm(one, &keys, now).is_some()).count();
        works.push((KEYS, &a.keys, some(alarms, &a.keys_says, &a.keys_alarm), alarms > 0));
    }
    page(&Overview { frame: Frame::new(&dress, Some(&visitor), Place::Administration), works })
}

/// Returns how bad it is with a certificate in use, as `issuance status` judges it.
fn alarm(one: &Held, keys: &Keys, now: OffsetDateTime) -> Option<Severity> {
    let found = one.in_use.then(|| status::of_certificate(one, now, keys.signing_key_limit));
    found.into_iter().flatten().map(|(severity, _)| severity).max()
}

/// A table of places on a day.
#[derive(Template)]
#[template(path = "tables.html")]
struct Tables {
    frame: Frame,
    choices: Vec<(&'static str, &'static str, bool)>,
    on: String,
    within: String,
    title: String,
    /// The days on which the table changed: written, in the form of an address, whether they are past, whether it is
    /// the version that is shown.
    changes: Vec<(String, String, bool, bool)>,
    table: &'static str,
    more: bool,
    rows: Vec<Row>,
    /// A day that is none.
    unfit: bool,
}

struct Row {
    code: String,
    /// Where what belongs to it is shown.
    below: Option<String>,
    name: String,
    name_en: String,
    within: String,
    from: String,
    until: String,
    successor: String,
}

const SHOWN: [(Table, &str); 3] =
    [(Table::Provinces, "provinces"), (Table::Districts, "districts"), (Table::Communes, "communes")];

async fn tables(
    State(desk): State<Desk>,
    State(register): State<Register>,
    dress: Dress,
    visitor: Visitor,
    asked: Asked,
) -> Shown {
    let t = texts(dress.language);
    let word = asked.some("table").unwrap_or_default();
    let (table, word) = SHOWN.into_iter().find(|(_, known)| *known == word).unwrap_or(SHOWN[0]);
    let today = desk.deeds().source().clock().today();
    let typed = asked.some("on").unwrap_or_default().trim().to_owned();
    let day = if typed.is_empty() { Ok(Day(today)) } else { typed.parse::<Day>() };
    let (on, unfit) = (day.map_or(today, |day| day.0), day.is_err());
    let within = asked.some("within").unwrap_or_default().trim().to_owned();
    let reference = register.reference();
    let days = reference.changed_on(table);
    let all = reference.entries(table, on);
    let fits = |entry: &&Entry| within.is_empty() || entry.within.as_deref() == Some(within.as_str());
    let found: Vec<&Entry> = all.iter().filter(fits).collect();
    let count = ::pages::written::count(found.len() as u64, dress.language);
    let shown = days.iter().rfind(|day| **day <= on).copied();
    let day = |day: Option<Date>| day.map_or_else(String::new, ::pages::written::date);
    let below = SHOWN.into_iter().find(|(known, _)| table.below() == Some(*known));
    let row = |entry: &Entry| Row {
        below: below.map(|(_, word)| format!("{TABLES}?table={word}&on={}&within={}", Day(on), entry.code)),
        code: entry.code.clone(),
        name: entry.name_vi.clone().unwrap_or_default(),
        name_en: entry.name_en.clone().unwrap_or_default(),
        within: entry.within.clone().unwrap_or_default(),
        from: day(entry.valid_from),
        until: day(entry.valid_until),
        successor: entry.successor.clone().unwrap_or_default(),
    };
    page(&Tables {
        frame: Frame::new(&dress, Some(&visitor), Place::Administration),
        choices: [
            ("provinces", &*t.tables.provinces, word == "provinces"),
            ("districts", &t.tables.districts, word == "districts"),
            ("communes", &t.tables.communes, word == "communes"),
        ]
        .map(|(word, text, chosen)| (word, text, chosen))
        .to_vec(),
        on: if unfit { typed } else { Day(on).to_string() },
        within,
        title: fill(&t.tables.on, &[("day", &::pages::written::date(on)), ("n", &count)]),
        changes: days
            .iter()
            .map(|day| (::pages::written::date(*day), Day(*day).to_string(), *day <= today, shown == Some(*day)))
            .collect(),
        table: word,
        more: found.len() > MOST,
        rows: found.into_iter().take(MOST).map(row).collect(),
        unfit,
    })
}

/// The keys.
#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    rows: Vec<KeyRow>,
    masters: Vec<(u8, String, String)>,
    /// The revocation list: class, glyph, words.
    list: (&'static str, &'static str, String),
}

struct KeyRow {
    file: String,
    purpose: &'static str,
    algorithm: &'static str,
    from: String,
    until: String,
    signs_until: String,
    days: String,
    signatures: String,
    serial: String,
    tag: (&'static str, &'static str, &'static str),
    /// What the operator does, as a command.
    remedy: Option<&'static str>,
}

async fn keys(State(desk): State<Desk>, State(watch): State<Watch>, dress: Dress, visitor: Visitor) -> Shown {
    let t = texts(dress.language);
    visitor.officer.may_act_for(&OfficeCode::national())?;
    let keys = watch.keys(desk.deeds()).await.map_err(|error| Problem::internal(&error))?;
    let (now, offset) = (desk.deeds().source().now(), desk.deeds().source().clock().offset());
    let day = |at: OffsetDateTime| ::pages::written::date(at.to_offset(offset).date());
    let count = |n: u64| ::pages::written::count(n, dress.language);
    let row = |one: &Held| {
        let alarm = alarm(one, &keys, now);
        let days = (one.signs_until - now).whole_days();
        KeyRow {
            file: one.file.clone(),
            purpose: t.word(&t.key_purpose, one.purpose),
            algorithm: one.algorithm,
            from: day(one.not_before),
            until: day(one.not_after),
            signs_until: day(one.signs_until),
            days: if days < 0 { "0".to_owned() } else { count(days.unsigned_abs()) },
            signatures: one.signatures_left.map_or_else(String::new, count),
            serial: one.serial.clone(),
            tag: match (one.in_use, alarm) {
                (false, _) => ("", "i-none", &*t.keys.succeeded),
                (true, None) => ("good", "i-ok", &*t.keys.fine),
                (true, Some(Severity::Notice)) => ("info", "i-clock", &*t.keys.notice),
                (true, Some(Severity::Warning)) => ("wait", "i-wait", &*t.keys.warning),
                (true, Some(Severity::Critical)) => ("bad-t", "i-no", &*t.keys.critical),
            },
            remedy: alarm.map(|_| one.remedy),
        }
    };
    let list = match keys.revocation_list.as_ref().map(|list| (list.revoked, list.next_update)) {
        None => ("c-bad", "i-no", t.keys.list_unreadable.clone()),
        Some((_, Some(next))) if next <= now => ("c-bad", "i-no", fill(&t.keys.list_over, &[("day", &day(next))])),
        Some((revoked, next)) => {
            let next = next.map_or_else(|| "?".to_owned(), day);
            ("c-good", "i-ok", fill(&t.keys.list, &[("n", &count(revoked as u64)), ("day", &next)]))
        }
    };
    page(&KeysPage {
        frame: Frame::new(&dress, Some(&visitor), Place::Administration),
        rows: keys.certificates.iter().map(row).collect(),
        masters: keys.card_masters.iter().map(|one| (one.version, count(one.stock), count(one.cards))).collect(),
        list,
    })
}

/// Places that a table shows at once.
const MOST: usize = 1_000;
