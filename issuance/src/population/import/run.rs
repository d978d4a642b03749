//! The verb: a file of declarations enters the register.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use time::{Duration, OffsetDateTime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::Register;
use super::super::duplicates::keys::Sounds;
use super::super::duplicates::steps as duplicates;
use super::super::model::Finding;
use super::super::quality::{self, Deltas, Mark, place_declared};
use super::super::rules::{self, Rule};
use super::super::store::first as first_store;
use super::super::store::import::{self as store, Batch, Entering, Quarantined};
use super::columns::{self, Columns, Declared, HeaderError};
use super::first::{First, FirstRefused};
use super::judge::{Fit, judge};
use super::lease::{self, Reading};
use super::reader::{self, Format, Position, RawRow, ReadError, Rows};
use super::{State, quarantine};
use crate::deed::{Action, Deed, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Service;
use crate::ground::ids::{BatchId, OfficerId, PersonId};
use crate::ground::{Decision, OfficeCode, Source, blocking};
use crate::store::{RowKey, StoreError};

/// What is to be imported, and for whom.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The file.
    pub file: PathBuf,
    /// How it is written.
    pub format: Format,
    /// The officer in whose name it is imported.
    pub officer: OfficerId,
    /// The office whose persons it declares.
    pub office: OfficeCode,
}

/// What is told while it runs.
#[derive(Clone, Debug)]
pub enum Told {
    /// The file is read once, to know it again.
    Looking {
        /// Bytes of it.
        read: u64,
        /// Its length.
        of: u64,
    },
    /// Rows entered.
    Entered(Done),
}

/// What has become of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Done {
    /// The file, as the register knows it.
    pub batch: BatchId,
    /// Its length.
    pub bytes: u64,
    /// Bytes of it that were read.
    pub read: u64,
    /// Rows of them.
    pub rows: u64,
    /// Rows that entered the register.
    pub accepted: u64,
    /// Rows that were put into quarantine.
    pub quarantined: u64,
    /// How many rows that wait each rule keeps out of the register.
    pub by_rule: BTreeMap<String, u64>,
    /// Persons of this run with a finding about their household.
    pub households: u64,
    /// Of this run: what the processor did.
    pub spent: Spent,
}

/// Time of the processor in this process, by what it was spent on; the database's own is not among it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Spent {
    /// Bytes became declarations.
    pub parsing: Duration,
    /// Every rule that looks at one declaration, and the record that is kept.
    pub rules: Duration,
    /// The keys under which doubles are found.
    pub keys: Duration,
    /// Rows were written as the database takes them.
    pub encoding: Duration,
}

/// How an import ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// All rows are read.
    Finished,
    /// All rows are read; the households are looked at when the first load is ended.
    Read,
    /// It was stopped after a transaction, and goes on there.
    Stopped,
    /// The same file was imported before; nothing changed.
    Before(OffsetDateTime),
}

/// Imports a file. Cut at any moment, the same call goes on where it was. `stop` ends it after the transaction under
/// way.
///
/// # Errors
/// [`ImportError`]
pub async fn import(
    deeds: &Deeds,
    register: &Register,
    wanted: Wanted,
    stop: &AtomicBool,
    tell: impl FnMut(Told),
) -> Result<(Done, Ended), ImportError> {
    if first_store::is_under_way(&mut deeds.db().begin_read().await?).await? {
        return Err(FirstRefused::UnderWay.into());
    }
    match Box::pin(read_file(deeds, register, wanted, None, (stop, tell))).await {
        Ok((mut done, ended)) => {
            // Of all runs, without what officers mended since.
            done.by_rule = store::waiting_by_rule(&mut deeds.db().begin_read().await?, done.batch).await?;
            Ok((done, ended))
        }
        Err(ImportError::Store(StoreError::Locked(_))) => Err(ImportError::Locked(deeds.db().lock_holders().await)),
        Err(error) => Err(error),
    }
}

/// As [`import`], within the first load of a register. A file that is read to its end is finished by [`import`], after
/// [`First::finish`].
///
/// # Errors
/// [`ImportError`]
pub async fn load_first(
    deeds: &Deeds,
    register: &Register,
    wanted: Wanted,
    first: &mut First,
    stop: &AtomicBool,
    tell: impl FnMut(Told),
) -> Result<(Done, Ended), ImportError> {
    Box::pin(read_file(deeds, register, wanted, Some(first), (stop, tell))).await
}

