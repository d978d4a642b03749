//! A backup is put back in another place: checked whole before anything is written, into a folder and a database that
//! are empty.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::age::Identity;
use super::archive::{first, walk};
use super::check::{check, key};
use super::manifest::{DATA, KEYS, compared};
use super::segments::follow;
use super::take::{CONTENT_KEYS, FILES, KEK, OBJECTS, POSTGRESQL, SQLITE, SQLITE_LOG};
use super::wal::wal_of;
use super::{BackupError, Manifest, Progress, postgres, reconcile};
use crate::applications::erasure;
use crate::deed::{Action, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Service;
use crate::ground::ids::ApplicationId;
use crate::ground::objects::Objects;
use crate::ground::{Clock, Randomness, Source, blocking, files};
use crate::keys::{AuthoritySettings, Installation, KeyStore, RESTORING};
use crate::server::compose::{SEALED, migrations};
use crate::server::{StartError, Verified, config};
use crate::store::{Db, RowKey};
use crate::{access, retention};

/// What is to be restored, and where.
#[derive(Clone, Debug)]
pub struct Restoration {
    /// The backup.
    pub from: PathBuf,
    /// The backup whose archive of keys is taken: a newer one of the same installation. None: `from`.
    pub keys_from: Option<PathBuf>,
    /// The folder: empty, or not there.
    pub data: PathBuf,
    /// Where the key-encryption key goes; none: `kek` in the folder.
    pub key_file: Option<PathBuf>,
    /// The empty database of PostgreSQL; none: SQLite in the folder.
    pub database: Option<String>,
    /// What opens the data.
    pub identities: Vec<Identity>,
    /// What opens the keys.
    pub keys_identities: Vec<Identity>,
    /// Every counter is raised by so much.
    pub skip: u64,
    /// The program that restores PostgreSQL.
    pub pg_restore: PathBuf,
    /// The database was recovered by PostgreSQL's own means (point in time), and is taken as it is.
    pub adopt: bool,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Of the backup.
    pub manifest: Manifest,
    /// What a walk over the restored rows found.
    pub verified: Verified,
    /// Portraits that applications have and whose files are not there, each with its application.
    pub without_object: Vec<(ApplicationId, String)>,
    /// Portraits that no application has: what was erased, or never came to its application. They are erased again;
    /// not looked for where rows were changed by another hand.
    pub without_row: Option<Vec<String>>,
}

/// Restores a backup. The folder opens for the service only when everything is there.
///
/// # Errors
/// [`BackupError`], which says what to do.
pub async fn restore(what: Restoration, progress: &Progress, now: OffsetDateTime) -> Result<Restored, BackupError> {
    folder_may_be_filled(&what.data)?;
    let (mut what, manifest) = {
        let progress = progress.clone();
        blocking::apart(move || {
            let checked =
                check(&what.from, what.keys_from.as_deref(), &what.identities, &what.keys_identities, &progress)?;
            for (opened, prefix, flag) in
                [(checked.data_opened, DATA, "--identity"), (checked.keys_opened, KEYS, "--keys-identity")]
            {
                if let (false, Some(archive)) = (opened, checked.manifest.archive(prefix)) {
                    let why = "it is encrypted".to_owned();
                    return Err(BackupError::Identity { file: what.from.join(&archive.file), flag, why });
                }
            }
            Ok::<_, BackupError>((what, checked.manifest))
        })
        .await?
    };
    may_be_restored(&what, &manifest).await?;
    let data = what.data.clone();
    fs::create_dir_all(&data).map_err(BackupError::file(&data))?;
    // The folder itself is locked, since its file `lock` is for those who change keys and counters.
    let lock = File::open(&data).map_err(BackupError::file(&data))?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => BackupError::Busy(data.clone()),
        TryLockError::Error(error) => BackupError::file(&data)(error),
    })?;
    // Asked again, now that no other restoration can begin.
    folder_may_be_filled(&data)?;
    let mark = data.join(RESTORING);
    clear(&data)?;
    write_new(&mark, &mut &b"issuance restore is under way, or was cut\n"[..], files::PRIVATE)?;
    let mut manifest = manifest;
    {
        let (progress, of) = (progress.clone(), manifest.clone());
        (what, manifest.made_at) = blocking::apart(move || fill(&what, &of, &progress).map(|at| (what, at))).await?;
    }
    let restored = Box::pin(begin_again(&what, manifest, now)).await?;
    files::remove(&mark).map_err(BackupError::file(&mark))?;
    drop(lock);
    Ok(restored)
}

