//! Numbers and dates as a reader expects them: dd/MM/yyyy in both languages, thousands with a point in Vietnamese and
//! with a comma in English, a personal number in groups of three.

use time::{Date, OffsetDateTime, UtcOffset};

use crate::Language;

/// A no-break space: a number is never broken over two lines.
const NO_BREAK: char = '\u{a0}';

/// Returns a day as `26/11/2026`.
#[must_use]
pub fn date(day: Date) -> String {
    format!("{:02}/{:02}/{}", day.day(), u8::from(day.month()), day.year())
}

/// Returns a moment in the civil time of this offset, as `26/11/2026 16:05`.
#[must_use]
pub fn moment(at: OffsetDateTime, offset: UtcOffset) -> String {
    let at = at.to_offset(offset);
    format!("{}{NO_BREAK}{:02}:{:02}", date(at.date()), at.hour(), at.minute())
}

/// Returns a personal number in groups of three, `003 078 220 911`; a text that is none in the same groups.
#[must_use]
pub fn personal_number(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + 4);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at.is_multiple_of(3) {
            grouped.push(NO_BREAK);
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns a count with its thousands apart: `10.599` in Vietnamese, `10,599` in English.
#[must_use]
pub fn count(number: u64, language: Language) -> String {
    let apart = match language {
        Language::En => ',',
        Language::Vi => '.',
    };
    let digits = number.to_string();
    let mut written = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(apart);
        }
        written.push(digit);
    }
    written
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime, offset};

    use super::*;

    #[test]
    fn days_and_moments_are_those_of_the_state() {
        assert_eq!(super::date(date!(2026 - 02 - 03)), "03/02/2026");
        assert_eq!(moment(datetime!(2026-11-26 17:05 UTC), offset!(+7)), "27/11/2026\u{a0}00:05");
    }

    #[test]
    fn numbers_are_written_in_groups() {
        assert_eq!(personal_number("003078220911"), "003\u{a0}078\u{a0}220\u{a0}911");
        assert_eq!(personal_number(""), "");
        for (number, vi, en) in
            [(0, "0", "0"), (999, "999", "999"), (1_284, "1.284", "1,284"), (100_000_000, "100.000.000", "100,000,000")]
        {
            assert_eq!((&*count(number, Language::Vi), &*count(number, Language::En)), (vi, en));
        }
    }
}
