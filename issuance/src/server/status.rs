//! The state of an installation: what runs out, what waits, what is late; for the
//! administrator, the log and the probes.

use std::path::Path;

use rustix::fs::statvfs;
use serde::Serialize;
use time::{Date, Duration, OffsetDateTime};

use super::backup::{Archived, STATE};
use super::compose::{StartError, look};
use super::overdue::{Defect, unattended};
use super::{Settings, migrations};
use crate::access::stations::{LeftBehind, left_behind};
use crate::applications::store::progress;
use crate::ground::clock::CLOCKS_DIFFER;
use crate::ground::ids::BatchId;
use crate::ground::{Clock, blocking};
use crate::jobs::schedule;
use crate::keys::{self, Held, InstallationId, KeyStore, RevocationList, RollOver};
use crate::numbering::model::NumberCell;
use crate::production::ledger::Place;
use crate::store::{Db, Tx};
use crate::{
    access, applications, bookings, cards, exchange, jobs, notices, numbering, offices, population, production, trust,
};

/// The state of an installation at a moment.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Version of the program.
    pub version: &'static str,
    /// The database.
    pub database: Database,
    /// How officers prove who they are: `password`, or `password and certificate`.
    pub sign_in: &'static str,
    /// Client certificates of officers.
    pub officer_certificates: Vec<OfficerCertificate>,
    /// Whom the roll-over of the TLS authority waits for; `null` while none is under way.
    pub tls_roll_over: Option<LeftBehind>,
    /// Certificates, those in use first.
    pub certificates: Vec<Held>,
    /// The revocation list; `null` if it cannot be read.
    pub revocation_list: Option<RevocationList>,
    /// When the trust bundle in force was made, and when kiosks must have another.
    pub trust_bundle: Option<Bundle>,
    /// Stations that are not revoked.
    pub stations: Vec<Station>,
    /// Systems of partners that may ask.
    pub partner_systems: Vec<PartnerSystem>,
    /// Agreements with partners that are in force, or signed for later.
    pub agreements: Vec<AgreementEnd>,
    /// Orders that were given to a station and not finished.
    pub orders_unfinished: Waiting,
    /// Chips by state.
    pub stock: Vec<Count>,
    /// The ledger of the stock: what its accounts hold.
    pub stock_ledger: Ledger,
    /// The versions of the master key of cards, each with the chips that have keys of it; the newest last.
    pub card_masters: Vec<CardMaster>,
    /// Cards by status.
    pub cards: Vec<Count>,
    /// Applications by stage.
    pub applications: Vec<Waiting>,
    /// Applications that are late, by stage.
    pub dossiers_overdue: Vec<Count>,
    /// Applications that wait and have no owner, or no due day: defects.
    pub dossiers_without_owner: u64,
    /// Applications and cases of the stock that wait where no officer in service has them: defects.
    pub without_officer: Vec<Defect>,
    /// Print jobs that have waited for ten minutes or more for their file to be written or removed.
    pub print_jobs_waiting: u64,
    /// Notices that wait, or could not be sent, by state and way.
    pub notices: Vec<Count>,
    /// Notices of which a citizen may have got two, under one reference.
    pub notices_repeated: u64,
    /// Notices that did not leave, as they were overtaken or their citizen is dead, by state and way.
    pub notices_not_sent: Vec<Count>,
    /// When the oldest notice that waits to be sent was written; `null` while none waits.
    #[serde(with = "time::serde::rfc3339::option")]
    pub notices_wait_since: Option<OffsetDateTime>,
    /// When the oldest letter that waits to be printed was written; `null` while none waits.
    #[serde(with = "time::serde::rfc3339::option")]
    pub letters_wait_since: Option<OffsetDateTime>,
    /// Bookings whose slot is gone, and which no officer moved yet.
    pub bookings_to_be_moved: u64,
    /// The last year up to which the holidays are known; `null` if those of this year are not.
    pub holidays_until: Option<i32>,
    /// True if the holidays of this year were announced, or set by hand.
    pub holidays_announced: bool,
    /// The fullest cells of the space of personal numbers, the fullest first: all that are half used or more, and at
    /// least ten where there are so many.
    pub number_cells: Vec<NumberCell>,
    /// Files of declarations that were begun and are not read to their end.
    pub imports: Vec<OpenImport>,
    /// Recurring jobs.
    pub jobs: Vec<Job>,
    /// The file system of the folder; `null` if it does not say.
    pub disk: Option<Disk>,
    /// The archive of SQLite's log, as the archiver last said; `null` if there never was one.
    pub archive: Option<Archived>,
    /// Administrators of the national office who can sign in as `sign_in` says.
    pub administrators: usize,
    /// When a proposal of the owner of the key file about an officer takes effect, or ends undecided while it waits for
    /// an administrator; `null` while there is none.
    #[serde(with = "time::serde::rfc3339::option")]
    pub break_glass: Option<OffsetDateTime>,
    /// Since when that proposal waits for an administrator who may decide and was seen at work; `null` while none was.
    #[serde(with = "time::serde::rfc3339::option")]
    pub break_glass_waits_since: Option<OffsetDateTime>,
    /// What an administrator must do or know, the worst first.
    pub findings: Vec<Finding>,
}

