//! Files that survive a power cut, folders that only their owner reads, and the lock of a data folder. Blocking: call
//! from [`super::blocking`] or from a command.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::Path;

use time::{Duration, OffsetDateTime};

use super::failpoint;

/// Mode of a file that only its owner reads.
pub const PRIVATE: u32 = 0o600;
/// Mode of a file that every account of the machine may read.
pub const PUBLIC: u32 = 0o644;

/// Writes a file whole or not at all: written beside (as `beside`), flushed to the disk, renamed, the folder flushed
/// too. A power cut leaves the old file or the new one.
///
/// # Errors
/// The file system's.
pub fn replace(path: &Path, beside: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let written = write_synced(beside, bytes, mode).and_then(|()| {
        failpoint::pass(failpoint::FILE_WRITTEN);
        fs::rename(beside, path)
    });
    if let Err(error) = written {
        let _ = fs::remove_file(beside);
        return Err(error);
    }
    failpoint::pass(failpoint::FILE_RENAMED);
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    as_its_folder(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives what root just made to the owner of the folder: a command that an administrator runs as root must not leave a
/// file that the service's account cannot read.
fn as_its_folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) else { return Ok(()) };
    let (made, folder) = (fs::metadata(path)?, fs::metadata(folder)?);
    if made.uid() == 0 && folder.uid() != 0 {
        chown(path, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(())
}

/// Removes a file, so that a power cut does not bring it back.
///
/// # Errors
/// The file system's.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Removes what writers that died left half written in a folder: of the files whose names `is_ours` knows, those that
/// at this moment were not written to for an hour. A folder that is not there has none.
///
/// # Errors
/// The file system's.
pub fn sweep(folder: &Path, now: OffsetDateTime, is_ours: impl Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(&is_ours) {
            continue;
        }
        // One that is gone by now was renamed or removed by its writer.
        let written = fs::symlink_metadata(entry.path()).and_then(|found| found.modified()).map(OffsetDateTime::from);
        if written.is_ok_and(|written| now - written > LEFT_BEHIND) {
            match remove(&entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// No file is being written for so long.
const LEFT_BEHIND: Duration = Duration::hours(1);

/// The right to change the files of a data folder. One thread of one process has it at a time; dropped, it is given
/// back, and a process that dies gives it back too.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "held for its lock, which ends with it")] File);

/// Waits until no other process or thread changes the files of this folder, and keeps them from it. A file
/// that is read, changed and written back is read under the lock; a file that is only read needs none,
/// since [`replace`] is atomic.
///
/// # Errors
/// The file system's.
pub fn lock(folder: &Path) -> io::Result<FolderLock> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(folder.join("lock"))?;
    as_its_folder(&folder.join("lock"))?;
    file.lock()?;
    Ok(FolderLock(file))
}

/// The file in a data folder whose lock says that a service runs there.
pub const IN_USE: &str = "in-use";

/// Says that a service runs in a data folder, until it is dropped or the process ends; several may.
///
/// # Errors
/// The file system's; [`io::ErrorKind::WouldBlock`] if a command has the folder [to itself](alone).
pub fn in_use(folder: &Path) -> io::Result<FolderLock> {
    let file = in_use_file(folder)?;
    file.try_lock_shared()?;
    Ok(FolderLock(file))
}

/// Has a data folder to itself: no service runs there, and none begins, until what is returned is dropped.
///
/// # Errors
/// The file system's; [`io::ErrorKind::WouldBlock`] if a service runs there.
pub fn alone(folder: &Path) -> io::Result<FolderLock> {
    let file = in_use_file(folder)?;
    file.try_lock()?;
    Ok(FolderLock(file))
}

fn in_use_file(folder: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(folder.join(IN_USE))?;
    as_its_folder(&folder.join(IN_USE))?;
    Ok(file)
}

/// Makes a folder, and those above it, that only its owner reads.
///
/// # Errors
/// The file system's.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    as_its_folder(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_writer_that_died_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let inside = |name: &str| folder.path().join(name);
        let now = time::macros::datetime!(2026-11-26 12:00 UTC);
        for (name, hours) in [("1.7.new", 2), ("2.7.new", 0), ("3.7.new", -5), ("1.json", 2), ("other.new.txt", 2)] {
            fs::write(inside(name), b"data").unwrap();
            let file = File::options().write(true).open(inside(name)).unwrap();
            file.set_modified((now - Duration::hours(hours)).into()).unwrap();
        }
        let is_ours = |name: &str| name.split('.').next_back() == Some("new");
        sweep(folder.path(), now, is_ours).unwrap();
        let left = |name: &str| inside(name).exists();
        assert!(!left("1.7.new") && left("2.7.new") && left("3.7.new") && left("1.json") && left("other.new.txt"));
        sweep(&inside("nowhere"), now, |_| true).unwrap();
    }

    #[test]
    fn what_root_makes_in_the_folder_of_another_account_is_that_accounts() {
        let folder = tempfile::tempdir().unwrap();
        if fs::metadata(folder.path()).unwrap().uid() != 0 {
            println!("SKIPPED ground::files: only root can give a file away");
            return;
        }
        chown(folder.path(), Some(12_345), Some(12_346)).unwrap();
        let inside = |name: &str| folder.path().join(name);
        replace(&inside("csca.crl"), &inside("csca.new"), b"list", PUBLIC).unwrap();
        private_folder(&inside("objects")).unwrap();
        drop((lock(folder.path()).unwrap(), in_use(folder.path()).unwrap()));
        for name in ["csca.crl", "objects", "lock", IN_USE] {
            let owner = fs::metadata(inside(name)).unwrap();
            assert_eq!((owner.uid(), owner.gid()), (12_345, 12_346), "{name}");
        }
    }
}
