//! `hardware-sim trays`: a feeder that lays blanks on the readers of a pcscd of its own and takes what is done out, as
//! the hands of a factory do.
//!
//! It knows no station. A chip is done when it has reached its aim and the reader's client has let it go; it is refused
//! when it was let go before, for a while. Faults are drawn by the seed.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use crypto::perso::LifeCycle;
use hardware_sim::faults::{Fault, Plan};
use hardware_sim::pcscd::{Followed, Pcscd};
use hardware_sim::slot::Slot;
use hardware_sim::{Chip, Profile, Store, TRANSPORT_KEY_VERSION};
use sha2::{Digest as _, Sha256};

use super::Event;

/// Lay a tray of blanks on the readers of a private pcscd, one after the other, and take out what is done.
///
/// Starts a pcscd in DIR with as many virtual readers. Each reader gets a blank; when the chip is done and
/// the program at the reader has let it go, it is taken out and the next one is laid in. Prints
/// `in READER SERIAL` and `out READER SERIAL WHAT`: personalized, initialised, refused (given up by the
/// program at the reader) or loose (pulled in the middle, and laid in again after all others). Prints `empty`
/// when the last chip is out. Runs until SIGTERM, SIGINT, or the end of COMMAND, which gets SIGINT when the
/// tray is empty and whose exit status is taken over.
#[derive(Args, Debug)]
pub struct Trays {
    /// Number of readers.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=16))]
    readers: u16,
    /// Number of blanks in the tray.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    blanks: u32,
    /// Seed of serials, random numbers and faults. The same seed gives the same tray.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of the pcscd.
    #[arg(long, value_name = "DIR", required_unless_present = "serials")]
    pcscd: Option<PathBuf>,
    /// Folder in which the chips are stored, each under its serial number; a tray of chips that are done there already
    /// goes on with the others. Without it they are kept in memory.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Master key of the manufacturer's transport keys: 32, 48 or 64 hex digits, or a file that holds them.
    #[arg(long, default_value = super::DEMONSTRATION_MASTER, value_name = "HEX|FILE", env = "CITIZEN_CARD_TRANSPORT_MASTER", hide_env_values = true)]
    transport_master: String,
    /// What a chip is when it is done.
    #[arg(long, value_enum, default_value_t = Aim::Personalized)]
    aim: Aim,
    /// How many chips of the tray answer each command late.
    #[arg(long, default_value_t = 0)]
    slow: usize,
    /// How many chips of the tray lie, each in one of the ways of the profiles `hostile-…`.
    #[arg(long, default_value_t = 0)]
    hostile: usize,
    /// How many chips of the tray answer nothing more from some command on.
    #[arg(long, default_value_t = 0)]
    dying: usize,
    /// How many chips of the tray lose their contact at some command once, and are laid in again after all others.
    #[arg(long, default_value_t = 0)]
    loose: usize,
    /// Milliseconds for which a reader is empty between two chips, at least.
    #[arg(long, default_value_t = 500, value_name = "MILLISECONDS")]
    swap: u64,
    /// Seconds after which a chip that was let go before it is done is taken out.
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    give_up: u64,
    /// Print the serials of the blanks that this seed makes, one a line, and end. For the stock ledger.
    #[arg(long)]
    pub serials: bool,
    /// Program to run beside the readers, with PCSCLITE_CSOCK_NAME in its environment.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// What a chip is when it is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Aim {
    Initialised,
    Personalized,
}

/// What is wrong with a chip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ailment {
    Dying,
    Hostile,
    Loose,
    Slow,
}

