//! Intake and personalization of one chip, and the resumption of unfinished work.

use std::sync::Arc;
use std::time::Instant;

use crypto::identity::CardSerial;
use crypto::perso::problem::ProblemCode;
use crypto::perso::{self, LifeCycle, Order, Presentation, Receipt};
use crypto::pki::trust_bundle::TrustBundle;
use serde::Serialize;
use time::OffsetDateTime;
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::journal::{Claim, Entry, Event, Journal, Kind, Stage};
use super::read_back::read_back;
use super::refusal::{Accounting, Consequence, accounting, consequence};
use crate::client::{ActiveAuthentication, IdempotencyKey, Outcome, Problem, ReadBack, Service, ServiceError};
use crate::failure::{Code, Failure};
use crate::session::Session;
use crate::transport::Reader;

/// The number of orders that are tried on a chip before it is given up.
const ATTEMPTS: usize = 3;

/// The result of the work on a chip, for the operator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Done {
    /// The kind of the work.
    pub kind: Kind,
    /// The serial number of the chip.
    pub serial: CardSerial,
    /// What the service concluded.
    pub outcome: Outcome,
    /// The number of orders that this run needed.
    pub attempts: usize,
    /// Whether the chip had been begun earlier.
    pub resumed: bool,
    /// The slip of the application that the chip was written for, as far as this run learned it.
    pub slip: Option<String>,
    /// The strides of this run, in order.
    pub strides: Vec<Stride>,
}

/// One stride of the work on a chip: a dialogue with the chip or with the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Stride {
    /// `present`, `order`, `play`, `read-back` or `report`.
    pub name: &'static str,
    /// Its duration.
    pub microseconds: u128,
}

/// A station at work: the service, the journal, the clock.
pub struct Station<'a, S> {
    service: &'a S,
    journal: Journal,
    trust: Option<Arc<TrustBundle>>,
    /// The slip of the application that the next chip is wanted for; none: the one that waits longest.
    slip: Option<String>,
    takes_in: bool,
    in_any_order: bool,
    /// The chip that was presented last.
    presented: Option<CardSerial>,
    /// The chip that is being settled; it stays after a failure.
    settling: Option<CardSerial>,
    claim: Option<Claim>,
    now: fn() -> OffsetDateTime,
    strides: Vec<Stride>,
    finished: Vec<Done>,
    /// How many of the finished were the answer to an earlier run, and answer no other.
    answered: usize,
}

impl<'a, S: Service> Station<'a, S> {
    /// Returns a station that asks `service` and keeps `journal`.
    pub fn new(service: &'a S, journal: Journal, now: fn() -> OffsetDateTime) -> Self {
        Self {
            service,
            journal,
            trust: None,
            slip: None,
            takes_in: false,
            in_any_order: false,
            presented: None,
            settling: None,
            claim: None,
            now,
            strides: Vec::new(),
            finished: Vec::new(),
            answered: 0,
        }
    }

    /// Returns the unfinished entries of the journal.
    pub fn unfinished(&self) -> Vec<Entry> {
        self.journal.unfinished()
    }

    /// Makes the station judge finished cards against this bundle, as a kiosk does.
    #[must_use]
    pub fn trusting(mut self, trust: TrustBundle) -> Self {
        self.trust(trust);
        self
    }

    /// As [`Self::trusting`], once the bundle is there.
    pub fn trust(&mut self, trust: impl Into<Arc<TrustBundle>>) {
        self.trust = Some(trust.into());
    }

    /// Makes personalization take a blank in first.
    pub fn take_in(&mut self, takes_in: bool) {
        self.takes_in = takes_in;
    }

    /// Lets chips come in any order: one that was begun in this reader need not be finished before the next. The caller
    /// asks for it otherwise.
    pub fn in_any_order(&mut self) {
        self.in_any_order = true;
    }

    /// Returns the chip that was presented last; none if none could be.
    pub fn presented(&self) -> Option<CardSerial> {
        self.presented
    }

    /// Returns the chip that the last [`Self::settle`] failed at; none if it went well.
    pub fn unsettled(&self) -> Option<CardSerial> {
        self.settling
    }

    /// Makes the station ask for the application with this slip. A chip that was begun before goes on for the
    /// application that it is bound to: [`Done::slip`] says for which.
    pub fn for_slip(&mut self, slip: Option<String>) {
        self.slip = slip;
    }