async fn read_file(
    deeds: &Deeds,
    register: &Register,
    wanted: Wanted,
    mut first: Option<&mut First>,
    (stop, mut tell): (&AtomicBool, impl FnMut(Told)),
) -> Result<(Done, Ended), ImportError> {
    let opened = look(&wanted, deeds, stop, &mut tell).await?;
    let (mut batch, digest, _reading) = match opened {
        Opened::Before(batch) => {
            let finished = batch.finished_at.unwrap_or(batch.begun.at);
            return Ok((done_of(&batch), Ended::Before(finished)));
        }
        Opened::Stopped => return Err(ImportError::StoppedEarly),
        Opened::Ready(batch, digest, reading) => (*batch, digest, reading),
    };
    let mut done = done_of(&batch);
    tell(Told::Entered(done.clone()));
    if batch.state == State::Reading {
        let (mut pieces, reader) = read_apart(&wanted, register, deeds, &batch, digest)?;
        while let Some(piece) = pieces.recv().await {
            if !piece.rows.is_empty() || piece.ends != batch.read {
                batch = entered((deeds, register), batch, &piece, first.as_deref_mut(), &mut done).await?;
                tell(Told::Entered(done.clone()));
            }
            if let Some(error) = piece.error {
                // What was read is there; the lease is let go, so that the mended file goes on at once.
                let_go(deeds, &batch).await?;
                return Err(error);
            }
            if stop.load(Ordering::Relaxed) && piece.ends.byte < batch.bytes {
                let_go(deeds, &batch).await?;
                return Ok((done, Ended::Stopped));
            }
        }
        if reader.await.is_err() {
            let_go(deeds, &batch).await?;
            return Err(ImportError::ReaderEnded(batch.read));
        }
        if batch.read_digest != batch.digest || batch.rows != batch.accepted + batch.quarantined {
            return Err(ImportError::Changed);
        }
        batch = renewed(deeds, batch, |batch| batch.state = State::Judging).await?;
    }
    if first.is_some() {
        return Ok((done, Ended::Read));
    }
    if batch.state == State::Judging {
        done.households = households(deeds, &batch).await?;
        let at = deeds.source().now();
        renewed(deeds, batch, |batch| {
            batch.state = State::Finished;
            batch.finished_at = Some(at);
            batch.holder = None;
            batch.held_until = None;
        })
        .await?;
    }
    Ok((done, Ended::Finished))
}

fn done_of(batch: &Batch) -> Done {
    Done {
        batch: batch.id,
        bytes: batch.bytes,
        read: batch.read.byte,
        rows: batch.rows,
        accepted: batch.accepted,
        quarantined: batch.quarantined,
        by_rule: BTreeMap::new(),
        households: 0,
        spent: Spent::default(),
    }
}

/// What a first look at the file found.
enum Opened {
    /// It was imported before.
    Before(Box<Batch>),
    /// It is to be read from where its batch stands; with the digest of what lies before.
    Ready(Box<Batch>, Sha256, Reading),
    /// It was stopped while it looked.
    Stopped,
}

/// Reads the file once, finds it again in the register or begins it, and takes the lease.
async fn look(
    wanted: &Wanted,
    deeds: &Deeds,
    stop: &AtomicBool,
    tell: &mut impl FnMut(Told),
) -> Result<Opened, ImportError> {
    let name = wanted.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (mut file, length) = open(wanted)?;
    header(&mut file, wanted.format)?;
    let begun = store::batches_begun(&mut deeds.db().begin_read().await?, &wanted.office, &name).await?;
    let mut marks: HashMap<u64, Option<Sha256>> = begun.iter().map(|batch| (batch.read.byte, None)).collect();
    file.seek(SeekFrom::Start(0))?;
    let (mut digest, mut read, mut last, mut lines) = (Sha256::new(), 0_u64, b'\n', 0_u64);
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        // Up to the next mark, so that the digest there is known.
        let next = marks.iter().filter(|(at, kept)| **at >= read && kept.is_none()).map(|(at, _)| *at).min();
        if next == Some(read) {
            marks.insert(read, Some(digest.clone()));
            continue;
        }
        let most = next.map_or(buffer.len(), |at| usize::try_from(at - read).unwrap_or(usize::MAX).min(buffer.len()));
        let got = tokio::task::block_in_place(|| file.read(&mut buffer[..most]))?;
        if got == 0 {
            break;
        }
        tokio::task::block_in_place(|| {
            digest.update(&buffer[..got]);
            lines += reader::line_breaks(&buffer[..got]);
        });
        (read, last) = (read + got as u64, buffer[got - 1]);
        tell(Told::Looking { read, of: length });
        if stop.load(Ordering::Relaxed) {
            return Ok(Opened::Stopped);
        }
    }
    if last != b'\n' {
        return Err(ImportError::NoLineBreak(Position { line: lines + 1, byte: read }));
    }
    let whole: [u8; 32] = digest.clone().finalize().into();
    let known = store::batch_of_digest(&mut deeds.db().begin_read().await?, &whole).await?;
    let resumed = match known {
        Some(batch) if batch.state == State::Ended => {
            return Err(ImportError::EndedBefore(batch.read.line, batch.finished_at.unwrap_or(batch.begun.at)));
        }
        Some(batch) if batch.state == State::Finished => return Ok(Opened::Before(Box::new(batch))),
        Some(batch) => Some(batch),
        // Of what nothing was read any file would be the rest.
        None => begun.into_iter().filter(|batch| batch.read.byte > 0).find(|batch| {
            let mark = marks.get(&batch.read.byte).and_then(Option::as_ref);
            mark.is_some_and(|mark| <[u8; 32]>::from(mark.clone().finalize()) == batch.read_digest)
        }),
    };
    if let Some(batch) = resumed {
        let mark = marks.remove(&batch.read.byte).flatten();
        let (batch, reading) = taken(deeds, wanted, batch, whole, read).await?;
        let mark = match mark {
            Some(mark) => mark,
            // Begun under another name, or advanced meanwhile.
            None => tokio::task::block_in_place(|| digest_of(&mut file, batch.read.byte))?,
        };
        if <[u8; 32]>::from(mark.clone().finalize()) != batch.read_digest {
            let line = batch.read.line;
            let_go(deeds, &batch).await?;
            return Err(ImportError::ReadOtherwise(line));
        }
        return Ok(Opened::Ready(Box::new(batch), mark, reading));
    }
    let (batch, reading) = begin(deeds, wanted, name, whole, read).await?;
    Ok(Opened::Ready(Box::new(batch), Sha256::new(), reading))
}

