//! The CSCA's revocation list in force, from the file that the ceremonies publish: read again
//! when the file has changed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crypto::pki::Crl;
use thiserror::Error;

use super::ceremony::CRL;
use crate::ground::blocking;

/// The list in force; clones share what was read.
#[derive(Clone, Debug)]
pub struct CurrentCrl {
    file: PathBuf,
    last: Arc<Mutex<Option<Read>>>,
}

/// A list as it was read, with what tells whether the file has changed since.
#[derive(Clone, Debug)]
struct Read {
    modified: SystemTime,
    length: u64,
    der: Arc<Vec<u8>>,
    list: Crl,
}

/// Why there is no list.
#[derive(Debug, Error)]
pub enum CrlFileError {
    /// The file.
    #[error("the revocation list {0}: {1}; restore it from the backup")]
    File(PathBuf, std::io::Error),
    /// Not a list.
    #[error("{0} is not a revocation list; restore it from the backup")]
    Malformed(PathBuf),
}

impl CurrentCrl {
    /// The list under the service's data folder.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self { file: data.join(CRL), last: Arc::default() }
    }

    /// Returns the list in force: its DER, and what it says.
    ///
    /// # Errors
    /// [`CrlFileError`]
    pub async fn read(&self) -> Result<(Arc<Vec<u8>>, Crl), CrlFileError> {
        let this = self.clone();
        blocking::run(move || this.read_now()).await
    }

    /// As [`read`](Self::read), on the calling thread.
    ///
    /// # Errors
    /// [`CrlFileError`]
    pub fn read_now(&self) -> Result<(Arc<Vec<u8>>, Crl), CrlFileError> {
        let failed = |error| CrlFileError::File(self.file.clone(), error);
        let metadata = std::fs::metadata(&self.file).map_err(failed)?;
        let (modified, length) = (metadata.modified().map_err(failed)?, metadata.len());
        let last = self.last.lock().expect("the lock is held for a copy only").clone();
        if let Some(read) = last.filter(|read| (read.modified, read.length) == (modified, length)) {
            return Ok((read.der, read.list));
        }
        let der = std::fs::read(&self.file).map_err(failed)?;
        let list = Crl::parse(&der).map_err(|_| CrlFileError::Malformed(self.file.clone()))?;
        let der = Arc::new(der);
        let read = Read { modified, length, der: Arc::clone(&der), list: list.clone() };
        *self.last.lock().expect("the lock is held for a copy only") = Some(read);
        Ok((der, list))
    }
}
