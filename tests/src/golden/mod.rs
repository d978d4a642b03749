//! Golden houses: what a version of this program left behind, kept to be opened by every later one.
//!
//! A golden house is a folder `tests/fixtures/house-YYYY-MM/ENGINE`, made by `cargo run -p tests --bin fixture`
//! ([`story`]):
//!
//! | path | what |
//! | --- | --- |
//! | `house.json` | the [`Index`]: the moment, officers with passwords, the station, what became of each citizen |
//! | `data` | the folder of the service: keys, certificates, objects and, on SQLite, the database |
//! | `database.sql.gz` | on PostgreSQL, the database as `pg_dump` writes it |
//! | `chips/SERIAL` | the state of each simulated chip |
//! | `station` | the station's journal |
//! | `portrait-of-the-held` | the sealed object that is missing in `data/objects` |
//!
//! Later versions open a copy under the clock of its making. That clock is a parameter of
//! [`issuance::Service::start`], which code alone can set: the shipped program has no option for it.
//! The people of a golden house are invented, and its keys protect nothing.

pub mod station;
pub mod story;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hardware_sim::state::Persistent;
use hardware_sim::{Chip, InProcess, Store};
use issuance::applications::store;
use issuance::ground::{Clock, Randomness, actor};
use issuance::keys::{InitOptions, KeyStore, renew_server};
use issuance::server::{self, Settings};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::ambient;
use crate::roles::{Caller, Service};
use crate::world::PROVINCE;

/// Anything that keeps a house from being made or opened.
pub type Trouble = Box<dyn Error + Send + Sync>;

/// What a golden house has to know about itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Index {
    /// The moment at which it was closed, and at which it opens again.
    #[serde(with = "time::serde::rfc3339")]
    pub moment: OffsetDateTime,
    /// Passwords of the officers, by username.
    pub officers: BTreeMap<String, String>,
    /// The station.
    pub station: StationRow,
    /// The citizens, by what became of them.
    pub citizens: BTreeMap<String, Case>,
    /// Serial numbers of the chips without a citizen, by what became of them.
    pub chips: BTreeMap<String, String>,
    /// Where the missing object belongs, below `data`.
    pub missing_object: PathBuf,
}

/// The station as the service knows it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StationRow {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its office.
    pub office: String,
}

/// What a citizen has. Empty: not yet.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Case {
    /// Identifier of the person.
    pub person: String,
    /// The personal number.
    pub number: String,
    /// Identifier of the newest application.
    pub application: String,
    /// Its appointment slip.
    pub slip: String,
    /// Its stage.
    pub stage: String,
    /// Serial numbers of the chips that were written for the person, in order.
    pub chips: Vec<String>,
    /// Identifiers of the cards, in order.
    pub cards: Vec<String>,
}

/// A house that runs in this process, under a clock that stands.
pub struct House {
    /// The folder of everything.
    pub dir: PathBuf,
    /// The clock.
    pub clock: Clock,
    /// The service as HTTP clients see it.
    pub http: Service,
    service: issuance::Service,
    runtime: Runtime,
}

impl House {
    /// Founds a new house in the empty folder `dir`. Returns it with the administrator's password.
    ///
    /// # Errors
    /// [`Trouble`]
    pub fn found(
        dir: &Path,
        database: Option<&str>,
        moment: OffsetDateTime,
        transport_master: &[u8],
    ) -> Result<(Self, Zeroizing<String>), Trouble> {
        let transport_keys = vec![(TRANSPORT_KEY.to_owned(), Zeroizing::new(transport_master.to_vec()))];
        let options = InitOptions { transport_keys, ..InitOptions::default() };
        let rng = &mut Randomness::seeded(1).draw();
        let made = server::init(&settings(dir, database), &options, "admin", moment, rng)?;
        Ok((Self::start(dir, database, moment, 2)?, made.admin_password))
    }

    /// Opens the copy of a golden house in `dir` at the moment of its making. `seed` must differ from that of the
    /// making, or the identifiers of that time would come again.
    ///
    /// The server's TLS certificate is issued anew, as `issuance renew-server` does: clients of TLS go by the
    /// computer's clock, and it lasts two years.
    ///
    /// # Errors
    /// [`Trouble`]
    pub fn open(dir: &Path, database: Option<&str>, seed: u64) -> Result<(Self, Index), Trouble> {
        let index: Index = serde_json::from_slice(&fs::read(dir.join(INDEX))?)?;
        let keys = KeyStore::open(&dir.join(DATA), None)?;
        renew_server(&keys, &[], ambient::now(), &mut ambient::rng())?;
        Ok((Self::start(dir, database, index.moment, seed)?, index))
    }

