//! READ BINARY: ISO/IEC 7816-4:2013 §11.2.3, Doc 9303-10 (8th ed.) §3.6.3.

use crate::apdu::{Command, EXTENDED_NE, Status};
use crate::conversation::Fault;
use crate::tlv::{self, Tlv};

/// Reads at most [`ReadBinary::length`] bytes of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReadBinary {
    /// First byte wanted: 0..=7FFF in the current file, 0..=FF with a short identifier; larger ones
    /// take the odd instruction.
    pub offset: u32,
    /// Short identifier (1..=30) of the file to make current first; `None` for the current file.
    pub short_id: Option<u8>,
    /// The most content bytes wanted, 1..=65,536.
    pub length: usize,
    /// Whether the odd instruction is used: offset and content travel in data objects. Needed for offsets
    /// that P1-P2 cannot carry.
    pub odd: bool,
}

/// Instruction byte with the offset in P1-P2.
pub const INS: u8 = 0xb0;

/// Odd instruction: the offset stands in a data object (ISO/IEC 7816-4:2013 §11.2.1), for files beyond 32 KiB.
pub const INS_ODD: u8 = 0xb1;

impl ReadBinary {
    /// Creates a reading of the current file; beyond 32 KiB by the odd instruction.
    pub fn current(offset: u32, length: usize) -> Self {
        Self { offset, short_id: None, length, odd: offset > 0x7fff }
    }

    /// Creates a reading from the start of the file with this short identifier, which becomes current.
    pub fn of(short_id: u8, length: usize) -> Self {
        Self { offset: 0, short_id: Some(short_id), length, odd: false }
    }

    /// Returns the content in a response data field.
    ///
    /// # Errors
    /// [`Fault::Misbehaved`] if the discretionary data object of the odd instruction is malformed.
    pub fn content(&self, data: Vec<u8>) -> Result<Vec<u8>, Fault> {
        if !self.odd {
            return Ok(data);
        }
        match Tlv::expect(CONTENT, &data) {
            Ok(object) => Ok(object.value.to_vec()),
            Err(_) => Err(Fault::Misbehaved("the answer to READ BINARY B1 is not one data object 53")),
        }
    }

    /// Returns the response data field that carries `content`.
    pub fn answer(&self, content: &[u8]) -> Vec<u8> {
        if self.odd { tlv::encode(CONTENT, content) } else { content.to_vec() }
    }
}

/// Encodes the command as the terminal sends it. With the odd instruction Ne also covers the
/// header of the data object 53.
impl From<ReadBinary> for Command {
    fn from(read: ReadBinary) -> Self {
        let [.., high, middle, low] = read.offset.to_be_bytes();
        match read.short_id {
            None if !read.odd => Self::new(INS, middle, low).expecting(read.length),
            Some(short_id) if !read.odd => Self::new(INS, 0x80 | short_id, low).expecting(read.length),
            short_id => {
                let offset: &[u8] = if high == 0 { &[middle, low] } else { &[high, middle, low] };
                Self::new(INS_ODD, 0, short_id.unwrap_or(0))
                    .data(tlv::encode(OFFSET, offset))
                    .expecting((read.length + tlv::header_length(CONTENT, read.length)).min(EXTENDED_NE))
            }
        }
    }
}

/// Decodes the command as the chip receives it. A command without Le asks for nothing and is refused with `6700`.
impl TryFrom<&Command> for ReadBinary {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        let ne = command.ne.ok_or(Status::WRONG_LENGTH)?;
        match (command.ins, command.p) {
            (INS, _) if !command.data.is_empty() => Err(Status::WRONG_LENGTH),
            (INS, [hi, lo]) if hi & 0x80 == 0 => Ok(Self::current(u32::from(u16::from_be_bytes([hi, lo])), ne)),
            (INS, [hi, lo]) => {
                Ok(Self { offset: u32::from(lo), short_id: Some(short_identifier(hi & 0x7f)?), length: ne, odd: false })
            }
            (INS_ODD, [0, short_id]) => {
                let object = Tlv::expect(OFFSET, &command.data).map_err(|_| Status::WRONG_DATA)?;
                if object.value.is_empty() || object.value.len() > 3 {
                    return Err(Status::WRONG_DATA);
                }
                let offset = object.value.iter().fold(0, |n, b| n << 8 | u32::from(*b));
                let short_id = if short_id == 0 { None } else { Some(short_identifier(short_id)?) };
                // Ne counts the header of the data object 53 too; the longest possible header is subtracted.
                let length = ne.saturating_sub(tlv::header_length(CONTENT, ne));
                if length == 0 { Err(Status::WRONG_LENGTH) } else { Ok(Self { offset, short_id, length, odd: true }) }
            }
            (INS_ODD, _) => Err(Status::WRONG_P1P2),
            _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        }
    }
}

fn short_identifier(value: u8) -> Result<u8, Status> {
    if (1..=30).contains(&value) { Ok(value) } else { Err(Status::WRONG_P1P2) }
}

/// Data object of the offset in the odd instruction.
const OFFSET: u32 = 0x54;
/// Discretionary data object around the content in its answer.
const CONTENT: u32 = 0x53;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_written_and_understood() {
        for (read, hex) in [
            (ReadBinary::current(4, 18), "00b0000412"),
            (ReadBinary::current(0x7fff, 256), "00b07fff00"),
            (ReadBinary::of(0x1e, 4), "00b09e0004"),
            (ReadBinary { offset: 0xff, short_id: Some(1), length: 1, odd: false }, "00b081ff01"),
            (ReadBinary::current(0x8000, 100), "00b100000454028000" /* 54 02 8000 */),
            (ReadBinary::current(0x01_0000, 100), "00b1000005540301000066"),
        ] {
            let command = Command::from(read);
            assert!(hex::encode(command.to_bytes()).starts_with(hex), "{:?}", hex::encode(command.to_bytes()));
            assert_eq!(ReadBinary::try_from(&command), Ok(read));
        }
    }

    #[test]
    fn the_odd_instruction_wraps_its_content() {
        let read = ReadBinary::current(0x9000, 200);
        assert!(read.odd);
        let answer = read.answer(&[7; 200]);
        assert_eq!(read.content(answer), Ok(vec![7; 200]));
        assert!(read.content(vec![0x53, 2, 1]).is_err());
    }

    #[test]
    fn a_terminal_may_use_the_odd_instruction_for_a_small_offset() {
        let command = Command::new(INS_ODD, 0, 0).data([0x54, 1, 4]).expecting(256);
        assert_eq!(ReadBinary::try_from(&command).map(|r| (r.offset, r.length, r.odd)), Ok((4, 252, true)));
    }

    #[test]
    fn short_identifiers_31_and_0_are_reserved() {
        for p1 in [0x80, 0x9f, 0xa1] {
            let command = Command::new(INS, p1, 0).expecting(1);
            assert_eq!(ReadBinary::try_from(&command), Err(Status::WRONG_P1P2));
        }
    }
}
