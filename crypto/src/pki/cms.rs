//! CMS SignedData (RFC 5652 §5) in the profile of EF.SOD, master lists and trust bundles: one signer, signed
//! attributes, the signer's certificate inside. Doc 9303-10 (8th ed.) §4.6.2.2, Doc 9303-12 (8th ed.) §9.1.
//!
//! ```text
//! SignedData ::= SEQUENCE {
//!     version INTEGER, digestAlgorithms SET OF AlgorithmIdentifier,
//!     encapContentInfo SEQUENCE { eContentType OBJECT IDENTIFIER, eContent [0] EXPLICIT OCTET STRING },
//!     certificates [0] IMPLICIT SET OF Certificate, crls [1] IMPLICIT OPTIONAL, signerInfos SET OF SignerInfo }
//! SignerInfo ::= SEQUENCE {
//!     version INTEGER, sid CHOICE { SEQUENCE { issuer Name, serial INTEGER }, [0] IMPLICIT OCTET STRING },
//!     digestAlgorithm AlgorithmIdentifier, signedAttrs [0] IMPLICIT SET OF Attribute,
//!     signatureAlgorithm AlgorithmIdentifier, signature OCTET STRING, unsignedAttrs [1] IMPLICIT OPTIONAL }
//! ```

use thiserror::Error;
use time::OffsetDateTime;

use super::algorithm::{self, AlgorithmError};
use super::certificate::Certificate;
use super::der::{self, DerError, Within, value};
use super::draft::SignatureMismatch;
use super::name::Name;
use super::oid::{self, Oid};
use super::spki::SpkiError;
use super::trust::LegacyHashes;
use crate::suite::{Hash, SignatureAlgorithm, SignatureError, VerifyingKey};
use crate::tlv::{self, Tlv};

/// Error when reading or verifying signed data; the chain of its signer is not looked at.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CmsError {
    /// A hash or signature algorithm cannot be used.
    #[error(transparent)]
    Algorithm(#[from] AlgorithmError),
    /// A signed attribute is missing, appears twice, or has not exactly one value.
    #[error("signed attribute {attribute} must be there once, with one value")]
    Attribute {
        /// The attribute.
        attribute: Oid,
    },
    /// Content of another type than expected, or the signed attribute says another type than the content.
    #[error("the content is of type {found}, expected {expected}")]
    ContentType {
        /// The type expected.
        expected: Oid,
        /// The type found.
        found: Oid,
    },
    /// The data is malformed.
    #[error(transparent)]
    Der(#[from] DerError),
    /// The signer's digest algorithm is not among those announced.
    #[error("the signer's digest algorithm is not announced in the signed data")]
    DigestAlgorithm,
    /// The signer's key cannot be used.
    #[error("the signer's key: {0}")]
    Key(#[from] SpkiError),
    /// SHA-1, where the policy does not allow it.
    #[error("SHA-1 is not accepted")]
    LegacyHash,
    /// The signed hash is not that of the content.
    #[error("the content does not have the hash that was signed")]
    MessageDigest,
    /// The signature does not verify.
    #[error("the signature over the signed attributes: {0}")]
    Signature(#[from] SignatureError),
    /// Not exactly one signer.
    #[error("{count} signers, exactly one is expected")]
    SignerCount {
        /// Number of signers.
        count: usize,
    },
    /// The certificate that the signer identifier names is not inside.
    #[error("the certificate of the signer is not inside")]
    SignerMissing,
    /// The version number contradicts the content (RFC 5652 §5.1, §5.3).
    #[error("{what} has version {found}, expected {expected}")]
    Version {
        /// The structure.
        what: &'static str,
        /// The version expected.
        expected: u64,
        /// The version found.
        found: u64,
    },
}

impl CmsError {
    /// Returns whether this crate does not support the algorithm, the curve or the parameters.
    pub fn is_unsupported(&self) -> bool {
        match self {
            Self::Algorithm(error) => error.is_unsupported(),
            Self::Key(error) => error.is_unsupported(),
            Self::Signature(SignatureError::Unsupported(_)) => true,
            _ => false,
        }
    }
}

/// Reference to the signer's certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum SignerId {
    IssuerAndSerial(Name, Vec<u8>),
    SubjectKey(Vec<u8>),
}

impl SignerId {
    fn means(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial(issuer, serial) => {
                issuer.permutes(certificate.issuer()) && serial == certificate.serial().content()
            }
            Self::SubjectKey(key) => certificate.subject_key_identifier() == Some(key),
        }
    }
}

/// Signed data as read; nothing is verified yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SignedData {
    pub(crate) content_type: Oid,
    pub(crate) content: Vec<u8>,
    pub(crate) certificates: Vec<Certificate>,
    signer: SignerId,
    digest: Hash,
    /// The signed attributes, re-tagged as SET OF, which the signature covers (RFC 5652 §5.4).
    attributes: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
}

