//! `issuance crl`

use clap::Args;

use super::confirm::confirm;
use super::{Folder, Outcome, now, output};
use crate::keys::{self, AuthoritySettings};

/// Issues the next revocation list of the CSCA (due every 90 days).
#[derive(Args)]
pub(super) struct CrlCommand {
    #[command(flatten)]
    folder: Folder,
    /// Serial number of a signer to revoke, in hexadecimal; spaces, colons and leading zeros do not
    /// matter. May be repeated.
    #[arg(long, value_name = "HEX")]
    revoke: Vec<String>,
    /// Revoke without being asked: for scripts.
    #[arg(long)]
    yes: bool,
}

impl CrlCommand {
    pub(super) fn run(self) -> Outcome {
        let store = self.folder.open()?;
        let utc_offset = AuthoritySettings::read(&store)?.utc_offset()?;
        let revoke = self.revoke.iter().map(|typed| keys::find_issued(&store, typed)).collect::<Result<Vec<_>, _>>()?;
        if !revoke.is_empty() {
            let list: Vec<_> = revoke.iter().map(|one| format!("  {one}")).collect();
            let what = format!(
                "To be revoked, for good; documents that it signed will be refused at every inspection:\n{}",
                list.join("\n")
            );
            confirm(&what, self.yes)?;
        }
        let serials: Vec<_> = revoke.iter().map(|one| one.certificate.serial().clone()).collect();
        let crl = keys::issue_crl(&store, &serials, now())?;
        for one in &revoke {
            output::line(format_args!("Revoked: {one}"))?;
        }
        Ok(output::line(format_args!(
            "csca.crl lists {} certificates, next due {}.",
            crl.revoked().len(),
            crl.next_update().map_or_else(String::new, |at| at.to_offset(utc_offset).date().to_string())
        ))?)
    }
}
