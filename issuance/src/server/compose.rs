//! The offices of one service, each with its own state, and the keys and tables that they begin with.

use std::sync::Arc;

use axum::extract::FromRef;
use thiserror::Error;

use super::faults::Faults;
use super::{ListenError, Metrics, Settings, Traces, Watch};
use crate::access::{Access, FirstOfficerError, make_first_officer, note_certified_keys};
use crate::applications::Counter;
use crate::bookings::Bookings;
use crate::cards::CardProfile;
use crate::citizens::Citizens;
use crate::dashboards::Dashboards;
use crate::deed::{DeedError, Deeds};
use crate::exchange::{AnswerSigner, AnswerSignerError, Exchange, TokenSigner};
use crate::ground::objects::{ObjectError, Objects};
use crate::ground::{Clock, Randomness, Source};
use crate::keys::{
    AuthoritySettings, CardKeys, CardKeysError, CeremonyError, CurrentCrl, Installation, InstallationError, KeyStore,
    KeyStoreError, Signer, SignerError, Signers, TlsAuthority, TlsAuthorityError,
};
use crate::notices::Notices;
use crate::numbering::Numbers;
use crate::population::Register;
use crate::production::Production;
use crate::store::{Db, Migration, RowKey, Sealed, StoreError, Tx};
use crate::trust::Trust;
use crate::web::{self, Desk, Readiness};
use crate::{
    access, applications, bookings, cards, citizens, deed, exchange, holds, jobs, keys, notices, numbering, offices,
    population, production, retention, trust,
};

/// The state of each office; a handler asks for the one that it needs.
#[derive(Clone, Debug, FromRef)]
pub struct Offices {
    /// Deeds and answers.
    pub desk: Desk,
    /// Settings of the web.
    pub web: web::Settings,
    /// Settings of the pages.
    pub pages: web::PagesSettings,
    /// The probe of database and data folder.
    pub readiness: Readiness,
    /// Officers and stations.
    pub access: Access,
    /// The register.
    pub register: Register,
    /// Personal numbers.
    pub numbers: Numbers,
    /// Notices to citizens.
    pub notices: Notices,
    /// Places and times for the capture.
    pub bookings: Bookings,
    /// The counter.
    pub counter: Counter,
    /// Production.
    pub production: Production,
    /// The figures of offices and provinces.
    pub dashboards: Dashboards,
    /// The registry of cards.
    pub cards: cards::Settings,
    /// What other authorities ask.
    pub exchange: Exchange,
    /// Citizens who log in with the card.
    pub citizens: Citizens,
    /// What is kept no longer.
    pub retention: retention::Settings,
    /// The signing keys.
    pub signer: Signers,
    /// The revocation list in force.
    pub crl: CurrentCrl,
    /// The trust bundle.
    pub trust: Trust,
    /// What the service sees of its own state.
    pub watch: Watch,
    /// What is counted of its answers.
    pub metrics: Metrics,
    /// Where its answers are told as spans.
    pub traces: Traces,
    /// What the worker fails in now.
    pub faults: Faults,
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
        holds::MIGRATIONS,
        population::MIGRATIONS,
        cards::MIGRATIONS,
        numbering::MIGRATIONS,
        notices::MIGRATIONS,
        bookings::MIGRATIONS,
        applications::MIGRATIONS,
        production::MIGRATIONS,
        trust::MIGRATIONS,
        exchange::MIGRATIONS,
        citizens::MIGRATIONS,
    ]
    .into_iter()
    .flatten()
    .collect();
    all.sort_by_key(|migration| migration.version);
    all
}

