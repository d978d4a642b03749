//! Lengths of time in `issuance.toml`: `15m`, `10h`, `7days`, `500ms`.

use serde::{Deserialize, Deserializer, Serializer, de};
use time::Duration;

/// Writes a length of time, for `#[serde(with)]`.
///
/// # Errors
/// The serializer's; a length below zero.
pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let span = ::std::time::Duration::try_from(*span).map_err(serde::ser::Error::custom)?;
    self::std::serialize(&span, serializer)
}

/// Reads a length of time, for `#[serde(with)]`.
///
/// # Errors
/// The deserializer's; a text that is no length of time.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Duration::try_from(self::std::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// The same for lengths of time of the standard library.
pub mod std {
    use ::std::time::Duration;

    use super::{Deserializer, Serializer, de};

    /// Writes a length of time, for `#[serde(with)]`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*span))
    }

    /// Reads a length of time, for `#[serde(with)]`.
    ///
    /// # Errors
    /// The deserializer's; a text that is no length of time.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = <String as super::Deserialize>::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|error| {
            de::Error::custom(format_args!("`{text}` is no length of time ({error}): write 30s, 15m, 10h or 7days"))
        })
    }
}
