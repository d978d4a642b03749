//! Continuous archiving of SQLite: the log that it writes ahead is copied every few seconds.
//!
//! A generation is a backup whose database is the file itself and the log beside it, and a folder `log` of segments:
//! what came to the log since, and the objects that came with it; their content keys in a file beside it, for the
//! readers of keys. A reader that is held keeps SQLite from beginning its log anew, so that the segments follow each
//! other without a gap; when the log has grown, a new generation begins. Each start begins a generation. A segment that
//! cannot be written (a full medium, one that is away) is written later: the generation and its reader are kept.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::CryptoRng;
use rand::rngs::ChaCha20Rng;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::archive::Writer;
use super::manifest::MAC;
use super::medium::{Archived, Medium, generations, second_of};
use super::segments::{FRAMES, LOG, Piece, Segment, list_of};
use super::take::{CONTENT_KEYS, OBJECTS, Source, taken, tree};
use super::wal::{Position, between, wal_of};
use super::{BackupError, Order, Progress, manifest};
use crate::ground::{Clock, Randomness, blocking, files};
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
    /// A medium on which nothing moves for so long is said not to answer.
    pub patience: Duration,
    /// The folder is a new medium: it need not have the mark of the one before.
    pub new_medium: bool,
}

/// What the archiver has to say while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// Nothing is archived; it is tried again.
    Failing(&'a BackupError),
    /// It is archived again.
    Again,
}

/// Copies the log until `progress` is stopped. What fails is told and done again; the folder of the service says what
/// was archived until when ([`Archived`]).
///
/// # Errors
/// [`BackupError`] that waiting does not mend: the settings, the folder, the first generation.
pub async fn archive(
    settings: &Settings,
    archiving: Archiving,
    progress: &Progress,
    tell: fn(News<'_>),
    rng: &mut impl CryptoRng,
) -> Result<(), BackupError> {
    archiving.order.has_two_readers()?;
    let _running = super::in_use(settings)?;
    let (store, authority) = founded(settings)?;
    let clock = Clock::system(authority_offset(&authority)?);
    let (db, installation) = database(settings, &store, &Randomness::System).await?;
    if db.engine_name() != "sqlite" {
        db.close().await;
        return Err(BackupError::Recipients(
            "PostgreSQL archives its log itself: set archive_mode and archive_command (docs/backup.md)",
        ));
    }
    let path = Db::lite_file(&settings.data);
    // Open to the end of this process: closing it would drop the locks that SQLite holds on the file.
    let main = File::open(&path).map_err(BackupError::file(&path))?;
    let to = std::path::absolute(&archiving.order.to).map_err(BackupError::file(&archiving.order.to))?;
    // One that cannot be read tells nothing of before; it is written anew.
    let before = Archived::read(&settings.data).ok().flatten().filter(|before| before.to == to);
    let known = before.is_some() && !archiving.new_medium;
    let said = before.unwrap_or_else(|| Archived {
        to: to.clone(),
        every_seconds: 0,
        last_piece_at: None,
        complete_at: None,
        failing: None,
    });
    let mut teller = Teller {
        said: Archived { every_seconds: archiving.every.as_secs(), ..said },
        data: &settings.data,
        tell,
        last: None,
    };
    let (every, patience) = (archiving.every, archiving.patience);
    let archive = Arc::new(Archive {
        medium: Medium::new(to, installation.id()),
        settings: settings.clone(),
        archiving,
        store,
        db: db.clone(),
        main,
        clock,
    });
    let begun = {
        let medium = archive.medium.clone();
        watched(progress, patience, &mut teller, blocking_work(move || medium.begin(known))).await
    };
    let _alone = match begun {
        Ok(Ok(alone)) => alone,
        Ok(Err(error)) | Err(error) => {
            teller.ends(&error);
            db.close().await;
            return Err(error);
        }
    };
    let (mut generation, mut first) = (None, true);
    let mut rest = Rest::none();
    loop {
        let turn = {
            let (archive, progress, mut seed) = (archive.clone(), progress.clone(), Zeroizing::new([0; 32]));
            rng.fill_bytes(&mut *seed);
            let (generation, rest) = (generation.take(), rest.clone());
            blocking_work(move || {
                let mut rng = <ChaCha20Rng as rand::SeedableRng>::from_seed(*seed);
                tokio::runtime::Handle::current().block_on(archive.turn(generation, rest, &progress, &mut rng))
            })
        };
        let turn = watched(progress, patience, &mut teller, turn).await?;
        generation = turn.generation;
        rest = turn.rest;
        match turn.error {
            // Another start finds the database that is there now; a first generation that fails is seen at once.
            Some(error) if first || matches!(error, BackupError::Replaced(_)) => {
                teller.ends(&error);
                return Err(error);
            }
            error => teller.turned(turn.piece_at, turn.complete_at, error.as_ref()),
        }
        first = false;
        let until = tokio::time::Instant::now() + every;
        while tokio::time::Instant::now() < until && !progress.is_stopped() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        if progress.is_stopped() {
            break;
        }
    }
    drop(generation);
    db.close().await;
    Ok(())
}

fn authority_offset(authority: &AuthoritySettings) -> Result<time::UtcOffset, StartError> {
    Ok(authority.utc_offset()?)
}

fn blocking_work<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::pin::Pin<Box<dyn Future<Output = T>>> {
    Box::pin(blocking::apart(work))
}

/// Waits for work on the medium. Where nothing moves for too long, that is said, and it is waited on: what waits for a
/// disk cannot be taken back. Only a stop ends the wait.
async fn watched<T>(
    progress: &Progress,
    patience: Duration,
    teller: &mut Teller<'_>,
    mut work: std::pin::Pin<Box<dyn Future<Output = T>>>,
) -> Result<T, BackupError> {
    let (mut moved, mut since) = (progress.moved(), Instant::now());
    let mut stopped_at = None;
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
        if progress.moved() != moved {
            (moved, since) = (progress.moved(), Instant::now());
        }
        let hung = || BackupError::Hung { to: teller.said.to.clone(), seconds: since.elapsed().as_secs() };
        if progress.is_stopped() && stopped_at.get_or_insert_with(Instant::now).elapsed() > A_STOP_WAITS {
            return Err(hung());
        }
        if since.elapsed() > patience {
            let hung = hung();
            teller.fails(&hung);
        }
    }
}

