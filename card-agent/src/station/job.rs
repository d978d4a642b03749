//! Intake and personalization of one chip, and what to do with what was left unfinished.

use std::time::Instant;

use crypto::{
    identity::CardSerial,
    perso::{self, LifeCycle, Order, Presentation, Receipt},
    pki::trust_bundle::TrustBundle,
};
use serde::Serialize;
use time::OffsetDateTime;
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    journal::{Entry, Event, Journal, Kind, Stage},
    read_back::read_back,
};
use crate::{
    client::{ActiveAuthenticationProof, IdempotencyKey, Outcome, Problem, ReadBack, Service, ServiceError},
    failure::{Code, Failure},
    session::Session,
    transport::Reader,
};

/// Orders tried on one chip before it is given up.
const ATTEMPTS: usize = 3;

/// What a finished chip leaves for the operator to see.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Done {
    /// The chip.
    pub serial: CardSerial,
    /// The service's word.
    pub outcome: Outcome,
    /// Orders that were needed, this time.
    pub attempts: usize,
    /// Whether the chip had been begun earlier.
    pub resumed: bool,
    /// What was done, in order, and how long each stride took.
    pub strides: Vec<Stride>,
}

/// One stride of the work on a chip: a dialogue with the chip or with the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Stride {
    /// `present`, `order`, `play`, `read-back` or `report`.
    pub name: &'static str,
    /// From its begin to its end.
    pub microseconds: u128,
}

/// A station at work: the service, the journal, the clock.
pub struct Station<'a, S> {
    service: &'a S,
    journal: Journal,
    trust: Option<TrustBundle>,
    now: fn() -> OffsetDateTime,
    strides: Vec<Stride>,
}

impl<'a, S: Service> Station<'a, S> {
    /// A station that asks `service` and keeps `journal`.
    pub fn new(service: &'a S, journal: Journal, now: fn() -> OffsetDateTime) -> Self {
        Self { service, journal, trust: None, now, strides: Vec::new() }
    }

    /// Also judges finished cards against this bundle, as a kiosk would.
    pub fn trusting(mut self, trust: TrustBundle) -> Self {
        self.trust = Some(trust);
        self
    }

    /// What is unfinished.
    pub fn unfinished(&self) -> &[Entry] {
        self.journal.unfinished()
    }

    /// Does `kind` with the chip in this reader. Whatever was left unfinished in this reader or with this chip comes first.
    ///
    /// # Errors
    /// [`Failure`]; the journal then holds what the next run resumes, or the chip is accounted for.
    pub fn run<R: Reader>(&mut self, kind: Kind, session: &mut Session<'_, R>, reader: &str) -> Result<Done, Failure> {
        let begun = Instant::now();
        session.phase().begins("present");
        session.reset()?;
        let presentation = perso::present(session)?;
        self.strode("present", begun);
        let serial = presentation.serial;
        let settled = self.settle(reader, Some(&serial))?;
        if let Some((.., outcome)) = settled.into_iter().find(|(of, done, _)| *of == serial && *done == kind) {
            return Ok(Done { serial, outcome, attempts: 0, resumed: true, strides: self.strides() });
        }
        let unfinished: Vec<Entry> = self.journal.unfinished().to_vec();
        if let Some(other) = unfinished.iter().find(|entry| entry.reader == reader && entry.serial != serial) {
            return Err(Failure::new(
                Code::UnfinishedEntry,
                format!("chip {} was begun here and is not finished", other.serial),
            ));
        }
        match unfinished.into_iter().find(|entry| entry.serial == serial) {
            Some(entry) if entry.kind == kind => {
                info!(card.serial = %serial, "resuming chip {serial}");
                self.work(entry.id, kind, session, presentation, true)
            }
            Some(entry) => {
                info!(card.serial = %serial, "finishing the other work on chip {serial} first");
                self.work(entry.id, entry.kind, session, presentation, true)?;
                self.run(kind, session, reader)
            }
            None => {
                let id = self.journal.begin(kind, serial, reader, (self.now)())?;
                self.work(id, kind, session, presentation, false)
            }
        }
    }

