//! Keys at rest: one sealed file per key under `DATA/keys`, the key-encryption key in a file of its own.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rand::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::ground::files::FolderLock;
use crate::ground::{Secrets, files};

/// The folder of sealed keys and public certificates, with the key-encryption key opened. It only reads; what writes
/// needs the folder [locked](Self::locked).
#[derive(Clone)]
pub struct KeyStore {
    data: PathBuf,
    secrets: Secrets,
    /// What [`secrets`](Self::secrets) derive from: the root key, or, in a folder that has
    /// none, the key-encryption key.
    root: Zeroizing<[u8; 32]>,
}

impl KeyStore {
    /// Opens the store under `data`. The key-encryption key is 64 hex digits in `key_file`, or in `data/kek` when there
    /// is none; production keeps it on another medium than the data, or gets it from a secret mount.
    ///
    /// # Errors
    /// [`KeyStoreError`]: not there, readable by others than its owner, malformed.
    pub fn open(data: &Path, key_file: Option<&Path>) -> Result<Self, KeyStoreError> {
        if data.join(UNFINISHED).exists() {
            return Err(KeyStoreError::Unfinished(data.to_owned()));
        }
        if data.join(RESTORING).exists() {
            return Err(KeyStoreError::Restoring(data.to_owned()));
        }
        Self::unlocked(data, key_file)
    }

