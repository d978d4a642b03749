//! A backup is taken: the database at one moment, then the objects; keys and public files together under the folder's
//! lock. The service goes on meanwhile.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rand::CryptoRng;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::age::Recipient;
use super::archive::Writer;
use super::manifest::{DATA, FORMAT, KEYS, MAC, MANIFEST, Manifest, PURPOSE, SUMS};
use super::medium::{PARTIAL, STATE};
use super::{BackupError, Progress, postgres};
use crate::ground::{Randomness, blocking, files};
use crate::keys::{Installation, KeyStore};
use crate::server::compose::{database, founded};
use crate::server::{Settings, StartError, config};
use crate::store::Db;

/// What is to be backed up, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// The folder that the backup becomes. It is made.
    pub to: PathBuf,
    /// To whom the data are encrypted; none: they are not.
    pub recipients: Vec<Recipient>,
    /// To whom the keys are encrypted.
    pub keys_recipients: Vec<Recipient>,
    /// The program that dumps PostgreSQL.
    pub pg_dump: PathBuf,
    /// The configuration, where it lies elsewhere than in the data folder.
    pub config: Option<PathBuf>,
}

/// Takes a backup of the installation. What is under way is called `….partial` until it is whole. Returns its manifest.
///
/// # Errors
/// [`BackupError`], which says what to do.
pub async fn backup(
    settings: &Settings,
    order: Order,
    progress: &Progress,
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<Manifest, BackupError> {
    order.has_two_readers()?;
    if order.to.symlink_metadata().is_ok() {
        return Err(BackupError::AlreadyThere(order.to));
    }
    // Before the keys are read: they are not changed under way.
    let _running = super::in_use(settings)?;
    let (store, _) = founded(settings)?;
    let (db, _) = database(settings, &store, &Randomness::System).await?;
    let Some(schema) = db.schema().await?.filter(|_| settings.data.exists()) else {
        db.close().await;
        return Err(StartError::NoTables.into());
    };
    let source = Source::begin(settings)?;
    let spool = source.spool("database")?;
    let copied = db.copy_into(&spool).await;
    let engine = db.engine_name();
    db.close().await;
    if !copied? && let Some(url) = settings.database.clone() {
        let (program, progress, spool) = (order.pg_dump.clone(), progress.clone(), spool.clone());
        blocking::apart(move || {
            let mut file = OpenOptions::new().write(true).open(&spool).map_err(BackupError::file(&spool))?;
            postgres::dump(&program, &url, &mut file, &progress)
        })
        .await?;
    }
    taken(settings, order, source, (engine, schema), vec![spool], progress, now, rng).await
}

/// Writes a backup with these copies of the database: the database itself, and for SQLite perhaps its log.
#[expect(clippy::too_many_arguments, reason = "what a backup is made of")]
pub(super) async fn taken(
    settings: &Settings,
    order: Order,
    source: Source,
    (engine, schema): (&str, i64),
    spools: Vec<PathBuf>,
    progress: &Progress,
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<Manifest, BackupError> {
    let (store, _) = founded(settings)?;
    let installation = Installation::open(&store)?;
    let mut manifest = Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        installation: installation.id(),
        engine: engine.to_owned(),
        schema,
        made_at: now,
        counters: std::collections::BTreeMap::new(),
        archives: Vec::new(),
    };
    let (settings, progress) = (settings.clone(), progress.clone());
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *seed);
    blocking::apart(move || {
        let rng = &mut <rand::rngs::ChaCha20Rng as rand::SeedableRng>::from_seed(*seed);
        let small = Small::read(&settings, order.config.as_deref(), &store)?;
        manifest.counters = installation.marks()?;
        let partial = Partial::begin(&order.to)?;
        let made_at = u64::try_from(now.unix_timestamp()).unwrap_or(0);
        let mut begun =
            |name, recipients: &[Recipient]| Writer::begin(&partial.folder, name, recipients, made_at, &progress, rng);
        let mut data = begun(DATA, &order.recipients)?;
        let names = if manifest.engine == "sqlite" { [SQLITE, SQLITE_LOG] } else { [POSTGRESQL, ""] };
        for (name, spool) in names.iter().zip(&spools) {
            add(&mut data, name, spool)?;
        }
        add_tree(&mut data, &settings.data, OBJECTS)?;
        let mut keys = begun(KEYS, &order.keys_recipients)?;
        add_tree(&mut keys, &settings.data, CONTENT_KEYS)?;
        for (secret, name, bytes) in &small.0 {
            let (archive, mode) = if *secret { (&mut keys, files::PRIVATE) } else { (&mut data, files::PUBLIC) };
            archive.add(name, mode, bytes.len() as u64, &***bytes)?;
        }
        manifest.archives = vec![data.finish()?, keys.finish()?];
        partial.finish(&manifest, &store)?;
        drop(source);
        Ok(manifest)
    })
    .await
}

