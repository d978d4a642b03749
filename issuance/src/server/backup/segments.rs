//! The segments of a generation: what came to the log since, with digests, and a MAC under the key-encryption key.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::age::Identity;
use super::archive::walk;
use super::check::key;
use super::manifest::{MAC, Manifest, digest};
use super::take::{CONTENT_KEYS, OBJECTS};
use super::wal::wal_of;
use super::{BackupError, Progress};
use crate::ground::{Secrets, files};
use crate::keys::KeyStore;

/// What is said of a segment, beside it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Segment {
    pub number: u64,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The log, and the objects that came with it.
    pub data: Piece,
    /// The content keys of those objects.
    pub keys: Option<Piece>,
    pub mac: String,
}

/// A file of a segment.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Piece {
    pub file: String,
    pub sha256: String,
}

impl Segment {
    /// The MAC of a segment of the generation with this MAC of its manifest.
    pub(super) fn mac(
        secrets: &Secrets,
        manifest_mac: &str,
        number: u64,
        at: OffsetDateTime,
        data: &Piece,
        keys: Option<&Piece>,
    ) -> String {
        let keys = keys.map_or("", |piece| &piece.sha256);
        let said = format!("{}\n{number}\n{}\n{}\n{keys}", manifest_mac.trim(), at.unix_timestamp_nanos(), data.sha256);
        hex::encode(secrets.fingerprint("archive-segment", said.as_bytes()))
    }

    /// Its files, each with the identities that open it.
    fn pieces<'a>(
        &'a self,
        identities: [&'a [Identity]; 2],
    ) -> impl Iterator<Item = (&'a Piece, super::archive::Key<'a>)> {
        let data = Some((&self.data, key(identities[0], "--identity")));
        data.into_iter().chain(self.keys.as_ref().map(|piece| (piece, key(identities[1], "--keys-identity"))))
    }
}

/// Returns the segments of a generation in their order, each of whose files has its digest; none where `from` is a
/// plain backup. With `secrets` the MAC of each is compared too.
///
/// # Errors
/// [`BackupError::Damaged`] names what was changed, and the first segment that is missing while later ones are there.
pub(super) fn listed(from: &Path, secrets: Option<&Secrets>, progress: &Progress) -> Result<Vec<Segment>, BackupError> {
    let folder = from.join(LOG);
    let mut all = Vec::new();
    if !folder.exists() {
        return Ok(all);
    }
    let manifest_mac = fs::read_to_string(from.join(MAC)).map_err(BackupError::file(&from.join(MAC)))?;
    for number in 1_u64.. {
        let path = list_of(&folder, number);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(later) = first_after(&folder, number)? {
                    let what = format!("it is missing, and later segments are there, from {later:010} on");
                    return Err(BackupError::damaged(&path, what));
                }
                break;
            }
            bytes => bytes.map_err(BackupError::file(&path))?,
        };
        let segment: Segment = serde_json::from_slice(&bytes).map_err(|error| BackupError::damaged(&path, error))?;
        let elsewhere = segment.pieces([&[], &[]]).any(|(piece, _)| piece.file.contains('/'));
        if segment.number != number || elsewhere {
            return Err(BackupError::damaged(&path, "it is the list of another segment"));
        }
        if let Some(secrets) = secrets {
            let keys = segment.keys.as_ref();
            if Segment::mac(secrets, &manifest_mac, number, segment.at, &segment.data, keys) != segment.mac {
                return Err(BackupError::damaged(&path, "its MAC is not by this installation's key-encryption key"));
            }
        }
        for (piece, _) in segment.pieces([&[], &[]]) {
            let file = folder.join(&piece.file);
            if !file.exists() {
                return Err(BackupError::damaged(&file, "it is not there"));
            }
            if digest(&file, progress)? != piece.sha256 {
                return Err(BackupError::damaged(&file, "it was changed or cut"));
            }
        }
        all.push(segment);
    }
    Ok(all)
}

/// The number of the first segment after this one of which anything is there.
fn first_after(folder: &Path, number: u64) -> Result<Option<u64>, BackupError> {
    let entries = fs::read_dir(folder).map_err(BackupError::file(folder))?;
    let numbers = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        name.to_str()?.split('.').next()?.parse::<u64>().ok()
    });
    Ok(numbers.filter(|there| *there > number).min())
}

/// Opens those archives of these segments for which there are identities, and compares each of their files.
///
/// # Errors
/// [`BackupError`]
pub(super) fn opened(
    from: &Path,
    segments: &[Segment],
    identities: [&[Identity]; 2],
    progress: &Progress,
) -> Result<(), BackupError> {
    for (piece, key) in segments.iter().flat_map(|segment| segment.pieces(identities)) {
        let file = from.join(LOG).join(&piece.file);
        let sealed = is_sealed(&file);
        if !sealed || !key.identities.is_empty() {
            walk(&file, sealed, &key, progress, &mut |_, _| Ok(()))?;
        }
    }
    Ok(())
}

/// Puts the segments of a generation behind the log that was restored, and their objects with their content keys into
/// the folder; `identities` open the data, and the keys. Returns the moment of the last one.
///
/// # Errors
/// [`BackupError`]
pub(super) fn follow(
    from: &Path,
    data: &Path,
    store: &KeyStore,
    manifest: &Manifest,
    identities: [&[Identity]; 2],
    progress: &Progress,
) -> Result<OffsetDateTime, BackupError> {
    let segments = listed(from, Some(store.secrets()), progress)?;
    for (piece, key) in segments.iter().flat_map(|segment| segment.pieces(identities)) {
        let file = from.join(LOG).join(&piece.file);
        let wal = wal_of(data);
        walk(&file, is_sealed(&file), &key, progress, &mut |name, content| {
            if name == FRAMES {
                let mut log = fs::OpenOptions::new().append(true).open(&wal).map_err(BackupError::file(&wal))?;
                return io::copy(content, &mut log).map(drop).map_err(BackupError::file(&wal));
            }
            let path = data.join(name);
            if ![OBJECTS, CONTENT_KEYS].iter().any(|tree| name.starts_with(tree)) || path.exists() {
                return Ok(());
            }
            let parent = path.parent().expect("objects lie in a folder");
            files::private_folder(parent).map_err(BackupError::file(parent))?;
            super::put_back::write_new(&path, content, files::PRIVATE)
        })?;
    }
    Ok(segments.last().map_or(manifest.made_at, |segment| segment.at))
}

fn is_sealed(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "age")
}

/// The list of a segment: with this file the segment is whole.
pub(super) fn list_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.json"))
}

/// The folder of the segments.
pub(super) const LOG: &str = "log";
/// What came to the log, in a segment.
pub(super) const FRAMES: &str = "frames";
