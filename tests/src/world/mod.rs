//! Everything on this machine, each part a process of its own, all on loopback: a private pcscd with virtual readers,
//! the card simulator, the issuance service and a station.

pub mod postgres;
mod programs;

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, Write};
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

pub use hardware_sim::pcscd::Pcscd;
pub(crate) use programs::LISTENS_ON;
pub use programs::{
    Older, Running, card_agent, enrol_certificate, enrol_request, issuance_init, issuance_serve, program,
};
use serde_json::Value;

use crate::ambient;
use crate::roles::{Caller, Refusal, Service};
use crate::wait::until;

/// The office of all officers and of the station.
pub const OFFICE: &str = "003-001";
/// The unassigned province code of all invented people, which the service is told to accept.
pub const PROVINCE: &str = "003";

/// How a world begins.
pub struct Options {
    /// Number of virtual readers, each with a blank in it.
    pub readers: usize,
    /// Certificates with named curves instead of explicit parameters.
    pub named_curves: bool,
    /// `postgres://…` instead of SQLite.
    pub database: Option<String>,
    /// Seed of the simulated chips.
    pub seed: u64,
    /// Programs of another version.
    pub older: Older,
    /// Settings of the service, as its environment says them: `ISSUANCE__LOG__JSON`, `true`.
    pub settings: Vec<(&'static str, &'static str)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 2, named_curves: false, database: None, seed: 2021, older: Older::default(), settings: vec![] }
    }
}

/// The officers, signed in.
pub struct Officers {
    /// Proposes officers and registers stations.
    pub administrator: Caller,
    /// Confirms officers.
    pub second_administrator: Caller,
    /// Takes declarations and establishes numbers.
    pub registrar: Caller,
    /// Takes applications, portraits and features.
    pub capture: Caller,
    /// Decides on applications that other officers captured.
    pub approver: Caller,
    /// Keeps the blanks.
    pub stock: Caller,
    /// Hands cards over.
    pub counter: Caller,
    /// Reads the audit.
    pub auditor: Caller,
}

/// The service with its officers and one station, without readers and chips: for tests whose chips run
/// in the test's own process.
pub struct Offices {
    /// The issuance service's process.
    pub issuance: Running,
    /// The folder of all files.
    pub dir: PathBuf,
    /// The service as HTTP clients see it.
    pub service: Service,
    /// The officers.
    pub officers: Officers,
    /// Identifier of the station.
    pub station_id: String,
    /// The station's program, if it is of another version.
    pub older_agent: Option<PathBuf>,
}

/// The offices, and cards in the virtual readers of a private pcscd. Fields are dropped in this order:
/// clients before what they use.
pub struct World {
    /// Service, officers, station.
    pub offices: Offices,
    /// The simulator's process.
    pub simulator: Running,
    /// The readers.
    pub pcscd: Pcscd,
    /// Serial numbers of the blanks, by slot.
    pub serials: Vec<String>,
}

/// A world has everything that its offices have.
impl Deref for World {
    type Target = Offices;

    fn deref(&self) -> &Offices {
        &self.offices
    }
}

