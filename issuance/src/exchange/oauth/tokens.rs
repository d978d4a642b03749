//! Access tokens: short-lived JWTs (RFC 9068) under a key of their own, each bound to the client certificate of the
//! system that it was given to (RFC 8705), and verified by the rules of RFC 8725.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::EcdsaKeyPair;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Duration, OffsetDateTime};

use super::super::signing::{self, AnswerKey, AnswerSignerError, Ring};
use crate::keys::KeyStore;

/// The key that signs access tokens, and the public halves of all that ever did.
#[derive(Clone)]
pub struct TokenSigner {
    pair: Arc<EcdsaKeyPair>,
    keys: Arc<[AnswerKey]>,
}

/// Shows the identifier.
impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSigner({:?})", self.keys.last().map(|key| &key.kid))
    }
}

/// What a token says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::exchange) struct Claims {
    /// Who gave it: the setting `exchange.issuer`.
    pub iss: String,
    /// For whom: the exchange of this service.
    pub aud: String,
    /// The system of the partner.
    pub sub: String,
    /// The same, as the client of OAuth.
    pub client_id: String,
    /// What it may be used for, with spaces.
    pub scope: String,
    /// When it was given, in seconds since 1970.
    pub iat: i64,
    /// From when on it is over, in seconds since 1970.
    pub exp: i64,
    /// Its identifier: the trail names it.
    pub jti: String,
    /// To what it is bound.
    pub cnf: Bound,
}

/// The client certificate to which a token is bound (RFC 8705, section 3.1).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::exchange) struct Bound {
    /// SHA-256 of the certificate (DER), base64url.
    #[serde(rename = "x5t#S256")]
    pub certificate: String,
}

impl Bound {
    /// Bound to the certificate with this SHA-256.
    pub fn to(certificate: &[u8; 32]) -> Self {
        Self { certificate: BASE64_URL_SAFE_NO_PAD.encode(certificate) }
    }
}

/// What a token must say to count on a connection.
pub(in crate::exchange) struct Wanted<'a> {
    /// Who gave it.
    pub issuer: &'a str,
    /// For whom.
    pub audience: &'a str,
    /// The system whose certificate the connection shows.
    pub system: &'a str,
    /// SHA-256 of that certificate.
    pub certificate: &'a [u8; 32],
    /// The moment.
    pub now: OffsetDateTime,
}

/// Why a token does not count. It quotes nothing of the token.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(in crate::exchange) enum TokenUnfit {
    /// Another audience or issuer.
    #[error("the token was not given by this service for its exchange")]
    Audience,
    /// Not bound to the certificate of the connection.
    #[error("the token is bound to another certificate or system than the connection shows")]
    Certificate,
    /// Not a JWT of the one kind.
    #[error("the token is no JWT of type at+jwt signed with ES256 under a key of this service")]
    Form,
    /// None was sent.
    #[error("no access token was sent (Authorization: Bearer)")]
    Missing,
    /// Its time is over, or has not begun.
    #[error("the token is over")]
    Over,
}

/// The protected header. A member that is not here refuses the token: none that brings a key, or changes how the
/// signature is made, is understood.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

impl TokenSigner {
    /// Opens the key; makes the first one in a folder that has none.
    ///
    /// # Errors
    /// [`AnswerSignerError`]
    pub fn open(store: &KeyStore, now: OffsetDateTime, sandbox: bool) -> Result<Self, AnswerSignerError> {
        let (pair, keys) = if sandbox { OF_SANDBOX } else { OF_TOKENS }.open(store, now)?;
        Ok(Self { pair: Arc::new(pair), keys: keys.into() })
    }

    /// The public keys, oldest first; the last one signs.
    pub(in crate::exchange) fn keys(&self) -> &[AnswerKey] {
        &self.keys
    }

