//! X.509 certificates as read: RFC 5280 §4.1, profile of Doc 9303-12 (8th ed.) §7.1.1.
//!
//! ```text
//! Certificate    ::= SEQUENCE { tbsCertificate TBSCertificate, signatureAlgorithm AlgorithmIdentifier, signature BIT STRING }
//! TBSCertificate ::= SEQUENCE {
//!     version [0] EXPLICIT INTEGER DEFAULT v1, serialNumber INTEGER, signature AlgorithmIdentifier, issuer Name,
//!     validity SEQUENCE { notBefore Time, notAfter Time }, subject Name, subjectPublicKeyInfo SubjectPublicKeyInfo,
//!     issuerUniqueID [1] OPTIONAL, subjectUniqueID [2] OPTIONAL, extensions [3] EXPLICIT Extensions OPTIONAL }
//! ```

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use super::algorithm::{self, AlgorithmError};
use super::der::{self, DerError, Within, value};
use super::extensions::{self, Extensions};
use super::name::Name;
use super::spki::{self, SpkiError};
use crate::rand_core::CryptoRng;
use crate::suite::{Hash, SignatureAlgorithm, SignatureError, VerifyingKey};
use crate::tlv::{Reader, Tlv};

/// Number of a certificate, unique for its issuer: the content octets of a positive INTEGER.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct SerialNumber(Vec<u8>);

impl SerialNumber {
    /// Generates sixteen random bytes, positive and never zero; the profile allows twenty (Doc
    /// 9303-12 (8th ed.) table 5).
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        bytes[0] = bytes[0] & 0x7f | 0x40; // positive, and all sixteen bytes needed
        Self(bytes.to_vec())
    }

    /// Keeps any octets as read. Real certificates have negative, zero and over-long ones.
    pub fn from_content(content: &[u8]) -> Self {
        Self(content.to_vec())
    }

    /// Returns the content octets of the INTEGER.
    pub fn content(&self) -> &[u8] {
        &self.0
    }
}

/// Upper-case hexadecimal.
impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(&self.0))
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialNumber({self})")
    }
}

/// A period, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// First moment.
    pub not_before: OffsetDateTime,
    /// Last moment.
    pub not_after: OffsetDateTime,
}

impl Validity {
    /// Returns whether the moment lies within.
    pub fn contains(&self, at: OffsetDateTime) -> bool {
        self.not_before <= at && at <= self.not_after
    }
}

/// Content of a TBSCertificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Body {
    pub(crate) version: u64,
    pub(crate) serial: SerialNumber,
    pub(crate) signature_algorithm: Vec<u8>,
    pub(crate) issuer: Name,
    pub(crate) validity: Validity,
    pub(crate) subject: Name,
    pub(crate) spki: Vec<u8>,
    pub(crate) unique_ids: bool,
    pub(crate) extensions: Extensions,
}

impl Body {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DerError> {
        let within = "TBSCertificate";
        let mut fields = Tlv::expect(der::SEQUENCE, bytes).within(within)?.children();
        let version = match fields.optional(0xa0).within(within)? {
            Some(tlv) => value("version", der::small(&Tlv::expect(der::INTEGER, tlv.value).within(within)?))?,
            None => 0,
        };
        let serial = SerialNumber::from_content(fields.expect(der::INTEGER).within("serialNumber")?.value);
        let signature_algorithm = fields.expect(der::SEQUENCE).within("signature")?.raw.to_vec();
        let issuer = Name::parse(fields.expect(der::SEQUENCE).within("issuer")?.raw)?;
        let mut validity = fields.expect(der::SEQUENCE).within("validity")?.children();
        let not_before = der::read_time(&mut validity, "notBefore")?;
        let not_after = der::read_time(&mut validity, "notAfter")?;
        validity.finish().within("validity")?;
        let subject = Name::parse(fields.expect(der::SEQUENCE).within("subject")?.raw)?;
        let spki = fields.expect(der::SEQUENCE).within("subjectPublicKeyInfo")?.raw.to_vec();
        let issuer_id = fields.optional(0x81).within(within)?;
        let subject_id = fields.optional(0x82).within(within)?;
        let extensions = match extensions::tagged(&mut fields, 0xa3)? {
            Some(list) => Extensions::parse(list)?,
            None => Extensions::default(),
        };
        fields.finish().within(within)?;
        Ok(Self {
            version,
            serial,
            signature_algorithm,
            issuer,
            validity: Validity { not_before, not_after },
            subject,
            spki,
            unique_ids: issuer_id.is_some() || subject_id.is_some(),
            extensions,
        })
    }
}

/// A certificate as read. It proves nothing until a [`super::TrustStore`] has verified it. Cheap to clone.
#[derive(Clone, Eq, PartialEq)]
pub struct Certificate {
    der: Arc<[u8]>,
    pub(crate) body: Arc<Body>,
    algorithm: Arc<[u8]>,
    signature: Arc<[u8]>,
    /// Parsed once, since it is needed several times for every document.
    key: Arc<Result<VerifyingKey, SpkiError>>,
}

