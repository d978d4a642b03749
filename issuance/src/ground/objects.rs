//! Large objects (portraits): each sealed under a content key of its own, in a file with a drawn name, under
//! `DATA/objects`.
//!
//! The content key rests beside, sealed, under `DATA/content-keys`: without it the object says nothing, wherever a copy
//! of it lies (ADR 0016). The files are on the disk before their name enters a transaction. A transaction that fails
//! leaves at most files that no row names.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::Rng as _;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Secrets, Source, blocking, files};

/// The store of large objects; clones share it.
#[derive(Clone, Debug)]
pub struct Objects {
    folder: PathBuf,
    keys: PathBuf,
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
        let [folder, keys] = [data.join("objects"), data.join(CONTENT_KEYS)];
        for folder in [&folder, &keys] {
            files::private_folder(folder).map_err(|error| ObjectError::Root(folder.clone(), error.to_string()))?;
        }
        Ok(Self { folder, keys, secrets, source })
    }

    /// Keeps an object. Returns its name (64 hexadecimal digits), drawn anew each time: no two applications share an
    /// object, so that erasing one never takes the other's.
    ///
    /// # Errors
    /// [`ObjectError::File`], [`ObjectError::Root`]
    pub async fn keep(&self, bytes: Vec<u8>) -> Result<String, ObjectError> {
        let objects = self.clone();
        blocking::run(move || objects.keep_now(&bytes)).await
    }

    fn keep_now(&self, bytes: &[u8]) -> Result<String, ObjectError> {
        let mut name = [0; 32];
        self.source.rng().fill_bytes(&mut name);
        let name = hex::encode(name);
        self.write(&name, bytes)?;
        Ok(name)
    }

    /// Keeps an object under a name that follows from whose it is and from what it holds: kept again, nothing is
    /// written, and what is there stays as it is. Without the key of the service the name tells nothing of the content.
    /// Blocking.
    ///
    /// # Errors
    /// [`ObjectError::File`], [`ObjectError::Root`]
    pub fn keep_once(&self, whose: &str, bytes: &[u8]) -> Result<String, ObjectError> {
        let name = hex::encode(self.secrets.fingerprint(&format!("object/{whose}"), bytes));
        // One that was cut while it was written, or lost its key, does not open, and is written anew.
        if self.fetch_now(&name).is_err() {
            self.write(&name, bytes)?;
        }
        Ok(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ObjectError> {
        let mut key = Zeroizing::new([0; 32]);
        self.source.rng().fill_bytes(&mut *key);
        for (root, sealed) in [
            (&self.keys, self.secrets.seal(&key_purpose(name), &*key)),
            (&self.folder, Secrets::new(&key).seal(&purpose(name), bytes)),
        ] {
            std::fs::metadata(root).map_err(|error| ObjectError::Root(root.clone(), error.to_string()))?;
            let path = below(root, name);
            let folder = path.parent().expect("objects lie in a folder");
            files::private_folder(folder)?;
            files::replace(&path, &path.with_extension("new"), &sealed, files::PRIVATE)?;
        }
        Ok(())
    }

    /// Erases an object: its content key first, so that nothing opens a copy of it, then the object. One that is not
    /// there is erased already. Blocking, and short: two files are removed.
    ///
    /// # Errors
    /// [`ObjectError::File`], [`ObjectError::Root`]
    pub fn erase(&self, name: &str) -> Result<(), ObjectError> {
        fits(name)?;
        for root in [&self.keys, &self.folder] {
            std::fs::metadata(root).map_err(|error| ObjectError::Root(root.clone(), error.to_string()))?;
            match files::remove(&below(root, name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the names of the objects that begin with these two hexadecimal digits and were kept before this moment,
    /// by the clock of the file system. Blocking.
    ///
    /// # Errors
    /// [`ObjectError::File`]
    pub fn names_before(&self, prefix: u8, before: std::time::SystemTime) -> Result<Vec<String>, ObjectError> {
        let mut names = std::collections::BTreeSet::new();
        let prefix = format!("{prefix:02x}");
        for root in [&self.keys, &self.folder] {
            let entries = match std::fs::read_dir(root.join(&prefix)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name().into_string().map(|rest| format!("{prefix}{rest}")).unwrap_or_default();
                if fits(&name).is_ok() && entry.metadata()?.modified()? < before {
                    names.insert(name);
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    /// True if the file of an object is there. Blocking, and short.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        fits(name).is_ok() && below(&self.folder, name).exists()
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
        fits(name)?;
        let read = |root: &Path| std::fs::read(below(root, name));
        let sealed = read(&self.folder).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.missed(),
            _ => error.into(),
        })?;
        let key = match read(&self.keys) {
            Ok(key) => self.secrets.open(&key_purpose(name), &key).map_err(|_| ObjectError::Changed)?,
            // An object of a version that knew no content keys is sealed under the service's own secrets.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.secrets.open(&purpose(name), &sealed).map_err(|_| ObjectError::Changed);
            }
            Err(error) => return Err(error.into()),
        };
        let key: &[u8; 32] = key.as_slice().try_into().map_err(|_| ObjectError::Changed)?;
        Secrets::new(key).open(&purpose(name), &sealed).map_err(|_| ObjectError::Changed)
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
}

/// Where an object, or its key, lies below its folder.
fn below(root: &Path, name: &str) -> PathBuf {
    root.join(&name[..2]).join(&name[2..])
}

fn fits(name: &str) -> Result<(), ObjectError> {
    if name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()) { Ok(()) } else { Err(ObjectError::Changed) }
}

/// The name is part of what is authenticated: no object passes for another.
fn purpose(name: &str) -> String {
    format!("object/{name}")
}

fn key_purpose(name: &str) -> String {
    format!("content-key/{name}")
}

/// The folder of content keys in the data folder. It is no part of the archive of data.
pub const CONTENT_KEYS: &str = "content-keys";

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
        std::fs::remove_file(below(&objects.folder, &lost)).unwrap();
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
    async fn an_object_without_its_content_key_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let objects = objects(&folder);
        let [one, other] = [b"a portrait", b"a portrait"].map(|bytes| objects.keep_now(bytes).unwrap());
        assert_ne!(one, other, "two applications share no object");
        let copy = std::fs::read(below(&objects.folder, &one)).unwrap();
        objects.erase(&one).unwrap();
        objects.erase(&one).unwrap();
        assert!(objects.fetch(&one).await.unwrap_err().is_lost());
        // As a backup of the data brings it back.
        std::fs::write(below(&objects.folder, &one), copy).unwrap();
        assert!(matches!(objects.fetch(&one).await, Err(ObjectError::Changed)));
        assert_eq!(objects.fetch(&other).await.unwrap().as_slice(), b"a portrait");
    }

    #[tokio::test]
    async fn an_object_that_is_named_by_its_content_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let objects = objects(&folder);
        let name = objects.keep_once("one", b"a card").unwrap();
        let file = below(&objects.folder, &name);
        let written = std::fs::read(&file).unwrap();
        assert_eq!(objects.keep_once("one", b"a card").unwrap(), name);
        assert_eq!(std::fs::read(&file).unwrap(), written, "it is not sealed anew");
        assert_ne!(objects.keep_once("one", b"another card").unwrap(), name);
        assert_ne!(objects.keep_once("other", b"a card").unwrap(), name, "two applications share no object");
        // Cut between the two files: the next run makes it whole.
        std::fs::remove_file(below(&objects.keys, &name)).unwrap();
        assert!(objects.fetch(&name).await.is_err());
        assert_eq!(objects.keep_once("one", b"a card").unwrap(), name);
        assert_eq!(objects.fetch(&name).await.unwrap().as_slice(), b"a card");
    }

    #[tokio::test]
    async fn an_object_of_a_version_without_content_keys_is_opened_and_erased() {
        let folder = tempfile::tempdir().unwrap();
        let objects = objects(&folder);
        let name = "ab".repeat(32);
        files::private_folder(&objects.folder.join("ab")).unwrap();
        std::fs::write(below(&objects.folder, &name), objects.secrets.seal(&purpose(&name), b"old")).unwrap();
        assert_eq!(objects.fetch(&name).await.unwrap().as_slice(), b"old");
        objects.erase(&name).unwrap();
        assert!(!below(&objects.folder, &name).exists());
    }
}
