//! `issuance crl`

use clap::Args;
use crypto::pki::SerialNumber;

use super::{Folder, Outcome, now};
use crate::keys::{self, AuthoritySettings};

/// Issues the next revocation list of the CSCA (due every 90 days).
#[derive(Args)]
pub(super) struct CrlCommand {
    #[command(flatten)]
    folder: Folder,
    /// Serial number of a document signer to revoke, in hexadecimal. May be repeated.
    #[arg(long, value_name = "HEX")]
    revoke: Vec<String>,
}

impl CrlCommand {
    pub(super) fn run(self) -> Outcome {
        let serial = |text: &String| Ok::<_, hex::FromHexError>(SerialNumber::from_content(&hex::decode(text)?));
        let serials = self.revoke.iter().map(serial).collect::<Result<Vec<_>, _>>()?;
        let store = self.folder.open()?;
        let utc_offset = AuthoritySettings::read(&store)?.utc_offset()?;
        let crl = keys::issue_crl(&store, &serials, now())?;
        println!(
            "csca.crl lists {} certificates, next due {}.",
            crl.revoked().len(),
            crl.next_update().map_or_else(String::new, |at| at.to_offset(utc_offset).date().to_string())
        );
        Ok(())
    }
}