    /// Returns what this station has finished, oldest first: the asked work, receipts of an earlier run that were
    /// reported, and other work on the chip that came first. It stays finished when the next step fails, so it is to be
    /// told in any case.
    pub fn finished(&self) -> &[Done] {
        &self.finished
    }

    /// Does this kind of work with the chip in this reader. Unfinished work in this reader or with
    /// this chip is done first; a chip that turns out to be a finished card is not asked to be stock again.
    ///
    /// # Errors
    /// [`Failure`]; the journal then holds what the next run resumes, or the chip is accounted for.
    pub fn run<R: Reader>(&mut self, kind: Kind, session: &mut Session<'_, R>, reader: &str) -> Result<Done, Failure> {
        self.presented = None;
        let done = self.run_on(kind, session, reader);
        self.claim = None;
        self.answered = self.finished.len();
        done
    }

    fn run_on<R: Reader>(&mut self, kind: Kind, session: &mut Session<'_, R>, reader: &str) -> Result<Done, Failure> {
        self.strides.clear();
        let begun = Instant::now();
        session.phase().begins("present");
        session.reset()?;
        let presentation = perso::present(session)?;
        self.strode("present", begun);
        let serial = presentation.serial;
        self.presented = Some(serial);
        if self.claim.as_ref().is_none_or(|claim| claim.serial() != serial) {
            let elsewhere =
                || Failure::new(Code::UnfinishedEntry, format!("chip {serial} is still at work in another reader"));
            self.claim = Some(self.journal.claim(serial).ok_or_else(elsewhere)?);
        }
        self.settle(reader, Some(&serial))?;
        if let Some(done) =
            self.finished[self.answered..].iter_mut().find(|done| done.serial == serial && done.kind >= kind)
        {
            done.strides = std::mem::take(&mut self.strides);
            return Ok(done.clone());
        }
        let unfinished = self.journal.unfinished();
        let is_other = |entry: &&Entry| entry.reader == reader && entry.serial != serial && !self.in_any_order;
        if let Some(other) = unfinished.iter().find(is_other) {
            return Err(Failure::new(
                Code::UnfinishedEntry,
                format!("chip {} was begun here and is not finished", other.serial),
            ));
        }
        if unfinished.iter().all(|entry| entry.serial != serial) {
            self.journal.has_room()?;
        }
        match unfinished.into_iter().find(|entry| entry.serial == serial) {
            Some(entry) if entry.kind == kind => {
                info!(card.serial = %serial, "resuming chip {serial}");
                self.work(entry.id, kind, session, presentation, true)
            }
            Some(entry) => {
                info!(card.serial = %serial, "finishing the other work on chip {serial} first");
                let done = self.work(entry.id, entry.kind, session, presentation, true)?;
                if entry.kind > kind { Ok(done) } else { self.run_on(kind, session, reader) }
            }
            None if self.takes_in && kind == Kind::Personalize && presentation.life_cycle == LifeCycle::Blank => {
                let id = self.journal.begin(Kind::Intake, serial, reader, (self.now)())?;
                self.work(id, Kind::Intake, session, presentation, false)?;
                self.run_on(kind, session, reader)
            }
            None => {
                let id = self.journal.begin(kind, serial, reader, (self.now)())?;
                self.work(id, kind, session, presentation, false)
            }
        }
    }

