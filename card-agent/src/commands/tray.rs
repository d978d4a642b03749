//! `card-agent intake --readers` and `card-agent personalize --readers`: several readers of one station at work at the
//! same time.
//!
//! One thread a reader, each with a connection to its card, a client of the service and a limit of time of its own, so
//! that a chip that is slow, lies or hangs holds up no other reader. They share the journal, the connections to the
//! service, and one look at all readers. The main thread alone speaks: the others tell it what happens.
//!
//! The run ends when nothing is left to do, at the first Ctrl-C, or at a failure that is not about one chip; what is
//! begun is finished in each case.

mod board;
mod tally;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use card_agent::client::HttpService;
use card_agent::failure::{Code, Failure};
use card_agent::kiosk;
use card_agent::kiosk::NewestBundles;
use card_agent::session::{Limits, Session, Stop};
use card_agent::station::journal::{Journal, Kind};
use card_agent::station::{Done, Folder, InUse, Station};
use card_agent::transport::pcsc::{self, Holds, Patience, PcscCard, Several, Watch};
use crypto::identity::CardSerial;
use crypto::perso::problem::{self, ProblemCode};
use crypto::pki::Certificate;
use crypto::pki::trust_bundle::TrustBundle;

use self::board::Board;
use self::tally::Tally;
use super::at_station::{ENDED, Wanted, is_about_one_chip};
use crate::arguments::AtStation;
use crate::screen::{self, Screen};

pub fn perform(
    arguments: &AtStation,
    readers: &Several,
    wanted: &Wanted<'_>,
    screen: &Screen,
    stop: &Stop,
) -> Result<(), Failure> {
    let folder = Folder::new(&arguments.station);
    let settings = folder.settings()?;
    let service = folder.service()?;
    service.take_from_batch(wanted.batch.map(str::to_owned));
    let anchor = if wanted.kind == Kind::Personalize { folder.anchor()? } else { None };
    let names = pcsc::find_several(readers, Patience::default())?;
    let _own = names.iter().map(|reader| InUse::reader(folder.path(), reader)).collect::<Result<Vec<_>, _>>()?;
    let journal = Journal::open(folder.path())?;
    journal.reserve()?;
    let floor = Floor {
        kind: wanted.kind,
        takes_in: wanted.takes_in,
        batch: wanted.batch.map(str::to_owned),
        repeat: arguments.repeat,
        wait: arguments.at.wait,
        limit: Duration::from_secs(arguments.limit.unwrap_or_else(|| settings.limit.get())),
        log: arguments.at.log.as_ref().or(settings.log.as_ref()).cloned(),
        newest: NewestBundles::at(folder.path().join(NewestBundles::FILE)),
        anchor,
        journal,
        watch: Watch::begin(Patience::default())?,
        is_watched: screen.is_watched(),
        stop: stop.clone(),
        trust: Mutex::default(),
        no_more: Mutex::default(),
        broken: Mutex::default(),
    };
    floor.begin_logs(names.len())?;
    let left = floor.looks_ahead(service.beside());
    let mut show = Show { screen, names: &names, board: None, tally: Tally::begin(), left };
    let (tell, told) = channel();
    floor.settles_what_is_left(&folder, &names, &service, &tell);
    if floor.is_over() {
        drop(tell);
        show.listens(&told, &floor);
    } else {
        listen_to_keys(stop.clone());
        thread::scope(|scope| {
            for (place, reader) in names.iter().enumerate() {
                let (tell, service, floor) = (tell.clone(), service.beside(), &floor);
                let desk = Desk { place, reader, service, tell };
                scope.spawn(move || floor.serves(&desk));
            }
            drop(tell);
            show.listens(&told, &floor);
        });
    }
    let ended = show.ends(&floor, folder.path());
    // The work counts, whatever becomes of the folder's trust.
    match folder.drop_ended(&service) {
        Ok(0) => {}
        Ok(_) => screen.note(ENDED),
        Err(failure) => screen::warn(&failure.to_string()),
    }
    ended
}

/// What all readers of a run share.
struct Floor {
    kind: Kind,
    takes_in: bool,
    batch: Option<String>,
    repeat: bool,
    /// Seconds that the first card is waited for; 0 for without end, none for not at all.
    wait: Option<u64>,
    /// Of the whole work with one chip.
    limit: Duration,
    /// Where APDUs are logged, each reader with its number behind.
    log: Option<PathBuf>,
    anchor: Option<Certificate>,
    newest: NewestBundles,
    journal: Journal,
    watch: Watch,
    is_watched: bool,
    stop: Stop,
    trust: Mutex<Option<(Instant, Arc<TrustBundle>)>>,
    /// Why no other chip is wanted.
    no_more: Mutex<Option<Failure>>,
    /// The first failure that is not about one chip.
    broken: Mutex<Option<Failure>>,
}

