//! SET STATUS of the card: GlobalPlatform Card Specification v2.3 §11.10.

use crate::apdu::{Command, SHORT_NE, Status, cla};
use crate::command::global_platform;
use crate::perso::LifeCycle;

/// Moves the card to another life cycle state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SetStatus {
    /// The next state. The chip decides whether it is allowed: [`LifeCycle::may_become`].
    pub life_cycle: LifeCycle,
}

impl SetStatus {
    /// Instruction byte.
    pub const INS: u8 = 0xf0;
}

/// Encodes the command as the terminal sends it.
impl From<SetStatus> for Command {
    fn from(it: SetStatus) -> Self {
        Command::new(SetStatus::INS, CARD, it.life_cycle.byte()).class(cla::GLOBAL_PLATFORM).expecting(SHORT_NE)
    }
}

/// Decodes the command as the chip receives it.
impl TryFrom<&Command> for SetStatus {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        global_platform(command, Self::INS)?;
        let [CARD, state] = command.p else { return Err(Status::WRONG_P1P2) };
        if !command.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        LifeCycle::from_byte(state).map(|life_cycle| Self { life_cycle }).ok_or(Status::WRONG_P1P2)
    }
}

/// P1: the issuer security domain, that is, the card.
const CARD: u8 = 0x80;