    /// Reports what needs no chip any more: receipts that did not reach the service, and spoiled chips that it
    /// was not told of. Only of this reader or this chip, because another process may be at work on the others;
    /// and chips spoiled without a reader, whose failure does not hold up this reader. Work that is finished by a
    /// report is in [`Self::finished`].
    ///
    /// # Errors
    /// [`Failure`] of the service or the journal.
    pub fn settle(&mut self, reader: &str, serial: Option<&CardSerial>) -> Result<(), Failure> {
        for entry in self.journal.unfinished() {
            let is_ours = entry.reader == reader || Some(&entry.serial) == serial;
            let has_claim = self.claim.as_ref().is_some_and(|claim| claim.serial() == entry.serial);
            let claim = if has_claim { None } else { self.journal.claim(entry.serial) };
            if !has_claim && claim.is_none() {
                continue; // another reader of this process is at work on it
            }
            // Another reader may have ended it before it was claimed here.
            let Some(entry) = self.journal.entry(entry.id) else { continue };
            self.settling = Some(entry.serial);
            match entry.stage {
                Stage::AwaitAccount { reason, evidence } if is_ours => {
                    self.account(entry.id, &entry.serial, &reason, &evidence)?;
                }
                Stage::AwaitAccount { reason, evidence } if entry.reader.is_empty() => {
                    if let Err(failure) = self.account(entry.id, &entry.serial, &reason, &evidence) {
                        warn!(card.serial = %entry.serial, "chip {} is not accounted for yet: {failure}", entry.serial);
                    }
                }
                Stage::AwaitReport { receipt, proof } if is_ours => {
                    if let Some(outcome) = self.report(entry.id, entry.kind, &receipt, proof.as_ref())? {
                        let (kind, serial) = (entry.kind, entry.serial);
                        let done =
                            Done { kind, serial, outcome, attempts: 0, resumed: true, slip: None, strides: Vec::new() };
                        self.finished.push(done);
                    }
                }
                Stage::AwaitAccount { .. } | Stage::AwaitOrder | Stage::AwaitReceipt | Stage::AwaitReport { .. } => {}
            }
            self.settling = None;
        }
        self.settling = None;
        Ok(())
    }

