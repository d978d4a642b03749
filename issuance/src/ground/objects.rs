//! Large objects (portraits): sealed, in files named by the SHA-256 of what is in them, under `DATA/objects`.
//!
//! The file is on the disk before its name enters a transaction. A transaction that fails leaves at most
//! a file that no row names.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// The objects under the service's data folder. Makes their folder if it is not there: only at the start, so that
    /// one which goes away later (a volume that is not mounted) is missed and not begun anew.
    ///
    /// # Errors
    /// [`ObjectError::Root`]
    pub fn open(data: &Path, secrets: Secrets, source: Source) -> Result<Self, ObjectError> {
        let folder = data.join("objects");
        files::private_folder(&folder).map_err(|error| ObjectError::Root(folder.clone(), error.to_string()))?;
        Ok(Self { folder, secrets, source })
    }

    /// Keeps an object. Returns its name (64 hexadecimal digits). The same bytes have the same name; a file of that
    /// name that is broken is replaced.
    ///
    /// # Errors
    /// [`ObjectError::File`], [`ObjectError::Root`]
    pub async fn keep(&self, bytes: Vec<u8>) -> Result<String, ObjectError> {
        let objects = self.clone();
        blocking::run(move || objects.keep_now(&bytes)).await
    }

    fn keep_now(&self, bytes: &[u8]) -> Result<String, ObjectError> {
        let name = hex::encode(Sha256::digest(bytes));
        if self.fetch_now(&name).is_ok() {
            return Ok(name);
        }
        std::fs::metadata(&self.folder).map_err(|error| self.root(&error))?;
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
    /// [`ObjectError::Lost`], [`ObjectError::Changed`] if it is not there, or not what was kept under this name;
    /// [`ObjectError::Root`], [`ObjectError::File`] if that cannot be found out.
    pub async fn fetch(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, ObjectError> {
        let (objects, name) = (self.clone(), name.to_owned());
        blocking::run(move || objects.fetch_now(&name)).await
    }

    fn fetch_now(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, ObjectError> {
        if name.len() != 64 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ObjectError::Changed);
        }
        let sealed = std::fs::read(self.path(name)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.missed(),
            _ => error.into(),
        })?;
        self.secrets.open(&purpose(name), &sealed).map_err(|_| ObjectError::Changed)
    }

    /// Why an object is not there: it alone is lost, or the objects as a whole cannot be seen. A folder without a
    /// single object is a mount point without its volume, since this is asked only where one was kept.
    fn missed(&self) -> ObjectError {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) => return self.root(&error),
        };
        let of_objects = |name: &std::ffi::OsStr| {
            name.to_str().is_some_and(|name| name.len() == 2 && name.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        if entries.flatten().any(|entry| of_objects(&entry.file_name())) {
            ObjectError::Lost
        } else {
            ObjectError::Root(self.folder.clone(), "it is empty".to_owned())
        }
    }

    fn root(&self, error: &io::Error) -> ObjectError {
        ObjectError::Root(self.folder.clone(), error.to_string())
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
#[derive(Clone, Debug, Error)]
pub enum ObjectError {
    /// Not what was kept under this name.
    #[error("an object was changed, or sealed under another key")]
    Changed,
    /// The file system.
    #[error("objects: {0}")]
    File(Arc<io::Error>),
    /// It is not there, and others are.
    #[error("an object is lost")]
    Lost,
    /// The folder of all objects is not there, empty or not to be read.
    #[error("the large objects cannot be read: {0}: {1}; mount the volume, or restore the folder from its backup")]
    Root(PathBuf, String),
}

impl From<io::Error> for ObjectError {
    fn from(error: io::Error) -> Self {
        Self::File(Arc::new(error))
    }
}

impl ObjectError {
    /// True if the object itself is gone or broken, so that trying again does not help.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Changed | Self::Lost => true,
            Self::File(_) | Self::Root(..) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::ground::{Clock, Randomness};

    fn objects(folder: &tempfile::TempDir) -> Objects {
        let source = Source::new(Clock::standing(datetime!(2026-11-25 08:00 UTC)), Randomness::seeded(1));
        Objects::open(folder.path(), Secrets::new(&[1; 32]), source).unwrap()
    }

    #[tokio::test]
    async fn an_object_is_lost_only_where_objects_can_be_seen() {
        let folder = tempfile::tempdir().unwrap();
        let objects = objects(&folder);
        let [lost, kept] = [b"one", b"two"].map(|bytes| objects.keep_now(bytes).unwrap());
        std::fs::remove_file(objects.path(&lost)).unwrap();
        assert!(objects.fetch(&lost).await.unwrap_err().is_lost(), "the other is there");
        let away = folder.path().join("away");
        std::fs::rename(&objects.folder, &away).unwrap();
        for name in [&lost, &kept] {
            let error = objects.fetch(name).await.unwrap_err();
            assert!(!error.is_lost() && error.to_string().contains("objects"), "{error}");
        }
        assert!(matches!(objects.keep(b"three".to_vec()).await, Err(ObjectError::Root(..))));
        assert!(!objects.folder.exists(), "no second folder is begun beside the one that is away");
        // As an empty mount point.
        std::fs::create_dir(&objects.folder).unwrap();
        assert!(!objects.fetch(&kept).await.unwrap_err().is_lost());
        std::fs::remove_dir(&objects.folder).unwrap();
        std::fs::rename(&away, &objects.folder).unwrap();
        assert_eq!(objects.fetch(&kept).await.unwrap().as_slice(), b"two");
    }

    #[tokio::test]
    async fn a_broken_object_is_mended_by_the_same_upload() {
        let folder = tempfile::tempdir().unwrap();
        let objects = objects(&folder);
        let name = objects.keep(b"a portrait".to_vec()).await.unwrap();
        std::fs::write(objects.path(&name), b"").unwrap();
        assert!(objects.fetch(&name).await.unwrap_err().is_lost());
        assert_eq!(objects.keep(b"a portrait".to_vec()).await.unwrap(), name);
        assert_eq!(objects.fetch(&name).await.unwrap().as_slice(), b"a portrait");
    }
}