fn open(wanted: &Wanted) -> Result<(File, u64), ImportError> {
    super::open_file(&wanted.file).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => ImportError::NoFile,
        _ => error.into(),
    })
}

/// Refuses a file whose first line is not what it must be, before anything is written.
fn header(file: &mut File, format: Format) -> Result<(), ImportError> {
    let mut input = BufReader::new(file);
    if let Some(says) = columns::no_text(input.fill_buf()?) {
        return Err(HeaderError::Unreadable(says.to_owned()).into());
    }
    let start = Position { line: 1, byte: 0 };
    if format == Format::Csv {
        Columns::of_header(Rows::new(input, format, start, Sha256::new()).next_row()?.as_ref())?;
    }
    Ok(())
}

/// The digest of the first so many bytes of a file.
fn digest_of(file: &mut File, bytes: u64) -> io::Result<Sha256> {
    file.seek(SeekFrom::Start(0))?;
    let mut digest = Sha256::new();
    let mut input = BufReader::with_capacity(1024 * 1024, file.take(bytes));
    loop {
        let buffer = input.fill_buf()?;
        let length = buffer.len();
        if length == 0 {
            return Ok(digest);
        }
        digest.update(buffer);
        input.consume(length);
    }
}

/// Begins a file that the register does not know.
async fn begin(
    deeds: &Deeds,
    wanted: &Wanted,
    file_name: String,
    digest: [u8; 32],
    bytes: u64,
) -> Result<(Batch, Reading), ImportError> {
    let mut deed = deeds.open(Service).await?;
    let batch = Batch {
        id: deed.id(),
        file_name,
        digest,
        format: wanted.format.word().to_owned(),
        office: wanted.office.clone(),
        begun: Decision { by: wanted.officer, at: deed.at() },
        finished_at: None,
        bytes,
        read: Position { line: 1, byte: 0 },
        read_digest: Sha256::new().finalize().into(),
        rows: 0,
        accepted: 0,
        quarantined: 0,
        state: State::Reading,
        holder: Some(lease::this_process()),
        held_until: Some(deed.at() + LEASE),
    };
    match store::begin(deed.tx(), &batch).await {
        // Another process began the same file in this moment.
        Err(StoreError::Duplicate { .. }) => Err(ImportError::Held { until: deed.at() + LEASE }),
        Err(error) => Err(error.into()),
        Ok(()) => {
            told(&mut deed, &batch, "begun").await?;
            let reading = Reading::begin(batch.id, &wanted.file).ok_or(ImportError::TakenOver)?;
            deed.commit().await?;
            Ok((batch, reading))
        }
    }
}

