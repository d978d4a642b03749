//! Encryption at rest: AES-256-GCM under the service's one key-encryption key.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// The key-encryption key, opened. Clones share it.
#[derive(Clone)]
pub struct Secrets {
    key: Arc<RandomizedNonceKey>,
}

/// Shows no key.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// From 32 bytes.
    ///
    /// # Panics
    /// Never: 32 bytes are a key of AES-256.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: Arc::new(RandomizedNonceKey::new(&AES_256_GCM, key).expect("32 bytes are a key of AES-256")) }
    }

    /// Encrypts `plain` for the use named `purpose`: nonce (12 bytes), ciphertext, tag (16 bytes).
    ///
    /// # Panics
    /// Never: AES-GCM takes up to 64 GiB.
    #[must_use]
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let mut body = plain.to_vec();
        let nonce =
            self.key.seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut body).expect("less than 64 GiB");
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
            .key
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