/// The database.
#[derive(Clone, Debug, Serialize)]
pub struct Database {
    /// `sqlite` or `postgresql`.
    pub engine: &'static str,
    /// The installation that folder and database belong to.
    pub installation: InstallationId,
    /// Version of its tables.
    pub schema: i64,
}

/// The trust bundle in force.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bundle {
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub issued_at: OffsetDateTime,
    /// When kiosks must have another.
    #[serde(with = "time::serde::rfc3339")]
    pub next_update: OffsetDateTime,
}

/// A file of declarations that was begun and is not read to its end.
#[derive(Clone, Debug, Serialize)]
pub struct OpenImport {
    /// Its identifier.
    pub batch: BatchId,
    /// Its name, without the folder.
    pub file: String,
    /// The office whose persons it declares.
    pub office: String,
    /// When it was begun.
    #[serde(with = "time::serde::rfc3339")]
    pub begun_at: OffsetDateTime,
    /// Rows that were read.
    pub rows: u64,
}

/// A station.
#[derive(Clone, Debug, Serialize)]
pub struct Station {
    /// Its name.
    pub name: String,
    /// Its office.
    pub office: String,
    /// Last moment of its certificate.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
}

/// A system of a partner.
#[derive(Clone, Debug, Serialize)]
pub struct PartnerSystem {
    /// Code of the partner.
    pub partner: String,
    /// What it is called.
    pub name: String,
    /// Last moment of its certificate.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
}

/// An agreement, and its end.
#[derive(Clone, Debug, Serialize)]
pub struct AgreementEnd {
    /// Its number.
    pub number: String,
    /// The first moment at which it is over.
    #[serde(with = "time::serde::rfc3339")]
    pub valid_to: OffsetDateTime,
}

/// A client certificate of an officer.
#[derive(Clone, Debug, Serialize)]
pub struct OfficerCertificate {
    /// Name of the account.
    pub username: String,
    /// Its last moment.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
}

/// A version of the master key of cards.
#[derive(Clone, Debug, Serialize)]
pub struct CardMaster {
    /// The version.
    pub version: u8,
    /// Chips in stock, or being written, that have keys of it.
    pub stock: u64,
    /// Chips that became a card with keys of it.
    pub cards: u64,
}

/// How many there are of a kind.
#[derive(Clone, Debug, Serialize)]
pub struct Count {
    /// The kind.
    pub state: String,
    /// The number.
    pub count: u64,
}

/// The ledger of the stock.
#[derive(Clone, Debug, Serialize)]
pub struct Ledger {
    /// The sum of all accounts, which is zero.
    pub sum: i64,
    /// What each kind of account holds.
    pub accounts: Vec<Balance>,
    /// Where accounts and chips do not agree, in sentences.
    pub complaints: Vec<String>,
    /// Cases that wait for two officers.
    pub cases_open: u64,
    /// Those of them that are overdue.
    pub cases_overdue: u64,
    /// Boxes and parcels that are on their way.
    pub boxes_open: u64,
    /// Those of them that should have been received.
    pub boxes_late: u64,
    /// Batches of production that are open.
    pub batches_open: u64,
    /// Those of them that are open for a day or more.
    pub batches_late: u64,
}

/// What a kind of account holds.
#[derive(Clone, Debug, Serialize)]
pub struct Balance {
    /// The kind of account.
    pub place: Place,
    /// Chips; of the supplier as many below zero.
    pub chips: i64,
}

/// What waits, and since when.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// Where it waits.
    pub stage: String,
    /// How many wait.
    pub count: u64,
    /// The age of the oldest in whole days; `null` if none waits, and at a stage that is an end.
    pub oldest_days: Option<i64>,
}

/// A recurring job.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// When it is due.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// So many seconds it is late.
    pub late_seconds: i64,
    /// How often it failed since it was done.
    pub failures: u32,
}

/// A file system.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Disk {
    /// Bytes that the service may still write.
    pub free_bytes: u64,
    /// Bytes of the file system.
    pub total_bytes: u64,
}

