//! Signed answers: a detached JWS (RFC 7515, RFC 7797: `b64` false) over the exact bytes of the answer, under a key of
//! this office alone. A partner can later prove what it was told, and the register what it said.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::keys::{KeyStore, KeyStoreError, LockedKeyStore};

/// The key that signs answers, and the public halves of all that ever did.
#[derive(Clone)]
pub struct AnswerSigner {
    pair: Arc<EcdsaKeyPair>,
    /// Protected header, base64url: the same for every answer under this key.
    header: Arc<str>,
    sandbox: bool,
    keys: Arc<[AnswerKey]>,
}

/// Shows the identifier.
impl fmt::Debug for AnswerSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerSigner({:?})", self.keys.last().map(|key| &key.kid))
    }
}

/// A public key as a JWK (RFC 7517).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct AnswerKey {
    /// `EC`.
    pub kty: String,
    /// `P-256`.
    pub crv: String,
    /// Coordinate, base64url.
    pub x: String,
    /// Coordinate, base64url.
    pub y: String,
    /// Its thumbprint (RFC 7638): names it in signatures.
    pub kid: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub used_for: String,
    /// `ES256`.
    pub alg: String,
    /// Since when it signs.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// The protected header of a signature.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    b64: bool,
    crit: [&'a str; 1],
    kid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sandbox: bool,
}

impl Header<'_> {
    fn encoded(&self) -> Result<String, AnswerSignerError> {
        let header = serde_json::to_vec(self).map_err(|_| AnswerSignerError::Malformed)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(header))
    }
}

impl AnswerSigner {
    /// Opens the key; makes the first one in a folder that has none. A sandbox has keys of its own: a key that signs
    /// about invented people never signs an answer that does not say so.
    ///
    /// # Errors
    /// [`AnswerSignerError`]
    pub fn open(store: &KeyStore, now: OffsetDateTime, sandbox: bool) -> Result<Self, AnswerSignerError> {
        let (pair, keys) = if sandbox { OF_SANDBOX } else { OF_ANSWERS }.open(store, now)?;
        let mut signer = Self { pair: Arc::new(pair), header: "".into(), sandbox, keys: keys.into() };
        signer.header = signer.header_of(None, None).encoded()?.into();
        Ok(signer)
    }

    fn header_of<'a>(&'a self, answer: Option<&'a str>, request_sha256: Option<&'a str>) -> Header<'a> {
        let kid = self.keys.last().map_or("", |newest| &newest.kid);
        Header { alg: "ES256", b64: false, crit: ["b64"], kid, answer, request_sha256, sandbox: self.sandbox }
    }

    /// The public keys, oldest first; the last one signs.
    #[must_use]
    pub fn keys(&self) -> &[AnswerKey] {
        &self.keys
    }

    /// Signs an answer, a JSON object with members; that of a sandbox says first that it is one. Returns what was
    /// signed, and the detached signature: `header..signature`.
    ///
    /// # Errors
    /// [`AnswerSignerError::Signature`]
    pub fn sign(&self, mut answer: Vec<u8>) -> Result<(Vec<u8>, String), AnswerSignerError> {
        if self.sandbox {
            answer.splice(1..1, SANDBOX.iter().copied());
        }
        let signature = signature(&self.pair, &self.header, &answer)?;
        Ok((answer, format!("{}..{signature}", self.header)))
    }

    /// Signs an answer as another interface writes it: its protected header names the answer that is kept and holds
    /// the SHA-256 of the question, hexadecimal. Returns the detached signature.
    ///
    /// # Errors
    /// [`AnswerSignerError::Signature`]
    pub(super) fn sign_rendered(
        &self,
        rendered: &[u8],
        answer: &str,
        request_sha256: &str,
    ) -> Result<String, AnswerSignerError> {
        self.detached(rendered, Some(answer), Some(request_sha256))
    }

    /// Signs a message that no question asked for: its protected header names the message. Returns the detached
    /// signature.
    ///
    /// # Errors
    /// [`AnswerSignerError::Signature`]
    pub(super) fn sign_message(&self, rendered: &[u8], message: &str) -> Result<String, AnswerSignerError> {
        self.detached(rendered, Some(message), None)
    }

    fn detached(
        &self,
        rendered: &[u8],
        answer: Option<&str>,
        request_sha256: Option<&str>,
    ) -> Result<String, AnswerSignerError> {
        let header = self.header_of(answer, request_sha256).encoded()?;
        let signature = signature(&self.pair, &header, rendered)?;
        Ok(format!("{header}..{signature}"))
    }
}

/// The public keys of answers, as the register publishes them and a partner pins them, oldest first; the last one signs
/// (JWK Set, RFC 7517).
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AnswerKeys {
    /// The keys.
    pub(super) keys: Vec<AnswerKey>,
}

impl AnswerKeys {
    /// True if a detached signature is over this answer, by one of these keys.
    #[must_use]
    pub fn verify(&self, answer: &[u8], signature: &str) -> bool {
        self.verified(answer, signature).is_some()
    }

