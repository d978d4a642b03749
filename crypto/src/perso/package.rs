//! The content of a personalized chip: its files and its passwords.

use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::stream;
use crate::identity::Can;
use crate::lds::File;
use crate::mrz::MrzKey;
use crate::suite::Hash;

/// The files of one card, raw as readers will read them, with the two passwords.
pub struct Package {
    files: Vec<(File, Zeroizing<Vec<u8>>)>,
    can: Can,
    mrz_seed: Zeroizing<[u8; 20]>,
}

impl Package {
    /// Creates a package. Of the MRZ only the SHA-1 goes to the chip, which is all that BAC and PACE need.
    ///
    /// # Errors
    /// [`PackageError`].
    pub fn new(files: Vec<(File, Vec<u8>)>, can: Can, mrz: &MrzKey) -> Result<Self, PackageError> {
        let mut files: Vec<_> = files.into_iter().map(|(file, content)| (file, Zeroizing::new(content))).collect();
        files.sort_by_key(|(file, _)| file.id());
        for (file, content) in &files {
            if stream::file_of(file.id()) != Some(*file) {
                return Err(PackageError::NotForUs { file: *file });
            }
            if content.is_empty() || content.len() > stream::LONGEST {
                return Err(PackageError::Length { file: *file, length: content.len() });
            }
        }
        if let Some(pair) = files.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(PackageError::Twice { file: pair[0].0 });
        }
        let seed = Zeroizing::new(Hash::Sha1.digest(mrz.information().as_bytes()));
        let mrz_seed = Zeroizing::new(seed[..].try_into().expect("SHA-1 has twenty bytes"));
        Ok(Self { files, can, mrz_seed })
    }

    /// Returns the files, by ascending identifier.
    pub fn files(&self) -> impl Iterator<Item = (File, &[u8])> {
        self.files.iter().map(|(file, content)| (*file, &content[..]))
    }

    /// Returns the digest that the chip will report once it holds these files: [`digest()`].
    pub fn digest(&self) -> [u8; 32] {
        digest(self.files())
    }

    /// Returns the stream of data groupings that STORE DATA cuts into blocks.
    pub(super) fn stream(&self) -> Zeroizing<Vec<u8>> {
        let total = self.files.iter().map(|(_, content)| content.len() + 5).sum::<usize>();
        let mut out = Zeroizing::new(Vec::with_capacity(total + 64)); // no reallocation: no stray copy of the plaintext
        for (file, content) in self.files() {
            stream::push(&mut out, file.id(), content);
        }
        stream::push(&mut out, stream::CAN, self.can.as_bytes());
        stream::push(&mut out, stream::MRZ_SEED, &self.mrz_seed[..]);
        out
    }
}

/// Shows names and lengths of the files.
impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.files().map(|(file, content)| (file.to_string(), content.len()))).finish()
    }
}

/// Returns the digest over the files of a chip: SHA-256 over, for each file by ascending identifier, identifier (2
/// bytes), length (4 bytes) and content. The chip computes it over what STORE DATA wrote and reports it; the
/// service over what it sent.
pub fn digest<'a>(files: impl IntoIterator<Item = (File, &'a [u8])>) -> [u8; 32] {
    let mut files: Vec<_> = files.into_iter().collect();
    files.sort_by_key(|(file, _)| file.id());
    let mut hash = Sha256::new();
    for (file, content) in files {
        hash.update(file.id().to_be_bytes());
        let length = u32::try_from(content.len()).expect("a file of a chip is shorter than 4 GiB");
        hash.update(length.to_be_bytes());
        hash.update(content);
    }
    hash.finalize().into()
}

/// Error when creating a package.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum PackageError {
    /// A file is empty or longer than a data grouping.
    #[error("{file} has {length} bytes: between 1 and 65,535 can be stored")]
    Length {
        /// The file.
        file: File,
        /// Its length in bytes.
        length: usize,
    },
    /// A file that personalization does not write: EF.CardSecurity has the identifier of EF.SOD in another directory.
    #[error("{file} is not among the files that personalization writes")]
    NotForUs {
        /// The file.
        file: File,
    },
    /// A file is given twice.
    #[error("{file} is given twice")]
    Twice {
        /// The file.
        file: File,
    },
}