/// What an administrator must do or know.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: a file, a station, a job.
    pub about: String,
    /// What is wrong and what helps, in a sentence.
    pub says: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Within a month.
    Notice,
    /// Within a week, or something waits that should not.
    Warning,
    /// Within a day, or something does not work.
    Critical,
}

impl Severity {
    /// The word, as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// How bad it is that something ends at `end`: `None` for more than thirty days.
    fn of_end(end: OffsetDateTime, now: OffsetDateTime) -> Option<Self> {
        [(1, Self::Critical), (7, Self::Warning), (30, Self::Notice)]
            .into_iter()
            .find(|(days, _)| end - now <= Duration::days(*days))
            .map(|(_, severity)| severity)
    }
}

/// Looks at an installation from outside. The service may run meanwhile, and need not.
///
/// # Errors
/// [`StartError`], which says what to do.
pub async fn status(settings: &Settings) -> Result<Status, StartError> {
    let look = look(settings).await?;
    let taken = take(settings, &look.store, &look.db, look.installation.id(), look.clock()).await;
    look.close().await;
    taken
}

/// Looks at the installation that this database and folder are.
pub(super) async fn take(
    settings: &Settings,
    store: &KeyStore,
    db: &Db,
    installation: InstallationId,
    clock: &Clock,
) -> Result<Status, StartError> {
    let now = clock.now();
    let mut tx = db.begin_read().await?;
    let (certificates, list) = keys::inventory(store, &mut tx, &settings.keys).await?;
    let stations = access::stations_in_use(&mut tx).await?;
    let tls_roll_over = match RollOver::under_way(store)? {
        Some(roll_over) => Some(left_behind(&mut tx, &roll_over, settings.access.station_renewal_grace, now).await?),
        None => None,
    };
    let stock = production::figures(&mut tx).await?;
    let card_masters = card_masters(store, &mut tx, &stock.chips).await?;
    let stock_ledger = ledger(&mut tx, clock).await?;
    let told = notices::store::figures(&mut tx).await?;
    let bookings_to_be_moved = bookings::to_be_moved(&mut tx).await?;
    let alarm = access::proposals::break_glass(&mut tx, now).await?;
    let days = |since: OffsetDateTime| (now - since).whole_days();
    let today = clock.today();
    let calendar = offices::steps::calendar(&mut tx, today.year(), today.year() + 10).await?;
    let status = Status {
        at: now,
        version: env!("CARGO_PKG_VERSION"),
        database: Database {
            engine: db.engine_name(),
            installation,
            schema: migrations().last().map_or(0, |last| last.version),
        },
        sign_in: if settings.access.factors > 1 { "password and certificate" } else { "password" },
        officer_certificates: access::certificates_in_use(&mut tx)
            .await?
            .into_iter()
            .map(|(username, not_after)| OfficerCertificate { username, not_after })
            .collect(),
        tls_roll_over,
        certificates,
        revocation_list: list,
        trust_bundle: trust::newest_at(&mut tx)
            .await?
            .map(|issued_at| Bundle { issued_at, next_update: issued_at + settings.trust.bundle_lifetime }),
        stations: stations.into_iter().map(|(name, office, not_after)| Station { name, office, not_after }).collect(),
        partner_systems: access::partner_systems_in_use(&mut tx)
            .await?
            .into_iter()
            .map(|(partner, name, not_after)| PartnerSystem { partner, name, not_after })
            .collect(),
        agreements: exchange::in_force_until(&mut tx, now)
            .await?
            .into_iter()
            .map(|(number, valid_to)| AgreementEnd { number, valid_to })
            .collect(),
        orders_unfinished: Waiting {
            stage: "bound".to_owned(),
            count: stock.unfinished.0,
            oldest_days: stock.unfinished.1.map(days),
        },
        card_masters,
        stock_ledger,
        stock: stock.chips.into_iter().map(counted).collect(),
        cards: cards::store::figures(&mut tx).await?.into_iter().map(counted).collect(),
        applications: applications::store::figures(&mut tx)
            .await?
            .into_iter()
            .map(|(stage, count, oldest)| Waiting { stage, count, oldest_days: oldest.map(days) })
            .collect(),
        dossiers_overdue: progress::count_late(&mut tx, today).await?.into_iter().map(counted).collect(),
        dossiers_without_owner: progress::count_ownerless(&mut tx).await?,
        without_officer: unattended(&mut tx, today, now).await?,
        print_jobs_waiting: production::print_jobs_waiting_since(&mut tx, now - PRINT_JOBS_ARE_LATE).await?,
        notices: told.open.into_iter().map(counted).collect(),
        notices_repeated: told.repeated,
        notices_not_sent: told.not_sent.into_iter().map(counted).collect(),
        notices_wait_since: told.oldest_due,
        letters_wait_since: told.oldest_letter,
        bookings_to_be_moved,
        holidays_until: calendar.known_until(today.year()),
        holidays_announced: calendar.is_announced(today.year()),
        number_cells: numbering::store::fullest(&mut tx, HALF_A_CELL).await?,
        imports: population::store::import::unfinished(&mut tx)
            .await?
            .into_iter()
            .map(|batch| OpenImport {
                batch: batch.id,
                file: batch.file_name,
                office: batch.office.to_string(),
                begun_at: batch.begun.at,
                rows: batch.rows,
            })
            .collect(),
        jobs: jobs_of(&mut tx, now).await?,
        disk: disk(settings.data.clone()).await,
        administrators: access::proposals::administrators(&mut tx, settings.access.factors, now).await?,
        break_glass: alarm.map(|alarm| alarm.at),
        break_glass_waits_since: alarm.and_then(|alarm| alarm.waits_since),
        archive: archived(settings.data.clone()).await,
        findings: Vec::new(),
    };
    let findings = judge(&status, settings);
    Ok(Status { findings, ..status })
}

