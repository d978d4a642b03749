//! Which database belongs to this folder, and how far its counters have ever gone: one sealed
//! file, outside the database.
//!
//! A database can be another one than yesterday: a wrong address, a backup put back. The folder knows the identifier of
//! the installation, which its database carries too, and a mark per counter that no value below it will be given
//! again, whatever the database says. The file is sealed under the key-encryption key.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;

use super::key_store::{KeyStore, KeyStoreError, LockedKeyStore};
use super::store;
use crate::ground::{Id, blocking};
use crate::store::{Db, Sealed, StoreError};

/// An installation: a folder and its database. Types without values.
#[derive(Debug)]
pub enum OfInstallation {}

/// Identifier of an installation.
pub type InstallationId = Id<OfInstallation>;

/// What rests sealed.
#[derive(Debug, Deserialize, Serialize)]
struct State {
    id: InstallationId,
    /// True once a database carries the identifier.
    bound: bool,
    /// True once no row of the five tables that had MACs first is without one. Written by versions that knew no other
    /// tables with MACs.
    #[serde(default)]
    rows_sealed: bool,
    /// The tables of which no row is without a MAC.
    #[serde(default)]
    sealed_tables: BTreeSet<String>,
    /// The first value of each counter that was never reserved.
    counters: BTreeMap<String, u64>,
    /// Where a counter begins that has no mark: above zero in a folder that was restored, since the counter may have
    /// been used after the backup.
    #[serde(default)]
    floor: u64,
}

/// The installation to which a folder belongs; clones share it.
#[derive(Clone, Debug)]
pub struct Installation {
    store: KeyStore,
    id: InstallationId,
    bound: bool,
    sealed_tables: BTreeSet<String>,
    /// The folder is of a version that knew no installations.
    begun_late: bool,
}

impl Installation {
    /// Gives a new folder its identifier.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn init(store: &LockedKeyStore<'_>, rng: &mut impl CryptoRng) -> Result<(), KeyStoreError> {
        let mut random = [0; 16];
        rng.fill_bytes(&mut random);
        let id = Id::from_uuid(uuid::Builder::from_random_bytes(random).into_uuid());
        let (sealed_tables, counters) = (BTreeSet::new(), BTreeMap::new());
        write(store, &State { id, bound: false, rows_sealed: false, sealed_tables, counters, floor: 0 })
    }

    /// Opens the installation of a folder. One of a version that knew none gets its identifier now, and takes the
    /// database that it finds, unless that one belongs to an installation already.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn open_or_begin(store: &KeyStore, rng: &mut impl CryptoRng) -> Result<Self, KeyStoreError> {
        match Self::open(store) {
            Err(KeyStoreError::Missing(_)) => {
                Self::init(&store.locked()?, rng)?;
                Ok(Self { begun_late: true, ..Self::open(store)? })
            }
            opened => opened,
        }
    }

    /// Opens the installation of a folder.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn open(store: &KeyStore) -> Result<Self, KeyStoreError> {
        let State { id, bound, rows_sealed, mut sealed_tables, .. } = read(store)?;
        if rows_sealed {
            sealed_tables.extend(FIRST_SEALED.map(str::to_owned));
        }
        Ok(Self { store: store.clone(), id, bound, sealed_tables, begun_late: false })
    }

    /// The identifier.
    #[must_use]
    pub fn id(&self) -> InstallationId {
        self.id
    }

    /// Refuses to go on where a database file would be made although there was a database before.
    ///
    /// # Errors
    /// [`InstallationError::Empty`]
    pub fn may_begin(&self) -> Result<(), InstallationError> {
        if self.bound { Err(InstallationError::Empty { folder: self.id }) } else { Ok(()) }
    }

    /// Looks whether a database is this installation's, before anything is written into it. An empty one is, for a
    /// folder that never had a database.
    ///
    /// # Errors
    /// [`InstallationError`]
    pub async fn check(&self, db: &Db) -> Result<(), InstallationError> {
        let known = db.has_table("installation").await?;
        let database = if known { store::installation(&mut db.begin_read().await?).await? } else { None };
        match database {
            Some(database) if database == self.id => Ok(()),
            Some(database) => Err(InstallationError::Other { folder: self.id, database }),
            None if self.bound => Err(InstallationError::Empty { folder: self.id }),
            // Tables, and no identifier: another program's, or of a version that cannot be opened.
            None if !known && !self.begun_late && db.has_table("officer").await? => {
                Err(InstallationError::Foreign { folder: self.id })
            }
            None => Ok(()),
        }
    }

    /// Writes the identifier into an empty database, and into the folder that there is one now.
    ///
    /// # Errors
    /// [`InstallationError`]; [`InstallationError::Other`] if another folder was first.
    pub async fn bind(&self, db: &Db, at: OffsetDateTime) -> Result<(), InstallationError> {
        if self.bound {
            return Ok(());
        }
        let mut tx = db.begin_upkeep().await?;
        let database = store::bind_installation(&mut tx, self.id, at).await?;
        if database != self.id {
            return Err(InstallationError::Other { folder: self.id, database });
        }
        tx.commit().await?;
        // In this order: after a cut between the two the database is this installation's, and the folder learns it now.
        let store = self.store.clone();
        Ok(blocking::run(move || change(&store, |state| state.bound = true)).await?)
    }

    /// Gives their MAC to rows that a version wrote whose table had none, once a table: afterwards a row without one is
    /// refused.
    ///
    /// # Errors
    /// [`InstallationError`]
    pub async fn seal_rows_of_before(&self, db: &Db, tables: &[&Sealed]) -> Result<(), InstallationError> {
        let bare = || tables.iter().filter(|table| !self.sealed_tables.contains(table.table));
        if bare().next().is_none() {
            return Ok(());
        }
        let mut tx = db.begin_upkeep().await?;
        for table in bare() {
            tx.seal_rows_of_before(table).await?;
        }
        tx.commit().await?;
        let store = self.store.clone();
        let sealed: Vec<String> = tables.iter().map(|table| table.table.to_owned()).collect();
        Ok(blocking::run(move || {
            change(&store, |state| {
                state.rows_sealed = true;
                state.sealed_tables.extend(sealed);
            })
        })
        .await?)
    }

    /// True if no row of these tables is left without its MAC, as far as this service knows.
    #[must_use]
    pub fn is_sealed(&self, tables: &[&Sealed]) -> bool {
        tables.iter().all(|table| self.sealed_tables.contains(table.table))
    }

    /// Returns the mark of each counter: the first value that was never reserved.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn marks(&self) -> Result<BTreeMap<String, u64>, KeyStoreError> {
        Ok(read(&self.store)?.counters)
    }

    /// Raises the mark of every counter, also of those that were never used: what was given between a backup and the
    /// loss of the folder is not given again. Blocking.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn skip(&self, by: u64) -> Result<(), KeyStoreError> {
        change(&self.store, |state| {
            state.floor = state.floor.saturating_add(by);
            for mark in state.counters.values_mut() {
                *mark = mark.saturating_add(by);
            }
        })
    }

    /// The counters of this installation.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters(self.store.clone())
    }
}

