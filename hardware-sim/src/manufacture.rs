//! What the manufacturer decides: serials, and the transport keys under which chips are delivered.

use std::path::Path;

use crypto::identity::CardSerial;
use crypto::scp03::MasterKey;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

/// Returns the serial of the chip in slot `slot` of a simulation with this seed: `C1`, then nine bytes of a hash.
pub fn serial(seed: u64, slot: u32) -> CardSerial {
    let digest = Sha256::new()
        .chain_update(b"citizen card chip serial")
        .chain_update(seed.to_be_bytes())
        .chain_update(slot.to_be_bytes())
        .finalize();
    let mut serial = [0xc1; 10];
    serial[1..].copy_from_slice(&digest[..9]);
    CardSerial(serial)
}

/// Reads the transport master key as `--transport-master` gives it: 32, 48 or 64 hex digits, or the name
/// of a file that holds them.
///
/// # Errors
/// [`TransportMasterError`] if `text` is neither.
pub fn transport_master(text: &str) -> Result<MasterKey, TransportMasterError> {
    let key = |digits: &str| MasterKey::from_bytes(&Zeroizing::new(hex::decode(digits.trim()).ok()?)).ok();
    if let Some(master) = key(text) {
        return Ok(master);
    }
    match std::fs::read_to_string(Path::new(text)).map(Zeroizing::new) {
        Ok(content) => key(&content).ok_or_else(|| TransportMasterError::Content(text.to_owned())),
        Err(source) => Err(TransportMasterError::File { path: text.to_owned(), source }),
    }
}

/// Why the transport master key cannot be read.
#[derive(Debug, Error)]
pub enum TransportMasterError {
    /// The file holds something else.
    #[error("{0} does not hold an AES key of 32, 48 or 64 hex digits")]
    Content(String),
    /// It is neither a key nor a readable file.
    #[error("the transport master is neither 32, 48 or 64 hex digits nor a readable file ({path}: {source})")]
    File {
        /// The text that was given.
        path: String,
        /// The error of reading it as a file.
        source: std::io::Error,
    },
}
