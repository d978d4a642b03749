//! The campaign that fills the register: forms expected, collected, entered, verified and in quarantine, by commune,
//! district, province and country; who is behind the plan, by how much, and when each will be done at the present rate.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use thiserror::Error;
use time::{Date, Duration};
use utoipa::ToSchema;

use super::quality::{Level, Within, name_of, place_of, unit_of};
use super::reference::Reference;
use super::store::{campaign as store, quality as store_quality};
use crate::deed::{Action, Deed, Object, Purpose};
use crate::ground::actor::Actor;
use crate::store::{StoreError, Tx};

/// What a commune is expected to bring, and until when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Code of the commune.
    pub commune: String,
    /// People.
    pub expected: i64,
    /// First day of the collection; the first day on which any form came in, if it is not said.
    pub begins: Option<Date>,
    /// Last day.
    pub due: Date,
}

/// Forms that a commune handed in on a day.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Collected {
    /// Code of the commune.
    pub commune: String,
    /// The day.
    pub day: Date,
    /// Paper forms.
    pub forms: i64,
}

/// How far one unit is.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Progress {
    /// Province, district and commune with strokes between, as far as the level tells them apart; a part that is not
    /// known is empty. The State's three letters for the country.
    pub place: String,
    /// Name of the unit; `null` where it is not known.
    pub name: Option<String>,
    /// People expected.
    pub expected: i64,
    /// Paper forms handed in.
    pub collected: i64,
    /// Persons entered.
    pub entered: i64,
    /// Persons whose record is right, enough and clean.
    pub verified: i64,
    /// Forms in quarantine.
    pub quarantined: i64,
    /// Share of the expected that is entered, in tenths of a per cent, rounded down; `null` where none are expected.
    pub entered_tenths: Option<i64>,
    /// Persons who should be entered by today, if each day brings the same.
    pub planned: i64,
    /// Persons who are missing of these.
    pub behind: i64,
    /// Days of the plan that these are, rounded up.
    pub behind_days: i64,
    /// Last day of the plan, `yyyy-MM-dd`.
    pub due: Option<String>,
    /// Persons entered in the last fourteen days.
    pub lately: i64,
    /// Day on which all expected are entered if it goes on as in the last fourteen days; `null` if nothing was entered
    /// in these, and where all are.
    pub done_on: Option<String>,
}

/// How far the campaign is.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct CampaignView {
    /// The level.
    pub level: Level,
    /// Within this province or district; empty for the whole register.
    pub of: String,
    /// The day, `yyyy-MM-dd`.
    pub on: String,
    /// Provinces in which people are expected.
    pub provinces: usize,
    /// Of these: as many forms were handed in as people are expected, or more.
    pub provinces_handed_in: usize,
    /// The units that have a plan, a form or a person, by place.
    pub items: Vec<Progress>,
}

/// What is known of a place, before it is judged.
#[derive(Clone, Debug, Default)]
struct Sums {
    progress: Progress,
    due: Option<Date>,
    /// Thousandths of persons that the plan wants each day.
    pace: i64,
}