/// Why a world could not begin.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A program of ours failed.
    #[error("{program} failed: {said}")]
    Program {
        /// The program's name, and its subcommand if it has several.
        program: &'static str,
        /// The end of its standard error or of its log.
        said: String,
    },
    /// The service refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Offices {
    /// Begins service, officers and station below `dir`, which must be empty or absent.
    ///
    /// # Errors
    /// [`WorldError`], naming the part that would not start.
    pub fn begin(dir: &Path, options: &Options) -> Result<Self, WorldError> {
        own_folder(dir)?;
        let dir = fs::canonicalize(dir)?;
        let transport = dir.join(TRANSPORT_MASTER);
        secret(&transport, &hex::encode(ambient::bytes::<32>()))?;
        founded(&dir, &transport, options)?;
        let (issuance, address) = serving(&dir, "127.0.0.1:0", options)?;
        let service = seen(&address, &dir, options);
        let officers = officers(&dir, &service)?;
        let older_agent = options.older.card_agent.clone();
        let station_id = station(&dir, &service, &officers.administrator, older_agent.as_ref())?;
        Ok(Self { issuance, dir, service, officers, station_id, older_agent })
    }

    /// Begins the offices again that an earlier process began below `dir` and left there whole, at the same address.
    ///
    /// # Errors
    /// [`WorldError`], naming the part that would not start; `NotFound` if there are none.
    pub fn resume(dir: &Path, options: &Options) -> Result<Self, WorldError> {
        let dir = fs::canonicalize(dir)?;
        let address = fs::read_to_string(dir.join(ADDRESS))?;
        let listen = address.trim().trim_start_matches("https://").to_owned();
        let (issuance, address) = serving(&dir, &listen, options)?;
        let service = seen(&address, &dir, options);
        let officers = Officers::sign_in(&service, |username| fs::read_to_string(password_of(&dir, username)))?;
        let station_id = fs::read_to_string(dir.join(STATION_ID))?;
        let older_agent = options.older.card_agent.clone();
        Ok(Self { issuance, dir, service, officers, station_id, older_agent })
    }

    /// Whether offices were begun below `dir`, and can be begun again.
    pub fn stand_in(dir: &Path) -> bool {
        dir.join(STATION_ID).exists()
    }

    /// The file with the password of this officer.
    pub fn password_of(&self, username: &str) -> PathBuf {
        password_of(&self.dir, username)
    }

    /// The file with the manufacturer's master of transport keys, in hexadecimal.
    pub fn transport_master(&self) -> PathBuf {
        self.dir.join(TRANSPORT_MASTER)
    }

    /// The station's folder: credentials and journal.
    pub fn station(&self) -> PathBuf {
        self.dir.join("station")
    }

    /// The exported national CSCA certificate.
    pub fn csca(&self) -> PathBuf {
        self.dir.join(CSCA)
    }

    /// The exported authority of the service's TLS certificate.
    pub fn tls_authority(&self) -> PathBuf {
        self.dir.join(TLS_AUTHORITY)
    }
}

impl World {
    /// Begins everything below `dir`, which must be empty or absent; the blanks are delivered and
    /// in the station's custody.
    ///
    /// # Errors
    /// [`WorldError`], naming the part that would not start.
    pub fn begin(dir: &Path, options: &Options) -> Result<Self, WorldError> {
        let world = Self::around(Offices::begin(dir, options)?, options)?;
        world.officers.stock.takes_in("2026-01", &world.serials, &world.station_id)?;
        Ok(world)
    }

    /// Begins everything again that an earlier process left below `dir`: the same service, the same chips.
    ///
    /// # Errors
    /// [`WorldError`], naming the part that would not start.
    pub fn resume(dir: &Path, options: &Options) -> Result<Self, WorldError> {
        Self::around(Offices::resume(dir, options)?, options)
    }

    /// Adds readers and chips to the offices, and waits until all chips are seen.
    fn around(offices: Offices, options: &Options) -> Result<Self, WorldError> {
        let readers = offices.dir.join("pcscd");
        fs::create_dir_all(&readers)?;
        let pcscd = Pcscd::start(&readers, options.readers)?;
        let (simulator, serials) = simulator(&offices, &pcscd, options)?;
        let world = Self { offices, simulator, pcscd, serials };
        world.wait_for_cards()?;
        Ok(world)
    }

    /// Waits until all cards are seen: pcscd opens its ports before it names its readers, and
    /// looks for cards every 0.4 s.
    ///
    /// # Errors
    /// If not all are seen within 30 s.
    pub fn wait_for_cards(&self) -> Result<(), WorldError> {
        until(Duration::from_secs(30), "all cards are seen by PC/SC", || {
            Ok(self.readers()?.iter().filter(|(_, card)| *card).count() >= self.serials.len())
        })
        .map_err(|error| WorldError::Program {
            program: "pcscd",
            said: format!("{error}\n{}", tail(&self.pcscd.log())),
        })
    }

