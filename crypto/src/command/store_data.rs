//! STORE DATA with data groupings: GlobalPlatform Card Specification v2.3 §11.11.

use std::fmt;

use zeroize::Zeroize;

use crate::apdu::{Command, SHORT_NE, Status, cla};
use crate::command::global_platform;

/// One block of a stream of data groupings. A grouping may run on from block to block.
#[derive(Clone, Eq, PartialEq)]
pub struct StoreData {
    /// Whether the stream ends with this block.
    pub last: bool,
    /// Number of the block, from 0; 255 is followed by 0. GlobalPlatform ends at 255: see `docs/divergences.md`.
    pub block: u8,
    /// The bytes of the block.
    pub data: Vec<u8>,
}

impl StoreData {
    /// Instruction byte.
    pub const INS: u8 = 0xe2;
}

/// Encodes the command as the terminal sends it.
impl From<StoreData> for Command {
    fn from(mut it: StoreData) -> Self {
        let p1 = if it.last { LAST | GROUPINGS } else { GROUPINGS };
        Command::new(StoreData::INS, p1, it.block)
            .class(cla::GLOBAL_PLATFORM)
            .data(std::mem::take(&mut it.data))
            .expecting(SHORT_NE)
    }
}

/// Decodes the command as the chip receives it.
impl TryFrom<&Command> for StoreData {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        global_platform(command, Self::INS)?;
        let [p1, block] = command.p;
        if p1 & !LAST != GROUPINGS {
            return Err(Status::WRONG_P1P2);
        }
        Ok(Self { last: p1 & LAST != 0, block, data: command.data.clone() })
    }
}

impl Drop for StoreData {
    fn drop(&mut self) {
        self.data.zeroize();
    }
}

/// Shows number and length only.
impl fmt::Debug for StoreData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreData(block {}, {} bytes{})", self.block, self.data.len(), if self.last { ", last" } else { "" })
    }
}

/// P1 bit 8: no block follows.
const LAST: u8 = 0x80;
/// P1 bits 5 and 4: the data are groupings (tag of two bytes, length of one or three).
const GROUPINGS: u8 = 0x08;
