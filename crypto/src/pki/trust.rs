//! Trust anchors and the verification of a chain: Doc 9303-12 (8th ed.) §6.1 and appendix D, RFC 5280 §6.
//!
//! In the eMRTD PKI every path has two certificates: an anchor (CSCA) and a signer below it. So path length is always
//! within `pathLenConstraint`, and a signer that is itself an authority is refused.

use thiserror::Error;
use time::OffsetDateTime;

use super::algorithm::AlgorithmError;
use super::certificate::{Certificate, SignedError, Validity};
use super::crl::{Crl, CrlError};
use super::extensions::KeyUsage;
use super::oid::{self, Oid};
use super::spki::SpkiError;
use super::state::State;
use crate::identity::civil_time::to_the_minute;
use crate::suite::{Hash, SignatureError, VerifyingKey};

/// Error of a certificate that is not trusted.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ChainError {
    /// The signature algorithm cannot be used.
    #[error(transparent)]
    Algorithm(#[from] AlgorithmError),
    /// The issuing CSCA is not an authority that may sign certificates.
    #[error("the trust anchor {anchor} is no authority that may sign certificates")]
    AnchorNotAuthority {
        /// Subject of the anchor.
        anchor: String,
    },
    /// The issuing CSCA has expired.
    #[error("the trust anchor {anchor} is not valid any more at the moment of inspection")]
    AnchorNotValid {
        /// Subject of the anchor.
        anchor: String,
    },
    /// The issuing CSCA is not valid yet.
    #[error("the trust anchor {anchor} is valid only from {}", to_the_minute(*.not_before))]
    AnchorNotYetValid {
        /// Subject of the anchor.
        anchor: String,
        /// First moment of its validity.
        not_before: OffsetDateTime,
    },
    /// The issuing CSCA is revoked, and everything below with it.
    #[error("the trust anchor {anchor} is revoked")]
    AnchorRevoked {
        /// Subject of the anchor.
        anchor: String,
    },
    /// Issuer and subject are of different countries.
    #[error("certificate and issuer are of different countries: {subject:?} and {issuer:?}")]
    Country {
        /// Country of the subject.
        subject: Option<String>,
        /// Country of the issuer.
        issuer: Option<String>,
    },
    /// A critical extension that is not processed here.
    #[error("critical extension {extension} is not supported")]
    CriticalExtension {
        /// The extension.
        extension: Oid,
    },
    /// The certificate has expired.
    #[error("the certificate expired on {}", to_the_minute(*.not_after))]
    Expired {
        /// Last moment of its validity.
        not_after: OffsetDateTime,
    },
    /// The signer is itself an authority: a CSCA signs certificates, never documents.
    #[error("the certificate is an authority's; it may not sign documents or lists")]
    IsAuthority,
    /// The anchor's key cannot be used.
    #[error("the trust anchor's key: {0}")]
    Key(#[from] SpkiError),
    /// Anchors of that name exist, but none with the key that the certificate names.
    #[error("no trust anchor of {issuer} has the key that the certificate was signed with")]
    KeyIdentifier {
        /// The issuer looked for.
        issuer: String,
    },
    /// SHA-1, where the policy does not allow it.
    #[error("SHA-1 is not accepted")]
    LegacyHash,
    /// No anchor has that name.
    #[error("no trust anchor is known for {issuer}")]
    NoAnchor {
        /// The issuer looked for.
        issuer: String,
    },
    /// The certificate is not valid yet.
    #[error("the certificate is valid only from {}", to_the_minute(*.not_before))]
    NotYetValid {
        /// First moment of its validity.
        not_before: OffsetDateTime,
    },
    /// The certificate is listed in a CRL of its country.
    #[error("the certificate was revoked on {}", to_the_minute(*.at))]
    Revoked {
        /// Moment of the revocation.
        at: OffsetDateTime,
    },
    /// The signature does not verify.
    #[error("the certificate's signature: {0}")]
    Signature(SignatureError),
    /// The claimed moment of signing is outside its validity or its private key usage period.
    #[error("what was signed at {} is outside the time in which the key may sign", to_the_minute(*.signed_at))]
    SigningTime {
        /// The claimed moment of signing.
        signed_at: OffsetDateTime,
    },
    /// Key usage or extended key usage do not allow what the certificate is used for.
    #[error("the certificate's key usage does not allow this")]
    Usage,
}

impl ChainError {
    /// Returns whether this crate does not support the algorithm, the curve or the parameters.
    pub fn is_unsupported(&self) -> bool {
        match self {
            Self::Algorithm(error) => error.is_unsupported(),
            Self::Key(error) => error.is_unsupported(),
            Self::Signature(SignatureError::Unsupported(_)) => true,
            _ => false,
        }
    }

    /// Returns whether no anchor with the issuer's name and key is known. This says nothing against the certificate.
    pub fn is_unknown_issuer(&self) -> bool {
        matches!(self, Self::NoAnchor { .. } | Self::KeyIdentifier { .. })
    }

    /// Returns the moment from which the certificate or its anchor is valid, if that is why it is refused: either the
    /// certificate is false, or the clock is behind.
    pub fn not_before(&self) -> Option<OffsetDateTime> {
        match self {
            Self::AnchorNotYetValid { not_before, .. } | Self::NotYetValid { not_before } => Some(*not_before),
            _ => None,
        }
    }
}

/// Policy for hashes that no longer resist collisions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LegacyHashes {
    /// SHA-1 in certificates and security objects is accepted: for old foreign documents, on the
    /// inspector's responsibility.
    AcceptSha1,
    /// Doc 9303-12 (8th ed.) §4.1.6.4: SHA-224 and better only.
    #[default]
    Refuse,
}

