//! GET CHALLENGE: ISO/IEC 7816-4:2013 §11.5.3, Doc 9303-11 (8th ed.) §4.3.4.1.

use crate::apdu::{Command, Status};

/// Asks for a nonce of eight bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GetChallenge;

/// Instruction byte.
pub const INS: u8 = 0x84;

/// Length of the nonce in bytes.
pub const LENGTH: usize = 8;

/// Encodes the command as the terminal sends it.
impl From<GetChallenge> for Command {
    fn from(_: GetChallenge) -> Self {
        Self::new(INS, 0, 0).expecting(LENGTH)
    }
}

/// Decodes the command as the chip receives it: Ne of 8, or "as much as there is".
impl TryFrom<&Command> for GetChallenge {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        match command {
            Command { ins, .. } if *ins != INS => Err(Status::INSTRUCTION_NOT_SUPPORTED),
            Command { p, .. } if *p != [0, 0] => Err(Status::WRONG_P1P2),
            Command { data, ne: Some(LENGTH | 256), .. } if data.is_empty() => Ok(Self),
            _ => Err(Status::WRONG_LENGTH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example_of_appendix_d3() {
        let command = Command::from(GetChallenge);
        assert_eq!(hex::encode(command.to_bytes()), "0084000008");
        assert_eq!(GetChallenge::try_from(&command), Ok(GetChallenge));
    }

    #[test]
    fn another_length_is_refused() {
        let command = Command::new(INS, 0, 0).expecting(9);
        assert_eq!(GetChallenge::try_from(&command), Err(Status::WRONG_LENGTH));
    }
}
