//! INTERNAL AUTHENTICATE: ISO/IEC 7816-4:2013 §11.5.2, Doc 9303-11 (8th ed.) §6.1.3.

use crate::apdu::{Command, SHORT_NE, Status};

/// Asks the chip to sign a challenge with its key for active authentication.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InternalAuthenticate {
    /// Challenge of eight bytes, never used before.
    pub challenge: [u8; 8],
    /// The most signature bytes wanted; those of RSA keys may exceed a short response.
    pub longest: usize,
}

/// Instruction byte.
pub const INS: u8 = 0x88;

impl InternalAuthenticate {
    /// Creates the command for a signature that fits a short response: every elliptic curve, RSA up to 1792 bits
    /// through secure messaging.
    pub fn new(challenge: [u8; 8]) -> Self {
        Self { challenge, longest: SHORT_NE }
    }
}

/// Encodes the command as the terminal sends it.
impl From<InternalAuthenticate> for Command {
    fn from(authenticate: InternalAuthenticate) -> Self {
        Self::new(INS, 0, 0).data(authenticate.challenge).expecting(authenticate.longest)
    }
}

/// Decodes the command as the chip receives it.
impl TryFrom<&Command> for InternalAuthenticate {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        match command {
            Command { ins, .. } if *ins != INS => Err(Status::INSTRUCTION_NOT_SUPPORTED),
            Command { p, .. } if *p != [0, 0] => Err(Status::WRONG_P1P2),
            Command { data, ne: Some(longest), .. } => {
                let challenge = data.as_slice().try_into().map_err(|_| Status::WRONG_LENGTH)?;
                Ok(Self { challenge, longest: *longest })
            }
            _ => Err(Status::WRONG_LENGTH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_terminal_encodes_the_chip_decodes() {
        let authenticate = InternalAuthenticate::new(*b"\xf1\x73\x58\x99\x74\xbf\x40\xc6");
        let command = Command::from(authenticate);
        assert_eq!(hex::encode(command.to_bytes()), "0088000008f173589974bf40c600");
        assert_eq!(InternalAuthenticate::try_from(&command), Ok(authenticate));
    }

    #[test]
    fn a_challenge_must_have_eight_bytes() {
        let command = Command::new(INS, 0, 0).data([1; 9]).expecting(256);
        assert_eq!(InternalAuthenticate::try_from(&command), Err(Status::WRONG_LENGTH));
    }
}
