//! Holidays that have no fixed day of the solar year, by year, as the State announced them: a table of the
//! configuration; pure.
//!
//! The built-in years: 2021 to 2025 from memory of the announcements (unverified); 2026 compared with press reports of
//! the announcements and with Official Letter 9859/VPCP-KGVX as others cite it; 2027 computed from the lunar calendar
//! and not announced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::Date;

use super::calendar::{Day, SetDay, has_tet};

/// Days of one name: `2027-02-05 Tết Nguyên đán`, or with an end `2026-02-16..2026-02-20 Tết Nguyên đán`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    from: Date,
    to: Date,
    name: String,
}

/// What a year has beside weekends and the fixed holidays.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Year {
    /// True if the State announced it; false for what was computed ahead.
    pub announced: bool,
    /// Days on which the authority does not work.
    pub off: Vec<Span>,
    /// Days of a weekend on which it works.
    pub worked: Vec<Span>,
}

/// Holidays by year. What a configuration says of a year stands in the place of the built-in year.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "BTreeMap<String, Year>", into = "BTreeMap<String, Year>")]
pub struct Holidays(BTreeMap<i32, Year>);

/// Why holidays cannot be so.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum HolidaysUnfit {
    /// A day outside of its year.
    #[error("{0} lies outside of {1}")]
    Outside(Date, i32),
    /// A day that is off and worked.
    #[error("{0} is named as a day off and as one that is worked: take it out of one of the two lists")]
    Both(Date),
    /// A statement of a year without Tết.
    #[error(
        "{0} has not the five days of Tết (Labour Code, Art. 112): name them in `off`, as in \"2028-01-25..2028-01-31 Tết \
         Nguyên đán\""
    )]
    NoTet(i32),
    /// A text that names no days.
    #[error("`{0}` names no days: write 2027-02-05 NAME, or 2027-02-05..2027-02-11 NAME")]
    Span(String),
    /// A word that is no year.
    #[error("`{0}` is no year: write 2027")]
    Year(String),
}

impl FromStr for Span {
    type Err = HolidaysUnfit;

    fn from_str(text: &str) -> Result<Self, HolidaysUnfit> {
        let unfit = || HolidaysUnfit::Span(text.to_owned());
        let (days, name) = text.split_once(' ').ok_or_else(unfit)?;
        let (from, to) = days.split_once("..").unwrap_or((days, days));
        let day = |text: &str| text.parse::<Day>().map(|day| day.0).map_err(|_| unfit());
        let (from, to, name) = (day(from)?, day(to)?, name.trim().to_owned());
        if from <= to && !name.is_empty() { Ok(Self { from, to, name }) } else { Err(unfit()) }
    }
}

impl Span {
    fn days(&self) -> impl Iterator<Item = Date> + use<> {
        let to = self.to;
        std::iter::successors(Some(self.from), |day| day.next_day()).take_while(move |day| *day <= to)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, name } = self;
        if from == to { write!(f, "{from} {name}") } else { write!(f, "{from}..{to} {name}") }
    }
}

impl TryFrom<String> for Span {
    type Error = HolidaysUnfit;

