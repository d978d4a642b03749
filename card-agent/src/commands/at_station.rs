//! `card-agent intake` and `card-agent personalize`

use std::io;
use std::time::{Duration, Instant};

use card_agent::client::HttpService;
use card_agent::failure::{Code, Failure};
use card_agent::kiosk;
use card_agent::kiosk::NewestBundles;
use card_agent::session::Stop;
use card_agent::station::journal::{Journal, Kind};
use card_agent::station::{Done, Folder, InUse, Station};
use crypto::pki::Certificate;
use serde_json::json;

use super::{tray, wait, without_separators};
use crate::arguments::{AtReader, AtStation};
use crate::screen::{self, Screen};

/// What is to become of the chips.
pub struct Wanted<'a> {
    /// Stock or cards.
    pub kind: Kind,
    /// The applications whose cards are wanted; none: those that wait longest.
    pub slips: &'a [String],
    /// Whether blanks are taken in first.
    pub takes_in: bool,
    /// The batch whose cards are wanted.
    pub batch: Option<&'a str>,
}

pub fn perform(arguments: &AtStation, wanted: &Wanted<'_>, screen: &Screen, stop: &Stop) -> Result<(), Failure> {
    if let Some(readers) = &arguments.readers {
        return tray::perform(arguments, readers, wanted, screen, stop);
    }
    let (kind, takes_in) = (wanted.kind, wanted.takes_in);
    let slips = Slips::of(wanted.slips, arguments.repeat)?;
    let folder = Folder::new(&arguments.station);
    let settings = folder.settings()?;
    let service = folder.service()?;
    service.take_from_batch(wanted.batch.map(str::to_owned));
    let anchor = if kind == Kind::Personalize { folder.anchor()? } else { None };
    let at = arguments.at.or(settings.reader.as_ref(), settings.log.as_ref());
    let limit = arguments.limit.unwrap_or_else(|| settings.limit.get());
    let reader = at.find()?;
    let _own = InUse::reader(folder.path(), &reader)?;
    let work = Work { at, limit, kind, takes_in, folder, service, anchor, reader, screen, stop };
    let done = match slips {
        Slips::Any if arguments.repeat => work.on_chip_after_chip(),
        Slips::Any => work.on_one_chip(None).map(drop),
        Slips::One(slip) => work.on_one_chip(Some(&slip)).map(drop),
        Slips::Several(slips) => work.on_slip_after_slip(&mut slips.into_iter(), false),
        Slips::Typed(mut slips) => work.on_slip_after_slip(&mut slips, true),
    };
    // The work counts, whatever becomes of the folder's trust.
    match work.folder.drop_ended(&work.service) {
        Ok(0) => {}
        Ok(_) => screen.note(ENDED),
        Err(failure) => screen::warn(&failure.to_string()),
    }
    done
}

/// What is said when an authority was taken out of the folder.
pub(super) const ENDED: &str = "the service's old TLS authority has ended, and was taken out of tls-ca.pem";

/// The applications that chips are wanted for.
enum Slips {
    /// Those that wait longest.
    Any,
    /// This one.
    One(String),
    /// These, in their order.
    Several(Vec<String>),
    /// Those that are typed, one a line.
    Typed(Box<dyn Iterator<Item = String>>),
}

impl Slips {
    fn of(named: &[String], repeat: bool) -> Result<Self, Failure> {
        let unusable = |why: &str| Err(Failure::new(Code::InputUnusable, format!("--slip: {why}")));
        match named {
            _ if named.iter().any(|slip| slip.trim().is_empty()) => unusable("a slip is empty"),
            [] => Ok(Self::Any),
            [only] if only == "-" && repeat => {
                let lines = io::stdin().lines().map_while(Result::ok).map(|line| line.trim().to_owned());
                Ok(Self::Typed(Box::new(lines.filter(|line| !line.is_empty()))))
            }
            _ if named.iter().any(|slip| slip == "-") => unusable("`-` stands alone, with --loop"),
            [only] if !repeat => Ok(Self::One(only.clone())),
            _ if !repeat => unusable("several need --loop: each takes a chip of its own"),
            _ => Ok(Self::Several(named.to_vec())),
        }
    }
}

/// What the work on each chip needs.
struct Work<'a> {
    at: AtReader,
    limit: u64,
    kind: Kind,
    takes_in: bool,
    folder: Folder,
    service: HttpService,
    anchor: Option<Certificate>,
    reader: String,
    screen: &'a Screen,
    stop: &'a Stop,
}

