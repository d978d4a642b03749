//! Keeps two programs from the same work: several may serve one station, each with a reader of its own; what changes
//! the folder itself is alone.
//!
//! `in-use.lock` is held shared by work and whole by enrolment; beside it each reader has a lock of its own. The
//! operating system drops a lock with its process, so a crash leaves none, and the files stay.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::failure::{Code, Failure};

/// Locks on a station's folder, held until dropped.
#[derive(Debug)]
pub struct InUse {
    _locks: Vec<File>,
}

impl InUse {
    /// Takes a reader of the station for this process.
    ///
    /// # Errors
    /// [`Code::StationInUse`] if another program has the reader or changes the folder; [`Code::JournalUnusable`].
    pub fn reader(folder: &Path, reader: &str) -> Result<Self, Failure> {
        let name = format!("in-use-{}.lock", hex::encode(&Sha256::digest(reader)[..8]));
        let whole = locked(&folder.join(WHOLE), false, || "it is being enrolled".to_owned())?;
        let own = locked(&folder.join(name), true, || format!("it works at reader `{reader}`"))?;
        Ok(Self { _locks: vec![whole, own] })
    }

    /// Takes the whole folder for this process.
    ///
    /// # Errors
    /// [`Code::StationInUse`] if another program works with it; [`Code::JournalUnusable`].
    pub fn whole(folder: &Path) -> Result<Self, Failure> {
        let whole = locked(&folder.join(WHOLE), true, || "it works at a reader".to_owned())?;
        Ok(Self { _locks: vec![whole] })
    }
}

const WHOLE: &str = "in-use.lock";

/// Locks a file that is made if it is not there, and writes the number of this process into it if it is alone.
fn locked(path: &Path, alone: bool, what: impl Fn() -> String) -> Result<File, Failure> {
    let unusable = |e: &io::Error| Failure::new(Code::JournalUnusable, format!("{}: {e}", path.display()));
    let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = open().map_err(|e| unusable(&e))?;
    match if alone { file.try_lock() } else { file.try_lock_shared() } {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder); // without it the sentence is shorter
            let process = holder.trim().parse::<u32>().map_or(String::new(), |id| format!(", process {id}"));
            let folder = path.parent().unwrap_or(path).display();
            let detail = format!("another program{process} has the station in {folder}: {}", what());
            return Err(Failure::new(Code::StationInUse, detail));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(&error)),
    }
    let written = file.set_len(0).and_then(|()| file.rewind());
    let written = match alone {
        true => written.and_then(|()| writeln!(file, "{}", std::process::id())),
        false => written,
    };
    written.map_err(|e| unusable(&e))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_one_program_and_a_folder_several() {
        let folder = tempfile::tempdir().unwrap();
        let first = InUse::reader(folder.path(), "reader 0").unwrap();
        let refused = InUse::reader(folder.path(), "reader 0").unwrap_err();
        assert_eq!(refused.code, Code::StationInUse);
        let words = format!("process {} has the station", std::process::id());
        assert!(refused.detail.contains(&words) && refused.detail.contains("`reader 0`"), "{}", refused.detail);
        let second = InUse::reader(folder.path(), "reader 1").unwrap();
        drop(first);
        drop(InUse::reader(folder.path(), "reader 0").unwrap());
        drop(second);
    }

    #[test]
    fn enrolment_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let work = InUse::reader(folder.path(), "reader 0").unwrap();
        assert_eq!(InUse::whole(folder.path()).unwrap_err().code, Code::StationInUse);
        drop(work);
        let enrolment = InUse::whole(folder.path()).unwrap();
        let refused = InUse::reader(folder.path(), "reader 0").unwrap_err();
        assert!(refused.detail.contains("enrolled"), "{}", refused.detail);
        drop(enrolment);
        drop(InUse::reader(folder.path(), "reader 0").unwrap());
    }
}
