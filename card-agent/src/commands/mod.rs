//! The commands, each in a file, and what they share.

mod at_station;
mod citizen;
mod config;
mod decode;
mod enrol;
mod info;
mod inspect;
mod kiosk;
mod manual;
mod readers;
mod spoil;
mod status;
mod tray;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use card_agent::failure::{Code, Failure};
use card_agent::papers::PaperError;
use card_agent::session::{Limits, Session, Stop};
use card_agent::station::journal::Kind;
use card_agent::transport::pcsc::{self, Patience, PcscCard};

use self::at_station::Wanted;
use crate::arguments::{AtReader, Task};
use crate::screen::Screen;

/// Does what the command line asks for.
///
/// # Errors
/// [`Failure`].
pub fn perform(task: &Task, screen: &Screen, stop: &Stop) -> Result<(), Failure> {
    match task {
        Task::Readers(arguments) => readers::perform(arguments, screen, stop),
        Task::Enrol(arguments) => enrol::perform(arguments, screen),
        Task::Status(arguments) => status::perform(arguments, screen),
        Task::Intake(arguments) => {
            let wanted = Wanted { kind: Kind::Intake, slips: &[], takes_in: false, batch: None };
            at_station::perform(arguments, &wanted, screen, stop)
        }
        Task::Personalize(arguments) => {
            let (slips, takes_in, batch) = (&arguments.slip, arguments.intake, arguments.batch.as_deref());
            let wanted = Wanted { kind: Kind::Personalize, slips, takes_in, batch };
            at_station::perform(&arguments.work, &wanted, screen, stop)
        }
        Task::Spoil(arguments) => spoil::perform(arguments, screen),
        Task::Info(arguments) => info::perform(arguments, screen, stop),
        Task::Inspect(arguments) => inspect::perform(arguments, screen, stop),
        Task::Kiosk(arguments) => kiosk::perform(arguments, screen, stop),
        Task::Citizen(arguments) => citizen::perform(arguments, screen, stop),
        Task::Decode(arguments) => decode::perform(arguments, screen),
        Task::Config(arguments) => config::perform(arguments, screen),
        Task::Man(arguments) => manual::man(arguments, screen),
        Task::Completions(arguments) => manual::completions(arguments, screen),
    }
}

impl AtReader {
    /// Returns what the command line says, and where it says nothing what the configuration does.
    fn or(&self, reader: Option<&String>, log: Option<&PathBuf>) -> Self {
        Self { reader: self.reader.as_ref().or(reader).cloned(), log: self.log.as_ref().or(log).cloned(), ..*self }
    }

    /// Begins the log of the APDUs anew, and returns the full name of the reader.
    fn find(&self) -> Result<String, Failure> {
        self.opened_log(OpenOptions::new().write(true).create(true).truncate(true))?;
        Ok(pcsc::find_or_only(self.reader.as_deref(), Patience::default())?)
    }

    /// Connects to the card in this reader; waits for one first if that was asked for.
    fn card(&self, reader: &str, screen: &Screen, stop: &Stop) -> Result<PcscCard, Failure> {
        if let Some(seconds) = self.wait {
            wait(reader, true, seconds, screen, stop)?;
        }
        Ok(PcscCard::connect(reader, Patience::default())?)
    }

    /// Opens a session with the card, for work that began then and may take so many seconds.
    fn session<'a>(
        &self,
        card: PcscCard,
        begun: Instant,
        seconds: u64,
        screen: &Screen,
        stop: &Stop,
    ) -> Result<Session<'a, PcscCard>, Failure> {
        let limits = Limits::of(Duration::from_secs(seconds));
        let mut session = Session::new(card).stopping(stop.clone()).limited_since(begun, limits);
        if let Some(progress) = screen.progress() {
            session = session.watched(progress);
        }
        match self.opened_log(OpenOptions::new().append(true))? {
            None => Ok(session),
            Some(file) => Ok(session.logging(io::LineWriter::new(file))),
        }
    }

    fn opened_log(&self, how: &OpenOptions) -> Result<Option<File>, Failure> {
        let open = |path: &PathBuf| {
            how.open(path).map_err(|e| Failure::new(Code::OutputUnusable, format!("{}: {e}", path.display())))
        };
        self.log.as_ref().map(open).transpose()
    }
}

/// Waits for a card, or until it is taken out; `seconds` may be 0 for without end.
fn wait(reader: &str, present: bool, seconds: u64, screen: &Screen, stop: &Stop) -> Result<(), Failure> {
    let soon = Some(Instant::now());
    if pcsc::wait_for_card(reader, present, soon, &Stop::default(), Patience::default())? {
        return Ok(());
    }
    screen.note(&format!("{} {reader}", if present { "waiting for a card in" } else { "take the card out of" }));
    let end = (seconds > 0).then(|| Instant::now().checked_add(Duration::from_secs(seconds))).flatten();
    if pcsc::wait_for_card(reader, present, end, stop, Patience::default())? {
        return Ok(());
    }
    Err(Failure::new(Code::NoCard, format!("no card came into reader `{reader}` within {seconds} s")))
}

/// Returns what a person typed without the marks that group digits: spaces, colons, hyphens.
fn without_separators(typed: &str) -> String {
    typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-')).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unusable =
        |what: &dyn std::fmt::Display| Failure::new(Code::InputUnusable, format!("{}: {what}", path.display()));
    match fs::read(path) {
        Ok(bytes) if bytes.is_empty() => Err(unusable(&"the file is empty")),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(unusable(&error)),
    }
}

/// Reads a file as certificates or keys.
fn paper<T>(path: &Path, as_what: fn(&[u8]) -> Result<T, PaperError>) -> Result<T, Failure> {
    as_what(&read(path)?).map_err(|e| Failure::new(Code::InputUnusable, format!("{} {e}", path.display())))
}