impl LegacyHashes {
    pub(crate) fn allow(self, hash: Hash) -> bool {
        self == Self::AcceptSha1 || hash != Hash::Sha1
    }
}

/// Revocation status of a signer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revocation {
    /// A list of its country, in force at the moment of inspection, does not name it.
    Clear {
        /// Date of that list.
        as_of: OffsetDateTime,
    },
    /// A list of its country was given and cannot be used: it may name the signer.
    Lost,
    /// There is no list of its country.
    NotChecked,
    /// The newest list of its country does not name it, but another was due before the moment of inspection.
    Stale {
        /// Date of that list.
        as_of: OffsetDateTime,
    },
}

/// Use of a signer's certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SignerPurpose {
    Documents,
    Lists,
}

/// CSCA certificates that are trusted, and the revocation lists they issued.
#[derive(Clone, Debug, Default)]
pub struct TrustStore {
    anchors: Vec<Certificate>,
    lists: Vec<Crl>,
    lost_lists: Vec<Option<String>>,
    legacy: LegacyHashes,
}

impl TrustStore {
    /// Trusts these certificates. The caller must have authenticated them (Doc 9303-12 (8th ed.) §6.1.1).
    pub fn new(anchors: Vec<Certificate>) -> Self {
        Self { anchors, ..Self::default() }
    }

    /// Sets the policy for old hashes.
    #[must_use]
    pub fn with_legacy(mut self, legacy: LegacyHashes) -> Self {
        self.legacy = legacy;
        self
    }

    /// Returns the policy for old hashes.
    pub fn legacy(&self) -> LegacyHashes {
        self.legacy
    }

