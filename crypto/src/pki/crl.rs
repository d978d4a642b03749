//! Certificate revocation lists: RFC 5280 §5, profile of Doc 9303-12 (8th ed.) §7.1.4.
//!
//! ```text
//! TBSCertList ::= SEQUENCE {
//!     version INTEGER { v2(1) } OPTIONAL, signature AlgorithmIdentifier, issuer Name, thisUpdate Time, nextUpdate Time OPTIONAL,
//!     revokedCertificates SEQUENCE OF SEQUENCE { serial INTEGER, revocationDate Time, extensions OPTIONAL } OPTIONAL,
//!     crlExtensions [0] EXPLICIT Extensions OPTIONAL }
//! ```

use std::collections::HashSet;
use std::fmt;

use thiserror::Error;
use time::{Duration, OffsetDateTime};

use super::algorithm::{self, AlgorithmError};
use super::certificate::{self, Certificate, SerialNumber, SignedError};
use super::der::{self, DerError, Within};
use super::draft::SignatureMismatch;
use super::extensions::{self, KeyUsage, RawExtension};
use super::name::Name;
use super::oid::{self, Oid};
use super::spki::SpkiError;
use crate::suite::{SignatureAlgorithm, SignatureError, VerifyingKey};
use crate::tlv::Tlv;

/// Error of a CRL that is not accepted or must not be signed.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CrlError {
    /// Its algorithm cannot be used.
    #[error(transparent)]
    Algorithm(#[from] AlgorithmError),
    /// A critical extension that is not processed here: delta lists, partitions, indirect lists.
    #[error("critical extension {extension} of the list is not supported")]
    CriticalExtension {
        /// The extension.
        extension: Oid,
    },
    /// The draft lists a serial number twice.
    #[error("serial number {serial} is listed twice")]
    Duplicate {
        /// The serial number.
        serial: SerialNumber,
    },
    /// The issuer's certificate may not sign lists.
    #[error("the issuer is no authority that may sign revocation lists")]
    Issuer,
    /// The issuer's key is not supported.
    #[error(transparent)]
    Key(#[from] SpkiError),
    /// SHA-1, where the policy does not allow it.
    #[error("SHA-1 is not accepted")]
    LegacyHash,
    /// The next update is not later than this one, or more than 90 days later (Doc 9303-12 (8th ed.) §4.1.5).
    #[error("the next update must come after this one, within 90 days; no revocation may be later than the list")]
    Period,
    /// The signature does not verify.
    #[error("the list's signature: {0}")]
    Signature(SignatureError),
    /// No trust anchor has that country and key.
    #[error("no trust anchor has issued the list of {issuer}")]
    NoAnchor {
        /// Issuer named in the list.
        issuer: String,
    },
}

/// One entry of a CRL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RevokedCertificate {
    /// Serial number of the certificate.
    pub serial: SerialNumber,
    /// Moment of the revocation.
    pub at: OffsetDateTime,
}

/// A list as read. It proves nothing until [`Crl::verify`], which [`super::TrustStore::add_list`] calls.
#[derive(Clone, Eq, PartialEq)]
pub struct Crl {
    der: Vec<u8>,
    body: Vec<u8>,
    inner_algorithm: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    issuer: Name,
    this_update: OffsetDateTime,
    next_update: Option<OffsetDateTime>,
    revoked: Vec<RevokedCertificate>,
    extensions: Vec<RawExtension>,
    entry_extensions: Vec<RawExtension>,
}