/// Looks at the accounts of the stock, and at its cases.
async fn ledger(tx: &mut Tx, clock: &Clock) -> Result<Ledger, StartError> {
    let balances = production::balances(tx).await?;
    let mut complaints = balances.complaints();
    complaints.extend(production::disagreements(tx, clock.now()).await?);
    let (cases_open, cases_overdue) = production::open_cases(tx, clock.today()).await?;
    let (boxes_open, boxes_late) = production::open_boxes(tx, clock.today(), clock.now()).await?;
    let (batches_open, batches_late) = production::open_batches(tx, clock.now() - Duration::days(1)).await?;
    Ok(Ledger {
        sum: balances.sum,
        accounts: balances.by_place().into_iter().map(|(place, chips)| Balance { place, chips }).collect(),
        complaints,
        cases_open,
        cases_overdue,
        boxes_open,
        boxes_late,
        batches_open,
        batches_late,
    })
}

/// Looks at the keys alone: the certificates of the folder, the revocation list, and the master keys of cards.
///
/// # Errors
/// [`StartError`]
pub(super) async fn keys_of(settings: &Settings, store: &KeyStore, db: &Db) -> Result<Keys, StartError> {
    let mut tx = db.begin_read().await?;
    let (certificates, revocation_list) = keys::inventory(store, &mut tx, &settings.keys).await?;
    let stock = production::figures(&mut tx).await?;
    let card_masters = card_masters(store, &mut tx, &stock.chips).await?;
    Ok(Keys { certificates, revocation_list, card_masters, signing_key_limit: settings.keys.signing_key_limit })
}

/// What the folder has of keys: never a key itself.
pub(super) struct Keys {
    /// Certificates, those in use first.
    pub(super) certificates: Vec<Held>,
    /// The revocation list; none if it cannot be read.
    pub(super) revocation_list: Option<RevocationList>,
    /// The versions of the master key of cards.
    pub(super) card_masters: Vec<CardMaster>,
    /// So many signatures a key makes.
    pub(super) signing_key_limit: u64,
}

/// Counts the chips of each version: of the only one without reading them.
async fn card_masters(store: &KeyStore, tx: &mut Tx, chips: &[(String, u64)]) -> Result<Vec<CardMaster>, StartError> {
    let versions = keys::CardKeys::versions(store)?;
    let counted = match versions[..] {
        [only] => chips.iter().map(|(state, n)| (only, state.clone(), *n)).collect(),
        _ => production::key_versions(tx).await?,
    };
    let of = |version: u8, states: &[&str]| {
        let those = counted.iter().filter(|(of, state, _)| *of == version && states.contains(&state.as_str()));
        those.map(|(.., n)| n).sum()
    };
    let master = |version| CardMaster {
        version,
        stock: of(version, &["initialised", "bound"]),
        cards: of(version, &["personalized"]),
    };
    Ok(versions.into_iter().map(master).collect())
}

fn counted((state, count): (String, u64)) -> Count {
    Count { state, count }
}

async fn jobs_of(tx: &mut Tx, now: OffsetDateTime) -> Result<Vec<Job>, StartError> {
    let jobs = schedule(tx).await?;
    let job = |job: jobs::JobState| Job {
        // The list for kiosks is made when one of them asks.
        late_seconds: if job.name == "trust-bundle" { 0 } else { (now - job.due_at).whole_seconds().max(0) },
        name: job.name,
        due_at: job.due_at,
        failures: job.failures,
    };
    Ok(jobs.into_iter().map(job).collect())
}

async fn disk(folder: std::path::PathBuf) -> Option<Disk> {
    blocking::run(move || disk_of(&folder)).await
}