/// Takes the lease of a file that was begun, unless a process that lives has it.
async fn taken(
    deeds: &Deeds,
    wanted: &Wanted,
    found: Batch,
    digest: [u8; 32],
    bytes: u64,
) -> Result<(Batch, Reading), ImportError> {
    let mut deed = deeds.open(Service).await?;
    let mut batch = store::batch_locked(deed.tx(), found.id).await?.ok_or(ImportError::TakenOver)?;
    let unread = batch.read.byte == 0;
    if batch.office != wanted.office && !unread {
        return Err(ImportError::OtherOffice(batch.office));
    }
    let until = batch.held_until.unwrap_or(deed.at());
    // An import of this process that failed with its database could not end the lease.
    let reading = Reading::begin(batch.id, &wanted.file).ok_or(ImportError::Held { until })?;
    if let Some(holder) = &batch.holder
        && until > deed.at()
        && *holder != lease::this_process()
        && !lease::has_ended(holder)
    {
        return Err(ImportError::Held { until });
    }
    if batch.read != found.read {
        return Err(ImportError::TakenOver);
    }
    (batch.digest, batch.bytes) = (digest, bytes);
    (batch.holder, batch.held_until) = (Some(lease::this_process()), Some(deed.at() + LEASE));
    // Nothing came of it yet: it is of the officer who begins it now.
    let anew = unread && (batch.begun.by, &batch.office) != (wanted.officer, &wanted.office);
    if anew {
        batch.begun = Decision { by: wanted.officer, at: deed.at() };
        batch.office = wanted.office.clone();
        store::begin_anew(deed.tx(), &batch).await?;
    }
    store::advance(deed.tx(), &batch).await?;
    told(&mut deed, &batch, if anew { "begun anew: nothing was read before" } else { "taken up" }).await?;
    deed.commit().await?;
    Ok((batch, reading))
}

/// Changes a batch that this process holds.
async fn renewed(deeds: &Deeds, batch: Batch, change: impl FnOnce(&mut Batch)) -> Result<Batch, ImportError> {
    let mut deed = deeds.open(Service).await?;
    let mut there = held(&mut deed, &batch).await?;
    there.held_until = Some(deed.at() + LEASE);
    change(&mut there);
    store::advance(deed.tx(), &there).await?;
    told(&mut deed, &there, there.state.word()).await?;
    deed.commit().await?;
    Ok(there)
}

/// Ends the lease; the file is begun and waits.
async fn let_go(deeds: &Deeds, batch: &Batch) -> Result<(), ImportError> {
    renewed(deeds, batch.clone(), |batch| (batch.holder, batch.held_until) = (None, None)).await.map(drop)
}

/// Returns the batch as it stands, kept from other writers, if it is still this process that reads the file.
async fn held(deed: &mut Deed<Service>, batch: &Batch) -> Result<Batch, ImportError> {
    let there = store::batch_locked(deed.tx(), batch.id).await?.ok_or(ImportError::TakenOver)?;
    if there.holder == batch.holder && there.read == batch.read { Ok(there) } else { Err(ImportError::TakenOver) }
}

/// Writes the record of a transaction. The persons of a file are not named one by one: their rows name the file.
async fn told(deed: &mut Deed<Service>, batch: &Batch, what: &str) -> Result<(), StoreError> {
    let entry = Entry::new(Action::DeclarationsImported, Object::Batch(batch.id), Purpose::Declaration);
    let entry = entry.with(Object::Officer(batch.begun.by)).of(&batch.office);
    deed.enter(entry.because(what)).await
}

/// So long counts a process as alive that reads a file and gives no sign.
const LEASE: Duration = Duration::minutes(1);

/// Some rows that enter together.
struct Piece {
    rows: Vec<Row>,
    spent: Spent,
    /// Where the next row begins.
    ends: Position,
    /// Digest of all before it.
    digest: [u8; 32],
    /// Why there are no more.
    error: Option<ImportError>,
}

/// A row that was judged by itself.
struct Row {
    line: u64,
    id: PersonId,
    judged: Result<Box<Fit>, Kept>,
    /// Of a person: the keys under which doubles are found.
    keys: Vec<i64>,
    /// The declaration, should the register speak against it.
    declared: Declared,
}

/// A row from which no person can be made.
struct Kept {
    findings: Vec<Finding>,
    raw: Option<String>,
}

/// Reads and judges the rows of a file on a thread of its own, so that the database does not wait for it.
fn read_apart(
    wanted: &Wanted,
    register: &Register,
    deeds: &Deeds,
    batch: &Batch,
    digest: Sha256,
) -> Result<(mpsc::Receiver<Piece>, JoinHandle<()>), ImportError> {
    let (mut file, _) = open(wanted)?;
    let format = wanted.format;
    let mut columns = None;
    if format == Format::Csv {
        let start = Position { line: 1, byte: 0 };
        let input = BufReader::new(&mut file);
        columns = Some(Columns::of_header(Rows::new(input, format, start, Sha256::new()).next_row()?.as_ref())?);
    }
    file.seek(SeekFrom::Start(batch.read.byte))?;
    let rows = Rows::new(BufReader::with_capacity(256 * 1024, file), format, batch.read, digest);
    let (send, receive) = mpsc::channel(1);
    let (register, source) = (register.clone(), deeds.source().clone());
    let reader = tokio::spawn(blocking::apart(move || {
        let header_due = columns.is_some() && rows.position().byte == 0;
        let mut reader = Reader { rows, columns, header_due, register, source, sounds: Sounds::default() };
        let mut most = FIRST_PIECE;
        loop {
            let piece = reader.piece(most);
            most = (most * 2).min(PIECE);
            let ended = piece.error.is_some() || piece.rows.is_empty();
            // The receiver is gone when the import ended.
            if send.blocking_send(piece).is_err() || ended {
                return;
            }
        }
    }));
    Ok((receive, reader))
}