/// One reader and what its thread has for itself.
struct Desk<'a> {
    place: usize,
    reader: &'a str,
    service: HttpService,
    tell: Sender<Said>,
}

impl Desk<'_> {
    fn tells(&self, what: What) {
        // The main thread listens until the last thread has ended.
        let _ = self.tell.send(Said { place: Some(self.place), what });
    }
}

/// What a thread tells the main thread.
struct Said {
    /// The number of the reader; none before the readers begin.
    place: Option<usize>,
    what: What,
}

enum What {
    /// The work waits for something that passes, and goes on by itself.
    Again(Option<CardSerial>, Failure),
    Done(Done),
    /// The chip is left: the next one may meet with success.
    Failed(Option<CardSerial>, Failure),
    Progress(String, usize),
    State(State),
}

/// What a reader is at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// A chip is at work.
    AtWork,
    /// The reader has ended its work in this run.
    Ended,
    /// The reader is unplugged, or pcscd does not run.
    Gone,
    /// The operator paused the run.
    Paused,
    /// The chip is to be taken out.
    TakeOut,
    /// A card is waited for.
    Waiting,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::AtWork => "at-work",
            Self::Ended => "ended",
            Self::Gone => "gone",
            Self::Paused => "paused",
            Self::TakeOut => "take-out",
            Self::Waiting => "waiting",
        }
    }

    fn sentence(self, reader: &str) -> String {
        match self {
            Self::AtWork => format!("working in {reader}"),
            Self::Ended => format!("no more in {reader}"),
            Self::Gone => format!("reader gone: {reader}"),
            Self::Paused => format!("paused: {reader}"),
            Self::TakeOut => format!("take the card out of {reader}"),
            Self::Waiting => format!("waiting for a card in {reader}"),
        }
    }
}

/// What follows after a failure.
enum Follows {
    /// The same chip is tried again after this time.
    Again(Duration),
    /// The run ends.
    End,
    /// The reader or the card is away, and may come back.
    Nothing,
    NextChip,
    NoMore,
}

impl Floor {
    /// Whether no other chip is to be begun.
    fn is_over(&self) -> bool {
        self.stop.requested() || lock(&self.no_more).is_some() || lock(&self.broken).is_some()
    }

    fn breaks(&self, failure: Failure) {
        lock(&self.broken).get_or_insert(failure);
    }

    /// Serves one reader until the run is over.
    fn serves(&self, desk: &Desk<'_>) {
        let mut before = None;
        while let Some(card) = self.next_card(desk, before) {
            before = Some(card);
            desk.tells(What::State(State::AtWork));
            self.works_on(desk, card);
            if !self.repeat {
                break;
            }
        }
        if Some(self.watch.holds(desk.reader)) == before {
            desk.tells(What::State(State::TakeOut));
        }
        desk.tells(What::State(State::Ended));
    }

    /// Waits for a card that is not the one before. Returns none if the run is over first, or the time for a card.
    fn next_card(&self, desk: &Desk<'_>, before: Option<Holds>) -> Option<Holds> {
        let seconds = if self.repeat { Some(0) } else { self.wait };
        let end = match seconds {
            Some(0) => None,
            seconds => Instant::now().checked_add(Duration::from_secs(seconds.unwrap_or_default())),
        };
        let mut told = None;
        loop {
            if self.is_over() {
                return None;
            }
            let holds = self.watch.holds(desk.reader);
            let state = match holds {
                Holds::Gone => State::Gone,
                _ if self.stop.is_paused() => State::Paused,
                Holds::Nothing => State::Waiting,
                Holds::Card(_) if Some(holds) == before => State::TakeOut,
                Holds::Card(_) => return Some(holds),
            };
            if end.is_some_and(|end| Instant::now() >= end) {
                return None;
            }
            if told.replace(state) != Some(state) {
                desk.tells(What::State(state));
            }
            self.watch.changed(desk.reader, holds, GLANCE);
        }
    }

