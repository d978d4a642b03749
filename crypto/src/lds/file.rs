//! The elementary files: Doc 9303-10 (8th ed.) §3.11 (master file) and §4.6 with table 38 (LDS1 application).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::identity::serde_as_text;

/// An elementary file of the chip.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum File {
    /// EF.ATR/INFO in the master file: how long commands and responses may be.
    AtrInfo,
    /// EF.CardAccess in the master file: the protocols, before anything is proved.
    CardAccess,
    /// EF.CardSecurity in the master file: the same, signed. The citizen card has none.
    CardSecurity,
    /// EF.COM of the application: which data groups there are, unsigned.
    Com,
    /// A data group of the application.
    DataGroup(DataGroup),
    /// EF.DIR in the master file: which applications there are.
    Dir,
    /// EF.SOD of the application: the signed hash table.
    Sod,
}

impl File {
    /// Returns all files of the LDS1 application, by ascending identifier.
    pub fn of_application() -> impl Iterator<Item = Self> {
        DataGroup::all().map(Self::DataGroup).chain([Self::Sod, Self::Com])
    }

    /// Returns the file identifier. `011D` is EF.CardSecurity in the master file and EF.SOD in the application.
    pub fn id(self) -> u16 {
        match self {
            Self::AtrInfo => 0x2f01,
            Self::CardAccess => 0x011c,
            Self::CardSecurity | Self::Sod => 0x011d,
            Self::Com => 0x011e,
            Self::DataGroup(group) => 0x0100 | u16::from(group.number()),
            Self::Dir => 0x2f00,
        }
    }

    /// Returns the short file identifier, 1..=30. `1E` is EF.DIR in the master file and EF.COM in the application.
    pub fn short_id(self) -> u8 {
        match self {
            Self::AtrInfo => 0x01,
            Self::CardAccess => 0x1c,
            Self::CardSecurity | Self::Sod => 0x1d,
            Self::Com | Self::Dir => 0x1e,
            Self::DataGroup(group) => group.number(),
        }
    }

    /// Returns the tag of the one data object that the file consists of; `None` for EF.ATR/INFO and
    /// EF.DIR, which have several.
    pub fn tag(self) -> Option<u32> {
        match self {
            Self::AtrInfo | Self::Dir => None,
            Self::CardAccess => Some(0x31),
            Self::CardSecurity => Some(0x30),
            Self::Com => Some(0x60),
            Self::DataGroup(group) => Some(group.tag()),
            Self::Sod => Some(0x77),
        }
    }

    /// Returns whether it stands in the LDS1 application, `A0000002471001`; the others stand in the master file.
    pub fn is_in_application(self) -> bool {
        matches!(self, Self::Com | Self::DataGroup(_) | Self::Sod)
    }

    /// Returns the file with this identifier in the LDS1 application.
    pub fn in_application(id: u16) -> Option<Self> {
        Self::of_application().find(|file| file.id() == id)
    }

    /// Returns the file with this identifier in the master file.
    pub fn in_master_file(id: u16) -> Option<Self> {
        Self::MASTER_FILE.into_iter().find(|file| file.id() == id)
    }

    /// Returns the file with this short identifier in the LDS1 application.
    pub fn in_application_by_short_id(short_id: u8) -> Option<Self> {
        Self::of_application().find(|file| file.short_id() == short_id)
    }

    /// Returns the file with this short identifier in the master file.
    pub fn in_master_file_by_short_id(short_id: u8) -> Option<Self> {
        Self::MASTER_FILE.into_iter().find(|file| file.short_id() == short_id)
    }

    const MASTER_FILE: [Self; 4] = [Self::AtrInfo, Self::CardAccess, Self::CardSecurity, Self::Dir];
}

impl From<DataGroup> for File {
    fn from(group: DataGroup) -> Self {
        Self::DataGroup(group)
    }
}

/// Writes the name of Doc 9303-10: `EF.COM`, `EF.ATR/INFO`, …, and `DG1` for a data group.
impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtrInfo => f.pad("EF.ATR/INFO"),
            Self::CardAccess => f.pad("EF.CardAccess"),
            Self::CardSecurity => f.pad("EF.CardSecurity"),
            Self::Com => f.pad("EF.COM"),
            Self::DataGroup(group) => group.fmt(f),
            Self::Dir => f.pad("EF.DIR"),
            Self::Sod => f.pad("EF.SOD"),
        }
    }
}

impl FromStr for File {
    type Err = UnknownFile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::of_application().chain(Self::MASTER_FILE).find(|file| file.to_string() == text);
        named.ok_or(UnknownFile)
    }
}

serde_as_text!(File);

/// No known file has this name.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("no file of the card has this name")]
pub struct UnknownFile;

/// A data group by its number, 1..=16.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DataGroup(u8);

impl DataGroup {
    /// MRZ.
    pub const DG1: Self = Self(1);
    /// Face.
    pub const DG2: Self = Self(2);
    /// Fingers.
    pub const DG3: Self = Self(3);
    /// Irises.
    pub const DG4: Self = Self(4);
    /// Displayed portrait.
    pub const DG5: Self = Self(5);
    /// Displayed signature.
    pub const DG7: Self = Self(7);
    /// Additional personal details.
    pub const DG11: Self = Self(11);
    /// Additional document details.
    pub const DG12: Self = Self(12);
    /// Optional details: on the citizen card what is printed in Vietnamese.
    pub const DG13: Self = Self(13);
    /// Security options.
    pub const DG14: Self = Self(14);
    /// Public key of active authentication.
    pub const DG15: Self = Self(15);
    /// Persons to notify.
    pub const DG16: Self = Self(16);

    /// Returns the data group with this number.
    ///
    /// # Errors
    /// [`UnknownDataGroup`] outside 1..=16.
    pub fn new(number: u8) -> Result<Self, UnknownDataGroup> {
        if (1..=16).contains(&number) { Ok(Self(number)) } else { Err(UnknownDataGroup) }
    }

    /// Returns all sixteen data groups, ascending.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=16).map(Self)
    }

    /// Returns the number, 1..=16.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Returns the tag of the file's data object (Doc 9303-10 §4.7). Not in the order of the numbers.
    pub fn tag(self) -> u32 {
        TAGS[usize::from(self.0 - 1)]
    }

    /// Returns the data group whose file begins with this tag.
    pub fn from_tag(tag: u32) -> Option<Self> {
        Self::all().find(|group| group.tag() == tag)
    }
}

impl TryFrom<u8> for DataGroup {
    type Error = UnknownDataGroup;

    fn try_from(number: u8) -> Result<Self, UnknownDataGroup> {
        Self::new(number)
    }
}

/// `DG1` to `DG16`.
impl fmt::Display for DataGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("DG{}", self.0))
    }
}

impl fmt::Debug for DataGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for DataGroup {
    type Err = UnknownDataGroup;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all().find(|group| group.to_string() == text).ok_or(UnknownDataGroup)
    }
}

serde_as_text!(DataGroup);

/// The number is not that of a data group.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("data groups are numbered from 1 to 16")]
pub struct UnknownDataGroup;

const TAGS: [u32; 16] =
    [0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70];
