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
}

impl AnswerSigner {
    /// Opens the key; makes the first one in a folder that has none.
    ///
    /// # Errors
    /// [`AnswerSignerError`]
    pub fn open(store: &KeyStore, now: OffsetDateTime) -> Result<Self, AnswerSignerError> {
        // The list that is published says which keys count: a key of which it does not tell was cut while it was made.
        if published(store)?.is_empty() {
            let locked = store.locked()?;
            // Another process may have made it while this one waited.
            if published(store)?.is_empty() {
                make(store, &locked, now)?;
            }
        }
        let keys = published(store)?;
        let newest = keys.last().ok_or(AnswerSignerError::Malformed)?;
        let pkcs8 = store.load(&format!("{PREFIX}{}", newest.kid))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|_| AnswerSignerError::Malformed)?;
        if jwk(&pair, newest.since)? != *newest {
            return Err(AnswerSignerError::Malformed);
        }
        let header = Header { alg: "ES256", b64: false, crit: ["b64"], kid: &newest.kid };
        let header = serde_json::to_vec(&header).map_err(|_| AnswerSignerError::Malformed)?;
        let header = BASE64_URL_SAFE_NO_PAD.encode(header).into();
        Ok(Self { pair: Arc::new(pair), header, keys: keys.into() })
    }

    /// The public keys, oldest first; the last one signs.
    #[must_use]
    pub fn keys(&self) -> &[AnswerKey] {
        &self.keys
    }

    /// Signs an answer. Returns the detached signature: `header..signature`.
    ///
    /// # Errors
    /// [`AnswerSignerError::Signature`]
    pub fn sign(&self, answer: &[u8]) -> Result<String, AnswerSignerError> {
        let mut input = Vec::with_capacity(self.header.len() + 1 + answer.len());
        input.extend_from_slice(self.header.as_bytes());
        input.push(b'.');
        input.extend_from_slice(answer);
        let signature = self.pair.sign(&randomness(), &input).map_err(|_| AnswerSignerError::Signature)?;
        Ok(format!("{}..{}", self.header, BASE64_URL_SAFE_NO_PAD.encode(signature)))
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
        // Uncompressed: 04, then two coordinates of 32 bytes.
        let point = [vec![4], decoded(&key.x)?, decoded(&key.y)?].concat();
        let message = [header.as_bytes(), b".", answer].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(&message, &decoded(signature)?).ok()
    }
}

#[expect(clippy::disallowed_methods, reason = "the library makes keys and signs with its own randomness only")]
fn randomness() -> SystemRandom {
    SystemRandom::new()
}

/// Makes a key, and publishes it as the newest: the one moment at which it counts.
fn make(store: &KeyStore, locked: &LockedKeyStore<'_>, now: OffsetDateTime) -> Result<(), AnswerSignerError> {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &randomness())
        .map_err(|_| AnswerSignerError::Signature)?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())
        .map_err(|_| AnswerSignerError::Malformed)?;
    let key = jwk(&pair, now)?;
    locked.put(&format!("{PREFIX}{}", key.kid), pkcs8.as_ref())?;
    let mut keys = published(store)?;
    keys.push(key);
    let text = serde_json::to_vec_pretty(&keys).map_err(|_| AnswerSignerError::Malformed)?;
    Ok(locked.publish(FILE, &text)?)
}

/// Returns the public keys, oldest first; none where none was made yet.
fn published(store: &KeyStore) -> Result<Vec<AnswerKey>, AnswerSignerError> {
    match store.public(FILE) {
        Ok(text) => serde_json::from_slice(&text).map_err(|_| AnswerSignerError::Malformed),
        Err(KeyStoreError::Missing(_)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
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

/// Beginning of the keys' names in the store.
const PREFIX: &str = "exchange-";
/// The public keys.
const FILE: &str = "exchange-keys.json";

/// Why no answer can be signed.
#[derive(Debug, Error)]
pub enum AnswerSignerError {
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The keys of the folder are not what they should be.
    #[error("exchange-keys.json and the key that signs answers do not belong together; restore both from one backup")]
    Malformed,
    /// The library.
    #[error("an answer cannot be signed")]
    Signature,
}
