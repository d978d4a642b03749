//! The whole road on this machine: a private pcscd with virtual readers, the card simulator, the issuance service and a station, each a
//! process of its own, all on loopback.

mod pcscd;
mod postgres;
mod programs;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub use pcscd::Pcscd;
pub use postgres::Postgres;
pub use programs::{Running, program};
use serde_json::Value;

use crate::roles::{Caller, Refusal, Service};

/// The office where everybody works.
pub const OFFICE: &str = "003-001";
/// Beside the service's folder: what the manufacturer gave us with the blanks.
const TRANSPORT_MASTER: &str = "transport-master.hex";

/// How a world begins.
pub struct Options {
    /// Virtual readers, and blanks in them.
    pub readers: usize,
    /// Certificates with named curves instead of explicit parameters.
    pub named_curves: bool,
    /// `postgres://…` instead of SQLite.
    pub database: Option<String>,
    /// Seed of the simulated chips.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 2, named_curves: false, database: None, seed: 2021 }
    }
}

/// The officers, signed in.
pub struct Officers {
    /// Appoints officers and registers stations.
    pub administrator: Caller,
    /// Takes declarations and establishes numbers.
    pub registrar: Caller,
    /// Takes applications, portraits and features.
    pub capture: Caller,
    /// Decides; never on what they captured.
    pub approver: Caller,
    /// Keeps the blanks.
    pub stock: Caller,
    /// Hands cards over.
    pub counter: Caller,
    /// Reads the audit.
    pub auditor: Caller,
}

/// The service with its people and one station, without a card in sight. What tests with chips in process need.
pub struct Offices {
    /// The issuance service's process.
    pub issuance: Running,
    /// Where all this lives.
    pub dir: PathBuf,
    /// The service as HTTP clients see it.
    pub service: Service,
    /// The officers.
    pub officers: Officers,
    /// Identifier of the station.
    pub station_id: String,
}

/// Everything running: the offices, and cards in the virtual readers of a private pcscd. Dropped clients first.
pub struct World {
    /// Service, people, station.
    pub offices: Offices,
    /// The simulator's process.
    pub simulator: Running,
    /// The readers.
    pub pcscd: Pcscd,
    /// Serials of the blanks, by slot.
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
    /// The system's word.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A program of ours failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// The service's word.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Offices {
    /// Begins service, people and station below `dir`, which must be empty or absent.
    ///
    /// # Errors
    /// [`WorldError`], naming the part that would not start.
    pub fn begin(dir: &Path, options: &Options) -> Result<Self, WorldError> {
        fs::create_dir_all(dir)?;
        let dir = fs::canonicalize(dir)?;
        let transport = dir.join(TRANSPORT_MASTER);
        fs::write(&transport, hex::encode(rand::random::<[u8; 32]>()))?;
        let (issuance, address) = issuance(&dir, &transport, options)?;
        let service = Service::new(&address, &dir.join("issuance/tls-ca.pem"));
        let officers = officers(&dir, &service)?;
        let station_id = station(&dir, &service, &officers.administrator)?;
        Ok(Self { issuance, dir, service, officers, station_id })
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
        self.dir.join("issuance/csca.der")
    }
}

impl World {
    /// Begins everything below `dir`, which must be empty or absent; the blanks are delivered and in the station's custody.
    ///
    /// # Errors
    /// [`WorldError`], naming the part that would not start.
    pub fn begin(dir: &Path, options: &Options) -> Result<Self, WorldError> {
        let offices = Offices::begin(dir, options)?;
        let readers = offices.dir.join("pcscd");
        fs::create_dir_all(&readers)?;
        let pcscd = Pcscd::start(&readers, options.readers)?;
        let (simulator, serials) = simulator(&offices, &pcscd, options)?;
        offices.officers.stock.takes_in("2026-01", &serials, &offices.station_id)?;
        let world = Self { offices, simulator, pcscd, serials };
        world.wait_for_cards()?;
        Ok(world)
    }

