//! Moments of requests: RFC 3339, in years that every part of the service can keep and write again. The time that a
//! calendar of another zone still has may lie in a year that the text has no digits for.

use serde::Deserializer;
use serde::de::Error as _;
use time::OffsetDateTime;
use time::macros::datetime;

/// Before the first person of the register was born …
const FIRST: OffsetDateTime = datetime!(1800-01-01 00:00 UTC);
/// … and before the end of the calendar.
const LAST: OffsetDateTime = datetime!(9000-01-01 00:00 UTC);

/// Reads a moment.
///
/// # Errors
/// For what is no moment, or lies before 1800 or after 9000.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<OffsetDateTime, D::Error> {
    let at = time::serde::rfc3339::deserialize(from)?;
    if (FIRST..LAST).contains(&at) { Ok(at) } else { Err(D::Error::custom("a moment between the years 1800 and 9000")) }
}

/// The same for a moment that may be left out.
pub mod option {
    use serde::{Deserialize as _, Deserializer};
    use time::OffsetDateTime;

    /// As [`deserialize`](super::deserialize).
    ///
    /// # Errors
    /// As [`deserialize`](super::deserialize).
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<OffsetDateTime>, D::Error> {
        Ok(Option::<super::Moment>::deserialize(from)?.map(|moment| moment.0))
    }
}

/// A moment by itself.
#[derive(serde::Deserialize)]
struct Moment(#[serde(deserialize_with = "deserialize")] OffsetDateTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_in_a_year_that_cannot_be_written_is_none() {
        let read = |text: &str| serde_json::from_value::<Moment>(text.into()).map(|moment| moment.0);
        assert!(read("2026-11-27T10:00:00+07:00").is_ok());
        for text in [
            "9999-12-31T23:59:59-23:59",
            "0000-01-01T00:00:00+23:59",
            "9000-01-01T00:00:00Z",
            "1799-12-31T23:59:59Z",
            "2026-02-30T00:00:00Z",
            "today",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let option = |json: &str| option::deserialize(&mut serde_json::Deserializer::from_str(json));
        assert!(option("null").is_ok_and(|none| none.is_none()));
        assert!(option("\"2026-11-27T10:00:00Z\"").is_ok_and(|some| some.is_some()));
        assert!(option("\"0000-01-01T00:00:00+23:59\"").is_err());
    }
}
