//! Large objects (portraits): sealed, in files named by the SHA-256 of what is in them, under `DATA/objects`.
//!
//! The file is flushed before its name enters a transaction. A transaction that fails leaves at most a file that nobody names.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::fs;
use tokio::io::AsyncWriteExt;
use zeroize::Zeroizing;

use crate::app::App;

/// Keeps an object; gives its name. The same bytes have the same name and are written once.
///
/// # Errors
/// [`ObjectError::File`]
pub async fn keep(app: &App, bytes: &[u8]) -> Result<String, ObjectError> {
    let name = hex::encode(Sha256::digest(bytes));
    let path = path(&app.config().data, &name);
    if !fs::try_exists(&path).await? {
        let folder = path.parent().expect("objects lie in a folder");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).await?;
        // Two writers of the same object each have their own file until one of them becomes the object.
        let beside = folder.join(format!("{}.new", app.new_id()));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).await?;
        file.write_all(&app.secrets().seal(&purpose(&name), bytes)).await?;
        file.sync_all().await?;
        fs::rename(&beside, &path).await?;
        fs::File::open(folder).await?.sync_all().await?;
    }
    Ok(name)
}

/// Fetches an object.
///
/// # Errors
/// [`ObjectError::File`]; [`ObjectError::Changed`] if it is not what was kept under this name.
pub async fn fetch(app: &App, name: &str) -> Result<Zeroizing<Vec<u8>>, ObjectError> {
    if name.len() != 64 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ObjectError::Changed);
    }
    let sealed = fs::read(path(&app.config().data, name)).await?;
    app.secrets().open(&purpose(name), &sealed).map_err(|_| ObjectError::Changed)
}

/// The name is part of what is authenticated: no object passes for another.
fn purpose(name: &str) -> String {
    format!("object/{name}")
}

fn path(data: &Path, name: &str) -> PathBuf {
    data.join("objects").join(&name[..2]).join(&name[2..])
}

/// Why an object cannot be had.
#[derive(Debug, Error)]
pub enum ObjectError {
    /// Not what was kept under this name.
    #[error("an object was changed, or sealed under another key")]
    Changed,
    /// The file system.
    #[error("objects: {0}")]
    File(#[from] std::io::Error),
}
