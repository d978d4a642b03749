//! Working days of the State: pure.
//!
//! The Labour Code (45/2019/QH14) gives eleven public holidays (Art. 112). Four have a fixed day of the solar year and
//! are computed. The others stand in a table by year ([`Holidays`](super::holidays::Holidays)), as they are announced:
//! Tết (five days of the lunar year), the day of the Hùng Kings, the second day beside 2 September; so do days in lieu
//! of a holiday that falls on a weekend (Art. 111) and Saturdays that are worked in exchange for a day off. What is set
//! by hand goes before the table.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Date, Month, Weekday};
use utoipa::ToSchema;

/// A civil day as callers write it: `yyyy-MM-dd`, of the years 1945 to 2199.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, format = Date)]
pub struct Day(pub Date);

/// A text that is no civil day.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a day is written yyyy-MM-dd, of the years 1945 to 2199")]
pub struct DayMalformed;

impl FromStr for Day {
    type Err = DayMalformed;

    fn from_str(text: &str) -> Result<Self, DayMalformed> {
        let shape = time::macros::format_description!("[year]-[month]-[day]");
        let date = Date::parse(text, shape).map_err(|_| DayMalformed)?;
        // One spelling only: signs and shorter years are refused.
        let plain = text.len() == 10 && (1945..=2199).contains(&date.year());
        if plain { Ok(Self(date)) } else { Err(DayMalformed) }
    }
}

impl TryFrom<String> for Day {
    type Error = DayMalformed;

    fn try_from(text: String) -> Result<Self, DayMalformed> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A day that was set by hand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SetDay {
    /// Working day, or holiday.
    pub working: bool,
    /// What the announcement calls it.
    pub name: String,
}

/// Weekends and fixed holidays, the holidays of the table, and the days that were set by hand; what is named later goes
/// before.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// Days of the table and days that were set by hand.
    set: BTreeMap<Date, SetDay>,
    /// Years of the table with their Tết, each with whether it was announced.
    years: BTreeMap<i32, bool>,
}

/// A day is needed of a year whose holidays are not known.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the holidays of {year} are not known: enter them as they are announced ([calendar.{year}] of issuance.toml)")]
pub struct CalendarEnds {
    /// The first such year.
    pub year: i32,
}

impl Calendar {
    /// The calendar with these days set by hand.
    #[must_use]
    pub fn new(set: BTreeMap<Date, SetDay>) -> Self {
        Self { set, years: BTreeMap::new() }
    }

    /// The calendar with these years of the table; what was set by hand goes before them.
    #[must_use]
    pub fn with_years(self, years: Vec<(i32, bool, BTreeMap<Date, SetDay>)>) -> Self {
        let known = years.iter().filter(|(.., days)| has_tet(days)).map(|(year, announced, _)| (*year, *announced));
        let known = known.collect();
        let mut set: BTreeMap<Date, SetDay> = years.into_iter().flat_map(|(.., days)| days).collect();
        set.extend(self.set);
        Self { set, years: known }
    }

    /// True if the authority works on this day.
    #[must_use]
    pub fn is_working(&self, day: Date) -> bool {
        match self.set.get(&day) {
            Some(set) => set.working,
            None => fixed_holiday(day).is_none() && !is_weekend(day),
        }
    }

    /// Returns the name of a day that has one: set by hand, or a fixed holiday.
    #[must_use]
    pub fn name(&self, day: Date) -> Option<&str> {
        self.set.get(&day).map(|set| set.name.as_str()).or_else(|| fixed_holiday(day))
    }

    /// Returns the `n`-th working day after `start`, which itself does not count (Civil Code 91/2015/QH13, Art. 147);
    /// `start` if `n` is 0; `None` past the last day that can be written.
    #[must_use]
    pub fn add_working_days(&self, start: Date, n: u32) -> Option<Date> {
        let (mut day, mut left) = (start, n);
        while left > 0 {
            day = day.next_day()?;
            left -= u32::from(self.is_working(day));
        }
        Some(day)
    }

    /// Refuses a period of which the holidays of a year are not known.
    ///
    /// # Errors
    /// [`CalendarEnds`] with the first such year.
    pub fn knows(&self, from: Date, to: Date) -> Result<(), CalendarEnds> {
        match self.years_without_entries(from, to).first() {
            Some(year) => Err(CalendarEnds { year: *year }),
            None => Ok(()),
        }
    }

    /// Returns the last year from this one on up to which the holidays of each year are known, if they are of this one.
    #[must_use]
    pub fn known_until(&self, from: i32) -> Option<i32> {
        (from..=2199).take_while(|year| self.is_known(*year)).last()
    }

