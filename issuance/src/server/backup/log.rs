//! Continuous archiving of SQLite: the log that it writes ahead is copied every few seconds.
//!
//! A generation is a backup whose database is the file itself and the log beside it, and a folder `log` of segments:
//! what came to the log since, and the objects that came with it; their content keys in a file beside it, for the
//! readers of keys. A reader that is held keeps SQLite from beginning its log anew, so that the segments follow each
//! other without a gap; when the log has grown, a new generation begins. Only whole transactions are copied, judged by
//! SQLite's own checksums. Each start begins a generation.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::archive::{Writer, walk};
use super::check::key;
use super::manifest::{MAC, Manifest};
use super::take::{CONTENT_KEYS, OBJECTS, Source, taken, tree};
use super::{BackupError, Order, Progress};
use crate::ground::{Clock, Randomness, Secrets, files};
use crate::keys::{AuthoritySettings, KeyStore};
use crate::server::compose::{database, founded};
use crate::server::{Settings, StartError};
use crate::store::{Db, HeldLog};

/// How the log is archived.
#[derive(Clone, Debug)]
pub struct Archiving {
    /// As for a backup; `to` is the folder of the generations.
    pub order: Order,
    /// How often the log is copied.
    pub every: Duration,
    /// So many generations are kept.
    pub keep: usize,
}

/// Copies the log until `progress` is stopped. What fails is told to `complain` and done again, in a new generation.
///
/// # Errors
/// [`BackupError`] that waiting does not mend: the settings, the folder, the first generation.
pub async fn archive(
    settings: &Settings,
    archiving: Archiving,
    progress: &Progress,
    complain: fn(&BackupError),
    rng: &mut impl CryptoRng,
) -> Result<(), BackupError> {
    archiving.order.has_two_readers()?;
    let (store, authority) = founded(settings)?;
    let clock = Clock::system(authority_offset(&authority)?);
    let (db, _) = database(settings, &store, &Randomness::System).await?;
    if db.engine_name() != "sqlite" {
        db.close().await;
        return Err(BackupError::Recipients(
            "PostgreSQL archives its log itself: set archive_mode and archive_command (docs/backup.md)",
        ));
    }
    let to = &archiving.order.to;
    files::private_folder(to).map_err(BackupError::file(to))?;
    // Two that write into one folder would forget each other's generations.
    let _alone = files::alone(to).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            BackupError::Recipients("another `issuance archive` writes into this folder: one folder has one archiver")
        }
        _ => BackupError::file(to)(error),
    })?;
    let path = Db::lite_file(&settings.data);
    // Open to the end of this process: closing it would drop the locks that SQLite holds on the file.
    let main = File::open(&path).map_err(BackupError::file(&path))?;
    let archive = Archive { settings, archiving: &archiving, store: &store, db: &db, main, clock };
    let mut generation = Some(archive.begin(progress, rng).await?);
    while !progress.is_stopped() {
        let until = tokio::time::Instant::now() + archiving.every;
        while tokio::time::Instant::now() < until && !progress.is_stopped() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let done = match &mut generation {
            Some(generation) => archive.goes_on(generation, progress, rng),
            None => Ok(false),
        };
        match done {
            Ok(true) => {}
            Ok(false) => {
                // Its reader is let go, so that SQLite can begin its log anew.
                generation = None;
                tokio::time::sleep(Duration::from_millis(200)).await;
                match archive.begin(progress, rng).await {
                    Ok(begun) => generation = Some(begun),
                    // Another start finds the database that is there now.
                    Err(error @ BackupError::Replaced(_)) => return Err(error),
                    Err(error) => complain(&error),
                }
            }
            Err(error) => {
                complain(&error);
                generation = None;
            }
        }
    }
    drop(generation);
    db.close().await;
    Ok(())
}

fn authority_offset(authority: &AuthoritySettings) -> Result<time::UtcOffset, StartError> {
    Ok(authority.utc_offset()?)
}

struct Archive<'a> {
    settings: &'a Settings,
    archiving: &'a Archiving,
    store: &'a KeyStore,
    db: &'a Db,
    main: File,
    clock: Clock,
}

/// A generation under way.
struct Generation {
    folder: PathBuf,
    /// Keeps SQLite from beginning its log anew.
    _held: HeldLog,
    log: Position,
    /// Objects and content keys that are in it.
    objects: BTreeSet<String>,
    segments: u64,
    manifest_mac: String,
    /// At this length of the log the next generation begins.
    rolls_at: u64,
    begun: OffsetDateTime,
}

