//! Log-ins under way and sessions that are open, in memory and bounded: by place, by card and in all.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crypto::apdu::Response;
use crypto::conversation::Fault;
use crypto::log_in::{LogIn, Presence};
use crypto::perso::problem::ProblemCode;
use time::{Duration, OffsetDateTime};

use super::{CitizenError, Settings};
use crate::access::CitizenSessions;
use crate::ground::actor::{Citizen, Lasting};
use crate::ground::ids::{CardId, LogInId};
use crate::web::Origin;

/// What is under way and what is open.
#[derive(Debug)]
pub(super) struct Sessions {
    settings: Settings,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    running: HashMap<LogInId, Running>,
    /// By the SHA-256 of the token.
    open: HashMap<[u8; 32], Open>,
    /// When the minute of a place began, and how many log-ins began in it.
    begun: HashMap<Origin, (OffsetDateTime, u32)>,
    /// When a card was last recorded as one that opened nothing, by its document and why.
    recorded: HashMap<([u8; 32], ProblemCode), OffsetDateTime>,
}

/// A dialogue with a chip that has not proved itself yet.
#[derive(Debug)]
pub(super) struct Running {
    /// When it began.
    pub begun: OffsetDateTime,
    /// The place that it was begun from.
    pub origin: Origin,
    /// SHA-256 of the secret that each answer shows.
    pub ticket: [u8; 32],
    /// Fingerprint of the document.
    pub document: [u8; 32],
    /// Number of the command that waits for its answer.
    pub number: u32,
    /// The dialogue.
    pub talk: LogIn,
}

/// A session: the card is at the reader, and answers over a channel that ends here.
#[derive(Debug)]
struct Open {
    citizen: Citizen,
    log_in: LogInId,
    opened: OffsetDateTime,
    /// When the card answered last.
    proved: OffsetDateTime,
    number: u32,
    presence: Presence,
}

/// How a session goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// Seconds within which the card must answer.
    pub answer_within: u32,
    /// Seconds until it ends in any case.
    pub ends_within: u32,
}

impl Sessions {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a place begin a log-in, before anything is computed for it.
    ///
    /// # Errors
    /// [`CitizenError::Busy`]
    pub(super) fn admit(&self, origin: Origin, now: OffsetDateTime) -> Result<(), CitizenError> {
        let Settings { at_once, at_once_of_place, begun_in_a_minute, .. } = self.settings;
        let mut inner = self.inner();
        inner.forget(&self.settings, now);
        let here = inner.running.values().filter(|running| running.origin == origin).count();
        if inner.running.len() >= at_once || here >= at_once_of_place || inner.begun.len() >= PLACES {
            return Err(CitizenError::Busy { wait: 5 });
        }
        let (since, begun) = inner.begun.entry(origin).or_insert((now, 0));
        if *begun >= begun_in_a_minute {
            let wait = (*since + MINUTE - now).whole_seconds() + 1;
            return Err(CitizenError::Busy { wait: u64::try_from(wait).unwrap_or(1) });
        }
        *begun += 1;
        Ok(())
    }

    /// Keeps a dialogue that waits for an answer. With one card a few are under way at most: the oldest of the same
    /// place is given up, else the oldest. Those whose chip proved itself give way to such only, so that a copy of a
    /// card's files keeps its holder out of nothing that the chip began.
    pub(super) fn keep(&self, id: LogInId, running: Running) {
        let mut inner = self.inner();
        let proved = running.talk.has_proved();
        loop {
            let alike = |other: &Running| other.document == running.document && other.talk.has_proved() == proved;
            let others: Vec<_> = inner.running.iter().filter(|(_, other)| alike(other)).collect();
            let oldest = others.iter().min_by_key(|(id, other)| {
                let elsewhere = other.origin != running.origin;
                (elsewhere, other.begun, id.uuid())
            });
            match oldest.map(|(id, _)| **id) {
                Some(oldest) if others.len() >= self.settings.at_once_of_card.max(1) => {
                    inner.running.remove(&oldest);
                }
                _ => break,
            }
        }
        inner.running.insert(id, running);
    }

    /// Takes out the dialogue that waits for this answer. Without its secret there is none, and it goes on undisturbed;
    /// one that is answered out of turn is over.
    ///
    /// # Errors
    /// [`CitizenError::Unknown`]
    pub(super) fn take(
        &self,
        id: LogInId,
        ticket: &[u8; 32],
        number: u32,
        now: OffsetDateTime,
    ) -> Result<Running, CitizenError> {
        let mut inner = self.inner();
        inner.forget(&self.settings, now);
        if inner.running.get(&id).is_none_or(|running| running.ticket != *ticket) {
            return Err(CitizenError::Unknown);
        }
        inner.running.remove(&id).filter(|running| running.number == number).ok_or(CitizenError::Unknown)
    }

    /// Opens a session, and ends the one that the card had.
    ///
    /// # Errors
    /// [`CitizenError::Busy`]
    pub(super) fn open(
        &self,
        (log_in, number): (LogInId, u32),
        citizen: Citizen,
        presence: Presence,
        now: OffsetDateTime,
    ) -> Result<Left, CitizenError> {
        let mut inner = self.inner();
        inner.forget(&self.settings, now);
        inner.open.retain(|_, open| open.citizen.card != citizen.card);
        if inner.open.len() >= self.settings.sessions {
            return Err(CitizenError::Busy { wait: 30 });
        }
        let open = Open { citizen, log_in, opened: now, proved: now, number, presence };
        open.citizen.lasts.goes_on(open.time(&self.settings));
        let left = open.left(&self.settings, now);
        inner.open.insert(open.citizen.session, open);
        Ok(left)
    }

