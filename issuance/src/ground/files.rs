//! Files that survive a power cut, and folders that only their owner reads. Blocking: call from
//! [`super::blocking`] or from a command.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

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
    let written = write_synced(beside, bytes, mode).and_then(|()| fs::rename(beside, path));
    if let Err(error) = written {
        let _ = fs::remove_file(beside);
        return Err(error);
    }
    failpoint::pass(failpoint::FILE_RENAMED);
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a folder, and those above it, that only its owner reads.
///
/// # Errors
/// The file system's.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}
