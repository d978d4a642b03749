//! The civil time of a State: on which day its cards are issued and expire.

use std::fmt;

use thiserror::Error;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// Seven hours ahead of UTC, all year: Decision 134/2002/QĐ-TTg.
pub const VIET_NAM: UtcOffset = match UtcOffset::from_hms(7, 0, 0) {
    Ok(offset) => offset,
    Err(_) => UtcOffset::UTC,
};

/// A moment as it is written in sentences: RFC 3339 to the second (`2026-11-22T12:00:00+07:00`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment(pub OffsetDateTime);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.0.replace_nanosecond(0).unwrap_or(self.0);
        f.write_str(&second.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_to_the_second() {
        let at = time::macros::datetime!(2026-11-26 05:06:07.630236 +7);
        assert_eq!(Moment(at).to_string(), "2026-11-26T05:06:07+07:00");
        assert_eq!(Moment(at.to_offset(UtcOffset::UTC)).to_string(), "2026-11-25T22:06:07Z");
    }

    #[test]
    fn civil_time_is_written_as_hours_and_minutes() {
        assert_eq!(utc_offset("+07:00"), Ok(VIET_NAM));
        assert_eq!(utc_offset("-03:30"), Ok(UtcOffset::from_hms(-3, -30, 0).unwrap()));
        for unfit in ["7", "+7", "07:00", "+07:60", "+27:00", "+-7:00", "+07:-5", ""] {
            assert!(utc_offset(unfit).is_err(), "{unfit}");
        }
    }
}