/// Where copies of the database lie until they are in the archive.
pub(super) struct Source(Scratch);

impl Source {
    pub(super) fn begin(settings: &Settings) -> Result<Self, BackupError> {
        Scratch::begin(settings.data.join(SCRATCH)).map(Self)
    }

    /// Makes an empty file that only its owner reads.
    pub(super) fn spool(&self, name: &str) -> Result<PathBuf, BackupError> {
        let spool = self.0.0.join(name);
        let made = OpenOptions::new().write(true).create_new(true).mode(files::PRIVATE).open(&spool);
        made.map_err(BackupError::file(&spool))?;
        Ok(spool)
    }
}

impl Order {
    /// Refuses recipients of whom one could open both archives.
    pub(super) fn has_two_readers(&self) -> Result<(), BackupError> {
        if self.recipients.is_empty() != self.keys_recipients.is_empty() {
            return Err(BackupError::Recipients("data and keys are both encrypted, or neither"));
        }
        if self.recipients.iter().any(|one| self.keys_recipients.contains(one)) {
            return Err(BackupError::Recipients(
                "data and keys have one recipient in common, who could open both: name different ones with --recipient \
                 and --keys-recipient",
            ));
        }
        Ok(())
    }
}

/// Keys and public files, read in one moment: whether it is secret, its name in the archive, its content.
struct Small(Vec<(bool, String, Zeroizing<Vec<u8>>)>);

impl Small {
    fn read(settings: &Settings, config: Option<&Path>, store: &KeyStore) -> Result<Self, BackupError> {
        // While it is held no command makes a key, and no counter moves: the service waits some milliseconds.
        let _locked = store.locked()?;
        let mut all = Vec::new();
        let mut take = |secret: bool, name: String, path: &Path| {
            let bytes = fs::read(path).map_err(BackupError::file(path))?;
            all.push((secret, name, Zeroizing::new(bytes)));
            Ok::<_, BackupError>(())
        };
        let data = &settings.data;
        let kek = settings.key_file.clone().unwrap_or_else(|| data.join(KEK));
        take(true, KEK.to_owned(), &kek)?;
        for (name, path, _) in listed(&data.join("keys"))? {
            take(true, format!("keys/{name}"), &path)?;
        }
        let mut configured = false;
        for (name, path, metadata) in listed(data)? {
            let of_database =
                Db::lite_file(data).file_name().is_some_and(|file| name.starts_with(&*file.to_string_lossy()));
            if of_database
                || name == "lock"
                || name == files::IN_USE
                || name == STATE
                || name == KEK
                || fs::canonicalize(&path).ok() == fs::canonicalize(&kek).ok()
            {
                continue;
            }
            configured |= name == config::IN_DATA;
            // What only its owner reads goes with the keys; the configuration holds no secret.
            let for_others = metadata.mode() & 0o077;
            let secret = for_others == 0 && name != config::IN_DATA;
            take(secret, format!("{FILES}{name}"), &path)?;
        }
        if let (false, Some(config)) = (configured, config) {
            take(false, format!("{FILES}{}", config::IN_DATA), config)?;
        }
        Ok(Self(all))
    }
}

/// The files of a folder, without those that are being written, in the order of their names.
fn listed(folder: &Path) -> Result<Vec<(String, PathBuf, fs::Metadata)>, BackupError> {
    let failed = || BackupError::file(folder);
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let (Ok(name), Ok(metadata)) = (entry.file_name().into_string(), fs::metadata(entry.path())) else { continue };
        if metadata.is_file() && Path::new(&name).extension().is_none_or(|extension| extension != "new") {
            all.push((name, entry.path(), metadata));
        }
    }
    all.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    Ok(all)
}

