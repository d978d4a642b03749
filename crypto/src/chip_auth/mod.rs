//! Chip authentication over elliptic curves: Doc 9303-11 (8th ed.) §6.2.
//!
//! The chip proves its key by using the new channel: the first protected exchange on it is the proof. It counts only if
//! passive authentication proves the public key.
//!
//! ```
//! use std::sync::Arc;
//! use crypto::chip_auth::{chip, terminal};
//! use crypto::conversation::{Rehearsal, converse};
//! use crypto::suite::{Cipher, Curve, PrivateKey};
//!
//! let mut rng = rand::rng();
//! let private = Arc::new(PrivateKey::generate(Curve::P256, &mut rng));
//! let public = private.public(); // from the signed DG14
//! let keys = vec![chip::Key { private, key_id: None, ciphers: vec![Cipher::Aes128] }];
//! let mut card = Rehearsal::new(chip::ChipAuthentication::new(keys));
//! let channel = converse(&mut card, terminal::ChipAuthentication::new(Cipher::Aes128, public, None, &mut rng))?;
//! assert!(channel.is_open() && card.into_output().is_some());
//! # Ok::<(), crypto::conversation::Fault>(())
//! ```

pub mod chip;
pub mod terminal;

#[cfg(test)]
mod tests;

use crate::sm::Keys;
use crate::suite::{Cipher, EcError, PrivateKey, PublicKey};

/// Data object of the terminal's ephemeral key (§6.2.4.2).
const EPHEMERAL_KEY: u32 = 0x80;

/// Returns the session keys of the agreement (§6.2.1 step 3).
fn session_keys(cipher: Cipher, own: &PrivateKey, peer: &PublicKey) -> Result<Keys, EcError> {
    Ok(Keys::derive(cipher, &own.agree(peer)?))
}

/// Fixed values in place of random ones, for worked examples. Never for a real session.
pub mod hazmat {
    use super::terminal::ChipAuthentication;
    use crate::conversation::Fault;
    use crate::suite::{Cipher, PrivateKey, PublicKey};

    /// Creates the terminal role with this ephemeral key. Reusing it reveals the session keys.
    ///
    /// # Errors
    /// [`Fault::Unsupported`] if the two keys are of different curves.
    pub fn terminal(
        cipher: Cipher,
        chip: PublicKey,
        key_id: Option<u32>,
        ephemeral: PrivateKey,
    ) -> Result<ChipAuthentication, Fault> {
        ChipAuthentication::with_ephemeral(cipher, chip, key_id, ephemeral)
    }
}
