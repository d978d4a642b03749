//! Key derivation: Doc 9303-11 (8th ed.) §9.7.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::mrz::MrzKey;
use crate::suite::{Cipher, Hash};

/// SHA-1 of the MRZ information. BAC and PACE derive their keys from it (§9.7.2, §9.7.3); a chip
/// stores only this digest.
///
/// Wiped when dropped; `Debug` shows nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MrzSecret([u8; 20]);

impl MrzSecret {
    /// Creates it from the digest, as it is written to the chip.
    pub fn from_digest(digest: [u8; 20]) -> Self {
        Self(digest)
    }

    /// Returns the digest.
    pub fn digest(&self) -> &[u8; 20] {
        &self.0
    }
}

impl From<&MrzKey> for MrzSecret {
    fn from(key: &MrzKey) -> Self {
        let digest = Zeroizing::new(Hash::Sha1.digest(key.information().as_bytes()));
        Self(digest.as_slice().try_into().expect("SHA-1 gives 20 bytes"))
    }
}

impl fmt::Debug for MrzSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MrzSecret(…)")
    }
}

/// Returns the key for `cipher` that `secret` gives under this counter: `KDF(K, c)` of §9.7.1,
/// [`Cipher::key_len`] bytes.
///
/// Parity bits of DES keys are adjusted; the standard leaves that open, and the worked examples do it.
pub fn derive(cipher: Cipher, secret: &[u8], counter: u32) -> Zeroizing<Vec<u8>> {
    let hash = match cipher {
        Cipher::TripleDes | Cipher::Aes128 => Hash::Sha1,
        Cipher::Aes192 | Cipher::Aes256 => Hash::Sha256,
    };
    let input = Zeroizing::new([secret, &counter.to_be_bytes()].concat());
    let mut key = Zeroizing::new(hash.digest(&input));
    key.truncate(cipher.key_len());
    if cipher == Cipher::TripleDes {
        for byte in key.iter_mut() {
            *byte ^= u8::from(byte.count_ones().is_multiple_of(2));
        }
    }
    key
}

/// Returns the key that encrypts: counter 1 (§9.7.2, §9.7.4).
pub fn encryption_key(cipher: Cipher, secret: &[u8]) -> Zeroizing<Vec<u8>> {
    derive(cipher, secret, 1)
}

/// Returns the key that authenticates: counter 2 (§9.7.2, §9.7.4).
pub fn authentication_key(cipher: Cipher, secret: &[u8]) -> Zeroizing<Vec<u8>> {
    derive(cipher, secret, 2)
}

/// Returns the key that encrypts the nonce of PACE: counter 3 (§9.7.3); `secret` is the encoded password.
pub fn password_key(cipher: Cipher, secret: &[u8]) -> Zeroizing<Vec<u8>> {
    derive(cipher, secret, 3)
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    #[test]
    fn worked_example_of_appendix_d1() {
        let seed = hex!("239AB9CB282DAF66231DC5A4DF6BFBAE");
        let cipher = Cipher::TripleDes;
        assert_eq!(*encryption_key(cipher, &seed), hex!("AB94FDECF2674FDFB9B391F85D7F76F2"));
        assert_eq!(*authentication_key(cipher, &seed), hex!("7962D9ECE03D1ACD4C76089DCE131543"));
    }

    #[test]
    fn password_key_of_appendix_g1() {
        let secret = MrzSecret::from(&MrzKey::new("T22000129", "640812", "101031").unwrap());
        assert_eq!(*secret.digest(), hex!("7E2D2A41C74EA0B38CD36F863939BFA8E9032AAD"));
        assert_eq!(*password_key(Cipher::Aes128, secret.digest()), hex!("89DED1B26624EC1E634C1989302849DD"));
    }

    #[test]
    fn mrz_secret_of_appendix_d2() {
        let secret = MrzSecret::from(&MrzKey::new("L898902C", "690806", "940623").unwrap());
        assert_eq!(*secret.digest(), hex!("239AB9CB282DAF66231DC5A4DF6BFBAEDF477565"));
    }

    #[test]
    fn keys_are_as_long_as_their_cipher_wants() {
        for cipher in Cipher::ALL {
            assert_eq!(encryption_key(cipher, b"secret").len(), cipher.key_len());
        }
        let long = derive(Cipher::Aes256, b"secret", 1);
        assert_eq!(derive(Cipher::Aes192, b"secret", 1)[..], long[..24]);
    }
}