    /// True if the holidays of this year were announced; false if they were computed, or are not known.
    #[must_use]
    pub fn is_announced(&self, year: i32) -> bool {
        self.years.get(&year).copied().unwrap_or(false)
    }

    /// A year is known by a statement with its Tết, in the table: not by days that were set by hand, which say nothing
    /// of those that were not.
    fn is_known(&self, year: i32) -> bool {
        self.years.contains_key(&year)
    }

    /// Returns the number of working days after `from` up to and with `to`; 0 if `to` is not after `from`.
    #[must_use]
    pub fn working_days_between(&self, from: Date, to: Date) -> u32 {
        let mut count = 0;
        let mut day = from;
        while day < to {
            let Some(next) = day.next_day() else { break };
            day = next;
            count += u32::from(self.is_working(day));
        }
        count
    }

    /// Returns the years of the period that do not stand in the table with their Tết: days counted in them come out too
    /// early.
    #[must_use]
    pub fn years_without_entries(&self, from: Date, to: Date) -> Vec<i32> {
        (from.year()..=to.year()).filter(|year| !self.is_known(*year)).collect()
    }
}

/// True if these days of a year have what Art. 112 gives for Tết: five days off, on weekdays or in lieu, in January,
/// February or, where they end late, March.
#[must_use]
pub fn has_tet(days: &BTreeMap<Date, SetDay>) -> bool {
    let spring = |day: &Date| matches!(day.month(), Month::January | Month::February | Month::March);
    let off =
        |day: &Date, set: &SetDay| !set.working && spring(day) && !is_weekend(*day) && fixed_holiday(*day).is_none();
    // The solar new year is called Tết, too.
    let lunar = |name: &str| name.contains("tết") && !name.contains("dương lịch");
    days.iter().filter(|(day, set)| off(day, set) && lunar(&set.name.to_lowercase())).count() >= TET
}

