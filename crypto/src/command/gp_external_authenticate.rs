//! EXTERNAL AUTHENTICATE of SCP03: GlobalPlatform Card Specification v2.3, Amendment D v1.2 §7.1.2. The command of the
//! same name in ISO/IEC 7816-4, which BAC uses, is a different one.

use crate::apdu::{Command, Status, cla};
use crate::command::global_platform;
use crate::scp03::SecurityLevel;

/// Authenticates the host and sets the security level of the session. Sent with a C-MAC, which
/// is not part of this value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExternalAuthenticate {
    /// Security level of the session.
    pub level: SecurityLevel,
    /// Host cryptogram: proof that the host has the keys.
    pub cryptogram: [u8; 8],
}

impl ExternalAuthenticate {
    /// Instruction byte.
    pub const INS: u8 = 0x82;
}

/// Encodes the command as the terminal sends it, before its C-MAC.
impl From<ExternalAuthenticate> for Command {
    fn from(it: ExternalAuthenticate) -> Self {
        Command::new(ExternalAuthenticate::INS, it.level.byte(), 0).class(cla::GLOBAL_PLATFORM).data(it.cryptogram)
    }
}

/// Decodes the command as the chip receives it, after it has removed the C-MAC.
impl TryFrom<&Command> for ExternalAuthenticate {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        global_platform(command, Self::INS)?;
        let [level, 0] = command.p else { return Err(Status::WRONG_P1P2) };
        let level = SecurityLevel::from_byte(level).ok_or(Status::WRONG_P1P2)?;
        let cryptogram = command.data[..].try_into().map_err(|_| Status::WRONG_LENGTH)?;
        Ok(Self { level, cryptogram })
    }
}