/// Reads and judges rows.
struct Reader {
    rows: Rows<BufReader<File>>,
    columns: Option<Columns>,
    header_due: bool,
    register: Register,
    source: Source,
    sounds: Sounds,
}

/// A row as it was read; with what is wrong with the line, and the line.
type Read = (u64, Declared, Option<Kept>);

impl Reader {
    /// Reads rows until there are so many, and judges them.
    fn piece(&mut self, most: usize) -> Piece {
        let (today, mut watch) = (self.source.clock().today(), Watch::start());
        let (read, error) = self.read(most);
        let mut spent = Spent { parsing: watch.lap(), ..Spent::default() };
        let ids = self.source.ids(read.len());
        let judged = |((line, declared, fault), id): (Read, PersonId)| {
            let judged = match fault {
                None => judge(&declared, self.register.reference(), today)
                    .map(Box::new)
                    .map_err(|findings| Kept { findings, raw: None }),
                Some(kept) => Err(kept),
            };
            Row { line, id, judged, keys: vec![], declared }
        };
        let mut rows: Vec<Row> = read.into_iter().zip(ids).map(judged).collect();
        spent.rules = watch.lap();
        for row in &mut rows {
            if let Ok(fit) = &row.judged {
                row.keys = self.sounds.keys(&fit.person);
            }
        }
        spent.keys = watch.lap();
        Piece { rows, spent, ends: self.rows.position(), digest: self.rows.digest(), error }
    }

    /// Reads rows. What lies before one that was cut is taken; the row itself comes again.
    fn read(&mut self, most: usize) -> (Vec<Read>, Option<ImportError>) {
        let (mut read, began) = (Vec::with_capacity(most), self.rows.position().byte);
        while read.len() < most && self.rows.position().byte - began < PIECE_BYTES {
            match self.rows.next_row() {
                Ok(None) => break,
                Ok(Some(_)) if self.header_due => self.header_due = false,
                Ok(Some(row)) => read.push(declared(row, self.columns.as_ref())),
                Err(error) => return (read, Some(error.into())),
            }
        }
        (read, None)
    }
}

/// Rows of the first transaction, so that something is told soon. Each next one has twice as many …
const FIRST_PIECE: usize = 1000;
/// … up to so many rows, and bytes of them: so much of a file is in memory a few times. A transaction takes the
/// database some milliseconds beside its rows.
const PIECE: usize = 16_000;
const PIECE_BYTES: u64 = 16 * 1024 * 1024;

fn declared(mut row: RawRow, columns: Option<&Columns>) -> Read {
    let declared = match columns {
        Some(columns) => columns.declared(&mut row),
        None => columns::of_json(&mut row),
    };
    let kept = (!row.faults.is_empty()).then(|| {
        let raw = (0..row.count()).map(|number| row.field(number)).collect::<Vec<_>>().join(",");
        Kept { raw: Some(raw.chars().take(MOST_RAW).collect()), findings: std::mem::take(&mut row.faults) }
    });
    (row.at.line, declared, kept)
}

/// Measures the processor time of the thread that it is used on.
struct Watch(rustix::time::Timespec);

impl Watch {
    fn start() -> Self {
        Self(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime))
    }

    /// Returns the time since the start or the last lap.
    fn lap(&mut self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let before = std::mem::replace(&mut self.0, now);
        Duration::seconds(now.tv_sec - before.tv_sec) + Duration::nanoseconds(now.tv_nsec - before.tv_nsec)
    }
}

/// Longest text that is kept of a row that cannot be read, characters.
const MOST_RAW: usize = 8 * 1024;

