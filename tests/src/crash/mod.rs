//! Crashes under work: stations issue cards at the same time over HTTPS, the service is killed again and again at
//! seeded moments, and what holds in every house is asked of the database in the end ([`invariants`]).
//!
//! A crash is SIGKILL after a random time, or the abort of the service itself at a named point
//! ([`issuance::ground::failpoint`]). Officers and stations go on by the rule of the interface alone: a request
//! without an answer is sent again under the same idempotency key.

pub mod invariants;
mod work;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{io, thread};

use issuance::ground::failpoint;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng};

use self::invariants::House;
use self::work::Floor;
pub use self::work::{Enrolled, blank};
use crate::golden::Trouble;
use crate::world::{self, LISTENS_ON, Offices, PROVINCE, Running};

/// How a run goes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides the moments of the crashes and which chips are given up.
    pub seed: u64,
    /// How often the service is killed.
    pub kills: u32,
    /// The number of citizens at least; the work goes on as long as there are kills to come.
    pub citizens: u32,
    /// The number of stations that work at the same time.
    pub stations: u32,
    /// `postgres://…` instead of SQLite.
    pub database: Option<String>,
}

/// What happened in a run.
#[derive(Debug)]
pub struct Report {
    /// The number of kills, by how.
    pub kills: BTreeMap<&'static str, u32>,
    /// The number of citizens who have their card.
    pub citizens: u32,
    /// The number of chips that were given up in the middle of their order.
    pub given_up: u32,
    /// The number of requests that had to be sent again.
    pub repeated: u32,
    /// Everything that does not hold.
    pub broken: Vec<String>,
}

/// Where the service is killed next.
#[derive(Clone, Copy, Debug)]
enum Crash {
    /// SIGKILL this long after it is ready.
    After(Duration),
    /// Its own abort when it passes this point for the n-th time.
    At(&'static str, u32),
}

impl Crash {
    /// The next crash; one at a random moment comes within this time.
    fn drawn(rng: &mut ChaCha20Rng, within: u64) -> Self {
        match rng.random_range(0..6) {
            0 => Self::At(failpoint::DOCUMENT_SIGNED, rng.random_range(1..=2)),
            1 => Self::At(failpoint::WRITE_COMMITTED, rng.random_range(1..=6)),
            2 => Self::At(failpoint::FILE_RENAMED, 1),
            _ => Self::After(Duration::from_millis(rng.random_range(10..within))),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::After(_) => "at a random moment",
            Self::At(name, _) => name,
        }
    }
}

/// Issues cards below `dir` while the service is killed, until all kills are done and all citizens have their cards.
///
/// # Errors
/// If the house does not begin, or does not come back after a crash.
pub fn run(dir: &Path, options: &Options) -> Result<Report, Trouble> {
    let settings = world::Options { database: options.database.clone(), ..world::Options::default() };
    let Offices { issuance, dir, service, officers, .. } = Offices::begin(dir, &settings)?;
    let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
    let floor = Floor::open(&dir, options, &service.address, officers)?;
    let mut house = Served { dir: &dir, database: options.database.as_deref(), running: issuance };
    let kills = thread::scope(|scope| {
        for station in floor.stations() {
            scope.spawn(|| floor.works(station));
        }
        let kills = kill_again_and_again(&mut house, &floor, options.kills, &mut rng);
        floor.no_more_kills();
        kills
    })?;
    house.running.stop();
    let data = dir.join("issuance");
    let asked = House { data: &data, database: options.database.as_deref() };
    let done = floor.done();
    let mut broken = floor.troubles();
    broken.extend(asked.broken(&floor.life_cycles())?);
    broken.extend(asked.unfinished()?.into_iter().map(|what| format!("broken: application {what}")));
    let effects = asked.effects()?;
    if effects != done {
        broken.push(format!("broken: one effect for each key: {effects:?}, and the callers did {done:?}"));
    }
    let citizens = u32::try_from(done.handed_over)?;
    Ok(Report { kills, citizens, given_up: floor.given_up(), repeated: floor.repeated(), broken })
}

/// The service that is killed.
struct Served<'a> {
    dir: &'a Path,
    database: Option<&'a str>,
    running: Running,
}

