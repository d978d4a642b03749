//! The station's journal: records each step with a chip on disk before the step is taken.
//!
//! One append-only file for all readers of a station, `journal.jsonl`. A line is the first eight bytes of the SHA-256
//! of its record in hexadecimal, a space, the record as JSON, a line feed; it is written whole and fsynced under a file
//! lock. A power cut leaves at most an unterminated last line, which opening (or the next append) cuts off: that record
//! was never acted upon, because acting waits for the fsync. A power cut cannot make a terminated line that fails its
//! checksum: that is an error.
//!
//! The readers of one process share one open journal. A flush that began after a record was written covers it too, so
//! that readers which write at the same time wait for one disk, not for each other. After a write that failed nothing
//! more is written, since what a failed flush left on disk is unknown. With a [reserve](Journal::reserve) a full disk
//! ends no work that is begun: the reserve makes room for its records, and [`Journal::has_room`] refuses the next.
//!
//! No keys and no personal data: serial numbers, order ids, sealed receipts, and public signatures. Beside the journal
//! lie the vouchers of orders, which the service alone can open ([`Journal::keep_voucher`]).

use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crypto::identity::CardSerial;
use crypto::perso::{Order, Receipt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ambient;
use crate::client::ActiveAuthentication;

/// Why the journal cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// A whole line fails its checksum or is not a record.
    #[error("{}: line {line} is damaged", path.display())]
    Corrupt {
        /// The journal.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
    },
    /// The file system refuses an operation.
    #[error("{}: {source}", path.display())]
    Io {
        /// The journal or its folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// The kinds of work on a chip, in the order in which a chip meets them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A blank becomes initialised stock.
    Intake,
    /// An initialised chip becomes a citizen's card.
    Personalize,
}

/// The events of an entry, in the order in which they can happen. Every entry ends with `Finished`,
/// `Withdrawn` or `Accounted`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// A chip was presented; no order was asked for yet.
    Begun {
        /// Intake or personalization.
        kind: Kind,
        /// The chip.
        serial: CardSerial,
        /// Full name of the reader it lay in; empty if in none.
        reader: String,
    },
    /// The service gave an order; its first command may have reached the chip from now on.
    Ordered {
        /// The order's id.
        order: String,
    },
    /// The chip answered to the order, wholly or until the session broke.
    Played {
        /// Its sealed answers.
        receipt: Receipt,
    },
    /// The finished chip signed the service's challenge.
    Proved {
        /// Challenge and signature.
        proof: ActiveAuthentication,
    },
    /// The service has found the receipt insufficient: the chip needs a new order.
    Incomplete,
    /// The service has confirmed that the aim of the work is reached.
    Finished,
    /// The chip is given up; the service has still to be told.
    Spoiled {
        /// The reason, as a stable word or in the operator's words.
        reason: String,
        /// What shows it.
        evidence: String,
    },
    /// The service has accounted for the spoiled chip.
    Accounted,
    /// The service gives no (further) order, and the chip stays what the ledger has it as.
    Withdrawn {
        /// The code of the service's refusal.
        reason: String,
    },
}

/// How far an unfinished entry got.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Nothing reached the chip, or a receipt was reported and found incomplete: a new order is needed.
    AwaitOrder,
    /// An order was out and its receipt is lost: the chip may have taken any part of it. A new order is needed.
    AwaitReceipt,
    /// The receipt is still to be reported.
    AwaitReport {
        /// The chip's answers.
        receipt: Receipt,
        /// Its signature over the service's challenge, if read back.
        proof: Option<ActiveAuthentication>,
    },
    /// The chip is given up; the service has still to be told.
    AwaitAccount {
        /// The reason, as in [`Event::Spoiled`].
        reason: String,
        /// What shows it.
        evidence: String,
    },
}

/// Unfinished work on one chip.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Identifies the entry in the journal, and in idempotency keys.
    pub id: Uuid,
    /// Intake or personalization.
    pub kind: Kind,
    /// The chip.
    pub serial: CardSerial,
    /// Reader in which it was begun.
    pub reader: String,
    /// Whether an order was ever received for it.
    pub ordered: bool,
    /// How far it got.
    pub stage: Stage,
}

#[derive(Deserialize, Serialize)]
struct Record {
    entry: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(flatten)]
    event: Event,
}