/// Looks whether program and database fit the backup.
async fn may_be_restored(what: &Restoration, manifest: &Manifest) -> Result<(), BackupError> {
    if migrations().last().is_none_or(|last| last.version < manifest.schema) {
        return Err(BackupError::Newer(manifest.program.clone()));
    }
    let refused = |remedy| BackupError::Engine { backup: manifest.engine.clone(), remedy };
    match (&what.database, manifest.engine.as_str()) {
        (None, "sqlite") if what.adopt => return Err(refused("--adopt is for PostgreSQL")),
        (None, "sqlite") => {}
        (Some(url), "postgresql") => {
            if what.adopt {
                return key_file_is_free(what);
            }
            let db = Db::connect(Some(url), &what.data).await?;
            let empty = db.is_empty().await;
            db.close().await;
            if !empty? {
                return Err(BackupError::DatabaseNotEmpty);
            }
            // Asked before anything is written.
            let there = std::process::Command::new(&what.pg_restore).arg("--version").output();
            if there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                return Err(BackupError::NoProgram { program: what.pg_restore.clone(), flag: "--pg-restore" });
            }
        }
        (Some(_), _) => return Err(refused("leave --database (ISSUANCE_DATABASE) out; it goes into the folder")),
        (None, _) => return Err(refused("name an empty database with --database (ISSUANCE_DATABASE)")),
    }
    key_file_is_free(what)
}

fn key_file_is_free(what: &Restoration) -> Result<(), BackupError> {
    match &what.key_file {
        Some(file) if file.exists() => Err(BackupError::AlreadyThere(file.clone())),
        _ => Ok(()),
    }
}

/// A folder is filled that is not there, is empty, or was left by a restoration that was cut.
fn folder_may_be_filled(folder: &Path) -> Result<(), BackupError> {
    let names = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.file_name()).collect::<Vec<_>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(BackupError::file(folder)(error)),
    };
    let fits = names.iter().all(|name| name == "lock" || name == files::IN_USE || name == "lost+found")
        || names.iter().any(|name| name == RESTORING);
    if fits { Ok(()) } else { Err(BackupError::FolderNotEmpty(folder.to_owned())) }
}

/// Removes what a restoration that was cut left; its mark goes last.
fn clear(folder: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(folder).map_err(BackupError::file(folder))?.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        if [OsStr::new("lock"), OsStr::new("lost+found"), OsStr::new(RESTORING)].contains(&&*name) {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(BackupError::file(&path))?;
    }
    match fs::remove_file(folder.join(RESTORING)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BackupError::file(folder)(error)),
        _ => Ok(()),
    }
}

/// Writes keys, public files and objects, then the database, then what was archived since. Returns the moment of that.
fn fill(what: &Restoration, manifest: &Manifest, progress: &Progress) -> Result<OffsetDateTime, BackupError> {
    let of_keys = match &what.keys_from {
        Some(from) => compared(from, Some(DATA), progress)?.0,
        None => manifest.clone(),
    };
    let keys_from = what.keys_from.as_ref().unwrap_or(&what.from);
    let [(data, data_sealed), (keys, keys_sealed)] =
        [(DATA, &what.from, manifest), (KEYS, keys_from, &of_keys)].map(|(prefix, from, manifest)| {
            let archive = manifest.archive(prefix).expect("the check found both");
            (from.join(&archive.file), !archive.recipients.is_empty())
        });
    let (data_key, keys_key) = (key(&what.identities, "--identity"), key(&what.keys_identities, "--keys-identity"));
    let folder = &what.data;
    files::private_folder(&folder.join("keys")).map_err(BackupError::file(folder))?;
    files::private_folder(&folder.join("objects")).map_err(BackupError::file(folder))?;
    walk(&keys, keys_sealed, &keys_key, progress, &mut |name, content| {
        let path = match name.strip_prefix(FILES) {
            _ if name == KEK => what.key_file.clone().unwrap_or_else(|| folder.join(KEK)),
            Some(file) => folder.join(file),
            None => folder.join(name),
        };
        if name.starts_with(CONTENT_KEYS) {
            let parent = path.parent().expect("content keys lie in a folder");
            files::private_folder(parent).map_err(BackupError::file(parent))?;
        }
        write_new(&path, content, files::PRIVATE)
    })?;
    walk(&data, data_sealed, &data_key, progress, &mut |name, content| {
        if [SQLITE, POSTGRESQL].contains(&name) {
            return Ok(());
        }
        if name == SQLITE_LOG {
            return write_new(&wal_of(folder), content, files::PRIVATE);
        }
        if name.starts_with(OBJECTS) {
            let path = folder.join(name);
            let parent = path.parent().expect("objects lie in a folder");
            files::private_folder(parent).map_err(BackupError::file(parent))?;
            return write_new(&path, content, files::PRIVATE);
        }
        let path = folder.join(name.strip_prefix(FILES).unwrap_or(name));
        if name.strip_prefix(FILES) == Some(config::IN_DATA) {
            let mut text = String::new();
            content.read_to_string(&mut text).map_err(BackupError::file(&data))?;
            let text = moved(&text, what.key_file.as_deref()).map_err(BackupError::file(&path))?;
            return write_new(&path, &mut text.as_bytes(), files::PRIVATE);
        }
        write_new(&path, content, files::PUBLIC)
    })?;
    if !what.adopt {
        first(&data, data_sealed, &data_key, &mut |_, content| match &what.database {
            None => write_new(&Db::lite_file(folder), content, files::PRIVATE),
            Some(url) => postgres::restore(&what.pg_restore, url, content, progress),
        })?;
    }
    let store = KeyStore::open_restored(folder, what.key_file.as_deref())?;
    let at = follow(&what.from, folder, &store, manifest, [&what.identities, &what.keys_identities], progress)?;
    // One flush for all of them.
    let folder = File::open(folder).map_err(BackupError::file(folder))?;
    rustix::fs::syncfs(&folder).map_err(|error| BackupError::file(&what.data)(error.into()))?;
    Ok(at)
}