/// What the archiver last said. A file that is not its own is told as an archive that fails.
async fn archived(folder: std::path::PathBuf) -> Option<Archived> {
    blocking::run(move || archived_of(&folder)).await
}

pub(super) fn archived_of(folder: &Path) -> Option<Archived> {
    Archived::read(folder).unwrap_or_else(|error| {
        let failing = Some(format!("{STATE} cannot be read: {error}"));
        Some(Archived { to: "?".into(), every_seconds: 0, last_piece_at: None, complete_at: None, failing })
    })
}

/// Returns nothing where the file system does not say: what is not known is not full. One that knows no size (of a
/// network, of a container) says zero.
fn disk_of(folder: &Path) -> Option<Disk> {
    let fs = statvfs(folder).ok().filter(|fs| fs.f_blocks > 0)?;
    Some(Disk {
        free_bytes: fs.f_bavail.saturating_mul(fs.f_frsize),
        total_bytes: fs.f_blocks.saturating_mul(fs.f_frsize),
    })
}

/// What an administrator must do or know about a certificate in use, or its key.
pub(super) fn of_certificate(one: &Held, now: OffsetDateTime, signing_key_limit: u64) -> Vec<(Severity, String)> {
    let mut found = Vec::new();
    if one.revoked {
        found.push((Severity::Critical, format!("revoked; it signs nothing more: {}", one.remedy)));
    }
    if one.not_before > now {
        let from = moment(one.not_before);
        found.push((Severity::Critical, format!("is valid from {from} only: is this computer's clock right?")));
    }
    let (end, verb) =
        if one.signs_until < one.not_after { (one.signs_until, "may sign") } else { (one.not_after, "is valid") };
    // What the authority certified ends with it, so another one is needed a year before.
    let early = (one.file == "tls-ca.pem" && end - now <= AUTHORITY_IS_ROLLED_OVER).then_some(Severity::Notice);
    if let Some(severity) = Severity::of_end(end, now).or(early) {
        found.push((severity, format!("{verb} until {}: {}", moment(end), one.remedy)));
    }
    if let Some(left) = one.signatures_left {
        let severity = match left.saturating_mul(100) / signing_key_limit.max(1) {
            _ if left == 0 => Some(Severity::Critical),
            0..1 => Some(Severity::Warning),
            1..10 => Some(Severity::Notice),
            _ => None,
        };
        if let Some(severity) = severity {
            found.push((severity, format!("its key may make {left} signatures more: {}", one.remedy)));
        }
    }
    found
}