/// The tables whose rows carry a MAC.
pub const SEALED: [&Sealed; 55] = [
    &access::OFFICER,
    &access::STATION,
    &cards::CARD,
    &applications::APPLICATION,
    &production::CHIP,
    &access::SESSION,
    &access::PROPOSAL,
    &population::PERSON_READER,
    &applications::APPLICATION_OFFICER,
    &production::WRITE_OFF,
    &production::FINDING,
    &access::CERTIFICATE,
    &holds::LEGAL_HOLD,
    &population::REGISTER_CHANGE,
    &population::REGISTER_EVENT,
    &population::IMPORT_BATCH,
    &numbering::NUMBER_LEASE,
    &population::REGISTER_MERGE,
    &population::DUPLICATE_VERDICT,
    &production::POSTING,
    &production::DESTRUCTION,
    &production::STOCK_CASE,
    &production::STOCK_BOX,
    &production::STOCK_COUNT,
    &production::STOCK_COUNT_PART,
    &production::RECALL,
    &production::PRODUCTION_BATCH,
    &production::DELIVERY,
    &production::CARD_BATCH,
    &applications::store::items::BATCH_ITEM,
    &applications::FEE_ENTRY,
    &applications::REGISTER_CHECK,
    &applications::CLASSIFICATION,
    &applications::ARCHIVE_REQUEST,
    &notices::CONTACT,
    &notices::NOTICE,
    &access::DEPUTY,
    &access::DISSOLUTION,
    &bookings::BOOKING,
    &production::BODY_DOUBT,
    &applications::FEE_TILL,
    &bookings::OFFICE_HOURS,
    &population::DECLARATION_FORM,
    &access::PARTNER,
    &access::PARTNER_SYSTEM,
    &exchange::AGREEMENT,
    &exchange::EXCHANGE_PURPOSE,
    &exchange::EXCHANGE_DELAY,
    &exchange::EXCHANGE_CANARY,
    &exchange::EMERGENCY_LOOK,
    &exchange::EXCHANGE_REPORT,
    &exchange::PARTNER_ADDRESS,
    &applications::FINGERPRINT_CARD,
    &citizens::CITIZEN_CODE,
    &citizens::OBJECTION,
];

/// Opens the keys of the folder, which must be the authority's that the settings name.
pub(super) fn founded(settings: &Settings) -> Result<(KeyStore, AuthoritySettings), StartError> {
    let store = KeyStore::open(&settings.data, settings.key_file.as_deref())?;
    let authority = AuthoritySettings::read(&store)?;
    settings.authority.check(&authority)?;
    Ok((store, authority))
}

/// Opens the database that belongs to the folder, and leaves its tables as they are.
pub(super) async fn database(
    settings: &Settings,
    store: &KeyStore,
    randomness: &Randomness,
) -> Result<(Db, Installation), StartError> {
    let installation = Installation::open_or_begin(store, &mut randomness.draw())?;
    if Db::would_begin(settings.database.as_deref(), &settings.data) {
        installation.may_begin()?;
    }
    let db = Db::connect_any(settings.database.as_deref(), &settings.database_standbys, &settings.data).await?;
    let db = db.waiting_at_most(settings.lock_timeout);
    installation.check(&db).await?;
    Ok((db.sealed_by(RowKey::new(&store.secrets().fingerprint("rows", b"MAC"))), installation))
}

/// Opens the database that belongs to the folder, brings its tables up to this version, seals rows that never were, and
/// takes over what an older version left. For the service alone, and for a database that is empty: under an older
/// service that still runs, nothing of this may happen.
async fn database_of_this_version(
    settings: &Settings,
    store: &KeyStore,
    clock: &Clock,
    randomness: &Randomness,
) -> Result<(Db, Installation), StartError> {
    let (db, installation) = database(settings, store, randomness).await?;
    db.migrate(&migrations()).await?;
    installation.bind(&db, clock.now()).await?;
    if !installation.is_sealed(&[&applications::FEE_TILL]) {
        applications::store::payments::begin_tills_of_before(&db).await?;
    }
    installation.seal_rows_of_before(&db, &SEALED).await?;
    population::store::search::index_persons_of_before(&db).await?;
    population::store::duplicates::index_persons_of_before(&db).await?;
    population::quality::count_persons_of_before(&db, Register::open(&settings.population)?.reference()).await?;
    offices::steps::keep_holidays(&db, &settings.calendar).await?;
    applications::progress::adopt_applications_of_before(&db, clock, &settings.applications).await?;
    let source = Source::new(clock.clone(), Randomness::System);
    let deeds = Deeds::new(db.clone(), source, store.secrets().clone(), access::still_in);
    production::open_chips_of_before(&deeds).await?;
    Ok((db, installation))
}

