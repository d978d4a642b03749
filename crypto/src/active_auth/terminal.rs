//! Terminal role.

use super::recovery;
use crate::apdu::Command;
use crate::command::internal_authenticate::InternalAuthenticate;
use crate::suite::{Hash, SignatureAlgorithm, SignatureError, VerifyingKey};

/// Returns the command that asks the chip to sign this challenge, which must never have been used before.
pub fn command(challenge: [u8; 8]) -> Command {
    InternalAuthenticate::new(challenge).into()
}

/// Verifies the chip's signature over the challenge with the key of DG15.
///
/// `hash` is the one that DG14 announces ([`super::hash_of`]); without that announcement an ECDSA signature is tried
/// with every hash function, since the curve does not determine it. Chips answer `r || s` as they should, or DER; both
/// are accepted. RSA signatures (ISO/IEC 9796-2 scheme 1) name their hash themselves.
///
/// # Errors
/// [`SignatureError`]: the chip does not have the private key.
pub fn verify(
    key: &VerifyingKey,
    hash: Option<Hash>,
    challenge: &[u8; 8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let VerifyingKey::Ec(point) = key else {
        let VerifyingKey::Rsa(public) = key else { return Err(SignatureError::OtherKey) };
        return recovery::verify(public, *challenge, signature);
    };
    let plain = signature.len() == 2 * point.curve().field_len();
    let verify = |hash: Hash| {
        let as_plain =
            if plain { key.verify_plain(hash, challenge, signature) } else { Err(SignatureError::Malformed) };
        as_plain.or_else(|error| match key.verify(SignatureAlgorithm::Ecdsa(hash), challenge, signature) {
            Err(_) if plain => Err(error),
            other => other,
        })
    };
    match hash {
        Some(hash) => verify(hash),
        None => Hash::ALL.into_iter().rev().map(verify).find(Result::is_ok).unwrap_or(Err(SignatureError::Mismatch)),
    }
}