    /// Takes the card's answer in an open session, and returns the next command. An answer that the chip did not give
    /// ends the session.
    ///
    /// # Errors
    /// [`CitizenError::SessionNeeded`], [`CitizenError::Unknown`] for an answer out of turn,
    /// [`CitizenError::Refused`]
    pub(super) fn answered(
        &self,
        token_hash: &[u8; 32],
        id: LogInId,
        (number, answer): (u32, &Response),
        now: OffsetDateTime,
    ) -> Result<(u32, crypto::apdu::Command, Left), CitizenError> {
        let mut inner = self.inner();
        inner.forget(&self.settings, now);
        let mut open = inner.open.remove(token_hash).ok_or(CitizenError::SessionNeeded)?;
        if open.log_in != id || open.number != number {
            return Err(CitizenError::Unknown);
        }
        let refused = |fault: Fault| CitizenError::Refused(fault.into());
        open.presence.proved_by(answer).map_err(refused)?;
        let command = open.presence.ask().map_err(refused)?;
        (open.proved, open.number) = (now, number.wrapping_add(1));
        open.citizen.lasts.goes_on(open.time(&self.settings));
        let (left, next) = (open.left(&self.settings, now), open.number);
        inner.open.insert(*token_hash, open);
        Ok((next, command, left))
    }

    /// Ends a session. Again: nothing more.
    pub(super) fn end(&self, token_hash: &[u8; 32]) {
        self.inner().open.remove(token_hash);
    }

    /// Notes that the code was shown in a session.
    pub(super) fn code_shown(&self, token_hash: &[u8; 32]) {
        if let Some(open) = self.inner().open.get_mut(token_hash) {
            open.citizen.code_shown = true;
        }
    }

    /// Ends every session of a card.
    pub(super) fn end_of_card(&self, card: CardId) {
        self.inner().open.retain(|_, open| open.citizen.card != card);
    }

    /// Notes that a card has another code from now on: sessions show it anew.
    pub(super) fn code_changed(&self, card: CardId) {
        for open in self.inner().open.values_mut().filter(|open| open.citizen.card == card) {
            open.citizen.code_shown = false;
        }
    }

    /// Returns how long a session lasts that begins now.
    pub(super) fn lasting(&self, now: OffsetDateTime) -> Lasting {
        Lasting::within(now..now + self.settings.answer_within.min(self.settings.session))
    }

    /// Returns whether a card that opened nothing is to be recorded now, with why: once in a while, so that a copy of a
    /// card's files does not fill its holder's log.
    pub(super) fn is_to_record(&self, document: &[u8; 32], why: ProblemCode, now: OffsetDateTime) -> bool {
        let mut inner = self.inner();
        inner.recorded.retain(|_, at| *at <= now && now - *at < RECORDED_AGAIN);
        let key = (*document, why);
        if inner.recorded.contains_key(&key) || inner.recorded.len() >= PLACES {
            return false;
        }
        inner.recorded.insert(key, now);
        true
    }
}

impl CitizenSessions for Sessions {
    fn citizen(&self, token_hash: &[u8; 32], now: OffsetDateTime) -> Option<Citizen> {
        let mut inner = self.inner();
        inner.forget(&self.settings, now);
        inner.open.get(token_hash).map(|open| open.citizen.clone())
    }
}

impl Inner {
    /// Drops what is over, also what began under a clock that was ahead.
    fn forget(&mut self, settings: &Settings, now: OffsetDateTime) {
        let fresh = |at: OffsetDateTime, most: Duration| at <= now && now - at < most;
        self.running.retain(|_, running| fresh(running.begun, settings.log_in_within));
        self.open.retain(|_, open| fresh(open.proved, settings.answer_within) && fresh(open.opened, settings.session));
        self.begun.retain(|_, (since, _)| fresh(*since, MINUTE));
    }
}

impl Open {
    /// From the card's last answer until it must have answered again, or all ends.
    fn time(&self, settings: &Settings) -> Range<OffsetDateTime> {
        self.proved..(self.proved + settings.answer_within).min(self.opened + settings.session)
    }

    fn left(&self, settings: &Settings, now: OffsetDateTime) -> Left {
        let seconds = |span: Duration| u32::try_from(span.whole_seconds()).unwrap_or(0);
        let ends_within = seconds(self.opened + settings.session - now);
        Left { answer_within: seconds(settings.answer_within).min(ends_within), ends_within }
    }
}

/// What was let in by the session and has not begun is not done.
impl Drop for Open {
    fn drop(&mut self) {
        self.citizen.lasts.end();
    }
}

const MINUTE: Duration = Duration::minutes(1);
/// A card that did not prove itself is recorded again after so long.
const RECORDED_AGAIN: Duration = Duration::minutes(10);
/// So many places and cards are remembered at most.
const PLACES: usize = 10_000;