pub(super) fn write_new(path: &Path, content: &mut dyn Read, mode: u32) -> Result<(), BackupError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| io::copy(content, &mut file)).map(drop).map_err(BackupError::file(path))
}

/// The configuration for another place: keys that name folder, key file and database of the old one become comments; so
/// does the word that the service erases by itself, since legal holds that were put after the backup are not in it.
fn moved(text: &str, key_file: Option<&Path>) -> io::Result<String> {
    let old = ["data", "key_file", "database", "database_password_file"];
    let (mut lines, mut top, mut retention) = (Vec::new(), true, false);
    for line in text.lines() {
        if line.trim_start().starts_with('[') {
            (top, retention) = (false, line.trim().starts_with("[retention]"));
        }
        let key = line.split('=').next().unwrap_or("").trim();
        let stands =
            top && old.contains(&key) || retention && key == "automatic" || top && key == "retention.automatic";
        let comment = if stands { "# of the place that was backed up: " } else { "" };
        lines.push(format!("{comment}{line}\n"));
    }
    if let Some(file) = key_file {
        let file = toml::Value::String(std::path::absolute(file)?.to_string_lossy().into_owned());
        lines.insert(0, format!("key_file = {file}\n"));
    }
    Ok(lines.concat())
}

/// Raises the counters, ends the sessions, writes into the trail that this is a restored installation, and verifies
/// every row that carries a MAC.
async fn begin_again(what: &Restoration, manifest: Manifest, now: OffsetDateTime) -> Result<Restored, BackupError> {
    let store = KeyStore::open_restored(&what.data, what.key_file.as_deref())?;
    let authority = AuthoritySettings::read(&store).map_err(StartError::from)?;
    let installation = Installation::open(&store)?;
    let (one, by) = (installation.clone(), what.skip);
    let (of, folder) = (manifest.clone(), store.clone());
    blocking::run(move || {
        one.skip(by)?;
        reconcile::Restoration::publish(&folder.locked()?, &of, by, now)
    })
    .await?;
    let db = Db::connect(what.database.as_deref(), &what.data).await?;
    installation.check(&db).await?;
    let db = db.sealed_by(RowKey::new(&store.secrets().fingerprint("rows", b"MAC")));
    db.migrate(&migrations()).await?;
    installation.seal_rows_of_before(&db, &SEALED).await?;
    let clock = Clock::system(authority.utc_offset().map_err(StartError::from)?);
    let (source, secrets) = (Source::new(clock, Randomness::System), store.secrets().clone());
    let deeds = Deeds::new(db.clone(), source, secrets, access::still_in);
    let mut deed = deeds.open(Service).await?;
    access::close_all_sessions(deed.tx(), now).await?;
    let object = Object::Installation(installation.id().uuid());
    let entry = Entry::new(Action::InstallationRestored, object, Purpose::Administration);
    let adopted = if what.adopt { "recovered database; folder of the " } else { "" };
    let reason = format!("{adopted}backup of {}; every counter raised by {}", manifest.moment(), what.skip);
    deed.enter(entry.because(reason)).await?;
    deed.commit().await?;
    let verified = Verified::walk(&db).await?;
    let objects = Objects::open(&what.data, store.secrets().clone(), deeds.source().clone())?;
    // A row that is not to be believed must not cost a portrait.
    let without_row = match verified.faults.len() {
        0 => Some(retention::erase_again(&objects, &deeds).await?),
        _ => None,
    };
    let without_object = erasure::missing(&db, &objects).await.map_err(retention::RetentionError::from)?;
    db.close().await;
    Ok(Restored { manifest, verified, without_object, without_row })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_forgets_the_old_place() {
        let text = "data = \"/old\"\nkey_file=\"/old/kek\"\nlisten = \"0.0.0.0:1\"\n[web]\nbody_limit = 9\n[retention]\nautomatic = true\n[x]\ndata = 1\nautomatic = true\n";
        let now = moved(text, Some(Path::new("/new/kek"))).unwrap();
        let table: toml::Table = now.parse().unwrap();
        assert_eq!(table["key_file"].as_str(), Some("/new/kek"));
        assert!(!table.contains_key("data") && table["listen"].as_str() == Some("0.0.0.0:1"), "{now}");
        assert_eq!((table["web"]["body_limit"].as_integer(), table["x"]["data"].as_integer()), (Some(9), Some(1)));
        assert!(table["retention"].get("automatic").is_none() && table["x"]["automatic"].as_bool() == Some(true));
        assert!(now.contains("# of the place that was backed up: data = \"/old\""), "{now}");
        assert!(!moved(text, None).unwrap().parse::<toml::Table>().unwrap().contains_key("key_file"));
    }
}