/// Enters some rows, and how far the file is with them: in one transaction, which is tried again where another one was
/// in its way.
async fn entered(
    (deeds, register): (&Deeds, &Register),
    batch: Batch,
    piece: &Piece,
    mut first: Option<&mut First>,
    done: &mut Done,
) -> Result<Batch, ImportError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match Box::pin(enter(deeds, register, &batch, piece, first.as_deref())).await {
            Ok(Entered { batch, by_rule, encoding, accepted }) => {
                if let Some(first) = &mut first {
                    for fit in accepted {
                        first.met(fit);
                    }
                }
                for (rule, rows) in by_rule {
                    *done.by_rule.entry(rule).or_default() += rows;
                }
                done.spent.parsing += piece.spent.parsing;
                done.spent.rules += piece.spent.rules;
                done.spent.keys += piece.spent.keys;
                done.spent.encoding += encoding;
                let Batch { read, rows, accepted, quarantined, .. } = batch;
                (done.read, done.rows, done.accepted, done.quarantined) = (read.byte, rows, accepted, quarantined);
                return Ok(batch);
            }
            // A number or a declaration came in between, or two transactions stood in each other's way.
            Err(ImportError::Store(StoreError::Duplicate { .. } | StoreError::Busy(_))) if tries < TRIES => {
                tokio::time::sleep(std::time::Duration::from_millis(50 << tries)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

const TRIES: u32 = 5;

/// What became of some rows.
struct Entered<'a> {
    batch: Batch,
    by_rule: BTreeMap<String, u64>,
    /// Time of the processor.
    encoding: Duration,
    accepted: Vec<&'a Fit>,
}

async fn enter<'a>(
    deeds: &Deeds,
    register: &Register,
    batch: &Batch,
    piece: &'a Piece,
    first: Option<&First>,
) -> Result<Entered<'a>, ImportError> {
    let key: RowKey = deeds.db().row_key().cloned().ok_or(ImportError::NoKey)?;
    let mut deed = deeds.open(Service).await?;
    deed.tx().make_room().await?;
    let mut batch = held(&mut deed, batch).await?;
    let fits = || piece.rows.iter().filter_map(|row| row.judged.as_deref_ok());
    let mut known = if let Some(first) = first {
        first_store::admit(deed.tx()).await?;
        first.known(fits())
    } else {
        let likenesses = fits().map(|fit| fit.found.likeness.clone()).collect();
        let digests = fits().map(|fit| fit.digest).collect();
        let old_numbers = fits().filter_map(|fit| fit.person.old_id_number.clone()).collect();
        store::known(deed.tx(), likenesses, digests, old_numbers).await?
    };
    let numbers: Vec<_> = fits().filter_map(|fit| fit.number).collect();
    let mut taken: HashSet<_> = match register.numbers() {
        Some(book) if !numbers.is_empty() => book.taken(deed.tx(), &numbers).await?.into_iter().collect(),
        _ => HashSet::new(),
    };
    let (mut entering, mut kept, mut given) = (Vec::with_capacity(piece.rows.len()), vec![], vec![]);
    let mut by_rule: BTreeMap<String, u64> = BTreeMap::new();
    let (at, today, mut watch) = (deed.at(), deed.today(), Watch::start());
    for row in &piece.rows {
        let against = match &row.judged {
            Ok(fit) => {
                let found = against(fit, &known, &taken);
                if found.iter().all(|finding| !declines(finding)) {
                    let bearer = (Some(store::begin_of(&fit.digest)), fit.number);
                    known.alike.entry(fit.found.likeness.clone()).or_default().push(bearer);
                    known.old_numbers.extend(fit.person.old_id_number.clone());
                    taken.extend(fit.number);
                    given.extend(fit.number.map(|number| (number, row.id)));
                    let confirmed = fit.declared_on.unwrap_or(today);
                    let mark = Mark::of(&fit.person, &fit.findings, register.reference(), confirmed).with(&found);
                    entering.push(Entering { id: row.id, line: row.line, fit, keys: &row.keys, found, mark });
                    continue;
                }
                found
            }
            Err(kept) => kept.findings.clone(),
        };
        for finding in &against {
            *by_rule.entry(finding.rule.clone()).or_default() += 1;
        }
        kept.push(Quarantined {
            id: deed.id(),
            batch: batch.id,
            line: row.line,
            office: batch.office.clone(),
            declaration: row.declared.to_json(),
            raw: row.judged.as_ref().err().and_then(|kept| kept.raw.clone()),
            findings: against,
            state: "waiting".to_owned(),
            corrected: None,
            person: None,
            place: None,
        });
    }
    let written = store::write(deed.tx(), (&key, &batch), at, &entering, (today, first.is_none()));
    let encoding = watch.lap();
    store::enter(deed.tx(), written).await?;
    let mut waiting = Deltas::default();
    for row in &mut kept {
        let place = place_declared(&row.declaration, register.reference(), today);
        waiting.quarantine(&place, today, 1);
        row.place = Some(place);
    }
    store::quarantine(deed.tx(), &kept).await?;
    quarantine::replaced(&mut deed, register, &batch, &replacing(piece, &entering)).await?;
    quality::count(deed.tx(), &waiting).await?;
    if let Some(book) = register.numbers().filter(|_| !given.is_empty()) {
        book.enter(deed.tx(), &given, Decision { by: batch.begun.by, at }).await?;
    }
    let ids: Vec<_> = entering.iter().map(|one| one.id).collect();
    deed.settle_all(&ids, &batch.office).await?;
    let (first, rows) = (batch.read.line, piece.rows.len() as u64);
    batch.read = piece.ends;
    batch.read_digest = piece.digest;
    batch.rows += rows;
    batch.accepted += entering.len() as u64;
    batch.quarantined += kept.len() as u64;
    batch.held_until = Some(at + LEASE);
    store::advance(deed.tx(), &batch).await?;
    let what = format!("from line {first}: {} accepted, {} quarantined", entering.len(), kept.len());
    told(&mut deed, &batch, &what).await?;
    deed.commit().await?;
    Ok(Entered { batch, by_rule, encoding, accepted: entering.into_iter().map(|one| one.fit).collect() })
}