impl Certificate {
    /// Reads one DER certificate, keeping its bytes. Lenient: any extension set, unsupported keys and algorithms
    /// included, so that master lists can be read; using an unsupported part returns the error.
    ///
    /// # Errors
    /// [`DerError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DerError> {
        let (body, algorithm, signature) = signed_parts(bytes, "Certificate")?;
        let body = Body::parse(body)?;
        let key = Arc::new(spki::parse(&body.spki));
        let (algorithm, signature) = (algorithm.into(), signature.into());
        Ok(Self { der: bytes.into(), body: Arc::new(body), algorithm, signature, key })
    }

    /// Returns the bytes as read.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the serial number.
    pub fn serial(&self) -> &SerialNumber {
        &self.body.serial
    }

    /// Returns the issuer's name.
    pub fn issuer(&self) -> &Name {
        &self.body.issuer
    }

    /// Returns the subject, the holder of the certified key.
    pub fn subject(&self) -> &Name {
        &self.body.subject
    }

    /// Returns the issuer's two-letter country code, in upper case.
    pub fn country(&self) -> Option<String> {
        self.body.issuer.country()
    }

    /// Returns the period of validity.
    pub fn validity(&self) -> Validity {
        self.body.validity
    }

    /// Returns the period in which the certified key may sign: the private key usage period (Doc 9303-12 (8th ed.)
    /// §4.1.3), limited to the validity. Without that extension it is the validity.
    pub fn signing_period(&self) -> Validity {
        let Validity { not_before, not_after } = self.body.validity;
        let (from, to) = self.body.extensions.private_key_usage.unwrap_or_default();
        Validity {
            not_before: from.map_or(not_before, |from| from.max(not_before)),
            not_after: to.map_or(not_after, |to| to.min(not_after)),
        }
    }

    /// Returns the first moment of its validity.
    pub fn not_before(&self) -> OffsetDateTime {
        self.body.validity.not_before
    }

    /// Returns the last moment of its validity.
    pub fn not_after(&self) -> OffsetDateTime {
        self.body.validity.not_after
    }

    /// Returns the certified key.
    ///
    /// # Errors
    /// [`SpkiError`], also for curves that are not supported.
    pub fn verifying_key(&self) -> Result<VerifyingKey, SpkiError> {
        (*self.key).clone()
    }

    /// Returns the certified key as it stands: a DER SubjectPublicKeyInfo.
    pub fn subject_public_key_info(&self) -> &[u8] {
        &self.body.spki
    }

    /// Returns the extensions.
    pub fn extensions(&self) -> &Extensions {
        &self.body.extensions
    }

    /// Returns the subject key identifier of the extension, if there is one.
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.body.extensions.subject_key_identifier.as_deref()
    }

    /// Returns the key identifier of the issuer, if the extension says one.
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.body.extensions.authority_key_identifier.as_deref()
    }

    /// Returns whether issuer and subject are the same name: a root, or a link certificate without change of name.
    pub fn is_self_issued(&self) -> bool {
        self.body.issuer.matches(&self.body.subject)
    }

    /// Returns the algorithm of the signature.
    ///
    /// # Errors
    /// [`AlgorithmError`].
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, AlgorithmError> {
        algorithm::signature(&self.algorithm)
    }

    /// Returns the part that the signature covers, as read.
    pub fn to_be_signed(&self) -> &[u8] {
        Reader::new(&self.der[..])
            .read()
            .and_then(|whole| whole.children().read())
            .map(|body| body.raw)
            .expect("a parsed certificate has a body")
    }

    /// Returns SHA-256 over the whole certificate, by which logs and stores refer to it.
    pub fn fingerprint(&self) -> [u8; 32] {
        Hash::Sha256.digest(&self.der).try_into().expect("SHA-256 has 32 bytes")
    }

    /// Verifies the certificate's own signature under a key. Nothing else is checked;
    /// [`super::TrustStore`] verifies chains.
    pub(crate) fn verify_signature(&self, key: &VerifyingKey) -> Result<(), SignedError> {
        check_signed(&self.body.signature_algorithm, &self.algorithm, key, self.to_be_signed(), &self.signature)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {} of {})", self.body.subject, self.body.serial, self.body.issuer)
    }
}

/// Error of the signature over a certificate or a CRL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum SignedError {
    /// The algorithm cannot be used.
    Algorithm(AlgorithmError),
    /// The signed and the unsigned algorithm identifier differ.
    AlgorithmsDiffer,
    /// The signature does not verify.
    Signature(SignatureError),
}

/// Verifies a signature. Certificates and CRLs name its algorithm twice, once in the signed part; both must be the same
/// (RFC 5280 §4.1.1.2).
pub(crate) fn check_signed(
    inner: &[u8],
    outer: &[u8],
    key: &VerifyingKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignedError> {
    if inner != outer {
        return Err(SignedError::AlgorithmsDiffer);
    }
    let algorithm = algorithm::signature(outer).map_err(SignedError::Algorithm)?;
    key.verify(algorithm, message, signature).map_err(SignedError::Signature)
}

/// Body, algorithm identifier, signature.
type SignedParts<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Splits `SEQUENCE { body, algorithm, signature }` into body, algorithm (both raw) and the signature's octets.
pub(crate) fn signed_parts<'a>(bytes: &'a [u8], within: &'static str) -> Result<SignedParts<'a>, DerError> {
    let mut parts = Tlv::expect(der::SEQUENCE, bytes).within(within)?.children();
    let body = parts.expect(der::SEQUENCE).within(within)?;
    let algorithm = parts.expect(der::SEQUENCE).within(within)?;
    let signature = parts.expect(der::BIT_STRING).within(within)?;
    parts.finish().within(within)?;
    Ok((body.raw, algorithm.raw, value("signatureValue", der::bits(&signature))?))
}