    /// Works on the card until it is done, or given up in this run.
    fn works_on(&self, desk: &Desk<'_>, card: Holds) {
        let begun = Instant::now();
        loop {
            let (finished, serial, ended) = self.tries(desk);
            for done in finished {
                desk.tells(What::Done(done));
            }
            let Err(failure) = ended else { return };
            match self.follows(&failure, &desk.service, begun.elapsed()) {
                Follows::Again(pause) => {
                    desk.tells(What::Again(serial, failure));
                    let end = Instant::now() + pause;
                    while Instant::now() < end {
                        if self.is_over() || self.watch.holds(desk.reader) != card {
                            return;
                        }
                        self.watch.changed(desk.reader, card, GLANCE);
                    }
                }
                Follows::End => return self.breaks(failure),
                // Pulled before it could say its number: it may be laid in again at any time.
                Follows::NextChip if serial.is_none() && failure.code == Code::CardRemoved => {
                    if self.watch.changed(desk.reader, card, NOTICED) == card {
                        desk.tells(What::Failed(None, failure));
                    }
                    return;
                }
                Follows::NextChip => return desk.tells(What::Failed(serial, failure)),
                Follows::NoMore => {
                    lock(&self.no_more).get_or_insert(failure);
                    return;
                }
                Follows::Nothing => return,
            }
        }
    }

    /// Works once on the card in the reader. Returns what was finished on the way, the chip if it could be presented,
    /// and how it ended.
    fn tries(&self, desk: &Desk<'_>) -> (Vec<Done>, Option<CardSerial>, Result<(), Failure>) {
        let mut station = Station::new(&desk.service, self.journal.clone(), kiosk::now);
        station.in_any_order();
        station.take_in(self.takes_in);
        let ended = self
            .settles(&mut station, &desk.service, desk.reader, |serial, failure| {
                desk.tells(What::Failed(serial, failure));
            })
            .and_then(|()| self.presents(&mut station, desk));
        (station.finished().to_vec(), station.presented(), ended)
    }

    /// Reports what needs no chip any more. Each chip that cannot be accounted for is told by its
    /// serial, and the others go on.
    fn settles(
        &self,
        station: &mut Station<'_, HttpService>,
        service: &HttpService,
        reader: &str,
        tell: impl Fn(Option<CardSerial>, Failure),
    ) -> Result<(), Failure> {
        service.work_within(Instant::now(), self.limit, &Stop::default());
        for _ in 0..=station.unfinished().len() {
            match station.settle(reader, None) {
                Err(failure) if is_about_one_chip(failure.code) => tell(station.unsettled(), failure),
                ended => return ended,
            }
        }
        Ok(())
    }

    fn presents(&self, station: &mut Station<'_, HttpService>, desk: &Desk<'_>) -> Result<(), Failure> {
        let card = PcscCard::connect(desk.reader, Patience::default())?;
        let begun = Instant::now();
        // Not by the operator's wish: what is begun is finished.
        desk.service.work_within(begun, self.limit, &Stop::default());
        let mut session = Session::new(card).limited_since(begun, Limits::of(self.limit));
        if self.is_watched {
            let mut last = String::new();
            session = session.watched(move |phase, commands| {
                if phase != last || commands % TOLD_EVERY == 0 {
                    phase.clone_into(&mut last);
                    desk.tells(What::Progress(last.clone(), commands));
                }
            });
        }
        if let Some(path) = self.log_of(desk.place) {
            let file = OpenOptions::new().append(true).open(&path).map_err(|e| unwritten(&path, &e))?;
            session = session.logging(io::LineWriter::new(file));
        }
        if let Some(anchor) = &self.anchor {
            station.trust(self.trust(anchor, &desk.service)?);
        }
        station.run(self.kind, &mut session, desk.reader).map(drop)
    }

    /// Returns the trust bundle, fetched within the last minute.
    fn trust(&self, anchor: &Certificate, service: &HttpService) -> Result<Arc<TrustBundle>, Failure> {
        let mut kept = lock(&self.trust);
        match &*kept {
            Some((at, bundle)) if at.elapsed() < FRESH => Ok(bundle.clone()),
            _ => {
                let bundle = service.trust_bundle()?;
                let bundle = Arc::new(kiosk::open_trust(&bundle, anchor, kiosk::now(), &self.newest)?);
                *kept = Some((Instant::now(), bundle.clone()));
                Ok(bundle)
            }
        }
    }

