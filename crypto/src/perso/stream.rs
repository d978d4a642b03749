//! Data groupings in STORE DATA: a tag of two bytes, a length of one byte or of `FF` and two, the content
//! (GlobalPlatform Card Specification v2.3 §11.11; EMV Card Personalization Specification v1.1 §2). Groupings follow
//! each other without regard to where a command ends, so that every command but the last is full.
//!
//! | tag | content |
//! | --- | --- |
//! | identifier of a file (`011E`, `0101`, `011C`, `2F01`, …) | the whole file |
//! | `8010` | CAN, six ASCII digits |
//! | `8011` | SHA-1 of MRZ_information (Doc 9303-11 (8th ed.) §4.3.2), 20 bytes |

use std::fmt;

use zeroize::Zeroizing;

use crate::apdu::Status;
use crate::command::store_data::StoreData;
use crate::identity::Can;
use crate::lds::File;

/// Longest content of a grouping: bytes.
pub(super) const LONGEST: usize = 0xffff;
pub(super) const CAN: u16 = 0x8010;
pub(super) const MRZ_SEED: u16 = 0x8011;

/// Returns the file that a grouping with this tag holds.
pub(super) fn file_of(tag: u16) -> Option<File> {
    File::in_application(tag).or_else(|| File::in_master_file(tag))
}

/// Appends one grouping of at most [`LONGEST`] bytes.
pub(super) fn push(out: &mut Vec<u8>, tag: u16, content: &[u8]) {
    out.extend_from_slice(&tag.to_be_bytes());
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0xfe) => out.push(short),
        _ => {
            let length = u16::try_from(content.len()).expect("at most `LONGEST` bytes");
            out.push(0xff);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(content);
}

/// One whole data grouping, as the chip receives it.
#[derive(Clone, Eq, PartialEq)]
pub enum Grouping {
    /// The password that is printed on the card.
    Can(Can),
    /// A whole file.
    File(File, Vec<u8>),
    /// SHA-1 of MRZ_information.
    MrzSeed([u8; 20]),
}

impl Grouping {
    fn new(tag: u16, content: &[u8]) -> Result<Self, Status> {
        match tag {
            CAN => {
                let can = std::str::from_utf8(content).ok().and_then(|text| text.parse().ok());
                can.map(Self::Can).ok_or(Status::WRONG_DATA)
            }
            MRZ_SEED => content.try_into().map(Self::MrzSeed).map_err(|_| Status::WRONG_DATA),
            _ if content.is_empty() => Err(Status::WRONG_DATA),
            _ => file_of(tag).map(|file| Self::File(file, content.to_vec())).ok_or(Status::REFERENCED_DATA_NOT_FOUND),
        }
    }
}

/// Shows kind and length.
impl fmt::Debug for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Can(_) => f.write_str("Can(…)"),
            Self::File(file, content) => write!(f, "File({file}, {} bytes)", content.len()),
            Self::MrzSeed(_) => f.write_str("MrzSeed(…)"),
        }
    }
}

/// The chip's end of the stream: takes STORE DATA block by block, and returns the groupings that are complete.
///
/// One per SCP03 session, volatile. **Before it takes the first block ([`Collector::is_untouched`]) the chip discards
/// every file and password that an earlier stream left**: otherwise a file of another citizen could remain beside a
/// shorter package. SET STATUS to Personalized is allowed only in a session whose stream [`Collector::is_complete`].
#[derive(Default)]
pub struct Collector {
    blocks: usize,
    pending: Zeroizing<Vec<u8>>,
    complete: bool,
    spoiled: bool,
}

impl Collector {
    /// Creates a collector before the first block.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns whether no block came yet.
    pub fn is_untouched(&self) -> bool {
        self.blocks == 0
    }

    /// Returns whether the last block came, and ended where a grouping ends.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Marks the stream as spoiled, when the chip could not store a block (memory full, write failed). No further
    /// block is taken and the stream is never complete, so that a station that ignores the error cannot close a
    /// chip with a file missing.
    pub fn spoil(&mut self) {
        (self.spoiled, self.complete) = (true, false);
        self.pending = Zeroizing::default();
    }

    /// Takes the next block. A refused block leaves the stream unchanged.
    ///
    /// # Errors
    /// [`Status::CONDITIONS_NOT_SATISFIED`] after the last block or [`Collector::spoil`], [`Status::WRONG_P1P2`] for a
    /// block out of turn, [`Status::WRONG_DATA`] for a malformed grouping or one that the last block cuts short,
    /// [`Status::REFERENCED_DATA_NOT_FOUND`] for a tag that the chip has no place for.
    pub fn take(&mut self, block: &StoreData) -> Result<Vec<Grouping>, Status> {
        if self.complete || self.spoiled {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        let [.., expected] = self.blocks.to_be_bytes(); // the number wraps, see `StoreData`
        if block.block != expected {
            return Err(Status::WRONG_P1P2);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.pending.len() + block.data.len()));
        bytes.extend_from_slice(&self.pending);
        bytes.extend_from_slice(&block.data);
        let mut rest = &bytes[..];
        let mut whole = Vec::new();
        while let Some((tag, content, after)) = split(rest) {
            whole.push(Grouping::new(tag, content)?);
            rest = after;
        }
        if block.last && !rest.is_empty() {
            return Err(Status::WRONG_DATA);
        }
        self.pending = Zeroizing::new(rest.to_vec());
        self.blocks += 1;
        self.complete = block.last;
        Ok(whole)
    }
}

/// Shows the progress.
impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collector({} blocks{})", self.blocks, if self.complete { ", complete" } else { "" })
    }
}

/// Returns tag, content and the rest; `None` until the grouping is whole.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (tag, length, rest) = match bytes {
        [a, b, 0xff, hi, lo, rest @ ..] => ([*a, *b], usize::from(u16::from_be_bytes([*hi, *lo])), rest),
        [_, _, 0xff, ..] => return None,
        [a, b, length, rest @ ..] => ([*a, *b], usize::from(*length), rest),
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((u16::from_be_bytes(tag), content, rest))
}
