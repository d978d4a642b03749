//! `issuance backup`

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Args;

use super::{Outcome, Place, now, output, rng};
use crate::server::backup::age::Recipient;
use crate::server::backup::{self, BackupError, Manifest, Order, Progress};

/// Backs the installation up into a new folder, while the service runs.
///
/// The database is copied as it is at one moment, then the large objects, then what is public; keys go into an archive
/// of their own, with recipients of its own. Until it is whole the folder is called DIR.partial; what a run that was
/// cut left there is removed by the next one. PostgreSQL is dumped by its own pg_dump; its password is read from the
/// address of the database, or from ~/.pgpass.
#[derive(Args)]
pub(super) struct BackupCommand {
    /// The folder that is made. It is never overwritten.
    #[arg(value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
    /// age1…: who can open the data. May be repeated. `age-keygen -o FILE` makes an identity and shows its recipient.
    #[arg(long, value_name = "RECIPIENT", required_unless_present = "plain", conflicts_with = "plain")]
    recipient: Vec<Recipient>,
    /// age1…: who can open the keys; another one than for the data. May be repeated.
    #[arg(long, value_name = "RECIPIENT", required_unless_present = "plain", conflicts_with = "plain")]
    keys_recipient: Vec<Recipient>,
    /// Encrypt nothing: every reader of the backup then has the register and every key of the authority.
    #[arg(long)]
    plain: bool,
    /// The program that dumps PostgreSQL.
    #[arg(long, value_name = "FILE", default_value = "pg_dump")]
    pg_dump: PathBuf,
}

impl BackupCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        if self.plain {
            output::complain(format_args!(
                "issuance: --plain: the register and every key lie open in {}",
                self.to.display()
            ));
        }
        let order = Order {
            to: self.to.clone(),
            recipients: self.recipient,
            keys_recipients: self.keys_recipient,
            pg_dump: self.pg_dump,
            config: self.place.folder.file(),
        };
        let manifest: Manifest =
            attended(async |progress| backup::backup(&settings, order, progress, now(), &mut rng()).await)?;
        output::line(format_args!("Backed up into {}, as of {}.", self.to.display(), manifest.moment()))?;
        for archive in &manifest.archives {
            output::line(format_args!("{}: {} files, {} bytes", archive.file, archive.files, archive.length))?;
        }
        output::line(format_args!("Check it where it will lie: issuance restore --verify {}", self.to.display()))?;
        Ok(())
    }
}

/// Runs work on a backup: shows on a terminal how far it is, and ends it at Ctrl-C.
pub(super) fn attended<T>(
    work: impl AsyncFnOnce(&Progress) -> Result<T, BackupError>,
) -> Result<T, Box<dyn std::error::Error>> {
    let progress = Progress::new(if io::stderr().is_terminal() { show } else { |_, _| {} });
    let done = tokio::runtime::Runtime::new()?.block_on(async {
        let stopping = progress.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stopping.stop();
            }
        });
        work(&progress).await
    });
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    Ok(done?)
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
