//! `card-agent intake` and `card-agent personalize`

use std::time::{Duration, Instant};

use card_agent::client::HttpService;
use card_agent::failure::{Code, Failure};
use card_agent::kiosk;
use card_agent::kiosk::NewestBundles;
use card_agent::session::Stop;
use card_agent::station::journal::{Journal, Kind};
use card_agent::station::{Done, Folder, Station};
use crypto::pki::Certificate;
use serde_json::json;

use super::wait;
use crate::arguments::AtStation;
use crate::screen::Screen;

pub fn perform(arguments: &AtStation, kind: Kind, screen: &Screen, stop: &Stop) -> Result<(), Failure> {
    let folder = Folder::new(&arguments.station);
    let service = folder.service()?;
    let anchor = if kind == Kind::Personalize { folder.anchor()? } else { None };
    let reader = arguments.at.find()?;
    let work = Work { arguments, kind, folder, service, anchor, reader, screen, stop };
    if arguments.repeat { work.on_chip_after_chip() } else { work.on_one_chip() }
}

/// What the work on each chip needs.
struct Work<'a> {
    arguments: &'a AtStation,
    kind: Kind,
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
            match self.on_one_chip() {
                Ok(()) => chips += 1,
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

    /// Works on one chip. Everything that is finished on the way is told, whatever comes after it. An empty reader is
    /// no failure if the work of an earlier run was finished, which needs no chip any more.
    fn on_one_chip(&self) -> Result<(), Failure> {
        let mut station = Station::new(&self.service, Journal::open(self.folder.path())?, kiosk::now);
        self.service.work_within(Instant::now(), Duration::from_secs(self.arguments.limit), self.stop);
        let settled = station.settle(&self.reader, None); // needs no card
        let finished = station.finished().len();
        let told = self.tell(station.finished());
        let done = settled.and(told).and_then(|()| self.work(&mut station));
        let told = self.tell(&station.finished()[finished..]);
        match done {
            Err(failure) if failure.code == Code::NoCard && finished > 0 => told,
            done => done.and(told),
        }
    }

    fn work(&self, station: &mut Station<'_, HttpService>) -> Result<(), Failure> {
        let card = self.arguments.at.card(&self.reader, self.screen, self.stop)?;
        let begun = Instant::now();
        self.service.work_within(begun, Duration::from_secs(self.arguments.limit), self.stop);
        let mut session = self.arguments.at.session(card, begun, self.arguments.limit, self.screen, self.stop)?;
        if let Some(anchor) = &self.anchor {
            let newest = NewestBundles::at(self.folder.path().join(NewestBundles::FILE));
            station.trust(kiosk::open_trust(&self.service.trust_bundle()?, anchor, kiosk::now(), &newest)?);
        }
        station.run(self.kind, &mut session, &self.reader).map(drop)
    }

    fn tell(&self, finished: &[Done]) -> Result<(), Failure> {
        for done in finished {
            let value = json!({
                "serial": done.serial,
                "outcome": done.outcome.word(),
                "card_id": done.outcome.card_id(),
                "attempts": done.attempts,
                "resumed": done.resumed,
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

/// Whether the next chip may meet with success where this one failed.
fn is_about_one_chip(code: Code) -> bool {
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
