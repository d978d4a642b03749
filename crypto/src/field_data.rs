//! Test data of the field that stays outside the repository: `crypto/tests/vectors/README.md` says which, and why.

use std::path::{Path, PathBuf};

/// Returns a file under `vectors/data` of the shared folder, which is `$CITIZEN_CARD_SHARED` or `../shared` beside the
/// workspace. Returns `None` after reporting the calling test as not run; the test must then return at once.
///
/// # Panics
/// If `CITIZEN_CARD_SHARED` is set and lacks the file: the data were promised, so their absence is a failure.
#[track_caller]
pub(crate) fn field_data(path: &str) -> Option<Vec<u8>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let promised = std::env::var_os("CITIZEN_CARD_SHARED").map(PathBuf::from);
    let folders = match &promised {
        Some(folder) => vec![folder.clone()],
        None => vec![workspace.join("../shared"), workspace.join("../../shared")],
    };
    let found = folders.iter().map(|folder| folder.join("vectors/data").join(path)).find(|file| file.is_file());
    if let Some(file) = found {
        return Some(std::fs::read(file).unwrap());
    }
    assert!(promised.is_none(), "CITIZEN_CARD_SHARED is set, and {path} is not in it");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    println!("SKIPPED: {test} did not run: {path} is not copied into the repository (crypto/tests/vectors/README.md)");
    None
}