    /// `card-agent` with these arguments, speaking to the private pcscd.
    ///
    /// # Errors
    /// If the program cannot be found or built.
    pub fn card_agent<A: AsRef<OsStr>>(&self, arguments: &[A]) -> io::Result<Command> {
        let mut command = Older::run_by(self.older_agent.as_ref(), card_agent(arguments)?);
        command.env("PCSCLITE_CSOCK_NAME", self.pcscd.socket());
        Ok(command)
    }

    /// Runs `card-agent` to its end.
    ///
    /// # Errors
    /// If the program cannot be run.
    pub fn agent(&self, arguments: &[&str]) -> io::Result<Output> {
        self.card_agent(arguments)?.output()
    }

    /// Puts the card of this slot on its reader and waits until PC/SC sees it.
    ///
    /// pcscd never notices a card that was swapped between two of its polls, so it must have
    /// seen the empty reader first.
    ///
    /// # Errors
    /// If the simulator refuses, or PC/SC does not notice within 10 s.
    pub fn insert(&self, slot: usize) -> io::Result<()> {
        self.wait_for_card(slot, false)?;
        until(NOTICED, "pcscd sees the empty reader", || Ok(self.pcscd.saw_removal(slot)))?;
        self.simulator_does(&format!("insert {slot}"))?;
        self.wait_for_card(slot, true)
    }

    /// Pulls the card of this slot from its reader and waits until PC/SC sees that it is gone.
    ///
    /// # Errors
    /// If the simulator refuses, or PC/SC does not notice within 10 s.
    pub fn remove(&self, slot: usize) -> io::Result<()> {
        self.simulator_does(&format!("remove {slot}"))?;
        self.wait_for_card(slot, false)
    }

    /// Lays a new blank into the reader of this slot, in place of the chip there, and has it
    /// delivered. Returns its serial.
    ///
    /// # Errors
    /// If the simulator or the service refuses.
    pub fn lays_in_a_blank(&self, slot: usize) -> Result<String, WorldError> {
        self.remove(slot)?;
        let serial = self.simulator_does(&format!("blank {slot}"))?.concat();
        self.officers.stock.takes_in(&format!("2026-{serial}"), std::slice::from_ref(&serial), &self.station_id)?;
        self.insert(slot)?;
        Ok(serial)
    }

    /// Plans faults for the card of this slot, in the simulator's words: `slow:12:4000`, `removed:11`, `none`.
    ///
    /// # Errors
    /// If the simulator refuses.
    pub fn plans_fault(&self, slot: usize, plan: &str) -> io::Result<()> {
        self.simulator_does(&format!("fault {slot} {plan}")).map(drop)
    }

    /// Returns how many commands the chip of this slot has heard since it was made.
    ///
    /// # Errors
    /// If the simulator does not tell.
    pub fn commands_heard(&self, slot: usize) -> io::Result<u64> {
        let said = self.simulator_does("status")?;
        let line = said.get(slot).and_then(|line| line.rsplit_once("commands=")?.1.parse().ok());
        line.ok_or_else(|| io::Error::other(format!("no count of slot {slot} in {said:?}")))
    }

    /// Tells the simulator a line, and returns the lines of its answer before `ok`.
    fn simulator_does(&self, order: &str) -> io::Result<Vec<String>> {
        let mut control = UnixStream::connect(self.dir.join(CONTROL))?;
        writeln!(control, "{order}")?;
        let mut answer = Vec::new();
        for line in BufReader::new(control).lines() {
            match line?.trim() {
                "ok" => return Ok(answer),
                line => answer.push(line.to_owned()),
            }
        }
        Err(io::Error::other(format!("the simulator refused {order:?}: {}", answer.join("; "))))
    }

    fn wait_for_card(&self, slot: usize, wanted: bool) -> io::Result<()> {
        let reader = self.pcscd.reader(slot);
        let what = format!("PC/SC sees {} in {reader}", if wanted { "the card" } else { "no card" });
        until(NOTICED, &what, || Ok(self.readers()?.iter().all(|(name, card)| *name != reader || *card == wanted)))
            .map_err(|error| io::Error::new(error.kind(), format!("{error}\n{}", tail(&self.pcscd.log()))))
    }