    /// Gives up a chip that cannot be presented any more, on the operator's word. `reader` is empty if it lay in none.
    ///
    /// # Errors
    /// [`Code::InputUnusable`] without a reason; [`Failure`] of the service or the journal: the next run
    /// tells the service again.
    pub fn spoil(&mut self, serial: CardSerial, reader: &str, reason: &str) -> Result<(), Failure> {
        if reason.trim().is_empty() {
            return Err(Failure::new(Code::InputUnusable, "a chip is not written off without a reason"));
        }
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
        let wanted = if resumed { None } else { self.slip.clone() };
        for attempts in 1..=ATTEMPTS {
            if matches!(presentation.life_cycle, LifeCycle::Locked | LifeCycle::Terminated) {
                self.give_up(id, &serial, "chip-locked", "the chip announces that it is locked or terminated")?;
                return Err(Failure::new(Code::ChipSpoiled, format!("chip {serial} is locked")));
            }
            let begun = Instant::now();
            let (order, card) = self.order(id, kind, &presentation, wanted.as_deref())?;
            self.strode("order", begun);
            if let Some(voucher) = card.as_ref().and_then(|card| card.voucher.as_ref()) {
                self.journal.keep_voucher(&order, voucher, (self.now)().into())?;
            }
            let (back, slip) = card.map(|card| (card.back, card.slip)).unzip();
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
                let done = Done { kind, serial, outcome, attempts, resumed, slip, strides: self.strides() };
                self.finished.push(done.clone());
                return Ok(done);
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

    /// Logs the end of a stride, and keeps its duration.
    fn strode(&mut self, name: &'static str, begun: Instant) {
        let microseconds = begun.elapsed().as_micros();
        debug!(stride = name, microseconds, "{name} done");
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
        slip: Option<&str>,
    ) -> Result<(Order, Option<OfCard>), Failure> {
        self.journal.has_room()?;
        let key = IdempotencyKey::fresh();
        let answer = match kind {
            Kind::Intake => self.service.intake_order(presentation, &key).map(|order| (order, None)),
            Kind::Personalize => self.service.personalization_order(presentation, slip, &key).map(|answer| {
                let card = OfCard { back: answer.read_back, slip: answer.slip, voucher: answer.voucher };
                (answer.order, Some(card))
            }),
        };
        answer.or_else(|error| {
            if let ServiceError::Problem(problem) = &error
                && consequence(problem) == Consequence::Judged
            {
                if is_elsewhere(problem) {
                    return Err(self.lost(id, &presentation.serial, problem.clone())?);
                }
                // The chip stays what the ledger has it as, unless it announces that it already is a card.
                if presentation.life_cycle == LifeCycle::Personalized
                    && kind == Kind::Personalize
                    && self.was_ordered(id)
                {
                    let (serial, code) = (&presentation.serial, &problem.code);
                    self.give_up(id, serial, code.word(), "personalized, and refused by the service")?;
                    return Err(Failure::new(
                        Code::ChipSpoiled,
                        format!("chip {serial} is personalized, and the service refuses it: {code}"),
                    ));
                }
                self.note(id, Event::Withdrawn { reason: problem.code.to_string() })?;
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
    ) -> Result<Option<ActiveAuthentication>, Failure> {
        let result = read_back(session, back, self.trust.as_deref(), (self.now)())?;
        if let Some(refuted) = result.refuted {
            self.give_up(id, serial, "read-back-refused", &refuted)?;
            return Err(Failure::new(Code::ReadBackRefused, refuted));
        }
        if let Some(proof) = &result.proof {
            self.note(id, Event::Proved { proof: proof.clone() })?;
        }
        Ok(result.proof)
    }

    /// Reports a receipt. Returns the outcome if it is final, and none if another order is needed.
    fn report(
        &mut self,
        id: Uuid,
        kind: Kind,
        receipt: &Receipt,
        proof: Option<&ActiveAuthentication>,
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
            Ok(outcome) if !ends(kind, &outcome) => {
                Err(Failure::new(Code::ServiceAnswer, format!("`{}` for a receipt of {kind:?}", outcome.word())))
            }
            Ok(outcome) => {
                self.note(id, Event::Finished)?;
                Ok(Some(outcome))
            }
            Err(ServiceError::Problem(problem)) if is_elsewhere(&problem) => {
                let serial = self.journal.entry(id).map(|entry| entry.serial);
                Err(self.lost(id, &serial.expect("a receipt has an unfinished entry"), problem)?)
            }
            Err(ServiceError::Problem(problem)) if consequence(&problem) == Consequence::Judged => {
                warn!(problem = problem.code.word(), "the service does not take the receipt: {}", problem.title);
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
        let key = IdempotencyKey::of_spoiled(id, reason, evidence);
        match self.service.spoiled(serial, reason, evidence, &key) {
            Ok(()) => {}
            Err(ServiceError::Problem(problem)) => match accounting(&problem) {
                Accounting::Done => {}
                // A finished card, for example, takes an officer and a witness. The entry ends without an account.
                Accounting::Impossible => {
                    self.note(id, Event::Withdrawn { reason: problem.code.to_string() })?;
                    return Err(ServiceError::Problem(problem).into());
                }
                Accounting::Later => return Err(ServiceError::Problem(problem).into()),
            },
            Err(error) => return Err(error.into()),
        }
        warn!(card.serial = %serial, "chip {serial} is spoiled and accounted for: {reason}");
        self.note(id, Event::Accounted)
    }

    /// Ends the entry of a chip whose application went to another chip: the service has spoiled it by itself. Returns
    /// the failure.
    fn lost(&mut self, id: Uuid, serial: &CardSerial, problem: Box<Problem>) -> Result<Failure, Failure> {
        let evidence = "the service says so".to_owned();
        let reason = ProblemCode::BatchItemElsewhere.word().to_owned();
        self.note(id, Event::Spoiled { reason, evidence })?;
        self.note(id, Event::Accounted)?;
        let detail = format!(
            "chip {serial}: its application went to another chip; the service has spoiled it, whatever it says of itself: \
             put it with the waste"
        );
        Ok(Failure { problem: Some(problem), ..Failure::new(Code::ChipSpoiled, detail) })
    }

    fn was_ordered(&self, id: Uuid) -> bool {
        self.journal.entry(id).is_some_and(|entry| entry.ordered)
    }

    fn note(&mut self, id: Uuid, event: Event) -> Result<(), Failure> {
        Ok(self.journal.record(id, event, (self.now)())?)
    }
}

/// Whether the chip's application went to another chip: its lease ran out, and the batch went on without it.
fn is_elsewhere(problem: &Problem) -> bool {
    problem.code == ProblemCode::BatchItemElsewhere
}

/// Returns the status word at the end of a raw response, four hexadecimal digits.
fn status(response: &[u8]) -> String {
    hex::encode_upper(&response[response.len().saturating_sub(2)..])
}

/// Whether this outcome is the aim of this kind of work.
fn ends(kind: Kind, outcome: &Outcome) -> bool {
    match kind {
        Kind::Intake => matches!(outcome, Outcome::Initialised),
        Kind::Personalize => matches!(outcome, Outcome::Personalized { .. }),
    }
}

/// What comes with an order that makes a card.
#[derive(Debug)]
struct OfCard {
    back: ReadBack,
    slip: String,
    /// What the service needs to know the order again after a loss.
    voucher: Option<String>,
}

#[cfg(test)]
mod tests;
