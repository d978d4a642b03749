//! A factory: real offices, a tray of blanks under the hands of `hardware-sim trays`, and one
//! station with many readers.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::citizen::Citizen;
use crate::road::{self, Blocked, Issued};
use crate::wait::until;
use crate::world::{self, Offices, Running, WorldError, card_agent, program};

/// What is laid on the readers.
pub struct Tray<'a> {
    /// Number of readers, each with a chip in it at the beginning.
    pub readers: usize,
    /// Number of blanks in the tray, all delivered and in the station's custody.
    pub blanks: usize,
    /// Seed of the blanks and of what is wrong with them.
    pub seed: u64,
    /// More arguments of `hardware-sim trays`: `--slow`, `2`, …
    pub more: &'a [&'a str],
}

/// Offices, readers and the hands of the operator. Fields are dropped in this order.
pub struct Factory {
    /// The feeder and its pcscd.
    pub feeder: Running,
    /// Service, officers, station.
    pub offices: Offices,
    /// Serial numbers of the blanks, in the order in which they are laid in.
    pub serials: Vec<String>,
    said: Arc<Mutex<Vec<String>>>,
    tray: Vec<String>,
    socket: PathBuf,
}

impl Factory {
    /// Begins the offices below `dir`, which must be empty or absent, and lays the first blanks in.
    ///
    /// # Errors
    /// [`WorldError`], naming the part that would not start.
    pub fn begin(dir: &Path, options: &world::Options, tray: &Tray<'_>) -> Result<Self, WorldError> {
        let offices = Offices::begin(dir, options)?;
        let (readers, blanks) = (tray.readers.to_string(), tray.blanks.to_string());
        let (pcscd, master) = (offices.dir.join("pcscd"), offices.transport_master());
        let (pcscd, master) = (pcscd.to_string_lossy(), master.to_string_lossy());
        let seed = tray.seed.to_string();
        let mut arguments = vec!["trays", "--readers", &readers, "--blanks", &blanks, "--seed", &seed];
        arguments.extend(["--pcscd", &pcscd, "--transport-master", &master]);
        arguments.extend(tray.more);
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let told = Command::new(program("hardware-sim")?).args(&arguments).arg("--serials").output()?;
        let serials: Vec<String> = String::from_utf8_lossy(&told.stdout).lines().map(str::to_owned).collect();
        for (number, box_of) in serials.chunks(500).enumerate() {
            offices.officers.stock.takes_in(&format!("tray-{number}"), box_of, &offices.station_id)?;
        }
        let (feeder, said) = feeds(&offices, &arguments)?;
        let socket = offices.dir.join("pcscd/pcscd.comm");
        let mut begun = Self { feeder, offices, serials, said, tray: arguments, socket };
        begun.is_ready(tray.readers)?;
        Ok(begun)
    }

    fn is_ready(&mut self, readers: usize) -> io::Result<()> {
        until(Duration::from_mins(1), "the feeder lays the first blanks in", || {
            Ok(self.said().iter().filter(|line| line.starts_with("in ")).count() >= readers)
        })
    }

    /// Ends the feeder with its pcscd, and begins it again: the readers were unplugged. Chips go on only if they are
    /// stored.
    ///
    /// # Errors
    /// [`WorldError`], naming the part that would not start.
    pub fn begins_again(&mut self) -> Result<(), WorldError> {
        self.feeder.stop();
        (self.feeder, self.said) = feeds(&self.offices, &self.tray)?;
        Ok(())
    }

    /// Declares and numbers so many citizens, and has their applications approved.
    ///
    /// # Errors
    /// [`Blocked`].
    pub fn approved(&self, citizens: u32) -> Result<Vec<Issued>, Blocked> {
        (0..citizens).map(|number| road::approved(&self.offices, &Citizen::invented(number))).collect()
    }