    fn try_from(text: String) -> Result<Self, HolidaysUnfit> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl TryFrom<BTreeMap<String, Year>> for Holidays {
    type Error = HolidaysUnfit;

    fn try_from(said: BTreeMap<String, Year>) -> Result<Self, HolidaysUnfit> {
        let mut years = Self::default();
        for (word, year) in said {
            let number = word.parse().ok().filter(|year| (1945..=2199).contains(year));
            let number = number.ok_or_else(|| HolidaysUnfit::Year(word.clone()))?;
            for span in year.off.iter().chain(&year.worked) {
                if let Some(day) = [span.from, span.to].into_iter().find(|day| day.year() != number) {
                    return Err(HolidaysUnfit::Outside(day, number));
                }
            }
            let days = |spans: &[Span]| spans.iter().flat_map(Span::days).collect::<BTreeSet<_>>();
            if let Some(day) = days(&year.off).intersection(&days(&year.worked)).next() {
                return Err(HolidaysUnfit::Both(*day));
            }
            if !has_tet(&year.days()) {
                return Err(HolidaysUnfit::NoTet(number));
            }
            years.0.insert(number, year);
        }
        Ok(years)
    }
}

impl From<Holidays> for BTreeMap<String, Year> {
    fn from(holidays: Holidays) -> Self {
        holidays.0.into_iter().map(|(number, year)| (number.to_string(), year)).collect()
    }
}

impl Holidays {
    /// Returns the years, each with what it has.
    pub fn years(&self) -> impl Iterator<Item = (i32, &Year)> {
        self.0.iter().map(|(number, year)| (*number, year))
    }
}

impl Year {
    /// Returns the days, in their order: those that are worked go before those that are off.
    #[must_use]
    pub fn days(&self) -> BTreeMap<Date, SetDay> {
        let spans = self.off.iter().map(|span| (span, false)).chain(self.worked.iter().map(|span| (span, true)));
        let days = spans.flat_map(|(span, working)| {
            let set = SetDay { working, name: span.name.clone() };
            span.days().map(move |day| (day, set.clone()))
        });
        days.collect()
    }
}

/// The years that the program knows by itself.
impl Default for Holidays {
    fn default() -> Self {
        let spans = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a test reads each")).collect();
        let year = |(number, announced, off, worked): &(i32, bool, &[&str], &[&str])| {
            (*number, Year { announced: *announced, off: spans(off), worked: spans(worked) })
        };
        Self(BUILT_IN.iter().map(year).collect())
    }
}

/// Year; whether it was announced; days off beside weekends and the fixed holidays; days of a weekend that are worked.
const BUILT_IN: [(i32, bool, &[&str], &[&str]); 7] = [
    (
        2021,
        true,
        &[
            "2021-02-10..2021-02-16 Tết Nguyên đán",
            "2021-04-21 Giỗ Tổ Hùng Vương",
            "2021-05-03 nghỉ bù 1/5",
            "2021-09-03 Quốc khánh",
        ],
        &[],
    ),
    (
        2022,
        true,
        &[
            "2022-01-03 nghỉ bù 1/1",
            "2022-01-31..2022-02-04 Tết Nguyên đán",
            "2022-04-11 nghỉ bù Giỗ Tổ Hùng Vương",
            "2022-05-02..2022-05-03 nghỉ bù 30/4 và 1/5",
            "2022-09-01 Quốc khánh",
        ],
        &[],
    ),
    (
        2023,
        true,
        &[
            "2023-01-02 nghỉ bù 1/1",
            "2023-01-20..2023-01-26 Tết Nguyên đán",
            "2023-05-02..2023-05-03 nghỉ bù Giỗ Tổ Hùng Vương và 30/4",
            "2023-09-01 Quốc khánh",
            "2023-09-04 nghỉ bù 2/9",
        ],
        &[],
    ),
    (
        2024,
        true,
        &[
            "2024-02-08..2024-02-14 Tết Nguyên đán",
            "2024-04-18 Giỗ Tổ Hùng Vương",
            "2024-04-29 nghỉ hoán đổi",
            "2024-09-03 Quốc khánh",
        ],
        &["2024-05-04 làm bù"],
    ),
    (
        2025,
        true,
        &[
            "2025-01-27..2025-01-31 Tết Nguyên đán",
            "2025-04-07 Giỗ Tổ Hùng Vương",
            "2025-05-02 nghỉ hoán đổi",
            "2025-09-01 Quốc khánh",
        ],
        &["2025-04-26 làm bù"],
    ),
    (
        2026,
        true,
        &[
            "2026-01-02 nghỉ hoán đổi",
            "2026-02-16..2026-02-20 Tết Nguyên đán",
            "2026-04-27 nghỉ bù Giỗ Tổ Hùng Vương",
            "2026-08-31 nghỉ hoán đổi",
            "2026-09-01 Quốc khánh",
        ],
        &["2026-01-10 làm bù", "2026-08-22 làm bù"],
    ),
    (
        2027,
        false,
        &[
            "2027-02-05..2027-02-11 Tết Nguyên đán",
            "2027-04-16 Giỗ Tổ Hùng Vương",
            "2027-05-03 nghỉ bù 1/5",
            "2027-09-03 Quốc khánh",
        ],
        &[],
    ),
];

#[cfg(test)]
mod tests {
    use time::Weekday;
    use time::macros::date;

    use super::*;

    #[test]
    fn the_built_in_years_are_whole() {
        let holidays = Holidays::default();
        let numbers: Vec<i32> = holidays.years().map(|(number, _)| number).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "no year is missing between: {numbers:?}");
        for (number, year) in holidays.years() {
            let days = year.days();
            assert!(days.keys().all(|day| day.year() == number), "{number}");
            let weekend = |day: &Date| matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
            let on_weekdays = |name: &str| {
                days.iter().filter(|(day, set)| set.name.contains(name) && !set.working && !weekend(day)).count()
            };
            assert_eq!(
                on_weekdays("Tết Nguyên đán"),
                5,
                "Art. 112: five days of Tết, on weekdays or in lieu, {number}"
            );
            assert!(days.iter().all(|(day, set)| set.working == weekend(day) || weekend(day)), "{number}");
        }
    }

    #[test]
    fn a_year_of_the_configuration_stands_in_the_place_of_the_built_in_one() {
        let said: Holidays = toml::from_str(
            r#"2028 = { announced = true, off = ["2028-01-25..2028-01-31 Tết Nguyên đán"], worked = ["2028-02-05 làm bù"] }"#,
        )
        .unwrap();
        let (_, year) = said.years().last().unwrap();
        let days = year.days();
        assert_eq!((days.len(), days[&date!(2028 - 02 - 05)].working), (8, true));
        assert_eq!(said.years().count(), Holidays::default().years().count() + 1);
        let written = toml::to_string(&said).unwrap();
        assert_eq!(toml::from_str::<Holidays>(&written).unwrap(), said);
    }

    #[test]
    fn what_names_no_days_is_refused() {
        for text in ["", "2027-02-05", "2027-02-05 ", "2027-02-30 x", "2027-02-05..2027-02-04 x", "x..y z"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        for text in [r#"2028 = { off = ["2027-12-31 x"] }"#, "x = { off = [] }", "2028 = { of = [] }"] {
            assert!(toml::from_str::<Holidays>(text).is_err(), "{text}");
        }
        let why = |text: &str| toml::from_str::<Holidays>(text).unwrap_err().to_string();
        assert!(why("2028 = { announced = true, off = [] }").contains("2028 has not the five days of Tết"));
        let four = r#"2028 = { announced = true, off = ["2028-01-25..2028-01-28 Tết Nguyên đán"] }"#;
        assert!(why(four).contains("five days of Tết"), "four days are none");
        let both = r#"2028 = { off = ["2028-01-25..2028-02-05 Tết Nguyên đán"], worked = ["2028-02-05 làm bù"] }"#;
        assert!(why(both).contains("2028-02-05 is named as a day off and as one that is worked"));
    }
}