/// Returns how far the units of a level are.
///
/// # Errors
/// [`StoreError`]
pub async fn campaign(
    tx: &mut Tx,
    reference: &Reference,
    level: Level,
    within: &Within,
    today: Date,
) -> Result<CampaignView, StoreError> {
    let begun = store::first_collected(tx).await?;
    let mut places: BTreeMap<String, Sums> = BTreeMap::new();
    // Each at the place that the commune has today, whatever district it had on the day that was counted.
    let of_code = |code: &str| place_now(code, reference, today).unwrap_or_else(|| format!("//{code}"));
    let of_place = |place: String| match place.rsplit('/').next() {
        None | Some("") => place,
        Some(code) => place_of(code, reference, today).unwrap_or(place),
    };
    for plan in store::plans(tx).await? {
        let sums = places.entry(of_code(&plan.commune)).or_default();
        let begins = plan.begins.or(begun).unwrap_or(today).min(plan.due);
        sums.progress.expected = plan.expected;
        sums.progress.planned = planned(&plan, begins, today);
        sums.pace = plan.expected * 1000 / (plan.due - begins).whole_days().max(1);
        sums.due = Some(plan.due);
    }
    for (commune, forms) in store::collected(tx).await? {
        places.entry(of_code(&commune)).or_default().progress.collected += forms;
    }
    let since = today - Duration::days(LATELY);
    for (place, [entered, quarantined, lately]) in store::entered(tx, since).await? {
        let progress = &mut places.entry(of_place(place)).or_default().progress;
        progress.entered += entered;
        progress.quarantined += quarantined;
        progress.lately += lately;
    }
    for figures in store_quality::sums(tx, &Within::default(), 0).await? {
        places.entry(of_place(figures.place)).or_default().progress.verified += figures.verified;
    }
    places.retain(|place, _| within.holds(place));
    let by = |level| {
        let mut units: BTreeMap<String, Sums> = BTreeMap::new();
        for (place, sums) in &places {
            add(units.entry(unit_of(place, level)).or_default(), sums);
        }
        units
    };
    let provinces = by(Level::Province);
    let expected = provinces.values().filter(|sums| sums.progress.expected > 0);
    let handed_in = expected.clone().filter(|sums| sums.progress.collected >= sums.progress.expected).count();
    let items = by(level).into_iter().map(|(place, sums)| {
        let name = name_of(&place, level, reference, today);
        let place = if level == Level::Country { reference.state().to_owned() } else { place };
        Progress { place, name, ..judged(sums, today) }
    });
    Ok(CampaignView {
        level,
        of: within.as_str().to_owned(),
        on: today.to_string(),
        provinces: expected.count(),
        provinces_handed_in: handed_in,
        items: items.collect(),
    })
}

/// Keeps what is expected of communes, in the place of what was said of them before.
///
/// # Errors
/// [`StoreError`]
pub async fn expect<A: Actor>(deed: &mut Deed<A>, plans: &[Plan]) -> Result<(), StoreError> {
    for plan in plans {
        store::put_plan(deed.tx(), plan).await?;
    }
    deed.record(Action::CampaignPlanned, Object::Asked("campaign".into()), None, Purpose::Administration).await
}

/// Keeps how many forms communes handed in, in the place of what was said of the same days before.
///
/// # Errors
/// [`StoreError`]
pub async fn collect<A: Actor>(deed: &mut Deed<A>, all: &[Collected]) -> Result<(), StoreError> {
    for one in all {
        store::put_collected(deed.tx(), one).await?;
    }
    deed.record(Action::CampaignFormsCollected, Object::Asked("campaign".into()), None, Purpose::Administration).await
}

/// Reads a file of what is expected: `commune,expected,due`, perhaps with `begins`.
///
/// # Errors
/// [`FileUnfit`], which names the line.
pub fn read_plans(text: &str, reference: &Reference) -> Result<Vec<Plan>, FileUnfit> {
    let rows = rows(text, &["commune", "expected", "due"], &["begins"])?;
    let plan = |(line, fields): (usize, Vec<&str>)| {
        let plan = Plan {
            commune: commune((line, fields[0]), day(line, fields[2])?, reference)?,
            expected: number(line, fields[1])?,
            due: day(line, fields[2])?,
            begins: if fields[3].is_empty() { None } else { Some(day(line, fields[3])?) },
        };
        match plan.begins {
            Some(begins) if begins > plan.due => Err(FileUnfit { line, why: "`begins` is after `due`" }),
            _ => Ok(plan),
        }
    };
    rows.into_iter().map(plan).collect()
}

/// Reads a file of forms that were handed in until `today`: `commune,day,forms`, each day of a commune once.
///
/// # Errors
/// [`FileUnfit`], which names the line.
pub fn read_collected(text: &str, reference: &Reference, today: Date) -> Result<Vec<Collected>, FileUnfit> {
    let rows = rows(text, &["commune", "day", "forms"], &[])?;
    let mut named = BTreeSet::new();
    let collected = |(line, fields): (usize, Vec<&str>)| {
        let day = day(line, fields[1])?;
        if day > today {
            return Err(FileUnfit { line, why: "the day lies ahead: nothing was handed in on it yet" });
        }
        let commune = commune((line, fields[0]), day, reference)?;
        if !named.insert((commune.clone(), day)) {
            return Err(FileUnfit { line, why: "this commune has a line for this day above: add the two up" });
        }
        Ok(Collected { commune, day, forms: number(line, fields[2])? })
    };
    rows.into_iter().map(collected).collect()
}

