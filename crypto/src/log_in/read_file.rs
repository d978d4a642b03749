//! One file of a card, read in as few commands as the answers allow.

use crate::apdu::{Command, Response, Status};
use crate::command::read_binary::ReadBinary;
use crate::conversation::{Conversation, Fault, Turn};
use crate::lds::File;
use crate::tlv;

/// Reads a file that is one data object, by its short identifier.
#[derive(Debug)]
pub(super) struct ReadFile {
    file: File,
    /// The most plain bytes of one answer.
    most: usize,
    bytes: Vec<u8>,
    /// Length of the file, once its first bytes are there.
    whole: Option<usize>,
    ins: u8,
    commands: usize,
}

impl ReadFile {
    pub(super) fn new(file: File, most: usize) -> Self {
        Self { file, most, bytes: Vec::new(), whole: None, ins: 0, commands: 0 }
    }

    /// Returns whether something of the file was read.
    pub(super) fn has_begun(&self) -> bool {
        !self.bytes.is_empty()
    }

    fn ask(mut self) -> Result<Turn<Self>, Fault> {
        self.commands += 1;
        if self.commands > MOST_COMMANDS {
            return Err(Fault::Misbehaved("files in pieces so small that reading them has no end"));
        }
        let read = match self.whole {
            None => ReadBinary::of(self.file.short_id(), self.most),
            Some(whole) => {
                let offset = u32::try_from(self.bytes.len()).expect("a short file");
                ReadBinary::current(offset, self.most.min(whole - self.bytes.len()))
            }
        };
        let command = Command::from(read);
        self.ins = command.ins;
        Ok(Turn::Ask(self, command))
    }
}

impl Conversation for ReadFile {
    type Output = Vec<u8>;

    fn open(self) -> Result<Turn<Self>, Fault> {
        self.ask()
    }

    fn hear(mut self, answer: Response) -> Result<Turn<Self>, Fault> {
        let more = match answer.status {
            Status::SUCCESS | Status::END_OF_FILE => answer.data,
            status => return Err(Fault::Refused { ins: self.ins, status }),
        };
        if more.is_empty() {
            return Err(Fault::Misbehaved("a file that ends before its announced length"));
        }
        self.bytes.extend(more);
        let whole = match self.whole {
            Some(whole) => whole,
            None => match tlv::announced_length(&self.bytes) {
                Ok(length) if length <= LONGEST => length,
                Ok(_) => return Err(Fault::Misbehaved("a file that is longer than any of its kind")),
                Err(_) => return Err(Fault::Misbehaved("a file that does not begin with a data object")),
            },
        };
        self.whole = Some(whole);
        if self.bytes.len() < whole {
            return self.ask();
        }
        self.bytes.truncate(whole);
        Ok(Turn::Done(self.bytes))
    }
}

/// Longest file of a log-in, in bytes: an EF.SOD with its certificate has two to three thousand.
pub(super) const LONGEST: usize = 16 * 1024;
/// Most commands for one file: enough for the longest in short APDUs.
const MOST_COMMANDS: usize = 96;