    /// Names of the readers and whether a card is in them, as `card-agent readers` tells.
    fn readers(&self) -> io::Result<Vec<(String, bool)>> {
        let said = String::from_utf8_lossy(&self.agent(&["readers"])?.stdout).into_owned();
        Ok(said
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(name, card)| (name.to_owned(), card != "empty"))
            .collect())
    }
}

/// A folder for one test, gone with it.
///
/// # Panics
/// If the system has no temporary folder.
pub fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("citizen-card-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .expect("a temporary folder can be made")
}

fn simulator(offices: &Offices, pcscd: &Pcscd, options: &Options) -> Result<(Running, Vec<String>), WorldError> {
    let log = offices.dir.join("simulator.log");
    let child = Command::new(program("hardware-sim")?)
        .args(["--readers", &options.readers.to_string(), "--seed", &options.seed.to_string(), "--insert", "all"])
        .arg("--vpcd")
        .arg(format!("127.0.0.1:{}", pcscd.base_port()))
        .arg("--state")
        .arg(offices.dir.join("chips"))
        .arg("--control")
        .arg(offices.dir.join(CONTROL))
        .arg("--transport-master")
        .arg(offices.transport_master())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&log)?)
        .spawn()?;
    let mut running = Running(child);
    let ready =
        running.announcements("ready", options.readers).map_err(|error| failed("hardware-sim", &error, &log))?;
    let serial = |line: &String| line.split_whitespace().last().unwrap_or_default().to_owned();
    Ok((running, ready.iter().map(serial).collect()))
}

/// Founds the service.
fn founded(dir: &Path, transport: &Path, options: &Options) -> Result<(), WorldError> {
    let mut init = Older::run_by(options.older.issuance.as_ref(), issuance_init(&dir.join("issuance"))?);
    init.arg("--transport-key").arg(format!("simulator={}", transport.display()));
    if options.named_curves {
        init.arg("--named-curves");
    }
    succeeds("issuance init", &mut init)
}

/// Starts the service on this port, or one that it takes itself. Returns its process and address.
fn serving(dir: &Path, listen: &str, options: &Options) -> Result<(Running, String), WorldError> {
    let serve = issuance_serve(&dir.join("issuance"), listen)?;
    let mut serve = Older::run_by(options.older.issuance.as_ref(), serve);
    serve.args(["--extra-province", PROVINCE]).envs(options.settings.iter().copied());
    if let Some(database) = &options.database {
        serve.arg("--database").arg(database);
    }
    let log = dir.join("issuance.log");
    let end = File::options().create(true).append(true).open(&log)?;
    let mut running = Running(serve.stdout(Stdio::piped()).stderr(end).spawn()?);
    let said = running.announcements(LISTENS_ON, 1).map_err(|error| failed("issuance serve", &error, &log))?.concat();
    let address = said.trim_start_matches(LISTENS_ON).trim().to_owned();
    fs::write(dir.join(ADDRESS), &address)?;
    Ok((running, address))
}

/// The service as officers see it.
fn seen(address: &str, dir: &Path, options: &Options) -> Service {
    let service = Service::new(address, &dir.join(TLS_AUTHORITY));
    if options.older.issuance.is_some() { service.without_versions() } else { service }
}

fn officers(dir: &Path, service: &Service) -> Result<Officers, WorldError> {
    let chosen = |username: &str| -> io::Result<String> {
        let password = hex::encode(ambient::bytes::<12>());
        secret(&password_of(dir, username), &password)?;
        Ok(password)
    };
    let password = fs::read_to_string(dir.join("issuance/admin-password"))?;
    let administrator = service.officer("admin", password.trim())?;
    // Invented by `init`: nothing else is done before it is changed.
    let own = chosen("admin")?;
    administrator.changes_password(password.trim(), &own)?;
    let second = administrator.proposes_officer("admin-2", &["admin"], "national")?;
    let own = chosen("admin-2")?;
    service.anyone().sets_first_password(second["token"].as_str().unwrap_or_default(), &own)?;
    let second_administrator = service.officer("admin-2", &own)?;
    for (username, roles) in APPOINTED {
        administrator.appoints(&second_administrator, username, &chosen(username)?, roles, OFFICE)?;
    }
    Officers::sign_in(service, |username| fs::read_to_string(password_of(dir, username)))
}

