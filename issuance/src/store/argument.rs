//! What stands for `$1`, `$2`, … in a statement.

use serde::Serialize;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// One argument, in the type that its column has. Made by [`args!`](crate::args).
#[derive(Clone, Debug)]
pub enum Argument {
    /// `bytea` and `BLOB`.
    Bytes(Option<Vec<u8>>),
    /// `date` and `TEXT` as `yyyy-MM-dd`.
    Day(Option<Date>),
    /// `bigint` and `INTEGER`.
    Integer(Option<i64>),
    /// `jsonb` and `TEXT`.
    Json(Option<serde_json::Value>),
    /// `timestamptz`, and `INTEGER` in microseconds since 1970.
    Moment(Option<OffsetDateTime>),
    /// `text` on both.
    Text(Option<String>),
    /// `text[]`, and a JSON array for `json_each`.
    Texts(Vec<String>),
    /// `boolean`, and `INTEGER` 0 or 1.
    Truth(Option<bool>),
    /// `uuid`, and `TEXT` in lower case with hyphens.
    Uuid(Option<Uuid>),
    /// `uuid[]`, and a JSON array for `json_each`.
    Uuids(Vec<Uuid>),
}

impl Argument {
    /// A structure as JSON.
    ///
    /// # Panics
    /// If the structure has a map whose keys are no texts; ours have none.
    #[must_use]
    pub fn json(value: &impl Serialize) -> Self {
        Self::Json(Some(serde_json::to_value(value).expect("our structures become JSON")))
    }
}

/// The arguments of a statement: anything that is [`Into<Argument>`].
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Argument::from($value)),*] };
}

macro_rules! arguments {
    ($($from:ty => $side:ident, $value:ident => $into:expr;)*) => { $(
        impl From<$from> for Argument {
            fn from($value: $from) -> Self { Self::$side(Some($into)) }
        }
        impl From<Option<$from>> for Argument {
            fn from(value: Option<$from>) -> Self { Self::$side(value.map(|$value| $into)) }
        }
    )* };
}

arguments! {
    i64 => Integer, n => n;
    i32 => Integer, n => n.into();
    u32 => Integer, n => n.into();
    u16 => Integer, n => n.into();
    u8 => Integer, n => n.into();
    bool => Truth, truth => truth;
    OffsetDateTime => Moment, at => at;
    Date => Day, day => day;
    Uuid => Uuid, id => id;
    &str => Text, text => text.to_owned();
    &String => Text, text => text.clone();
    String => Text, text => text;
    &[u8] => Bytes, bytes => bytes.to_vec();
    &Vec<u8> => Bytes, bytes => bytes.clone();
    Vec<u8> => Bytes, bytes => bytes;
    [u8; 8] => Bytes, bytes => bytes.to_vec();
    [u8; 32] => Bytes, bytes => bytes.to_vec();
    &[u8; 32] => Bytes, bytes => bytes.to_vec();
}

impl From<Argument> for Vec<Argument> {
    fn from(argument: Argument) -> Self {
        vec![argument]
    }
}

/// A moment as SQLite keeps it: microseconds since 1970.
pub(super) fn microseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

/// A day as SQLite keeps it: `yyyy-MM-dd`.
pub(super) fn day(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}