impl SignedData {
    /// Reads a ContentInfo that holds SignedData.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, CmsError> {
        let mut info = Tlv::expect(der::SEQUENCE, bytes).within("ContentInfo")?.children();
        let kind = der::read_oid(&mut info, "contentType")?;
        if kind != oid::SIGNED_DATA {
            return Err(CmsError::ContentType { expected: oid::SIGNED_DATA, found: kind });
        }
        let tagged = info.expect(0xa0).within("ContentInfo")?;
        info.finish().within("ContentInfo")?;
        let within = "SignedData";
        let mut fields = Tlv::expect(der::SEQUENCE, tagged.value).within(within)?.children();
        expect_version("SignedData", 3, &fields.expect(der::INTEGER).within(within)?)?;
        let mut announced = Vec::new();
        let mut digests = fields.expect(der::SET).within("digestAlgorithms")?.children();
        while !digests.is_empty() {
            announced.push(algorithm::read_hash(&mut digests, "digestAlgorithms")?);
        }
        let mut encapsulated = fields.expect(der::SEQUENCE).within("encapContentInfo")?.children();
        let content_type = der::read_oid(&mut encapsulated, "eContentType")?;
        let content = encapsulated.expect(0xa0).within("eContent")?;
        encapsulated.finish().within("encapContentInfo")?;
        let content = Tlv::expect(der::OCTET_STRING, content.value).within("eContent")?.value.to_vec();
        let mut certificates = Vec::new();
        if let Some(list) = fields.optional(0xa0).within("certificates")? {
            let mut list = list.children();
            while !list.is_empty() {
                certificates.push(Certificate::parse(list.read().within("certificates")?.raw)?);
            }
        }
        fields.optional(0xa1).within("crls")?; // unsigned, so not used: revocation lists come with the trust store
        let signers = fields.expect(der::SET).within("signerInfos")?;
        fields.finish().within(within)?;
        let mut count = 0;
        let mut reader = signers.children();
        while !reader.is_empty() {
            reader.read().within("signerInfos")?;
            count += 1;
        }
        if count != 1 {
            return Err(CmsError::SignerCount { count });
        }
        Self::with_signer(content_type, content, certificates, &announced, signers.value)
    }

    fn with_signer(
        content_type: Oid,
        content: Vec<u8>,
        certificates: Vec<Certificate>,
        announced: &[Hash],
        signer_info: &[u8],
    ) -> Result<Self, CmsError> {
        let within = "SignerInfo";
        let mut fields = Tlv::expect(der::SEQUENCE, signer_info).within(within)?.children();
        let version = fields.expect(der::INTEGER).within(within)?;
        let signer = match fields.optional(0x80).within("sid")? {
            Some(key) => SignerId::SubjectKey(key.value.to_vec()),
            None => {
                let mut sid = fields.expect(der::SEQUENCE).within("sid")?.children();
                let issuer = Name::parse(sid.expect(der::SEQUENCE).within("sid")?.raw)?;
                let serial = sid.expect(der::INTEGER).within("sid")?.value.to_vec();
                sid.finish().within("sid")?;
                SignerId::IssuerAndSerial(issuer, serial)
            }
        };
        let expected = if matches!(signer, SignerId::SubjectKey(_)) { 3 } else { 1 };
        expect_version("SignerInfo", expected, &version)?;
        let digest = algorithm::read_hash(&mut fields, "digestAlgorithm")?;
        if !announced.contains(&digest) {
            return Err(CmsError::DigestAlgorithm);
        }
        let attributes = fields.expect(0xa0).within("signedAttrs")?;
        let attributes = tlv::encode(der::SET, attributes.value);
        let algorithm = fields.expect(der::SEQUENCE).within("signatureAlgorithm")?;
        let algorithm = algorithm::signature_of_signer(algorithm.raw, Some(digest))?;
        let signature = fields.expect(der::OCTET_STRING).within("signature")?.value.to_vec();
        fields.optional(0xa1).within("unsignedAttrs")?;
        fields.finish().within(within)?;
        Ok(Self { content_type, content, certificates, signer, digest, attributes, algorithm, signature })
    }

    /// Returns the certificate inside that the signer identifier names.
    pub(crate) fn signer(&self) -> Result<&Certificate, CmsError> {
        self.certificates.iter().find(|certificate| self.signer.means(certificate)).ok_or(CmsError::SignerMissing)
    }

    /// Returns the claimed moment of signing, if the signer claims one.
    pub(crate) fn signing_time(&self) -> Result<Option<OffsetDateTime>, CmsError> {
        match attribute(&self.attributes, &oid::SIGNING_TIME)? {
            Some(bytes) => Ok(Some(der::read_time(&mut tlv::Reader::new(&bytes), "signingTime")?)),
            None => Ok(None),
        }
    }

    /// Verifies content type, message digest and signature under this certificate's key. The certificate itself is
    /// verified by a [`super::TrustStore`], before or after: both are needed.
    pub(crate) fn verify(&self, expected: &Oid, signer: &Certificate, legacy: LegacyHashes) -> Result<(), CmsError> {
        let content_type = |found: &Oid| match found == expected {
            true => Ok(()),
            false => Err(CmsError::ContentType { expected: expected.clone(), found: found.clone() }),
        };
        content_type(&self.content_type)?;
        if !legacy.allow(self.digest) || !legacy.allow(self.algorithm.hash()) {
            return Err(CmsError::LegacyHash);
        }
        let missing = |attribute: Oid| CmsError::Attribute { attribute };
        let claimed = attribute(&self.attributes, &oid::CONTENT_TYPE)?.ok_or(missing(oid::CONTENT_TYPE))?;
        content_type(&der::read_oid(&mut tlv::Reader::new(&claimed), "contentType")?)?;
        let digest = attribute(&self.attributes, &oid::MESSAGE_DIGEST)?.ok_or(missing(oid::MESSAGE_DIGEST))?;
        let digest = Tlv::expect(der::OCTET_STRING, &digest).within("messageDigest")?.value;
        if digest != self.digest.digest(&self.content) {
            return Err(CmsError::MessageDigest);
        }
        let key = signer.verifying_key()?;
        key.verify(self.algorithm, &self.attributes, &self.signature)?;
        Ok(())
    }
}

