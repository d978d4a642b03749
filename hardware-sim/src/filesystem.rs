//! The files on the chip and what READ BINARY returns of them: ISO/IEC 7816-4:2013 §7 and §11.2,
//! Doc 9303-10 (8th ed.) §3.

use std::collections::BTreeMap;

use crypto::apdu::{Response, Status};
use crypto::lds::File;

/// The elementary files that exist, with their content. They are transparent, and each is as long
/// as what was written to it.
#[derive(Clone, Default)]
pub struct Files(BTreeMap<File, Vec<u8>>);

impl Files {
    /// Replaces the content of `file`, or makes the file.
    pub fn put(&mut self, file: File, content: Vec<u8>) {
        self.0.insert(file, content);
    }

    /// Returns the content of `file`, if it exists.
    pub fn content(&self, file: File) -> Option<&[u8]> {
        self.0.get(&file).map(Vec::as_slice)
    }

    /// Returns all files with their content.
    pub fn iter(&self) -> impl Iterator<Item = (File, &[u8])> {
        self.0.iter().map(|(file, content)| (*file, content.as_slice()))
    }

    /// Returns the number of bytes in all files together.
    pub fn size(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

/// Shows the files and their lengths, never their content.
impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter().map(|(file, content)| (file, content.len()))).finish()
    }
}

/// The dedicated file that SELECT made current. It decides where file identifiers are looked up
/// and which commands exist.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Application {
    /// The issuer security domain of GlobalPlatform.
    IssuerDomain,
    /// The LDS1 eMRTD application.
    Lds,
    /// No application: the master file itself, as after every reset.
    #[default]
    MasterFile,
}

impl Application {
    /// Returns the file that this identifier means here. Files of the master file are found from every
    /// application, because not all readers select the master file before EF.CardAccess, and some chips (Viet
    /// Nam's) cannot select it.
    pub fn file(self, id: u16) -> Option<File> {
        match self {
            Self::Lds => File::in_application(id).or_else(|| File::in_master_file(id)),
            Self::IssuerDomain | Self::MasterFile => File::in_master_file(id),
        }
    }

    /// Returns the file that this short identifier means here; `01` to `10`, `1D` and `1E` mean files of the LDS
    /// application while it is selected.
    pub fn file_by_short_id(self, short_id: u8) -> Option<File> {
        match self {
            Self::Lds => {
                File::in_application_by_short_id(short_id).or_else(|| File::in_master_file_by_short_id(short_id))
            }
            Self::IssuerDomain | Self::MasterFile => File::in_master_file_by_short_id(short_id),
        }
    }
}

/// Returns what READ BINARY answers: at most `most` bytes from `offset`, of which the channel can carry `room`. With
/// `all` the command asked for everything there is (Ne of 256 or 65,536).
///
/// Fewer bytes than asked for are `9000` if the channel has no more room and the file goes on: the reader asks again.
/// They are `6282` if the file ends, except with `all`, where fewer are allowed (ISO/IEC 7816-4:2013 §5.1). An offset
/// at or behind the end is `6B00`.
pub fn read(content: &[u8], offset: usize, most: usize, all: bool, room: usize) -> Response {
    if offset >= content.len() {
        return Status::OFFSET_OUTSIDE_FILE.into();
    }
    let rest = &content[offset..];
    let data = rest[..rest.len().min(most).min(room)].to_vec();
    let ends = data.len() == rest.len() && data.len() < most;
    Response { data, status: if ends && !all { Status::END_OF_FILE } else { Status::SUCCESS } }
}

#[cfg(test)]
mod tests {
    use crypto::apdu::{EXTENDED_NE, SHORT_NE};

    use super::*;

    #[test]
    fn a_read_ends_with_its_file() {
        let file = [7; 100];
        for (offset, ne, room, length, status) in [
            (0, 10, 223, 10, Status::SUCCESS),
            (0, 100, 223, 100, Status::SUCCESS),
            (0, 101, 223, 100, Status::END_OF_FILE),
            (0, 256, 223, 100, Status::SUCCESS),
            (0, 65_536, 223, 100, Status::SUCCESS),
            (0, 101, 50, 50, Status::SUCCESS),
            (0, 101, 100, 100, Status::END_OF_FILE),
            (99, 1, 223, 1, Status::SUCCESS),
            (99, 2, 223, 1, Status::END_OF_FILE),
            (100, 1, 223, 0, Status::OFFSET_OUTSIDE_FILE),
            (40_000, 256, 223, 0, Status::OFFSET_OUTSIDE_FILE),
        ] {
            let response = read(&file, offset, ne, matches!(ne, SHORT_NE | EXTENDED_NE), room);
            assert_eq!((response.data.len(), response.status), (length, status), "{offset} {ne} {room}");
        }
    }

    #[test]
    fn the_same_number_means_another_file_in_the_application() {
        assert_eq!(Application::MasterFile.file(0x011d), Some(File::CardSecurity));
        assert_eq!(Application::Lds.file(0x011d), Some(File::Sod));
        assert_eq!(Application::MasterFile.file_by_short_id(0x1e), Some(File::Dir));
        assert_eq!(Application::Lds.file_by_short_id(0x1e), Some(File::Com));
        for application in [Application::IssuerDomain, Application::Lds, Application::MasterFile] {
            assert_eq!(application.file(0x011c), Some(File::CardAccess));
            assert_eq!(application.file_by_short_id(0x1c), Some(File::CardAccess));
        }
    }
}
