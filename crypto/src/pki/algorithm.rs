//! AlgorithmIdentifiers of hashes and signatures: RFC 4055, RFC 5754, RFC 5758; those of Doc 9303-12 (8th ed.) §4.1.6.

use thiserror::Error;

use super::der::{self, DerError, Within, value};
use super::oid::{self, Oid};
use crate::suite::{Hash, SignatureAlgorithm};
use crate::tlv::{self, Reader, Tlv};

/// Error of an algorithm that cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// The identifier itself is malformed.
    #[error(transparent)]
    Der(#[from] DerError),
    /// Parameters where there should be none, or RSASSA-PSS with another mask, hash, salt length
    /// or trailer than supported.
    #[error("algorithm {algorithm} with parameters that are not supported")]
    Parameters {
        /// The algorithm.
        algorithm: Oid,
    },
    /// The algorithm is not supported.
    #[error("algorithm {algorithm} is not supported")]
    Unknown {
        /// The algorithm.
        algorithm: Oid,
    },
}

impl AlgorithmError {
    /// Returns whether this crate does not support the algorithm, the curve or the parameters.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Parameters { .. } | Self::Unknown { .. })
    }
}

/// Splits an AlgorithmIdentifier into its identifier and its parameters (raw, empty if absent).
pub(crate) fn split<'a>(identifier: &Tlv<'a>) -> Result<(Oid, &'a [u8]), DerError> {
    let mut fields = identifier.children();
    let kind = der::read_oid(&mut fields, "AlgorithmIdentifier")?;
    let parameters = fields.rest();
    if !fields.is_empty() {
        fields.read().within("AlgorithmIdentifier")?;
        fields.finish().within("AlgorithmIdentifier")?;
    }
    Ok((kind, parameters))
}

/// Returns the next element as a hash algorithm. Parameters may be absent or NULL (RFC 5754 §2; Doc
/// 9303-12 (8th ed.) §9.1, note).
pub(crate) fn read_hash(reader: &mut Reader, within: &'static str) -> Result<Hash, AlgorithmError> {
    hash(&reader.expect(der::SEQUENCE).within(within)?)
}

fn hash(identifier: &Tlv) -> Result<Hash, AlgorithmError> {
    let (algorithm, parameters) = split(identifier)?;
    if !is_absent_or_null(parameters) {
        return Err(AlgorithmError::Parameters { algorithm });
    }
    HASHES
        .iter()
        .find(|(kind, _)| *kind == algorithm)
        .map(|(_, hash)| *hash)
        .ok_or(AlgorithmError::Unknown { algorithm })
}

/// Encodes a hash algorithm, parameters absent as RFC 5754 §2 prefers.
pub(crate) fn write_hash(hash: Hash) -> Vec<u8> {
    der::sequence(&[&der::oid(hash_oid(hash))])
}

/// Reads a signature algorithm from its AlgorithmIdentifier, as certificates have it.
pub(crate) fn signature(identifier: &[u8]) -> Result<SignatureAlgorithm, AlgorithmError> {
    signature_of_signer(identifier, None)
}

/// Returns the same, as a CMS SignerInfo has it: a bare `rsaEncryption` (RFC 3370 §3.2) takes its hash
/// from the digest algorithm.
pub(crate) fn signature_of_signer(
    identifier: &[u8],
    digest: Option<Hash>,
) -> Result<SignatureAlgorithm, AlgorithmError> {
    let (algorithm, parameters) = split(&Tlv::expect(der::SEQUENCE, identifier).within("signatureAlgorithm")?)?;
    if algorithm == oid::RSASSA_PSS {
        return pss(parameters);
    }
    let found = match digest {
        Some(hash) if algorithm == oid::RSA_ENCRYPTION => Some(SignatureAlgorithm::RsaPkcs1(hash)),
        _ => SIGNATURES.iter().find(|(kind, _)| *kind == algorithm).map(|(_, found)| *found),
    };
    match found {
        None => Err(AlgorithmError::Unknown { algorithm }),
        // ECDSA should have no parameters (RFC 5758 §3.2), but old document signers write NULL.
        Some(_) if !is_absent_or_null(parameters) => Err(AlgorithmError::Parameters { algorithm }),
        Some(found) => Ok(found),
    }
}

/// Reads RSASSA-PSS-params, RFC 4055 §3.1: one hash for both, salt as long as the hash, as every profile recommends
/// and the library verifies.
fn pss(parameters: &[u8]) -> Result<SignatureAlgorithm, AlgorithmError> {
    let refused = || AlgorithmError::Parameters { algorithm: oid::RSASSA_PSS };
    let within = "RSASSA-PSS-params";
    let mut fields = Tlv::expect(der::SEQUENCE, parameters).within(within)?.children();
    let mut field = |tag: u32| fields.optional(tag).within(within);
    let (main, mask, salt, trailer) = (field(0xa0)?, field(0xa1)?, field(0xa2)?, field(0xa3)?);
    fields.finish().within(within)?;
    let main = match main {
        Some(tlv) => hash(&Tlv::expect(der::SEQUENCE, tlv.value).within(within)?)?,
        None => Hash::Sha1,
    };
    let mask = match mask {
        Some(tlv) => {
            let identifier = Tlv::expect(der::SEQUENCE, tlv.value).within(within)?;
            match split(&identifier)? {
                (kind, inner) if kind == oid::MGF1 => hash(&Tlv::expect(der::SEQUENCE, inner).within(within)?)?,
                _ => return Err(refused()),
            }
        }
        None => Hash::Sha1,
    };
    let number = |tlv: Option<Tlv>, default: u64| match tlv {
        Some(tlv) => value(within, der::small(&Tlv::expect(der::INTEGER, tlv.value).within(within)?)),
        None => Ok(default),
    };
    let (salt, trailer) = (number(salt, 20)?, number(trailer, 1)?);
    match mask == main && salt == main.output_len() as u64 && trailer == 1 {
        true => Ok(SignatureAlgorithm::RsaPss(main)),
        false => Err(refused()),
    }
}