    /// Reports what needs no chip any more: receipts that did not reach the service, spoiled chips it was not told of.
    /// Only of this reader or this chip; another process may be at work on the others. Gives what came to its end by that.
    ///
    /// # Errors
    /// [`Failure`] of the service or the journal.
    pub fn settle(
        &mut self,
        reader: &str,
        serial: Option<&CardSerial>,
    ) -> Result<Vec<(CardSerial, Kind, Outcome)>, Failure> {
        let mut finished = Vec::new();
        for entry in self.journal.unfinished().to_vec() {
            if entry.reader != reader && Some(&entry.serial) != serial {
                continue;
            }
            match entry.stage {
                Stage::AwaitAccount { reason, evidence } => {
                    self.account(entry.id, &entry.serial, &reason, &evidence)?
                }
                Stage::AwaitReport { receipt, proof } => {
                    let outcome = self.report(entry.id, entry.kind, &receipt, proof.as_ref())?;
                    finished.extend(outcome.map(|outcome| (entry.serial, entry.kind, outcome)));
                }
                Stage::AwaitOrder | Stage::AwaitReceipt => {}
            }
        }
        Ok(finished)
    }

    /// Gives up a chip that cannot be presented any more, on the operator's word.
    ///
    /// # Errors
    /// [`Failure`] of the service or the journal; the next run tells the service again.
    pub fn spoil(&mut self, serial: CardSerial, reader: &str, reason: &str) -> Result<(), Failure> {
        let known = self.journal.unfinished().iter().find(|entry| entry.serial == serial).map(|entry| entry.id);
        let id = match known {
            Some(id) => id,
            None => self.journal.begin(Kind::Intake, serial, reader, (self.now)())?,
        };
        self.give_up(id, &serial, reason, "on the operator's word")
    }

    fn work<R: Reader>(
        &mut self,
        id: Uuid,
        kind: Kind,
        session: &mut Session<'_, R>,
        mut presentation: Presentation,
        resumed: bool,
    ) -> Result<Done, Failure> {
        let serial = presentation.serial;
        let mut last = String::new();
        for attempts in 1..=ATTEMPTS {
            if matches!(presentation.life_cycle, LifeCycle::Locked | LifeCycle::Terminated) {
                self.give_up(id, &serial, "chip-locked", "the chip announces that it is locked or terminated")?;
                return Err(Failure::new(Code::ChipSpoiled, format!("chip {serial} is locked")));
            }
            let begun = Instant::now();
            let (order, back) = self.order(id, kind, &presentation)?;
            self.strode("order", begun);
            self.note(id, Event::Ordered { order: order.id.clone() })?;
            info!(card.serial = %serial, order.id = %order.id, commands = order.commands.len(), "playing order {}", order.id);
            session.phase().begins(match kind {
                Kind::Intake => "intake",
                Kind::Personalize => "personalize",
            });
            let begun = Instant::now();
            let (receipt, cut) = perso::play(session, &order, &mut |_| {});
            self.strode("play", begun);
            self.note(id, Event::Played { receipt: receipt.clone() })?;
            let mut proof = None;
            if let (true, Some(back)) = (receipt.answers(&order), back) {
                let begun = Instant::now();
                proof = self.read_back(id, &serial, session, &back)?;
                self.strode("read-back", begun);
            }
            let begun = Instant::now();
            let outcome = self.report(id, kind, &receipt, proof.as_ref())?;
            self.strode("report", begun);
            if let Some(outcome) = outcome {
                return Ok(Done { serial, outcome, attempts, resumed, strides: self.strides() });
            }
            if let Some(error) = cut {
                return Err(error.into());
            }
            last = match receipt.responses.last() {
                Some(answer) if !receipt.answers(&order) => {
                    format!("the chip answered command {} with {}", receipt.responses.len(), status(answer))
                }
                _ => "the service found the receipt incomplete".to_owned(),
            };
            warn!(card.serial = %serial, "order {} did not suffice: {last}", order.id);
            session.phase().begins("present");
            session.reset()?;
            presentation = perso::present(session)?;
            if presentation.serial != serial {
                return Err(Failure::new(Code::UnfinishedEntry, format!("chip {serial} was swapped for another")));
            }
        }
        self.give_up(id, &serial, "orders-exhausted", &last)?;
        Err(Failure::new(Code::ChipSpoiled, format!("chip {serial}: {ATTEMPTS} orders did not suffice; {last}")))
    }