    /// pcscd opens its ports before it names its readers, and polls for cards every 0.4 s.
    fn wait_for_cards(&self) -> Result<(), WorldError> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let present = self.readers()?.iter().filter(|(_, card)| *card).count();
            if present >= self.serials.len() {
                return Ok(());
            }
            if Instant::now() > until {
                let said = format!("only {present} cards seen: {}", tail(&self.dir.join("pcscd/pcscd.log")));
                return Err(WorldError::Program { program: "pcscd", said });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// `card-agent` with these arguments, speaking to the private pcscd.
    ///
    /// # Errors
    /// If the program cannot be found or built.
    pub fn card_agent(&self, arguments: &[&str]) -> io::Result<Command> {
        let mut command = Command::new(program("card-agent")?);
        command.args(arguments).env("PCSCLITE_CSOCK_NAME", self.pcscd.socket());
        Ok(command)
    }

    /// Runs `card-agent` to its end.
    ///
    /// # Errors
    /// If the program cannot be run.
    pub fn agent(&self, arguments: &[&str]) -> io::Result<Output> {
        self.card_agent(arguments)?.stdin(Stdio::null()).output()
    }

    /// Tells the simulator `insert 0`, `remove 0`, `reset 0`, `fault 0 PLAN`, and waits until PC/SC has seen a card come or go.
    ///
    /// # Errors
    /// If the simulator does not obey, or PC/SC does not notice within 10 s.
    pub fn simulator_does(&self, order: &str) -> io::Result<()> {
        if let Some(("insert", slot)) = order.split_once(' ') {
            // pcscd polls every 0.4 s and never notices a card that was swapped in between; no hand is that quick. Its reader list
            // says `empty` earlier, when a client could not reset the card.
            self.wait_for_card(slot, false)?;
            std::thread::sleep(Duration::from_millis(1000));
        }
        let mut control = UnixStream::connect(self.dir.join("simulator.sock"))?;
        writeln!(control, "{order}")?;
        let mut answer = String::new();
        BufReader::new(control).read_line(&mut answer)?;
        if answer.trim() != "ok" {
            return Err(io::Error::other(format!("{order}: {}", answer.trim())));
        }
        match order.split_once(' ') {
            Some(("insert", slot)) => self.wait_for_card(slot, true),
            Some(("remove", slot)) => self.wait_for_card(slot, false),
            _ => Ok(()),
        }
    }

    fn wait_for_card(&self, slot: &str, wanted: bool) -> io::Result<()> {
        let reader = self.pcscd.reader(slot.parse().map_err(|_| io::Error::other("a slot is a number"))?);
        let until = Instant::now() + Duration::from_secs(10);
        while self.readers()?.iter().any(|(name, card)| *name == reader && *card != wanted) {
            if Instant::now() > until {
                return Err(io::Error::other(format!(
                    "PC/SC did not notice that a card in {reader} should be there: {wanted}\n{}",
                    tail(&self.dir.join("pcscd/pcscd.log"))
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
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
    tempfile::Builder::new().prefix("citizen-card-").tempdir().expect("a temporary folder can be made")
}

fn simulator(offices: &Offices, pcscd: &Pcscd, options: &Options) -> Result<(Running, Vec<String>), WorldError> {
    let dir = &offices.dir;
    let state = dir.join("chips");
    let control = dir.join("simulator.sock");
    let child = Command::new(program("hardware-sim")?)
        .args(["--readers", &options.readers.to_string(), "--seed", &options.seed.to_string(), "--insert", "all"])
        .arg("--vpcd")
        .arg(format!("127.0.0.1:{}", pcscd.base_port()))
        .arg("--state")
        .arg(&state)
        .arg("--control")
        .arg(&control)
        .arg("--transport-master")
        .arg(offices.transport_master())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(dir.join("simulator.log"))?)
        .spawn()?;
    let mut running = Running(child);
    let serials = lines_until(&mut running.0, "ready", options.readers, "hardware-sim", &dir.join("simulator.log"))?
        .iter()
        .map(|line| line.split_whitespace().last().unwrap_or_default().to_owned())
        .collect();
    Ok((running, serials))
}

fn issuance(dir: &Path, transport: &Path, options: &Options) -> Result<(Running, String), WorldError> {
    let data = dir.join("issuance");
    let binary = program("issuance")?;
    let mut init = Command::new(&binary);
    init.arg("init").arg("--data").arg(&data).arg("--transport-key").arg(format!("simulator={}", transport.display()));
    if options.named_curves {
        init.arg("--named-curves");
    }
    let said = init.output()?;
    if !said.status.success() {
        return Err(WorldError::Program {
            program: "issuance init",
            said: String::from_utf8_lossy(&said.stderr).into_owned(),
        });
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut serve = Command::new(&binary);
    serve
        .arg("serve")
        .arg("--data")
        .arg(&data)
        .arg("--listen")
        .arg(format!("127.0.0.1:{port}"))
        .args(["--extra-province", "003"]);
    if let Some(database) = &options.database {
        serve.arg("--database").arg(database);
    }
    let log = File::create(dir.join("issuance.log"))?;
    let running = Running(serve.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?);
    let address = format!("https://127.0.0.1:{port}");
    let service = Service::new(&address, &data.join("tls-ca.pem"));
    let until = Instant::now() + Duration::from_secs(30);
    while service.anyone().get("/health").is_err() {
        if Instant::now() > until {
            return Err(WorldError::Program { program: "issuance serve", said: tail(&dir.join("issuance.log")) });
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((running, address))
}

fn officers(dir: &Path, service: &Service) -> Result<Officers, WorldError> {
    let password = fs::read_to_string(dir.join("issuance/admin-password"))?;
    let administrator = service.officer("admin", password.trim())?;
    let appointed = |username: &str, roles: &[&str]| -> Result<Caller, WorldError> {
        let password = hex::encode(rand::random::<[u8; 12]>());
        administrator.appoints(username, &password, roles, OFFICE)?;
        fs::write(dir.join(format!("password-of-{username}")), &password)?;
        Ok(service.officer(username, &password)?)
    };
    Ok(Officers {
        registrar: appointed("registrar", &["registrar"])?,
        // May approve, but not what went through these hands.
        capture: appointed("capture", &["capture", "approver"])?,
        approver: appointed("approver", &["approver"])?,
        stock: appointed("stock", &["stock"])?,
        counter: appointed("counter", &["hand-over"])?,
        auditor: appointed("auditor", &["auditor"])?,
        administrator,
    })
}

fn station(dir: &Path, service: &Service, administrator: &Caller) -> Result<String, WorldError> {
    let station = dir.join("station");
    let folder = station.to_string_lossy().into_owned();
    let enrol = |arguments: &[&str]| -> Result<(), WorldError> {
        let said = Command::new(program("card-agent")?).arg("enrol").args(arguments).output()?;
        if said.status.success() {
            Ok(())
        } else {
            Err(WorldError::Program {
                program: "card-agent enrol",
                said: String::from_utf8_lossy(&said.stderr).into_owned(),
            })
        }
    };
    let authority = dir.join("issuance/tls-ca.pem").to_string_lossy().into_owned();
    let anchor = dir.join("issuance/csca.der").to_string_lossy().into_owned();
    let told = ["--service", &service.address, "--service-ca", &authority, "--anchor", &anchor];
    enrol(&[&["--station", &folder, "--name", "counter-1"][..], &told].concat())?;
    let request = fs::read_to_string(station.join("csr.pem"))?;
    let registered: Value = administrator.registers_station("counter-1", OFFICE, &request)?;
    let certificate = dir.join("station-certificate.pem");
    fs::write(&certificate, registered["certificate_pem"].as_str().unwrap_or_default())?;
    enrol(&["--station", &folder, "--certificate", &certificate.to_string_lossy()])?;
    Ok(registered["id"].as_str().unwrap_or_default().to_owned())
}

/// Lines of the child's standard output that contain `wanted`, until there are `count`.
fn lines_until(
    child: &mut Child,
    wanted: &str,
    count: usize,
    program: &'static str,
    log: &Path,
) -> Result<Vec<String>, WorldError> {
    let out = child.stdout.take().ok_or_else(|| io::Error::other("standard output was not piped"))?;
    let mut lines = BufReader::new(out).lines();
    let mut found = Vec::new();
    while found.len() < count {
        match lines.next() {
            Some(line) => found.extend(Some(line?).filter(|l| l.contains(wanted))),
            None => return Err(WorldError::Program { program, said: tail(log) }),
        }
    }
    // Whoever writes to a closed pipe dies of it: keep reading.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(found)
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(12).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