impl Trays {
    /// Prints the serials of all blanks.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn print_serials(&self) -> Result<(), String> {
        let serial = |n| format!("{}\n", hardware_sim::serial(self.seed, n));
        let all: String = (0..self.blanks).map(serial).collect();
        match io::stdout().write_all(all.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
            _ => Ok(()), // as `head` wants it
        }
    }

    /// Starts the pcscd.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn pcscd(&self) -> Result<Pcscd, String> {
        let folder = self.pcscd.as_deref().ok_or("--pcscd is missing")?;
        let started = std::fs::create_dir_all(folder).and_then(|()| Pcscd::start(folder, usize::from(self.readers)));
        started.map_err(|error| format!("pcscd in {}: {error}", folder.display()))
    }

    /// Returns what is wrong with which blank: so many of each kind, drawn by the seed.
    fn ailments(&self) -> BTreeMap<u32, Ailment> {
        let mut drawn: Vec<u32> = (0..self.blanks).collect();
        drawn.sort_by_cached_key(|n| self.draw(*n, "ailment"));
        let kinds = [
            (Ailment::Slow, self.slow),
            (Ailment::Hostile, self.hostile),
            (Ailment::Dying, self.dying),
            (Ailment::Loose, self.loose),
        ];
        let kinds = kinds.into_iter().flat_map(|(kind, number)| std::iter::repeat_n(kind, number));
        drawn.into_iter().zip(kinds).collect()
    }

    /// Returns a number that depends on the seed, the blank and the purpose alone.
    fn draw(&self, n: u32, purpose: &str) -> u64 {
        let digest = Sha256::new()
            .chain_update(purpose)
            .chain_update(self.seed.to_be_bytes())
            .chain_update(n.to_be_bytes())
            .finalize();
        digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// Makes the blank with this number, or opens it if it is stored already.
    fn blank(&self, n: u32, ailment: Option<Ailment>) -> Result<Chip, String> {
        let cannot = |error: &dyn std::fmt::Display| format!("blank {n}: {error}");
        let serial = hardware_sim::serial(self.seed, n);
        let store = match &self.state {
            Some(folder) => Store::directory(folder.join(serial.to_string())).map_err(|e| cannot(&e))?,
            None => Store::memory(),
        };
        let mut chip = if store.is_empty() {
            let master = hardware_sim::transport_master(&self.transport_master).map_err(|e| cannot(&e))?;
            let keys = master.diversify(&serial, TRANSPORT_KEY_VERSION);
            let profile = match ailment {
                Some(Ailment::Hostile) => self.a_hostile_profile(n),
                _ => Profile::default(),
            };
            Chip::blank(profile, serial, keys, self.seed, store)
        } else {
            Chip::open(store, self.seed)
        }
        .map_err(|e| cannot(&e))?;
        let at = 4 + self.draw(n, "command") % 30;
        let each = |fault: Fault, from: u64| (from..from + LONG).fold(Plan::default(), |plan, n| plan.and(n, fault));
        match ailment {
            Some(Ailment::Slow) => chip.fail(each(Fault::Slow(LATE), 1)),
            Some(Ailment::Dying) => chip.fail(each(Fault::Empty, at)),
            Some(Ailment::Loose) => chip.fail(Plan::at(at, Fault::Removed)),
            Some(Ailment::Hostile) | None => {}
        }
        Ok(chip)
    }

    fn a_hostile_profile(&self, n: u32) -> Profile {
        let names: Vec<String> = Profile::names().filter(|name| name.starts_with("hostile-")).collect();
        let at = usize::try_from(self.draw(n, "profile") % names.len() as u64).unwrap_or_default();
        names[at].parse().unwrap_or_default()
    }

    /// Feeds the readers until the tray is empty, says so, and waits for the end of the program.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn feed(
        &self,
        pcscd: &Pcscd,
        event: &Receiver<Event>,
        mut when_empty: impl FnMut(),
    ) -> Result<ExitCode, String> {
        let mut feeder = Feeder::new(self, pcscd)?;
        let mut is_empty = false;
        loop {
            if feeder.looks()? && !std::mem::replace(&mut is_empty, true) {
                say("empty");
                when_empty();
            }
            match event.recv_timeout(LOOK) {
                Ok(Event::Ended(code)) => return Ok(code),
                Ok(Event::Quit) | Err(RecvTimeoutError::Disconnected) => return Ok(ExitCode::SUCCESS),
                Ok(Event::Line(..)) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// The hands.
struct Feeder<'a> {
    trays: &'a Trays,
    ailments: BTreeMap<u32, Ailment>,
    followed: Followed,
    /// The number of the next blank.
    next: u32,
    /// Chips that lost their contact, to be laid in again.
    again: VecDeque<Chip>,
    places: Vec<Place>,
}

struct Place {
    reader: String,
    port: u16,
    /// None until its first chip.
    slot: Option<Slot>,
    stage: Stage,
    /// Whether the chip that lay here last lost its contact.
    is_loose: bool,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Nothing comes any more.
    Done,
    /// A chip lies on the reader.
    In,
    /// Empty since then.
    Out(Instant),
}

impl<'a> Feeder<'a> {
    fn new(trays: &'a Trays, pcscd: &Pcscd) -> Result<Self, String> {
        let followed = pcscd.follow().map_err(|error| error.to_string())?;
        let place = |number: u16| Place {
            reader: pcscd.reader(usize::from(number)),
            port: pcscd.base_port() + number,
            slot: None,
            stage: Stage::Out(Instant::now()),
            is_loose: false,
        };
        let places = (0..trays.readers).map(place).collect();
        Ok(Self { trays, ailments: trays.ailments(), followed, next: 0, again: VecDeque::new(), places })
    }

    /// Looks at each reader once. Returns whether the tray is empty and all chips are out.
    fn looks(&mut self) -> Result<bool, String> {
        for number in 0..self.places.len() {
            match self.places[number].stage {
                Stage::Done => {}
                Stage::In => self.places[number].takes_out(self.trays),
                Stage::Out(since) => {
                    let seen = self.followed.sees_card(&self.places[number].reader);
                    // pcscd never notices a card that was swapped between two of its polls.
                    let is_free = !seen.map_err(|error| format!("pcscd's log: {error}"))?;
                    if is_free && since.elapsed() >= Duration::from_millis(self.trays.swap) {
                        self.lays_in(number)?;
                    }
                }
            }
        }
        Ok(self.again.is_empty() && self.places.iter().all(|place| matches!(place.stage, Stage::Done)))
    }

    /// Lays in the next blank; where there is none, a chip that lost its contact.
    fn lays_in(&mut self, number: usize) -> Result<(), String> {
        let next = match self.next_blank()? {
            Some(blank) => Some(blank),
            None => self.again.pop_front(),
        };
        let place = &mut self.places[number];
        let is_loose = std::mem::take(&mut place.is_loose);
        let slot = match (next, place.slot.take()) {
            (Some(chip), Some(mut slot)) => {
                let before = slot.exchange(chip);
                if is_loose {
                    self.again.push_back(before);
                }
                slot
            }
            (Some(chip), None) => Slot::new(chip, "127.0.0.1", place.port),
            (None, Some(slot)) if is_loose => slot,
            (None, _) => {
                place.stage = Stage::Done;
                return Ok(());
            }
        };
        let slot = place.slot.insert(slot);
        slot.lay_down().map_err(|error| error.to_string())?;
        place.stage = Stage::In;
        say(&format!("in {} {}", place.reader, slot.serial()));
        Ok(())
    }

    /// Returns the next blank that is not done already.
    fn next_blank(&mut self) -> Result<Option<Chip>, String> {
        while self.next < self.trays.blanks {
            let chip = self.trays.blank(self.next, self.ailments.get(&self.next).copied())?;
            self.next += 1;
            if !self.trays.aim.is_reached(chip.life_cycle()) {
                return Ok(Some(chip));
            }
        }
        Ok(None)
    }
}

impl Place {
    /// Takes the chip out if it is done, refused, or lost its contact.
    fn takes_out(&mut self, trays: &Trays) {
        let Some(slot) = &mut self.slot else { return };
        let (heard, life_cycle) = (slot.heard(), slot.life_cycle());
        let quiet = heard.last.elapsed();
        let is_let_go = heard.commands > 0 && heard.in_session == 0;
        // A card is read back in a session of its own; a moment without commands before it is not the end.
        let settled = if trays.aim == Aim::Initialised || heard.readings > 0 { SETTLED } else { UNREAD };
        let what = match () {
            () if !slot.is_inserted() => "loose",
            () if is_let_go && trays.aim.is_reached(life_cycle) && quiet >= settled => trays.aim.word(),
            () if is_let_go && quiet >= Duration::from_secs(trays.give_up) => "refused",
            () => return,
        };
        slot.remove();
        self.is_loose = what == "loose";
        if self.is_loose {
            slot.fail(Plan::default()); // its contact holds the next time
        }
        say(&format!("out {} {} {what}", self.reader, slot.serial()));
        self.stage = Stage::Out(Instant::now());
    }
}

impl Aim {
    fn is_reached(self, life_cycle: LifeCycle) -> bool {
        match self {
            Self::Initialised => matches!(life_cycle, LifeCycle::Initialised | LifeCycle::Personalized),
            Self::Personalized => life_cycle == LifeCycle::Personalized,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Initialised => "initialised",
            Self::Personalized => "personalized",
        }
    }
}

fn say(line: &str) {
    println!("{line}");
    let _ = io::stdout().flush();
}

/// The time between two looks at the readers.
const LOOK: Duration = Duration::from_millis(20);

/// A chip that is done and without commands for so long was let go; one that was not read back, for so long.
const SETTLED: Duration = Duration::from_millis(300);
const UNREAD: Duration = Duration::from_secs(10);

/// How late a slow chip answers, and for how many commands an ailment lasts.
const LATE: Duration = Duration::from_millis(50);
const LONG: u64 = 2_000;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        trays: Trays,
    }

    fn trays(line: &[&str]) -> Trays {
        Line::parse_from(["trays", "--pcscd", "x"].iter().chain(line)).trays
    }

    #[test]
    fn a_seed_draws_so_many_chips_of_each_ailment_and_always_the_same() {
        let line = ["--blanks", "20", "--slow", "3", "--hostile", "2", "--dying", "1", "--loose", "4", "--seed", "7"];
        let drawn = trays(&line).ailments();
        let number = |kind| drawn.values().filter(|one| **one == kind).count();
        assert_eq!([Ailment::Slow, Ailment::Hostile, Ailment::Dying, Ailment::Loose].map(number), [3, 2, 1, 4]);
        assert_eq!(drawn, trays(&line).ailments());
        let other = trays(&[&line[..10], &["--seed", "8"]].concat()).ailments();
        assert_ne!(drawn.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    }

    #[test]
    fn a_hostile_chip_lies_and_a_stored_one_goes_on_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().to_string_lossy().into_owned();
        let trays = trays(&["--state", &state, "--blanks", "2"]);
        let chip = trays.blank(0, Some(Ailment::Hostile)).expect("made");
        let profile = chip.profile().clone();
        assert_ne!(profile, Profile::default());
        drop(chip);
        assert_eq!(*trays.blank(0, None).expect("opened").profile(), profile);
        assert_eq!(*trays.blank(1, None).expect("made").profile(), Profile::default());
    }
}
