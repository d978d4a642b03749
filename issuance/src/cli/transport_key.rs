//! `issuance transport-key`

use std::error::Error;
use std::io::Read as _;

use clap::Args;
use zeroize::Zeroizing;

use super::confirm::confirm;
use super::{Folder, Outcome, output};
use crate::keys::{CardKeys, TakenIn};

/// Takes in the transport master key of a manufacturer. Restart the service afterwards.
///
/// A name that is there keeps its key.
#[derive(Args)]
pub(super) struct TransportKeyCommand {
    #[command(flatten)]
    folder: Folder,
    /// NAME=FILE; the file holds 32, 48 or 64 hexadecimal digits, `-` reads standard input.
    #[arg(value_name = "NAME=FILE")]
    key: String,
    /// Put the key in the place of another one of this name.
    #[arg(long)]
    replace: bool,
    /// Replace without being asked: for scripts.
    #[arg(long, requires = "replace")]
    yes: bool,
}

impl TransportKeyCommand {
    pub(super) fn run(self) -> Outcome {
        let (id, key) = read(&self.key)?;
        let store = self.folder.open()?;
        if self.replace
            && let Some(there) = CardKeys::transport_check_value(&store, &id)?
        {
            let what = format!(
                "Transport key `{id}` with the check value {there} will be replaced and is lost here: blanks that were delivered \
                 under it can be taken in no more, and a station that tries spoils them."
            );
            confirm(&what, self.yes)?;
        }
        let taken = CardKeys::import_transport(&store.locked()?, &id, &key, self.replace)?;
        let value = CardKeys::transport_check_value(&store, &id)?.unwrap_or_default();
        Ok(match taken {
            TakenIn::Equal => {
                output::line(format_args!("Transport master key `{id}` (check value {value}) was there."))
            }
            TakenIn::New | TakenIn::Replaced => output::line(format_args!(
                "Transport master key `{id}` is taken in: compare its check value {value} with the manufacturer's. Restart the \
                 service."
            )),
        }?)
    }
}

/// Identifier and key.
type TransportKey = (String, Zeroizing<Vec<u8>>);

/// Reads `NAME=FILE`.
pub(super) fn read(text: &str) -> Result<TransportKey, Box<dyn Error>> {
    let (name, file) = text.split_once('=').ok_or("--transport-key: NAME=FILE is needed")?;
    let mut digits = Zeroizing::new(String::new());
    match file {
        "-" => std::io::stdin().read_to_string(&mut digits)?,
        file => std::fs::File::open(file).map_err(|e| format!("{file}: {e}"))?.read_to_string(&mut digits)?,
    };
    let key = hex::decode(digits.trim()).map_err(|_| format!("{file} does not hold hexadecimal digits"))?;
    Ok((name.to_owned(), Zeroizing::new(key)))
}
