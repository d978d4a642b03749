//! What a chip gave: raw bytes as read, and how each protocol ended. Nothing is judged here.

use std::{collections::BTreeMap, fmt};

use crate::{
    conversation::Fault,
    identity::Can,
    lds::{DataGroup, File},
    mrz::MrzKey,
};

/// How a chip was opened.
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

/// What opens a chip.
#[derive(Clone)]
pub enum Password {
    /// Six digits printed on the front.
    Can(Can),
    /// From the three lines of the back.
    Mrz(MrzKey),
}

/// Hides the password.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Can(_) => "Can(…)",
            Self::Mrz(_) => "Mrz(…)",
        })
    }
}

/// How access went.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    /// What opened the chip; none if nothing did.
    pub way: Option<AccessProtocol>,
    /// What was tried before, or instead, and how it failed.
    pub failed: Vec<(AccessProtocol, Fault)>,
    /// Whether EF.CardAccess announces PACE.
    pub pace_announced: bool,
}

/// One file as the chip gave it.
#[derive(Clone, Eq, PartialEq)]
pub enum FileReading {
    /// Its bytes, to its announced length.
    Read(Vec<u8>),
    /// The chip did not give it.
    Refused(Fault),
}

/// Length only.
impl fmt::Debug for FileReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(bytes) => write!(f, "Read({} bytes)", bytes.len()),
            Self::Refused(fault) => write!(f, "Refused({fault})"),
        }
    }
}

/// A protocol that was or was not run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Protocol<T> {
    /// It ran to its end.
    Done(T),
    /// It was begun and failed.
    Failed(Fault),
    /// It was not begun.
    #[default]
    NotTried,
}

/// Chip authentication that ran to its end (Doc 9303-11 §6.2): the new channel carried at least one command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChipAuthenticated {
    /// SubjectPublicKeyInfo used, as it stood in DG14.
    pub spki: Vec<u8>,
}

/// What the chip answered to INTERNAL AUTHENTICATE (Doc 9303-11 §6.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActiveAuthenticated {
    /// Eight bytes that the terminal chose.
    pub challenge: [u8; 8],
    /// The chip's signature.
    pub signature: Vec<u8>,
}

/// Everything that one reading of a chip brought.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// How the chip was opened.
    pub access: Access,
    /// Files asked for.
    pub files: BTreeMap<File, FileReading>,
    /// Chip authentication.
    pub chip_authentication: Protocol<ChipAuthenticated>,
    /// Active authentication.
    pub active_authentication: Protocol<ActiveAuthenticated>,
    /// What was read from the card's surface.
    pub password: Option<Password>,
    /// Commands that each step took, in the order of the steps.
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

    /// Returns all commands of the reading.
    pub fn command_count(&self) -> usize {
        self.commands.iter().map(|(_, count)| count).sum()
    }
}