    /// Returns the trusted certificates.
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }

    /// Returns the verified lists.
    pub fn lists(&self) -> &[Crl] {
        &self.lists
    }

    /// Adds a list, verified under an anchor of its country.
    ///
    /// # Errors
    /// [`CrlError`]; [`CrlError::NoAnchor`] if no anchor of the country has the key the list names.
    pub fn add_list(&mut self, list: Crl) -> Result<(), CrlError> {
        let key = list.authority_key();
        let mut outcome = Err(CrlError::NoAnchor { issuer: list.issuer().to_string() });
        let issuers = self.anchors.iter().filter(|anchor| {
            anchor.subject().country() == list.issuer().country() && identifies(key.as_deref(), anchor)
        });
        for issuer in issuers {
            outcome = list.verify(issuer);
            if outcome.is_ok() {
                break;
            }
        }
        outcome?;
        if !self.legacy.allow(list.signature_algorithm()?.hash()) {
            return Err(CrlError::LegacyHash);
        }
        self.lists.push(list);
        Ok(())
    }

    /// Remembers that a list of this country was given and cannot be used; `None` if its country cannot be read.
    pub(crate) fn lose_list(&mut self, country: Option<String>) {
        self.lost_lists.push(country);
    }

    /// Returns whether two CSCA certificates are of one authority: the same key, or keys that link certificates of the
    /// same country among the anchors join, in either direction (Doc 9303-12 (8th ed.) §4.1.4.3).
    pub fn are_one_authority(&self, one: &Certificate, other: &Certificate) -> bool {
        let mut keys = vec![one];
        let country = one.subject().country();
        let of_country: Vec<_> = self.anchors.iter().filter(|anchor| anchor.subject().country() == country).collect();
        let mut at = 0;
        while let Some(known) = keys.get(at).copied() {
            if same_key(known, other) {
                return true;
            }
            for next in &of_country {
                let linked = same_key(known, next) || links(known, next) || links(next, known);
                if linked && !keys.contains(next) {
                    keys.push(next);
                }
            }
            at += 1;
        }
        false
    }

    /// Trusts a new CSCA key that the old one has certified (link certificate, Doc 9303-12 (8th ed.) §4.1.4.3).
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn add_link(&mut self, link: Certificate, at: OffsetDateTime) -> Result<(), ChainError> {
        self.anchor_of(&link, at)?;
        unexpired(&link, at)?;
        if !is_authority(&link) {
            return Err(ChainError::AnchorNotAuthority { anchor: link.subject().to_string() });
        }
        self.anchors.push(link);
        Ok(())
    }

    /// Verifies a document signer's certificate at the moment of inspection.
    ///
    /// # Errors
    /// [`ChainError`], naming what is wrong.
    pub fn verify_signer(&self, certificate: &Certificate, at: OffsetDateTime) -> Result<VerifiedSigner, ChainError> {
        self.verify(certificate, SignerPurpose::Documents, at)
    }

    /// Verifies a certificate that signs master lists or trust bundles (Doc 9303-12 (8th ed.) §7.1.1.3).
    ///
    /// # Errors
    /// [`ChainError`], naming what is wrong.
    pub fn verify_list_signer(
        &self,
        certificate: &Certificate,
        at: OffsetDateTime,
    ) -> Result<VerifiedSigner, ChainError> {
        self.verify(certificate, SignerPurpose::Lists, at)
    }

    pub(crate) fn verify(
        &self,
        certificate: &Certificate,
        purpose: SignerPurpose,
        at: OffsetDateTime,
    ) -> Result<VerifiedSigner, ChainError> {
        let (anchor, key) = self.anchor_of(certificate, at)?;
        let extensions = certificate.extensions();
        if extensions.basic_constraints.is_some_and(|c| c.authority) {
            return Err(ChainError::IsAuthority);
        }
        if !allows(certificate, purpose) {
            return Err(ChainError::Usage);
        }
        unexpired(certificate, at)?;
        let revocation = self.revocation(certificate, at)?;
        Ok(VerifiedSigner { certificate: certificate.clone(), anchor: anchor.clone(), anchor_key: key, revocation })
    }

    /// Returns the anchor that issued this certificate: by name, by key identifier, by signature; and fit to issue.
    fn anchor_of(
        &self,
        certificate: &Certificate,
        at: OffsetDateTime,
    ) -> Result<(&Certificate, VerifyingKey), ChainError> {
        let issuer = || certificate.issuer().to_string();
        if certificate.issuer().country().is_none() || certificate.subject().country() != certificate.country() {
            let (subject, issuer) = (certificate.subject().country(), certificate.country());
            return Err(ChainError::Country { subject, issuer });
        }
        let named: Vec<_> = self.anchors.iter().filter(|a| a.subject().matches(certificate.issuer())).collect();
        if named.is_empty() {
            return Err(ChainError::NoAnchor { issuer: issuer() });
        }
        let mut outcome = Err(ChainError::KeyIdentifier { issuer: issuer() });
        for anchor in named.into_iter().filter(|a| identifies(certificate.authority_key_identifier(), a)) {
            outcome = self.signed_by(certificate, anchor).map(|key| (anchor, key));
            if outcome.is_ok() {
                break;
            }
        }
        let (anchor, key) = outcome?;
        let name = || anchor.subject().to_string();
        if !is_authority(anchor) {
            return Err(ChainError::AnchorNotAuthority { anchor: name() });
        }
        if let Some(extension) = anchor.extensions().unknown_critical().or(certificate.extensions().unknown_critical())
        {
            return Err(ChainError::CriticalExtension { extension: extension.clone() });
        }
        let not_before = anchor.validity().not_before;
        if at < not_before {
            return Err(ChainError::AnchorNotYetValid { anchor: name(), not_before });
        }
        if !anchor.validity().contains(at) {
            return Err(ChainError::AnchorNotValid { anchor: name() });
        }
        if self.lists.iter().any(|list| list.entry(anchor).is_some()) {
            return Err(ChainError::AnchorRevoked { anchor: name() });
        }
        Ok((anchor, key))
    }

    fn signed_by(&self, certificate: &Certificate, anchor: &Certificate) -> Result<VerifyingKey, ChainError> {
        let key = anchor.verifying_key()?;
        certificate.verify_signature(&key).map_err(|error| match error {
            SignedError::Algorithm(error) => ChainError::Algorithm(error),
            SignedError::AlgorithmsDiffer => ChainError::Signature(SignatureError::Mismatch),
            SignedError::Signature(error) => ChainError::Signature(error),
        })?;
        match self.legacy.allow(certificate.signature_algorithm()?.hash()) {
            true => Ok(key),
            false => Err(ChainError::LegacyHash),
        }
    }

    fn revocation(&self, certificate: &Certificate, at: OffsetDateTime) -> Result<Revocation, ChainError> {
        // A revoked signer's documents are refused whatever their claimed date: with a stolen
        // key any date can be signed.
        if let Some(entry) = self.lists.iter().find_map(|list| list.entry(certificate)) {
            return Err(ChainError::Revoked { at: entry.at });
        }
        let country = certificate.country();
        let of_country = self.lists.iter().filter(|list| list.issuer().country() == country);
        let newest = of_country.max_by_key(|list| list.this_update());
        if self.lost_lists.contains(&country) {
            return Ok(Revocation::Lost);
        }
        Ok(match newest {
            None if self.lost_lists.contains(&None) => Revocation::Lost,
            None => Revocation::NotChecked,
            Some(list) => {
                let as_of = list.this_update();
                let current = list.next_update().is_some_and(|due| at <= due);
                if current { Revocation::Clear { as_of } } else { Revocation::Stale { as_of } }
            }
        })
    }
}