impl Archive<'_> {
    /// Begins a generation: a backup of the file and the log as they are.
    async fn begin(&self, progress: &Progress, rng: &mut impl CryptoRng) -> Result<Generation, BackupError> {
        let failed = |path: &Path| BackupError::file(path);
        let now = fs::metadata(Db::lite_file(&self.settings.data));
        let same = |one: &fs::Metadata, other: &fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
        if !now.is_ok_and(|now| self.main.metadata().is_ok_and(|opened| same(&now, &opened))) {
            return Err(BackupError::Replaced(Db::lite_file(&self.settings.data)));
        }
        let held = self.db.hold_log().await?.ok_or(StartError::NoTables)?;
        let (file, wal) = (Db::lite_file(&self.settings.data), wal_of(&self.settings.data));
        let source = Source::begin(self.settings)?;
        let spools = [source.spool("database")?, source.spool("log")?];
        // The file first: all that a checkpoint has brought into it until then is in the log still.
        copy(&self.main, &spools[0], progress).map_err(failed(&file))?;
        let (log, bytes) = Position::at_beginning(&wal).map_err(failed(&wal))?;
        fs::write(&spools[1], bytes).map_err(failed(&spools[1]))?;
        let now = self.clock.now();
        // By their order in time, also if the clock was set back.
        let last = generations(&self.archiving.order.to)?.last().and_then(|path| second_of(path)).unwrap_or(0);
        let to = self.archiving.order.to.join(now.unix_timestamp().max(last + 1).to_string());
        let order = Order { to: to.clone(), ..self.archiving.order.clone() };
        let known = names(&self.settings.data)?;
        let schema = self.db.schema().await?.ok_or(StartError::NoTables)?;
        Box::pin(taken(self.settings, order, source, ("sqlite", schema), spools.to_vec(), progress, now, rng)).await?;
        let manifest_mac = fs::read_to_string(to.join(MAC)).map_err(failed(&to))?;
        files::private_folder(&to.join(LOG)).map_err(failed(&to))?;
        self.forget_old(&to)?;
        let length = self.main.metadata().map_err(failed(&file))?.len();
        let rolls_at = log.at + length.max(LEAST_TO_ROLL);
        Ok(Generation { folder: to, _held: held, log, objects: known, segments: 0, manifest_mac, rolls_at, begun: now })
    }

    /// Writes the next segment, if anything came. Returns false where a new generation is to begin.
    fn goes_on(
        &self,
        generation: &mut Generation,
        progress: &Progress,
        rng: &mut impl CryptoRng,
    ) -> Result<bool, BackupError> {
        let wal = wal_of(&self.settings.data);
        // The log before the objects: an object is written before the row that names it.
        let Some((log, bytes)) = generation.log.next(&wal).map_err(BackupError::file(&wal))? else { return Ok(false) };
        let all = names(&self.settings.data)?;
        let new: Vec<_> = all.difference(&generation.objects).cloned().collect();
        if !bytes.is_empty() || !new.is_empty() {
            let number = generation.segments + 1;
            self.write(generation, number, &bytes, &new, progress, rng)?;
            generation.segments = number;
            generation.objects = all;
        }
        generation.log = log;
        // At the latest after a day: what was erased meanwhile is in the older generations, which go.
        Ok(generation.log.at < generation.rolls_at && self.clock.now() < generation.begun + time::Duration::days(1))
    }

    fn write(
        &self,
        generation: &Generation,
        number: u64,
        bytes: &[u8],
        new: &[String],
        progress: &Progress,
        rng: &mut impl CryptoRng,
    ) -> Result<(), BackupError> {
        let folder = generation.folder.join(LOG);
        let at = self.clock.now();
        let modified = u64::try_from(at.unix_timestamp()).unwrap_or(0);
        let order = &self.archiving.order;
        let name = format!("{number:010}.tar");
        let mut archive = Writer::begin(&folder, &name, &order.recipients, modified, progress, rng)?;
        archive.add(FRAMES, files::PRIVATE, bytes.len() as u64, bytes)?;
        let (objects, keys): (Vec<_>, Vec<_>) = new.iter().partition(|name| name.starts_with(OBJECTS));
        self.add(&mut archive, &objects)?;
        let made = archive.finish()?;
        let keys = if keys.is_empty() {
            None
        } else {
            let name = format!("{number:010}.keys.tar");
            let mut archive = Writer::begin(&folder, &name, &order.keys_recipients, modified, progress, rng)?;
            self.add(&mut archive, &keys)?;
            let made = archive.finish()?;
            Some(Piece { file: made.file, sha256: made.sha256 })
        };
        let data = Piece { file: made.file, sha256: made.sha256 };
        let mac = mac(self.store.secrets(), &generation.manifest_mac, number, at, &data, keys.as_ref());
        let segment = Segment { number, at, data, keys, mac };
        let path = folder.join(format!("{number:010}.json"));
        let json = serde_json::to_vec_pretty(&segment).expect("names and numbers become JSON");
        // With this file the segment is whole.
        files::replace(&path, &path.with_extension("new"), &json, files::PRIVATE).map_err(BackupError::file(&path))
    }

    /// Adds these files of the data folder. What is erased meanwhile is passed over.
    fn add(&self, archive: &mut Writer, names: &[&String]) -> Result<(), BackupError> {
        for name in names {
            let path = self.settings.data.join(name);
            let file = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file.map_err(BackupError::file(&path))?,
            };
            let length = file.metadata().map_err(BackupError::file(&path))?.len();
            archive.add(name, files::PRIVATE, length, file)?;
        }
        Ok(())
    }

    /// Removes the generations before the newest ones that are kept.
    fn forget_old(&self, newest: &Path) -> Result<(), BackupError> {
        let folder = &self.archiving.order.to;
        let mut all = generations(folder)?;
        all.retain(|one| one != newest);
        let too_many = (all.len() + 1).saturating_sub(self.archiving.keep.max(1));
        for old in all.into_iter().take(too_many) {
            // Its manifest goes first: what is half removed does not look whole.
            fs::remove_file(old.join(super::manifest::MANIFEST)).map_err(BackupError::file(&old))?;
            fs::remove_dir_all(&old).map_err(BackupError::file(&old))?;
        }
        Ok(())
    }
}

