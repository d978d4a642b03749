//! INITIALIZE UPDATE: GlobalPlatform Card Specification v2.3, Amendment D v1.2 §7.1.1.

use crate::apdu::{Command, SHORT_NE, Status, cla};
use crate::command::global_platform;
use crate::conversation::Fault;

/// Opens an SCP03 session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InitializeUpdate {
    /// Version of the key set wanted; 0 for the card's first choice.
    pub key_version: u8,
    /// Fresh random bytes of the host.
    pub host_challenge: [u8; 8],
}

impl InitializeUpdate {
    /// Instruction byte.
    pub const INS: u8 = 0x50;
}

/// Encodes the command as the terminal sends it.
impl From<InitializeUpdate> for Command {
    fn from(it: InitializeUpdate) -> Self {
        Command::new(InitializeUpdate::INS, it.key_version, 0)
            .class(cla::GLOBAL_PLATFORM)
            .data(it.host_challenge)
            .expecting(SHORT_NE)
    }
}

/// Decodes the command as the chip receives it.
impl TryFrom<&Command> for InitializeUpdate {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        global_platform(command, Self::INS)?;
        let [key_version, key_identifier] = command.p;
        if key_identifier != 0 {
            return Err(Status::WRONG_P1P2);
        }
        let host_challenge = command.data[..].try_into().map_err(|_| Status::WRONG_LENGTH)?;
        Ok(Self { key_version, host_challenge })
    }
}

/// The card's answer.
///
/// ```text
/// key diversification data  10      protocol, i     2      card cryptogram   8
/// key version                1      card challenge  8      sequence counter  0 | 3
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InitializeUpdateAnswer {
    /// Key diversification data: the chip's serial.
    pub diversification_data: [u8; 10],
    /// Version of the key set used.
    pub key_version: u8,
    /// `03` and the parameter `i`.
    pub protocol: [u8; 2],
    /// Card challenge: random, or pseudo-random if a counter follows.
    pub card_challenge: [u8; 8],
    /// Card cryptogram: proof that the card has the keys.
    pub card_cryptogram: [u8; 8],
    /// Sequence counter, from which a pseudo-random card challenge is derived; at most 24 bits.
    pub sequence_counter: Option<u32>,
}

impl InitializeUpdateAnswer {
    /// Returns the response data field.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.diversification_data.to_vec();
        out.push(self.key_version);
        out.extend_from_slice(&self.protocol);
        out.extend_from_slice(&self.card_challenge);
        out.extend_from_slice(&self.card_cryptogram);
        if let Some(counter) = self.sequence_counter {
            out.extend_from_slice(&counter.to_be_bytes()[1..]);
        }
        out
    }

    /// Reads the response data field.
    ///
    /// # Errors
    /// [`Fault::Misbehaved`] for a wrong length.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let wrong = || Fault::Misbehaved("INITIALIZE UPDATE: the answer has neither 29 nor 32 bytes");
        let (fixed, counter) = bytes.split_first_chunk::<29>().ok_or_else(wrong)?;
        let sequence_counter = match *counter {
            [] => None,
            [high, middle, low] => Some(u32::from_be_bytes([0, high, middle, low])),
            _ => return Err(wrong()),
        };
        let field = |at: usize| fixed[at..at + 8].try_into().expect("within 29 bytes");
        Ok(Self {
            diversification_data: fixed[..10].try_into().expect("within 29 bytes"),
            key_version: fixed[10],
            protocol: [fixed[11], fixed[12]],
            card_challenge: field(13),
            card_cryptogram: field(21),
            sequence_counter,
        })
    }
}
