//! The medium of an archive: that it is there, that it is ours, that there is room; and what the archiver says of
//! itself in the data folder, where it is read without the medium.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::segments::LOG;
use super::take::{claimed, is_of_backup};
use super::{BackupError, Manifest, manifest};
use crate::ground::files;
use crate::keys::InstallationId;

/// What the archiver last said of itself: [`STATE`] in the data folder, where it is read also while the medium of the
/// archive is away or does not answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Archived {
    /// The folder of the archive.
    pub to: PathBuf,
    /// Seconds between two copies of the log.
    pub every_seconds: u64,
    /// When its last piece (a generation or a segment) was written; none yet: `null`.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_piece_at: Option<OffsetDateTime>,
    /// What was written before this moment is in the archive. Nothing came since the last piece:
    /// it goes on all the same.
    #[serde(with = "time::serde::rfc3339::option")]
    pub complete_at: Option<OffsetDateTime>,
    /// Why nothing is archived; `null` if it is.
    pub failing: Option<String>,
}

impl Archived {
    /// Reads what the archiver of a data folder said; `None` if there never was one.
    ///
    /// # Errors
    /// The file system's; [`io::ErrorKind::InvalidData`] if the file is none of ours.
    pub fn read(data: &Path) -> io::Result<Option<Self>> {
        match fs::read(data.join(STATE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            bytes => Ok(Some(serde_json::from_slice(&bytes?).map_err(io::Error::from)?)),
        }
    }

    /// Writes it into the data folder.
    pub(super) fn write(&self, data: &Path) -> Result<(), BackupError> {
        let path = data.join(STATE);
        let json = serde_json::to_vec_pretty(self).expect("moments and texts become JSON");
        files::replace(&path, &path.with_extension("new"), &json, files::PRIVATE).map_err(BackupError::file(&path))
    }
}

/// What lies in the folder of an archive and says whose it is.
#[derive(Debug, Deserialize, Serialize)]
struct Mark {
    installation: InstallationId,
}

/// The folder of an archive.
#[derive(Clone, Debug)]
pub(super) struct Medium {
    pub to: PathBuf,
    installation: InstallationId,
}

impl Medium {
    pub(super) fn new(to: PathBuf, installation: InstallationId) -> Self {
        Self { to, installation }
    }