/// The file of a voucher.
#[derive(Deserialize, Serialize)]
struct KeptVoucher {
    order: Order,
    voucher: String,
}

/// For so long vouchers are kept: longer than the oldest backup that a service is restored from.
const VOUCHERS_ARE_KEPT: Duration = Duration::from_hours(92 * 24);

/// So often old vouchers are looked for: a folder of a quarter has one for each card.
const SWEPT_EVERY: Duration = Duration::from_hours(1);

/// Bytes of the reserve: enough for what sixteen readers still have to write about the chips that they have begun.
const RESERVE: usize = 1 << 20;

/// An open journal. A clone is another handle on it, for another reader of the same process.
#[derive(Clone)]
pub struct Journal {
    path: PathBuf,
    open: Arc<Open>,
}

struct Open {
    written: Mutex<Written>,
    /// The number of records that are on disk, held while the disk is waited for.
    flushed: Mutex<u64>,
    /// Another handle on the file, so that a flush holds up no write.
    file: File,
    /// The chips that are at work in a reader of this process.
    claimed: Mutex<HashSet<CardSerial>>,
    /// When old vouchers were last looked for.
    swept: Mutex<Option<SystemTime>>,
}

struct Written {
    file: File,
    /// Where the lines end that were read or written here.
    end: u64,
    unfinished: Vec<Entry>,
    /// The number of records written here.
    records: u64,
    /// Whether the reserve was given up: the disk is full.
    is_full: bool,
    /// The first write or flush that failed.
    failed: Option<(io::ErrorKind, String)>,
}

/// A chip that no other reader of this process works on until this is dropped.
pub(super) struct Claim {
    open: Arc<Open>,
    serial: CardSerial,
}

impl Claim {
    pub(super) fn serial(&self) -> CardSerial {
        self.serial
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.open.claimed).remove(&self.serial);
    }
}

impl Journal {
    /// Opens or creates `journal.jsonl` in `station`, cutting off a torn last line.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(station: &Path) -> Result<Self, JournalError> {
        let path = station.join("journal.jsonl");
        let fail = |source| JournalError::Io { path: path.clone(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        File::open(station).and_then(|folder| folder.sync_all()).map_err(fail)?;
        file.lock().map_err(fail)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        let (records, sound) = read(&bytes).map_err(|line| JournalError::Corrupt { path: path.clone(), line })?;
        if sound < bytes.len() {
            file.set_len(sound as u64).and_then(|()| file.sync_all()).map_err(fail)?;
        }
        file.unlock().map_err(fail)?;
        let mut unfinished = Vec::new();
        for record in records {
            apply(&mut unfinished, record.entry, record.event);
        }
        let flushing = file.try_clone().map_err(fail)?;
        let written = Written { file, end: sound as u64, unfinished, records: 0, is_full: false, failed: None };
        let (flushed, claimed, swept) = (Mutex::new(0), Mutex::default(), Mutex::default());
        let open = Open { written: Mutex::new(written), flushed, file: flushing, claimed, swept };
        Ok(Self { path, open: Arc::new(open) })
    }

    /// Writes a file beside the journal that is given up when the disk is full (`journal.reserve`, 1 MiB), unless it is
    /// there.
    ///
    /// # Errors
    /// [`JournalError::Io`], also if there is no room for it.
    pub fn reserve(&self) -> Result<(), JournalError> {
        let path = self.reserve_file();
        let is_there = || path.metadata().is_ok_and(|metadata| metadata.len() == RESERVE as u64);
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(&vec![0x5a; RESERVE])?;
            file.sync_all()
        };
        if is_there() {
            return Ok(());
        }
        write().map_err(|source| {
            let _ = std::fs::remove_file(&path); // half a reserve fills the disk for nothing
            JournalError::Io { path: path.clone(), source }
        })
    }

    fn reserve_file(&self) -> PathBuf {
        self.path.with_file_name("journal.reserve")
    }