/// Counters of which no value is given twice, also if the database forgets what it gave; clones share them.
#[derive(Clone, Debug)]
pub struct Counters(KeyStore);

impl Counters {
    /// Reserves the next values of a counter, `most` at once and all below `limit`: those from `next` on, which the
    /// database has as the first free one, or those above what was ever reserved if that is more. Empty when the limit
    /// is reached. What is returned is on the disk as reserved: a crash forfeits it.
    ///
    /// # Errors
    /// [`KeyStoreError`]: then nothing may be given.
    pub async fn reserve(&self, name: &str, next: u64, most: u64, limit: u64) -> Result<Range<u64>, KeyStoreError> {
        let (store, name) = (self.0.clone(), name.to_owned());
        // Without a turn: the caller's transaction is open, and on SQLite every other writer waits for it. There are no
        // more of these at once than transactions that write.
        Box::pin(blocking::apart(move || {
            change(&store, |state| {
                let mark = state.counters.entry(name).or_insert(state.floor);
                let start = next.max(*mark).min(limit);
                let end = start.saturating_add(most).min(limit);
                *mark = end.max(*mark); // a limit that is lower than before takes nothing back
                start..end
            })
        }))
        .await
    }

    /// Returns the first value of a counter that was never reserved, as far as the folder knows.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub async fn reached(&self, name: &str) -> Result<u64, KeyStoreError> {
        let (store, name) = (self.0.clone(), name.to_owned());
        let state = Box::pin(blocking::apart(move || read(&store))).await?;
        Ok(state.counters.get(&name).copied().unwrap_or(state.floor))
    }
}

fn change<T>(store: &KeyStore, change: impl FnOnce(&mut State) -> T) -> Result<T, KeyStoreError> {
    let store = store.locked()?;
    let mut state = read(&store)?;
    let done = change(&mut state);
    write(&store, &state)?;
    Ok(done)
}

fn read(store: &KeyStore) -> Result<State, KeyStoreError> {
    serde_json::from_slice(&store.load(FILE)?).map_err(|_| KeyStoreError::Malformed(format!("{FILE}.sealed").into()))
}

fn write(store: &LockedKeyStore<'_>, state: &State) -> Result<(), KeyStoreError> {
    store.put(FILE, &serde_json::to_vec(state).expect("identifiers and numbers become JSON"))
}

const FILE: &str = "installation";
/// The tables whose rows had MACs before others did.
const FIRST_SEALED: [&str; 5] = ["officer", "station", "card", "application", "chip"];

/// Why folder and database do not belong together. Each says what to do.
#[derive(Debug, Error)]
pub enum InstallationError {
    /// The database was emptied, or is another one.
    #[error(
        "this folder belongs to installation {folder}, whose register lies in a database; the one that was opened carries \
         no installation (it is empty). Give the right one with --database (without it: SQLite in the folder), or restore \
         its backup first. A new register begins with `issuance init` in another folder. Nothing was changed"
    )]
    Empty {
        /// The folder's.
        folder: InstallationId,
    },
    /// Tables of something else.
    #[error(
        "this folder belongs to installation {folder}; the database carries no installation and is not empty. Give an empty \
         one, or the one that belongs to this folder, with --database. Nothing was changed"
    )]
    Foreign {
        /// The folder's.
        folder: InstallationId,
    },
    /// The database of another folder.
    #[error(
        "this folder belongs to installation {folder}, the database to installation {database}. Give the database of this \
         folder with --database, or the folder of this database with --data. Nothing was changed"
    )]
    Other {
        /// The folder's.
        folder: InstallationId,
        /// The database's.
        database: InstallationId,
    },
    /// The sealed file.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}