    /// Signs a token.
    ///
    /// # Errors
    /// [`AnswerSignerError::Signature`]
    pub(in crate::exchange) fn sign(&self, claims: &Claims) -> Result<String, AnswerSignerError> {
        let malformed = |_| AnswerSignerError::Malformed;
        let kid = self.keys.last().map_or_else(String::new, |newest| newest.kid.clone());
        let header = Header { alg: ALG.to_owned(), typ: TYP.to_owned(), kid };
        let header = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).map_err(malformed)?);
        let claims = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).map_err(malformed)?);
        let signature = signing::signature(&self.pair, &header, claims.as_bytes())?;
        Ok(format!("{header}.{claims}.{signature}"))
    }

    /// Returns what a token says, if it counts on this connection at this moment.
    ///
    /// # Errors
    /// [`TokenUnfit`]
    pub(in crate::exchange) fn verify(&self, token: &str, wanted: &Wanted<'_>) -> Result<Claims, TokenUnfit> {
        let claims = self.signed(token).ok_or(TokenUnfit::Form)?;
        if claims.iss != wanted.issuer || claims.aud != wanted.audience {
            return Err(TokenUnfit::Audience);
        }
        let now = wanted.now.unix_timestamp();
        if claims.exp <= now || claims.iat > now + APART.whole_seconds() {
            return Err(TokenUnfit::Over);
        }
        let of_system = claims.client_id == wanted.system && claims.sub == wanted.system;
        if !of_system || claims.cnf != Bound::to(wanted.certificate) {
            return Err(TokenUnfit::Certificate);
        }
        Ok(claims)
    }

    /// Returns what a token of the one kind says whose signature is by one of our keys.
    fn signed(&self, token: &str) -> Option<Claims> {
        let decoded = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        if token.len() > LONGEST {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let said: Header = serde_json::from_slice(&decoded(header)?).ok()?;
        if said.alg != ALG || said.typ != TYP {
            return None;
        }
        let key = self.keys.iter().find(|key| key.kid == said.kid)?;
        key.verify(message.as_bytes(), &decoded(signature)?)?;
        serde_json::from_slice(&decoded(claims)?).ok()
    }
}

