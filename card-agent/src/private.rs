//! Files with personal data: for the user of this account only.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::failure::{Code, Failure};

/// Writes a file with mode 0600, also if it was there with another.
///
/// # Errors
/// [`Code::OutputUnusable`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        if file.metadata()?.is_file() {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        file.write_all(bytes)
    };
    written().map_err(|e| Failure::new(Code::OutputUnusable, format!("{}: {e}", path.display())))
}

/// Makes a folder with mode 0700, and those above it. One that is there keeps its mode.
///
/// # Errors
/// [`Code::OutputUnusable`].
pub fn create_folder(path: &Path) -> Result<(), Failure> {
    let made = match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => fs::create_dir_all(above),
        _ => Ok(()),
    };
    let made = made.and_then(|()| match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    });
    made.map_err(|e| Failure::new(Code::OutputUnusable, format!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_cannot_read_what_is_written_also_over_a_file_that_they_could() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("deep/er");
        create_folder(&folder).expect("made");
        create_folder(&folder).expect("there");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let path = folder.join("dg1.bin");
        fs::write(&path, "open to all").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("set");
        write(&path, b"private").expect("written");
        assert_eq!((mode(&path), fs::read(&path).expect("there")), (0o600, b"private".to_vec()));
        assert!(write(&folder, b"").is_err());
    }
}
