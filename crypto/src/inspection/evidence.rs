//! Evidence of one reading: raw bytes as read, and how each protocol ended. Nothing is judged here.

use std::collections::BTreeMap;
use std::fmt;

use crate::conversation::Fault;
use crate::identity::Can;
use crate::lds::{DataGroup, File};
use crate::mrz::{MrzKey, MrzZone};

/// Protocol that gave access to the chip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccessProtocol {
    /// Basic access control with the MRZ (Doc 9303-11 §4.3).
    Bac,
    /// PACE with the card access number (Doc 9303-11 §4.4).
    PaceCan,
    /// PACE with the MRZ.
    PaceMrz,
}

impl fmt::Display for AccessProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bac => "bac",
            Self::PaceCan => "pace-can",
            Self::PaceMrz => "pace-mrz",
        })
    }
}

/// Password that opens a chip.
#[derive(Clone)]
pub enum Password {
    /// Six digits printed on the front.
    Can(Can),
    /// The three fields of the MRZ that open the chip.
    Mrz(MrzKey),
    /// The whole MRZ on the back: all of it is compared with DG1.
    Zone(MrzZone),
}

impl Password {
    /// Returns the fields of the MRZ that open the chip, if an MRZ was given.
    pub fn mrz(&self) -> Option<&MrzKey> {
        match self {
            Self::Can(_) => None,
            Self::Mrz(key) => Some(key),
            Self::Zone(zone) => Some(zone.key()),
        }
    }
}

/// Hides the password.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Can(_) => "Can(…)",
            Self::Mrz(_) => "Mrz(…)",
            Self::Zone(_) => "Zone(…)",
        })
    }
}

/// Course of the access protocols.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    /// The protocol that opened the chip, if one did.
    pub way: Option<AccessProtocol>,
    /// Protocols that failed, and how.
    pub failed: Vec<(AccessProtocol, Fault)>,
    /// Whether EF.CardAccess announces PACE.
    pub pace_announced: bool,
}

/// Result of reading one file.
#[derive(Clone, Eq, PartialEq)]
pub enum FileReading {
    /// The file's bytes, to its announced length.
    Read(Vec<u8>),
    /// The chip did not give the file.
    Refused(Fault),
    /// The chip was not asked: the secure channel had ended before, in this step and by this fault.
    NotAsked(super::Step, Fault),
}

/// Shows the length only.
impl fmt::Debug for FileReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(bytes) => write!(f, "Read({} bytes)", bytes.len()),
            Self::Refused(fault) => write!(f, "Refused({fault})"),
            Self::NotAsked(step, fault) => write!(f, "NotAsked({step}: {fault})"),
        }
    }
}

/// Result of a protocol.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Protocol<T> {
    /// The protocol ran to its end.
    Done(T),
    /// The protocol was begun and failed.
    Failed(Fault),
    /// The protocol was not begun.
    #[default]
    NotTried,
}

/// Chip authentication that ran to its end (Doc 9303-11 §6.2): the new channel carried at least one command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChipAuthenticated {
    /// SubjectPublicKeyInfo that was used, as read from DG14.
    pub spki: Vec<u8>,
}

/// The chip's answer to INTERNAL AUTHENTICATE (Doc 9303-11 §6.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActiveAuthenticated {
    /// Eight bytes that the terminal chose.
    pub challenge: [u8; 8],
    /// The chip's signature.
    pub signature: Vec<u8>,
}

/// Everything that one reading of a chip produced.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Access to the chip.
    pub access: Access,
    /// Files that were asked for.
    pub files: BTreeMap<File, FileReading>,
    /// Result of chip authentication.
    pub chip_authentication: Protocol<ChipAuthenticated>,
    /// Result of active authentication.
    pub active_authentication: Protocol<ActiveAuthenticated>,
    /// Password that was used, read from the card's surface.
    pub password: Option<Password>,
    /// Number of commands of each step, in the order of the steps.
    pub commands: Vec<(super::Step, usize)>,
}

impl Evidence {
    /// Returns the bytes of a file, if it was read.
    pub fn file(&self, file: File) -> Option<&[u8]> {
        match self.files.get(&file) {
            Some(FileReading::Read(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the bytes of a data group, if it was read.
    pub fn group(&self, group: DataGroup) -> Option<&[u8]> {
        self.file(File::DataGroup(group))
    }

    /// Returns the number of commands of the whole reading.
    pub fn command_count(&self) -> usize {
        self.commands.iter().map(|(_, count)| count).sum()
    }
}