/// The rows of an export of the quarantine in whose place rows of a file come.
fn replacing(piece: &Piece, entering: &[Entering<'_>]) -> Vec<quarantine::Replacing> {
    let entered = |id| entering.iter().any(|one| one.id == id).then_some(id);
    let replacing = |row: &Row| {
        let (batch, line) = row.declared.replaces()?;
        Some(quarantine::Replacing { batch, line, by_line: row.line, person: entered(row.id) })
    };
    piece.rows.iter().filter_map(replacing).collect()
}

/// What the register says about a declaration that is fit by itself.
fn against(fit: &Fit, known: &store::Known, taken: &HashSet<crypto::identity::PersonalNumber>) -> Vec<Finding> {
    let mut found = vec![];
    if fit.number.is_some_and(|number| taken.contains(&number)) {
        found.push(Finding::number_taken());
    }
    let alike = known.alike.get(&fit.found.likeness).map(Vec::as_slice).unwrap_or_default();
    let digest = store::begin_of(&fit.digest);
    let same = alike.iter().any(|(theirs, number)| {
        let others = fit.number.zip(*number).is_some_and(|(one, other)| one != other);
        *theirs == Some(digest) && !others
    });
    if same {
        found.push(Finding::declared_already());
    } else if !alike.is_empty() {
        found.push(Finding::perhaps_declared_before());
    }
    if fit.person.old_id_number.as_ref().is_some_and(|number| known.old_numbers.contains(number)) {
        found.push(Finding::old_number_shared());
    }
    found
}

/// True for what keeps a row out of the register.
fn declines(finding: &Finding) -> bool {
    [rules::NUMBER_TAKEN, rules::DECLARED_ALREADY].iter().any(|rule: &Rule| rule.id == finding.rule)
}

/// Looks at the households of a file when all its rows are there. Returns how many persons have a finding about theirs.
async fn households(deeds: &Deeds, batch: &Batch) -> Result<u64, ImportError> {
    let without = Finding::new(rules::HOUSEHOLD_WITHOUT_HEAD, "relation_to_head", rules::HOUSEHOLD_WITHOUT_HEAD.says);
    let two = Finding::new(rules::HOUSEHOLD_WITH_TWO_HEADS, "relation_to_head", rules::HOUSEHOLD_WITH_TWO_HEADS.says);
    let of_households = [rules::HOUSEHOLD_WITHOUT_HEAD.id, rules::HOUSEHOLD_WITH_TWO_HEADS.id];
    let (mut after, mut found) = (String::new(), 0);
    loop {
        let mut deed = deeds.open(Service).await?;
        let mut there = held(&mut deed, batch).await?;
        let page = store::households(deed.tx(), batch.id, &after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        after.clone_from(last);
        let these = |heads: fn(u64) -> bool| -> Vec<String> {
            page.iter().filter(|(_, n)| heads(*n)).map(|(household, _)| household.clone()).collect()
        };
        found += store::find_in_households(deed.tx(), these(|heads| heads == 0), &of_households, &without).await?;
        found += store::find_in_households(deed.tx(), these(|heads| heads > 1), &of_households, &two).await?;
        there.held_until = Some(deed.at() + LEASE);
        store::advance(deed.tx(), &there).await?;
        told(&mut deed, &there, "households looked at").await?;
        deed.commit().await?;
    }
}

/// Compares the persons of a file with everyone in the register, by the judge of every other way in, and notes what it
/// says: with both of two who are probably one person. Cut at any moment, the same call goes on where it was; done
/// once, it does nothing. `tell` is told how many were compared, and how many persons have the finding by it. Returns
/// the latter, and whether it came to the end.
///
/// # Errors
/// [`ImportError`]
pub async fn look_for_doubles(
    deeds: &Deeds,
    batch: BatchId,
    stop: &AtomicBool,
    mut tell: impl FnMut(u64, u64),
) -> Result<(u64, bool), ImportError> {
    let (mut compared, mut noted) = (0, 0);
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok((noted, false));
        }
        let mut deed = deeds.open(Service).await?;
        let from = store::doubles_line(deed.tx(), batch).await?;
        let page = store::of_batch(deed.tx(), batch, from, DOUBLES_PAGE).await?;
        let Some((last, ..)) = page.last() else { return Ok((noted, true)) };
        for (_, id, person, number) in &page {
            let compared = duplicates::compare(deed.tx(), person, number.as_ref(), Some(*id)).await?;
            for finding in compared.findings() {
                noted += u64::from(store::note(deed.tx(), *id, &finding).await?);
            }
            noted += duplicates::note_likely(deed.tx(), &compared).await?;
        }
        store::set_doubles_line(deed.tx(), batch, *last).await?;
        let entry = Entry::new(Action::DeclarationsImported, Object::Batch(batch), Purpose::Declaration);
        deed.enter(entry.because(format!("compared with the register up to line {last}"))).await?;
        deed.commit().await?;
        compared += page.len() as u64;
        tell(compared, noted);
    }
}