fn kill_again_and_again(
    house: &mut Served<'_>,
    floor: &Floor,
    kills: u32,
    rng: &mut ChaCha20Rng,
) -> Result<BTreeMap<&'static str, u32>, Trouble> {
    let mut done = BTreeMap::new();
    let (mut within, mut answered) = (WITHIN, 0);
    let mut crash = Crash::After(Duration::from_millis(rng.random_range(10..within)));
    for _ in 0..kills {
        let died = house.dies(crash, floor)?;
        *done.entry(died).or_default() += 1;
        if floor.is_stuck() {
            break;
        }
        // On a busy machine a capture takes longer than the time between two kills: then the next one takes its time.
        let now = floor.answered();
        within = if now < answered + 3 { (within * 2).min(20_000) } else { WITHIN };
        answered = now;
        crash = Crash::drawn(rng, within);
        house.comes_back(crash, floor)?;
    }
    house.running.kill();
    house.comes_back(Crash::After(Duration::MAX), floor)?;
    Ok(done)
}

impl Served<'_> {
    /// Waits for the crash, or brings it about. Returns how the service died.
    fn dies(&mut self, crash: Crash, floor: &Floor) -> Result<&'static str, Trouble> {
        let (patience, word) = match crash {
            Crash::After(time) => (time, None),
            Crash::At(name, _) => (PATIENCE, Some(name)),
        };
        let end = Instant::now() + patience;
        while Instant::now() < end && !floor.is_stuck() {
            if let Some(status) = self.running.0.try_wait()? {
                return word.ok_or_else(|| format!("the service ended by itself: {status}").into());
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.running.kill();
        Ok(Crash::After(patience).word())
    }

    /// Starts the service on the same folder, and on the same address if that is still free: an installed service has
    /// one address. The stations learn it.
    fn comes_back(&mut self, crash: Crash, floor: &Floor) -> Result<(), Trouble> {
        let known = floor.address();
        let same = known.trim_start_matches("https://").parse::<SocketAddr>()?.to_string();
        // A point may lie on the way to readiness, and another program may have taken the port.
        let calm = Crash::After(Duration::MAX);
        let address = self.starts(&same, crash).or_else(|_| self.starts(&same, calm));
        let address = address.or_else(|_| self.starts("127.0.0.1:0", calm))?;
        floor.moved_to(&address);
        Ok(())
    }

    fn starts(&mut self, listen: &str, crash: Crash) -> io::Result<String> {
        let log = File::options().append(true).create(true).open(self.dir.join("issuance.log"))?;
        let mut serve = world::issuance_serve(&self.dir.join("issuance"), listen)?;
        serve.args(["--extra-province", PROVINCE]);
        if let Some(database) = self.database {
            serve.arg("--database").arg(database);
        }
        if let Crash::At(name, turn) = crash {
            serve.env("ISSUANCE_FAILPOINT", format!("{name}:{turn}"));
        }
        self.running = Running(serve.stdout(Stdio::piped()).stderr(log).spawn()?);
        let said = self.running.announcements(LISTENS_ON, 1)?.concat();
        Ok(said.trim_start_matches(LISTENS_ON).trim().to_owned())
    }
}

/// Returns the end of the service's log, for the message of a failure.
pub fn log_of(dir: &Path) -> String {
    let log = fs::read_to_string(dir.join("issuance.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().rev().take(30).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// A crash at a random moment comes within so many milliseconds, if the work goes on between two crashes.
const WITHIN: u64 = 900;
/// How long a named point is waited for before the service is killed anyway.
const PATIENCE: Duration = Duration::from_secs(5);
