//! What every handler is given: database, clock, randomness, secrets, settings.

use std::sync::{Arc, Mutex};

use rand::rngs::{ChaCha20Rng, SysRng};
use rand::{Rng, SeedableRng};
use time::OffsetDateTime;

use crate::StartError;
use crate::config::Config;
use crate::numbering::Permutation;
use crate::pki::{CardKeys, KeyStore, Secrets, Signer, TlsAuthority};
use crate::store::{Db, StoreError, Tx};

/// Handle to the running service; clones share it.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
#[derive(Debug)]
struct Parts {
    /// Settings.
    config: Config,
    /// The database, migrated.
    db: Db,
    /// The clock.
    clock: Clock,
    /// The source of randomness.
    randomness: Randomness,
    /// Encryption at rest.
    secrets: Secrets,
    /// Keys that sign.
    signer: Signer,
    /// Master keys of cards.
    card_keys: CardKeys,
    /// The secret of all personal numbers.
    permutation: Permutation,
    /// Issues the certificates of stations.
    tls_authority: TlsAuthority,
    /// One bundle at a time.
    bundling: tokio::sync::Mutex<()>,
}

impl App {
    /// Opens keys and database of a founded service; the first start also makes the first officer.
    ///
    /// # Errors
    /// [`StartError`], which says what to do.
    pub async fn open(config: Config, clock: Clock, randomness: Randomness) -> Result<Self, StartError> {
        let store = KeyStore::open(&config.data, config.key_file.as_deref())?;
        let db = Db::open(config.database.as_deref(), &config.data, crate::MIGRATIONS).await?;
        let app = Self(Arc::new(Parts {
            signer: Signer::open(&store)?,
            card_keys: CardKeys::open(&store)?,
            permutation: crate::numbering::open(&store)?,
            tls_authority: TlsAuthority::open(&store)?,
            bundling: tokio::sync::Mutex::default(),
            secrets: store.secrets().clone(),
            config,
            db,
            clock,
            randomness,
        }));
        crate::access::make_first_officer(&app, &store).await?;
        Ok(app)
    }

    /// Keys that sign. The service signs through [`App::sign`].
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.0.signer
    }

    /// Master keys of cards.
    #[must_use]
    pub fn card_keys(&self) -> &CardKeys {
        &self.0.card_keys
    }

    /// The secret of all personal numbers.
    #[must_use]
    pub fn permutation(&self) -> &Permutation {
        &self.0.permutation
    }

    /// Issues the certificates of stations.
    #[must_use]
    pub fn tls_authority(&self) -> &TlsAuthority {
        &self.0.tls_authority
    }

    pub(crate) async fn bundling(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.bundling.lock().await
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

    /// A new identifier: UUID version 7 (RFC 9562) from the service's own clock and randomness, as text. Its order is that of
    /// time, down to a quarter of a microsecond (§6.2, method 3).
    #[must_use]
    pub fn new_id(&self) -> String {
        let microseconds = u64::try_from(self.now().unix_timestamp_nanos() / 1_000).unwrap_or(0);
        let mut random = [0; 10];
        self.rng().fill_bytes(&mut random);
        let fraction = u16::try_from(microseconds % 1_000 * 4_096 / 1_000).expect("less than 4096");
        random[..2].copy_from_slice(&fraction.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(microseconds / 1_000, &random).into_uuid().to_string()
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
    Seeded(Box<Mutex<ChaCha20Rng>>),
    /// The operating system.
    System,
}

impl Randomness {
    /// Deterministic, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Box::new(Mutex::new(ChaCha20Rng::seed_from_u64(seed))))
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
