//! Chip role.

use super::messages::{AccessKeys, Random, session};
use crate::apdu::{Command, Response, Status};
use crate::command::external_authenticate::ExternalAuthenticate;
use crate::command::get_challenge::GetChallenge;
use crate::command::unchained;
use crate::conversation::{Reply, Respondent};
use crate::sm;

/// Basic access control, chip role. Each challenge allows one try.
#[derive(Debug)]
pub struct Bac {
    keys: AccessKeys,
    random: Random,
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitChallengeRequest,
    AwaitCryptogram,
}

impl Bac {
    /// Creates the role with the keys of this document and fresh random numbers.
    pub fn new(keys: AccessKeys, random: Random) -> Self {
        Self { keys, random, state: State::AwaitChallengeRequest }
    }

    fn challenge(&self, command: &Command) -> Result<Response, Status> {
        unchained(command)?;
        GetChallenge::try_from(command)?;
        Ok(Response::success(self.random.nonce))
    }

    fn authenticate(&self, command: &Command) -> Result<(sm::Chip, Response), Status> {
        unchained(command)?;
        let cryptogram = ExternalAuthenticate::try_from(command)?.cryptogram;
        let terminal = self.keys.open(&cryptogram, self.random.nonce).ok_or(Status::AUTHENTICATION_FAILED)?;
        let answer = self.keys.cryptogram(&self.random, terminal.nonce);
        let (keys, counter) = session(&self.random, &terminal);
        Ok((sm::Chip::with_counter(keys, counter), Response::success(answer)))
    }
}

impl Respondent for Bac {
    type Output = sm::Chip;

    fn answer(self, command: &Command) -> Reply<Self> {
        match self.state {
            State::AwaitChallengeRequest => match self.challenge(command) {
                Ok(response) => Reply::More(Self { state: State::AwaitCryptogram, ..self }, response),
                Err(status) => Reply::Refused(status),
            },
            State::AwaitCryptogram => match self.authenticate(command) {
                Ok((channel, response)) => Reply::Done(channel, response),
                Err(status) => Reply::Refused(status),
            },
        }
    }
}