/// Adds the objects, or their content keys. What is erased meanwhile is passed over.
fn add_tree(archive: &mut Writer, data: &Path, of: &str) -> Result<(), BackupError> {
    for (name, path) in tree(data, of)? {
        match add(archive, &name, &path) {
            Err(BackupError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            added => added?,
        }
    }
    Ok(())
}

/// The objects of a data folder, or their content keys: name in the archive, and path.
pub(super) fn tree(data: &Path, of: &str) -> Result<Vec<(String, PathBuf)>, BackupError> {
    let root = data.join(of.trim_end_matches('/'));
    let mut folders = match fs::read_dir(&root) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
    .map_err(BackupError::file(&root))?;
    folders.sort();
    let mut all = Vec::new();
    for folder in folders {
        let Some(prefix) = folder.to_str().filter(|name| name.len() == 2) else { continue };
        for (name, path, _) in listed(&root.join(prefix))? {
            all.push((format!("{of}{prefix}/{name}"), path));
        }
    }
    Ok(all)
}

fn add(archive: &mut Writer, name: &str, path: &Path) -> Result<(), BackupError> {
    let file = File::open(path).map_err(BackupError::file(path))?;
    let length = file.metadata().map_err(BackupError::file(path))?.len();
    archive.add(name, files::PRIVATE, length, file)
}

/// The folder in the data folder where the copy of the database lies until it is in the archive: not beside the
/// archive, which may be on a medium that must not see it.
struct Scratch(PathBuf, #[expect(dead_code, reason = "held for its lock")] File);

impl Scratch {
    fn begin(folder: PathBuf) -> Result<Self, BackupError> {
        let lock = claimed(&folder)?;
        for entry in fs::read_dir(&folder).map_err(BackupError::file(&folder))?.flatten() {
            if entry.file_name() != LOCK {
                fs::remove_file(entry.path()).map_err(BackupError::file(&entry.path()))?;
            }
        }
        Ok(Self(folder, lock))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The folder of a backup that is not whole yet.
struct Partial<'a> {
    folder: PathBuf,
    to: &'a Path,
    _lock: File,
    whole: bool,
}

impl<'a> Partial<'a> {
    fn begin(to: &'a Path) -> Result<Self, BackupError> {
        let mut name = to.as_os_str().to_owned();
        name.push(PARTIAL);
        let folder = PathBuf::from(name);
        let there = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        if !there(&folder).iter().all(|name| is_of_backup(name)) {
            return Err(BackupError::Strange(folder));
        }
        let lock = claimed(&folder)?;
        for name in there(&folder).into_iter().filter(|name| name != LOCK && is_of_backup(name)) {
            let path = folder.join(name);
            fs::remove_file(&path).map_err(BackupError::file(&path))?;
        }
        Ok(Self { folder, to, _lock: lock, whole: false })
    }

    fn finish(mut self, manifest: &Manifest, store: &KeyStore) -> Result<(), BackupError> {
        let bytes = serde_json::to_vec_pretty(manifest).expect("names and numbers become JSON");
        let mac = hex::encode(store.secrets().fingerprint(PURPOSE, &bytes)) + "\n";
        let digest = |bytes: &[u8]| hex::encode(<sha2::Sha256 as sha2::Digest>::digest(bytes));
        let archives = manifest.archives.iter().map(|archive| (archive.sha256.clone(), archive.file.as_str()));
        let sums = archives.chain([(digest(&bytes), MANIFEST), (digest(mac.as_bytes()), MAC)]);
        let sums = sums.fold(String::new(), |sums, (digest, name)| sums + &digest + "  " + name + "\n");
        for (name, bytes) in [(MANIFEST, &*bytes), (MAC, mac.as_bytes()), (SUMS, sums.as_bytes())] {
            let path = self.folder.join(name);
            files::replace(&path, &path.with_extension("new"), bytes, files::PRIVATE)
                .map_err(BackupError::file(&path))?;
        }
        let failed = || BackupError::file(self.to);
        fs::remove_file(self.folder.join(LOCK)).map_err(failed())?;
        if self.to.symlink_metadata().is_ok() {
            return Err(BackupError::AlreadyThere(self.to.to_owned()));
        }
        fs::rename(&self.folder, self.to).map_err(failed())?;
        let parent = self.to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed())?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        if !self.whole {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// True for what a backup has in its folder.
pub(super) fn is_of_backup(name: &str) -> bool {
    [LOCK, MANIFEST, MAC, SUMS].contains(&name) || name.starts_with(DATA) || name.starts_with(KEYS)
}

/// Makes a folder that only its owner reads, or takes one that a process which ended left. Returns its lock.
pub(super) fn claimed(folder: &Path) -> Result<File, BackupError> {
    let failed = || BackupError::file(folder);
    files::private_folder(folder).map_err(failed())?;
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(files::PRIVATE).open(folder.join(LOCK));
    let lock = lock.map_err(failed())?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(BackupError::Busy(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed()(error)),
    }
}

const LOCK: &str = "lock";
/// In the data folder, while a backup is taken.
const SCRATCH: &str = "backup.partial";
/// Names in the archives.
pub(super) const KEK: &str = "kek";
pub(super) const SQLITE: &str = "database.sqlite";
pub(super) const SQLITE_LOG: &str = "database.sqlite-wal";
pub(super) const POSTGRESQL: &str = "database.pgdump";
pub(super) const FILES: &str = "files/";
pub(super) const OBJECTS: &str = "objects/";
pub(super) const CONTENT_KEYS: &str = "content-keys/";
