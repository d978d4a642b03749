//! Active authentication: Doc 9303-11 (8th ed.) §6.1.
//!
//! ```
//! use crypto::active_auth::{chip, terminal};
//! use crypto::suite::{Curve, Hash, PrivateKey, VerifyingKey};
//!
//! let private = PrivateKey::generate(Curve::P256, &mut rand::rng());
//! let public = VerifyingKey::from(private.public()); // from the signed DG15
//! let challenge = rand::random();
//! let answer = chip::sign(&private, Hash::Sha256, &terminal::command(challenge)).expect("a good command");
//! terminal::verify(&public, Some(Hash::Sha256), &challenge, &answer.data)?;
//! assert!(terminal::verify(&public, None, b"recorded", &answer.data).is_err());
//! # Ok::<(), crypto::suite::SignatureError>(())
//! ```

pub mod chip;
pub mod terminal;

mod recovery;

#[cfg(test)]
mod tests;

use const_oid::ObjectIdentifier;

use crate::suite::Hash;

/// Returns the identifier under which DG14 announces plain ECDSA signatures with this hash (TR-03111 (v2.10) §5.2.1.1).
pub fn signature_algorithm(hash: Hash) -> ObjectIdentifier {
    let arc = match hash {
        Hash::Sha1 => 1,
        Hash::Sha224 => 2,
        Hash::Sha256 => 3,
        Hash::Sha384 => 4,
        Hash::Sha512 => 5,
    };
    ECDSA_PLAIN.push_arc(arc).expect("a short identifier")
}

/// Returns the hash of a signature algorithm in DG14: of plain ECDSA, or of the X9.62 identifiers that
/// some states write there.
pub fn hash_of(signature_algorithm: ObjectIdentifier) -> Option<Hash> {
    if let Some(hash) = Hash::ALL.into_iter().find(|hash| self::signature_algorithm(*hash) == signature_algorithm) {
        return Some(hash);
    }
    X962.into_iter().find(|(oid, _)| *oid == signature_algorithm).map(|(_, hash)| hash)
}

const ECDSA_PLAIN: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.1.4.1");

/// `ecdsa-with-SHA…` (RFC 5758 §3.2, RFC 3279 §2.2.3).
const X962: [(ObjectIdentifier, Hash); 5] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"), Hash::Sha1),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.1"), Hash::Sha224),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), Hash::Sha256),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"), Hash::Sha384),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"), Hash::Sha512),
];
