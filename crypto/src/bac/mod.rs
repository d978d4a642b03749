//! Basic access control: Doc 9303-11 (8th ed.) §4.3. For old foreign documents and for readers without PACE.
//!
//! ```
//! use crypto::apdu::Command;
//! use crypto::bac::{self, AccessKeys, Random};
//! use crypto::conversation::{Rehearsal, converse};
//! use crypto::{kdf::MrzSecret, mrz::MrzKey};
//!
//! let (mrz, mut rng) = (MrzKey::new("012345678", "900101", "300101")?, rand::rng());
//! let keys = || AccessKeys::new(&MrzSecret::from(&mrz));
//! let mut card = Rehearsal::new(bac::chip::Bac::new(keys(), Random::generate(&mut rng)));
//! let mut terminal = converse(&mut card, bac::terminal::Bac::new(keys(), Random::generate(&mut rng)))?;
//! let mut chip = card.into_output().expect("both ends have the channel");
//!
//! let read = Command::new(0xb0, 0x9e, 0).expecting(4);
//! let sealed = terminal.seal(&read)?;
//! assert_eq!(chip.open(&sealed), Ok(read));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod chip;
pub mod terminal;

mod messages;

#[cfg(test)]
mod tests;

pub use self::messages::{AccessKeys, Random};

/// Fixed values in place of random ones, for worked examples. Never for a real session.
pub mod hazmat {
    use super::Random;

    /// Returns this nonce and this keying material. Reusing them reveals the session keys.
    pub fn fixed(nonce: [u8; 8], keying: [u8; 16]) -> Random {
        Random::new(nonce, keying)
    }
}
