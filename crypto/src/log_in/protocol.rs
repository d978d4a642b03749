//! What agent and service say to each other in a log-in, as JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Files;
use crate::apdu::{Command, Response};

/// Name of the header that carries the session of a citizen.
pub const SESSION_HEADER: &str = "x-citizen-session";

/// Under which channel a command travels to the chip.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Under {
    /// Under the channel of PACE, which the agent has.
    Agent,
    /// As it is: the channel is between service and chip.
    Chip,
}

/// A log-in begins: what the agent read. Binary as Base64.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// EF.CardAccess.
    #[serde(with = "octets")]
    pub card_access: Vec<u8>,
    /// EF.SOD.
    #[serde(with = "octets")]
    pub sod: Vec<u8>,
    /// DG14.
    #[serde(with = "octets")]
    pub dg14: Vec<u8>,
    /// The longest response APDU that chip and reader can carry, in bytes.
    pub longest_response: usize,
}

/// Shows lengths only.
impl fmt::Debug for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Begin(EF.SOD {} bytes, DG14 {} bytes)", self.sod.len(), self.dg14.len())
    }
}

impl From<Files> for Begin {
    fn from(files: Files) -> Self {
        let Files { card_access, sod, dg14, longest_response } = files;
        Self { card_access, sod, dg14, longest_response }
    }
}

impl From<Begin> for Files {
    fn from(begin: Begin) -> Self {
        let Begin { card_access, sod, dg14, longest_response } = begin;
        Self { card_access, sod, dg14, longest_response }
    }
}

/// What the service wants next, of a log-in or of a session that goes on.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Wanted {
    /// Identifier of the log-in.
    pub log_in: String,
    /// Number of this command, counted from 1: the answer names it.
    pub number: u32,
    /// Under which channel it travels.
    pub under: Under,
    /// The command APDU.
    #[serde(with = "octets")]
    pub command: Vec<u8>,
    /// The secret that the answer shows; none in a session, whose token does that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Once the chip proved itself: the session.
    #[serde(default)]
    pub session: Option<Session>,
}

/// Shows number and channel only.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wanted({}, under {:?}, in session: {})", self.number, self.under, self.session.is_some())
    }
}

impl Wanted {
    /// Reads the command.
    ///
    /// # Errors
    /// [`crate::apdu::LengthError`]
    pub fn command(&self) -> Result<Command, crate::apdu::LengthError> {
        Command::parse(&self.command)
    }
}

/// A session that a card opened.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Session {
    /// What requests show in [`SESSION_HEADER`]; told once.
    #[serde(default)]
    pub token: Option<String>,
    /// Within so many seconds the card must answer again, or the session ends.
    pub answer_within: u32,
    /// After so many seconds it ends in any case.
    pub ends_within: u32,
}

/// Shows no token.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session(answer within {} s)", self.answer_within)
    }
}

/// The chip's answer to one command.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// [`Wanted::number`].
    pub number: u32,
    /// The response APDU.
    #[serde(with = "octets")]
    pub response: Vec<u8>,
    /// [`Wanted::ticket`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

/// Shows number and length only.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.number, self.response.len())
    }
}

impl Answer {
    /// Returns the answer to a command.
    pub fn to(wanted: &Wanted, response: &Response) -> Self {
        Self { number: wanted.number, response: response.to_bytes(), ticket: wanted.ticket.clone() }
    }
}

/// Serde of bytes as a Base64 string.
mod octets {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
