//! `issuance migrate`

use clap::Args;

use super::{Outcome, Place, output};
use crate::server;

/// Brings the tables of the database up to this version, as the first `serve` of it would.
///
/// With --dry-run it only lists the steps that are missing. A database of a newer version is refused. Back up before.
#[derive(Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    place: Place,
    /// Lists the steps, and changes nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Migrate {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        let steps = tokio::runtime::Runtime::new()?.block_on(server::migrate(&settings, self.dry_run))?;
        if steps.is_empty() {
            output::line(format_args!("The tables are those of this version; there is nothing to do."))?;
        }
        for step in steps {
            output::line(format_args!("{} {step}", if self.dry_run { "would apply" } else { "applied" }))?;
        }
        Ok(())
    }
}
