//! Computations shared by both roles: §4.3.1, §4.3.3.

use std::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::command::external_authenticate::LENGTH;
use crate::kdf::{self, MrzSecret};
use crate::sm::Keys;
use crate::suite::Cipher;

/// Document basic access keys (§9.7.2). Wiped when dropped.
pub struct AccessKeys {
    encryption: Zeroizing<Vec<u8>>,
    authentication: Zeroizing<Vec<u8>>,
}

impl AccessKeys {
    /// Returns the keys that the MRZ gives: its seed is the first sixteen bytes of the digest.
    pub fn new(secret: &MrzSecret) -> Self {
        let seed = &secret.digest()[..16];
        Self { encryption: kdf::encryption_key(CIPHER, seed), authentication: kdf::authentication_key(CIPHER, seed) }
    }

    /// Encrypts sender's nonce, receiver's nonce and sender's keying material, and appends the MAC.
    pub(super) fn cryptogram(&self, own: &Random, peer: [u8; 8]) -> [u8; LENGTH] {
        let plain = Zeroizing::new([&own.nonce[..], &peer, &own.keying].concat());
        let mut out = CIPHER.cbc_encrypt_zero_iv(&self.encryption, &plain);
        out.extend(CIPHER.mac(&self.authentication, &out));
        out.try_into().expect("32 bytes of cryptogram and 8 of MAC")
    }

    /// Checks the MAC, then the nonces: `own` must come back. Returns the sender's random values, or `None`.
    pub(super) fn open(&self, cryptogram: &[u8], own: [u8; 8]) -> Option<Random> {
        let (hidden, mac) = cryptogram.split_at_checked(LENGTH - 8)?;
        if !bool::from(CIPHER.mac(&self.authentication, hidden).as_slice().ct_eq(mac)) {
            return None;
        }
        let plain = Zeroizing::new(CIPHER.cbc_decrypt_zero_iv(&self.encryption, hidden)?);
        let peer = Random::new(plain[..8].try_into().ok()?, plain[16..].try_into().ok()?);
        bool::from(plain[8..16].ct_eq(&own)).then_some(peer)
    }
}

/// Shows nothing.
impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKeys(…)")
    }
}

/// Nonce and keying material of one side, for one run. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Random {
    pub(super) nonce: [u8; 8],
    pub(super) keying: [u8; 16],
}

impl Random {
    /// Generates fresh values.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut random = Self::new([0; 8], [0; 16]);
        rng.fill_bytes(&mut random.nonce);
        rng.fill_bytes(&mut random.keying);
        random
    }

    pub(super) fn new(nonce: [u8; 8], keying: [u8; 16]) -> Self {
        Self { nonce, keying }
    }
}

/// Shows nothing.
impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(…)")
    }
}

/// Returns the session keys and first counter (§4.3.1 step 5, §9.8.6.3).
pub(super) fn session(chip: &Random, terminal: &Random) -> (Keys, u64) {
    let seed: Zeroizing<Vec<u8>> =
        Zeroizing::new(chip.keying.iter().zip(&terminal.keying).map(|(ic, ifd)| ic ^ ifd).collect());
    let mut counter = [0; 8];
    counter[..4].copy_from_slice(&chip.nonce[4..]);
    counter[4..].copy_from_slice(&terminal.nonce[4..]);
    (Keys::derive(CIPHER, &seed), u64::from_be_bytes(counter))
}

const CIPHER: Cipher = Cipher::TripleDes;