    fn start(dir: &Path, database: Option<&str>, moment: OffsetDateTime, seed: u64) -> Result<Self, Trouble> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let clock = Clock::standing(moment);
        let settings = settings(dir, database);
        let starting = issuance::Service::start(&settings, Some(clock.clone()), Randomness::seeded(seed));
        let service = runtime.block_on(starting)?;
        let http = Service::new(&format!("https://{}", service.address()), &dir.join(DATA).join("tls-ca.pem"));
        Ok(Self { dir: dir.to_owned(), clock, http, service, runtime })
    }

    /// Signs an officer in.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn officer(&self, username: &str, password: &str) -> Result<Caller, Trouble> {
        Ok(self.http.officer(username, password)?)
    }

    /// Returns table and key of each row that is not as the service wrote it.
    ///
    /// # Errors
    /// If the rows cannot be read.
    pub fn faults(&self, database: Option<&str>) -> Result<Vec<String>, Trouble> {
        let settings = settings(&self.dir, database);
        let verified = self.runtime.block_on(issuance::server::verify(&settings, |_| ()))?;
        Ok(verified.faults.into_iter().map(|(table, id)| format!("{table} {id}")).collect())
    }

    /// Returns the name of the stage of an application, as the service's own verbs see it; no record tells of it.
    ///
    /// # Errors
    /// If there is no such application, or its row is not understood.
    pub fn stage(&self, application: &str) -> Result<String, Trouble> {
        let (deeds, id) = (self.service.offices().deeds(), application.parse()?);
        let found = self.runtime.block_on(async {
            let mut deed = deeds.open(actor::Service).await?;
            Ok::<_, Trouble>(store::application(&mut deed, id).await?)
        })?;
        Ok(found.ok_or("there is no such application")?.stage.name().to_owned())
    }

    /// Powers the chip with this serial number.
    ///
    /// # Errors
    /// If its state cannot be read.
    pub fn chip(&self, serial: &str) -> Result<InProcess, Trouble> {
        Ok(InProcess::new(Chip::open(Store::directory(self.chip_folder(serial))?, CHIP_SEED)?))
    }

    /// Reads what the chip with this serial number holds, without powering it.
    ///
    /// # Errors
    /// If its state cannot be read.
    pub fn chip_state(&self, serial: &str) -> Result<Persistent, Trouble> {
        Ok(Persistent::from_bytes(&fs::read(self.chip_folder(serial).join("chip.state"))?)?)
    }

    fn chip_folder(&self, serial: &str) -> PathBuf {
        self.dir.join("chips").join(serial)
    }

    /// Returns a file of the service's folder.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn data(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.dir.join(DATA).join(name))
    }

    /// Stops the service; its database is closed.
    pub fn close(self) {
        self.runtime.block_on(self.service.stop());
    }
}

/// Copies a folder, so that its files are only the owner's: Git keeps no such modes, and the service wants them.
///
/// # Errors
/// If a file cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            fs::set_permissions(&target, Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

/// Writes a PostgreSQL database into the folder of a house.
///
/// # Errors
/// If `pg_dump` or `gzip` fails.
pub fn dump(database: &str, dir: &Path) -> Result<(), Trouble> {
    let dumped = succeeded(postgresql("pg_dump")?.args(["--no-owner", "--no-privileges", database]))?;
    // Newer minor versions write two commands that the psql of older ones does not know.
    let text = String::from_utf8(dumped)?;
    let lines = text.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
    let plain = dir.join("database.sql");
    fs::write(&plain, lines.flat_map(|line| [line, "\n"]).collect::<String>())?;
    succeeded(Command::new("gzip").args(["--best", "--no-name"]).arg(&plain)).map(drop)
}

/// Fills an empty PostgreSQL database from the copy of a golden house.
///
/// # Errors
/// If `gzip` or `psql` fails.
pub fn restore(database: &str, dir: &Path) -> Result<(), Trouble> {
    succeeded(Command::new("gzip").arg("--decompress").arg(dir.join("database.sql.gz")))?;
    let mut psql = postgresql("psql")?;
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-f"]).arg(dir.join("database.sql"));
    succeeded(&mut psql).map(drop)
}

/// Runs a program. Returns its standard output.
fn succeeded(command: &mut Command) -> Result<Vec<u8>, Trouble> {
    let said = command.output()?;
    if said.status.success() { Ok(said.stdout) } else { Err(String::from_utf8_lossy(&said.stderr).into()) }
}

/// A program of the newest PostgreSQL of this machine.
fn postgresql(name: &str) -> io::Result<Command> {
    let versions = fs::read_dir("/usr/lib/postgresql")?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let newest = versions.filter(|programs| programs.join(name).exists()).max();
    newest.map(|programs| Command::new(programs.join(name))).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn settings(dir: &Path, database: Option<&str>) -> Settings {
    let mut settings = Settings::new(dir.join(DATA));
    settings.database = database.map(str::to_owned);
    settings.listen = ([127, 0, 0, 1], 0).into();
    settings.tick = Duration::from_millis(20);
    // Of new passwords; a kept hash names its own cost.
    (settings.access.password_memory_kib, settings.access.password_passes) = (64, 1);
    settings.population.extra_provinces = PROVINCE.parse().into_iter().collect();
    settings
}

const CHIP_SEED: u64 = 26;
const DATA: &str = "data";
const INDEX: &str = "house.json";
const TRANSPORT_KEY: &str = "simulator";