impl Officers {
    fn sign_in(service: &Service, password: impl Fn(&str) -> io::Result<String>) -> Result<Self, WorldError> {
        let signed_in = |username: &str| -> Result<Caller, WorldError> {
            Ok(service.officer(username, password(username)?.trim())?)
        };
        Ok(Self {
            administrator: signed_in("admin")?,
            second_administrator: signed_in("admin-2")?,
            registrar: signed_in("registrar")?,
            capture: signed_in("capture")?,
            approver: signed_in("approver")?,
            stock: signed_in("stock")?,
            counter: signed_in("counter")?,
            auditor: signed_in("auditor")?,
        })
    }
}

/// The officers whom the administrators appoint, with their roles. The registrar may approve, but not for a person whom
/// the same officer declared.
pub const APPOINTED: [(&str, &[&str]); 6] = [
    ("registrar", &["registrar", "approver"]),
    ("capture", &["capture"]),
    ("approver", &["approver"]),
    ("stock", &["stock"]),
    ("counter", &["hand-over"]),
    ("auditor", &["auditor"]),
];

fn password_of(dir: &Path, username: &str) -> PathBuf {
    dir.join(format!("password-of-{username}"))
}

/// Writes a file that only this account may read.
fn secret(path: &Path, text: &str) -> io::Result<()> {
    card_agent::private::write(path, text.as_bytes()).map_err(|failure| io::Error::other(failure.detail))
}

/// Makes a folder that only this account may open.
fn own_folder(path: &Path) -> io::Result<()> {
    card_agent::private::create_folder(path).map_err(|failure| io::Error::other(failure.detail))
}

/// Enrols the station `counter-1`. Returns its identifier.
fn station(
    dir: &Path,
    service: &Service,
    administrator: &Caller,
    older: Option<&PathBuf>,
) -> Result<String, WorldError> {
    let station = dir.join("station");
    let request = enrol_request(&station, "counter-1", &service.address, &dir.join(TLS_AUTHORITY))?;
    let mut request = Older::run_by(older, request);
    succeeds("card-agent enrol", request.arg("--anchor").arg(dir.join(CSCA)))?;
    let request = fs::read_to_string(station.join("csr.pem"))?;
    let registered: Value = administrator.registers_station("counter-1", OFFICE, &request)?;
    let certificate = dir.join("station-certificate.pem");
    fs::write(&certificate, registered["certificate_pem"].as_str().unwrap_or_default())?;
    succeeds("card-agent enrol", &mut Older::run_by(older, enrol_certificate(&station, &certificate)?))?;
    let id = registered["id"].as_str().unwrap_or_default().to_owned();
    fs::write(dir.join(STATION_ID), &id)?;
    Ok(id)
}

fn succeeds(program: &'static str, command: &mut Command) -> Result<(), WorldError> {
    let said = command.output()?;
    if said.status.success() {
        return Ok(());
    }
    Err(WorldError::Program { program, said: String::from_utf8_lossy(&said.stderr).into_owned() })
}

fn failed(program: &'static str, error: &io::Error, log: &Path) -> WorldError {
    let said = fs::read_to_string(log).unwrap_or_default();
    WorldError::Program { program, said: format!("{error}\n{}", tail(&said)) }
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().rev().take(12).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// Files in the folder of the offices.
const CONTROL: &str = "simulator.sock";
const CSCA: &str = "issuance/csca.der";
const TLS_AUTHORITY: &str = "issuance/tls-ca.pem";
/// Where the service listened last, and the station's identifier: for a world that is begun again.
const ADDRESS: &str = "address";
const STATION_ID: &str = "station-id";
/// The master of transport keys, which the manufacturer delivers with the blanks.
const TRANSPORT_MASTER: &str = "transport-master.hex";

/// How long PC/SC may take to notice a card; its poll takes 0.4 s.
const NOTICED: Duration = Duration::from_secs(10);