    /// Shows the operator that something was done, and remembers how long it took.
    fn strode(&mut self, name: &'static str, begun: Instant) {
        let microseconds = begun.elapsed().as_micros();
        info!(stride = name, microseconds, "{name} done");
        self.strides.push(Stride { name, microseconds });
    }

    fn strides(&mut self) -> Vec<Stride> {
        std::mem::take(&mut self.strides)
    }

    fn order(
        &mut self,
        id: Uuid,
        kind: Kind,
        presentation: &Presentation,
    ) -> Result<(Order, Option<ReadBack>), Failure> {
        let key = IdempotencyKey::fresh();
        let answer = match kind {
            Kind::Intake => self.service.intake_order(presentation, &key).map(|order| (order, None)),
            Kind::Personalize => self
                .service
                .personalization_order(presentation, &key)
                .map(|answer| (answer.order, Some(answer.read_back))),
        };
        answer.or_else(|error| {
            if let ServiceError::Problem(problem) = &error
                && is_about_the_chip(problem)
            {
                // The chip stays what the ledger believes it to be, unless it says that it already is a card.
                if presentation.life_cycle == LifeCycle::Personalized
                    && kind == Kind::Personalize
                    && self.was_ordered(id)
                {
                    self.give_up(id, &presentation.serial, &problem.code, "personalized, and refused by the service")?;
                } else {
                    self.note(id, Event::Withdrawn { reason: problem.code.clone() })?;
                }
            }
            Err(error.into())
        })
    }

    fn read_back<R: Reader>(
        &mut self,
        id: Uuid,
        serial: &CardSerial,
        session: &mut Session<'_, R>,
        back: &ReadBack,
    ) -> Result<Option<ActiveAuthenticationProof>, Failure> {
        let result = read_back(session, back, self.trust.as_ref(), (self.now)())?;
        if let Some(refuted) = result.refuted {
            self.give_up(id, serial, "read-back-refused", &refuted)?;
            return Err(Failure::new(Code::ReadBackRefused, refuted));
        }
        if let Some(proof) = &result.proof {
            self.note(id, Event::Proved { proof: proof.clone() })?;
        }
        Ok(result.proof)
    }

