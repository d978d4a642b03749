//! Card's end of SCP03.
//!
//! ```text
//! INITIALIZE UPDATE      -> Request::read(..)             nothing has happened yet
//!                           counter + 1, COMMITTED        by the chip, before it answers
//!                        -> Request::answer(..)           (Opening, answer)
//! EXTERNAL AUTHENTICATE  -> Opening::accept(..)           Session; answer 9000 in the clear
//! every further command  -> Session::open(..)             the plain command; act on it
//!                           Session::seal(..)             the sealed answer
//! ```
//!
//! **What the chip must keep.** Persistent: its key set with its version and the last sequence counter (one counter per
//! chip; it survives PUT KEY and never goes back). Volatile, gone at reset, at every SELECT and with the session's end:
//! [`Opening`] or [`Session`], at most one of them.
//!
//! **When.** The incremented counter must be committed *before* the answer to INITIALIZE UPDATE leaves the chip.
//! The card challenge, and with it every session key, is a function of the counter: a chip that answers first
//! and commits later can be made, by cutting its power in between, to open the same session twice, and so to
//! play the same script twice.
//!
//! **What ends a session.** A command whose protection is wrong ([`Session::open`] fails; the status goes out
//! in the clear), a plain command (drop the session, [`Status::SECURITY_NOT_SATISFIED`], except SELECT, which
//! also drops it but is served), another INITIALIZE UPDATE, reset. A well-protected command that the applet
//! refuses does **not** end it.

use std::fmt;

use subtle::ConstantTimeEq;

use super::session::{self, SessionKeys};
use super::{KeySet, LAST_SEQUENCE_COUNTER, PROTOCOL, SecurityLevel};
use crate::apdu::{Command, Response, Status};
use crate::command::gp_external_authenticate::ExternalAuthenticate;
use crate::command::initialize_update::{InitializeUpdate, InitializeUpdateAnswer};
use crate::conversation::{Reply, Respondent};
use crate::identity::CardSerial;

/// An INITIALIZE UPDATE that can be answered, once the counter is committed.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    host_challenge: [u8; 8],
    key_version: u8,
    sequence_counter: u32,
}

impl Request {
    /// Reads INITIALIZE UPDATE on a chip whose only key set has the version `key_version` and whose last committed
    /// sequence counter is `last_counter`.
    ///
    /// # Errors
    /// [`Status::WRONG_LENGTH`], [`Status::WRONG_P1P2`], [`Status::REFERENCED_DATA_NOT_FOUND`] for keys that the chip
    /// does not have, [`Status::CONDITIONS_NOT_SATISFIED`] when the counter is exhausted.
    pub fn read(command: &Command, key_version: u8, last_counter: u32) -> Result<Self, Status> {
        let asked = InitializeUpdate::try_from(command)?;
        if asked.key_version != 0 && asked.key_version != key_version {
            return Err(Status::REFERENCED_DATA_NOT_FOUND);
        }
        if last_counter >= LAST_SEQUENCE_COUNTER {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        Ok(Self { host_challenge: asked.host_challenge, key_version, sequence_counter: last_counter + 1 })
    }

    /// Returns the counter that the chip must have committed before it calls [`Request::answer`].
    pub fn sequence_counter(&self) -> u32 {
        self.sequence_counter
    }

    /// Returns the answer, and what waits for EXTERNAL AUTHENTICATE. `aid` is that of the security domain.
    pub fn answer(self, keys: &KeySet, serial: &CardSerial, aid: &[u8]) -> (Opening, Response) {
        let card_challenge = session::card_challenge(keys, self.sequence_counter, aid);
        let derived = SessionKeys::derive(keys, self.host_challenge, card_challenge);
        let answer = InitializeUpdateAnswer {
            diversification_data: serial.0,
            key_version: self.key_version,
            protocol: PROTOCOL,
            card_challenge,
            card_cryptogram: derived.card_cryptogram,
            sequence_counter: Some(self.sequence_counter),
        };
        (Opening { keys: derived }, Response::success(answer.to_bytes()))
    }
}

/// Waits for EXTERNAL AUTHENTICATE; any command spends it.
pub struct Opening {
    keys: SessionKeys,
}

impl Opening {
    /// Takes EXTERNAL AUTHENTICATE; the chip answers `9000` in the clear.
    ///
    /// # Errors
    /// [`Status::AUTHENTICATION_FAILED`] (`6300`) for a wrong host cryptogram,
    /// [`Status::SECURE_MESSAGING_OBJECT_INCORRECT`] (`6988`) for a wrong C-MAC, [`Status::WRONG_P1P2`] for a level
    /// that does not exist, [`Status::SECURITY_NOT_SATISFIED`] for any other command.
    pub fn accept(self, command: &Command) -> Result<Session, Status> {
        if command.ins != ExternalAuthenticate::INS {
            return Err(Status::SECURITY_NOT_SATISFIED);
        }
        let [level, _] = command.p;
        let level = SecurityLevel::from_byte(level).ok_or(Status::WRONG_P1P2)?;
        let expected = self.keys.host_cryptogram;
        if command.data.len() != 16 {
            return Err(Status::WRONG_LENGTH);
        }
        if !bool::from(expected.ct_eq(&command.data[..8])) {
            return Err(Status::AUTHENTICATION_FAILED);
        }
        let mut session = self.keys.open(level);
        let plain = session.check_command(command)?;
        ExternalAuthenticate::try_from(&plain)?;
        Ok(Session { session: Some(session) })
    }
}

impl Respondent for Opening {
    type Output = Session;

    fn answer(self, command: &Command) -> Reply<Self> {
        match self.accept(command) {
            Ok(session) => Reply::Done(session, Response::status(Status::SUCCESS)),
            Err(status) => Reply::Refused(status),
        }
    }
}

/// Shows nothing.
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening(…)")
    }
}

/// The card's end of an open session: opens commands, seals answers, strictly in turn.
pub struct Session {
    /// `None` once the session is over; the keys are wiped then.
    session: Option<session::SessionState>,
}

impl Session {
    /// Checks the C-MAC and decrypts.
    ///
    /// # Errors
    /// The status to send, in the clear. [`Status::SECURITY_NOT_SATISFIED`] (`6982`) for a command without
    /// protection and for any command after the session's end, [`Status::SECURE_MESSAGING_OBJECT_MISSING`] (`6987`)
    /// if there is no room for a MAC, [`Status::SECURE_MESSAGING_OBJECT_INCORRECT`] (`6988`) for a wrong one. Any
    /// of them ends the session.
    pub fn open(&mut self, command: &Command) -> Result<Command, Status> {
        let mut session = self.session.take().ok_or(Status::SECURITY_NOT_SATISFIED)?;
        let plain = session.open_command(command)?;
        self.session = Some(session); // after a failure it stays `None`, and the keys are wiped
        Ok(plain)
    }

    /// Protects the answer to the command opened last, whatever its status. After the session's end: the status alone.
    pub fn seal(&mut self, response: Response) -> Response {
        match &self.session {
            Some(session) => session.seal_response(response),
            None => Response::status(response.status),
        }
    }

    /// Returns whether it can go on.
    pub fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Returns the security level; `None` after the session's end. A chip checks it for commands that need
    /// [`SecurityLevel::FULL`].
    pub fn level(&self) -> Option<SecurityLevel> {
        self.session.as_ref().map(session::SessionState::level)
    }
}

/// Shows level and counter only.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.session {
            Some(session) => fmt::Debug::fmt(session, f),
            None => f.write_str("Session(over)"),
        }
    }
}