impl Work<'_> {
    /// Works on one chip after the other, until there is nothing more to do, or a failure that is not about one chip.
    fn on_chip_after_chip(&self) -> Result<(), Failure> {
        let mut chips = 0;
        loop {
            match wait(&self.reader, true, 0, self.screen, self.stop) {
                Err(failure) if failure.code == Code::Interrupted => return Ok(()),
                other => other?,
            }
            match self.on_one_chip(None) {
                Ok(_) => chips += 1,
                Err(failure) if failure.code == Code::NothingToPersonalize && chips > 0 => {
                    self.screen.note(&format!("{chips} chips done; nothing more to personalize"));
                    return Ok(());
                }
                Err(failure) if is_about_one_chip(failure.code) => self.screen.failure_of_one(&failure),
                Err(failure) => return Err(failure),
            }
            match wait(&self.reader, false, 0, self.screen, self.stop) {
                Err(failure) if failure.code == Code::Interrupted => return Ok(()),
                other => other?,
            }
        }
    }

    /// Works on a chip for each slip. What fails about a chip is tried with the next chip, and what fails about a slip
    /// that was typed goes on with the next slip.
    fn on_slip_after_slip(&self, slips: &mut dyn Iterator<Item = String>, typed: bool) -> Result<(), Failure> {
        let mut chips = 0;
        for slip in slips {
            self.screen.note(&format!("slip {slip}"));
            loop {
                match wait(&self.reader, true, 0, self.screen, self.stop) {
                    Err(failure) if failure.code == Code::Interrupted => return Ok(()),
                    other => other?,
                }
                let is_done = match self.on_one_chip(Some(&slip)) {
                    Ok(is_done) => is_done,
                    Err(failure) if is_about_one_chip(failure.code) => {
                        self.screen.failure_of_one(&failure);
                        false
                    }
                    // A service of before this code says of a slip too that there is nothing.
                    Err(failure)
                        if typed && matches!(failure.code, Code::SlipNotWaiting | Code::NothingToPersonalize) =>
                    {
                        self.screen.failure_of_one(&failure);
                        break;
                    }
                    Err(failure) => return Err(failure),
                };
                chips += usize::from(is_done);
                match wait(&self.reader, false, 0, self.screen, self.stop) {
                    Err(failure) if failure.code == Code::Interrupted => return Ok(()),
                    other => other?,
                }
                if is_done {
                    break;
                }
            }
        }
        self.screen.note(&format!("{chips} chips done; no slip is left"));
        Ok(())
    }

    /// Works on one chip, and returns whether it is for this slip, if one was wanted. Everything that is finished on
    /// the way is told, whatever comes after it. An empty reader is no failure if the work of an earlier run was
    /// finished, which needs no chip any more.
    fn on_one_chip(&self, slip: Option<&str>) -> Result<bool, Failure> {
        let mut station = Station::new(&self.service, Journal::open(self.folder.path())?, kiosk::now);
        station.for_slip(slip.map(str::to_owned));
        station.take_in(self.takes_in);
        self.service.work_within(Instant::now(), Duration::from_secs(self.limit), self.stop);
        let settled = station.settle(&self.reader, None); // needs no card
        let finished = station.finished().len();
        let told = self.tell(station.finished());
        let done = settled.and(told).and_then(|()| self.work(&mut station));
        let told = self.tell(&station.finished()[finished..]);
        match done {
            Err(failure) if failure.code == Code::NoCard && finished > 0 && slip.is_none() => told.map(|()| true),
            Err(failure) => Err(failure),
            Ok(done) => told.map(|()| is_for(slip, &done)),
        }
    }

    fn work(&self, station: &mut Station<'_, HttpService>) -> Result<Done, Failure> {
        let card = self.at.card(&self.reader, self.screen, self.stop)?;
        let begun = Instant::now();
        self.service.work_within(begun, Duration::from_secs(self.limit), self.stop);
        let mut session = self.at.session(card, begun, self.limit, self.screen, self.stop)?;
        if let Some(anchor) = &self.anchor {
            let newest = NewestBundles::at(self.folder.path().join(NewestBundles::FILE));
            station.trust(kiosk::open_trust(&self.service.trust_bundle()?, anchor, kiosk::now(), &newest)?);
        }
        station.run(self.kind, &mut session, &self.reader)
    }

    fn tell(&self, finished: &[Done]) -> Result<(), Failure> {
        for done in finished {
            let value = json!({
                "serial": done.serial,
                "outcome": done.outcome.word(),
                "card_id": done.outcome.card_id(),
                "attempts": done.attempts,
                "resumed": done.resumed,
                "slip": done.slip,
                "strides": done.strides,
            });
            let resumed = if done.resumed { " resumed" } else { "" };
            let (serial, outcome) = (done.serial, done.outcome.word());
            let text = format!("{serial}\t{outcome}{resumed}\t{}", done.outcome.card_id().unwrap_or_default());
            self.screen.result(value, text.trim_end())?;
        }
        Ok(())
    }
}

/// Whether the chip is for the slip that was wanted; one that was begun before is for the one it was begun for.
fn is_for(wanted: Option<&str>, done: &Done) -> bool {
    let (Some(wanted), serial) = (wanted, done.serial) else { return true };
    let is_same = done.slip.as_deref().is_some_and(|slip| plain(slip) == plain(wanted));
    if !is_same {
        let of = done.slip.as_ref().map_or("another one".to_owned(), |slip| format!("slip {slip}"));
        screen::warn(&format!("chip {serial} was begun before, for {of}; slip {wanted} still waits for a chip"));
    }
    is_same
}

/// Returns a slip without what people write between its letters.
fn plain(slip: &str) -> String {
    without_separators(slip).to_ascii_uppercase()
}

/// Whether the next chip may meet with success where this one failed.
pub(super) fn is_about_one_chip(code: Code) -> bool {
    matches!(
        code,
        Code::CardRemoved
            | Code::CardUnresponsive
            | Code::ChipMisbehaved
            | Code::ChipRefused
            | Code::ChipSpoiled
            | Code::ChipUnsupported
            | Code::NoCard
            | Code::ReadBackRefused
            | Code::ServiceRefusedChip
            | Code::UnfinishedEntry
    )
}