impl Crl {
    /// Reads one DER CRL.
    ///
    /// # Errors
    /// [`DerError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DerError> {
        let (body, algorithm, signature) = certificate::signed_parts(bytes, "CertificateList")?;
        let within = "TBSCertList";
        let mut fields = Tlv::expect(der::SEQUENCE, body).within(within)?.children();
        fields.optional(der::INTEGER).within(within)?;
        let inner_algorithm = fields.expect(der::SEQUENCE).within(within)?.raw;
        let issuer = Name::parse(fields.expect(der::SEQUENCE).within("issuer")?.raw)?;
        let this_update = der::read_time(&mut fields, "thisUpdate")?;
        let mut ahead = fields;
        let next_update = match ahead.read().ok().map(|tlv| tlv.tag.0) {
            Some(der::UTC_TIME | der::GENERALIZED_TIME) => Some(der::read_time(&mut fields, "nextUpdate")?),
            _ => None,
        };
        let (mut revoked, mut entry_extensions) = (Vec::new(), Vec::new());
        if let Some(list) = fields.optional(der::SEQUENCE).within(within)? {
            let mut entries = list.children();
            while !entries.is_empty() {
                let mut entry = entries.expect(der::SEQUENCE).within("revokedCertificates")?.children();
                let serial = entry.expect(der::INTEGER).within("revokedCertificates")?.value;
                let at = der::read_time(&mut entry, "revocationDate")?;
                revoked.push(RevokedCertificate { serial: SerialNumber::from_content(serial), at });
                if let Some(list) = entry.optional(der::SEQUENCE).within("crlEntryExtensions")? {
                    entry_extensions.extend(extensions::raw(list.raw)?);
                }
                entry.finish().within("revokedCertificates")?;
            }
        }
        let extensions = match extensions::tagged(&mut fields, 0xa0)? {
            Some(list) => extensions::raw(list)?,
            None => Vec::new(),
        };
        fields.finish().within(within)?;
        Ok(Self {
            der: bytes.to_vec(),
            body: body.to_vec(),
            inner_algorithm: inner_algorithm.to_vec(),
            algorithm: algorithm.to_vec(),
            signature: signature.to_vec(),
            issuer,
            this_update,
            next_update,
            revoked,
            extensions,
            entry_extensions,
        })
    }

    /// Returns the bytes as read.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the issuer.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Returns the date of issue.
    pub fn this_update(&self) -> OffsetDateTime {
        self.this_update
    }

    /// Returns the date by which the next list is due.
    pub fn next_update(&self) -> Option<OffsetDateTime> {
        self.next_update
    }

    /// Returns the revoked certificates.
    pub fn revoked(&self) -> &[RevokedCertificate] {
        &self.revoked
    }

    /// Returns the `cRLNumber` as content octets, if it has one.
    pub fn number(&self) -> Option<Vec<u8>> {
        let found = self.extensions.iter().find(|extension| extension.kind == oid::CRL_NUMBER)?;
        Tlv::expect(der::INTEGER, &found.value).ok().and_then(|tlv| der::unsigned(tlv.value).map(<[u8]>::to_vec))
    }

    /// Returns the algorithm of the signature.
    ///
    /// # Errors
    /// [`AlgorithmError`].
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, AlgorithmError> {
        algorithm::signature(&self.algorithm)
    }

    pub(crate) fn authority_key(&self) -> Option<Vec<u8>> {
        let found = self.extensions.iter().find(|extension| extension.kind == oid::AUTHORITY_KEY_IDENTIFIER)?;
        extensions::authority_key(&found.value).ok().flatten()
    }

    /// Verifies the list under a CSCA certificate: its signature, the issuer's key usage, and that no
    /// critical extension is unknown.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn verify(&self, issuer: &Certificate) -> Result<(), CrlError> {
        let key = issuer.verifying_key()?;
        certificate::check_signed(&self.inner_algorithm, &self.algorithm, &key, &self.body, &self.signature).map_err(
            |error| match error {
                SignedError::Algorithm(error) => CrlError::Algorithm(error),
                SignedError::AlgorithmsDiffer => CrlError::Signature(SignatureError::Mismatch),
                SignedError::Signature(error) => CrlError::Signature(error),
            },
        )?;
        if !may_sign(issuer) {
            return Err(CrlError::Issuer);
        }
        let mut critical = self.extensions.iter().chain(&self.entry_extensions).filter(|extension| extension.critical);
        let known = [oid::AUTHORITY_KEY_IDENTIFIER, oid::CRL_NUMBER, oid::ISSUER_ALT_NAME];
        match critical.find(|extension| !known.contains(&extension.kind)) {
            Some(unknown) => Err(CrlError::CriticalExtension { extension: unknown.kind.clone() }),
            None => Ok(()),
        }
    }

    /// Returns the entry of a certificate that this list's country issued, if it is revoked (Doc 9303-12 (8th ed.)
    /// §7.1.4, note 1: one CSCA and one list for a country, so the country is what tells them apart).
    pub(crate) fn entry(&self, certificate: &Certificate) -> Option<&RevokedCertificate> {
        let same_country = self.issuer.country() == certificate.country();
        self.revoked.iter().find(|entry| same_country && entry.serial == *certificate.serial())
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({}, {}, {} revoked)", self.issuer, self.this_update, self.revoked.len())
    }
}

