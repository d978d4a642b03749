//! The station's journal: records each step with a chip on disk before the step is taken.
//!
//! One append-only file for all readers of a station, `journal.jsonl`. A line is the first eight bytes of the SHA-256
//! of its record in hexadecimal, a space, the record as JSON, a line feed; it is written whole and fsynced under a file
//! lock. A power cut leaves at most an unterminated last line, which opening (or the next append) cuts off: that record
//! was never acted upon, because acting waits for the fsync. A power cut cannot make a terminated line that fails its
//! checksum: that is an error.
//!
//! No keys and no personal data: serial numbers, order ids, sealed receipts, and public signatures. Beside the journal
//! lie the vouchers of orders, which the service alone can open ([`Journal::keep_voucher`]).

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
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

/// An open journal.
pub struct Journal {
    path: PathBuf,
    file: File,
    unfinished: Vec<Entry>,
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
        Ok(Self { path, file, unfinished })
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
        for entry in std::fs::read_dir(&folder).map_err(fail)?.flatten() {
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            let age = written.ok().and_then(|written| now.duration_since(written).ok());
            if age.is_some_and(|age| age > VOUCHERS_ARE_KEPT) {
                std::fs::remove_file(entry.path()).map_err(fail)?;
            }
        }
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(fail)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(fail)?;
        std::fs::rename(&new, &path).map_err(fail)?;
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(fail)
    }

    /// Returns the entries that have not ended, oldest first.
    pub fn unfinished(&self) -> &[Entry] {
        &self.unfinished
    }

    /// Returns the unfinished entry with this id.
    pub fn entry(&self, id: Uuid) -> Option<&Entry> {
        self.unfinished.iter().find(|entry| entry.id == id)
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
        self.append(&line(&record)).map_err(|source| JournalError::Io { path: self.path.clone(), source })?;
        apply(&mut self.unfinished, entry, record.event);
        Ok(())
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.lock()?;
        let done = self.append_locked(line);
        self.file.unlock()?;
        done
    }

    /// Cuts off an unterminated last line, which another process of the station may have left, and appends this one.
    fn append_locked(&mut self, line: &[u8]) -> io::Result<()> {
        let end = self.file.seek(SeekFrom::End(0))?;
        let sound = self.end_of_last_line(end)?;
        if sound < end {
            self.file.set_len(sound)?;
        }
        self.file.seek(SeekFrom::Start(sound))?;
        self.file.write_all(line)?;
        self.file.sync_all()
    }

    fn end_of_last_line(&mut self, end: u64) -> io::Result<u64> {
        let mut at = end;
        let mut byte = [0];
        while at > 0 {
            self.file.seek(SeekFrom::Start(at - 1))?;
            self.file.read_exact(&mut byte)?;
            if byte == *b"\n" {
                break;
            }
            at -= 1;
        }
        Ok(at)
    }
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
