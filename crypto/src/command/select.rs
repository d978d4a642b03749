//! SELECT: ISO/IEC 7816-4:2013 §11.1.1, as Doc 9303-10 (8th ed.) §3.6 uses it.

use crate::apdu::{Command, Status};

/// Selects a file or an application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Select {
    /// An application by its identifier (DF name), 5 to 16 bytes; no response data wanted.
    Application(Vec<u8>),
    /// An application, and its file control information with it (GlobalPlatform does so).
    ApplicationWithInformation(Vec<u8>),
    /// An elementary file under the current application.
    File(u16),
    /// The master file.
    MasterFile,
}

/// Instruction byte.
pub const INS: u8 = 0xa4;

/// The LDS1 application of travel documents (Doc 9303-10 (8th ed.) §4).
pub const LDS1_APPLICATION: [u8; 7] = [0xa0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];

impl Select {
    /// Returns the LDS1 application.
    pub fn lds1() -> Self {
        Self::Application(LDS1_APPLICATION.to_vec())
    }
}

/// Encodes the command as the terminal sends it.
impl From<Select> for Command {
    fn from(select: Select) -> Self {
        match select {
            Select::Application(name) => Self::new(INS, 0x04, 0x0c).data(name),
            Select::ApplicationWithInformation(name) => Self::new(INS, 0x04, 0x00).data(name).expecting(256),
            Select::File(id) => Self::new(INS, 0x02, 0x0c).data(id.to_be_bytes()),
            Select::MasterFile => Self::new(INS, 0x00, 0x0c).data([0x3f, 0x00]),
        }
    }
}

/// Decodes the command as the chip receives it: the master file also by an empty data field, files with any P2 that
/// wants the first occurrence.
impl TryFrom<&Command> for Select {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        if command.ins != INS {
            return Err(Status::INSTRUCTION_NOT_SUPPORTED);
        }
        // P2: 00 file control information, 04 control parameters, 0C nothing. Readers of travel documents differ.
        let [p1, p2 @ (0x00 | 0x04 | 0x0c)] = command.p else { return Err(Status::WRONG_P1P2) };
        match (p1, command.data.as_slice()) {
            (0x00, [] | [0x3f, 0x00]) => Ok(Self::MasterFile),
            (0x00 | 0x02, &[hi, lo]) => Ok(Self::File(u16::from_be_bytes([hi, lo]))),
            (0x04, name @ [_, _, _, _, _, ..]) if name.len() <= 16 => {
                let name = name.to_vec();
                Ok(if p2 == 0x0c { Self::Application(name) } else { Self::ApplicationWithInformation(name) })
            }
            (0x00 | 0x02 | 0x04, _) => Err(Status::WRONG_LENGTH),
            _ => Err(Status::WRONG_P1P2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example_of_appendix_d4() {
        let command = Command::from(Select::File(0x011e));
        assert_eq!(hex::encode(command.to_bytes()), "00a4020c02011e");
    }

    #[test]
    fn what_the_terminal_encodes_the_chip_decodes() {
        for select in [
            Select::lds1(),
            Select::ApplicationWithInformation(vec![0xa0, 0, 0, 1, 0x51, 0, 0, 0]),
            Select::File(0x011c),
            Select::MasterFile,
        ] {
            assert_eq!(Select::try_from(&Command::from(select.clone())), Ok(select));
        }
    }

    #[test]
    fn an_application_name_of_a_wrong_length_is_refused() {
        for length in [0, 4, 17] {
            let command = Command::new(INS, 4, 0x0c).data(vec![0xa0; length]);
            assert_eq!(Select::try_from(&command), Err(Status::WRONG_LENGTH));
        }
        assert_eq!(Select::try_from(&Command::new(INS, 8, 0x0c).data([1, 1])), Err(Status::WRONG_P1P2));
    }
}
