//! Basic access control: Doc 9303-11 (8th ed.) §4.3. For old foreign documents, and for readers that know nothing better.

pub mod chip;
pub mod terminal;

mod messages;

#[cfg(test)]
mod tests;

pub use self::messages::{AccessKeys, Random};

/// Random numbers that are not random: for worked examples.
pub mod hazmat {
    use super::Random;

    /// This nonce and this keying material. Whoever uses them twice gives his sessions away.
    pub fn fixed(nonce: [u8; 8], keying: [u8; 16]) -> Random {
        Random::new(nonce, keying)
    }
}
