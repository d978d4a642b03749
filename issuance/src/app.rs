//! What every handler is given: database, clock, randomness, secrets, settings.

use std::sync::{Arc, Mutex};

use rand::rngs::{ChaCha20Rng, SysRng};
use rand::{Rng, SeedableRng};
use time::OffsetDateTime;

use crate::config::Config;
use crate::pki::Secrets;
use crate::store::{Db, StoreError, Tx};

/// Handle to the running service; clones share it.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Settings.
    pub config: Config,
    /// The database, migrated.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub randomness: Randomness,
    /// Keys at rest.
    pub secrets: Secrets,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Now, in UTC, in whole microseconds: what both databases keep.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.0.clock.now()
    }

    /// A fresh generator for one request, seeded from the service's source.
    #[must_use]
    pub fn rng(&self) -> ChaCha20Rng {
        self.0.randomness.draw()
    }

    /// A new identifier: UUID version 7 (RFC 9562) from the service's own clock and randomness, as text.
    #[must_use]
    pub fn new_id(&self) -> String {
        let milliseconds = u64::try_from(self.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
        let mut random = [0; 10];
        self.rng().fill_bytes(&mut random);
        uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid().to_string()
    }

    /// Encryption at rest under the service's key-encryption key.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// The database itself, to close it.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// Begins a transaction that will write.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.0.db.begin().await
    }

    /// Begins a transaction that only reads. A read of personal data writes an audit row: that one needs [`begin`](Self::begin).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_read(&self) -> Result<Tx, StoreError> {
        self.0.db.begin_read().await
    }
}

/// Where time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The computer's clock.
    System,
    /// A clock that somebody sets, for tests.
    Set(Arc<Mutex<OffsetDateTime>>),
}

impl Clock {
    /// A clock that stands still at `at`.
    #[must_use]
    pub fn standing(at: OffsetDateTime) -> Self {
        Self::Set(Arc::new(Mutex::new(at)))
    }

    /// Moves a set clock; the computer's clock is not ours to move, so there nothing happens.
    pub fn advance(&self, by: time::Duration) {
        if let Self::Set(at) = self {
            *at.lock().expect("no one panics while holding the clock") += by;
        }
    }

    /// Now, in UTC, in whole microseconds.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        let at = match self {
            Self::System => OffsetDateTime::now_utc(),
            Self::Set(at) => *at.lock().expect("no one panics while holding the clock"),
        };
        at.replace_nanosecond(at.microsecond() * 1_000).unwrap_or(at)
    }
}

/// Where randomness comes from.
#[derive(Debug)]
pub enum Randomness {
    /// A seed, for tests: the same requests in the same order see the same values.
    Seeded(Mutex<ChaCha20Rng>),
    /// The operating system.
    System,
}

impl Randomness {
    /// Deterministic, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }

    /// A fresh generator.
    #[must_use]
    pub fn draw(&self) -> ChaCha20Rng {
        match self {
            Self::Seeded(source) => {
                let mut seed = [0; 32];
                source.lock().expect("no one panics while holding the generator").fill_bytes(&mut seed);
                ChaCha20Rng::from_seed(seed)
            }
            Self::System => ChaCha20Rng::try_from_rng(&mut SysRng).expect("the operating system has randomness"),
        }
    }
}