/// What in all this an administrator must do or know, the worst first.
fn judge(status: &Status, settings: &Settings) -> Vec<Finding> {
    let now = status.at;
    let mut findings = Vec::new();
    let mut find = |severity, about: &str, says: String| {
        findings.push(Finding { severity, about: about.to_owned(), says });
    };
    for one in status.certificates.iter().filter(|one| one.in_use) {
        for (severity, says) in of_certificate(one, now, settings.keys.signing_key_limit) {
            find(severity, &one.file, says);
        }
    }
    if let Some(left) = &status.tls_roll_over {
        let says = match left.kinds().map(|(_, names)| names.len()) {
            [0, 0, 0] => {
                "all have certificates of the new authority: issuance rotate tls-authority --finish".to_owned()
            }
            [stations, officers, partners] => format!(
                "{stations} stations, {officers} officers and {partners} systems of partners have certificates of the \
                 old authority: card-agent enrol --renew, another certificate for the officer, a system brought anew by \
                 the partner; then issuance rotate tls-authority --finish"
            ),
        };
        find(Severity::Notice, "roll-over of the TLS authority", says);
    }
    if let Some(at) = status.break_glass {
        let when = match status.break_glass_waits_since {
            None => format!("it takes effect on {}", moment(at)),
            Some(since) => format!(
                "since {} it waits for an administrator who signed in to decide, and ends undecided on {}",
                moment(since),
                moment(at)
            ),
        };
        let says = "the owner of the key file proposes something about an officer";
        find(Severity::Critical, "break-glass", format!("{says}; {when}: GET /api/v1/officer-proposals"));
    }
    if status.revocation_list.is_none() {
        find(Severity::Critical, "csca.crl", "cannot be read: restore it, or run `issuance crl`".to_owned());
    }
    match status.revocation_list.as_ref().map(|list| list.next_update) {
        Some(Some(end)) => {
            // A list is due long before a certificate ends; a month before says nothing.
            if let Some(severity) = Severity::of_end(end, now).filter(|severity| *severity > Severity::Notice) {
                find(severity, "csca.crl", format!("the next list is due on {}: issuance crl", moment(end)));
            }
        }
        Some(None) => find(Severity::Warning, "csca.crl", "it names no next list: issuance crl".to_owned()),
        None => {}
    }
    match status.trust_bundle {
        None => find(Severity::Critical, "trust bundle", "there is none; the log says why".to_owned()),
        Some(bundle) if bundle.next_update <= now => {
            find(
                Severity::Critical,
                "trust bundle",
                format!("ran out on {}; the log says why", moment(bundle.next_update)),
            );
        }
        Some(bundle) if bundle.issued_at > now + CLOCKS_DIFFER => {
            let made = moment(bundle.issued_at);
            find(
                Severity::Critical,
                "trust bundle",
                format!("was made on {made}, which is not yet: is this computer's clock right?"),
            );
        }
        Some(bundle)
            if now - bundle.issued_at > settings.trust.bundle_renewal + settings.trust.bundle_renewal + LATE =>
        {
            find(
                Severity::Warning,
                "trust bundle",
                format!("was last made on {}; does the service run?", moment(bundle.issued_at)),
            );
        }
        Some(_) => {}
    }
    for station in &status.stations {
        if let Some(severity) = Severity::of_end(station.not_after, now) {
            let severity = severity.min(Severity::Warning);
            let until = moment(station.not_after);
            find(
                severity,
                &format!("station {}", station.name),
                format!("its certificate is valid until {until}: card-agent enrol again"),
            );
        }
    }
    for PartnerSystem { partner, name, not_after } in &status.partner_systems {
        if let Some(severity) = Severity::of_end(*not_after, now) {
            let until = moment(*not_after);
            find(
                severity.min(Severity::Warning),
                &format!("partner {partner}"),
                format!("the certificate of {name} is valid until {until}: join the system anew, with another key"),
            );
        }
    }
    for AgreementEnd { number, valid_to } in &status.agreements {
        if let Some(severity) = Severity::of_end(*valid_to, now) {
            let until = moment(*valid_to);
            find(
                severity.min(Severity::Warning),
                &format!("agreement {number}"),
                format!(
                    "it is in force until {until}: what it allows is refused then, unless another one takes its place"
                ),
            );
        }
    }
    for certificate in &status.officer_certificates {
        if let Some(severity) = Severity::of_end(certificate.not_after, now) {
            let until = moment(certificate.not_after);
            find(
                severity.min(Severity::Warning),
                &format!("officer {}", certificate.username),
                format!("the certificate is valid until {until}: two administrators grant another one"),
            );
        }
    }
    if settings.access.factors < 2 {
        let says = "a password alone signs officers in: set access.factors to 2 where citizens' data are kept";
        find(Severity::Notice, "sign-in", says.to_owned());
    }
    let severity = match status.administrators {
        0 => Some(Severity::Critical),
        1 if settings.access.factors > 1 => Some(Severity::Warning),
        1 => Some(Severity::Notice),
        _ => None,
    };
    if let Some(severity) = severity {
        let (able, with) = (status.administrators, status.sign_in);
        let says = format!("{able} of the national office can sign in with {with}, and two decide about officers");
        let remedy = "appoint another, or issuance officer propose-certificate | propose-reset";
        find(severity, "administrators", format!("{says}: {remedy}"));
    }
    for job in &status.jobs {
        if job.late_seconds > LATE.whole_seconds() {
            let (seconds, failures) = (job.late_seconds, job.failures);
            find(
                Severity::Warning,
                &format!("job {}", job.name),
                format!("is late by {seconds} s, failed {failures} times; does the service run?"),
            );
        } else if job.failures > 0 {
            find(
                Severity::Warning,
                &format!("job {}", job.name),
                format!("failed {} times; the log says why", job.failures),
            );
        }
    }
    for complaint in &status.stock_ledger.complaints {
        find(Severity::Critical, "stock ledger", format!("{complaint}: issuance stock check"));
    }
    if status.stock_ledger.cases_overdue > 0 {
        let n = status.stock_ledger.cases_overdue;
        find(
            Severity::Warning,
            "stock cases",
            format!("{n} overdue: GET /api/v1/stock/cases, two officers settle them"),
        );
    }
    if status.stock_ledger.boxes_late > 0 {
        let n = status.stock_ledger.boxes_late;
        let said = format!("{n} not received by their day: GET /api/v1/stock/boxes; receive them, or call them back");
        find(Severity::Warning, "stock boxes", said);
    }
    if status.stock_ledger.batches_late > 0 {
        let n = status.stock_ledger.batches_late;
        find(Severity::Warning, "stock batches", format!("{n} open for a day or more: GET /api/v1/stock/batches"));
    }
    if status.orders_unfinished.oldest_days.is_some_and(|days| days >= 1) {
        let n = status.orders_unfinished.count;
        find(
            Severity::Warning,
            "orders",
            format!("{n} unfinished, the oldest for a day or more: card-agent personalize, or spoil the chip"),
        );
    }
    for waiting in status.applications.iter().filter(|waiting| waiting.stage == "held" && waiting.count > 0) {
        find(Severity::Warning, "applications", format!("{} held: a registrar mends and releases them", waiting.count));
    }
    let overdue: u64 = status.dossiers_overdue.iter().map(|stage| stage.count).sum();
    if overdue > 0 {
        find(
            Severity::Warning,
            "dossiers",
            format!("{overdue} are late: issuance overdue says where, and who has them"),
        );
    }
    if status.dossiers_without_owner > 0 {
        let n = status.dossiers_without_owner;
        find(Severity::Critical, "dossiers without owner", format!("{n}: issuance overdue --check lists them"));
    }
    for defect in &status.without_officer {
        let about = if let Defect::NoKeeper { .. } = defect {
            "stock cases without officer"
        } else {
            "dossiers without officer"
        };
        find(Severity::Critical, about, defect.says());
    }
    if status.print_jobs_waiting > 0 {
        let n = status.print_jobs_waiting;
        let says = format!(
            "{n} wait for ten minutes or more: their documents cannot be read, or the outbox; the log says which"
        );
        find(Severity::Warning, "print jobs", says);
    }
    let dead: u64 = status.notices.iter().filter(|one| one.state.starts_with("dead")).map(|one| one.count).sum();
    if dead > 0 {
        let says = format!("{dead} could not be sent: issuance notices letters --out DIR prints them as letters");
        find(Severity::Warning, "notices", says);
    }
    if let Some(since) = status.notices_wait_since.filter(|since| now - *since > NOTICES_ARE_LATE) {
        let says = format!("waiting to be sent since {}: is the mail server there? The log says why", moment(since));
        find(Severity::Warning, "notices", says);
    }
    if let Some(since) = status.letters_wait_since.filter(|since| now - *since > LETTERS_ARE_LATE) {
        let says = format!("letters wait to be printed since {}: issuance notices letters --out DIR", moment(since));
        find(Severity::Warning, "letters", says);
    }
    if status.bookings_to_be_moved > 0 {
        let n = status.bookings_to_be_moved;
        let says = format!("{n} are to be moved: GET /api/v1/bookings?office=CODE&to_be_moved=true lists them");
        find(Severity::Warning, "bookings", says);
    }
    let year = status.holidays_until.unwrap_or_else(|| now.year() - 1);
    let end = Date::from_ordinal_date(year + 1, 1).map_or(now, |day| day.midnight().assume_utc());
    let left = (end - now).whole_days();
    let severity = [(HOLIDAYS_ARE_NEEDED, Severity::Critical), (HOLIDAYS_ARE_AWAITED, Severity::Warning)];
    let severity = severity.into_iter().find(|(days, _)| left < *days).map(|(_, severity)| severity);
    if let Some(severity) = severity {
        let says = format!(
            "known until the end of {year}: deadlines that fall later come out too early, or are refused; enter those of {} \
             as they are announced ([calendar.{}])",
            year + 1,
            year + 1
        );
        find(severity, "holidays", says);
    } else if !status.holidays_announced {
        let says = "those of this year are computed: compare them with the announcement, and enter it";
        find(Severity::Notice, "holidays", says.to_owned());
    }
    for cell in &status.number_cells {
        let severity = match cell.percent() {
            0..50 => continue,
            50..90 => Severity::Notice,
            90..100 => Severity::Warning,
            _ => Severity::Critical,
        };
        let NumberCell { begins, province, sex, birth_year, left, .. } = cell;
        let (percent, about) = (cell.percent(), format!("numbers {begins}"));
        let says = format!("{percent} % used, {left} left (province {province}, {sex}, born {birth_year})");
        find(severity, &about, format!("{says}: when none is left, births there get no number"));
    }
    for import in status.imports.iter().filter(|import| now - import.begun_at > IMPORT_IS_LEFT) {
        let OpenImport { batch, file, begun_at, rows, .. } = import;
        let says = format!("begun on {} and not read to its end ({rows} rows are)", moment(*begun_at));
        let remedy = format!(
            "issuance import goes on with the file; if it was changed and can never be finished: issuance import --end {batch}"
        );
        find(Severity::Warning, &format!("import {file}"), format!("{says}: {remedy}"));
    }
    match (&status.archive, &settings.archive) {
        (Some(archive), _) => {
            if let Some((severity, says)) = late(archive, now) {
                find(severity, "archive", says);
            }
        }
        // PostgreSQL has an archive of its own.
        (None, Some(folder)) if settings.database.is_none() => {
            let says = "`[backup] archive` names this folder, and no archiver has run: issuance archive";
            find(Severity::Warning, "archive", format!("{}: {says}", folder.display()));
        }
        (None, _) => {}
    }
    let Some(disk) = status.disk else {
        find(Severity::Warning, "disk", "the folder's file system does not say how much is free".to_owned());
        return sorted(findings);
    };
    let percent = disk.free_bytes.saturating_mul(100).checked_div(disk.total_bytes).unwrap_or(100);
    if percent < 2 || disk.free_bytes < 256 << 20 {
        find(Severity::Critical, "disk", format!("{} MiB free in the folder's file system", disk.free_bytes >> 20));
    } else if percent < 10 && disk.free_bytes < 10 << 30 {
        find(Severity::Warning, "disk", format!("{percent} % free in the folder's file system"));
    }
    sorted(findings)
}