    fn verified(&self, answer: &[u8], signature: &str) -> Option<()> {
        #[derive(Deserialize)]
        struct Said {
            alg: String,
            b64: bool,
            crit: Vec<String>,
            kid: String,
        }
        let decoded = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let (header, signature) = signature.split_once("..")?;
        let said: Said = serde_json::from_slice(&decoded(header)?).ok()?;
        if said.alg != "ES256" || said.b64 || said.crit != ["b64"] {
            return None;
        }
        let key = self.keys.iter().find(|key| key.kid == said.kid)?;
        key.verify(&[header.as_bytes(), b".", answer].concat(), &decoded(signature)?)
    }
}

impl AnswerKey {
    /// Returns something if a signature (two numbers of 32 bytes) is over this message, by this key.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let decoded = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        // Uncompressed: 04, then two coordinates of 32 bytes.
        let point = [vec![4], decoded(&self.x)?, decoded(&self.y)?].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).ok()
    }
}

/// Signs what stands behind a protected header. Returns the signature, base64url.
pub(super) fn signature(pair: &EcdsaKeyPair, header: &str, behind: &[u8]) -> Result<String, AnswerSignerError> {
    let input = [header.as_bytes(), b".", behind].concat();
    let signature = pair.sign(&randomness(), &input).map_err(|_| AnswerSignerError::Signature)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[expect(clippy::disallowed_methods, reason = "the library makes keys and signs with its own randomness only")]
fn randomness() -> SystemRandom {
    SystemRandom::new()
}

/// Keys of one use: where they rest in the key folder. Keys of one use sign nothing of another.
pub(super) struct Ring {
    /// Beginning of the keys' names in the store.
    pub prefix: &'static str,
    /// The public keys, oldest first; the last one signs.
    pub file: &'static str,
}

impl Ring {
    /// Opens the key that signs; makes the first one in a folder that has none. Returns it with the public keys.
    ///
    /// # Errors
    /// [`AnswerSignerError`]
    pub fn open(
        &self,
        store: &KeyStore,
        now: OffsetDateTime,
    ) -> Result<(EcdsaKeyPair, Vec<AnswerKey>), AnswerSignerError> {
        let malformed = || AnswerSignerError::Malformed;
        // The list that is published says which keys count: a key of which it does not tell was cut while it was made.
        if self.published(store)?.is_empty() {
            let locked = store.locked()?;
            // Another process may have made it while this one waited.
            if self.published(store)?.is_empty() {
                self.make(store, &locked, now)?;
            }
        }
        let keys = self.published(store)?;
        let newest = keys.last().ok_or_else(malformed)?;
        let pkcs8 = store.load(&format!("{}{}", self.prefix, newest.kid))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).map_err(|_| malformed())?;
        if jwk(&pair, newest.since)? != *newest {
            return Err(malformed());
        }
        Ok((pair, keys))
    }

    /// Makes a key, and publishes it as the newest: the one moment at which it counts.
    fn make(
        &self,
        store: &KeyStore,
        locked: &LockedKeyStore<'_>,
        now: OffsetDateTime,
    ) -> Result<(), AnswerSignerError> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &randomness())
            .map_err(|_| AnswerSignerError::Signature)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())
            .map_err(|_| AnswerSignerError::Malformed)?;
        let key = jwk(&pair, now)?;
        locked.put(&format!("{}{}", self.prefix, key.kid), pkcs8.as_ref())?;
        let mut keys = self.published(store)?;
        keys.push(key);
        let text = serde_json::to_vec_pretty(&keys).map_err(|_| AnswerSignerError::Malformed)?;
        Ok(locked.publish(self.file, &text)?)
    }

    /// Returns the public keys, oldest first; none where none was made yet.
    fn published(&self, store: &KeyStore) -> Result<Vec<AnswerKey>, AnswerSignerError> {
        match store.public(self.file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| AnswerSignerError::Malformed),
            Err(KeyStoreError::Missing(_)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the public half as a JWK, named by its thumbprint.
fn jwk(pair: &EcdsaKeyPair, since: OffsetDateTime) -> Result<AnswerKey, AnswerSignerError> {
    let point = pair.public_key().as_ref();
    // Uncompressed: 04, then two coordinates of 32 bytes.
    let (Some(x), Some(y), 65) = (point.get(1..33), point.get(33..65), point.len()) else {
        return Err(AnswerSignerError::Malformed);
    };
    let [x, y] = [x, y].map(|coordinate| BASE64_URL_SAFE_NO_PAD.encode(coordinate));
    // RFC 7638: the members that are required, in the order of their names.
    let print = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let kid = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(print));
    let [kty, crv, used_for, alg] = ["EC", "P-256", "sig", "ES256"].map(str::to_owned);
    Ok(AnswerKey { kty, crv, x, y, kid, used_for, alg, since: since.replace_nanosecond(0).unwrap_or(since) })
}

/// The keys of answers.
const OF_ANSWERS: Ring = Ring { prefix: "exchange-", file: "exchange-keys.json" };
/// The keys of a sandbox's answers.
const OF_SANDBOX: Ring = Ring { prefix: "sandbox-", file: "sandbox-keys.json" };
/// What stands first in an answer of a sandbox.
const SANDBOX: &[u8] = br#""sandbox":true,"#;

/// Why no answer can be signed.
#[derive(Debug, Error)]
pub enum AnswerSignerError {
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The keys of the folder are not what they should be.
    #[error("the exchange's public keys and the key that signs do not belong together; restore both from one backup")]
    Malformed,
    /// The library.
    #[error("an answer cannot be signed")]
    Signature,
}