    /// Fails if no other chip may be begun: the disk is full, or a write has failed.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn has_room(&self) -> Result<(), JournalError> {
        let written = lock(&self.open.written);
        let full = || (io::ErrorKind::StorageFull, "the disk is full; what was begun is written down".to_owned());
        match written.failed.clone().or_else(|| written.is_full.then(full)) {
            Some((kind, words)) => {
                Err(JournalError::Io { path: self.path.clone(), source: io::Error::new(kind, words) })
            }
            None => Ok(()),
        }
    }

    /// Takes a chip for one reader of this process; none if another has it.
    pub(super) fn claim(&self, serial: CardSerial) -> Option<Claim> {
        lock(&self.open.claimed).insert(serial).then(|| Claim { open: self.open.clone(), serial })
    }

    /// Does as if a write had found the disk full.
    #[cfg(test)]
    pub(super) fn fills(&self) {
        assert!(self.gives_up_reserve(&mut lock(&self.open.written)) || !self.reserve_file().exists());
    }

    /// Gives the reserve up, once. Returns whether it did.
    fn gives_up_reserve(&self, written: &mut Written) -> bool {
        !std::mem::replace(&mut written.is_full, true) && std::fs::remove_file(self.reserve_file()).is_ok()
    }

    /// Keeps what the service gave with an order for the day on which it loses its database: its sealed voucher, and
    /// the commands that the voucher is about. On return the file is on disk (`vouchers` in the station's folder, named
    /// by the SHA-256 of the order's id). Files of a quarter of a year ago are removed.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn keep_voucher(&self, order: &Order, voucher: &str, now: SystemTime) -> Result<(), JournalError> {
        let folder = self.path.with_file_name("vouchers");
        let fail = |source| JournalError::Io { path: folder.clone(), source };
        let kept = KeptVoucher { order: order.clone(), voucher: voucher.to_owned() };
        let bytes = serde_json::to_vec(&kept).expect("an order is JSON");
        // The id is the service's text: as a name it could lead out of the folder.
        let name = hex::encode(&Sha256::digest(&order.id)[..16]);
        let (path, new) = (folder.join(format!("{name}.json")), folder.join(format!("{name}.new")));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(fail)?;
        let mut swept = lock(&self.open.swept);
        if swept.is_none_or(|before| now.duration_since(before).is_ok_and(|age| age > SWEPT_EVERY)) {
            for entry in std::fs::read_dir(&folder).map_err(fail)?.flatten() {
                let written = entry.metadata().and_then(|metadata| metadata.modified());
                let age = written.ok().and_then(|written| now.duration_since(written).ok());
                if age.is_some_and(|age| age > VOUCHERS_ARE_KEPT) {
                    std::fs::remove_file(entry.path()).map_err(fail)?;
                }
            }
            *swept = Some(now);
        }
        drop(swept);
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&bytes).and_then(|()| file.sync_all())
        };
        match write() {
            Err(error) if is_full(&error) && self.gives_up_reserve(&mut lock(&self.open.written)) => write(),
            done => done,
        }
        .map_err(fail)?;
        std::fs::rename(&new, &path).map_err(fail)?;
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(fail)
    }

    /// Returns the entries that have not ended, oldest first.
    pub fn unfinished(&self) -> Vec<Entry> {
        lock(&self.open.written).unfinished.clone()
    }

    /// Returns the unfinished entry with this id.
    pub fn entry(&self, id: Uuid) -> Option<Entry> {
        lock(&self.open.written).unfinished.iter().find(|entry| entry.id == id).cloned()
    }

    /// Begins an entry. On return it is on disk. Returns its id.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn begin(
        &mut self,
        kind: Kind,
        serial: CardSerial,
        reader: &str,
        at: OffsetDateTime,
    ) -> Result<Uuid, JournalError> {
        let id = ambient::new_id();
        self.record(id, Event::Begun { kind, serial, reader: reader.to_owned() }, at)?;
        Ok(id)
    }

    /// Adds an event to an entry. On return it is on disk.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn record(&mut self, entry: Uuid, event: Event, at: OffsetDateTime) -> Result<(), JournalError> {
        let record = Record { entry, at, event };
        let turn = {
            let mut written = lock(&self.open.written);
            self.append(&mut written, &line(&record)).map_err(|source| self.fails(&mut written, source))?;
            apply(&mut written.unfinished, entry, record.event);
            written.records += 1;
            written.records
        };
        self.flush(turn)
    }

    /// Returns when the record with this number is on disk.
    fn flush(&self, turn: u64) -> Result<(), JournalError> {
        let mut flushed = lock(&self.open.flushed);
        if *flushed >= turn {
            return Ok(()); // by a flush of another reader that began after the record was written
        }
        let reached = lock(&self.open.written).records;
        self.open.file.sync_all().map_err(|source| self.fails(&mut lock(&self.open.written), source))?;
        *flushed = reached;
        Ok(())
    }

    /// Refuses all later records, and returns the error.
    fn fails(&self, written: &mut Written, source: io::Error) -> JournalError {
        written.failed.get_or_insert_with(|| (source.kind(), source.to_string()));
        JournalError::Io { path: self.path.clone(), source }
    }

    /// Appends a line; on a full disk in the place of the reserve.
    fn append(&self, written: &mut Written, line: &[u8]) -> io::Result<()> {
        if let Some((kind, words)) = &written.failed {
            return Err(io::Error::new(*kind, words.clone()));
        }
        written.file.lock()?;
        let done = match written.append_locked(line) {
            Err(error) if is_full(&error) && self.gives_up_reserve(written) => written.append_locked(line),
            done => done,
        };
        written.file.unlock()?;
        done
    }
}

