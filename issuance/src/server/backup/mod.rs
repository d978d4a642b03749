//! Backup of an installation while its service runs, and its restoration in another place.
//!
//! A backup is a folder of six files: two archives (`data.tar.age`: the database, the large objects, what is public;
//! `keys.tar.age`: the key-encryption key and all sealed keys), each encrypted to recipients of its own, and beside
//! them `manifest.json`, its MAC under the key-encryption key (`manifest.mac`), and `SHA256SUMS`. The database is
//! copied first and the write-once objects after it, so that no row lacks its object; keys and marks of counters are
//! read after the database too, so that no counter of the copy is ahead of its mark.

pub mod age;
mod archive;
mod check;
mod log;
mod manifest;
mod medium;
mod postgres;
mod put_back;
pub mod reconcile;
mod segments;
mod take;
mod wal;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{fmt, io};

pub use check::{Checked, check};
pub use log::{Archiving, News, archive};
pub use manifest::{Archive, Manifest};
pub use medium::{Archived, STATE, newest};
pub use put_back::{Restoration, Restored, restore};
pub use take::{Order, backup};
use thiserror::Error;

use super::{Settings, StartError};
use crate::deed::DeedError;
use crate::ground::objects::ObjectError;
use crate::ground::{failpoint, files};
use crate::keys::{InstallationError, KeyStoreError};
use crate::retention::RetentionError;
use crate::store::StoreError;

/// How far it is, and whether to stop. Clones share it.
#[derive(Clone)]
pub struct Progress {
    stop: Arc<AtomicBool>,
    /// How many pieces passed.
    pieces: Arc<AtomicU64>,
    show: fn(&str, u64),
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

impl Progress {
    /// Calls `show` with what is read or written and the number of bytes of each piece.
    #[must_use]
    pub fn new(show: fn(&str, u64)) -> Self {
        Self { stop: Arc::default(), pieces: Arc::default(), show }
    }

    /// Shows nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_, _| {})
    }

    /// Has the work end soon, with [`BackupError::Stopped`].
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// True once the work is to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Returns a number that changes with each piece of work.
    fn moved(&self) -> u64 {
        self.pieces.load(Ordering::Relaxed)
    }

    /// Notes a piece of work.
    fn passed(&self, what: &str, bytes: u64) -> io::Result<()> {
        failpoint::pass(failpoint::BACKUP_PIECE);
        self.pieces.fetch_add(1, Ordering::Relaxed);
        (self.show)(what, bytes);
        if self.stop.load(Ordering::Relaxed) { Err(io::Error::other(Stop)) } else { Ok(()) }
    }
}

/// The work was to stop.
#[derive(Debug, Error)]
#[error("stopped")]
struct Stop;

/// Why a backup cannot be taken, checked or restored. Each says what to do.
#[derive(Debug, Error)]
pub enum BackupError {
    /// Something has the name already.
    #[error("{} is there already, and a backup never overwrites: name another folder", .0.display())]
    AlreadyThere(PathBuf),
    /// Another process does the same.
    #[error("another `issuance` works on {}: wait until it ended", .0.display())]
    Busy(PathBuf),
    /// A file of the backup is not as it was written.
    #[error("{}: {what}; {REMEDY}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What differs.
        what: String,
    },
    /// The database holds something.
    #[error(
        "the database is not empty: a backup is restored into an empty one only (`createdb NAME`; if a restoration was cut, \
         `dropdb NAME` first). Nothing was changed"
    )]
    DatabaseNotEmpty,
    /// Backup and database are of two kinds.
    #[error("the backup is of {backup}: {remedy}. Nothing was changed")]
    Engine {
        /// `sqlite` or `postgresql`.
        backup: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The file system.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The verb that records the restoration.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The folder holds something.
    #[error("{} is not empty: a backup is restored into a folder that is empty or not there. Nothing was changed", .0.display())]
    FolderNotEmpty(PathBuf),
    /// Nothing moves on the medium of an archive.
    #[error("{}: the disk does not answer for {seconds} s: nothing is archived until it does", to.display())]
    Hung {
        /// The folder of the archive.
        to: PathBuf,
        /// So long.
        seconds: u64,
    },
    /// An archive does not open.
    #[error("{}: {why}: give the file of its identity with {flag}", file.display())]
    Identity {
        /// The archive.
        file: PathBuf,
        /// The option that names the identity.
        flag: &'static str,
        /// The reason.
        why: String,
    },
    /// Folder and database.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// Made by a later version.
    #[error("the backup was made by a newer version ({0}): restore it with that one. Nothing was changed")]
    Newer(String),
    /// The last generation could not be begun.
    #[error("no generation could be begun, and it is not tried at each tick: nothing is archived meanwhile")]
    NoGeneration,
    /// A program of PostgreSQL is not there.
    #[error("`{program}` of PostgreSQL 15 or later is not there: install postgresql-client, or name it with {flag}")]
    NoProgram {
        /// The program.
        program: PathBuf,
        /// The option that names it.
        flag: &'static str,
    },
    /// A generation does not fit on the medium.
    #[error(
        "{}: {} MiB are free, and a generation needs {}: make room, or keep fewer of them (--keep)",
        to.display(), free >> 20, needed.div_ceil(1 << 20)
    )]
    NoRoom {
        /// The folder of the archive.
        to: PathBuf,
        /// Bytes that it needs, about.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The folder of an archive has not the mark of this archive.
    #[error(
        "{}: the mark of this archive is not there: mount its disk. For a new disk: issuance archive --new-medium. Nothing \
         was written", .0.display()
    )]
    NotMounted(PathBuf),
    /// The folder of an archive belongs to another installation.
    #[error("{} is the archive of another installation: name another folder. Nothing was written", .0.display())]
    OtherInstallation(PathBuf),
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {said}")]
    Program {
        /// The program.
        program: &'static str,
        /// Its own words.
        said: String,
    },
    /// The recipients do not fit.
    #[error("{0}")]
    Recipients(&'static str),
    /// Another file lies where the database was.
    #[error("{} was removed or replaced while its log was archived: start `issuance archive` again", .0.display())]
    Replaced(PathBuf),
    /// Large objects.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// What was erased is not erased again.
    #[error(transparent)]
    Retention(#[from] RetentionError),
    /// Folder and database of the service.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Ctrl-C.
    #[error("stopped as you wished; what was begun is removed, or by the next run")]
    Stopped,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A folder that a cut backup may have left holds other things.
    #[error("{} holds what no backup writes: look at it, and remove or rename it", .0.display())]
    Strange(PathBuf),
}

/// Says that this process reads the keys of the folder, so that `issuance rekey` does not change them meanwhile.
fn in_use(settings: &Settings) -> Result<files::FolderLock, BackupError> {
    let folder = &settings.data;
    Ok(files::in_use(folder).map_err(|error| StartError::Folder(folder.clone(), error))?)
}

/// What helps against a damaged backup.
const REMEDY: &str = "copy the backup again from where it was taken, or restore another one. Nothing was changed";

impl BackupError {
    /// The error of a file.
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| match source.get_ref() {
            Some(inner) if inner.is::<Stop>() => Self::Stopped,
            _ => Self::File { path, source },
        }
    }

    fn damaged(file: &Path, what: impl fmt::Display) -> Self {
        Self::Damaged { file: file.to_owned(), what: what.to_string() }
    }
}
