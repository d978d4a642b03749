//! Clock and randomness of this machine. They enter the tests here and are passed on as parameters.

#![expect(clippy::disallowed_methods, reason = "the one place of clock and randomness in the tests")]

use rand::rngs::ChaCha20Rng;
use rand::{SeedableRng, random};
use time::OffsetDateTime;
use uuid::Uuid;

/// Returns the present moment.
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Returns this many random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    std::array::from_fn(|_| random())
}

/// Returns a generator with a random seed.
pub fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed(bytes())
}

/// Returns an identifier that was never used before: for idempotency keys and the like.
pub fn fresh_id() -> String {
    Uuid::now_v7().to_string()
}
