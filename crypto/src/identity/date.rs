//! Dates of birth as declared, possibly of the year alone, or of year and month.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use time::Month;

use super::serde_as_text;

/// A date of birth as declared: some people only know the year, or the month (form DC01, Circular 104/2020).
///
/// Reads `dd/MM/yyyy`, `d/M/yyyy`, `yyyy-MM-dd`, `MM/yyyy`, `M/yyyy`, `yyyy-MM` and `yyyy`; writes `dd/MM/yyyy`,
/// `MM/yyyy` or `yyyy`, as on the card.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub enum Date {
    /// Day, month and year.
    Full(time::Date),
    /// Year and month; the year as below.
    Month(u16, Month),
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
            Self::Month(year, _) | Self::Year(year) => year,
        }
    }

    /// Returns the month, if it is known.
    pub fn month(self) -> Option<Month> {
        match self {
            Self::Full(date) => Some(date.month()),
            Self::Month(_, month) => Some(month),
            Self::Year(_) => None,
        }
    }

    /// Returns the whole date, if it is known.
    pub fn full(self) -> Option<time::Date> {
        match self {
            Self::Full(date) => Some(date),
            Self::Month(..) | Self::Year(_) => None,
        }
    }

    /// Returns the first day that it can be.
    pub fn first_day(self) -> time::Date {
        let (year, month) = (i32::from(self.year()), self.month().unwrap_or(Month::January));
        self.full().or_else(|| time::Date::from_calendar_date(year, month, 1).ok()).unwrap_or(time::Date::MAX)
    }

    /// Returns the last day that it can be.
    pub fn last_day(self) -> time::Date {
        let (year, month) = (i32::from(self.year()), self.month().unwrap_or(Month::December));
        let last = time::Date::from_calendar_date(year, month, month.length(year));
        self.full().or_else(|| last.ok()).unwrap_or(time::Date::MAX)
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
        match parts(text, '-') {
            [Some(year), Some(month), Some(day), None] if month.len() == 2 && day.len() == 2 => {
                return full(year, month, day);
            }
            [Some(year), Some(month), None, None] if month.len() == 2 => return year_and_month(year, month),
            [Some(_), None, None, None] => {}
            _ => return Err(DateError::Form),
        }
        match parts(text, '/') {
            [Some(day), Some(month), Some(year), None] => full(year, month, day),
            [Some(month), Some(year), None, None] => year_and_month(year, month),
            [Some(year), None, None, None] => {
                Ok(Self::Year(digits(year, 4..=4)?)).and_then(|date| four_digit_year(date.year()).map(|()| date))
            }
            _ => Err(DateError::Form),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digit by digit: the formatting of numbers costs several times as much, and a nation has many dates.
        let (day, month, year) = match *self {
            Self::Full(date) if !(0..=9999).contains(&date.year()) => {
                return write!(f, "{:02}/{:02}/{:04}", date.day(), u8::from(date.month()), date.year());
            }
            Self::Full(date) => (date.day(), u8::from(date.month()), self.year()),
            Self::Month(year, month) => (0, u8::from(month), year),
            Self::Year(year) => (0, 0, year),
        };
        let digit = |number: u16, by: u16| b'0' + u8::try_from(number / by % 10).unwrap_or(0);
        let two = |number: u8| [digit(number.into(), 10), digit(number.into(), 1), b'/'];
        let mut text = [0; 10];
        text[..3].copy_from_slice(&two(day));
        text[3..6].copy_from_slice(&two(month));
        text[6..].copy_from_slice(&[1000, 100, 10, 1].map(|by| digit(year, by)));
        let begin = if month == 0 { 6 } else { usize::from(day == 0) * 3 };
        f.write_str(std::str::from_utf8(&text[begin..]).unwrap_or_default())
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
    /// The text has none of the forms.
    #[error(
        "a date is written dd/MM/yyyy or yyyy-MM-dd; MM/yyyy or yyyy-MM without the day; yyyy if only the year is known"
    )]
    Form,
    /// The calendar has no such month.
    #[error("the year {year} has no month {month}")]
    ImpossibleMonth {
        /// Year as written.
        year: u16,
        /// Month as written.
        month: u16,
    },
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

/// The first parts of a text: a date has three at most.
fn parts(text: &str, between: char) -> [Option<&str>; 4] {
    let mut parts = text.split(between);
    [(); 4].map(|()| parts.next())
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

fn year_and_month(year: &str, month: &str) -> Result<Date, DateError> {
    let (year, month) = (digits(year, 4..=4)?, digits(month, 1..=2)?);
    four_digit_year(year)?;
    let known = u8::try_from(month).ok().and_then(|month| Month::try_from(month).ok());
    known.map(|month| Date::Month(year, month)).ok_or(DateError::ImpossibleMonth { year, month })
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
