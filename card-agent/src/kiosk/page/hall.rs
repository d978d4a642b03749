//! The one thread that decides what the page shows: cards come and go, people type and touch,
//! readings end, time passes.
//!
//! One card is served at a time; a card in another reader waits for its turn. What is known of a person lives in the
//! screen alone, and is dropped when the card is taken out, when its visit is ended, and when the page is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crypto::inspection::Password;
use tokio::sync::watch;

use super::key;
use super::reading::{Ended, Rules, Visit};
use super::report::{Record, Reports};
use super::screen::{BundleFace, Face, Screen, Shown, Word, Wrong};
use crate::ambient;
use crate::failure::{Code, Failure};
use crate::session::Stop;
use crate::transport::pcsc::Holds;

/// What happens in the hall.
pub(super) enum Event {
    Act(Act),
    /// The trust bundle was looked at.
    Bundle(Result<BundleFace, Failure>),
    /// The reading of a visit ended.
    Ended(u64, Ended),
    /// What each reader holds now.
    Readers(BTreeMap<String, Holds>),
    /// The reading of a visit came to a step.
    Step(u64, usize),
    /// A text was typed or scanned.
    Typed(zeroize::Zeroizing<String>),
}

/// What a person can do at the page besides typing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// Read the card again.
    Again,
    /// The visit is over.
    Done,
    /// Someone is there.
    Here,
    /// Save a report.
    Report,
}

/// Where a card is. Each time that one is laid in it has another number.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Place {
    reader: String,
    card: u64,
}

pub(super) struct Hall {
    pub rules: Arc<Rules>,
    pub inbox: Receiver<Event>,
    pub outbox: Sender<Event>,
    pub screens: watch::Sender<Arc<Screen>>,
    pub reports: Option<Reports>,
    /// How long a screen stays without anyone touching it.
    pub idle: Duration,
    /// The only reader that counts; none: all do.
    pub reader: Option<String>,
    pub state: State,
}

/// What the hall remembers.
pub(super) struct State {
    face: Face,
    /// The card that is being served.
    place: Option<Place>,
    /// The visit of that card, from 1.
    visit: u64,
    /// What opens the card, while it may be needed.
    key: Option<Password>,
    /// What a report would say.
    record: Option<Record>,
    /// Ends the reading.
    stop: Stop,
    /// Cards that were served and are still in their readers.
    served: BTreeSet<u64>,
    readers: BTreeMap<String, Holds>,
    bundle: Result<BundleFace, Failure>,
    bundle_seen: Instant,
    touched: Instant,
    asks: bool,
    saved: Option<Result<String, Failure>>,
}

impl State {
    pub(super) fn new(bundle: Result<BundleFace, Failure>) -> Self {
        Self {
            face: Face::Waiting { wrong: None, has_key: false },
            place: None,
            visit: 0,
            key: None,
            record: None,
            stop: Stop::default(),
            served: BTreeSet::new(),
            readers: BTreeMap::new(),
            bundle,
            bundle_seen: Instant::now(),
            touched: Instant::now(),
            asks: false,
            saved: None,
        }
    }

    pub(super) fn screen(&self, number: u64) -> Screen {
        let has_card = |holds: &Holds| matches!(holds, Holds::Card(_));
        Screen {
            number,
            face: self.face.clone(),
            readers: self.readers.iter().map(|(reader, holds)| (reader.clone(), has_card(holds))).collect(),
            bundle: self.bundle.clone(),
            asks: self.asks,
            saved: self.saved.clone(),
        }
    }
}

