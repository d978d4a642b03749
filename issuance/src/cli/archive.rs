//! `issuance archive`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::backup::attended;
use super::serve::stop_requested;
use super::{Outcome, Place, output, rng};
use crate::server::backup::age::Recipient;
use crate::server::backup::{self, Archiving, Order};

/// Archives the log of the SQLite database as it is written, until it is stopped: what is lost with the machine is what
/// came in the last seconds.
///
/// Runs beside the service. Begins with a backup in a folder of its own in DIR, and adds every few seconds what came to
/// the database's log, with the objects that came with it; `issuance restore DIR` puts back all of it. PostgreSQL
/// archives its log itself.
#[derive(Args)]
pub(super) struct ArchiveCommand {
    /// The folder of the archive, on another machine's disk. It is made.
    #[arg(value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
    /// age1…: who can open the data. May be repeated.
    #[arg(long, value_name = "RECIPIENT", required_unless_present = "plain", conflicts_with = "plain")]
    recipient: Vec<Recipient>,
    /// age1…: who can open the keys; another one than for the data. May be repeated.
    #[arg(long, value_name = "RECIPIENT", required_unless_present = "plain", conflicts_with = "plain")]
    keys_recipient: Vec<Recipient>,
    /// Encrypt nothing: every reader of the archive then has the register and every key of the authority.
    #[arg(long)]
    plain: bool,
    /// Seconds between two copies of the log.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=60))]
    every: u64,
    /// So many generations are kept; the older ones are removed.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    keep: u16,
}

impl ArchiveCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        if self.plain {
            output::complain(format_args!("issuance: --plain: the register and every key lie open"));
        }
        let archiving = Archiving {
            order: Order {
                to: self.to.clone(),
                recipients: self.recipient,
                keys_recipients: self.keys_recipient,
                pg_dump: PathBuf::new(),
                config: self.place.folder.file(),
            },
            every: Duration::from_secs(self.every),
            keep: self.keep.into(),
        };
        attended(async |progress| {
            let stopping = progress.clone();
            tokio::spawn(async move {
                if stop_requested().await.is_ok() {
                    stopping.stop();
                }
            });
            backup::archive(&settings, archiving, progress, complain, &mut rng()).await
        })?;
        output::line(format_args!("Stopped; restore it with: issuance restore {}", self.to.display()))?;
        Ok(())
    }
}

fn complain(error: &backup::BackupError) {
    output::complain(format_args!("issuance: the log was not archived, it is tried again: {error}"));
}