/// Says on standard error and in the folder of the service how it goes.
struct Teller<'a> {
    said: Archived,
    data: &'a Path,
    tell: fn(News<'_>),
    /// What was said last, and when.
    last: Option<(std::mem::Discriminant<BackupError>, Instant)>,
}

impl Teller<'_> {
    /// Says that nothing is archived: at once, and then once a minute.
    fn fails(&mut self, error: &BackupError) {
        let kind = std::mem::discriminant(error);
        if self.last.is_none_or(|(last, at)| last != kind || at.elapsed() > SAID_AGAIN) {
            (self.tell)(News::Failing(error));
            self.last = Some((kind, Instant::now()));
            self.said.failing = Some(error.to_string());
            self.write();
        }
    }

    /// Notes why the archiver ends; the command says it.
    fn ends(&mut self, error: &BackupError) {
        self.said.failing = Some(error.to_string());
        self.write();
    }

    /// Says what came of a turn.
    fn turned(
        &mut self,
        piece_at: Option<OffsetDateTime>,
        complete_at: Option<OffsetDateTime>,
        error: Option<&BackupError>,
    ) {
        self.said.last_piece_at = piece_at.or(self.said.last_piece_at);
        self.said.complete_at = complete_at.or(self.said.complete_at);
        let error = error.filter(|error| !matches!(error, BackupError::Stopped));
        if let Some(error) = error {
            self.fails(error);
        } else if self.last.take().is_some() {
            (self.tell)(News::Again);
        }
        self.said.failing = error.map(ToString::to_string);
        self.write();
    }

    fn write(&self) {
        if let Err(error) = self.said.write(self.data) {
            (self.tell)(News::Failing(&error));
        }
    }
}

struct Archive {
    medium: Medium,
    settings: Settings,
    archiving: Archiving,
    store: KeyStore,
    db: Db,
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

/// When a generation may be begun again after one that could not be: a whole backup is not written at each tick.
#[derive(Clone)]
struct Rest {
    until: Option<Instant>,
    pause: Duration,
}

impl Rest {
    fn none() -> Self {
        Self { until: None, pause: Duration::ZERO }
    }

    fn is_over(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() >= until)
    }

    /// Twice as long as before.
    fn longer(&self, every: Duration) -> Self {
        let pause = (self.pause * 2).clamp(every, LONGEST_REST);
        Self { until: Some(Instant::now() + pause), pause }
    }
}

/// What came of a turn.
struct Turn {
    generation: Option<Generation>,
    rest: Rest,
    /// A piece was written then.
    piece_at: Option<OffsetDateTime>,
    /// What came before is in the archive.
    complete_at: Option<OffsetDateTime>,
    error: Option<BackupError>,
}

