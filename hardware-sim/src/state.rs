//! The persistent state of a chip and where it is stored. (The volatile state, which a reset clears, is in `core`.)
//!
//! Each chip has a folder of its own with one file, `chip.state`, that only its owner may read (0600):
//!
//! ```text
//! citizen-card chip state 1 <SHA-256 of the body, hex>\n
//! {"serial":"…", …}                                          body: JSON, binary values in hex
//! ```
//!
//! Every commit writes `chip.state.new`, syncs it, renames it over `chip.state` and syncs the folder: if the
//! process is killed at any instant, the file holds the state before or the state after, never a mixture. A
//! left-over `chip.state.new` is ignored. The file `lock` keeps a second simulator from the same chip: two copies
//! of one chip would repeat nonces.

use std::fs::{self, File as Handle, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crypto::identity::{Can, CardSerial};
use crypto::kdf::MrzSecret;
use crypto::lds::File;
use crypto::perso::LifeCycle;
use crypto::scp03::KeySet;
use crypto::suite::ec::{Curve, PrivateKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::filesystem::Files;
use crate::profile::Profile;

/// Version of the state file that this code writes. All older versions can be read;
/// `tests/state_test_data` has one of each.
pub const VERSION: u32 = 1;

/// Everything that survives a power cut. Its private keys are written to the state file and nowhere else.
pub struct Persistent {
    /// Serial of the chip, fixed when it was made.
    pub serial: CardSerial,
    /// Profile of the chip, fixed when it was made.
    pub profile: Profile,
    /// Life cycle state.
    pub life_cycle: LifeCycle,
    /// Static keys of the issuer domain.
    pub keys: KeySet,
    /// Version of `keys`.
    pub key_version: u8,
    /// Whether `keys` are still the transport keys of the manufacturer.
    pub transport_keys: bool,
    /// Last sequence counter used for an issuer session, at most 24 bits.
    pub sequence_counter: u32,
    /// How often a process opened this state; part of the seed of the random generator, so that nonces never repeat.
    pub openings: u64,
    /// Wrong passwords in PACE and BAC since the last right one.
    pub failures: u32,
    /// Key pair of active authentication.
    pub active_auth: Option<PrivateKey>,
    /// Key pair of chip authentication.
    pub chip_auth: Option<Arc<PrivateKey>>,
    /// The files that personalization wrote.
    pub files: Files,
    /// Card access number.
    pub can: Option<Can>,
    /// SHA-1 of the MRZ information: the password of PACE with the MRZ, and the seed of the BAC keys.
    pub mrz: Option<MrzSecret>,
}

impl Persistent {
    /// Makes the state of a chip as the manufacturer delivers it.
    pub fn blank(profile: Profile, serial: CardSerial, keys: KeySet, key_version: u8) -> Self {
        Self {
            serial,
            profile,
            life_cycle: LifeCycle::Blank,
            keys,
            key_version,
            transport_keys: true,
            sequence_counter: 0,
            openings: 0,
            failures: 0,
            active_auth: None,
            chip_auth: None,
            files: Files::default(),
            can: None,
            mrz: None,
        }
    }

    /// Deletes files and passwords, so that none of an earlier package is left beside those of a new one.
    pub fn discard_package(&mut self) {
        self.files = Files::default();
        self.can = None;
        self.mrz = None;
    }

    /// Deletes files, passwords and private keys. The keys of the issuer stay, so that the receipt of the
    /// termination can be made.
    pub fn erase(&mut self) {
        self.active_auth = None;
        self.chip_auth = None;
        self.discard_package();
    }

    /// Returns the bytes of the state file.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut record = Record::from(self);
        let body = Zeroizing::new(serde_json::to_vec(&record).expect("a record has only strings, numbers and maps"));
        record.wipe();
        let digest = hex::encode(Sha256::digest(&body));
        Zeroizing::new([format!("{MAGIC} {VERSION} {digest}\n").as_bytes(), &body].concat())
    }

    /// Reads the bytes of a state file.
    ///
    /// # Errors
    /// [`StateError::Corrupt`] if they are not what this program wrote, [`StateError::Version`]
    /// if a later one wrote them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let cut = bytes.iter().position(|b| *b == b'\n').ok_or(StateError::Corrupt("there is no first line"))?;
        let (head, body) = (&bytes[..cut], &bytes[cut + 1..]);
        let head = std::str::from_utf8(head).map_err(|_| StateError::Corrupt("the first line is not text"))?;
        let mut words = head.strip_prefix(MAGIC).ok_or(StateError::Corrupt("it is no chip state"))?.split_whitespace();
        let version = words.next().and_then(|w| w.parse().ok()).ok_or(StateError::Corrupt("it names no version"))?;
        if version != VERSION {
            return Err(StateError::Version(version));
        }
        if words.next() != Some(&hex::encode(Sha256::digest(body))) {
            return Err(StateError::Corrupt("its checksum is wrong"));
        }
        let mut record: Record =
            serde_json::from_slice(body).map_err(|_| StateError::Corrupt("a field is missing or wrong"))?;
        let state = Self::try_from(&record);
        record.wipe();
        state
    }
}

