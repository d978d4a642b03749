//! Secure messaging: Doc 9303-11 (8th ed.) §9.8.
//!
//! The two ends are two types over one private `ChannelState`: the terminal only seals commands and opens responses,
//! the chip only opens commands and seals responses. After the first error a channel is dead for good.
//!
//! ```
//! use crypto::apdu::{Command, Response};
//! use crypto::{sm, suite::Cipher};
//!
//! let keys = || sm::Keys::derive(Cipher::Aes128, b"from PACE");
//! let (mut terminal, mut chip) = (sm::Terminal::new(keys()), sm::Chip::new(keys()));
//! let command = Command::new(0xb0, 0x81, 0).expecting(16);
//! let sealed = terminal.seal(&command)?;
//! assert_eq!(chip.open(&sealed), Ok(command));
//! let answer = chip.seal(Response::success([1, 2, 3]));
//! assert_eq!(terminal.open(&answer)?.data, [1, 2, 3]);
//! assert!(terminal.open(&answer).is_err()); // a replay; the channel is dead now
//! # Ok::<(), crypto::conversation::Fault>(())
//! ```

mod chip;
mod session;
mod terminal;

#[cfg(test)]
mod tests;

use std::fmt;

use zeroize::Zeroizing;

pub use self::chip::Chip;
pub use self::terminal::Terminal;
use crate::suite::Cipher;
use crate::suite::cipher::MAC_LEN;
use crate::{kdf, tlv};

/// The two session keys. Wiped when dropped, never cloned, never shown.
pub struct Keys {
    cipher: Cipher,
    encryption: Zeroizing<Vec<u8>>,
    authentication: Zeroizing<Vec<u8>>,
}

impl Keys {
    /// Derives both keys from a shared secret (§9.7.4).
    pub fn derive(cipher: Cipher, secret: &[u8]) -> Self {
        let (encryption, authentication) =
            (kdf::encryption_key(cipher, secret), kdf::authentication_key(cipher, secret));
        Self { cipher, encryption, authentication }
    }

    /// Returns the cipher.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Returns an authentication token or MAC outside of secure messaging, under the authentication key.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; MAC_LEN] {
        self.cipher.mac(&self.authentication, message)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({:?}, …)", self.cipher)
    }
}

/// Returns the most plain bytes that fit a protected response data field of `most` bytes: what a
/// terminal may ask for at once.
///
/// For a short response (`most` = 256) that is 231 bytes under triple DES and 223 under AES.
pub fn response_capacity(cipher: Cipher, most: usize) -> usize {
    capacity(cipher, most, STATUS_OBJECT + MAC_OBJECT)
}

/// Returns the most plain bytes that fit a protected command data field of `most` bytes, with an
/// expected length beside them.
pub fn command_capacity(cipher: Cipher, most: usize) -> usize {
    capacity(cipher, most, EXPECTED_OBJECT + MAC_OBJECT)
}

fn capacity(cipher: Cipher, most: usize, others: usize) -> usize {
    let room = most.saturating_sub(others);
    let block = cipher.block_len();
    // The object 87 around n whole blocks: tag, length, padding indicator.
    let mut blocks = room / block;
    while blocks > 0 && tlv::header_length(0x87, blocks * block + 1) + 1 + blocks * block > room {
        blocks -= 1;
    }
    (blocks * block).saturating_sub(1) // at least one byte of padding
}

/// Length of the object 99.
const STATUS_OBJECT: usize = 4;
/// Length of the object 8E.
const MAC_OBJECT: usize = 2 + MAC_LEN;
/// Length of the object 97 at most.
const EXPECTED_OBJECT: usize = 4;