    /// The outcome, if it is final; none if another order is needed.
    fn report(
        &mut self,
        id: Uuid,
        kind: Kind,
        receipt: &Receipt,
        proof: Option<&ActiveAuthenticationProof>,
    ) -> Result<Option<Outcome>, Failure> {
        let key = IdempotencyKey::of_receipt(&receipt.order, proof.is_some());
        let answer = match kind {
            Kind::Intake => self.service.intake_receipt(receipt, &key),
            Kind::Personalize => self.service.personalization_receipt(receipt, proof, &key),
        };
        match answer {
            Ok(outcome) if outcome.is_incomplete() => {
                self.note(id, Event::Incomplete)?;
                Ok(None)
            }
            Ok(outcome) => {
                self.note(id, Event::Finished)?;
                Ok(Some(outcome))
            }
            Err(ServiceError::Problem(problem)) if is_about_the_chip(&problem) => {
                warn!(problem = problem.code, "the service does not take the receipt: {}", problem.title);
                self.note(id, Event::Incomplete)?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn give_up(&mut self, id: Uuid, serial: &CardSerial, reason: &str, evidence: &str) -> Result<(), Failure> {
        self.note(id, Event::Spoiled { reason: reason.to_owned(), evidence: evidence.to_owned() })?;
        self.account(id, serial, reason, evidence)
    }

    fn account(&mut self, id: Uuid, serial: &CardSerial, reason: &str, evidence: &str) -> Result<(), Failure> {
        match self.service.spoiled(serial, reason, evidence, &IdempotencyKey::of_spoiled(id)) {
            Ok(()) => {}
            // It knows already: another report of the same chip came first.
            Err(ServiceError::Problem(problem)) if problem.code == "chip-spoiled" => {}
            // It does not account for this chip on this station's word (a finished card takes an officer and a witness), and
            // never will: the entry ends, and nobody is told that the chip was accounted for.
            Err(ServiceError::Problem(problem)) if problem.code.starts_with("chip-") => {
                self.note(id, Event::Withdrawn { reason: problem.code.clone() })?;
                return Err(ServiceError::Problem(problem).into());
            }
            Err(error) => return Err(error.into()),
        }
        warn!(card.serial = %serial, "chip {serial} is spoiled and accounted for: {reason}");
        self.note(id, Event::Accounted)
    }

    fn was_ordered(&self, id: Uuid) -> bool {
        self.journal.entry(id).is_some_and(|entry| entry.ordered)
    }

    fn note(&mut self, id: Uuid, event: Event) -> Result<(), Failure> {
        Ok(self.journal.record(id, event, (self.now)())?)
    }
}

/// The status word at the end of a raw response.
fn status(response: &[u8]) -> String {
    hex::encode_upper(&response[response.len().saturating_sub(2)..])
}

/// Whether a refusal says something of this chip, rather than of the station, the request or the moment.
fn is_about_the_chip(problem: &Problem) -> bool {
    matches!(problem.status, 404 | 409 | 410 | 422) || problem.code.starts_with("chip-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::PersonalizationOrder;

    /// A service that answers every account with this refusal.
    struct Refusing(&'static str);

    impl Service for Refusing {
        fn intake_order(&self, _: &Presentation, _: &IdempotencyKey) -> Result<Order, ServiceError> {
            unreachable!("no chip is presented")
        }

        fn intake_receipt(&self, _: &Receipt, _: &IdempotencyKey) -> Result<Outcome, ServiceError> {
            unreachable!("nothing is played")
        }

        fn personalization_order(
            &self,
            _: &Presentation,
            _: &IdempotencyKey,
        ) -> Result<PersonalizationOrder, ServiceError> {
            unreachable!("no chip is presented")
        }

        fn personalization_receipt(
            &self,
            _: &Receipt,
            _: Option<&ActiveAuthenticationProof>,
            _: &IdempotencyKey,
        ) -> Result<Outcome, ServiceError> {
            unreachable!("nothing is played")
        }

        fn spoiled(&self, _: &CardSerial, _: &str, _: &str, _: &IdempotencyKey) -> Result<(), ServiceError> {
            let problem = Problem { code: self.0.to_owned(), status: 409, ..Problem::default() };
            Err(ServiceError::Problem(Box::new(problem)))
        }
    }

    /// What the service made of `spoil`, and how many entries of the journal are left.
    fn spoils(code: &'static str) -> (Result<(), Failure>, usize) {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path()).expect("a journal");
        let service = Refusing(code);
        let mut station = Station::new(&service, journal, || OffsetDateTime::UNIX_EPOCH);
        let done = station.spoil(CardSerial([7; 10]), "reader", "bent");
        (done, station.unfinished().len())
    }

    #[test]
    fn a_chip_counts_as_accounted_for_only_if_the_service_says_so() {
        assert!(matches!(spoils("chip-spoiled"), (Ok(()), 0)), "it knew already");
        assert!(matches!(spoils("chip-already-personalized"), (Err(_), 0)), "an officer must; the station is done");
        assert!(matches!(spoils("idempotency-key-in-use"), (Err(_), 1)), "to be told again");
    }
}