impl Hall {
    /// Serves cards until the program is asked to stop.
    pub(super) fn serve(mut self, stop: &Stop) {
        while !stop.requested() {
            match self.inbox.recv_timeout(TICK) {
                Ok(event) => self.hears(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.time_passes();
        }
        self.state.stop.request();
    }

    fn hears(&mut self, event: Event) {
        match event {
            Event::Act(act) => self.acts(act),
            Event::Bundle(bundle) => self.state.bundle = bundle,
            Event::Ended(visit, ended) if visit == self.state.visit => self.ends(ended),
            Event::Step(visit, step) if visit == self.state.visit => {
                if let Face::Reading { .. } = self.state.face {
                    self.state.face = Face::Reading { step };
                }
            }
            // Of a card that is gone.
            Event::Ended(..) | Event::Step(..) => return,
            Event::Readers(readers) => self.sees(readers),
            Event::Typed(text) => self.is_typed(&text),
        }
        self.shows();
    }

    /// Shows the present state to every page that is open.
    fn shows(&self) {
        self.screens.send_modify(|screen| *screen = Arc::new(self.state.screen(screen.number + 1)));
    }

    fn sees(&mut self, mut readers: BTreeMap<String, Holds>) {
        if let Some(only) = &self.reader {
            readers.retain(|reader, _| reader == only);
        }
        let held: BTreeSet<u64> = readers.values().filter_map(number).collect();
        self.state.served.retain(|card| held.contains(card));
        self.state.readers = readers;
        let is_gone = self.state.place.as_ref().is_some_and(|place| !held.contains(&place.card));
        if is_gone {
            self.card_is_gone();
        }
        self.next_card();
    }

    /// Forgets everything of the card that was taken out. What is to be done with a refused card stays, since it says
    /// nothing of a person.
    fn card_is_gone(&mut self) {
        let waiting = Face::Waiting { wrong: None, has_key: false };
        let was_reading = matches!(self.state.face, Face::Reading { .. });
        let told = match &self.state.face {
            Face::Shown(shown) if shown.word != Word::Trusted => Some(Arc::clone(shown)),
            _ => None,
        };
        self.forgets();
        self.state.face = match (was_reading, told) {
            (true, _) => {
                let failure = Failure::new(Code::CardRemoved, "the card was removed");
                Face::Shown(Arc::new(self.unknown(failure, false)))
            }
            (false, Some(shown)) => Face::Shown(Arc::new(Shown {
                visit: shown.visit,
                word: shown.word,
                failure: shown.failure.clone(),
                findings: shown.findings.clone(),
                person: None,
                answer: None,
                card_is_there: false,
            })),
            (false, None) => waiting,
        };
    }

    /// Drops key, record and reading of the present card, and the card itself.
    fn forgets(&mut self) {
        self.state.stop.request();
        self.state.visit += 1;
        self.state.place = None;
        self.state.key = None;
        self.state.record = None;
        self.state.saved = None;
        self.state.asks = false;
        self.state.touched = Instant::now();
    }

    fn unknown(&self, failure: Failure, card_is_there: bool) -> Shown {
        let (visit, word, failure) = (self.state.visit, Word::Unknown, Some(failure));
        Shown { visit, word, failure, findings: Vec::new(), person: None, answer: None, card_is_there }
    }

    /// Begins with the first card that was not served yet, if none is being served.
    fn next_card(&mut self) {
        if self.state.place.is_some() {
            return;
        }
        let fresh = self.state.readers.iter().find_map(|(reader, holds)| {
            let card = number(holds).filter(|card| !self.state.served.contains(card))?;
            Some(Place { reader: reader.clone(), card })
        });
        if let Some(place) = fresh {
            self.state.visit += 1;
            self.state.saved = None;
            self.state.place = Some(place);
            match self.state.key.is_some() {
                true => self.reads(),
                false => self.state.face = Face::Asking { wrong: None },
            }
        }
    }

    /// Reads the card that is being served, with the key that is there.
    fn reads(&mut self) {
        let (Some(place), Some(key)) = (&self.state.place, &self.state.key) else { return };
        self.state.visit += 1;
        self.state.record = None;
        self.state.saved = None;
        self.state.asks = false;
        self.state.stop = Stop::default();
        self.state.face = Face::Reading { step: 0 };
        let visit = Visit {
            number: self.state.visit,
            reader: place.reader.clone(),
            password: key.clone(),
            stop: self.state.stop.clone(),
        };
        let (rules, outbox) = (self.rules.clone(), self.outbox.clone());
        thread::spawn(move || {
            let number = visit.number;
            let steps = outbox.clone();
            let ended = rules.read(&visit, |step| drop(steps.send(Event::Step(number, step))));
            let _ = outbox.send(Event::Ended(number, ended));
        });
    }

    fn ends(&mut self, ended: Ended) {
        self.state.touched = Instant::now();
        self.state.face = match ended {
            Ended::WrongPassword { tries_left } => {
                self.state.key = None;
                Face::Asking { wrong: Some(Wrong::Password { tries_left }) }
            }
            Ended::Failed(failure) => Face::Shown(Arc::new(self.unknown(failure, true))),
            Ended::Shown(shown, record) => {
                self.state.record = Some(*record);
                Face::Shown(Arc::from(shown))
            }
        };
    }

    fn is_typed(&mut self, text: &str) {
        self.state.touched = Instant::now();
        let key = key::password(text);
        let wrong = key.as_ref().err().map(|unreadable| Wrong::Unreadable(*unreadable));
        match self.state.face {
            Face::Asking { .. } => match key {
                Ok(key) => {
                    self.state.key = Some(key);
                    self.reads();
                }
                Err(_) => self.state.face = Face::Asking { wrong },
            },
            Face::Waiting { .. } => {
                self.state.key = key.ok();
                self.state.face = Face::Waiting { wrong, has_key: self.state.key.is_some() };
            }
            // A card lies there already, or nothing is asked for.
            Face::Reading { .. } | Face::Shown(_) | Face::TakeOut => {}
        }
    }

    fn acts(&mut self, act: Act) {
        self.state.touched = Instant::now();
        self.state.asks = false;
        match act {
            Act::Here => {}
            Act::Done => self.done(),
            Act::Again => {
                if let (Face::Shown(_), true) = (&self.state.face, self.state.place.is_some()) {
                    match self.state.key.is_some() {
                        true => self.reads(),
                        false => self.state.face = Face::Asking { wrong: None },
                    }
                }
            }
            Act::Report => {
                if let (Some(reports), Some(record)) = (&self.reports, &self.state.record)
                    && self.rules.over.is_none()
                {
                    self.state.saved = Some(reports.save(ambient::new_id(), record));
                }
            }
        }
    }

    /// Ends the visit; a card that is still there is not served again.
    fn done(&mut self) {
        let place = self.state.place.take();
        self.forgets();
        self.state.face = match place {
            Some(place) => {
                self.state.served.insert(place.card);
                Face::TakeOut
            }
            None => Face::Waiting { wrong: None, has_key: false },
        };
        self.next_card();
    }

    /// Asks whether anyone is there when a verdict was not touched for a while, and ends it without an answer. A key
    /// that was typed and met no card is forgotten. The trust bundle is looked at now and then.
    fn time_passes(&mut self) {
        let untouched = self.state.touched.elapsed();
        match &self.state.face {
            Face::Shown(_) if untouched >= self.idle + ANSWER => {
                self.done();
                self.shows();
            }
            Face::Shown(_) if untouched >= self.idle && !self.state.asks => {
                self.state.asks = true;
                self.shows();
            }
            Face::Waiting { has_key: true, .. } if untouched >= self.idle => {
                self.state.key = None;
                self.state.face = Face::Waiting { wrong: None, has_key: false };
                self.shows();
            }
            Face::TakeOut if self.state.served.is_empty() => {
                self.state.face = Face::Waiting { wrong: None, has_key: false };
                self.shows();
            }
            _ => {}
        }
        if self.state.bundle_seen.elapsed() >= BUNDLE {
            self.state.bundle_seen = Instant::now();
            let (rules, outbox) = (self.rules.clone(), self.outbox.clone());
            thread::spawn(move || drop(outbox.send(Event::Bundle(rules.bundle()))));
        }
    }
}

fn number(holds: &Holds) -> Option<u64> {
    match holds {
        Holds::Card(number) => Some(*number),
        Holds::Gone | Holds::Nothing => None,
    }
}

/// How often the time is looked at.
const TICK: Duration = Duration::from_millis(200);
/// How long an answer to the question whether anyone is there is waited for.
const ANSWER: Duration = Duration::from_secs(20);
/// How often the trust bundle is looked at while no card comes.
const BUNDLE: Duration = Duration::from_secs(30);
