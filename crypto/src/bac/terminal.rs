//! Terminal role.

use super::messages::{AccessKeys, Random, session};
use crate::apdu::{Command, Response, Status};
use crate::command::external_authenticate::{self, ExternalAuthenticate};
use crate::command::get_challenge::{self, GetChallenge};
use crate::conversation::{Conversation, Fault, Turn};
use crate::sm;

/// Basic access control, terminal role.
#[derive(Debug)]
pub struct Bac {
    keys: AccessKeys,
    random: Random,
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitChallenge,
    AwaitCryptogram,
}

impl Bac {
    /// Creates the role with the keys of this document and fresh random numbers.
    pub fn new(keys: AccessKeys, random: Random) -> Self {
        Self { keys, random, state: State::AwaitChallenge }
    }
}

impl Conversation for Bac {
    type Output = sm::Terminal;

    fn open(self) -> Result<Turn<Self>, Fault> {
        Ok(Turn::Ask(self, GetChallenge.into()))
    }

    fn hear(self, answer: Response) -> Result<Turn<Self>, Fault> {
        match self.state {
            State::AwaitChallenge => {
                let challenge: [u8; 8] = answer
                    .accepted(get_challenge::INS)?
                    .try_into()
                    .map_err(|_| Fault::Misbehaved("the challenge has not eight bytes"))?;
                let cryptogram = self.keys.cryptogram(&self.random, challenge);
                let command = Command::from(ExternalAuthenticate { cryptogram });
                Ok(Turn::Ask(Self { state: State::AwaitCryptogram, ..self }, command))
            }
            State::AwaitCryptogram => {
                if is_wrong_password(answer.status) {
                    return Err(Fault::WrongPassword { tries_left: answer.status.remaining_tries() });
                }
                let cryptogram = answer.accepted(external_authenticate::INS)?;
                if cryptogram.len() != external_authenticate::LENGTH {
                    return Err(Fault::Misbehaved("the cryptogram of basic access control has not 40 bytes"));
                }
                let chip = self
                    .keys
                    .open(&cryptogram, self.random.nonce)
                    .ok_or(Fault::Misbehaved("the cryptogram of basic access control does not verify"))?;
                let (keys, counter) = session(&chip, &self.random);
                Ok(Turn::Done(sm::Terminal::with_counter(keys, counter)))
            }
        }
    }
}

/// Returns whether cards answer so to a wrong key; the standard leaves the status open.
fn is_wrong_password(status: Status) -> bool {
    status.0 >> 8 == 0x63
        || matches!(status, Status::SECURITY_NOT_SATISFIED | Status::SECURE_MESSAGING_OBJECT_INCORRECT)
}