    /// Decides what follows after a failure of the work on a chip, which has taken this long.
    fn follows(&self, failure: &Failure, service: &HttpService, taken: Duration) -> Follows {
        use Code as C;
        use ProblemCode as P;

        let problem = failure.problem.as_ref().and_then(|problem| match problem.code {
            problem::Code::Known(code) => Some(code),
            problem::Code::Unknown(_) => None,
        });
        match problem {
            Some(P::BatchClosed) => return Follows::NoMore,
            Some(P::BatchPaused) => return Follows::Again(OF_A_BATCH),
            Some(P::BatchExhausted) => {
                let progress = self.batch.as_ref().map(|batch| service.batch(batch));
                let is_done = progress.is_some_and(|progress| progress.is_ok_and(|p| p.waiting + p.leased == 0));
                return if is_done { Follows::NoMore } else { Follows::Again(OF_A_BATCH) };
            }
            Some(P::BatchUnknown | P::LeaseLost) => return Follows::End,
            // A chip that is presented once more, as after a restart of pcscd.
            Some(P::ChipAlreadyInitialised) if self.kind == Kind::Intake => return Follows::Nothing,
            _ => {}
        }
        match failure.code {
            C::NoCard | C::PcscNotRunning | C::ReaderGone | C::ReaderUnknown => Follows::Nothing,
            C::NothingToPersonalize => Follows::NoMore,
            C::ReaderInUse if taken < self.limit => Follows::Again(OF_A_READER),
            C::ServiceUnable | C::ServiceUnreachable if taken < self.limit => Follows::Again(OF_A_SERVICE),
            C::CardHung
            | C::LimitReached
            | C::ReaderFailed
            | C::ReaderInUse
            | C::ReceiptForged
            | C::ServiceRefused
            | C::WrongPassword => Follows::NextChip,
            code if is_about_one_chip(code) => Follows::NextChip,
            _ => Follows::End,
        }
    }

    /// Settles the journal before any chip: of these readers, and of each other one that no program is at work with.
    fn settles_what_is_left(&self, folder: &Folder, names: &[String], service: &HttpService, tell: &Sender<Said>) {
        let tells = |what| drop(tell.send(Said { place: None, what }));
        let mut readers: Vec<String> = self.journal.unfinished().into_iter().map(|entry| entry.reader).collect();
        readers.sort();
        readers.dedup();
        for reader in readers {
            let own = if names.contains(&reader) { None } else { InUse::reader(folder.path(), &reader).ok() };
            if own.is_none() && !names.contains(&reader) {
                continue;
            }
            let mut station = Station::new(service, self.journal.clone(), kiosk::now);
            let ended =
                self.settles(&mut station, service, &reader, |serial, failure| tells(What::Failed(serial, failure)));
            for done in station.finished() {
                tells(What::Done(done.clone()));
            }
            if let Err(failure) = ended {
                return self.breaks(failure);
            }
        }
    }

    /// Begins the log of each reader anew.
    fn begin_logs(&self, readers: usize) -> Result<(), Failure> {
        for path in (0..readers).filter_map(|place| self.log_of(place)) {
            let begun = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
            begun.map_err(|e| unwritten(&path, &e))?;
        }
        Ok(())
    }

    fn log_of(&self, place: usize) -> Option<PathBuf> {
        let mut name: OsString = self.log.as_ref()?.clone().into_os_string();
        name.push(format!(".{place}"));
        Some(name.into())
    }

    /// Asks the service now and then how many chips are left to be done. Returns where the last answer stands. The
    /// thread ends with the process: nothing waits for it.
    fn looks_ahead(&self, service: HttpService) -> Arc<Mutex<Option<u64>>> {
        let left: Arc<Mutex<Option<u64>>> = Arc::default();
        let (to, batch, kind, takes_in) = (left.clone(), self.batch.clone(), self.kind, self.takes_in);
        thread::spawn(move || {
            loop {
                let now = match &batch {
                    Some(batch) => service.batch(batch).map(|progress| progress.waiting + progress.leased),
                    None => service.custody().map(|custody| match kind {
                        Kind::Intake => custody.delivered,
                        Kind::Personalize if takes_in => custody.delivered + custody.initialised + custody.bound,
                        Kind::Personalize => custody.initialised + custody.bound,
                    }),
                };
                *lock(&to) = now.ok();
                thread::sleep(OF_A_BATCH);
            }
        });
        left
    }
}

/// What the person at the station sees, and the script.
struct Show<'a> {
    screen: &'a Screen,
    names: &'a [String],
    board: Option<Board>,
    tally: Tally,
    left: Arc<Mutex<Option<u64>>>,
}