    /// Opens the store of a folder that is being restored.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn open_restored(data: &Path, key_file: Option<&Path>) -> Result<Self, KeyStoreError> {
        Self::unlocked(data, key_file)
    }

    /// Opens the store of a folder that may still be in the making.
    fn unlocked(data: &Path, key_file: Option<&Path>) -> Result<Self, KeyStoreError> {
        let path = key_file.map_or_else(|| data.join("kek"), Path::to_owned);
        let file = File::open(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => KeyStoreError::Missing(path.clone()),
            _ => KeyStoreError::File(path.clone(), e),
        })?;
        let mode = file.metadata().map_err(|e| KeyStoreError::File(path.clone(), e))?.mode();
        if mode & 0o077 != 0 {
            return Err(KeyStoreError::ReadableByOthers(path));
        }
        let text = Zeroizing::new(fs::read_to_string(&path).map_err(|e| KeyStoreError::File(path.clone(), e))?);
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut *key).map_err(|_| KeyStoreError::Malformed(path))?;
        let root = data.join(ROOT_KEY);
        let sealed = match fs::read(&root) {
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(KeyStoreError::File(root, e)),
            Ok(sealed) => Some(sealed),
        };
        let key = opened(&key, sealed.as_deref()).ok_or(KeyStoreError::NotOurs(root))?;
        Ok(Self { data: data.to_owned(), secrets: Secrets::new(&key), root: key })
    }

    /// Returns the secrets that a key-encryption key opens, as text of its file, with the sealed root key if there is
    /// one; `None` if they do not belong together.
    #[must_use]
    pub fn secrets_under(kek: &str, root: Option<&[u8]>) -> Option<Secrets> {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(kek.trim(), &mut *key).ok()?;
        Some(Secrets::new(&*opened(&key, root)?))
    }

    /// Reads the key-encryption key that is to take the place of the one in use: a file that only its owner reads.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn new_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyStoreError> {
        let file = File::open(path).map_err(|e| KeyStoreError::File(path.to_owned(), e))?;
        let mode = file.metadata().map_err(|e| KeyStoreError::File(path.to_owned(), e))?.mode();
        if mode & 0o077 != 0 {
            return Err(KeyStoreError::ReadableByOthers(path.to_owned()));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|e| KeyStoreError::File(path.to_owned(), e))?);
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut *key).map_err(|_| KeyStoreError::Malformed(path.to_owned()))?;
        Ok(key)
    }

    /// Makes the folder and, unless `key_file` already holds one, a new key-encryption key.
    ///
    /// # Errors
    /// [`KeyStoreError`]: also if there already is a store ([`KeyStoreError::AlreadyThere`]).
    pub fn init(data: &Path, key_file: Option<&Path>, rng: &mut impl CryptoRng) -> Result<Self, KeyStoreError> {
        let keys = data.join("keys");
        fs::create_dir_all(data).map_err(|e| KeyStoreError::File(data.to_owned(), e))?;
        // Only the service's account reads what is in there; what is public lies beside it. Of two who begin at once,
        // one makes the folder.
        DirBuilder::new().mode(0o700).create(&keys).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => KeyStoreError::AlreadyThere(data.to_owned()),
            _ => KeyStoreError::File(keys, e),
        })?;
        let path = key_file.map_or_else(|| data.join("kek"), Path::to_owned);
        if !path.exists() {
            let mut key = Zeroizing::new([0; 32]);
            rng.fill_bytes(&mut *key);
            let text = Zeroizing::new(hex::encode(*key) + "\n");
            write_private(&path, text.as_bytes())?;
        }
        // Everything is sealed under a root key, and the root key under the key-encryption key: so that another one can
        // take its place by one small file.
        let (store, mut root) = (Self::unlocked(data, key_file)?, Zeroizing::new([0; 32]));
        rng.fill_bytes(&mut *root);
        write_private(&data.join(ROOT_KEY), &store.secrets.seal(ROOT_PURPOSE, &*root))?;
        Self::unlocked(data, key_file)
    }

    /// Begins the making of a folder whose [`FolderLock`] is held: what an earlier beginning that was cut left of keys
    /// is removed. Nothing was ever issued with them, since no such folder opens.
    ///
    /// # Errors
    /// [`KeyStoreError::File`]
    pub fn begin(data: &Path) -> Result<(), KeyStoreError> {
        let (keys, mark) = (data.join("keys"), data.join(UNFINISHED));
        let failed = |e| KeyStoreError::File(data.to_owned(), e);
        if mark.exists() && keys.exists() {
            fs::remove_dir_all(&keys).map_err(failed)?;
        }
        if keys.exists() { Ok(()) } else { write_private(&mark, b"issuance init is under way, or was cut\n") }
    }

    /// True if the making of the folder was begun: it can be [opened](Self::open), or says why not.
    #[must_use]
    pub fn is_begun(data: &Path) -> bool {
        data.join("keys").exists() || data.join(UNFINISHED).exists()
    }

    /// Ends the making: from now on the folder opens.
    ///
    /// # Errors
    /// [`KeyStoreError::File`]
    pub fn finish(&self) -> Result<(), KeyStoreError> {
        files::remove(&self.data.join(UNFINISHED)).map_err(|e| KeyStoreError::File(self.data.clone(), e))
    }

    /// As [`locked`](Self::locked), with a lock that is held already.
    #[must_use]
    pub fn locked_by(&self, lock: FolderLock) -> LockedKeyStore<'_> {
        LockedKeyStore { store: self, _lock: lock }
    }

    /// The folder.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// The service's encryption at rest.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Keeps the folder from other writers until what is returned is dropped. Waits for them; blocking.
    ///
    /// # Errors
    /// [`KeyStoreError::File`]
    pub fn locked(&self) -> Result<LockedKeyStore<'_>, KeyStoreError> {
        let lock = files::lock(&self.data).map_err(|e| KeyStoreError::File(self.data.clone(), e))?;
        Ok(LockedKeyStore { store: self, _lock: lock })
    }

    /// Loads a key by its name.
    ///
    /// # Errors
    /// [`KeyStoreError`]: not there, or sealed under another key-encryption key, or under another name.
    pub fn load(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        let path = self.path(name);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(KeyStoreError::Missing(path)),
            Err(e) => return Err(KeyStoreError::File(path, e)),
        };
        self.secrets.open(&purpose(name), &sealed).map_err(|_| KeyStoreError::NotOurs(path))
    }

    /// Looks whether the key-encryption key is the one of this folder: a folder without a root key opens with any.
    ///
    /// # Errors
    /// [`KeyStoreError::NotOurs`]
    pub fn fits(&self) -> Result<(), KeyStoreError> {
        self.names("")?.iter().take(1).try_for_each(|name| self.load(name).map(drop))
    }

    /// Names of the keys that begin with `prefix`, without it.
    ///
    /// # Errors
    /// [`KeyStoreError::File`]
    pub fn names(&self, prefix: &str) -> Result<Vec<String>, KeyStoreError> {
        let folder = self.data.join("keys");
        let entries = fs::read_dir(&folder).map_err(|e| KeyStoreError::File(folder.clone(), e))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            // The root key is no key of this list: it is opened by another one.
            .filter(|name| name != "root.sealed")
            .filter_map(|name| Some(name.strip_suffix(".sealed")?.strip_prefix(prefix)?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// A public file beside the keys (`csca.der`, `tls-ca.pem`, …), for clients.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn public(&self, name: &str) -> Result<Vec<u8>, KeyStoreError> {
        let path = self.data.join(name);
        fs::read(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => KeyStoreError::Missing(path),
            _ => KeyStoreError::File(path, e),
        })
    }

    /// Names of the public files that end with `.` and `extension`, without the ending.
    ///
    /// # Errors
    /// [`KeyStoreError::File`]
    pub fn public_names(&self, extension: &str) -> Result<Vec<String>, KeyStoreError> {
        let entries = fs::read_dir(&self.data).map_err(|e| KeyStoreError::File(self.data.clone(), e))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| Some(name.strip_suffix(extension)?.strip_suffix('.')?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data.join("keys").join(format!("{name}.sealed"))
    }
}

/// The store with its folder locked. Only here files are written, so no command and no request of a running service
/// writes over what another one read.
#[derive(Debug)]
pub struct LockedKeyStore<'a> {
    store: &'a KeyStore,
    _lock: FolderLock,
}