/// Returns the AlgorithmIdentifier of a signature.
pub(crate) fn write_signature(algorithm: SignatureAlgorithm) -> Vec<u8> {
    let plain = |parameters: &[u8]| {
        let known = SIGNATURES.iter().find(|(_, found)| *found == algorithm);
        let (kind, _) = known.expect("every ECDSA and PKCS#1 signature with every hash is in the table");
        der::sequence(&[&der::oid(kind), parameters])
    };
    match algorithm {
        SignatureAlgorithm::Ecdsa(_) => plain(&[]),
        SignatureAlgorithm::RsaPkcs1(_) => plain(&der::null()),
        SignatureAlgorithm::RsaPss(hash) => {
            let digest = der::sequence(&[&der::oid(hash_oid(hash)), &der::null()]);
            let mask = der::sequence(&[&der::oid(&oid::MGF1), &digest]);
            let salt = der::integer(&(hash.output_len() as u64).to_be_bytes());
            let parameters =
                der::sequence(&[&der::context(0, &digest), &der::context(1, &mask), &der::context(2, &salt)]);
            der::sequence(&[&der::oid(&oid::RSASSA_PSS), &parameters])
        }
    }
}

fn hash_oid(hash: Hash) -> &'static Oid {
    let known = HASHES.iter().find(|(_, found)| *found == hash);
    known.map(|(kind, _)| kind).expect("every hash is in the table")
}

fn is_absent_or_null(parameters: &[u8]) -> bool {
    parameters.is_empty() || parameters == tlv::encode(der::NULL, &[])
}

static HASHES: [(Oid, Hash); 5] = [
    (oid::SHA1, Hash::Sha1),
    (oid::SHA224, Hash::Sha224),
    (oid::SHA256, Hash::Sha256),
    (oid::SHA384, Hash::Sha384),
    (oid::SHA512, Hash::Sha512),
];

static SIGNATURES: [(Oid, SignatureAlgorithm); 10] = [
    (oid::ECDSA_WITH_SHA1, SignatureAlgorithm::Ecdsa(Hash::Sha1)),
    (oid::ECDSA_WITH_SHA224, SignatureAlgorithm::Ecdsa(Hash::Sha224)),
    (oid::ECDSA_WITH_SHA256, SignatureAlgorithm::Ecdsa(Hash::Sha256)),
    (oid::ECDSA_WITH_SHA384, SignatureAlgorithm::Ecdsa(Hash::Sha384)),
    (oid::ECDSA_WITH_SHA512, SignatureAlgorithm::Ecdsa(Hash::Sha512)),
    (oid::SHA1_WITH_RSA, SignatureAlgorithm::RsaPkcs1(Hash::Sha1)),
    (oid::SHA224_WITH_RSA, SignatureAlgorithm::RsaPkcs1(Hash::Sha224)),
    (oid::SHA256_WITH_RSA, SignatureAlgorithm::RsaPkcs1(Hash::Sha256)),
    (oid::SHA384_WITH_RSA, SignatureAlgorithm::RsaPkcs1(Hash::Sha384)),
    (oid::SHA512_WITH_RSA, SignatureAlgorithm::RsaPkcs1(Hash::Sha512)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_algorithm_is_read_as_it_was_written() {
        for hash in Hash::ALL {
            for algorithm in
                [SignatureAlgorithm::Ecdsa(hash), SignatureAlgorithm::RsaPkcs1(hash), SignatureAlgorithm::RsaPss(hash)]
            {
                assert_eq!(signature(&write_signature(algorithm)), Ok(algorithm));
            }
            assert_eq!(read_hash(&mut Reader::new(&write_hash(hash)), "test"), Ok(hash));
        }
    }

    #[test]
    fn pss_defaults_are_those_of_rfc_4055() {
        let identifier = der::sequence(&[&der::oid(&oid::RSASSA_PSS), &der::sequence(&[])]);
        assert_eq!(signature(&identifier), Ok(SignatureAlgorithm::RsaPss(Hash::Sha1)));
    }

    #[test]
    fn a_pss_salt_of_another_length_is_refused() {
        let mut identifier = write_signature(SignatureAlgorithm::RsaPss(Hash::Sha256));
        *identifier.last_mut().expect("bytes") = 20;
        assert!(matches!(signature(&identifier), Err(AlgorithmError::Parameters { .. })));
    }

    #[test]
    fn parameters_of_a_hash_are_absent_or_null_and_nothing_else() {
        let with = |parameters: &[u8]| der::sequence(&[&der::oid(&oid::SHA256), parameters]);
        assert_eq!(read_hash(&mut Reader::new(&with(&[5, 0])), "test"), Ok(Hash::Sha256));
        for wrong in [&[4, 0][..], &[5, 1, 0], &[5, 0, 5, 0]] {
            assert!(read_hash(&mut Reader::new(&with(wrong)), "test").is_err());
        }
    }

    #[test]
    fn a_bare_rsa_identifier_takes_the_digest_algorithm_only_in_signed_data() {
        let identifier = der::sequence(&[&der::oid(&oid::RSA_ENCRYPTION), &der::null()]);
        assert_eq!(
            signature_of_signer(&identifier, Some(Hash::Sha256)),
            Ok(SignatureAlgorithm::RsaPkcs1(Hash::Sha256))
        );
        assert!(signature(&identifier).is_err());
    }
}