impl Written {
    /// Reads what other processes of the station have appended, cuts off an unterminated last line, and appends this
    /// one.
    fn append_locked(&mut self, line: &[u8]) -> io::Result<()> {
        let end = self.file.seek(SeekFrom::End(0))?;
        if end < self.end {
            return Err(io::Error::other("lines that were there are gone"));
        }
        if end > self.end {
            let mut bytes = Vec::new();
            self.file.seek(SeekFrom::Start(self.end))?;
            self.file.read_to_end(&mut bytes)?;
            let (records, sound) = read(&bytes)
                .map_err(|line| io::Error::new(io::ErrorKind::InvalidData, format!("new line {line} is damaged")))?;
            for record in records {
                apply(&mut self.unfinished, record.entry, record.event);
            }
            self.end += sound as u64;
            if self.end < end {
                self.file.set_len(self.end)?;
            }
        }
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(line)?;
        self.end += line.len() as u64;
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn apply(unfinished: &mut Vec<Entry>, id: Uuid, event: Event) {
    if let Event::Begun { kind, serial, reader } = event {
        unfinished.push(Entry { id, kind, serial, reader, ordered: false, stage: Stage::AwaitOrder });
        return;
    }
    let Some(at) = unfinished.iter().position(|entry| entry.id == id) else { return };
    let entry = &mut unfinished[at];
    match event {
        Event::Begun { .. } => {}
        Event::Ordered { .. } => {
            entry.ordered = true;
            entry.stage = Stage::AwaitReceipt;
        }
        Event::Played { receipt } => entry.stage = Stage::AwaitReport { receipt, proof: None },
        Event::Proved { proof: new } => {
            if let Stage::AwaitReport { proof, .. } = &mut entry.stage {
                *proof = Some(new);
            }
        }
        Event::Incomplete => entry.stage = Stage::AwaitOrder,
        Event::Spoiled { reason, evidence } => entry.stage = Stage::AwaitAccount { reason, evidence },
        Event::Accounted | Event::Finished | Event::Withdrawn { .. } => {
            unfinished.remove(at);
        }
    }
}

fn line(record: &Record) -> Vec<u8> {
    let json = serde_json::to_vec(record).expect("a record is JSON");
    let mut line = hex::encode(&Sha256::digest(&json)[..8]).into_bytes();
    line.push(b' ');
    line.extend_from_slice(&json);
    line.push(b'\n');
    line
}

/// Returns the records and the number of bytes that they take; or, as an error, the number of a
/// damaged whole line, from 1.
fn read(bytes: &[u8]) -> Result<(Vec<Record>, usize), usize> {
    let sound = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let records = bytes[..sound]
        .split_inclusive(|b| *b == b'\n')
        .enumerate()
        .map(|(number, line)| parse(line).ok_or(number + 1))
        .collect::<Result<_, _>>()?;
    Ok((records, sound))
}

fn parse(line: &[u8]) -> Option<Record> {
    let line = line.strip_suffix(b"\n")?;
    let (checksum, json) = (line.get(..16)?, line.get(16..)?.strip_prefix(b" ")?);
    (hex::encode(&Sha256::digest(json)[..8]).as_bytes() == checksum).then(|| serde_json::from_slice(json).ok())?
}

#[cfg(test)]
mod tests;
