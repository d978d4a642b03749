//! Encryption at rest: AES-256-GCM under keys derived from the service's one key-encryption key.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use thiserror::Error;
use zeroize::Zeroizing;

/// The key-encryption key, opened. Clones share it.
///
/// Each purpose has a key of its own (HMAC-SHA-256 of the purpose under the key-encryption key). Purposes name single
/// records, so random nonces of 12 bytes do not wear a key out, however many records there are.
#[derive(Clone)]
pub struct Secrets {
    key: Arc<Zeroizing<[u8; 32]>>,
}

/// Shows no key.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// From 32 bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: Arc::new(Zeroizing::new(*key)) }
    }

    /// Returns a keyed fingerprint of `bytes` for the use named `purpose`: the same for the same bytes, and
    /// without the key worth nothing.
    #[must_use]
    pub fn fingerprint(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.derived("fingerprint", purpose));
        hmac::sign(&key, bytes).as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
    }

    fn derived(&self, use_of: &str, purpose: &str) -> Zeroizing<[u8; 32]> {
        let master = hmac::Key::new(hmac::HMAC_SHA256, &**self.key);
        let tag = hmac::sign(&master, format!("{use_of}\0{purpose}").as_bytes());
        Zeroizing::new(tag.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes"))
    }

    fn aead(&self, purpose: &str) -> RandomizedNonceKey {
        let key = self.derived("aead", purpose);
        RandomizedNonceKey::new(&AES_256_GCM, &*key).expect("32 bytes are a key of AES-256")
    }

    /// Encrypts `plain` for the use named `purpose`: nonce (12 bytes), ciphertext, tag (16 bytes).
    ///
    /// # Panics
    /// Never: AES-GCM takes up to 64 GiB.
    #[must_use]
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let mut body = plain.to_vec();
        let nonce = self
            .aead(purpose)
            .seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut body)
            .expect("less than 64 GiB");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut body);
        sealed
    }

    /// Decrypts what was sealed for the same `purpose`.
    ///
    /// # Errors
    /// [`SecretsError::NotOurs`] if a bit differs, or the key or the purpose is another.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        let (nonce, body) = sealed.split_at_checked(12).ok_or(SecretsError::NotOurs)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SecretsError::NotOurs)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .aead(purpose)
            .open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut body)
            .map_err(|_| SecretsError::NotOurs)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

/// Why a secret stays closed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SecretsError {
    /// Changed, or sealed under another key or for another purpose.
    #[error("sealed under another key or for another purpose, or changed")]
    NotOurs,
}