/// Shows serial, life cycle and sequence counter only.
impl std::fmt::Debug for Persistent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Persistent({} {:?} counter {})", self.serial, self.life_cycle, self.sequence_counter)
    }
}

/// Where the persistent state of a chip is stored. A clone is another handle on the same store.
#[derive(Clone)]
pub enum Store {
    /// In the memory of this process, until the last handle is dropped.
    Memory(Arc<Mutex<Option<Zeroizing<Vec<u8>>>>>),
    /// In a folder of the file system.
    Directory(Arc<Directory>),
}

/// A folder that holds one chip, locked against a second simulator while it is open.
pub struct Directory {
    path: PathBuf,
    _lock: Handle,
}

impl Store {
    /// Makes an empty store in the memory of this process.
    pub fn memory() -> Self {
        Self::Memory(Arc::default())
    }

    /// Opens and locks a folder; makes it if it does not exist.
    ///
    /// # Errors
    /// [`StateError::InUse`] if another simulator has it open, [`StateError::Io`] if the file system refuses.
    pub fn directory(path: impl Into<PathBuf>) -> Result<Self, StateError> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(|e| StateError::io(&path, e))?;
        let lock_path = path.join("lock");
        let lock =
            private().create(true).truncate(false).open(&lock_path).map_err(|e| StateError::io(&lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self::Directory(Arc::new(Directory { path, _lock: lock }))),
            Err(fs::TryLockError::WouldBlock) => Err(StateError::InUse(path)),
            Err(fs::TryLockError::Error(e)) => Err(StateError::io(&lock_path, e)),
        }
    }

    /// Returns whether no chip was ever committed here.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Memory(cell) => cell.lock().unwrap_or_else(PoisonError::into_inner).is_none(),
            Self::Directory(directory) => !directory.path.join(FILE).exists(),
        }
    }

    /// Returns the state that was committed last.
    ///
    /// # Errors
    /// [`StateError::Empty`] if there is none, or what is wrong with the file.
    pub fn load(&self) -> Result<Persistent, StateError> {
        match self {
            Self::Memory(cell) => match &*cell.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(bytes) => Persistent::from_bytes(bytes),
                None => Err(StateError::Empty),
            },
            Self::Directory(directory) => {
                let path = directory.path.join(FILE);
                match fs::read(&path).map(Zeroizing::new) {
                    Ok(bytes) => Persistent::from_bytes(&bytes),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => Err(StateError::Empty),
                    Err(e) => Err(StateError::io(&path, e)),
                }
            }
        }
    }

    /// Stores `state` in the place of the one before, or not at all. With `torn` the power fails half way.
    ///
    /// # Errors
    /// [`StateError::Torn`] if `torn`, [`StateError::Io`] if the file system refuses. The state
    /// before is then still stored.
    pub fn commit(&self, state: &Persistent, torn: bool) -> Result<(), StateError> {
        let bytes = state.to_bytes();
        match self {
            Self::Memory(_) if torn => Err(StateError::Torn),
            Self::Memory(cell) => {
                *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
                Ok(())
            }
            Self::Directory(directory) => directory.commit(&bytes, torn),
        }
    }
}

impl Directory {
    fn commit(&self, bytes: &[u8], torn: bool) -> Result<(), StateError> {
        let (new, path) = (self.path.join("chip.state.new"), self.path.join(FILE));
        let mut file = private().create(true).truncate(true).open(&new).map_err(|e| StateError::io(&new, e))?;
        let written = if torn { &bytes[..bytes.len() / 2] } else { bytes };
        file.write_all(written).and_then(|()| file.sync_all()).map_err(|e| StateError::io(&new, e))?;
        if torn {
            return Err(StateError::Torn);
        }
        fs::rename(&new, &path).map_err(|e| StateError::io(&path, e))?;
        Handle::open(&self.path).and_then(|folder| folder.sync_all()).map_err(|e| StateError::io(&self.path, e))
    }
}

/// Shows where the state is stored, never the state.
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory(_) => f.write_str("Store::Memory"),
            Self::Directory(directory) => write!(f, "Store::Directory({})", directory.path.display()),
        }
    }
}