fn expect_version(what: &'static str, expected: u64, tlv: &Tlv) -> Result<(), CmsError> {
    let found = value(what, der::small(tlv))?;
    if found == expected { Ok(()) } else { Err(CmsError::Version { what, expected, found }) }
}

/// Returns the one value of an attribute, raw; `None` if the attribute is absent.
fn attribute(set: &[u8], kind: &Oid) -> Result<Option<Vec<u8>>, CmsError> {
    let wrong = || CmsError::Attribute { attribute: kind.clone() };
    let mut found = None;
    let mut attributes = Tlv::expect(der::SET, set).within("signedAttrs")?.children();
    while !attributes.is_empty() {
        let mut fields = attributes.expect(der::SEQUENCE).within("Attribute")?.children();
        if der::read_oid(&mut fields, "Attribute")? != *kind {
            continue;
        }
        let mut values = fields.expect(der::SET).within("Attribute")?.children();
        let only = values.read().map_err(|_| wrong())?;
        if !values.is_empty() || !fields.is_empty() || found.replace(only.raw.to_vec()).is_some() {
            return Err(wrong());
        }
    }
    Ok(found)
}

/// Signed data waiting for its one signature. Not `Clone`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct PreparedSignedData {
    content_type: Oid,
    content: Vec<u8>,
    attributes: Vec<u8>,
    certificate: Certificate,
    signer: SignerId,
    key: VerifyingKey,
    algorithm: SignatureAlgorithm,
}