const DOUBLES_PAGE: i64 = 100;
const PAGE: i64 = 5000;

/// A result by reference, of the box's content.
trait AsDerefOk {
    fn as_deref_ok(&self) -> Option<&Fit>;
}

impl AsDerefOk for Result<Box<Fit>, Kept> {
    fn as_deref_ok(&self) -> Option<&Fit> {
        self.as_ref().ok().map(|fit| &**fit)
    }
}

/// Why a file is not imported, or not to its end. What was entered before stays, and the same command goes on there.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file is another one at its end than at its beginning.
    #[error("the file changed while it was read; nothing of it is lost: run the same command again when it is whole")]
    Changed,
    /// What was read of the file before is not what the file says now.
    #[error(
        "the rows before line {0} were read when the file said something else: it was changed while it was imported. \
         What entered then stands in the register; compare it by `issuance quarantine list` and the history, and import \
         the rows that differ as a file of their own"
    )]
    ReadOtherwise(u64),
    /// A deed.
    #[error(transparent)]
    Deed(DeedError),
    /// An officer ended it.
    #[error(
        "an officer ended this file on {1} before line {0}: what entered then stands in the register; import the rows from \
         that line on as a file of their own"
    )]
    EndedBefore(u64, OffsetDateTime),
    /// There is no first load.
    #[error(transparent)]
    First(#[from] FirstRefused),
    /// The first line.
    #[error("line 1, byte 0: {0}; nothing was written")]
    Header(#[from] HeaderError),
    /// Another process imports it.
    #[error(
        "another process imports this file, and gave a sign of life less than a minute ago; if it was killed on another \
         computer, run the command again after {until}"
    )]
    Held {
        /// Until then it counts as alive.
        until: OffsetDateTime,
    },
    /// The disk.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Another session of the database holds a lock.
    #[error(
        "the database did not get a lock in time{}; the rows of finished transactions are there: when it is gone, run the \
         same command again", held_by(.0)
    )]
    Locked(Vec<String>),
    /// The database was opened without the key of its MACs.
    #[error("the database was opened without its key")]
    NoKey,
    /// A pipe, a folder.
    #[error("no file: a pipe cannot be read twice, and an import that was cut must read it again")]
    NoFile,
    /// The last line has no end.
    #[error(
        "line {}, byte {}: the file ends without a line break: it was cut, or its last row is not finished; get it whole, or \
         add the line break; nothing was written", .0.line, .0.byte
    )]
    NoLineBreak(Position),
    /// It is another office's.
    #[error("the office `{0}` began this file: name it by --office, or have its officer go on")]
    OtherOffice(OfficeCode),
    /// The rows.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A fault of this program.
    #[error(
        "a fault of this program ended the reading behind line {}, byte {}; the rows before are taken: keep the file and \
         report it", .0.line, .0.byte
    )]
    ReaderEnded(Position),
    /// It was stopped before anything was written.
    #[error("stopped before the first row; nothing was written")]
    StoppedEarly,
    /// The database.
    #[error("{0}; the rows of finished transactions are there: run the same command again, it goes on after them")]
    Store(#[from] StoreError),
    /// Another process took the file over.
    #[error("another process goes on with this file; this one ended and wrote nothing more")]
    TakenOver,
}

/// Says which sessions hold locks, and what ends one.
fn held_by(holders: &[String]) -> String {
    if holders.is_empty() {
        return "; no other session that holds one is seen any more".to_owned();
    }
    let all = holders.join(", ");
    format!(": locks are held by {all}; end its transaction where it runs, or by `select pg_terminate_backend(PID)`")
}

impl From<DeedError> for ImportError {
    fn from(error: DeedError) -> Self {
        match error {
            DeedError::Store(source) => source.into(),
            other => Self::Deed(other),
        }
    }
}