/// What is said of a segment, beside it.
#[derive(Debug, Deserialize, Serialize)]
struct Segment {
    number: u64,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The log, and the objects that came with it.
    data: Piece,
    /// The content keys of those objects.
    keys: Option<Piece>,
    mac: String,
}

/// A file of a segment.
#[derive(Debug, Deserialize, Serialize)]
struct Piece {
    file: String,
    sha256: String,
}

fn mac(
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

/// Returns the newest whole generation of an archive; the folder itself if it is a backup.
///
/// # Errors
/// [`BackupError`]
pub fn newest(from: &Path) -> Result<PathBuf, BackupError> {
    if from.join(super::manifest::MANIFEST).exists() {
        return Ok(from.to_owned());
    }
    let all = generations(from).unwrap_or_default();
    Ok(all.into_iter().next_back().unwrap_or_else(|| from.to_owned()))
}

/// The whole generations of an archive, oldest first.
fn generations(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = fs::read_dir(folder).map_err(BackupError::file(folder))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut all: Vec<_> = paths
        .filter(|path| path.join(super::manifest::MANIFEST).exists())
        .filter_map(|path| Some((second_of(&path)?, path)))
        .collect();
    all.sort();
    Ok(all.into_iter().map(|(_, path)| path).collect())
}

/// The second of its beginning, by which a generation is called.
fn second_of(generation: &Path) -> Option<i64> {
    generation.file_name()?.to_str()?.parse().ok()
}

/// Puts the segments of a generation behind the log that was restored, and their objects with their content keys into
/// the folder; `identities` open the data, and the keys. Returns the moment of the last one.
pub(super) fn follow(
    from: &Path,
    data: &Path,
    store: &KeyStore,
    manifest: &Manifest,
    identities: [&[super::age::Identity]; 2],
    progress: &Progress,
) -> Result<OffsetDateTime, BackupError> {
    let folder = from.join(LOG);
    let manifest_mac = fs::read_to_string(from.join(MAC)).map_err(BackupError::file(&from.join(MAC)))?;
    let mut last = manifest.made_at;
    for number in 1_u64.. {
        let path = folder.join(format!("{number:010}.json"));
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The log ends here, unless a later segment says that this one is missing.
                let later = fs::read_dir(&folder).into_iter().flatten().flatten().any(|entry| {
                    let name = entry.file_name();
                    let there = name.to_str().and_then(|name| name.split('.').next()?.parse::<u64>().ok());
                    there.is_some_and(|there| there > number)
                });
                if later {
                    return Err(BackupError::damaged(&path, "it is missing, and later segments are there"));
                }
                break;
            }
            bytes => bytes.map_err(BackupError::file(&path))?,
        };
        let segment: Segment = serde_json::from_slice(&bytes).map_err(|error| BackupError::damaged(&path, error))?;
        let known = mac(store.secrets(), &manifest_mac, number, segment.at, &segment.data, segment.keys.as_ref());
        let pieces = [
            Some((&segment.data, identities[0], "--identity")),
            segment.keys.as_ref().map(|piece| (piece, identities[1], "--keys-identity")),
        ];
        let mut files = pieces.iter().flatten();
        if segment.number != number || segment.mac != known || files.any(|(piece, ..)| piece.file.contains('/')) {
            return Err(BackupError::damaged(&path, "its MAC is not by this installation's key-encryption key"));
        }
        for (piece, identities, flag) in pieces.into_iter().flatten() {
            let file = folder.join(&piece.file);
            if super::manifest::digest(&file, progress)? != piece.sha256 {
                return Err(BackupError::damaged(&file, "it was changed or cut"));
            }
            let sealed = file.extension().is_some_and(|extension| extension == "age");
            let wal = wal_of(data);
            walk(&file, sealed, &key(identities, flag), progress, &mut |name, content| {
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
        last = segment.at;
    }
    Ok(last)
}

/// How far the log was copied.
#[derive(Clone, Debug)]
struct Position {
    header: [u8; HEADER],
    /// Behind the last whole transaction.
    at: u64,
    /// SQLite's checksum there.
    sums: (u32, u32),
}

impl Position {
    /// Reads the log from its beginning to the end of its last whole transaction.
    fn at_beginning(wal: &Path) -> io::Result<(Self, Vec<u8>)> {
        let mut header = [0; HEADER];
        File::open(wal)?.read_exact(&mut header)?;
        let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let begin = Self { header, at: HEADER as u64, sums: (number(24), number(28)) };
        if begin.page().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no write-ahead log of SQLite"));
        }
        let (position, frames) = begin.next(wal)?.ok_or_else(|| io::Error::other("the log was begun anew"))?;
        Ok((position, [&header[..], &frames].concat()))
    }

    /// Reads what came since. `None` where SQLite began its log anew.
    fn next(&self, wal: &Path) -> io::Result<Option<(Self, Vec<u8>)>> {
        let file = match File::open(wal) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut header = [0; HEADER];
        if file.read_exact_at(&mut header, 0).is_err() || header != self.header {
            return Ok(None);
        }
        let length = file.metadata()?.len();
        let mut bytes = vec![0; usize::try_from(length.saturating_sub(self.at)).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, self.at)?;
        let page = self.page().ok_or_else(|| io::Error::other("the log has no size of pages"))?;
        let big = self.header[3] & 1 == 1;
        let (mut sums, mut whole) = (self.sums, (0, self.sums));
        for (number, frame) in bytes.chunks_exact(FRAME + page).enumerate() {
            // Behind the last transaction lie frames of an earlier log.
            if frame[8..16] != self.header[16..24] {
                break;
            }
            sums = summed(summed(sums, &frame[..8], big), &frame[FRAME..], big);
            if [sums.0.to_be_bytes(), sums.1.to_be_bytes()].concat() != frame[16..24] {
                break;
            }
            // The last frame of a transaction says how many pages the database has then.
            if frame[4..8] != [0; 4] {
                whole = ((number + 1) * (FRAME + page), sums);
            }
        }
        bytes.truncate(whole.0);
        Ok(Some((Self { header, at: self.at + whole.0 as u64, sums: whole.1 }, bytes)))
    }

    fn page(&self) -> Option<usize> {
        let number = |at: usize| u32::from_be_bytes(self.header[at..at + 4].try_into().expect("four bytes"));
        let page = number(8) as usize;
        ((number(0) | 1) == 0x377f_0683 && page.is_power_of_two() && (512..=65_536).contains(&page)).then_some(page)
    }
}

/// The checksum of SQLite's log, over pairs of words.
fn summed((mut one, mut two): (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    let word = |word: &[u8]| {
        let word = word.try_into().expect("four bytes");
        if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    };
    for pair in bytes.chunks_exact(8) {
        one = one.wrapping_add(word(&pair[..4])).wrapping_add(two);
        two = two.wrapping_add(word(&pair[4..])).wrapping_add(one);
    }
    (one, two)
}

/// Copies an open file without moving its position.
fn copy(from: &File, to: &Path, progress: &Progress) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).truncate(true).open(to)?;
    let (mut piece, mut at) = (vec![0; 64 * 1024], 0);
    loop {
        let length = from.read_at(&mut piece, at)?;
        if length == 0 {
            return Ok(());
        }
        file.write_all_at(&piece[..length], at)?;
        at += length as u64;
        progress.passed("copying the database", length as u64)?;
    }
}

fn names(data: &Path) -> Result<BTreeSet<String>, BackupError> {
    // The keys first: an object that comes meanwhile is in the next segment, and its key is not missed.
    let (keys, objects) = (tree(data, CONTENT_KEYS)?, tree(data, OBJECTS)?);
    Ok(keys.into_iter().chain(objects).map(|(name, _)| name).collect())
}

/// The log beside a database.
pub(super) fn wal_of(data: &Path) -> PathBuf {
    let mut name = Db::lite_file(data).into_os_string();
    name.push("-wal");
    name.into()
}

/// The folder of the segments.
const LOG: &str = "log";
/// What came to the log, in a segment.
const FRAMES: &str = "frames";
/// The header of the log, and that of a frame (<https://sqlite.org/fileformat2.html#walformat>).
const HEADER: usize = 32;
const FRAME: usize = 24;
/// A smaller log is not worth a new copy of the database.
const LEAST_TO_ROLL: u64 = 64 << 20;