/// A signer whose chain was verified. Only a [`TrustStore`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedSigner {
    certificate: Certificate,
    anchor: Certificate,
    anchor_key: VerifyingKey,
    revocation: Revocation,
}

impl VerifiedSigner {
    /// Returns the signer's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Returns the CSCA that issued it.
    pub fn anchor(&self) -> &Certificate {
        &self.anchor
    }

    /// Returns the CSCA's key.
    pub fn anchor_key(&self) -> &VerifyingKey {
        &self.anchor_key
    }

    /// Returns the two-letter country code, the same in signer and CSCA.
    pub fn country(&self) -> String {
        self.certificate.country().unwrap_or_default()
    }

    /// Returns the State that each name of CSCA and signer means, with the name (`C=VN`, `L=VNM`, `ST=HKG`), none
    /// twice: all are to be compared with DG1 (Doc 9303-11 (8th ed.) §5.1). What names no State is left out.
    pub fn states(&self) -> Vec<(String, State)> {
        let mut states: Vec<(String, State)> = Vec::new();
        for certificate in [&self.anchor, &self.certificate] {
            let (country, extensions) = (certificate.subject().country(), certificate.extensions());
            let names = [("C", &country), ("L", &extensions.subject_country), ("ST", &extensions.subject_region)];
            for (label, code) in names {
                let Some(code) = code else { continue };
                let Some(state) = State::of_code(code) else { continue };
                let name = format!("{label}={code}");
                if states.iter().all(|(found, _)| *found != name) {
                    states.push((name, state));
                }
            }
        }
        states
    }

