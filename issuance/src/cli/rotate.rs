//! `issuance rotate`

use clap::Args;

use super::{Folder, Outcome, RELOAD, now, output, rng};
use crate::keys::{self, KeyName};

/// Certifies a new key under the CSCA, for `ds` (signs for 92 days) or `trust-list-signer` (a year).
/// Reload the service afterwards (SIGHUP).
#[derive(Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    folder: Folder,
    /// The signer that gets a new key.
    #[arg(value_parser = ["ds", "trust-list-signer"])]
    signer: String,
}

impl Rotate {
    pub(super) fn run(self) -> Outcome {
        let name = if self.signer == "ds" { KeyName::DocumentSigner } else { KeyName::TrustListSigner };
        let certificate = keys::rotate(&self.folder.open()?, name, now(), &mut rng())?;
        output::line(format_args!("Certificate {} of {} is issued; {RELOAD}.", certificate.serial(), self.signer))?;
        Ok(())
    }
}
