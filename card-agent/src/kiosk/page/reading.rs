//! One card, from the reader to the verdict, on a thread of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crypto::conversation::Fault;
use crypto::inspection::{Evidence, Holder, Judgement, Password, Request, Step};
use crypto::lds::File;
use crypto::sod::Sod;
use time::{OffsetDateTime, UtcOffset};

use super::report::Record;
use super::screen::{Answer, BundleFace, Person, Shown, Word};
use super::trust::Keeper;
use crate::ambient;
use crate::client::{Connection, HttpService};
use crate::failure::{Code, Failure};
use crate::kiosk::{self, Demands};
use crate::session::{Limits, Session, Stop};
use crate::transport::pcsc::{Patience, PcscCard};

/// What every reading of a kiosk goes by.
pub(super) struct Rules {
    pub keeper: Mutex<Keeper>,
    pub demands: Demands,
    /// The service that is asked whether a card counts; none: no service is.
    pub service: Option<Arc<Connection>>,
    pub offset: UtcOffset,
    pub limit: Duration,
    /// Privacy mode: only whether the person has completed so many years is said.
    pub over: Option<u8>,
}

/// How a reading ended.
pub(super) enum Ended {
    /// The password was not the card's.
    WrongPassword { tries_left: Option<u8> },
    /// With a verdict, and with what a report says of it.
    Shown(Box<Shown>, Box<Record>),
    /// Before there was one.
    Failed(Failure),
}

/// One card in a reader.
pub(super) struct Visit {
    pub number: u64,
    pub reader: String,
    pub password: Password,
    pub stop: Stop,
}

impl Rules {
    /// Returns the present moment where the State that issues the cards counts its days.
    pub(super) fn now(&self) -> OffsetDateTime {
        ambient::now().to_offset(self.offset)
    }

    /// Returns the dates of the trust bundle that counts now.
    ///
    /// # Errors
    /// That there is none.
    pub(super) fn bundle(&self) -> Result<BundleFace, Failure> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.current(self.now(), self.limit).map(|bundle| (&*bundle).into())
    }

    /// Reads and judges one card, as `card-agent inspect` does. Tells each step that begins, from 0.
    pub(super) fn read(&self, visit: &Visit, tell: impl FnMut(usize)) -> Ended {
        self.judged(visit, tell).unwrap_or_else(Ended::Failed)
    }

    fn judged(&self, visit: &Visit, mut tell: impl FnMut(usize)) -> Result<Ended, Failure> {
        let at = self.now();
        let trust = {
            let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
            keeper.current(at, self.limit)?
        };
        let card = PcscCard::connect(&visit.reader, Patience::default())?;
        let mut told = None;
        let progress = move |phase: &str, _: usize| {
            let step = Step::PROCEDURE.iter().position(|step| step.name() == phase);
            if step != told {
                told = step;
                step.into_iter().for_each(&mut tell);
            }
        };
        let session = Session::new(card).stopping(visit.stop.clone()).watched(progress);
        let mut session = session.limited_since(Instant::now(), Limits::of(self.limit));
        let request = Request { password: visit.password.clone(), challenge: ambient::challenge(), groups: None };
        let (evidence, judgement) = kiosk::inspect(&mut session, &request, &trust, at)?;
        drop(session);
        let Judgement { mut verdict, holder } = judgement;
        if let Some(connection) = &self.service {
            let service = HttpService::new(connection)?;
            service.work_within(Instant::now(), self.limit, &visit.stop);
            kiosk::ask_online(&mut verdict, &evidence, &service, at.offset());
        }
        self.demands.apply(&mut verdict);
        let failure = self.demands.conclude(&evidence, &verdict).err();
        if failure.as_ref().is_some_and(|failure| failure.code == Code::WrongPassword) {
            return Ok(Ended::WrongPassword { tries_left: tries_left(&evidence) });
        }
        let word = match failure.as_ref().map(|failure| failure.code) {
            None => Word::Trusted,
            Some(Code::Refused | Code::CardExpired | Code::CardRevoked) => Word::Refused,
            Some(_) => Word::Unknown,
        };
        let record = Record {
            at,
            reader: visit.reader.clone(),
            verdict: verdict.clone(),
            code: failure.as_ref().map(|failure| failure.code),
            document: evidence.file(File::Sod).and_then(|raw| Sod::parse(raw).ok()).map(|sod| sod.fingerprint()),
            bundle: (&*trust).into(),
        };
        let trusted = holder.filter(|_| word == Word::Trusted);
        let answer = self.over.filter(|_| word == Word::Trusted);
        let shown = Shown {
            visit: visit.number,
            word,
            failure,
            findings: if self.over.is_some() { Vec::new() } else { verdict.findings().to_vec() },
            answer: answer.map(|years| Answer::of(trusted.as_ref().and_then(Holder::birth), at.date(), years)),
            person: trusted.filter(|_| self.over.is_none()).map(|holder| Person::of(&holder, at.date())),
            card_is_there: true,
        };
        Ok(Ended::Shown(Box::new(shown), Box::new(record)))
    }
}

/// Returns how often the password may be tried again, if the chip said so.
fn tries_left(evidence: &Evidence) -> Option<u8> {
    evidence.access.failed.iter().find_map(|(_, fault)| match fault {
        Fault::WrongPassword { tries_left } => *tries_left,
        _ => None,
    })
}
