//! Chip role.

use std::fmt;
use std::sync::Arc;

use super::{EPHEMERAL_KEY, session_keys};
use crate::apdu::{Command, Response, Status};
use crate::command::general_authenticate::{GeneralAuthenticate, empty_answer};
use crate::command::mse::{self, SetInternal, SetKeyAgreement};
use crate::command::unchained;
use crate::conversation::{Reply, Respondent};
use crate::lds::security_infos::ChipAuthenticationProtocol;
use crate::sm;
use crate::suite::{Cipher, PrivateKey, PublicKey};

/// One of the chip's static keys, with the ciphers it is for.
#[derive(Clone)]
pub struct Key {
    /// The key; its public half stands in DG14.
    pub private: Arc<PrivateKey>,
    /// Identifier in DG14, if it has one.
    pub key_id: Option<u32>,
    /// Ciphers of the ChipAuthenticationInfos that name it.
    pub ciphers: Vec<Cipher>,
}

/// Shows no key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, id {:?}, {:?})", self.private.curve(), self.key_id, self.ciphers)
    }
}

/// Chip authentication, chip role. If it is refused, the old channel goes on (§6.2.2).
#[derive(Debug)]
pub struct ChipAuthentication {
    keys: Vec<Key>,
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitEphemeralKey { cipher: Cipher, private: Arc<PrivateKey> },
    AwaitSelection,
}

impl ChipAuthentication {
    /// Creates the role with the chip's static keys.
    pub fn new(keys: Vec<Key>) -> Self {
        Self { keys, state: State::AwaitSelection }
    }

    /// Returns the key that is meant: named, or the only one that can do this cipher.
    fn key(&self, cipher: Cipher, key_id: Option<u32>) -> Result<Arc<PrivateKey>, Status> {
        let able: Vec<&Key> = self.keys.iter().filter(|key| key.ciphers.contains(&cipher)).collect();
        let key = match (able.as_slice(), key_id) {
            ([], _) => return Err(Status::WRONG_DATA),
            ([only], None) => only,
            (several, id) => {
                several.iter().find(|key| id.is_some() && key.key_id == id).ok_or(Status::REFERENCED_DATA_NOT_FOUND)?
            }
        };
        Ok(key.private.clone())
    }

    fn select(&self, command: &Command) -> Result<State, Status> {
        let set = SetInternal::try_from(command)?;
        let cipher = ChipAuthenticationProtocol::from_oid(&set.protocol)
            .filter(|protocol| *protocol == ChipAuthenticationProtocol::ecdh(protocol.cipher))
            .ok_or(Status::WRONG_DATA)?
            .cipher;
        Ok(State::AwaitEphemeralKey { cipher, private: self.key(cipher, set.key_id)? })
    }

    fn set_key_agreement(&self, command: &Command) -> Result<sm::Chip, Status> {
        let set = SetKeyAgreement::try_from(command)?;
        agree(Cipher::TripleDes, &*self.key(Cipher::TripleDes, set.key_id)?, &set.public_key)
    }
}

impl Respondent for ChipAuthentication {
    type Output = sm::Chip;

    fn answer(self, command: &Command) -> Reply<Self> {
        if let Err(status) = unchained(command) {
            return Reply::Refused(status);
        }
        match &self.state {
            State::AwaitSelection if command.p == mse::KEY_AGREEMENT => match self.set_key_agreement(command) {
                Ok(channel) => Reply::Done(channel, Response::success([])),
                Err(status) => Reply::Refused(status),
            },
            State::AwaitSelection => match self.select(command) {
                Ok(state) => Reply::More(Self { state, ..self }, Response::success([])),
                Err(status) => Reply::Refused(status),
            },
            State::AwaitEphemeralKey { cipher, private } => match general_authenticate(*cipher, private, command) {
                Ok(channel) => Reply::Done(channel, empty_answer()),
                Err(status) => Reply::Refused(status),
            },
        }
    }
}

fn general_authenticate(cipher: Cipher, private: &PrivateKey, command: &Command) -> Result<sm::Chip, Status> {
    agree(cipher, private, GeneralAuthenticate::try_from(command)?.value(EPHEMERAL_KEY)?)
}

fn agree(cipher: Cipher, private: &PrivateKey, point: &[u8]) -> Result<sm::Chip, Status> {
    // A point off the curve would reveal the static key bit by bit.
    let peer = PublicKey::from_sec1(private.curve(), point).map_err(|_| Status::WRONG_DATA)?;
    let keys = session_keys(cipher, private, &peer).map_err(|_| Status::WRONG_DATA)?;
    Ok(sm::Chip::new(keys))
}