/// Why the state of a chip cannot be read or written.
#[derive(Debug, Error)]
pub enum StateError {
    /// The file was damaged, or is not a state file.
    #[error("the chip state is damaged: {0}; put it aside and start with an empty state folder")]
    Corrupt(&'static str),
    /// A blank chip was to be made in a store that holds one already.
    #[error("there is a chip here already")]
    Occupied,
    /// The store holds no chip.
    #[error("there is no chip here yet")]
    Empty,
    /// Another simulator that is running has the folder open.
    #[error("the chip in {0} is used by another simulator: stop that one first, or choose another --state")]
    InUse(PathBuf),
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// A planned fault cut the power during the write.
    #[error("the power failed during the write")]
    Torn,
    /// A later version of this program wrote the file.
    #[error("the chip state has version {0}; this program reads up to version {VERSION}")]
    Version(u32),
}

impl StateError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// The body of a state file of version 1.
#[derive(Deserialize, Serialize)]
struct Record {
    serial: CardSerial,
    profile: Profile,
    /// The life cycle byte as GET DATA gives it.
    life_cycle: u8,
    /// Key-ENC, Key-MAC and Key-DEK, one after the other, in hex.
    keys: String,
    key_version: u8,
    transport_keys: bool,
    sequence_counter: u32,
    openings: u64,
    failures: u32,
    active_auth: Option<KeyRecord>,
    chip_auth: Option<KeyRecord>,
    files: std::collections::BTreeMap<File, String>,
    can: Option<Can>,
    mrz: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct KeyRecord {
    /// Standardized domain parameter identifier, Doc 9303-11 table 4.
    curve: u8,
    private: String,
}

impl Record {
    fn wipe(&mut self) {
        self.keys.zeroize();
        self.mrz.zeroize();
        for key in [&mut self.active_auth, &mut self.chip_auth].into_iter().flatten() {
            key.private.zeroize();
        }
    }
}

impl From<&Persistent> for Record {
    fn from(state: &Persistent) -> Self {
        let key =
            |key: &PrivateKey| KeyRecord { curve: key.curve().parameter_id(), private: hex::encode(key.to_bytes()) };
        Self {
            serial: state.serial,
            profile: state.profile.clone(),
            life_cycle: state.life_cycle.byte(),
            keys: hex::encode(state.keys.to_bytes()),
            key_version: state.key_version,
            transport_keys: state.transport_keys,
            sequence_counter: state.sequence_counter,
            openings: state.openings,
            failures: state.failures,
            active_auth: state.active_auth.as_ref().map(key),
            chip_auth: state.chip_auth.as_deref().map(key),
            files: state.files.iter().map(|(file, content)| (file, hex::encode(content))).collect(),
            can: state.can,
            mrz: state.mrz.as_ref().map(|hash| hex::encode(hash.digest())),
        }
    }
}

impl TryFrom<&Record> for Persistent {
    type Error = StateError;

    fn try_from(record: &Record) -> Result<Self, StateError> {
        let bytes =
            |text: &str| hex::decode(text).map(Zeroizing::new).map_err(|_| StateError::Corrupt("a value is not hex"));
        let key = |record: &Option<KeyRecord>| match record {
            None => Ok(None),
            Some(record) => Curve::from_parameter_id(record.curve)
                .and_then(|curve| {
                    PrivateKey::from_bytes(curve, &hex::decode(&record.private).map(Zeroizing::new).ok()?).ok()
                })
                .map(Some)
                .ok_or(StateError::Corrupt("a private key is not one")),
        };
        let mut files = Files::default();
        for (file, content) in &record.files {
            files.put(*file, bytes(content)?.to_vec());
        }
        let mrz = match &record.mrz {
            None => None,
            Some(hash) => {
                let hash = bytes(hash)?;
                Some(MrzSecret::from_digest(
                    hash[..].try_into().map_err(|_| StateError::Corrupt("the MRZ hash has not 20 bytes"))?,
                ))
            }
        };
        Ok(Self {
            serial: record.serial,
            profile: record.profile.clone(),
            life_cycle: LifeCycle::from_byte(record.life_cycle)
                .ok_or(StateError::Corrupt("the life cycle is unknown"))?,
            keys: KeySet::from_bytes(&bytes(&record.keys)?)
                .map_err(|_| StateError::Corrupt("the keys are no key set"))?,
            key_version: record.key_version,
            transport_keys: record.transport_keys,
            sequence_counter: record.sequence_counter,
            openings: record.openings,
            failures: record.failures,
            active_auth: key(&record.active_auth)?,
            chip_auth: key(&record.chip_auth)?.map(Arc::new),
            files,
            can: record.can,
            mrz,
        })
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

const FILE: &str = "chip.state";
const MAGIC: &str = "citizen-card chip state";