/// A line of a file that cannot be read. Nothing of the file is kept.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("line {line}: {why}")]
pub struct FileUnfit {
    /// From 1, the header included.
    pub line: usize,
    /// What is wrong.
    pub why: &'static str,
}

/// Returns the fields of each line in the order of the names, those that may lack empty.
fn rows<'a>(text: &'a str, names: &[&str], perhaps: &[&str]) -> Result<Vec<(usize, Vec<&'a str>)>, FileUnfit> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().zip(1..).map(|(line, at)| (at, line.split(',').map(str::trim).collect::<Vec<&str>>()));
    let (_, header) = lines.next().ok_or(FileUnfit { line: 1, why: "a header is needed" })?;
    let of = |name: &&str| header.iter().position(|column| column == name);
    let known = |column: &&str| names.contains(column) || perhaps.contains(column);
    let needed: Option<Vec<usize>> = names.iter().map(of).collect();
    let needed = needed.filter(|_| header.iter().all(known));
    let needed = needed
        .ok_or(FileUnfit { line: 1, why: "the columns are commune,expected,due[,begins] or commune,day,forms" })?;
    let optional: Vec<Option<usize>> = perhaps.iter().map(of).collect();
    let mut all = vec![];
    for (line, fields) in lines.filter(|(_, fields)| *fields != [""]) {
        if fields.len() != header.len() {
            return Err(FileUnfit { line, why: "not as many fields as the header has" });
        }
        let chosen = needed.iter().map(|at| fields[*at]);
        all.push((line, chosen.chain(optional.iter().map(|at| at.map_or("", |at| fields[at]))).collect()));
    }
    Ok(all)
}

fn commune((line, code): (usize, &str), on: Date, reference: &Reference) -> Result<String, FileUnfit> {
    let known = place_of(code, reference, on).map(|_| code.to_owned());
    known.ok_or(FileUnfit { line, why: "no commune of the tables has this code" })
}

/// Returns the place that a commune has on a day, or will have if it begins later.
fn place_now(code: &str, reference: &Reference, today: Date) -> Option<String> {
    [today, Date::MAX].into_iter().find_map(|day| place_of(code, reference, day))
}

fn number(line: usize, text: &str) -> Result<i64, FileUnfit> {
    let number = text.parse().ok().filter(|number| (0..=MOST).contains(number));
    number.ok_or(FileUnfit { line, why: "a number from 0 to 100000000" })
}

fn day(line: usize, text: &str) -> Result<Date, FileUnfit> {
    let date = text.parse::<crypto::identity::Date>().ok().and_then(crypto::identity::Date::full);
    date.ok_or(FileUnfit { line, why: "a day is written yyyy-MM-dd" })
}

/// Returns how many persons should be entered by a day, if each day brings the same.
fn planned(plan: &Plan, begins: Date, today: Date) -> i64 {
    let (all, gone) = ((plan.due - begins).whole_days(), (today - begins).whole_days());
    if gone >= all { plan.expected } else { plan.expected * gone.max(0) / all }
}

fn add(sums: &mut Sums, other: &Sums) {
    let (one, more) = (&mut sums.progress, &other.progress);
    one.expected += more.expected;
    one.collected += more.collected;
    one.entered += more.entered;
    one.verified += more.verified;
    one.quarantined += more.quarantined;
    one.planned += more.planned;
    // What one commune is ahead makes up for no other.
    one.behind += (more.planned - more.entered).max(0);
    one.lately += more.lately;
    sums.pace += other.pace;
    sums.due = sums.due.max(other.due);
}

fn judged(sums: Sums, today: Date) -> Progress {
    let Sums { progress, due, pace } = sums;
    let left = progress.expected - progress.entered;
    let days = (left > 0 && progress.lately > 0).then(|| rounded_up(left * LATELY, progress.lately));
    let done_on = days.and_then(|days| today.checked_add(Duration::days(days.min(MOST))));
    Progress {
        entered_tenths: (progress.expected > 0).then(|| progress.entered * 1000 / progress.expected),
        behind_days: if progress.behind > 0 { rounded_up(progress.behind * 1000, pace.max(1)) } else { 0 },
        due: due.map(|day| day.to_string()),
        done_on: done_on.map(|day| day.to_string()),
        ..progress
    }
}

