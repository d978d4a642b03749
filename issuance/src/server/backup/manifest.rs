//! What a backup says of itself, and the digests by which a change of one byte is found.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{BackupError, Progress};
use crate::keys::InstallationId;

/// What a backup says of itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format: 1.
    pub format: u32,
    /// Version of the program.
    pub program: String,
    /// The installation.
    pub installation: InstallationId,
    /// `sqlite` or `postgresql`.
    pub engine: String,
    /// Version of the tables.
    pub schema: i64,
    /// The moment: what was written before it is in the backup.
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
    /// The first value of each counter that was never reserved.
    pub counters: BTreeMap<String, u64>,
    /// The archives.
    pub archives: Vec<Archive>,
}

/// An archive of a backup. The list of its own files, with their digests, is its last file: names of
/// objects are digests of portraits, which the manifest does not show.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Its file.
    pub file: String,
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// How many files it holds.
    pub files: u64,
    /// To whom it is encrypted; none: it is not encrypted.
    pub recipients: Vec<String>,
}

impl Manifest {
    /// Returns its moment as it is written (RFC 3339).
    #[must_use]
    pub fn moment(&self) -> String {
        self.made_at.format(&Rfc3339).unwrap_or_else(|_| self.made_at.to_string())
    }

    /// The archive of data, or of keys.
    pub(super) fn archive(&self, prefix: &str) -> Option<&Archive> {
        self.archives.iter().find(|archive| archive.file.starts_with(prefix))
    }
}

/// Reads the manifest of a backup, and compares every file of it with its digest, but for the archive that is called so
/// and may be gone. Returns the manifest and its bytes.
pub(super) fn compared(
    from: &Path,
    but: Option<&str>,
    progress: &Progress,
) -> Result<(Manifest, Vec<u8>), BackupError> {
    let sums = from.join(SUMS);
    let text = read(&sums)?;
    let text = String::from_utf8(text).map_err(|_| BackupError::damaged(&sums, "it is no list of digests"))?;
    let mut digests = BTreeMap::new();
    for line in text.lines() {
        let (digest, name) = line.split_once("  ").ok_or_else(|| BackupError::damaged(&sums, "a line is no digest"))?;
        digests.insert(name, digest);
    }
    let compare = |name: &str, digest: &str| match digests.get(name) {
        Some(known) if *known == digest => Ok(()),
        Some(_) => {
            Err(BackupError::damaged(&from.join(name), format_args!("it was changed: {SUMS} has another digest")))
        }
        None => Err(BackupError::damaged(&sums, format_args!("it does not name {name}"))),
    };
    let file = from.join(MANIFEST);
    let bytes = read(&file)?;
    compare(MANIFEST, &hex::encode(Sha256::digest(&bytes)))?;
    compare(MAC, &hex::encode(Sha256::digest(read(&from.join(MAC))?)))?;
    let format = serde_json::from_slice::<serde_json::Value>(&bytes).ok().and_then(|json| json["format"].as_u64());
    if format.is_some_and(|format| format > u64::from(FORMAT)) {
        return Err(BackupError::Newer(format!("format {}", format.unwrap_or_default())));
    }
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| BackupError::damaged(&file, format_args!("{error}")))?;
    if manifest.archives.len() != 2 || manifest.archive(DATA).is_none() || manifest.archive(KEYS).is_none() {
        return Err(BackupError::damaged(&file, "it does not name the two archives"));
    }
    for archive in manifest.archives.iter().filter(|archive| but.is_none_or(|but| !archive.file.starts_with(but))) {
        let path = from.join(&archive.file);
        if path.file_name().is_none_or(|name| name != archive.file.as_str()) {
            return Err(BackupError::damaged(&file, "an archive lies in another folder"));
        }
        let length = fs::metadata(&path).map_err(|error| missing(&path, error))?.len();
        if length != archive.length {
            let cut = if length < archive.length { "it is cut" } else { "it is too long" };
            return Err(BackupError::damaged(&path, format_args!("{cut}: {length} of {} bytes", archive.length)));
        }
        let digest = digest(&path, progress)?;
        if digest != archive.sha256 {
            return Err(BackupError::damaged(&path, "it was changed: the manifest has another digest"));
        }
        compare(&archive.file, &digest)?;
    }
    Ok((manifest, bytes))
}

fn read(path: &Path) -> Result<Vec<u8>, BackupError> {
    fs::read(path).map_err(|error| missing(path, error))
}

fn missing(path: &Path, error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::NotFound => BackupError::damaged(path, "it is not there"),
        _ => BackupError::file(path)(error),
    }
}

/// Returns the SHA-256 of a file in hexadecimal.
pub(super) fn digest(path: &Path, progress: &Progress) -> Result<String, BackupError> {
    let failed = || BackupError::file(path);
    let mut file = fs::File::open(path).map_err(failed())?;
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        let length = file.read(&mut piece).map_err(failed())?;
        if length == 0 {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(&piece[..length]);
        progress.passed("comparing", length as u64).map_err(failed())?;
    }
}

/// Version of the format of a backup.
pub(super) const FORMAT: u32 = 1;
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const MAC: &str = "manifest.mac";
pub(super) const SUMS: &str = "SHA256SUMS";
/// What the names of the archives begin with.
pub(super) const DATA: &str = "data.tar";
pub(super) const KEYS: &str = "keys.tar";
/// What the MAC of the manifest is for.
pub(super) const PURPOSE: &str = "backup-manifest";
