//! EXTERNAL AUTHENTICATE with mutual authentication: ISO/IEC 7816-4:2013 §11.5.4, Doc 9303-11 (8th ed.) §4.3.4.2.

use crate::apdu::{Command, Status};

/// The terminal's cryptogram of basic access control: encrypted challenge and its MAC.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct ExternalAuthenticate {
    /// `E_IFD || M_IFD`.
    pub cryptogram: [u8; LENGTH],
}

/// Instruction byte.
pub const INS: u8 = 0x82;

/// Length of a cryptogram with its MAC, in both directions.
pub const LENGTH: usize = 40;

/// Encodes the command as the terminal sends it.
impl From<ExternalAuthenticate> for Command {
    fn from(authenticate: ExternalAuthenticate) -> Self {
        Self::new(INS, 0, 0).data(authenticate.cryptogram).expecting(LENGTH)
    }
}

/// Decodes the command as the chip receives it: Ne of 40, or "as much as there is".
impl TryFrom<&Command> for ExternalAuthenticate {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        match command {
            Command { ins, .. } if *ins != INS => Err(Status::INSTRUCTION_NOT_SUPPORTED),
            Command { p, .. } if *p != [0, 0] => Err(Status::WRONG_P1P2),
            Command { data, ne: Some(LENGTH | 256), .. } => {
                let cryptogram = data.as_slice().try_into().map_err(|_| Status::WRONG_LENGTH)?;
                Ok(Self { cryptogram })
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
        let command = Command::from(ExternalAuthenticate { cryptogram: [7; LENGTH] });
        assert!(ExternalAuthenticate::try_from(&command).is_ok_and(|a| a.cryptogram == [7; LENGTH]));
    }

    #[test]
    fn a_cryptogram_that_is_too_short_is_refused() {
        let command = Command::new(INS, 0, 0).data([7; 39]).expecting(LENGTH);
        assert!(ExternalAuthenticate::try_from(&command).is_err_and(|status| status == Status::WRONG_LENGTH));
    }
}