impl Show<'_> {
    /// Tells what the readers say, until the last of them has ended. A standard output that takes nothing more ends the
    /// run.
    fn listens(&mut self, told: &Receiver<Said>, floor: &Floor) {
        self.board = self.screen.is_watched().then(|| Board::new(self.names));
        loop {
            let heard = told.recv_timeout(GLANCE);
            if let Ok(said) = &heard
                && let Err(failure) = self.tells(said)
            {
                floor.breaks(failure);
            }
            if let Some(board) = &mut self.board {
                board.draw(&self.tally, *lock(&self.left), floor.stop.is_paused());
            }
            if let Err(RecvTimeoutError::Disconnected) = heard {
                break;
            }
        }
        if let Some(board) = self.board.take() {
            board.ends();
        }
    }

    fn tells(&mut self, said: &Said) -> Result<(), Failure> {
        let reader = said.place.map_or("", |place| &self.names[place]);
        self.tally.counts(&said.what);
        if let (Some(board), Some(place)) = (&mut self.board, said.place) {
            board.notes(place, &said.what);
        }
        let value = tally::event(reader, &said.what);
        match &said.what {
            What::Progress(..) => Ok(()),
            What::State(state) => {
                if self.screen.is_json() {
                    self.screen.result(value, "")
                } else {
                    if self.board.is_none() {
                        self.screen.note(&state.sentence(reader));
                    }
                    Ok(())
                }
            }
            What::Done(done) => {
                self.clears();
                let (serial, outcome) = (done.serial, done.outcome.word());
                let resumed = if done.resumed { " resumed" } else { "" };
                let card = done.outcome.card_id().unwrap_or_default();
                self.screen.result(value, format!("{serial}\t{outcome}{resumed}\t{card}\t{reader}").trim_end())
            }
            What::Again(serial, failure) | What::Failed(serial, failure) => {
                self.clears();
                if self.screen.is_json() {
                    self.screen.result_and(value, "", failure)?;
                } else {
                    let chip = serial.map_or_else(|| "a chip".to_owned(), |serial| format!("chip {serial}"));
                    let place = if reader.is_empty() { "of an earlier run".to_owned() } else { format!("in {reader}") };
                    screen::warn(&format!("{chip} {place}:"));
                }
                self.screen.failure_of_one(failure);
                Ok(())
            }
        }
    }

    fn clears(&mut self) {
        if let Some(board) = &mut self.board {
            board.clear();
        }
    }

    /// Tells the sum of the run, and how it ended.
    fn ends(&self, floor: &Floor, folder: &Path) -> Result<(), Failure> {
        // Read anew: another program may have accounted for a chip meanwhile.
        let held = Journal::open(folder)?.unfinished();
        let summary = self.tally.summary(self.names, &held);
        let broken = lock(&floor.broken).clone();
        if self.screen.is_json() {
            if broken.as_ref().is_none_or(|failure| failure.code != Code::OutputClosed) {
                self.screen.result(summary, "")?;
            }
        } else {
            self.screen.note(&self.tally.sentences(&held));
        }
        let no_more = lock(&floor.no_more).clone();
        match (broken, no_more) {
            (Some(failure), _) => Err(failure),
            (None, _) if !self.tally.is_clean(&held) => {
                Err(Failure::new(Code::ChipsLeft, format!("{}; {} held", self.tally.line(None), held.len())))
            }
            (None, Some(failure)) if self.tally.is_empty() && failure.code == Code::NothingToPersonalize => {
                Err(failure)
            }
            (None, None) if self.tally.is_empty() && !floor.repeat && !floor.stop.requested() => {
                Err(Failure::new(Code::NoCard, "no reader has a card"))
            }
            _ => Ok(()),
        }
    }
}

/// Takes `p` and `q`, each with Enter, from a terminal: pause or go on, and end.
fn listen_to_keys(stop: Stop) {
    if !io::stdin().is_terminal() {
        return;
    }
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            match line.trim() {
                "p" => drop(stop.pause_or_go_on()),
                "q" => drop(stop.request()),
                _ => {}
            }
        }
    });
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Code::OutputUnusable, format!("{}: {error}", path.display()))
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time between two looks at what the operator wishes.
const GLANCE: Duration = Duration::from_millis(200);

/// The time within which pcscd notices that a card was pulled.
const NOTICED: Duration = Duration::from_secs(1);

/// So many commands of one purpose are told together.
const TOLD_EVERY: usize = 8;

/// A trust bundle is used for this long.
const FRESH: Duration = Duration::from_mins(1);

/// The pauses before a chip is tried again that a batch has no item for, whose reader is in use, or for which the
/// service cannot do anything now.
const OF_A_BATCH: Duration = Duration::from_secs(10);
const OF_A_READER: Duration = Duration::from_secs(1);
const OF_A_SERVICE: Duration = Duration::from_secs(5);