/// Opens the database that belongs to the folder as it is, if a service of this version made or took over its tables.
/// Changes nothing.
async fn database_as_it_is(
    settings: &Settings,
    store: &KeyStore,
    randomness: &Randomness,
) -> Result<(Db, Installation), StartError> {
    let begun = Installation::open_or_begin(store, &mut randomness.draw())?;
    if Db::would_begin(settings.database.as_deref(), &settings.data) {
        begun.may_begin()?;
        return Err(StartError::NoTables);
    }
    let (db, installation) = database(settings, store, randomness).await?;
    match is_of_this_version(&db, &installation).await {
        Ok(()) => Ok((db, installation)),
        Err(why) => {
            db.close().await;
            Err(why)
        }
    }
}

/// Refuses a database without tables, with tables of another version, and one that no service of this version was
/// started on since.
async fn is_of_this_version(db: &Db, installation: &Installation) -> Result<(), StartError> {
    let (all, missing) = (migrations(), db.missing(&migrations()).await?);
    match missing.len() {
        0 if installation.is_sealed(&SEALED) => Ok(()),
        0 => Err(StartError::NotServed),
        steps if steps == all.len() => Err(StartError::NoTables),
        steps => Err(StartError::Older { steps }),
    }
}

/// A database at which a command only looks: its tables are those of this version, and stay as they are. The service
/// may run meanwhile.
#[derive(Debug)]
pub struct Look {
    pub(super) db: Db,
    pub(super) store: KeyStore,
    pub(super) installation: Installation,
    clock: Clock,
}

impl Look {
    /// Begins to read.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_read(&self) -> Result<Tx, StoreError> {
        self.db.begin_read().await
    }

    /// The computer's clock, in the civil time of the authority.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Ends all connections.
    pub async fn close(self) {
        self.db.close().await;
    }
}

/// Opens the database for a command that only looks. It migrates nothing: an older service may run on it.
///
/// # Errors
/// [`StartError`], which says what to do: [`StartError::Older`] for tables of an older version,
/// [`StartError::NoTables`] for none.
pub async fn look(settings: &Settings) -> Result<Look, StartError> {
    let (store, authority) = founded(settings)?;
    let clock = Clock::system(authority.utc_offset()?);
    let (db, installation) = database_as_it_is(settings, &store, &Randomness::System).await?;
    Ok(Look { db, store, installation, clock })
}

/// Brings the tables of the folder's database up to this version; dry: only looks. What an older version left in them
/// is taken over by the service when it starts: until then an older one may go on. Returns the names of the steps.
///
/// # Errors
/// [`StartError`], which says what to do.
pub async fn migrate(settings: &Settings, dry: bool) -> Result<Vec<&'static str>, StartError> {
    let (store, authority) = founded(settings)?;
    if dry && Db::would_begin(settings.database.as_deref(), &settings.data) {
        return Ok(migrations().iter().map(|step| step.name).collect());
    }
    let (db, installation) = database(settings, &store, &Randomness::System).await?;
    let missing = db.missing(&migrations()).await?;
    if !dry {
        db.migrate(&migrations()).await?;
        installation.bind(&db, Clock::system(authority.utc_offset()?).now()).await?;
    }
    db.close().await;
    Ok(missing.into_iter().map(|step| step.name).collect())
}

