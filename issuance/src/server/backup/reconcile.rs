//! What the journals and vouchers of the stations know and a restored database does not.
//!
//! A station is not trusted. A card is entered again only on the service's own sealed voucher of the order and the
//! chip's own MACs and signature; a voucher without them becomes a finding, which two officers revoke; a journal
//! without a voucher is listed, and nothing follows from it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crypto::identity::CardSerial;
use crypto::perso::Receipt;
use crypto::perso::protocol::ActiveAuthentication;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use time::OffsetDateTime;

use super::Manifest;
use crate::cards;
use crate::ground::{Randomness, failpoint};
use crate::keys::{CardKeys, CardKeysError, KeyStoreError, LockedKeyStore};
use crate::production::reentry::{Reentry, reenter};
use crate::production::{KeptVoucher, Lie, ProductionError, Testimony, Voucher, chip_state, knows_order};
use crate::server::compose::{StartError, database, founded};
use crate::server::{Settings, deeds};
use crate::store::{StoreError, Tx};

/// What the restored folder remembers of its restoration, in `restored.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Restoration {
    /// The moment of the backup.
    #[serde(with = "time::serde::rfc3339")]
    pub backup_made_at: OffsetDateTime,
    /// The moment of the restoration.
    #[serde(with = "time::serde::rfc3339")]
    pub restored_at: OffsetDateTime,
    /// Every counter was raised by so much.
    pub skip: u64,
    /// The marks of the counters in the backup.
    pub counters: BTreeMap<String, u64>,
}

impl Restoration {
    pub(super) fn publish(
        store: &LockedKeyStore<'_>,
        of: &Manifest,
        skip: u64,
        at: OffsetDateTime,
    ) -> Result<(), KeyStoreError> {
        let counters = of.counters.clone();
        let note = Self { backup_made_at: of.made_at, restored_at: at, skip, counters };
        store.publish(FILE, &serde_json::to_vec_pretty(&note).expect("names and numbers become JSON"))
    }
}

/// What the database does not know.
#[derive(Clone, Debug, Serialize)]
pub struct Reconciliation {
    /// The restoration of this folder; `null` if it was never restored.
    pub restoration: Option<Restoration>,
    /// Journals that were read, and the number of their records.
    pub journals: Vec<Journal>,
    /// True if what is listed in `documents` was entered; false if it was only looked for.
    pub entered: bool,
    /// Documents that vouchers tell of and that the database did not know.
    pub documents: Vec<Told>,
    /// What a station shows and is not so. Nothing follows from it.
    pub lies: Vec<Untrue>,
    /// Chips on which a journal tells more than the database knows, after that.
    pub chips: Vec<Chip>,
    /// Personal numbers that may have been given after the backup: no journal tells which were.
    pub numbers: Vec<Numbers>,
    /// Cards that wait for their hand-over as far as the database knows. Each may be in its
    /// citizen's hand: no journal tells.
    pub cards_to_hand_over: u64,
}

/// A journal that was read.
#[derive(Clone, Debug, Serialize)]
pub struct Journal {
    /// The file.
    pub file: PathBuf,
    /// How many records it has.
    pub records: usize,
}

/// A document that a voucher tells of and that the database did not know.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Told {
    /// The chip.
    pub serial: String,
    /// The order.
    pub order: String,
    /// The document, as kiosks name it.
    pub sod_sha256: String,
    /// The card, if it was entered again.
    pub card: Option<String>,
    /// What waits for two officers, else.
    pub finding: Option<String>,
    /// Why it was not entered again.
    pub why: Option<&'static str>,
}

/// Something that a station shows and that is not so.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Untrue {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// A chip on which a journal tells more than the database knows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Chip {
    /// Its serial number.
    pub serial: String,
    /// What is missing.
    pub finding: Finding,
    /// Its state in the database; `null` if it is in no delivery.
    pub state: Option<String>,
    /// Orders that the database does not know.
    pub orders: Vec<String>,
    /// The last moment at which a journal tells of it.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// What the database does not know of a chip.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// It is a finished card.
    CardUnknown,
    /// An order to make it a card was given, and its end is in no journal: it may be one.
    CardPossible,
    /// It has issuer keys and key pairs of its own.
    KeysUnknown,
    /// It was given up.
    SpoiltUnknown,
    /// An order was given for it, without more.
    OrderUnknown,
}