/// Returns the quotient of two numbers that are not negative, rounded up.
fn rounded_up(number: i64, by: i64) -> i64 {
    (number + by - 1) / by
}

/// Days of which the present rate is taken.
const LATELY: i64 = 14;
const MOST: i64 = 100_000_000;

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn plan(expected: i64) -> Plan {
        let commune = "00001".to_owned();
        Plan { commune, expected, begins: Some(date!(2021 - 01 - 01)), due: date!(2021 - 04 - 11) }
    }

    #[test]
    fn a_plan_wants_the_same_each_day_and_all_at_its_end() {
        let at = |today| planned(&plan(1000), date!(2021 - 01 - 01), today);
        assert_eq!(at(date!(2020 - 12 - 31)), 0);
        assert_eq!(at(date!(2021 - 01 - 11)), 100);
        assert_eq!(at(date!(2021 - 04 - 11)), 1000);
        assert_eq!(at(date!(2021 - 12 - 31)), 1000);
    }

    #[test]
    fn one_who_is_ahead_makes_up_for_no_other_and_the_end_follows_from_the_last_fortnight() {
        let commune = |entered, lately| Sums {
            progress: Progress { expected: 1000, entered, lately, planned: 500, ..Progress::default() },
            due: Some(date!(2021 - 04 - 11)),
            pace: 10_000,
        };
        let mut both = Sums::default();
        add(&mut both, &commune(900, 0));
        add(&mut both, &commune(295, 140));
        let both = judged(both, date!(2021 - 02 - 20));
        assert_eq!((both.expected, both.entered, both.planned, both.behind), (2000, 1195, 1000, 205));
        assert_eq!((both.behind_days, both.entered_tenths), (11, Some(597)));
        // 805 are left, ten came a day.
        assert_eq!(both.done_on.as_deref(), Some("2021-05-12"));
        let mut still = Sums::default();
        add(&mut still, &commune(900, 0));
        assert_eq!(judged(still, date!(2021 - 02 - 20)).done_on, None);
    }

    #[test]
    fn a_file_is_read_by_the_names_of_its_columns_or_its_line_is_named() {
        let reference = Reference::new(&[]);
        let read = |text: &str| read_plans(text, &reference);
        let expected = Plan { begins: None, due: date!(2021 - 04 - 30), ..plan(7) };
        assert_eq!(read("\u{feff}due,commune,expected\r\n2021-04-30,00001,7\r\n\r\n"), Ok(vec![expected]));
        for (text, line, why) in [
            ("", 1, "a header"),
            ("commune,expected\n", 1, "the columns are"),
            ("commune,expected,due,x\n", 1, "the columns are"),
            ("commune,expected,due\n00001,7,2021-04-30\n00001,7\n", 3, "not as many fields"),
            ("commune,expected,due\n99999,7,2021-04-30\n", 2, "no commune"),
            ("commune,expected,due\n00001,-1,2021-04-30\n", 2, "a number"),
            ("commune,expected,due\n00001,7,2021-02-30\n", 2, "a day"),
            ("commune,expected,due,begins\n00001,7,2021-02-20,2021-03-01\n", 2, "`begins` is after"),
        ] {
            let unfit = read(text).unwrap_err();
            assert!(unfit.line == line && unfit.why.starts_with(why), "{text}: {unfit}");
        }
        let collected = |text: &str| read_collected(text, &reference, date!(2021 - 01 - 02));
        let forms = collected("commune,day,forms\n00001,2021-01-02,3\n00001,2021-01-01,4\n").unwrap();
        assert_eq!((forms[0].forms, forms[1].forms), (3, 4));
        for (text, line, why) in [
            ("commune,day,forms\n00001,2021-01-02,3\n00001,2021-01-03,4\n", 3, "the day lies ahead"),
            ("commune,day,forms\n00001,2021-01-02,3\n00001,2021-01-01,4\n00001,2021-01-02,3\n", 4, "this commune has"),
        ] {
            let unfit = collected(text).unwrap_err();
            assert!(unfit.line == line && unfit.why.starts_with(why), "{text}: {unfit}");
        }
    }
}
