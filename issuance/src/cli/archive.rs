//! `issuance archive`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::backup::{Readers, attended};
use super::{Outcome, Place, output, rng};
use crate::server::backup::{self, Archiving, News, Order};

/// Archives the log of the SQLite database as it is written, until it is stopped: what is lost with the machine is what
/// came in the last seconds.
///
/// Runs beside the service. Begins with a backup in a folder of its own in DIR, and adds every few seconds what came to
/// the database's log, with the objects that came with it; `issuance restore DIR` puts back all of it. PostgreSQL
/// archives its log itself.
#[derive(Args)]
pub(super) struct ArchiveCommand {
    /// The folder of the archive, on another machine's disk. It is made [default:
    /// `backup.archive` of the configuration].
    #[arg(value_name = "DIR")]
    to: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    readers: Readers,
    /// Seconds between two copies of the log.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=60))]
    every: u64,
    /// So many generations are kept; the older ones are removed.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    keep: u16,
    /// A disk of the archive on which nothing moves for so many seconds is said not to answer; it is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    patience: u64,
    /// DIR is a new disk: it need not have the mark by which the disk of before is known.
    #[arg(long)]
    new_medium: bool,
}

impl ArchiveCommand {
    pub(super) fn run(self) -> Outcome {
        let config = self.place.config()?;
        let settings = config.settings()?;
        let to = self.to.or(config.backup.archive.clone());
        let to = to.ok_or("no folder is named: say DIR, or set `backup.archive`")?;
        let (recipients, keys_recipients) = self.readers.of(&config.backup)?;
        let archiving = Archiving {
            order: Order {
                to: to.clone(),
                recipients,
                keys_recipients,
                pg_dump: PathBuf::new(),
                config: self.place.folder.file(),
            },
            every: Duration::from_secs(self.every),
            keep: self.keep.into(),
            patience: Duration::from_secs(self.patience),
            new_medium: self.new_medium,
        };
        attended(async |progress| backup::archive(&settings, archiving, progress, tell, &mut rng()).await)?;
        output::line(format_args!("Stopped; restore it with: issuance restore {}", to.display()))?;
        Ok(())
    }
}

fn tell(news: News<'_>) {
    match news {
        News::Failing(error) => {
            output::complain(format_args!("issuance: the log was not archived, it is tried again: {error}"));
        }
        News::Again => output::complain(format_args!("issuance: the log is archived again")),
    }
}