/// So many days (Labour Code 45/2019/QH14, Art. 112).
const TET: usize = 5;

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Returns the name of a holiday that has the same day in every solar year (Labour Code 45/2019/QH14, Art. 112).
fn fixed_holiday(day: Date) -> Option<&'static str> {
    match (day.month(), day.day()) {
        (Month::January, 1) => Some("Tết Dương lịch"),
        (Month::April, 30) => Some("Ngày Chiến thắng"),
        (Month::May, 1) => Some("Ngày Quốc tế lao động"),
        (Month::September, 2) => Some("Quốc khánh"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::Duration;
    use time::macros::date;

    use super::*;

    fn holiday(name: &str) -> SetDay {
        SetDay { working: false, name: name.to_owned() }
    }

    #[test]
    fn a_day_has_one_spelling() {
        assert_eq!("2027-02-05".parse(), Ok(Day(date!(2027 - 02 - 05))));
        for text in ["", "2027-2-5", "05/02/2027", "2027-02-30", "+2027-02-05", "1944-12-31", "2200-01-01"] {
            assert_eq!(text.parse::<Day>(), Err(DayMalformed), "{text}");
        }
    }

    #[test]
    fn seven_working_days_over_the_end_of_april() {
        // Friday 23 April 2027; 30 April is a Friday, 1 May a Saturday, whose day in lieu is set by hand.
        let plain = Calendar::default();
        assert_eq!(plain.add_working_days(date!(2027 - 04 - 23), 7), Some(date!(2027 - 05 - 05)));
        let calendar = Calendar::new([(date!(2027 - 05 - 03), holiday("nghỉ bù"))].into());
        assert_eq!(calendar.add_working_days(date!(2027 - 04 - 23), 7), Some(date!(2027 - 05 - 06)));
        assert_eq!(calendar.name(date!(2027 - 05 - 03)), Some("nghỉ bù"));
        assert_eq!(calendar.name(date!(2027 - 04 - 30)), Some("Ngày Chiến thắng"));
        assert_eq!(calendar.name(date!(2027 - 05 - 04)), None);
    }

    #[test]
    fn fixed_holidays_and_weekends_are_no_working_days_unless_they_are_set_so() {
        let make_up = SetDay { working: true, name: "làm bù".to_owned() };
        let calendar = Calendar::new([(date!(2027 - 02 - 20), make_up)].into());
        for day in [date!(2027 - 01 - 01), date!(2027 - 04 - 30), date!(2025 - 05 - 01), date!(2027 - 09 - 02)] {
            assert!(!is_weekend(day) && !calendar.is_working(day), "{day}");
        }
        assert!(!calendar.is_working(date!(2027 - 02 - 13)) && !calendar.is_working(date!(2027 - 02 - 14)));
        assert!(calendar.is_working(date!(2027 - 02 - 15)));
        assert!(calendar.is_working(date!(2027 - 02 - 20)), "a Saturday that is worked");
        assert_eq!(calendar.years_without_entries(date!(2026 - 12 - 01), date!(2027 - 01 - 01)), [2026, 2027]);
        let calendar = Calendar::new([(date!(2027 - 02 - 05), holiday("Tết"))].into());
        let unknown = calendar.years_without_entries(date!(2026 - 12 - 01), date!(2027 - 01 - 01));
        assert_eq!(unknown, [2026, 2027], "a day that is set by hand makes no year known");
    }

    #[test]
    fn a_period_past_the_table_is_refused_with_its_year() {
        // Five weekdays of February.
        let days = |number| {
            let all = (1..=28).map(move |day| Date::from_calendar_date(number, Month::February, day).unwrap());
            all.filter(|day| !is_weekend(*day)).take(5).map(|day| (day, holiday("Tết"))).collect::<BTreeMap<_, _>>()
        };
        let year = |number| (number, number < 2027, days(number));
        let calendar = Calendar::default().with_years(vec![year(2026), year(2027)]);
        assert_eq!(calendar.knows(date!(2026 - 12 - 30), date!(2027 - 12 - 31)), Ok(()));
        assert_eq!(calendar.knows(date!(2027 - 12 - 30), date!(2028 - 01 - 01)), Err(CalendarEnds { year: 2028 }));
        assert_eq!((calendar.known_until(2026), calendar.known_until(2028)), (Some(2027), None));
        assert!(calendar.is_announced(2026) && !calendar.is_announced(2027) && !calendar.is_announced(2028));
        let by_hand = Calendar::new([(date!(2028 - 01 - 26), holiday("Tết"))].into());
        assert_eq!(by_hand.with_years(vec![year(2027)]).known_until(2027), Some(2027));
        // A statement without its five days of Tết is none.
        let (_, _, mut days) = year(2028);
        days.pop_first();
        assert_eq!(Calendar::default().with_years(vec![year(2027), (2028, true, days)]).known_until(2027), Some(2027));
    }

    #[test]
    fn what_is_set_by_hand_goes_before_the_table() {
        let tet = date!(2027 - 02 - 05);
        let table = vec![(2027, true, [(tet, holiday("Tết"))].into())];
        let plain = Calendar::default().with_years(table.clone());
        assert_eq!((plain.is_working(tet), plain.name(tet)), (false, Some("Tết")));
        let worked = SetDay { working: true, name: "như thường".to_owned() };
        assert!(Calendar::new([(tet, worked)].into()).with_years(table).is_working(tet));
    }

    fn days() -> impl Strategy<Value = Date> {
        (0_i64..4_000).prop_map(|n| date!(2021 - 01 - 01) + Duration::days(n))
    }

    fn calendars() -> impl Strategy<Value = Calendar> {
        prop::collection::btree_map(days(), any::<bool>(), 0..400).prop_map(|set| {
            let named = |working| SetDay { working, name: "x".to_owned() };
            Calendar::new(set.into_iter().map(|(day, working)| (day, named(working))).collect())
        })
    }

    proptest! {
        #[test]
        fn what_is_added_is_what_lies_between(calendar in calendars(), start in days(), n in 0_u32..300) {
            let end = calendar.add_working_days(start, n).unwrap();
            prop_assert_eq!(calendar.working_days_between(start, end), n);
            prop_assert!(n == 0 || calendar.is_working(end), "a deadline is a working day");
        }

        #[test]
        fn steps_add_up(calendar in calendars(), start in days(), n in 0_u32..200, m in 0_u32..200) {
            let at_once = calendar.add_working_days(start, n + m);
            let in_steps = calendar.add_working_days(start, n).and_then(|day| calendar.add_working_days(day, m));
            prop_assert_eq!(at_once, in_steps);
        }

        #[test]
        fn periods_add_up(calendar in calendars(), a in days(), b in days(), c in days()) {
            let mut sorted = [a, b, c];
            sorted.sort();
            let [a, b, c] = sorted;
            let between = |from, to| calendar.working_days_between(from, to);
            prop_assert_eq!(between(a, b) + between(b, c), between(a, c));
            prop_assert!(i64::from(between(a, c)) <= (c - a).whole_days());
            prop_assert_eq!(between(c, a), 0);
        }

        #[test]
        fn a_holiday_more_never_brings_a_deadline_forward(
            calendar in calendars(), start in days(), n in 0_u32..200, off in days(),
        ) {
            let mut later = calendar.clone();
            later.set.insert(off, holiday("x"));
            prop_assert!(later.add_working_days(start, n) >= calendar.add_working_days(start, n));
        }
    }
}