fn may_sign(issuer: &Certificate) -> bool {
    let extensions = issuer.extensions();
    extensions.basic_constraints.is_some_and(|c| c.authority)
        && extensions.key_usage.is_none_or(|usage| usage.includes(KeyUsage::CRL_SIGN))
}

/// A list to be issued.
#[derive(Clone, Debug)]
pub struct CrlDraft {
    /// The CSCA's certificate of its newest key.
    pub issuer: Certificate,
    /// CRL number: one more than that of the last list.
    pub number: u64,
    /// Date of issue.
    pub this_update: OffsetDateTime,
    /// Date by which the next list is due, at most 90 days later.
    pub next_update: OffsetDateTime,
    /// All revoked certificates of the State, under any of its CSCA keys.
    pub revoked: Vec<RevokedCertificate>,
}

impl CrlDraft {
    /// Checks the draft and encodes its body.
    ///
    /// # Errors
    /// [`CrlError::Period`], [`CrlError::Duplicate`], [`CrlError::Issuer`], [`CrlError::Key`].
    pub fn lint(self) -> Result<PreparedCrl, CrlError> {
        let period = self.next_update - self.this_update;
        let in_time = self.revoked.iter().all(|entry| entry.at <= self.this_update);
        if period <= Duration::ZERO || period > Duration::days(90) || !in_time {
            return Err(CrlError::Period);
        }
        let mut listed = HashSet::new();
        if let Some(entry) = self.revoked.iter().find(|entry| !listed.insert(&entry.serial)) {
            return Err(CrlError::Duplicate { serial: entry.serial.clone() });
        }
        let key_identifier = self.issuer.subject_key_identifier().filter(|_| may_sign(&self.issuer));
        let key_identifier = key_identifier.ok_or(CrlError::Issuer)?;
        let signer_key = self.issuer.verifying_key()?;
        let algorithm = signer_key.usual_algorithm();
        let entry = |entry: &RevokedCertificate| {
            der::sequence(&[&crate::tlv::encode(der::INTEGER, entry.serial.content()), &der::time(entry.at)])
        };
        let entries: Vec<Vec<u8>> = self.revoked.iter().map(entry).collect();
        // Table 9: absent when nothing is revoked, never empty.
        let revoked = match entries.is_empty() {
            true => Vec::new(),
            false => crate::tlv::encode(der::SEQUENCE, &entries.concat()),
        };
        let list = der::sequence(&[
            &extensions::write_authority_key(key_identifier),
            &extensions::write_crl_number(self.number),
        ]);
        let body = der::sequence(&[
            &der::integer(&[1]),
            &algorithm::write_signature(algorithm),
            self.issuer.subject().der(),
            &der::time(self.this_update),
            &der::time(self.next_update),
            &revoked,
            &der::context(0, &list),
        ]);
        Ok(PreparedCrl { body, algorithm, signer_key })
    }
}

/// A linted list waiting for its one signature.
#[derive(Debug)]
pub struct PreparedCrl {
    body: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signer_key: VerifyingKey,
}

impl PreparedCrl {
    /// Returns the bytes to sign, not yet hashed.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.body
    }

    /// Returns the signature algorithm.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Returns the list; the signature is verified under the issuer's key first.
    ///
    /// # Errors
    /// [`SignatureMismatch`].
    pub fn attach(self, signature: &[u8]) -> Result<Crl, SignatureMismatch> {
        self.signer_key.verify(self.algorithm, &self.body, signature)?;
        let algorithm = algorithm::write_signature(self.algorithm);
        let bytes = der::sequence(&[&self.body, &algorithm, &der::bit_string(signature)]);
        Ok(Crl::parse(&bytes).expect("a linted body with a signature is a list"))
    }
}