    /// Returns the document types it may sign, if the certificate names them.
    pub fn document_types(&self) -> Option<&[String]> {
        self.certificate.extensions().document_types.as_deref()
    }

    /// Returns its revocation status.
    pub fn revocation(&self) -> Revocation {
        self.revocation
    }

    /// Checks that the key was allowed to sign at a claimed moment: within the validity and the
    /// private key usage period.
    ///
    /// # Errors
    /// [`ChainError::SigningTime`].
    pub fn allowed_to_sign_at(&self, signed_at: OffsetDateTime) -> Result<(), ChainError> {
        match self.certificate.signing_period().contains(signed_at) {
            true => Ok(()),
            false => Err(ChainError::SigningTime { signed_at }),
        }
    }
}

/// Returns whether an authority key identifier may mean this anchor: if both say a key, it must be the same.
fn identifies(authority_key: Option<&[u8]>, anchor: &Certificate) -> bool {
    match (authority_key, anchor.subject_key_identifier()) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => true,
    }
}

/// Returns whether both certify the same key, in whatever encoding.
fn same_key(one: &Certificate, other: &Certificate) -> bool {
    let key = |certificate: &Certificate| certificate.verifying_key().ok();
    one.subject_public_key_info() == other.subject_public_key_info()
        || key(one).zip(key(other)).is_some_and(|(one, other)| one == other)
}

/// Returns whether `issuer` certified the key of `link`, which is an authority of the same country.
fn links(issuer: &Certificate, link: &Certificate) -> bool {
    is_authority(issuer)
        && is_authority(link)
        && issuer.subject().country() == link.subject().country()
        && issuer.subject().matches(link.issuer())
        && issuer.verifying_key().is_ok_and(|key| link.verify_signature(&key).is_ok())
}

fn is_authority(certificate: &Certificate) -> bool {
    let extensions = certificate.extensions();
    extensions.basic_constraints.is_some_and(|c| c.authority)
        && extensions.key_usage.is_some_and(|usage| usage.includes(KeyUsage::CERTIFICATE_SIGN))
}

fn unexpired(certificate: &Certificate, at: OffsetDateTime) -> Result<(), ChainError> {
    let Validity { not_before, not_after } = certificate.validity();
    if at < not_before {
        return Err(ChainError::NotYetValid { not_before });
    }
    if at > not_after {
        return Err(ChainError::Expired { not_after });
    }
    Ok(())
}

fn allows(certificate: &Certificate, purpose: SignerPurpose) -> bool {
    let extensions = certificate.extensions();
    let signs = extensions.key_usage.is_some_and(|usage| {
        usage.includes(KeyUsage::DIGITAL_SIGNATURE) && !usage.includes(KeyUsage::CERTIFICATE_SIGN)
    });
    let purposes = &extensions.extended_key_usage;
    let critical = extensions.find(&oid::EXTENDED_KEY_USAGE).is_some_and(|extension| extension.critical);
    let of_lists = [oid::MASTER_LIST_SIGNING_KEY, oid::DEVIATION_LIST_SIGNING_KEY];
    signs
        && match purpose {
            // Table 6 gives document signers no extended usage; a critical one forbids every other use.
            SignerPurpose::Documents => !critical && !purposes.iter().any(|purpose| of_lists.contains(purpose)),
            SignerPurpose::Lists => purposes.contains(&oid::MASTER_LIST_SIGNING_KEY),
        }
}
