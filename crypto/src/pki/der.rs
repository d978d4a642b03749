//! The universal types of DER (ITU-T X.690) over [`crate::tlv`], used by certificates, lists and signed data.
//!
//! The writer is strict DER. The reader keeps bytes as they stand, because signatures cover them, and is lenient only
//! where real certificates demand it (each place says so).

use thiserror::Error;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use super::oid::Oid;
use crate::tlv::{self, Reader, Tlv, TlvError};

/// Error when reading an ASN.1 structure.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum DerError {
    /// The data objects themselves are malformed.
    #[error("{within}: {problem}")]
    Encoding {
        /// The structure being read.
        within: &'static str,
        /// The problem.
        problem: TlvError,
    },
    /// The value is well formed, but not allowed here.
    #[error("{what} has a value that is not allowed there")]
    Value {
        /// The field.
        what: &'static str,
    },
}

pub(crate) const BOOLEAN: u32 = 0x01;
pub(crate) const INTEGER: u32 = 0x02;
pub(crate) const BIT_STRING: u32 = 0x03;
pub(crate) const OCTET_STRING: u32 = 0x04;
pub(crate) const NULL: u32 = 0x05;
pub(crate) const OBJECT_IDENTIFIER: u32 = 0x06;
pub(crate) const UTF8_STRING: u32 = 0x0c;
pub(crate) const PRINTABLE_STRING: u32 = 0x13;
pub(crate) const UTC_TIME: u32 = 0x17;
pub(crate) const GENERALIZED_TIME: u32 = 0x18;
pub(crate) const SEQUENCE: u32 = 0x30;
pub(crate) const SET: u32 = 0x31;

/// Attaches the name of the structure being read to an encoding error.
pub(crate) trait Within<T> {
    fn within(self, within: &'static str) -> Result<T, DerError>;
}

impl<T> Within<T> for Result<T, TlvError> {
    fn within(self, within: &'static str) -> Result<T, DerError> {
        self.map_err(|problem| DerError::Encoding { within, problem })
    }
}

/// Returns the value, or an error that names the field.
pub(crate) fn value<T>(what: &'static str, read: Option<T>) -> Result<T, DerError> {
    read.ok_or(DerError::Value { what })
}

// --- reading
// -----------------------------------------------------------------------------------------------------------

/// Returns the content of an INTEGER as a small number; negative or large ones are `None`.
pub(crate) fn small(integer: &Tlv) -> Option<u64> {
    let magnitude = unsigned(integer.value)?;
    (magnitude.len() <= 8).then(|| magnitude.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
}

/// Returns the magnitude of a non-negative INTEGER's content without leading zeros (empty for zero);
/// `None` if empty or negative.
pub(crate) fn unsigned(content: &[u8]) -> Option<&[u8]> {
    let first = *content.first()?;
    let zeros = content.iter().take_while(|b| **b == 0).count();
    (first & 0x80 == 0).then(|| &content[zeros..])
}

/// Returns the whole octets of a BIT STRING; one with unused bits is `None`.
pub(crate) fn bits<'a>(string: &Tlv<'a>) -> Option<&'a [u8]> {
    match string.value.split_first() {
        Some((0, octets)) => Some(octets),
        _ => None,
    }
}

/// Reads a BOOLEAN's content. Lenient: any non-zero octet is true, as in BER.
pub(crate) fn boolean(value: &[u8]) -> Option<bool> {
    match value {
        [byte] => Some(*byte != 0),
        _ => None,
    }
}

/// Reads the next element as an object identifier.
pub(crate) fn read_oid(reader: &mut Reader, what: &'static str) -> Result<Oid, DerError> {
    let tlv = reader.expect(OBJECT_IDENTIFIER).within(what)?;
    value(what, Oid::from_content(tlv.value))
}

/// Reads the next element as UTCTime or GeneralizedTime.
pub(crate) fn read_time(reader: &mut Reader, what: &'static str) -> Result<OffsetDateTime, DerError> {
    let tlv = reader.read().within(what)?;
    value(what, time_of(&tlv))
}

/// Reads a UTCTime or GeneralizedTime (RFC 5280 §4.1.2.5). Lenient: seconds may be missing, a fraction is dropped, and
/// an offset may stand instead of `Z`; old certificates have all three.
pub(crate) fn time_of(tlv: &Tlv) -> Option<OffsetDateTime> {
    let year_digits = match tlv.tag.0 {
        UTC_TIME => 2,
        GENERALIZED_TIME => 4,
        _ => return None,
    };
    time_from_text(std::str::from_utf8(tlv.value).ok()?, year_digits)
}

/// Reads the content of a GeneralizedTime that is implicitly tagged.
pub(crate) fn generalized_time(content: &[u8]) -> Option<OffsetDateTime> {
    time_from_text(std::str::from_utf8(content).ok()?, 4)
}