impl Finding {
    /// What it is, and what is to be done, in a sentence.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::CardUnknown => {
                "a finished card that the database does not know: keep it back or take it back, destroy it, and issue another"
            }
            Self::CardPossible => "may be a card: the order was given, its end is not known; keep the chip back",
            Self::KeysUnknown => "its issuer keys are not the ones that the database expects: set the chip aside",
            Self::SpoiltUnknown => "given up by the station: write it off again",
            Self::OrderUnknown => "an order was given, and the chip is as the database has it",
        }
    }
}

/// Positions of a cell of personal numbers that may have been given after the backup.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Numbers {
    /// The cell: province, sex, year of birth; `null` for every cell that the backup did not know.
    pub cell: Option<String>,
    /// The first position.
    pub from: u64,
    /// The first position after them, which may be given now.
    pub below: u64,
}

/// Compares journals (files, or folders of stations) and the vouchers beside them with the database. With `enter`, what
/// they prove is entered, and what they do not becomes findings for two officers; else nothing is changed. The service
/// may run meanwhile. Cut anywhere, it is repeated.
///
/// # Errors
/// [`ReconcileError`]
pub async fn reconcile(
    settings: &Settings,
    journals: &[PathBuf],
    enter: bool,
) -> Result<Reconciliation, ReconcileError> {
    let (store, _) = founded(settings)?;
    let restoration = match store.public(FILE) {
        Ok(bytes) => {
            Some(serde_json::from_slice(&bytes).map_err(|_| KeyStoreError::Malformed(settings.data.join(FILE)))?)
        }
        Err(KeyStoreError::Missing(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let (mut told, mut read, mut lies, mut shown) = (BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
    // All of them are read before anything is entered.
    for journal in journals {
        let file = if journal.is_dir() { journal.join("journal.jsonl") } else { journal.clone() };
        let records = read_journal(&file)?;
        read.push(Journal { file: file.clone(), records: records.len() });
        vouchers(&file.with_file_name("vouchers"), &testimonies(&records), &mut shown, &mut lies)?;
        tell(&mut told, records);
    }
    let (db, _) = database(settings, &store, &Randomness::System).await?;
    let has_tables = db.has_table("officer").await?;
    db.close().await;
    if !has_tables {
        return Err(StartError::NoTables.into());
    }
    let deeds = deeds(settings).await?;
    let card_keys = CardKeys::open(&store)?;
    let mut judged = Vec::new();
    for Shown { file, kept, testimony } in shown {
        let voucher = match Voucher::open(store.secrets(), &kept) {
            Ok(voucher) => voucher,
            Err(lie) => {
                lies.push(Untrue { file, what: lie.to_string() });
                continue;
            }
        };
        let proved = voucher.proved(&card_keys, settings.card.active_auth_hash, &kept, &testimony);
        if let Err(lie) = &proved {
            lies.push(Untrue { file, what: lie.to_string() });
        }
        // An entry under another chip says nothing about this order.
        if !matches!(proved, Err(Lie::OtherChip(_))) {
            judged.push((proved.unwrap_or(false), voucher));
        }
    }
    // An order for another chip was given when the chip before had become no card: of one
    // application the latest counts.
    let latest = |application, document| {
        let others = judged.iter().filter(|(_, other): &&(bool, Voucher)| other.application() == application);
        others.map(|(_, other)| (other.order().uuid(), other.document())).max().is_some_and(|(_, of)| of == document)
    };
    let counts: Vec<bool> =
        judged.iter().map(|(proved, one)| *proved && latest(one.application(), one.document())).collect();
    for ((proved, _), counts) in judged.iter_mut().zip(counts) {
        *proved = counts;
    }
    // What is proved comes first: a later order for the same document adds nothing.
    judged.sort_by_key(|(proved, voucher)| (!*proved, voucher.order().uuid()));
    let mut documents: Vec<Told> = Vec::new();
    for (proved, voucher) in judged {
        let sod_sha256 = hex::encode(voucher.document());
        if documents.iter().any(|one| one.sod_sha256 == sod_sha256) {
            continue;
        }
        failpoint::pass(failpoint::REENTRY);
        let (card, finding, why) = match Box::pin(reenter(&deeds, &voucher, proved, enter)).await? {
            Reentry::Known => continue,
            Reentry::Reentered(card) => (Some(card.to_string()), None, None),
            Reentry::Found(finding, why) => (None, Some(finding.to_string()), Some(why.word())),
        };
        let (serial, order) = (voucher.serial().to_string(), voucher.order().to_string());
        documents.push(Told { serial, order, sod_sha256, card, finding, why });
    }
    let mut tx = deeds.db().begin_read().await?;
    let mut chips = Vec::new();
    for (serial, told) in told {
        chips.extend(compared(&mut tx, serial, told).await?);
    }
    chips.sort_by(|one, other| (one.finding, &one.serial).cmp(&(other.finding, &other.serial)));
    let figures = cards::store::figures(&mut tx).await?;
    let waiting = figures.into_iter().find(|(status, _)| status == "personalized").map_or(0, |(_, count)| count);
    drop(tx);
    deeds.db().close().await;
    let numbers = restoration.as_ref().map(numbers).unwrap_or_default();
    Ok(Reconciliation {
        restoration,
        journals: read,
        entered: enter,
        documents,
        lies,
        chips,
        numbers,
        cards_to_hand_over: waiting,
    })
}

/// A voucher that a station kept, and what its journal tells of the order.
struct Shown {
    file: PathBuf,
    kept: KeptVoucher,
    testimony: Testimony,
}

/// Reads the vouchers beside a journal. A file that is none is a lie; a station of an older version has no folder.
fn vouchers(
    folder: &Path,
    testimonies: &BTreeMap<String, Testimony>,
    shown: &mut Vec<Shown>,
    lies: &mut Vec<Untrue>,
) -> Result<(), ReconcileError> {
    let failed = |error| ReconcileError::File { file: folder.to_owned(), error };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    files.sort();
    for file in files {
        // What was being written when the power went is no voucher: its order was never played.
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let bytes = fs::read(&file).map_err(|error| ReconcileError::File { file: file.clone(), error })?;
        match serde_json::from_slice::<KeptVoucher>(&bytes) {
            Ok(kept) => {
                let testimony = testimonies.get(&kept.order.id).cloned().unwrap_or_default();
                shown.push(Shown { file, kept, testimony });
            }
            Err(error) => lies.push(Untrue { file, what: format!("no voucher, or cut: {error}") }),
        }
    }
    Ok(())
}

/// What a journal tells of each order. The first answer to an order counts.
fn testimonies(records: &[Record]) -> BTreeMap<String, Testimony> {
    let mut serials: BTreeMap<&str, CardSerial> = BTreeMap::new();
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    let mut all: BTreeMap<String, Testimony> = BTreeMap::new();
    for record in records {
        match &record.event {
            Event::Begun { serial, .. } => _ = serials.insert(&record.entry, *serial),
            Event::Ordered { order } => {
                last.insert(&record.entry, order);
                let testimony = all.entry(order.clone()).or_default();
                testimony.serial = testimony.serial.or(serials.get(&*record.entry).copied());
            }
            Event::Played { receipt } => {
                let testimony = all.entry(receipt.order.clone()).or_default();
                testimony.receipt.get_or_insert_with(|| receipt.clone());
            }
            Event::Proved { proof } => {
                if let Some(order) = last.get(&*record.entry) {
                    let proof = (proof.challenge.clone(), proof.signature.clone());
                    all.entry((*order).to_owned()).or_default().proof.get_or_insert(proof);
                }
            }
            Event::Finished | Event::Spoiled | Event::Other => {}
        }
    }
    all
}

fn numbers(restoration: &Restoration) -> Vec<Numbers> {
    let cells = restoration.counters.iter().filter_map(|(name, mark)| {
        let cell = name.strip_prefix("number-cell/")?;
        Some(Numbers { cell: Some(cell.to_owned()), from: *mark, below: mark + restoration.skip })
    });
    cells.chain([Numbers { cell: None, from: 0, below: restoration.skip }]).collect()
}

/// What the journals tell of one chip.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own; any of them go together")]
struct Chronicle {
    orders: Vec<String>,
    /// Work that was finished.
    initialised: bool,
    personalized: bool,
    /// An order of personalization was given after the last end of work.
    open: bool,
    spoilt: bool,
    at: OffsetDateTime,
}

fn tell(told: &mut BTreeMap<[u8; 10], Chronicle>, records: Vec<Record>) {
    let mut entries: BTreeMap<String, (CardSerial, String)> = BTreeMap::new();
    for record in records {
        if let Event::Begun { kind, serial } = record.event {
            entries.insert(record.entry, (serial, kind));
            continue;
        }
        let Some((serial, kind)) = entries.get(&record.entry) else { continue };
        let personalizes = kind == "personalize";
        let chip = told.entry(serial.0).or_insert_with(|| Chronicle {
            orders: Vec::new(),
            initialised: false,
            personalized: false,
            open: false,
            spoilt: false,
            at: record.at,
        });
        chip.at = chip.at.max(record.at);
        match record.event {
            Event::Ordered { order } => {
                chip.orders.push(order);
                chip.open |= personalizes;
            }
            Event::Finished => {
                chip.initialised = true;
                chip.personalized |= personalizes;
                chip.open = false;
            }
            Event::Spoiled => chip.spoilt = true,
            Event::Begun { .. } | Event::Other | Event::Played { .. } | Event::Proved { .. } => {}
        }
    }
}

async fn compared(tx: &mut Tx, serial: [u8; 10], told: Chronicle) -> Result<Option<Chip>, StoreError> {
    let serial = CardSerial(serial);
    let state = chip_state(tx, &serial).await?;
    let mut orders = Vec::new();
    for order in told.orders {
        let known = match order.parse() {
            Ok(id) => knows_order(tx, id).await?,
            Err(_) => false,
        };
        if !known {
            orders.push(order);
        }
    }
    let is = |states: &[&str]| state.as_deref().is_some_and(|state| states.contains(&state));
    let finding = if told.spoilt && !is(&["spoiled", "destroyed", "lost"]) {
        Finding::SpoiltUnknown
    } else if told.personalized && !is(&["personalized", "spoiled", "destroyed", "lost"]) {
        Finding::CardUnknown
    } else if told.open && !orders.is_empty() && !is(&["personalized", "spoiled", "destroyed", "lost"]) {
        Finding::CardPossible
    } else if told.initialised && !is(&["initialised", "bound", "personalized", "spoiled", "destroyed", "lost"]) {
        Finding::KeysUnknown
    } else if orders.is_empty() {
        return Ok(None);
    } else {
        Finding::OrderUnknown
    };
    Ok(Some(Chip { serial: serial.to_string(), finding, state, orders, at: told.at }))
}

/// A record of a station's journal, as far as it is needed here.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    entry: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(flatten)]
    event: Event,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
enum Event {
    Begun {
        kind: String,
        serial: CardSerial,
    },
    Ordered {
        order: String,
    },
    Played {
        receipt: Receipt,
    },
    Proved {
        proof: ActiveAuthentication,
    },
    Finished,
    Spoiled,
    #[serde(other)]
    Other,
}

/// Reads a journal; an unterminated last line is left out, since what it records was never acted upon.
///
/// # Errors
/// [`ReconcileError`]: the file system, or a damaged line.
pub fn read_journal(file: &Path) -> Result<Vec<Record>, ReconcileError> {
    let bytes = fs::read(file).map_err(|error| ReconcileError::File { file: file.to_owned(), error })?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lines = bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate();
    lines
        .map(|(at, line)| record(line).ok_or_else(|| ReconcileError::Damaged { file: file.to_owned(), line: at + 1 }))
        .collect()
}

/// `CHECKSUM RECORD LF`: eight bytes of the SHA-256 of the record in hexadecimal, a space, the record as JSON.
fn record(line: &[u8]) -> Option<Record> {
    let line = line.strip_suffix(b"\n")?;
    let (checksum, json) = (line.get(..16)?, line.get(16..)?.strip_prefix(b" ")?);
    let right = hex::encode(&Sha256::digest(json)[..8]).as_bytes() == checksum;
    right.then(|| serde_json::from_slice(json).ok())?
}

/// In the data folder.
const FILE: &str = "restored.json";

/// Why journals and database cannot be compared.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// A line of a journal is not as the station wrote it.
    #[error("{}: line {line} is damaged: fetch the journal again from its station", file.display())]
    Damaged {
        /// The journal.
        file: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// A journal cannot be read.
    #[error("{}: {error}; name the folder of a station, or its journal.jsonl", file.display())]
    File {
        /// The journal.
        file: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
    /// The keys of cards.
    #[error(transparent)]
    CardKeys(#[from] CardKeysError),
    /// The folder.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// A card that was to be entered.
    #[error(transparent)]
    Production(#[from] ProductionError),
    /// Folder and database.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}
