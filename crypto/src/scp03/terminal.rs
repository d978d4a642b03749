//! Host's end of SCP03: a session computed in advance, or one opened in dialogue with the card.

use std::fmt;

use subtle::ConstantTimeEq;

use super::session::{self, SessionKeys};
use super::{KeySet, PROTOCOL, SecurityLevel};
use crate::apdu::{Command, Response};
use crate::command::gp_external_authenticate::ExternalAuthenticate;
use crate::command::initialize_update::{InitializeUpdate, InitializeUpdateAnswer};
use crate::conversation::{Conversation, Fault, Turn};
use crate::identity::CardSerial;

/// A session that the card can open exactly once, computed without the card.
pub struct Prediction {
    /// INITIALIZE UPDATE, to be sent as it is.
    pub initialize_update: Command,
    /// The card's exact answer to it, if it is the intended card and its counter has the assumed value.
    pub answer: Response,
    /// EXTERNAL AUTHENTICATE, to be sent as it is; the card answers `9000` without data.
    pub external_authenticate: Command,
    /// The session after EXTERNAL AUTHENTICATE.
    pub session: Session,
}

impl Prediction {
    /// Computes the session for the card with this serial and these keys.
    ///
    /// `sequence_counter` is the value that the card will **answer**, one more than the value it used last.
    /// `host_challenge` must be fresh and unpredictable: it makes two scripts for the same counter differ. `aid` is
    /// that of the selected security domain.
    pub fn new(
        keys: &KeySet,
        key_version: u8,
        serial: &CardSerial,
        sequence_counter: u32,
        host_challenge: [u8; 8],
        aid: &[u8],
        level: SecurityLevel,
    ) -> Self {
        let card_challenge = session::card_challenge(keys, sequence_counter, aid);
        let derived = SessionKeys::derive(keys, host_challenge, card_challenge);
        let answer = InitializeUpdateAnswer {
            diversification_data: serial.0,
            key_version,
            protocol: PROTOCOL,
            card_challenge,
            card_cryptogram: derived.card_cryptogram,
            sequence_counter: Some(sequence_counter),
        };
        let (external_authenticate, session) = authenticate(derived, level);
        Self {
            initialize_update: InitializeUpdate { key_version, host_challenge }.into(),
            answer: Response::success(answer.to_bytes()),
            external_authenticate,
            session,
        }
    }
}

/// Returns EXTERNAL AUTHENTICATE and the session that it opens.
fn authenticate(keys: SessionKeys, level: SecurityLevel) -> (Command, Session) {
    let cryptogram = keys.host_cryptogram;
    let mut session = keys.open(level);
    let command = session.mac_command(ExternalAuthenticate { level, cryptogram }.into());
    (command, Session { session, broken: false })
}

/// Opens a session with a card that is there: INITIALIZE UPDATE, EXTERNAL AUTHENTICATE. Spent when it fails.
pub struct Authentication<'a> {
    keys: &'a KeySet,
    level: SecurityLevel,
    host_challenge: [u8; 8],
    request: InitializeUpdate,
    stage: Stage,
}

enum Stage {
    AwaitCardCryptogram,
    AwaitAcceptance { session: Session, answer: InitializeUpdateAnswer },
}

/// Result of [`Authentication`].
#[derive(Debug)]
pub struct Authenticated {
    /// The open session.
    pub session: Session,
    /// The card's answer to INITIALIZE UPDATE; its cryptogram was verified.
    pub answer: InitializeUpdateAnswer,
}

impl<'a> Authentication<'a> {
    /// Creates the dialogue with these keys, of version `key_version` (0 for the card's first
    /// choice), and a fresh challenge.
    pub fn new(keys: &'a KeySet, key_version: u8, level: SecurityLevel, host_challenge: [u8; 8]) -> Self {
        let request = InitializeUpdate { key_version, host_challenge };
        Self { keys, level, host_challenge, request, stage: Stage::AwaitCardCryptogram }
    }
}

impl Conversation for Authentication<'_> {
    type Output = Authenticated;

    fn open(self) -> Result<Turn<Self>, Fault> {
        let command = self.request.into();
        Ok(Turn::Ask(self, command))
    }

    fn hear(self, response: Response) -> Result<Turn<Self>, Fault> {
        match self.stage {
            Stage::AwaitCardCryptogram => {
                let data = response.accepted(InitializeUpdate::INS)?;
                let answer = InitializeUpdateAnswer::parse(&data)?;
                let [protocol, i] = answer.protocol;
                if protocol != PROTOCOL[0] {
                    return Err(Fault::Unsupported("a secure channel protocol other than SCP03"));
                }
                if i & 0x01 != 0 {
                    return Err(Fault::Unsupported("SCP03 in S16 mode"));
                }
                let derived = SessionKeys::derive(self.keys, self.host_challenge, answer.card_challenge);
                if !bool::from(derived.card_cryptogram.ct_eq(&answer.card_cryptogram)) {
                    return Err(Fault::Misbehaved("SCP03: a wrong card cryptogram: another card, or other keys"));
                }
                let (command, session) = authenticate(derived, self.level);
                Ok(Turn::Ask(Self { stage: Stage::AwaitAcceptance { session, answer }, ..self }, command))
            }
            Stage::AwaitAcceptance { session, answer } => {
                let data = response.accepted(ExternalAuthenticate::INS)?;
                if !data.is_empty() {
                    return Err(Fault::Misbehaved("SCP03: data in answer to EXTERNAL AUTHENTICATE"));
                }
                Ok(Turn::Done(Authenticated { session, answer }))
            }
        }
    }
}

/// The host's end of an open session: wraps commands, unwraps answers, strictly in turn.
pub struct Session {
    session: session::SessionState,
    broken: bool,
}

impl Session {
    /// Returns the security level of the session.
    pub fn level(&self) -> SecurityLevel {
        self.session.level()
    }

    /// Encrypts and MACs a command as the level asks. Its Le stays as it is: ask for response data, so that there is
    /// room for the R-MAC in an ISO case 4 command.
    ///
    /// # Panics
    /// If the data field is longer than 65,519 bytes, which no sealed command can carry.
    pub fn wrap(&mut self, command: &Command) -> Command {
        assert!(command.data.len() <= 65_519, "a sealed command has room for 65,519 bytes");
        self.session.seal_command(command)
    }

    /// Checks and decrypts the answer to the command wrapped last. An answer with an error status is not protected and
    /// is returned without data: an attacker on the line may have made it.
    ///
    /// # Errors
    /// [`Fault::Misbehaved`]; from then on every answer is refused.
    pub fn unwrap(&mut self, response: Response) -> Result<Response, Fault> {
        if self.broken {
            return Err(Fault::Misbehaved("SCP03: the session is over"));
        }
        self.session.open_response(response).map_err(|what| {
            self.broken = true;
            Fault::Misbehaved(what)
        })
    }

    /// Advances over a command that an earlier instance of this session wrapped ([`Prediction`] is reproducible), so
    /// that its answer can be unwrapped now. The plaintext is not needed.
    ///
    /// # Errors
    /// [`Fault::Misbehaved`] if the command was not wrapped by this session at this point.
    pub fn retrace(&mut self, wrapped: &Command) -> Result<(), Fault> {
        self.session.retrace(wrapped).map_err(|_| {
            self.broken = true;
            Fault::Misbehaved("SCP03: not a command of this session")
        })
    }
}

/// Shows level and counter only.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.session, f)
    }
}