/// How a generation goes on.
enum Goes {
    /// Perhaps with a piece that was written then.
    On(Option<OffsetDateTime>),
    /// SQLite began its log anew.
    Gap,
}

impl Archive {
    /// Writes the next segment, or begins a generation where there is none or the one under way is to end.
    async fn turn(
        &self,
        mut generation: Option<Generation>,
        rest: Rest,
        progress: &Progress,
        rng: &mut impl CryptoRng,
    ) -> Turn {
        let every = self.archiving.every;
        let now = self.clock.now();
        let mut turn = Turn { generation: None, rest, piece_at: None, complete_at: None, error: None };
        if let Err(error) = self.medium.is_there() {
            return Turn { generation, error: Some(error), ..turn };
        }
        if let Some(mut under_way) = generation.take() {
            match self.goes_on(&mut under_way, progress, rng) {
                Ok(Goes::On(piece_at)) => {
                    turn = Turn { piece_at, complete_at: Some(now), ..turn };
                    // At the latest after a day: what was erased meanwhile is in the older generations, which go.
                    let rolls =
                        under_way.log.at >= under_way.rolls_at || now >= under_way.begun + time::Duration::days(1);
                    if !rolls || !turn.rest.is_over() {
                        return Turn { generation: Some(under_way), ..turn };
                    }
                    // The one under way is kept while there is no room for another.
                    if let Err(error) = self.needed().and_then(|needed| self.medium.has_room(needed)) {
                        let rest = turn.rest.longer(every);
                        return Turn { generation: Some(under_way), rest, error: Some(error), ..turn };
                    }
                    // Its reader is let go, so that SQLite can begin its log anew.
                    drop(under_way);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Ok(Goes::Gap) => drop(under_way),
                Err(error) => return Turn { generation: Some(under_way), error: Some(error), ..turn },
            }
        }
        if !turn.rest.is_over() {
            return Turn { error: Some(BackupError::NoGeneration), ..turn };
        }
        match self.begin(progress, rng).await {
            Ok(begun) => {
                let at = begun.begun;
                Turn { generation: Some(begun), rest: Rest::none(), piece_at: Some(at), complete_at: Some(at), ..turn }
            }
            Err(error) => Turn { rest: turn.rest.longer(every), error: Some(error), ..turn },
        }
    }

    /// How many bytes a generation begun now has, about: tar and encryption add a hundredth.
    fn needed(&self) -> Result<u64, BackupError> {
        let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let mut all = length(&Db::lite_file(&self.settings.data)) + length(&wal_of(&self.settings.data));
        for of in [CONTENT_KEYS, OBJECTS] {
            // Each file has a header of 512 bytes, and is filled up to as many.
            all += tree(&self.settings.data, of)?.iter().map(|(_, path)| length(path) + 1024).sum::<u64>();
        }
        Ok(all + all / 100 + (1 << 20))
    }

    /// Begins a generation: a backup of the file and the log as they are.
    async fn begin(&self, progress: &Progress, rng: &mut impl CryptoRng) -> Result<Generation, BackupError> {
        let failed = |path: &Path| BackupError::file(path);
        let now = fs::metadata(Db::lite_file(&self.settings.data));
        let same = |one: &fs::Metadata, other: &fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
        if !now.is_ok_and(|now| self.main.metadata().is_ok_and(|opened| same(&now, &opened))) {
            return Err(BackupError::Replaced(Db::lite_file(&self.settings.data)));
        }
        self.medium.clear()?;
        self.medium.has_room(self.needed()?)?;
        let held = self.db.hold_log().await?.ok_or(StartError::NoTables)?;
        let (file, wal) = (Db::lite_file(&self.settings.data), wal_of(&self.settings.data));
        let source = Source::begin(&self.settings)?;
        let spools = [source.spool("database")?, source.spool("log")?];
        // Before the log is read: what comes later is in the first segment.
        let now = self.clock.now();
        // The file first: all that a checkpoint has brought into it until then is in the log still.
        copy(&self.main, &spools[0], progress).map_err(failed(&file))?;
        let log = Position::at_beginning(&wal, progress).map_err(failed(&wal))?;
        between(&wal, 0, log.at)
            .and_then(|mut from| io::copy(&mut from, &mut fs::OpenOptions::new().write(true).open(&spools[1])?))
            .map_err(failed(&spools[1]))?;
        // By their order in time, also if the clock was set back.
        let last = generations(&self.medium.to)?.last().and_then(|path| second_of(path)).unwrap_or(0);
        let to = self.medium.to.join(now.unix_timestamp().max(last + 1).to_string());
        let order = Order { to: to.clone(), ..self.archiving.order.clone() };
        let known = names(&self.settings.data)?;
        let schema = self.db.schema().await?.ok_or(StartError::NoTables)?;
        Box::pin(taken(&self.settings, order, source, ("sqlite", schema), spools.to_vec(), progress, now, rng)).await?;
        let manifest_mac = fs::read_to_string(to.join(MAC)).map_err(failed(&to))?;
        files::private_folder(&to.join(LOG)).map_err(failed(&to))?;
        self.forget_old(&to)?;
        let length = self.main.metadata().map_err(failed(&file))?.len();
        let rolls_at = log.at + length.max(LEAST_TO_ROLL);
        Ok(Generation { folder: to, _held: held, log, objects: known, segments: 0, manifest_mac, rolls_at, begun: now })
    }

    /// Writes the next segment, if anything came. What fails leaves the generation as it was.
    fn goes_on(
        &self,
        generation: &mut Generation,
        progress: &Progress,
        rng: &mut impl CryptoRng,
    ) -> Result<Goes, BackupError> {
        let wal = wal_of(&self.settings.data);
        let at = self.clock.now();
        // The log before the objects: an object is written before the row that names it.
        let Some(log) = generation.log.next(&wal, progress).map_err(BackupError::file(&wal))? else {
            return Ok(Goes::Gap);
        };
        let all = names(&self.settings.data)?;
        let new: Vec<_> = all.difference(&generation.objects).cloned().collect();
        let came = log.at > generation.log.at || !new.is_empty();
        if came {
            let number = generation.segments + 1;
            let written = self.write(generation, number, &log, (&new, at), progress, rng);
            if written.is_err() {
                let _ = remove_pieces(&generation.folder, number);
            }
            written?;
            generation.segments = number;
            generation.objects = all;
        }
        generation.log = log;
        Ok(Goes::On(came.then_some(at)))
    }

    fn write(
        &self,
        generation: &Generation,
        number: u64,
        log: &Position,
        (new, at): (&[String], OffsetDateTime),
        progress: &Progress,
        rng: &mut impl CryptoRng,
    ) -> Result<(), BackupError> {
        let folder = generation.folder.join(LOG);
        // What a turn before this one could neither end nor remove.
        remove_pieces(&generation.folder, number)?;
        let modified = u64::try_from(at.unix_timestamp()).unwrap_or(0);
        let (order, wal) = (&self.archiving.order, wal_of(&self.settings.data));
        let name = format!("{number:010}.tar");
        let mut archive = Writer::begin(&folder, &name, &order.recipients, modified, progress, rng)?;
        let frames = between(&wal, generation.log.at, log.at).map_err(BackupError::file(&wal))?;
        archive.add(FRAMES, files::PRIVATE, log.at - generation.log.at, frames)?;
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
        let mac = Segment::mac(self.store.secrets(), &generation.manifest_mac, number, at, &data, keys.as_ref());
        let segment = Segment { number, at, data, keys, mac };
        let path = list_of(&folder, number);
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
        let mut all = generations(&self.medium.to)?;
        all.retain(|one| one != newest);
        let too_many = (all.len() + 1).saturating_sub(self.archiving.keep.max(1));
        for old in all.into_iter().take(too_many) {
            // Its manifest goes first: what is half removed does not look whole.
            fs::remove_file(old.join(manifest::MANIFEST)).map_err(BackupError::file(&old))?;
            fs::remove_dir_all(&old).map_err(BackupError::file(&old))?;
        }
        Ok(())
    }
}

/// Removes what there is of a segment whose list was not written: nothing of it counts.
fn remove_pieces(generation: &Path, number: u64) -> Result<(), BackupError> {
    let folder = generation.join(LOG);
    let list = list_of(&folder, number);
    if list.exists() {
        return Ok(());
    }
    let of_it = format!("{number:010}.");
    for entry in fs::read_dir(&folder).map_err(BackupError::file(&folder))?.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(&of_it)) {
            fs::remove_file(entry.path()).map_err(BackupError::file(&entry.path()))?;
        }
    }
    Ok(())
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

/// A smaller log is not worth a new copy of the database.
const LEAST_TO_ROLL: u64 = 64 << 20;
/// So long is the longest rest between two generations that cannot be begun.
const LONGEST_REST: Duration = Duration::from_mins(15);
/// What fails in the same way is said again after so long.
const SAID_AGAIN: Duration = Duration::from_mins(1);
/// A medium that does not answer keeps a stop no longer.
const A_STOP_WAITS: Duration = Duration::from_secs(5);