/// How late an archive is, and why: the age of what is archived is what would be lost.
fn late(archive: &Archived, now: OffsetDateTime) -> Option<(Severity, String)> {
    let why = archive.failing.as_deref().unwrap_or("does `issuance archive` run?");
    let Some(complete_at) = archive.complete_at else {
        return Some((Severity::Critical, format!("nothing is archived yet: {why}")));
    };
    let age = now - complete_at;
    let ticks = Duration::seconds(3 * i64::try_from(archive.every_seconds).unwrap_or(0));
    let severity = match age {
        _ if age > ARCHIVE_IS_LOST => Severity::Critical,
        _ if age > ticks || archive.failing.is_some() => Severity::Warning,
        _ => return None,
    };
    Some((severity, format!("what came in the last {} s is not in it: {why}", age.whole_seconds())))
}

/// The worst first.
fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.about.cmp(&b.about)));
    findings
}

/// The moment in UTC, to the minute.
fn moment(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}

/// So long before its end the TLS authority is rolled over: stations' certificates live for a year.
const AUTHORITY_IS_ROLLED_OVER: Duration = Duration::days(400);

/// An import that is not ended for so long was left.
const IMPORT_IS_LEFT: Duration = Duration::days(1);
/// From here on a cell is an alarm.
const HALF_A_CELL: u64 = 500_000;
/// The longest term in days of the calendar, with Tết in it.
const HOLIDAYS_ARE_NEEDED: i64 = 45;
/// A print job that waits longer for its file is said.
const PRINT_JOBS_ARE_LATE: Duration = Duration::minutes(10);
/// A notice that waits longer to be sent is said.
const NOTICES_ARE_LATE: Duration = Duration::days(1);
/// A letter that waits longer for a printer is said: the citizen's days to answer run.
const LETTERS_ARE_LATE: Duration = Duration::days(5);
/// Time to enter what was announced: it is in autumn.
const HOLIDAYS_ARE_AWAITED: i64 = 75;
/// An archive that is older than this keeps little of what it is there for.
const ARCHIVE_IS_LOST: Duration = Duration::minutes(5);
/// What is later than this is late.
const LATE: Duration = Duration::hours(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_does_not_say_is_unknown_and_not_full() {
        let folder = tempfile::tempdir().unwrap();
        assert!(disk_of(folder.path()).is_some_and(|disk| disk.total_bytes > 0));
        assert!(disk_of(&folder.path().join("gone")).is_none());
        // It says that it has no blocks at all.
        assert!(disk_of(Path::new("/proc")).is_none());
    }

    #[test]
    fn an_archive_is_late_after_three_ticks_and_lost_after_five_minutes() {
        let now = time::macros::datetime!(2026-11-26 08:00 UTC);
        let archive = |seconds: i64, failing: Option<&str>| Archived {
            to: "/mnt".into(),
            every_seconds: 15,
            // Nothing came since: it is no measure.
            last_piece_at: Some(now - Duration::days(1)),
            complete_at: Some(now - Duration::seconds(seconds)),
            failing: failing.map(str::to_owned),
        };
        let severity = |seconds, failing| late(&archive(seconds, failing), now).map(|(severity, _)| severity);
        let (warning, critical) = (Some(Severity::Warning), Some(Severity::Critical));
        let all = [44, 46, 299, 301].map(|seconds| severity(seconds, None));
        assert_eq!(all, [None, warning, warning, critical]);
        assert_eq!(severity(1, Some("full")), warning);
        let (severity, says) = late(&Archived { complete_at: None, ..archive(0, Some("full")) }, now).unwrap();
        assert!(severity == Severity::Critical && says.contains("full"), "{says}");
        // A clock that was set back makes nothing late.
        assert!(late(&archive(-3600, None), now).is_none());
    }
}
