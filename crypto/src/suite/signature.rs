//! Signatures and the keys that verify them: TR-03111 (v2.10) §4.2, RFC 8017 §8.

use std::fmt;

use aws_lc_rs::signature::{self as rsa, RsaParameters, UnparsedPublicKey};
use thiserror::Error;

use super::{Hash, PublicKey};

/// How a signature is made. What is signed is always hashed with the named hash function first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SignatureAlgorithm {
    /// ECDSA.
    Ecdsa(Hash),
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1(Hash),
    /// RSASSA-PSS; the mask generation uses the same hash and the salt is as long as its output.
    RsaPss(Hash),
}

impl SignatureAlgorithm {
    /// Returns the hash function.
    pub fn hash(self) -> Hash {
        match self {
            Self::Ecdsa(hash) | Self::RsaPkcs1(hash) | Self::RsaPss(hash) => hash,
        }
    }
}

/// A public key that verifies signatures.
#[derive(Clone, Eq, Hash, PartialEq)]
pub enum VerifyingKey {
    /// A point on a supported curve.
    Ec(PublicKey),
    /// DER of an `RSAPublicKey` (RFC 8017 appendix A.1.1): modulus and exponent.
    Rsa(Vec<u8>),
}

impl VerifyingKey {
    /// Returns the algorithm that a key of this kind signs with by default: ECDSA with [`super::Curve::usual_hash`], or
    /// RSASSA-PSS with SHA-256, as Doc 9303-12 (8th ed.) §4.1.6.1 recommends for RSA.
    pub fn usual_algorithm(&self) -> SignatureAlgorithm {
        match self {
            Self::Ec(key) => SignatureAlgorithm::Ecdsa(key.curve().usual_hash()),
            Self::Rsa(_) => SignatureAlgorithm::RsaPss(Hash::Sha256),
        }
    }

    /// Verifies `signature` over `message`; ECDSA signatures are DER here.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        match (self, algorithm) {
            (Self::Ec(key), SignatureAlgorithm::Ecdsa(hash)) => key.verify_der(hash, message, signature),
            (Self::Rsa(key), SignatureAlgorithm::RsaPkcs1(_) | SignatureAlgorithm::RsaPss(_)) => {
                UnparsedPublicKey::new(rsa_parameters(algorithm)?, key)
                    .verify(message, signature)
                    .map_err(|_| SignatureError::Mismatch)
            }
            _ => Err(SignatureError::OtherKey),
        }
    }

    /// Verifies an ECDSA signature given as `r || s`, as chips answer.
    ///
    /// # Errors
    /// [`SignatureError`]; [`SignatureError::OtherKey`] for an RSA key.
    pub fn verify_plain(&self, hash: Hash, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match self {
            Self::Ec(key) => key.verify_plain(hash, message, signature),
            Self::Rsa(_) => Err(SignatureError::OtherKey),
        }
    }
}

impl From<PublicKey> for VerifyingKey {
    fn from(key: PublicKey) -> Self {
        Self::Ec(key)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ec(key) => fmt::Debug::fmt(key, f),
            Self::Rsa(key) => write!(f, "Rsa({} bytes)", key.len()),
        }
    }
}

/// Error when verifying a signature.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signature is malformed.
    #[error("the signature is not a signature of this algorithm")]
    Malformed,
    /// The signature does not belong to this message and key.
    #[error("the signature does not verify")]
    Mismatch,
    /// The algorithm needs another kind of key.
    #[error("the key is not of the kind that the signature algorithm wants")]
    OtherKey,
    /// The algorithm is not supported.
    #[error("signatures of this algorithm cannot be verified here: {0:?}")]
    Unsupported(SignatureAlgorithm),
}

/// 1024-bit keys only where old documents still carry them; aws-lc-rs refuses shorter ones, and SHA-224 altogether.
fn rsa_parameters(algorithm: SignatureAlgorithm) -> Result<&'static RsaParameters, SignatureError> {
    match algorithm {
        SignatureAlgorithm::RsaPkcs1(Hash::Sha1) => Ok(&rsa::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
        SignatureAlgorithm::RsaPkcs1(Hash::Sha256) => Ok(&rsa::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        SignatureAlgorithm::RsaPkcs1(Hash::Sha384) => Ok(&rsa::RSA_PKCS1_2048_8192_SHA384),
        SignatureAlgorithm::RsaPkcs1(Hash::Sha512) => Ok(&rsa::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        SignatureAlgorithm::RsaPss(Hash::Sha256) => Ok(&rsa::RSA_PSS_2048_8192_SHA256),
        SignatureAlgorithm::RsaPss(Hash::Sha384) => Ok(&rsa::RSA_PSS_2048_8192_SHA384),
        SignatureAlgorithm::RsaPss(Hash::Sha512) => Ok(&rsa::RSA_PSS_2048_8192_SHA512),
        _ => Err(SignatureError::Unsupported(algorithm)),
    }
}
