//! What became of the chips of a run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use card_agent::failure::Code;
use card_agent::station::journal::{Entry, Kind};
use crypto::identity::CardSerial;
use serde_json::{Value, json};

use super::What;

/// Counts each chip once, however often it was presented.
pub struct Tally {
    begun: Instant,
    initialised: BTreeSet<CardSerial>,
    personalized: BTreeSet<CardSerial>,
    /// Given up and accounted for, with the reason.
    spoiled: BTreeMap<CardSerial, String>,
    /// Left as it is, with the code; held if the journal has an entry for it.
    failed: BTreeMap<CardSerial, &'static str>,
    /// The number of cards that could not even tell their serial number.
    nameless: usize,
    /// When the last chips were finished.
    last: VecDeque<Instant>,
}

impl Tally {
    pub fn begin() -> Self {
        Self {
            begun: Instant::now(),
            initialised: BTreeSet::new(),
            personalized: BTreeSet::new(),
            spoiled: BTreeMap::new(),
            failed: BTreeMap::new(),
            nameless: 0,
            last: VecDeque::new(),
        }
    }

    /// Counts what a reader said.
    pub fn counts(&mut self, what: &What) {
        match what {
            What::Done(done) => {
                let counted = match done.kind {
                    Kind::Intake => &mut self.initialised,
                    Kind::Personalize => &mut self.personalized,
                };
                if counted.insert(done.serial) {
                    self.last.push_back(Instant::now());
                }
                self.failed.remove(&done.serial);
                while self.last.front().is_some_and(|at| at.elapsed() > WINDOW) {
                    self.last.pop_front();
                }
            }
            What::Failed(Some(serial), failure)
                if matches!(failure.code, Code::ChipSpoiled | Code::ReadBackRefused) =>
            {
                self.failed.remove(serial);
                self.spoiled.insert(*serial, failure.detail.clone());
            }
            What::Failed(Some(serial), failure) => {
                self.failed.insert(*serial, failure.code.word());
            }
            What::Failed(None, _) => self.nameless += 1,
            What::Again(..) | What::Progress(..) | What::State(_) => {}
        }
    }

    /// Whether no chip came to anything, good or bad.
    pub fn is_empty(&self) -> bool {
        self.initialised.is_empty()
            && self.personalized.is_empty()
            && self.spoiled.is_empty()
            && self.failed.is_empty()
            && self.nameless == 0
    }

    /// Whether every chip is done, and none is left in the journal.
    pub fn is_clean(&self, held: &[Entry]) -> bool {
        self.spoiled.is_empty() && self.failed.is_empty() && self.nameless == 0 && held.is_empty()
    }

    /// Returns the number of chips finished in a minute, over the last one.
    #[expect(clippy::cast_precision_loss, reason = "far fewer chips than 2^52")]
    fn per_minute(&self) -> f64 {
        let recent = self.last.iter().filter(|at| at.elapsed() <= WINDOW).count();
        let over = self.begun.elapsed().min(WINDOW).as_secs_f64();
        if recent == 0 || over == 0.0 { 0.0 } else { recent as f64 * 60.0 / over }
    }

    /// Returns the line for all readers.
    #[expect(clippy::cast_precision_loss, reason = "far fewer chips than 2^52")]
    pub fn line(&self, left: Option<u64>) -> String {
        let mut line = format!("{} cards", self.personalized.len());
        let mut adds = |number: usize, what: &str| {
            if number > 0 {
                let _ = write!(line, ", {number} {what}");
            }
        };
        adds(self.initialised.len(), "taken in");
        adds(self.spoiled.len(), "spoiled");
        adds(self.failed.len() + self.nameless, "failed");
        let rate = self.per_minute();
        let _ = write!(line, "; {rate:.0} a minute");
        if let Some(left) = left.filter(|_| rate > 0.0) {
            let minutes = left as f64 / rate;
            let _ = if minutes < 1.5 {
                write!(line, "; {left} left, {:.0} s", minutes * 60.0)
            } else {
                write!(line, "; {left} left, {minutes:.0} min")
            };
        }
        line
    }

    /// Returns the sum of the run for a script.
    pub fn summary(&self, readers: &[String], held: &[Entry]) -> Value {
        let is_held = |serial: &CardSerial| held.iter().any(|entry| entry.serial == *serial);
        let spoiled = self.spoiled.iter().map(|(serial, reason)| json!({ "serial": serial, "reason": reason }));
        let failed = self.failed.iter().filter(|(serial, _)| !is_held(serial));
        let failed = failed.map(|(serial, code)| json!({ "serial": serial, "code": code }));
        let held = held.iter().map(
            |entry| json!({ "serial": entry.serial, "reader": entry.reader, "code": self.failed.get(&entry.serial) }),
        );
        json!({ "summary": {
            "readers": readers.len(),
            "seconds": self.begun.elapsed().as_secs_f64(),
            "personalized": self.personalized.len(),
            "initialised": self.initialised.len(),
            "spoiled": spoiled.collect::<Vec<_>>(),
            "failed": failed.collect::<Vec<_>>(),
            "nameless": self.nameless,
            "held": held.collect::<Vec<_>>(),
        } })
    }

    /// Returns the sum of the run for a person: a line, and one for each chip that is not done.
    pub fn sentences(&self, held: &[Entry]) -> String {
        let mut text = format!("{} in {} s", self.line(None), self.begun.elapsed().as_secs());
        for (serial, reason) in &self.spoiled {
            let _ = write!(text, "\n  {serial} spoiled: {reason}");
        }
        for (serial, code) in &self.failed {
            if held.iter().all(|entry| entry.serial != *serial) {
                let _ = write!(text, "\n  {serial} failed: {code}");
            }
        }
        for entry in held {
            let code = self.failed.get(&entry.serial).copied().unwrap_or("unfinished");
            let _ = write!(text, "\n  {} held: {code}; present it again in any reader", entry.serial);
        }
        text
    }
}

/// Returns what a reader said as a line for a script: reader, serial, state, and what belongs to it.
pub fn event(reader: &str, what: &What) -> Value {
    match what {
        What::Again(serial, _) => json!({ "reader": reader, "serial": serial, "state": "again" }),
        What::Done(done) => json!({
            "reader": reader,
            "serial": done.serial,
            "state": "done",
            "outcome": done.outcome.word(),
            "card_id": done.outcome.card_id(),
            "attempts": done.attempts,
            "resumed": done.resumed,
            "slip": done.slip,
            "strides": done.strides,
        }),
        What::Failed(serial, failure) => {
            let spoiled = matches!(failure.code, Code::ChipSpoiled | Code::ReadBackRefused);
            json!({ "reader": reader, "serial": serial, "state": if spoiled { "spoiled" } else { "failed" } })
        }
        What::Progress(phase, commands) => json!({ "reader": reader, "phase": phase, "commands": commands }),
        What::State(state) => json!({ "reader": reader, "state": state.word() }),
    }
}

/// The rate is that of the last minute.
const WINDOW: Duration = Duration::from_mins(1);
