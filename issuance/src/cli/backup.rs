//! `issuance backup`

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Args;

use super::serve::stop_requested;
use super::{Outcome, Place, now, output, rng};
use crate::ground::files;
use crate::server::backup::age::Recipient;
use crate::server::backup::{self, BackupError, Manifest, Order, Progress};
use crate::server::config;

/// Backs the installation up into a new folder, while the service runs.
///
/// The database is copied as it is at one moment, then the large objects, then what is public; keys go into an archive
/// of their own, with recipients of its own. Until it is whole the folder is called DIR.partial; what a run that was
/// cut left there is removed by the next one. PostgreSQL is dumped by its own pg_dump; its password is read from the
/// address of the database, or from ~/.pgpass.
#[derive(Args)]
pub(super) struct BackupCommand {
    /// The folder that is made. It is never overwritten [default: called by the moment, in `backup.folder` of the
    /// configuration].
    #[arg(value_name = "DIR")]
    to: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    readers: Readers,
    /// The program that dumps PostgreSQL.
    #[arg(long, value_name = "FILE", default_value = "pg_dump")]
    pg_dump: PathBuf,
}

impl BackupCommand {
    pub(super) fn run(self) -> Outcome {
        let config = self.place.config()?;
        let settings = config.settings()?;
        let now = now();
        let to = match (self.to, config.backup.folder.clone()) {
            (Some(to), _) => to,
            (None, Some(folder)) => {
                files::private_folder(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
                folder.join(called_by(now))
            }
            (None, None) => return Err("no folder is named: say DIR, or set `backup.folder`".into()),
        };
        let (recipients, keys_recipients) = self.readers.of(&config.backup)?;
        let order = Order {
            to: to.clone(),
            recipients,
            keys_recipients,
            pg_dump: self.pg_dump,
            config: self.place.folder.file(),
        };
        let manifest: Manifest =
            attended(async |progress| backup::backup(&settings, order, progress, now, &mut rng()).await)?;
        output::line(format_args!("Backed up into {}, as of {}.", to.display(), manifest.moment()))?;
        for archive in &manifest.archives {
            output::line(format_args!("{}: {} files, {} bytes", archive.file, archive.files, archive.length))?;
        }
        output::line(format_args!("Check it where it will lie: issuance restore --verify {}", to.display()))?;
        Ok(())
    }
}

/// Who can open a backup.
#[derive(Args)]
pub(super) struct Readers {
    /// age1…: who can open the data. May be repeated. `age-keygen -o FILE` makes an identity and shows its recipient
    /// [default: `backup.recipients` of the configuration].
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "plain")]
    recipient: Vec<Recipient>,
    /// age1…: who can open the keys; another one than for the data. May be repeated [default: `backup.keys_recipients`
    /// of the configuration].
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "plain")]
    keys_recipient: Vec<Recipient>,
    /// Encrypt nothing: every reader of the backup then has the register and every key of the authority.
    #[arg(long)]
    plain: bool,
}

impl Readers {
    /// Returns the recipients of the data and those of the keys: those of the flags, else those of the configuration.
    pub(super) fn of(self, config: &config::Backup) -> Result<(Vec<Recipient>, Vec<Recipient>), &'static str> {
        if self.plain {
            output::complain(format_args!("issuance: --plain: the register and every key lie open"));
            return Ok((Vec::new(), Vec::new()));
        }
        let or = |flags: Vec<Recipient>, configured: &[Recipient]| {
            if flags.is_empty() { configured.to_vec() } else { flags }
        };
        let data = or(self.recipient, &config.recipients);
        let keys = or(self.keys_recipient, &config.keys_recipients);
        if data.is_empty() || keys.is_empty() {
            return Err("nobody could open it: name --recipient and --keys-recipient, or set `backup.recipients` and \
                        `backup.keys_recipients`; --plain encrypts nothing");
        }
        Ok((data, keys))
    }
}

/// The name of a backup of this moment: in the order of names, the newest is the last.
fn called_by(now: time::OffsetDateTime) -> String {
    let at = now.to_offset(time::UtcOffset::UTC);
    format!("{}T{:02}-{:02}-{:02}Z", at.date(), at.hour(), at.minute(), at.second())
}

/// Runs work on a backup: shows on a terminal how far it is, and ends it at Ctrl-C or SIGTERM.
pub(super) fn attended<T>(
    work: impl AsyncFnOnce(&Progress) -> Result<T, BackupError>,
) -> Result<T, Box<dyn std::error::Error>> {
    let progress = Progress::new(if io::stderr().is_terminal() { show } else { |_, _| {} });
    let runtime = tokio::runtime::Runtime::new()?;
    let done = runtime.block_on(async {
        let (stopping, stop) = (progress.clone(), stop_requested()?);
        tokio::spawn(async move {
            stop.await;
            stopping.stop();
        });
        Ok::<_, io::Error>(work(&progress).await)
    });
    // What waits for a disk that does not answer is not waited for.
    runtime.shutdown_background();
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    Ok(done??)
}

/// Writes over the last line what is done and how many megabytes of it.
fn show(what: &str, bytes: u64) {
    static DONE: AtomicU64 = AtomicU64::new(0);
    static LAST: Mutex<Option<(String, Instant)>> = Mutex::new(None);
    let mut done = DONE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    let mut last = LAST.lock().expect("held for a line only");
    match &mut *last {
        Some((before, at)) if before == what => {
            if at.elapsed().as_millis() < 200 {
                return;
            }
            *at = Instant::now();
        }
        other => {
            DONE.store(bytes, Ordering::Relaxed);
            done = bytes;
            *other = Some((what.to_owned(), Instant::now()));
        }
    }
    let _ = write!(io::stderr(), "\r\x1b[K{what}: {} MiB", done >> 20);
}