    /// Begins to write on the medium. `known`: it was written on before, so that a folder without the mark is the mount
    /// point of a disk that is away. Returns the lock that keeps a second archiver away.
    pub(super) fn begin(&self, known: bool) -> Result<files::FolderLock, BackupError> {
        match self.is_there() {
            Err(BackupError::NotMounted(_)) if !known => {
                files::private_folder(&self.to).map_err(BackupError::file(&self.to))?;
                if let Some(newest) = generations(&self.to)?.last() {
                    // Of a version that wrote no mark.
                    let bytes = fs::read(newest.join(manifest::MANIFEST)).map_err(BackupError::file(newest))?;
                    let of = serde_json::from_slice::<Manifest>(&bytes).map(|manifest| manifest.installation);
                    if of.ok() != Some(self.installation) {
                        return Err(BackupError::OtherInstallation(self.to.clone()));
                    }
                }
            }
            there => there?,
        }
        // Two that write into one folder would forget each other's generations.
        let alone = files::alone(&self.to).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => BackupError::Recipients(
                "another `issuance archive` writes into this folder: one folder has one archiver",
            ),
            _ => BackupError::file(&self.to)(error),
        })?;
        let mark = self.to.join(MARK);
        let json = serde_json::to_vec(&Mark { installation: self.installation }).expect("an id becomes JSON");
        if !mark.exists() {
            files::replace(&mark, &mark.with_extension("new"), &json, files::PRIVATE)
                .map_err(BackupError::file(&mark))?;
        }
        Ok(alone)
    }

    /// Refuses a folder without this installation's mark. Asked before each piece: what is written into the mount point
    /// of a disk that is away lies on the disk of the service.
    pub(super) fn is_there(&self) -> Result<(), BackupError> {
        let path = self.to.join(MARK);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BackupError::NotMounted(self.to.clone()));
            }
            bytes => bytes.map_err(BackupError::file(&path))?,
        };
        match serde_json::from_slice::<Mark>(&bytes) {
            Ok(mark) if mark.installation == self.installation => Ok(()),
            _ => Err(BackupError::OtherInstallation(self.to.clone())),
        }
    }

    /// Refuses to begin what does not fit, so that no medium is filled by what is given up in the end.
    pub(super) fn has_room(&self, needed: u64) -> Result<(), BackupError> {
        let free = statvfs(&self.to).ok().filter(|fs| fs.f_blocks > 0);
        match free.map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize)) {
            Some(free) if free < needed => Err(BackupError::NoRoom { to: self.to.clone(), needed, free }),
            // Of a file system that does not say how much is free, it is found out by writing.
            _ => Ok(()),
        }
    }

    /// Removes generations that were not begun or not removed to their end: what a process that was killed left.
    pub(super) fn clear(&self) -> Result<(), BackupError> {
        let entries = fs::read_dir(&self.to).map_err(BackupError::file(&self.to))?;
        for folder in entries.flatten().map(|entry| entry.path()) {
            let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
            let whole = name.strip_suffix(PARTIAL).unwrap_or(name);
            let begun = whole != name;
            if whole.parse::<i64>().is_err() || !begun && folder.join(manifest::MANIFEST).exists() {
                continue;
            }
            let inside = fs::read_dir(&folder).map_err(BackupError::file(&folder))?;
            let ours = |name: &str| is_of_backup(name) || !begun && name == LOG;
            if inside.flatten().all(|entry| entry.file_name().to_str().is_some_and(ours)) {
                let _ours: Option<File> = if begun { Some(claimed(&folder)?) } else { None };
                fs::remove_dir_all(&folder).map_err(BackupError::file(&folder))?;
            }
        }
        Ok(())
    }
}

/// The whole generations of an archive, oldest first.
pub(super) fn generations(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = fs::read_dir(folder).map_err(BackupError::file(folder))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut all: Vec<_> = paths
        .filter(|path| path.join(manifest::MANIFEST).exists())
        .filter_map(|path| Some((second_of(&path)?, path)))
        .collect();
    all.sort();
    Ok(all.into_iter().map(|(_, path)| path).collect())
}

/// The second of its beginning, by which a generation is called.
pub(super) fn second_of(generation: &Path) -> Option<i64> {
    generation.file_name()?.to_str()?.parse().ok()
}

/// Returns the newest whole generation of an archive; the folder itself if it is a backup.
///
/// # Errors
/// [`BackupError`]
pub fn newest(from: &Path) -> Result<PathBuf, BackupError> {
    if from.join(manifest::MANIFEST).exists() {
        return Ok(from.to_owned());
    }
    let all = generations(from).unwrap_or_default();
    Ok(all.into_iter().next_back().unwrap_or_else(|| from.to_owned()))
}

/// In the data folder: what the archiver says of itself. It is in no backup: another place has an archive of its own.
pub const STATE: &str = "archive.json";
/// In the folder of an archive: whose it is.
const MARK: &str = "installation.json";
/// What the name of a generation ends with until it is whole.
pub(super) const PARTIAL: &str = ".partial";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_begun_that_does_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let medium = Medium::new(folder.path().to_owned(), crate::ground::Id::nil());
        medium.has_room(1).unwrap();
        let error = medium.has_room(u64::MAX).unwrap_err();
        assert!(matches!(error, BackupError::NoRoom { .. }), "{error}");
        // It does not say how much is free.
        Medium::new("/proc".into(), crate::ground::Id::nil()).has_room(u64::MAX).unwrap();
    }
}