/// The one algorithm.
const ALG: &str = "ES256";
/// The one type.
const TYP: &str = "at+jwt";
/// A longer text is no token of ours.
const LONGEST: usize = 8 * 1024;
/// The clocks of the processes of one service are apart by less.
const APART: Duration = Duration::minutes(1);
/// The keys of tokens.
const OF_TOKENS: Ring = Ring { prefix: "exchange-token-", file: "exchange-token-keys.json" };
/// The keys of a sandbox's tokens.
const OF_SANDBOX: Ring = Ring { prefix: "sandbox-token-", file: "sandbox-token-keys.json" };

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    const SYSTEM: &str = "0199f000-0000-7000-8000-000000000001";
    const NOW: OffsetDateTime = datetime!(2026-11-27 08:00 UTC);

    fn signer() -> (tempfile::TempDir, TokenSigner) {
        let folder = tempfile::tempdir().unwrap();
        let rng = &mut crate::ground::Randomness::seeded(1).draw();
        let store = KeyStore::init(folder.path(), None, rng).unwrap();
        let signer = TokenSigner::open(&store, NOW, false).unwrap();
        (folder, signer)
    }

    fn claims() -> Claims {
        Claims {
            iss: "https://register.invalid".to_owned(),
            aud: "https://register.invalid/exchange".to_owned(),
            sub: SYSTEM.to_owned(),
            client_id: SYSTEM.to_owned(),
            scope: "exchange.confirm".to_owned(),
            iat: NOW.unix_timestamp(),
            exp: NOW.unix_timestamp() + 600,
            jti: "1".to_owned(),
            cnf: Bound::to(&[7; 32]),
        }
    }

    fn wanted() -> Wanted<'static> {
        Wanted {
            issuer: "https://register.invalid",
            audience: "https://register.invalid/exchange",
            system: SYSTEM,
            certificate: &[7; 32],
            now: NOW,
        }
    }

    #[test]
    fn a_token_counts_for_its_system_on_its_certificate_until_it_is_over() {
        let (_folder, signer) = signer();
        let token = signer.sign(&claims()).unwrap();
        assert_eq!(signer.verify(&token, &wanted()), Ok(claims()));
        let refused = |wanted: Wanted<'_>| signer.verify(&token, &wanted).unwrap_err();
        assert_eq!(refused(Wanted { certificate: &[8; 32], ..wanted() }), TokenUnfit::Certificate);
        assert_eq!(refused(Wanted { system: "another", ..wanted() }), TokenUnfit::Certificate);
        assert_eq!(refused(Wanted { issuer: "https://elsewhere.invalid", ..wanted() }), TokenUnfit::Audience);
        assert_eq!(refused(Wanted { audience: "https://elsewhere.invalid", ..wanted() }), TokenUnfit::Audience);
        assert_eq!(refused(Wanted { now: NOW + Duration::seconds(600), ..wanted() }), TokenUnfit::Over);
        assert!(signer.verify(&token, &Wanted { now: NOW + Duration::seconds(599), ..wanted() }).is_ok());
        assert_eq!(refused(Wanted { now: NOW - Duration::minutes(2), ..wanted() }), TokenUnfit::Over);
        let (_folder, other) = self::signer();
        assert_eq!(other.verify(&token, &wanted()), Err(TokenUnfit::Form), "a key that was made elsewhere");
    }

    #[test]
    fn no_algorithm_type_or_member_is_taken_but_the_one_kind() {
        let (_folder, signer) = signer();
        let token = signer.sign(&claims()).unwrap();
        let parts: Vec<_> = token.split('.').collect();
        let kid = &signer.keys()[0].kid;
        let encoded = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let with = |header: Value, by: &dyn Fn(&str, &str) -> String| {
            let (header, claims) = (encoded(&header), parts[1]);
            format!("{header}.{claims}.{}", by(&header, claims))
        };
        let by_us = |header: &str, claims: &str| signing::signature(&signer.pair, header, claims.as_bytes()).unwrap();
        let good = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid});
        assert!(signer.verify(&with(good.clone(), &by_us), &wanted()).is_ok());
        // Signed with the public key as if it were a secret.
        let point = [vec![4], decode(&signer.keys()[0].x), decode(&signer.keys()[0].y)].concat();
        let by_public = |header: &str, claims: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &point);
            BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, format!("{header}.{claims}").as_bytes()))
        };
        let none = |_: &str, _: &str| String::new();
        let mut refused = vec![
            with(json!({"alg": "none", "typ": "at+jwt", "kid": kid}), &none),
            with(json!({"alg": "none", "typ": "at+jwt", "kid": kid}), &by_us),
            with(json!({"alg": "HS256", "typ": "at+jwt", "kid": kid}), &by_public),
            with(json!({"alg": "ES256", "typ": "at+jwt", "kid": kid}), &by_public),
            with(json!({"alg": "es256", "typ": "at+jwt", "kid": kid}), &by_us),
            with(json!({"alg": "ES256", "typ": "JWT", "kid": kid}), &by_us),
            with(json!({"alg": "ES256", "kid": kid}), &by_us),
            with(json!({"alg": "ES256", "typ": "at+jwt", "kid": "another"}), &by_us),
            with(json!({"alg": "ES256", "typ": "at+jwt"}), &by_us),
            format!("{token}."),
            format!(".{token}"),
            format!("{token}="),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            parts[1].to_owned(),
            String::new(),
            "..".to_owned(),
            "a".repeat(10_000_000),
        ];
        for member in ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"] {
            let mut header = good.clone();
            header[member] = json!(["x"]);
            refused.push(with(header, &by_us));
        }
        for token in refused {
            let shown = token.chars().take(60).collect::<String>();
            assert_eq!(signer.verify(&token, &wanted()), Err(TokenUnfit::Form), "{shown}");
        }
        // Each letter counts.
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(signer.verify(&other, &wanted()), Err(TokenUnfit::Form), "letter {at}");
        }
    }

    fn decode(text: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
    }
}
