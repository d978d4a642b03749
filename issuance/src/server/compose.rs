//! The offices of one service, each with its own state, and the keys and tables that they begin with.

use std::sync::Arc;

use axum::extract::FromRef;
use thiserror::Error;

use super::{ListenError, Settings};
use crate::access::{Access, FirstOfficerError, make_first_officer};
use crate::applications::Counter;
use crate::deed::Deeds;
use crate::ground::objects::Objects;
use crate::ground::{Clock, Randomness, Source};
use crate::keys::{
    AuthoritySettings, CardKeys, CardKeysError, CeremonyError, CurrentCrl, KeyStore, KeyStoreError, Signer,
    SignerError, TlsAuthority, TlsAuthorityError,
};
use crate::numbering::Numbers;
use crate::population::Register;
use crate::production::Production;
use crate::store::{Db, Migration, StoreError};
use crate::trust::{BundleError, Trust};
use crate::web::{self, Desk};
use crate::{access, applications, cards, deed, jobs, keys, numbering, offices, population, production, trust};

/// The state of each office; a handler asks for the one that it needs.
#[derive(Clone, Debug, FromRef)]
pub struct Offices {
    /// Deeds and answers.
    pub desk: Desk,
    /// Settings of the web.
    pub web: web::Settings,
    /// Officers and stations.
    pub access: Access,
    /// The register.
    pub register: Register,
    /// Personal numbers.
    pub numbers: Numbers,
    /// The counter.
    pub counter: Counter,
    /// Production.
    pub production: Production,
    /// The registry of cards.
    pub cards: cards::Settings,
    /// The trust bundle.
    pub trust: Trust,
}

/// Returns all tables, in the order in which they were made.
#[must_use]
pub fn migrations() -> Vec<&'static Migration> {
    let mut all: Vec<&'static Migration> = [
        deed::MIGRATIONS,
        web::MIGRATIONS,
        jobs::MIGRATIONS,
        keys::MIGRATIONS,
        access::MIGRATIONS,
        offices::MIGRATIONS,
        population::MIGRATIONS,
        cards::MIGRATIONS,
        numbering::MIGRATIONS,
        applications::MIGRATIONS,
        production::MIGRATIONS,
        trust::MIGRATIONS,
    ]
    .into_iter()
    .flatten()
    .collect();
    all.sort_by_key(|migration| migration.version);
    all
}

impl Offices {
    /// Opens keys and database of an initialised service; the first start also makes the first officer. Without a
    /// `clock`, the computer's, in the civil time of the authority.
    ///
    /// # Errors
    /// [`StartError`], which says what to do.
    pub async fn open(settings: &Settings, clock: Option<Clock>, randomness: Randomness) -> Result<Self, StartError> {
        let store = KeyStore::open(&settings.data, settings.key_file.as_deref())?;
        let utc_offset = AuthoritySettings::read(&store)?.utc_offset()?;
        let clock = clock.map_or_else(|| Clock::system(utc_offset), |clock| clock.in_state(utc_offset));
        let db = Db::open(settings.database.as_deref(), &settings.data, &migrations()).await?;
        let deeds = Deeds::new(db, Source::new(clock, randomness));
        make_first_officer(&deeds, &store).await?;
        let secrets = store.secrets().clone();
        let signer = Signer::open(&store, settings.keys.clone())?;
        let crl = CurrentCrl::new(&settings.data);
        let register = Register::new(&settings.population);
        let objects = Objects::new(&settings.data, secrets.clone(), deeds.source().clone());
        let profile = Arc::new(settings.card.clone());
        Ok(Self {
            web: settings.web.clone(),
            cards: settings.cards.clone(),
            access: Access::new(settings.access.clone(), TlsAuthority::open(&store)?),
            numbers: Numbers::open(&store)?,
            counter: Counter::new(
                settings.applications.clone(),
                objects.clone(),
                register.clone(),
                Arc::clone(&profile),
            ),
            production: Production::new(
                CardKeys::open(&store)?,
                signer.clone(),
                crl.clone(),
                profile,
                register.clone(),
                objects,
                secrets.clone(),
            ),
            trust: Trust::new(settings.trust.clone(), signer, crl),
            register,
            desk: Desk::new(deeds, secrets),
        })
    }

    /// Opens deeds.
    #[must_use]
    pub fn deeds(&self) -> &Deeds {
        self.desk.deeds()
    }
}

/// Why the service does not start. Each says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// The first trust bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Master keys of cards.
    #[error(transparent)]
    CardKeys(#[from] CardKeysError),
    /// The authority's settings.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// The first officer.
    #[error(transparent)]
    FirstOfficer(#[from] FirstOfficerError),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Signing keys.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The TLS authority.
    #[error(transparent)]
    Tls(#[from] TlsAuthorityError),
}