    /// `card-agent` at the station with these arguments, its standard output and error piped.
    ///
    /// # Errors
    /// If the program cannot be found or built.
    pub fn agent(&self, arguments: &[&str]) -> io::Result<Command> {
        let mut command = card_agent(arguments)?;
        command.arg("--station").arg(self.offices.station()).env("PCSCLITE_CSOCK_NAME", &self.socket);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// The socket of the factory's pcscd.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns what the feeder said so far: `in READER SERIAL`, `out READER SERIAL WHAT`, `empty`.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the feeder has said a line so many times.
    ///
    /// # Errors
    /// `TimedOut` after five minutes, with what it said.
    pub fn hears(&self, what: &str, times: usize) -> io::Result<()> {
        let heard = until(Duration::from_mins(5), what, || {
            Ok(self.said().iter().filter(|line| line.contains(what)).count() >= times)
        });
        heard.map_err(|error| io::Error::new(error.kind(), format!("{error}: {}", self.said().join("; "))))
    }
}

fn feeds(offices: &Offices, arguments: &[String]) -> io::Result<(Running, Arc<Mutex<Vec<String>>>)> {
    let log = File::options().create(true).append(true).open(offices.dir.join("feeder.log"))?;
    let mut command = Command::new(program("hardware-sim")?);
    let mut child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
    let out = child.stdout.take().ok_or_else(|| io::Error::other("standard output was not piped"))?;
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let tell = said.clone();
    thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            tell.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    Ok((Running(child), said))
}

/// A program of a factory that runs, with the lines of its standard output so far.
pub struct Heard {
    /// The program.
    pub running: Running,
    lines: Arc<Mutex<Vec<Value>>>,
    errors: Arc<Mutex<String>>,
}

impl Heard {
    /// Starts a program with `--json`, and reads along.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn begin(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (lines, errors): (Arc<Mutex<Vec<Value>>>, Arc<Mutex<String>>) = (Arc::default(), Arc::default());
        if let Some(out) = child.stdout.take() {
            let lines = lines.clone();
            thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(value);
                }
            });
        }
        if let Some(err) = child.stderr.take() {
            let errors = errors.clone();
            thread::spawn(move || {
                for line in BufReader::new(err).lines().map_while(Result::ok) {
                    let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
                    errors.push_str(&line);
                    errors.push('\n');
                }
            });
        }
        Ok(Self { running: Running(child), lines, errors })
    }

    /// Returns the results so far.
    pub fn results(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| line["result"].clone()).filter(|result| !result.is_null()).collect()
    }

    /// Returns the results so far that have this outcome, each with its moment.
    pub fn told(&self, outcome: &str) -> Vec<(OffsetDateTime, Value)> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let of = lines.iter().filter(|line| line["result"]["outcome"] == outcome);
        let each = of.filter_map(|line| {
            let at = OffsetDateTime::parse(line["at"].as_str()?, &Rfc3339).ok()?;
            Some((at, line["result"].clone()))
        });
        each.collect()
    }

    /// Returns the number of results with this state.
    pub fn count(&self, state: &str) -> usize {
        self.results().iter().filter(|result| result["state"] == state).count()
    }

    /// Returns what it said on standard error so far.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many results have this state.
    ///
    /// # Errors
    /// `TimedOut` after five minutes, with what was said.
    pub fn hears(&self, state: &str, times: usize) -> io::Result<()> {
        let heard = until(Duration::from_mins(5), state, || Ok(self.count(state) >= times));
        heard.map_err(|error| io::Error::new(error.kind(), format!("{error}: {:?}\n{}", self.results(), self.errors())))
    }

    /// Sends a signal by its name.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        Command::new("kill").args(["-s", name, &self.running.0.id().to_string()]).status().map(drop)
    }

    /// Waits for the end. Returns the exit status and the summary.
    ///
    /// # Errors
    /// `TimedOut` after five minutes.
    pub fn ends(&mut self) -> io::Result<(Option<i32>, Value)> {
        let mut code = None;
        until(Duration::from_mins(5), "the run ends", || {
            let ended = self.running.0.try_wait()?;
            code = ended.and_then(|status| status.code());
            Ok(ended.is_some())
        })?;
        let summary = || self.results().into_iter().find(|result| result["summary"].is_object());
        // The last lines may still be on their way from the pipe.
        let _ = until(Duration::from_secs(5), "the summary", || Ok(summary().is_some()));
        Ok((code, summary().map_or(Value::Null, |result| result["summary"].clone())))
    }
}

/// Returns the CPU time that a process and those of its children that it waited for have used, in milliseconds; none if
/// it is not there.
pub fn cpu_milliseconds(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program may contain spaces; the fields after it do not.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok());
    Some((ticks(11)? + ticks(12)?) * 1000 / TICKS)
}

/// Returns the child of this process whose program has this name.
pub fn child_of(process: u32, name: &str) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .find(|child: &u32| fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|comm| comm.trim() == name))
}

/// Ticks of the kernel's clock in a second, as `/proc` counts on every Linux of today.
const TICKS: u64 = 100;
