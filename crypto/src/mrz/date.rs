//! Dates in the MRZ: `YYMMDD`, unknown parts as fillers (Doc 9303-3 (8th ed.) §4.8).

use std::fmt;
use std::str::FromStr;

use time::Month;

use super::{Field, MrzError};
use crate::identity::Date;

/// Six characters of a date, as written. On foreign documents they need not be a day of the calendar.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct MrzDate([u8; 6]);

impl MrzDate {
    /// `991231`, which the citizen card writes when it never expires.
    pub const NO_EXPIRY: Self = Self(*b"991231");

    /// Returns the six characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("six ASCII characters")
    }

    /// Returns the date of expiry, in 2000..=2099; `None` for [`MrzDate::NO_EXPIRY`] and for
    /// characters that are no day.
    pub fn expiry(&self) -> Option<time::Date> {
        if *self == Self::NO_EXPIRY { None } else { self.in_century(2000) }
    }

    /// Returns the date of birth not after `latest`, in the last possible century; `None` for
    /// characters that are no day.
    pub fn birth(&self, latest: time::Date) -> Option<time::Date> {
        let century = latest.year().div_euclid(100) * 100;
        [century, century - 100].into_iter().filter_map(|c| self.in_century(c)).find(|date| *date <= latest)
    }

    fn in_century(self, century: i32) -> Option<time::Date> {
        let number = |at: usize| self.as_str().get(at..at + 2)?.parse::<u8>().ok();
        let month = Month::try_from(number(2)?).ok()?;
        time::Date::from_calendar_date(century + i32::from(number(0)?), month, number(4)?).ok()
    }
}

/// `YYMMDD`.
impl From<time::Date> for MrzDate {
    fn from(date: time::Date) -> Self {
        let year = u8::try_from(date.year().rem_euclid(100)).expect("two digits");
        let [[y1, y2], [m1, m2], [d1, d2]] = [year, date.month().into(), date.day()].map(two_digits);
        Self([y1, y2, m1, m2, d1, d2])
    }
}

/// `YYMMDD`, `YYMM<<` when the day is not known, or `YY<<<<` when only the year is.
impl From<Date> for MrzDate {
    fn from(date: Date) -> Self {
        match date {
            Date::Full(date) => date.into(),
            Date::Month(year, month) => {
                let year = u8::try_from(year % 100).expect("two digits");
                let [[y1, y2], [m1, m2]] = [year, month.into()].map(two_digits);
                Self([y1, y2, m1, m2, b'<', b'<'])
            }
            Date::Year(year) => {
                let [y1, y2] = two_digits(u8::try_from(year % 100).expect("two digits"));
                Self([y1, y2, b'<', b'<', b'<', b'<'])
            }
        }
    }
}

fn two_digits(number: u8) -> [u8; 2] {
    [b'0' + number / 10, b'0' + number % 10]
}

impl FromStr for MrzDate {
    type Err = MrzError;

    /// Reads six digits or fillers. An error names the date of birth; a caller that reads another date maps it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match <[u8; 6]>::try_from(text.as_bytes()) {
            Ok(characters) if characters.iter().all(|c| c.is_ascii_digit() || *c == b'<') => Ok(Self(characters)),
            _ => Err(MrzError::Form(Field::Birth)),
        }
    }
}

impl fmt::Display for MrzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Shows nothing.
impl fmt::Debug for MrzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MrzDate(…)")
    }
}
