//! A citizen's log-in at this reader. The service is the terminal: this program opens the chip with the CAN, and then
//! carries commands and answers that it cannot read.

use std::time::{Duration, Instant};

use crypto::conversation::CardTransport;
use crypto::identity::Can;
use crypto::inspection::LineError;
use crypto::log_in::agent::Relay;
use crypto::log_in::protocol::{Answer, Begin, Wanted};
use crypto::rand_core::CryptoRng;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::client::HttpService;
use crate::failure::{Code, Failure};

/// A card that is logged in, for as long as it stays in the reader. Dropped, the session ends.
pub struct LoggedIn<'a, T: CardTransport> {
    service: &'a HttpService,
    relay: Relay<'a, T>,
    wanted: Wanted,
    token: Zeroizing<String>,
    answered: Instant,
}

impl<'a, T: CardTransport> LoggedIn<'a, T>
where
    Failure: From<T::Error>,
{
    /// Opens the chip with the CAN, and carries the log-in to its end.
    ///
    /// # Errors
    /// [`Failure`]: of the chip, of the reader, or the service's refusal.
    pub fn begin(
        service: &'a HttpService,
        card: &'a mut T,
        can: Can,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, Failure> {
        let (mut relay, files) = Relay::open(card, can, rng).map_err(of_line)?;
        let mut wanted = service.begin_log_in(&Begin::from(files))?;
        for _ in 0..MOST_STEPS {
            if let Some(token) = wanted.session.as_mut().and_then(|session| session.token.take()) {
                return Ok(Self { service, relay, wanted, token: token.into(), answered: Instant::now() });
            }
            let answer = carried(&mut relay, &wanted)?;
            wanted = service.go_on(&wanted.log_in, &answer, None)?;
        }
        Err(Failure::new(Code::ServiceAnswer, "a log-in without an end"))
    }

    /// Asks for something of the citizen's own, with the card still in the reader.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn own(&mut self, what: &str) -> Result<Value, Failure> {
        self.shows_the_card()?;
        Ok(self.service.own(what, &self.token)?)
    }

    /// Asks for the signed copy, with the card still in the reader. Returns its bytes and the signature over them.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn copy(&mut self) -> Result<(Vec<u8>, String), Failure> {
        self.shows_the_card()?;
        Ok(self.service.copy(&self.token)?)
    }

    /// Does something in the citizen's name, with the card still in the reader.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn act(&mut self, what: &str, body: &impl Serialize) -> Result<Value, Failure> {
        self.shows_the_card()?;
        Ok(self.service.act(what, &self.token, body)?)
    }

    /// Has the card answer the service, where it did not just now: without it the session ends.
    fn shows_the_card(&mut self) -> Result<(), Failure> {
        if self.answered.elapsed() < FRESH {
            return Ok(());
        }
        let answer = carried(&mut self.relay, &self.wanted)?;
        self.wanted = self.service.go_on(&self.wanted.log_in, &answer, Some(&self.token))?;
        self.answered = Instant::now();
        Ok(())
    }
}

impl<T: CardTransport> Drop for LoggedIn<'_, T> {
    fn drop(&mut self) {
        // Where it fails, the session ends by itself within a minute: the card answers no more.
        if let Err(error) = self.service.end_session(&self.token) {
            tracing::debug!("the session was not ended: {error}");
        }
    }
}

/// Has the chip answer what the service wants.
fn carried<T: CardTransport>(relay: &mut Relay<'_, T>, wanted: &Wanted) -> Result<Answer, Failure>
where
    Failure: From<T::Error>,
{
    let unreadable = |_| Failure::new(Code::ServiceAnswer, "what the service wants is no command");
    let command = wanted.command().map_err(unreadable)?;
    let response = relay.carry(wanted.under, &command).map_err(of_line)?;
    Ok(Answer::to(wanted, &response))
}

fn of_line<E>(error: LineError<E>) -> Failure
where
    Failure: From<E>,
{
    match error {
        LineError::Chip(fault) => fault.into(),
        LineError::Transport(error) => error.into(),
        _ => Failure::new(Code::ChipMisbehaved, "the line to the chip ended"),
    }
}

/// A log-in has fewer steps: an EF.SOD and DG1 in short answers take some twenty.
const MOST_STEPS: usize = 256;
/// A card that answered so short a time ago is still there.
const FRESH: Duration = Duration::from_secs(5);
