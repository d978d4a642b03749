//! Dates of birth as declared, possibly of the year alone.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use time::Month;

use super::serde_as_text;

/// A date of birth as declared: some people only know the year (form DC01, Circular 104/2020).
///
/// Reads `dd/MM/yyyy`, `d/M/yyyy`, `yyyy-MM-dd` and `yyyy`; writes `dd/MM/yyyy` or `yyyy`, as on the card.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub enum Date {
    /// Day, month and year.
    Full(time::Date),
    /// Only the year, 1000..=9999.
    Year(u16),
}

impl Date {
    /// Returns the year.
    pub fn year(self) -> u16 {
        match self {
            // Constructors take four-digit years only. A `Full` made by hand with another year
            // cannot be printed on a card.
            Self::Full(date) => u16::try_from(date.year()).unwrap_or(0),
            Self::Year(year) => year,
        }
    }

    /// Returns the whole date, if it is known.
    pub fn full(self) -> Option<time::Date> {
        match self {
            Self::Full(date) => Some(date),
            Self::Year(_) => None,
        }
    }
}

impl From<time::Date> for Date {
    fn from(date: time::Date) -> Self {
        Self::Full(date)
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_BYTES {
            return Err(DateError::Form);
        }
        if let [year, month, day] = text.split('-').collect::<Vec<_>>()[..] {
            if month.len() != 2 || day.len() != 2 {
                return Err(DateError::Form);
            }
            return full(year, month, day);
        }
        match text.split('/').collect::<Vec<_>>()[..] {
            [day, month, year] => full(year, month, day),
            [year] => Ok(Self::Year(digits(year, 4..=4)?)).and_then(|date| four_digit_year(date.year()).map(|()| date)),
            _ => Err(DateError::Form),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(date) => {
                write!(f, "{:02}/{:02}/{:04}", date.day(), u8::from(date.month()), date.year())
            }
            Self::Year(year) => write!(f, "{year:04}"),
        }
    }
}

/// Shows nothing: a date of birth is personal data.
impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Date(…)")
    }
}

serde_as_text!(Date);

/// Error when reading date.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum DateError {
    /// The text has none of the four forms.
    #[error("a date is written dd/MM/yyyy, yyyy-MM-dd or, if only the year is known, yyyy")]
    Form,
    /// The calendar has no such day.
    #[error("the calendar has no day {day} of month {month} in {year}")]
    Impossible {
        /// Year as written.
        year: u16,
        /// Month as written.
        month: u16,
        /// Day as written.
        day: u16,
    },
}

/// The longest form is `dd/MM/yyyy`.
const MAX_BYTES: usize = 10;

fn full(year: &str, month: &str, day: &str) -> Result<Date, DateError> {
    let (year, month, day) = (digits(year, 4..=4)?, digits(month, 1..=2)?, digits(day, 1..=2)?);
    four_digit_year(year)?;
    let impossible = DateError::Impossible { year, month, day };
    let month = u8::try_from(month).ok().and_then(|month| Month::try_from(month).ok()).ok_or(impossible)?;
    let date = u8::try_from(day).ok().and_then(|day| time::Date::from_calendar_date(i32::from(year), month, day).ok());
    let date = date.ok_or(impossible)?;
    Ok(Date::Full(date))
}

fn four_digit_year(year: u16) -> Result<(), DateError> {
    if year >= 1000 { Ok(()) } else { Err(DateError::Form) }
}

fn digits(text: &str, count: std::ops::RangeInclusive<usize>) -> Result<u16, DateError> {
    if !count.contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DateError::Form);
    }
    text.parse().map_err(|_| DateError::Form)
}
