//! GET DATA: ISO/IEC 7816-4:2013 §11.4.3; GlobalPlatform Card Specification v2.3.1 §11.3 uses it with its own class.

use crate::apdu::{Command, SHORT_NE, Status, cla};

/// Asks for one data object by its tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GetData {
    /// Tag of one or two bytes, in P1-P2.
    pub tag: u16,
    /// Whether the GlobalPlatform class byte is used.
    pub global_platform: bool,
}

/// Instruction byte.
pub const INS: u8 = 0xca;

impl GetData {
    /// Creates the command with the interindustry class byte.
    pub fn interindustry(tag: u16) -> Self {
        Self { tag, global_platform: false }
    }

    /// Creates the command with the GlobalPlatform class byte.
    pub fn global_platform(tag: u16) -> Self {
        Self { tag, global_platform: true }
    }
}

/// Encodes the command as the terminal sends it.
impl From<GetData> for Command {
    fn from(get: GetData) -> Self {
        let [p1, p2] = get.tag.to_be_bytes();
        let class = if get.global_platform { cla::GLOBAL_PLATFORM } else { cla::PLAIN };
        Self::new(INS, p1, p2).class(class).expecting(SHORT_NE)
    }
}

/// Decodes the command as the chip receives it.
impl TryFrom<&Command> for GetData {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        match command {
            Command { ins, .. } if *ins != INS => Err(Status::INSTRUCTION_NOT_SUPPORTED),
            Command { data, ne: Some(_), .. } if data.is_empty() => Ok(Self {
                tag: u16::from_be_bytes(command.p),
                global_platform: command.cla & cla::GLOBAL_PLATFORM != 0,
            }),
            _ => Err(Status::WRONG_LENGTH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_terminal_encodes_the_chip_decodes() {
        for (get, hex) in
            [(GetData::global_platform(0x00c1), "80ca00c100"), (GetData::interindustry(0x0045), "00ca004500")]
        {
            let command = Command::from(get);
            assert_eq!(hex::encode(command.to_bytes()), hex);
            assert_eq!(GetData::try_from(&command), Ok(get));
        }
    }
}
