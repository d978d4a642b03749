//! `issuance rekey`

use std::path::PathBuf;

use clap::Args;

use super::{Outcome, Place, output};
use crate::server::{self, Rekeyed};

/// Puts another key-encryption key in the place of the one in use. Neither service nor archive may run.
///
/// Everything that is sealed stays as it is: the root key, under which it is sealed, is sealed anew. A run
/// that was cut is repeated with the same arguments. Backups that were taken before open with the key of then:
/// keep it as long as them.
#[derive(Args)]
pub(super) struct RekeyCommand {
    #[command(flatten)]
    place: Place,
    /// File with the new key (64 hexadecimal digits, mode 0600). Afterwards name it as `key_file`, or put it in
    /// the place of the old file.
    #[arg(long, value_name = "FILE")]
    new_key_file: PathBuf,
}

impl RekeyCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        let runtime = tokio::runtime::Runtime::new()?;
        let file = self.new_key_file.display();
        match runtime.block_on(Box::pin(server::rekey(&settings, &self.new_key_file)))? {
            Rekeyed::Already => output::line(format_args!("The folder opens with {file} already."))?,
            Rekeyed::Done => output::line(format_args!("The folder opens with {file} from now on."))?,
        }
        Ok(output::line(format_args!(
            "Name it as `key_file`, or put it in the place of the old file. Keep the old key as long as the backups that were taken \
             under it, and destroy both together."
        ))?)
    }
}