/// Opens the database for deeds of the owner of the key file, without the offices. The service may run meanwhile, so
/// that tables of another version are refused, and none are made.
///
/// # Errors
/// [`StartError`], which says what to do.
pub async fn deeds(settings: &Settings) -> Result<Deeds, StartError> {
    let (store, authority) = founded(settings)?;
    let clock = Clock::system(authority.utc_offset()?);
    let (db, _) = database_as_it_is(settings, &store, &Randomness::System).await?;
    Ok(Deeds::new(db, Source::new(clock, Randomness::System), store.secrets().clone(), access::still_in))
}

/// As [`deeds`], for a command that has the folder alone: no service runs, so that it brings the tables up itself.
///
/// # Errors
/// [`StartError`], which says what to do.
pub(super) async fn deeds_alone(settings: &Settings) -> Result<Deeds, StartError> {
    let (store, authority) = founded(settings)?;
    let clock = Clock::system(authority.utc_offset()?);
    let (db, _) = Box::pin(database_of_this_version(settings, &store, &clock, &Randomness::System)).await?;
    Ok(Deeds::new(db, Source::new(clock, Randomness::System), store.secrets().clone(), access::still_in))
}

/// As [`deeds`], with the numbers: for what the owner of the key file leases.
///
/// # Errors
/// [`StartError`], which says what to do.
pub async fn numbers(settings: &Settings) -> Result<(Deeds, Numbers), StartError> {
    let (store, authority) = founded(settings)?;
    let clock = Clock::system(authority.utc_offset()?);
    let (db, installation) = database_as_it_is(settings, &store, &Randomness::System).await?;
    let numbers = Numbers::open(&store, installation.counters())?;
    let source = Source::new(clock, Randomness::System);
    Ok((Deeds::new(db, source, store.secrets().clone(), access::still_in), numbers))
}

impl Offices {
    /// Opens the offices for a command beside the service: as [`open`](Self::open), but tables of an older version are
    /// refused.
    ///
    /// # Errors
    /// [`StartError`], which says what to do.
    pub async fn beside(settings: &Settings) -> Result<Self, StartError> {
        match look(settings).await {
            Ok(look) => look.close().await,
            Err(StartError::NoTables) => {}
            Err(why) => return Err(why),
        }
        Box::pin(Self::open(settings, None, Randomness::System)).await
    }

