//! The civil time of a State: on which day its cards are issued and expire.

use thiserror::Error;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// Seven hours ahead of UTC, all year: Decision 134/2002/QĐ-TTg.
pub const VIET_NAM: UtcOffset = match UtcOffset::from_hms(7, 0, 0) {
    Ok(offset) => offset,
    Err(_) => UtcOffset::UTC,
};

/// A text that is no offset.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{0}` is no offset: write it like +07:00")]
pub struct UtcOffsetError(String);

/// Reads how far civil time is ahead of UTC: `+07:00`, `-03:30`.
///
/// # Errors
/// [`UtcOffsetError`]
pub fn utc_offset(text: &str) -> Result<UtcOffset, UtcOffsetError> {
    let unfit = || UtcOffsetError(text.to_owned());
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(unfit()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(unfit)?;
    let number = |digits: &str| digits.parse::<i8>().ok().filter(|n| (0..60).contains(n)).ok_or_else(unfit);
    UtcOffset::from_hms(sign * number(hours)?, sign * number(minutes)?, 0).map_err(|_| unfit())
}

/// Returns day and minute with the offset: `2026-11-26 23:12 +07:00`.
pub fn to_the_minute(moment: OffsetDateTime) -> String {
    written(moment, MINUTE)
}

/// Returns two moments that are compared: to the minute, or to the second where they would look the same.
pub fn apart(one: OffsetDateTime, other: OffsetDateTime) -> [String; 2] {
    let form = if written(one, MINUTE) == written(other, MINUTE) { SECOND } else { MINUTE };
    [written(one, form), written(other, form)]
}

fn written(moment: OffsetDateTime, form: &[BorrowedFormatItem<'_>]) -> String {
    moment.format(form).unwrap_or_else(|_| moment.to_string())
}

const MINUTE: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute] [offset_hour sign:mandatory]:[offset_minute]");
const SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory]:[offset_minute]");

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn civil_time_is_written_as_hours_and_minutes() {
        assert_eq!(utc_offset("+07:00"), Ok(VIET_NAM));
        assert_eq!(utc_offset("-03:30"), Ok(UtcOffset::from_hms(-3, -30, 0).unwrap()));
        for unfit in ["7", "+7", "07:00", "+07:60", "+27:00", "+-7:00", "+07:-5", ""] {
            assert!(utc_offset(unfit).is_err(), "{unfit}");
        }
    }

    #[test]
    fn a_moment_is_told_to_the_minute_and_to_the_second_only_where_that_tells_two_apart() {
        let moment = datetime!(2026-11-26 23:12:38.630236 +7);
        assert_eq!(to_the_minute(moment), "2026-11-26 23:12 +07:00");
        let later = |seconds| moment + time::Duration::seconds(seconds);
        assert_eq!(apart(moment, later(60)), ["2026-11-26 23:12 +07:00", "2026-11-26 23:13 +07:00"]);
        assert_eq!(apart(moment, later(1)), ["2026-11-26 23:12:38 +07:00", "2026-11-26 23:12:39 +07:00"]);
    }
}