impl Deref for LockedKeyStore<'_> {
    type Target = KeyStore;

    fn deref(&self) -> &KeyStore {
        self.store
    }
}

impl LockedKeyStore<'_> {
    /// Seals a key under its name. What is there already is replaced atomically.
    ///
    /// # Errors
    /// [`KeyStoreError::File`]
    pub fn put(&self, name: &str, key: &[u8]) -> Result<(), KeyStoreError> {
        write_private(&self.path(name), &self.secrets.seal(&purpose(name), key))
    }

    /// Removes a key for good.
    ///
    /// # Errors
    /// [`KeyStoreError::File`]
    pub fn forget(&self, name: &str) -> Result<(), KeyStoreError> {
        let path = self.path(name);
        files::remove(&path).map_err(|error| KeyStoreError::File(path, error))
    }

    /// Seals the root key under another key-encryption key: the folder opens with it from now on, and with the one
    /// before no more. One file is replaced, so that a cut leaves the one or the other. In a folder of a version that
    /// had no root key, the key-encryption key of then becomes it.
    ///
    /// # Errors
    /// [`KeyStoreError::File`]
    pub fn rekey(&self, key: &[u8; 32]) -> Result<(), KeyStoreError> {
        write_private(&self.data.join(ROOT_KEY), &Secrets::new(key).seal(ROOT_PURPOSE, &*self.root))
    }

    /// Writes a public file.
    ///
    /// # Errors
    /// [`KeyStoreError::File`]
    pub fn publish(&self, name: &str, bytes: &[u8]) -> Result<(), KeyStoreError> {
        write(&self.data.join(name), bytes, files::PUBLIC)
    }
}

/// The root key: what the key-encryption key opens, or itself where there is no root key.
fn opened(kek: &[u8; 32], root: Option<&[u8]>) -> Option<Zeroizing<[u8; 32]>> {
    let Some(sealed) = root else { return Some(Zeroizing::new(*kek)) };
    let root = Secrets::new(kek).open(ROOT_PURPOSE, sealed).ok()?;
    root.as_slice().try_into().ok().map(Zeroizing::new)
}

/// Shows no key.
impl std::fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyStore").field("data", &self.data).finish_non_exhaustive()
    }
}

/// The sealed root key in the data folder.
pub const ROOT_KEY: &str = "keys/root.sealed";
const ROOT_PURPOSE: &str = "root-key";

/// The name is part of what is authenticated: one sealed key does not pass for another.
fn purpose(name: &str) -> String {
    format!("key/{name}")
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyStoreError> {
    write(path, bytes, files::PRIVATE)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyStoreError> {
    files::replace(path, &path.with_extension("new"), bytes, mode).map_err(|e| KeyStoreError::File(path.to_owned(), e))
}

/// Stands in a folder while a backup is restored into it: until it is gone, nothing opens the folder.
pub const RESTORING: &str = "restore-unfinished";

/// Stands in a folder while `init` makes it.
const UNFINISHED: &str = "init-unfinished";

/// Why a key or certificate cannot be had. Each says what to do.
#[derive(Debug, Error)]
pub enum KeyStoreError {
    /// The ceremony was held here before.
    #[error(
        "{0} already holds the keys of a service; choose another --data, or remove it if none of its cards is in use"
    )]
    AlreadyThere(PathBuf),
    /// The file system.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// Not what this file should hold.
    #[error("{0} does not hold what it should")]
    Malformed(PathBuf),
    /// No such file.
    #[error("{0} is not there; run `issuance init` first, or check --data and --key-file")]
    Missing(PathBuf),
    /// Sealed under another key-encryption key or another name, or changed.
    #[error(
        "{0} was sealed under another key-encryption key or name, or was changed; restore the file that belongs to it"
    )]
    NotOurs(PathBuf),
    /// The making of the folder was cut, or is under way.
    #[error("{0} is not finished: `issuance init` was cut, or still runs; run it again with the same arguments")]
    Unfinished(PathBuf),
    /// A restoration into the folder was cut, or is under way.
    #[error("{0} is not finished: `issuance restore` was cut, or still runs; run it again with the same arguments")]
    Restoring(PathBuf),
    /// Mode too wide.
    #[error(
        "{0} can be read by others than its owner; run `chmod 600` on it, and consider what it protects as exposed"
    )]
    ReadableByOthers(PathBuf),
}