    /// Opens keys and database of an initialised service; the first start also makes the first officer. Without a
    /// `clock`, the computer's, in the civil time of the authority.
    ///
    /// # Errors
    /// [`StartError`], which says what to do.
    pub async fn open(settings: &Settings, clock: Option<Clock>, randomness: Randomness) -> Result<Self, StartError> {
        let (store, authority) = founded(settings)?;
        let utc_offset = authority.utc_offset()?;
        let clock = clock.map_or_else(|| Clock::system(utc_offset), |clock| clock.in_state(utc_offset));
        let (db, installation) = Box::pin(database_of_this_version(settings, &store, &clock, &randomness)).await?;
        let secrets = store.secrets().clone();
        let deeds = Deeds::new(db, Source::new(clock, randomness), secrets.clone(), access::still_in);
        Box::pin(make_first_officer(&deeds, &store)).await?;
        note_certified_keys(&deeds).await?;
        let signer = Signer::open(&store, settings.keys.clone(), installation.counters())?;
        for complaint in signer.complaints(deeds.source().now()).await {
            tracing::error!("{complaint}");
        }
        let signer = Signers::new(signer);
        let crl = CurrentCrl::new(&settings.data);
        // The State is the authority's to the end: what a card names is what its signer's certificates name.
        let code = authority.country()?.in_mrz().to_owned();
        let population = population::Settings { state: Some(code.clone()), ..settings.population.clone() };
        let numbers = Numbers::open(&store, installation.counters())?.with_settings(settings.numbering);
        let register = Register::open(&population)?.with_numbers(Arc::new(numbers.clone()));
        let objects = Objects::open(&settings.data, secrets.clone(), deeds.source().clone())?;
        let state = cards::State { code, nationality: authority.nationality().to_owned() };
        let profile = Arc::new(CardProfile { state, ..settings.card.clone() });
        let production = Production::new(
            CardKeys::open(&store)?,
            signer.clone(),
            crl.clone(),
            Arc::clone(&profile),
            register.clone(),
            objects.clone(),
            secrets.clone(),
        )
        .with_settings(settings.production.clone());
        // What follows when the register changes, in this order: the number, the booking, the
        // application under way, the cards.
        let bookings = Bookings::new(settings.bookings);
        let deeds = deeds.heard_by(vec![
            Arc::new(numbers.clone()),
            Arc::new(bookings),
            Arc::new(production.clone()),
            Arc::new(cards::Registry),
        ]);
        let counter =
            Counter::new(settings.applications.clone(), objects.clone(), register.clone(), Arc::clone(&profile))
                .with_body_check(settings.production.body_check);
        let access = Access::new(settings.access.clone(), TlsAuthority::open(&store)?);
        let watch = Watch::new(settings, store.clone(), installation.id());
        Ok(Self {
            metrics: Metrics::new(deeds.db().clone(), watch.clone(), settings.metrics_listen.is_some()),
            traces: Traces::begin(settings.traces.as_ref()),
            web: settings.web.clone(),
            pages: settings.pages,
            cards: settings.cards.clone(),
            dashboards: Dashboards::default(),
            access: access.clone(),
            numbers: numbers.clone(),
            notices: Notices::new(settings.notices.clone(), register.clone())
                .asking(vec![Arc::new(counter.clone()), Arc::new(bookings)]),
            bookings,
            counter,
            production,
            exchange: Exchange::new(
                settings.exchange.clone(),
                register.clone(),
                AnswerSigner::open(&store, deeds.source().now(), settings.exchange.sandbox)?,
                TokenSigner::open(&store, deeds.source().now(), settings.exchange.sandbox)?,
                numbers,
            ),
            citizens: Citizens::new(settings.citizens, access, settings.cards.clone(), signer.clone(), crl.clone()),
            retention: settings.retention.clone(),
            trust: Trust::new(settings.trust.clone(), signer.clone(), crl.clone()),
            watch,
            faults: Faults::default(),
            signer,
            crl,
            register,
            readiness: Readiness::new(deeds.clone(), &settings.data),
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
    /// Master keys of cards.
    #[error(transparent)]
    CardKeys(#[from] CardKeysError),
    /// The authority's settings.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// A deed of the start.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The first officer.
    #[error(transparent)]
    FirstOfficer(#[from] FirstOfficerError),
    /// The folder cannot be marked as in use.
    #[error("{}: {}; if `issuance rekey` runs in it, start again when it is done", .0.display(), .1)]
    Folder(std::path::PathBuf, #[source] std::io::Error),
    /// Folder and database do not belong together.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The port of the metrics.
    #[error("metrics_listen: {0} cannot be listened on: {1}; name a free port of this computer")]
    Metrics(std::net::SocketAddr, #[source] std::io::Error),
    /// The database has no tables yet.
    #[error("nothing was served here yet: the database is empty; `issuance serve` makes its tables at the first start")]
    NoTables,
    /// The tables are of this version, and no service of it took over what an older one left.
    #[error(
        "`issuance migrate` brought the database up to this version, and no service of it was started since: start \
         `issuance serve`, or restart it"
    )]
    NotServed,
    /// The tables are of an older version.
    #[error(
        "the database is of an older version ({steps} steps are missing), and nothing was changed: back up, run \
         `issuance migrate`, and restart the service"
    )]
    Older {
        /// So many steps are missing.
        steps: usize,
    },
    /// The large objects.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// The key that signs answers to partners.
    #[error(transparent)]
    AnswerSigner(#[from] AnswerSignerError),
    /// Signing keys.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tables of places and ethnic groups.
    #[error("population.reorganisations: {0}")]
    Tables(#[from] population::reorganisation::TablesError),
    /// The TLS authority.
    #[error(transparent)]
    Tls(#[from] TlsAuthorityError),
}
