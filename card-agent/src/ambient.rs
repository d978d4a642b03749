//! The one place where clock, randomness and environment of the machine enter this program;
//! everything else is given them.

#![expect(clippy::disallowed_methods, reason = "the one place where clock and randomness enter this program")]

use rand::CryptoRng;
use time::OffsetDateTime;
use uuid::Uuid;

/// Returns the present moment, in UTC.
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Returns a generator of the operating system's randomness.
pub fn rng() -> impl CryptoRng {
    rand::rng()
}

/// Returns eight random bytes: a challenge.
pub fn challenge() -> [u8; 8] {
    rand::random()
}

/// Returns a new identifier (UUID version 7) that no other run has made.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Returns the variables of the environment that are text, as pairs of name and value.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Returns sixteen random bytes.
pub fn random() -> [u8; 16] {
    rand::random()
}

/// Returns a secret of 256 bits, in hexadecimal digits.
pub fn secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