impl PreparedSignedData {
    /// Prepares content with the attributes contentType, messageDigest and signingTime, to be signed by this
    /// certificate's key. The digest is the one that belongs to the key.
    pub(crate) fn new(
        content_type: Oid,
        content: Vec<u8>,
        certificate: &Certificate,
        by_subject_key: bool,
        signing_time: OffsetDateTime,
    ) -> Result<Self, SpkiError> {
        let key = certificate.verifying_key()?;
        let algorithm = key.usual_algorithm();
        let digest = algorithm.hash();
        let attribute = |kind: &Oid, value: Vec<u8>| der::sequence(&[&der::oid(kind), &der::set_of(vec![value])]);
        let attributes = der::set_of(vec![
            attribute(&oid::CONTENT_TYPE, der::oid(&content_type)),
            attribute(&oid::MESSAGE_DIGEST, der::octets(&digest.digest(&content))),
            attribute(&oid::SIGNING_TIME, der::time(signing_time)),
        ]);
        let signer = match certificate.subject_key_identifier() {
            Some(key) if by_subject_key => SignerId::SubjectKey(key.to_vec()),
            _ => SignerId::IssuerAndSerial(certificate.issuer().clone(), certificate.serial().content().to_vec()),
        };
        Ok(Self { content_type, content, attributes, certificate: certificate.clone(), signer, key, algorithm })
    }

    pub(crate) fn to_be_signed(&self) -> &[u8] {
        &self.attributes
    }

    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }

    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Returns the ContentInfo, after verifying the signature.
    pub(crate) fn attach(self, signature: &[u8]) -> Result<Vec<u8>, SignatureMismatch> {
        self.key.verify(self.algorithm, &self.attributes, signature)?;
        Ok(self.attach_unverified(signature))
    }

    pub(crate) fn attach_unverified(self, signature: &[u8]) -> Vec<u8> {
        let (version, sid) = match &self.signer {
            SignerId::SubjectKey(key) => (3, tlv::encode(0x80, key)),
            SignerId::IssuerAndSerial(issuer, serial) => {
                (1, der::sequence(&[issuer.der(), &tlv::encode(der::INTEGER, serial)]))
            }
        };
        let digest = algorithm::write_hash(self.algorithm.hash());
        let attributes = Tlv::expect(der::SET, &self.attributes).expect("prepared attributes are a SET").value;
        let signer_info = der::sequence(&[
            &der::integer(&[version]),
            &sid,
            &digest,
            &der::context(0, attributes),
            &algorithm::write_signature(self.algorithm),
            &der::octets(signature),
        ]);
        let encapsulated =
            der::sequence(&[&der::oid(&self.content_type), &der::context(0, &der::octets(&self.content))]);
        let signed_data = der::sequence(&[
            &der::integer(&[3]),
            &der::set_of(vec![digest]),
            &encapsulated,
            &der::context(0, self.certificate.der()),
            &der::set_of(vec![signer_info]),
        ]);
        der::sequence(&[&der::oid(&oid::SIGNED_DATA), &der::context(0, &signed_data)])
    }

    /// Returns the form to be stored: everything but the signature.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let by_subject_key = u8::from(matches!(self.signer, SignerId::SubjectKey(_)));
        der::sequence(&[
            &der::oid(&self.content_type),
            &der::octets(&self.content),
            &self.attributes,
            self.certificate.der(),
            &der::integer(&[by_subject_key]),
        ])
    }

    /// Restores it from its stored form, and checks its consistency, so that a damaged row is not signed.
    pub(crate) fn from_bytes(expected: &Oid, bytes: &[u8]) -> Result<Self, CmsError> {
        let within = "prepared signed data";
        let mut fields = Tlv::expect(der::SEQUENCE, bytes).within(within)?.children();
        let content_type = der::read_oid(&mut fields, "eContentType")?;
        let content = fields.expect(der::OCTET_STRING).within(within)?.value.to_vec();
        let attributes = fields.expect(der::SET).within(within)?.raw.to_vec();
        let certificate = Certificate::parse(fields.expect(der::SEQUENCE).within(within)?.raw)?;
        let by_subject_key = value(within, der::small(&fields.expect(der::INTEGER).within(within)?))? == 1;
        fields.finish().within(within)?;
        if content_type != *expected {
            return Err(CmsError::ContentType { expected: expected.clone(), found: content_type });
        }
        let missing = CmsError::Attribute { attribute: oid::SIGNING_TIME };
        let at = attribute(&attributes, &oid::SIGNING_TIME)?.ok_or(missing)?;
        let at = der::read_time(&mut tlv::Reader::new(&at), "signingTime")?;
        let again = Self::new(content_type, content, &certificate, by_subject_key, at)?;
        if again.attributes == attributes { Ok(again) } else { Err(CmsError::MessageDigest) }
    }
}