fn time_from_text(text: &str, year_digits: usize) -> Option<OffsetDateTime> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, zone) = text.split_at(count);
    let field = |at: usize, len: usize| digits.get(at..at + len)?.parse::<i32>().ok();
    let year = match (year_digits, field(0, year_digits)?) {
        (2, year @ 0..50) => 2000 + year,
        (2, year) => 1900 + year,
        (_, year) => year,
    };
    let month = Month::try_from(u8::try_from(field(year_digits, 2)?).ok()?).ok()?;
    let two = |at: usize| u8::try_from(field(year_digits + at, 2)?).ok();
    let seconds = match count - year_digits {
        8 => 0,
        10 => two(8)?,
        _ => return None,
    };
    let date = Date::from_calendar_date(year, month, two(2)?).ok()?;
    let instant = date.with_time(Time::from_hms(two(4)?, two(6)?, seconds).ok()?).assume_utc();
    let zone = zone.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = |sign: i32, text: &str| {
        let number =
            text.parse::<i32>().ok().filter(|_| text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()))?;
        UtcOffset::from_whole_seconds(sign * (number / 100 * 3600 + number % 100 * 60)).ok()
    };
    match zone.split_at_checked(1) {
        Some(("Z", "")) => Some(instant),
        Some(("+", rest)) => instant.checked_sub(time::Duration::seconds(offset(1, rest)?.whole_seconds().into())),
        Some(("-", rest)) => instant.checked_sub(time::Duration::seconds(offset(-1, rest)?.whole_seconds().into())),
        _ => None,
    }
}

// --- writing
// -----------------------------------------------------------------------------------------------------------

pub(crate) fn sequence(children: &[&[u8]]) -> Vec<u8> {
    tlv::encode_all(SEQUENCE, children)
}

/// Encodes a SET OF: elements in ascending order of their encodings (X.690 §11.6).
pub(crate) fn set_of(mut children: Vec<Vec<u8>>) -> Vec<u8> {
    children.sort();
    tlv::encode(SET, &children.concat())
}

pub(crate) fn oid(oid: &Oid) -> Vec<u8> {
    tlv::encode(OBJECT_IDENTIFIER, oid.content())
}

pub(crate) use crate::tlv::encode_integer as integer;

pub(crate) fn octets(value: &[u8]) -> Vec<u8> {
    tlv::encode(OCTET_STRING, value)
}

/// Encodes a BIT STRING without unused bits.
pub(crate) fn bit_string(value: &[u8]) -> Vec<u8> {
    tlv::encode(BIT_STRING, &[&[0], value].concat())
}

pub(crate) fn null() -> Vec<u8> {
    vec![0x05, 0x00]
}

/// Encodes `[n] EXPLICIT`, or a constructed implicit tag when given the content.
pub(crate) fn context(number: u32, content: &[u8]) -> Vec<u8> {
    tlv::encode(0xa0 | number, content)
}

/// Encodes a time as certificates write it: UTCTime through 2049, GeneralizedTime from 2050 (Doc
/// 9303-12 (8th ed.) table 5).
pub(crate) fn time(at: OffsetDateTime) -> Vec<u8> {
    let text = generalized_text(at);
    match at.to_offset(UtcOffset::UTC).year() {
        1950..=2049 => tlv::encode(UTC_TIME, &text.as_bytes()[2..]),
        _ => tlv::encode(GENERALIZED_TIME, text.as_bytes()),
    }
}

/// Returns the text `YYYYMMDDHHMMSSZ`.
pub(crate) fn generalized_text(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_are_written_by_the_profile_and_read_in_every_old_form() {
        assert_eq!(time(datetime!(2049-12-31 23:59:59 UTC)), b"\x17\x0d491231235959Z");
        assert_eq!(time(datetime!(2050-01-01 00:00:00 UTC)), b"\x18\x0f20500101000000Z");
        for (text, instant) in [
            (&b"\x17\x0d491231235959Z"[..], datetime!(2049-12-31 23:59:59 UTC)),
            (b"\x17\x0d500101000000Z", datetime!(1950-01-01 00:00:00 UTC)),
            (b"\x17\x0b0801282300Z", datetime!(2008-01-28 23:00:00 UTC)),
            (b"\x17\x0f0801282300+0700", datetime!(2008-01-28 16:00:00 UTC)),
            (b"\x18\x1320190102030405.678Z", datetime!(2019-01-02 03:04:05 UTC)),
        ] {
            let tlv = Reader::new(text).read();
            assert_eq!(tlv.ok().and_then(|tlv| time_of(&tlv)), Some(instant));
        }
        for text in ["", "Z", "081328230000Z", "080128246000Z", "080128230000", "0801282300é0Z", "080128230000+07"] {
            assert_eq!(time_from_text(text, 2), None, "{text}");
        }
    }

    #[test]
    fn integers_are_minimal_and_never_negative() {
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0x80]), None);
        assert_eq!(unsigned(&[0, 0x80]), Some(&[0x80][..]));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_time_reader_panic(text: String, two: bool) {
            let _ = time_from_text(&text, if two { 2 } else { 4 });
        }
    }
}
