//! Large objects (portraits): sealed, in files named by the SHA-256 of what is in them, under `DATA/objects`.
//!
//! The file is on the disk before its name enters a transaction. A transaction that fails leaves at most
//! a file that no row names.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Id, Secrets, Source, blocking, files};

/// The store of large objects; clones share it.
#[derive(Clone, Debug)]
pub struct Objects {
    folder: PathBuf,
    secrets: Secrets,
    source: Source,
}

impl Objects {
    /// The objects under the service's data folder.
    #[must_use]
    pub fn new(data: &Path, secrets: Secrets, source: Source) -> Self {
        Self { folder: data.join("objects"), secrets, source }
    }

    /// Keeps an object. Returns its name (64 hexadecimal digits). The same bytes have the same name; a file of that
    /// name that is broken is replaced.
    ///
    /// # Errors
    /// [`ObjectError::File`]
    pub async fn keep(&self, bytes: Vec<u8>) -> Result<String, ObjectError> {
        let objects = self.clone();
        blocking::run(move || objects.keep_now(&bytes)).await
    }

    fn keep_now(&self, bytes: &[u8]) -> Result<String, ObjectError> {
        let name = hex::encode(Sha256::digest(bytes));
        if self.fetch_now(&name).is_ok() {
            return Ok(name);
        }
        let path = self.path(&name);
        let folder = path.parent().expect("objects lie in a folder");
        files::private_folder(folder)?;
        // Two writers of the same object each have their own file until one of them becomes the object.
        let unique: Id<()> = self.source.id();
        let beside = folder.join(format!("{unique}.new"));
        files::replace(&path, &beside, &self.secrets.seal(&purpose(&name), bytes), files::PRIVATE)?;
        Ok(name)
    }

    /// Returns an object by its name.
    ///
    /// # Errors
    /// [`ObjectError::File`]; [`ObjectError::Changed`] if it is not what was kept under this name.
    pub async fn fetch(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, ObjectError> {
        let (objects, name) = (self.clone(), name.to_owned());
        blocking::run(move || objects.fetch_now(&name)).await
    }

    fn fetch_now(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, ObjectError> {
        if name.len() != 64 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ObjectError::Changed);
        }
        let sealed = std::fs::read(self.path(name))?;
        self.secrets.open(&purpose(name), &sealed).map_err(|_| ObjectError::Changed)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(&name[..2]).join(&name[2..])
    }
}

/// The name is part of what is authenticated: no object passes for another.
fn purpose(name: &str) -> String {
    format!("object/{name}")
}

/// Why an object cannot be had.
#[derive(Debug, Error)]
pub enum ObjectError {
    /// Not what was kept under this name.
    #[error("an object was changed, or sealed under another key")]
    Changed,
    /// The file system.
    #[error("objects: {0}")]
    File(#[from] io::Error),
}

impl ObjectError {
    /// True if the object itself is gone or broken, so that trying again does not help.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Changed => true,
            Self::File(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::ground::{Clock, Randomness};

    #[tokio::test]
    async fn a_broken_object_is_mended_by_the_same_upload() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::new(Clock::standing(datetime!(2026-11-25 08:00 UTC)), Randomness::seeded(1));
        let objects = Objects::new(folder.path(), Secrets::new(&[1; 32]), source);
        let name = objects.keep(b"a portrait".to_vec()).await.unwrap();
        std::fs::write(objects.path(&name), b"").unwrap();
        assert!(objects.fetch(&name).await.unwrap_err().is_lost());
        assert_eq!(objects.keep(b"a portrait".to_vec()).await.unwrap(), name);
        assert_eq!(objects.fetch(&name).await.unwrap().as_slice(), b"a portrait");
    }
}
