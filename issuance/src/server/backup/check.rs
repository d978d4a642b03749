//! A backup is checked: every digest, and, as far as there are identities, every file in the archives.

use std::io::Read as _;
use std::path::Path;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::age::Identity;
use super::archive::{Key, walk};
use super::manifest::{DATA, KEYS, MAC, MANIFEST, Manifest, PURPOSE, compared};
use super::take::{KEK, POSTGRESQL, SQLITE};
use super::{BackupError, Progress, segments};
use crate::keys::{KeyStore, ROOT_KEY};

/// What a check found in order.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The manifest.
    pub manifest: Manifest,
    /// So many segments of the log follow, none missing; each of them was compared.
    pub segments: usize,
    /// The moment of the last segment; without one, that of the backup.
    pub until: OffsetDateTime,
    /// The archive of data was opened, and each of its files compared.
    pub data_opened: bool,
    /// The archive of keys was opened, and the manifest's MAC is under its key-encryption key.
    pub keys_opened: bool,
}

/// Checks a backup without writing anything. An archive that is encrypted is opened only with identities for it.
/// `keys_from` is the backup whose archive of keys is taken instead of this one's, which may be gone.
///
/// # Errors
/// [`BackupError`], which names the file.
pub fn check(
    from: &Path,
    keys_from: Option<&Path>,
    identities: &[Identity],
    keys_identities: &[Identity],
    progress: &Progress,
) -> Result<Checked, BackupError> {
    let (manifest, bytes) = compared(from, keys_from.map(|_| KEYS), progress)?;
    let other = keys_from.map(|keys_from| compared(keys_from, Some(DATA), progress)).transpose()?;
    if other.as_ref().is_some_and(|(other, _)| other.installation != manifest.installation) {
        return Err(BackupError::Recipients("--keys-from is the backup of another installation"));
    }
    let (of_keys, keys_folder) =
        other.as_ref().map_or((&manifest, from), |(other, _)| (other, keys_from.unwrap_or(from)));
    let of_keys = of_keys.clone();
    let (data, keys) = (key(identities, "--identity"), key(keys_identities, "--keys-identity"));
    let until = manifest.made_at;
    let mut checked = Checked { manifest, segments: 0, until, data_opened: false, keys_opened: false };
    let mut known_secrets = None;
    if let Some(archive) = of_keys.archive(KEYS).filter(|one| one.recipients.is_empty() || !keys_identities.is_empty())
    {
        let path = keys_folder.join(&archive.file);
        let (mut kek, mut root) = (None, None);
        walk(&path, !archive.recipients.is_empty(), &keys, progress, &mut |name, content| {
            if name == KEK {
                let mut text = Zeroizing::new(String::new());
                content.take(1024).read_to_string(&mut text).map_err(|error| BackupError::damaged(&path, error))?;
                kek = Some(text);
            }
            if name == ROOT_KEY {
                let mut sealed = Vec::new();
                content.take(1024).read_to_end(&mut sealed).map_err(|error| BackupError::damaged(&path, error))?;
                root = Some(sealed);
            }
            Ok(())
        })?;
        let kek = kek.ok_or_else(|| BackupError::damaged(&path, "it holds no key-encryption key"))?;
        let secrets = KeyStore::secrets_under(&kek, root.as_deref())
            .ok_or_else(|| BackupError::damaged(&path, "its key-encryption key is none, or opens nothing in it"))?;
        let mac = hex::encode(secrets.fingerprint(PURPOSE, &bytes));
        let known = std::fs::read_to_string(from.join(MAC)).map_err(BackupError::file(&from.join(MAC)))?;
        if known.trim() != mac {
            return Err(BackupError::damaged(
                &from.join(MANIFEST),
                "its MAC is not by this installation's key-encryption key: it was changed by another hand",
            ));
        }
        checked.keys_opened = true;
        known_secrets = Some(secrets);
    }
    let manifest = &checked.manifest;
    if let Some(archive) = manifest.archive(DATA).filter(|one| one.recipients.is_empty() || !identities.is_empty()) {
        let path = from.join(&archive.file);
        let database = if manifest.engine == "sqlite" { SQLITE } else { POSTGRESQL };
        let mut first = None;
        walk(&path, !archive.recipients.is_empty(), &data, progress, &mut |name, _| {
            first.get_or_insert_with(|| name.to_owned());
            Ok(())
        })?;
        if first.as_deref() != Some(database) {
            return Err(BackupError::damaged(&path, format_args!("it does not begin with {database}")));
        }
        checked.data_opened = true;
    }
    let segments = segments::listed(from, known_secrets.as_ref(), progress)?;
    segments::opened(from, &segments, [identities, keys_identities], progress)?;
    checked.segments = segments.len();
    checked.until = segments.last().map_or(until, |last| last.at);
    Ok(checked)
}

pub(super) fn key<'a>(identities: &'a [Identity], flag: &'static str) -> Key<'a> {
    Key { identities, flag }
}
