//! `issuance transport-key`

use std::error::Error;
use std::io::Read as _;

use clap::Args;
use zeroize::Zeroizing;

use super::{Folder, Outcome, output};
use crate::keys::CardKeys;

/// Takes in the transport master key of a manufacturer. Restart the service afterwards.
#[derive(Args)]
pub(super) struct TransportKeyCommand {
    #[command(flatten)]
    folder: Folder,
    /// NAME=FILE; the file holds 32, 48 or 64 hexadecimal digits, `-` reads standard input.
    #[arg(value_name = "NAME=FILE")]
    key: String,
}

impl TransportKeyCommand {
    pub(super) fn run(self) -> Outcome {
        let (id, key) = read(&self.key)?;
        CardKeys::import_transport(&self.folder.open()?.locked()?, &id, &key)?;
        output::line(format_args!("Transport master key `{id}` is taken in; restart the service."))?;
        Ok(())
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
