//! The trust bundle: anchors, revocation lists and revoked documents for inspection terminals, signed
//! by the trust-list signer.
//!
//! A CMS SignedData like a master list (Doc 9303-12 (8th ed.) §9.1), with its own content type because it carries more:
//! revocation lists, revoked documents, and a date by which the next bundle is due.
//!
//! ```text
//! TrustBundle ::= SEQUENCE {                                  -- 2.25.186575432900031424270620575859423569331 (a UUID)
//!     version          INTEGER { v0(0) },
//!     issuedAt         GeneralizedTime,
//!     nextUpdate       GeneralizedTime,
//!     authorities      SEQUENCE OF Certificate,
//!     revocationLists  SEQUENCE OF CertificateList,
//!     revokedDocuments SEQUENCE OF OCTET STRING (SIZE(32)) }  -- fingerprints of EF.SOD, ascending, none twice
//! ```

use std::fmt;

use thiserror::Error;
use time::OffsetDateTime;

use super::certificate::Certificate;
use super::cms::{self, CmsError, SignedData};
use super::crl::{Crl, CrlError};
use super::der::{self, DerError, GENERALIZED_TIME, Within, value};
use super::draft::SignatureMismatch;
use super::oid;
use super::spki::SpkiError;
use super::trust::{ChainError, LegacyHashes, TrustStore, VerifiedSigner};
use crate::identity::civil_time::to_the_minute;
use crate::suite::SignatureAlgorithm;
use crate::tlv::{self, Reader, Tlv};

/// Error of a bundle (or a master list) that is not accepted or must not be signed.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum TrustBundleError {
    /// The signer is not trusted.
    #[error("the signer of the bundle: {0}")]
    Chain(#[from] ChainError),
    /// The signed data is refused.
    #[error(transparent)]
    Cms(#[from] CmsError),
    /// The content is malformed.
    #[error(transparent)]
    Der(#[from] DerError),
    /// The date of issue is after the moment at which it is opened.
    #[error("the bundle is dated {}, in the future", to_the_minute(*.issued_at))]
    FromTheFuture {
        /// The date of issue.
        issued_at: OffsetDateTime,
    },
    /// The signer's key cannot be used.
    #[error(transparent)]
    Key(#[from] SpkiError),
    /// A revocation list inside is not one of an authority inside, or cannot be verified.
    #[error("a revocation list of the bundle: {0}")]
    List(#[from] CrlError),
    /// The next update is not after the date of issue.
    #[error("the next update must come after the date of issue")]
    Period,
}

/// Content of a bundle.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contents {
    /// Date of issue.
    pub issued_at: OffsetDateTime,
    /// Date by which the next bundle is due.
    pub next_update: OffsetDateTime,
    /// CSCA certificates to trust, DER.
    pub cscas: Vec<Vec<u8>>,
    /// Revocation lists of these authorities, DER.
    pub crls: Vec<Vec<u8>>,
    /// Fingerprint of each revoked document ([`crate::sod::Sod::fingerprint`]).
    pub revoked_documents: Vec<[u8; 32]>,
}

impl TrustBundleError {
    /// Returns the moment before which the bundle cannot have been opened, if that is why it is refused: the bundle's
    /// date of issue, or the first moment of its signer or anchor. The clock is behind, or the bundle false.
    pub fn not_before(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Chain(error) => error.not_before(),
            Self::FromTheFuture { issued_at } => Some(*issued_at),
            _ => None,
        }
    }
}

impl Contents {
    pub(super) fn encode(&self) -> Vec<u8> {
        let date = |at: OffsetDateTime| tlv::encode(GENERALIZED_TIME, der::generalized_text(at).as_bytes());
        let documents: Vec<u8> = self.revoked_documents.iter().flat_map(|hash| der::octets(hash)).collect();
        der::sequence(&[
            &der::integer(&[0]),
            &date(self.issued_at),
            &date(self.next_update),
            &tlv::encode(der::SEQUENCE, &self.cscas.concat()),
            &tlv::encode(der::SEQUENCE, &self.crls.concat()),
            &tlv::encode(der::SEQUENCE, &documents),
        ])
    }

    fn parse(bytes: &[u8]) -> Result<Self, DerError> {
        let within = "TrustBundle";
        let mut fields = Tlv::expect(der::SEQUENCE, bytes).within(within)?.children();
        let version = fields.expect(der::INTEGER).within(within)?;
        value("version", der::small(&version).filter(|n| *n == 0))?;
        let issued_at = der::read_time(&mut fields, "issuedAt")?;
        let next_update = der::read_time(&mut fields, "nextUpdate")?;
        let mut list = || -> Result<Vec<Tlv>, DerError> {
            let mut reader: Reader = fields.expect(der::SEQUENCE).within(within)?.children();
            let mut elements = Vec::new();
            while !reader.is_empty() {
                elements.push(reader.read().within(within)?);
            }
            Ok(elements)
        };
        let raw = |elements: Vec<Tlv>| elements.iter().map(|tlv| tlv.raw.to_vec()).collect();
        let (cscas, crls) = (raw(list()?), raw(list()?));
        let hash =
            |tlv: &Tlv| value("revokedDocuments", tlv.value.try_into().ok().filter(|_| tlv.tag.0 == der::OCTET_STRING));
        let revoked_documents = list()?.iter().map(hash).collect::<Result<Vec<[u8; 32]>, _>>()?;
        fields.finish().within(within)?;
        if !revoked_documents.is_sorted_by(|a, b| a < b) {
            return Err(DerError::Value { what: "revokedDocuments" });
        }
        Ok(Self { issued_at, next_update, cscas, crls, revoked_documents })
    }
}

/// A bundle to be signed.
#[derive(Clone, Debug)]
pub struct Draft {
    contents: Contents,
    signer: Certificate,
}

impl Draft {
    /// Creates a draft of contents and the trust-list signer's certificate. Revoked documents may be in any order.
    pub fn new(mut contents: Contents, signer: &Certificate) -> Self {
        contents.revoked_documents.sort_unstable();
        contents.revoked_documents.dedup();
        Self { contents, signer: signer.clone() }
    }

    /// Checks that the bundle can be opened: dates, certificates, lists, and that the signer is a trust-list signer
    /// of one of the authorities.
    ///
    /// # Errors
    /// [`TrustBundleError`].
    pub fn lint(self) -> Result<Prepared, TrustBundleError> {
        if self.contents.next_update <= self.contents.issued_at {
            return Err(TrustBundleError::Period);
        }
        // Strict in writing, lenient in reading: what no terminal can use is not published.
        let (trust, losses) = store(&self.contents);
        if let Some(loss) = losses.into_iter().next() {
            return Err(loss.error);
        }
        let signer = trust.verify_list_signer(&self.signer, self.contents.issued_at)?;
        signer.allowed_to_sign_at(self.contents.issued_at)?;
        let (content, at) = (self.contents.encode(), self.contents.issued_at);
        Ok(Prepared(cms::PreparedSignedData::new(oid::TRUST_BUNDLE, content, &self.signer, true, at)?))
    }
}

/// A linted bundle waiting for its one signature.
#[derive(Debug, Eq, PartialEq)]
pub struct Prepared(cms::PreparedSignedData);

impl Prepared {
    /// Returns the bytes to sign, not yet hashed: the signed attributes.
    pub fn to_be_signed(&self) -> &[u8] {
        self.0.to_be_signed()
    }

    /// Returns the signature algorithm.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }

    /// Returns the signed bundle, ready to publish; the signature is verified first.
    ///
    /// # Errors
    /// [`SignatureMismatch`].
    pub fn attach(self, signature: &[u8]) -> Result<Vec<u8>, SignatureMismatch> {
        self.0.attach(signature)
    }

    /// Returns the form to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Restores it from its stored form.
    ///
    /// # Errors
    /// [`TrustBundleError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrustBundleError> {
        Ok(Self(cms::PreparedSignedData::from_bytes(&oid::TRUST_BUNDLE, bytes)?))
    }
}

/// A bundle whose signature and signer were verified. Only [`open`] makes one.
#[derive(Clone, Debug)]
pub struct TrustBundle {
    contents: Contents,
    trust: TrustStore,
    signer: VerifiedSigner,
    national: Certificate,
    losses: Vec<Loss>,
}

/// A part of a bundle that cannot be used. The rest can; what depends on this part is not checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loss {
    /// The part: `authority 2 of 3`, `revocation list 1 of 3 (C=LA, …)`.
    pub part: String,
    /// What is wrong with it.
    pub error: TrustBundleError,
}

/// Part and error.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.error)
    }
}

impl TrustBundle {
    /// Returns the content.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Returns the anchors and lists, ready to verify documents.
    pub fn trust_store(&self) -> &TrustStore {
        &self.trust
    }

    /// Returns the CSCA certificate under which the bundle was opened: the authority of the citizen card.
    pub fn national(&self) -> &Certificate {
        &self.national
    }

    /// Returns the parts that cannot be used.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Returns the verified signer.
    pub fn signer(&self) -> &VerifiedSigner {
        &self.signer
    }

    /// Returns the date of issue. A terminal keeps the newest bundle it has seen, and takes none that is older.
    pub fn issued_at(&self) -> OffsetDateTime {
        self.contents.issued_at
    }

    /// Returns whether the next bundle was due at `at`. The bundle is still usable, but the verdict must say so.
    pub fn is_stale(&self, at: OffsetDateTime) -> bool {
        at > self.contents.next_update
    }

    /// Returns whether the document of this fingerprint ([`crate::sod::Sod::fingerprint`]) is revoked.
    pub fn is_revoked(&self, fingerprint: &[u8; 32]) -> bool {
        self.contents.revoked_documents.binary_search(fingerprint).is_ok()
    }
}

/// Opens a published bundle under the one CSCA certificate that the terminal was given out of band. An authority or
/// list inside that cannot be used is a [`Loss`], and the rest counts.
///
/// # Errors
/// [`TrustBundleError`]. A bundle past its next update opens; see [`TrustBundle::is_stale`].
pub fn open(bytes: &[u8], anchor: &Certificate, at: OffsetDateTime) -> Result<TrustBundle, TrustBundleError> {
    let signed = SignedData::parse(bytes)?;
    let signer = signed.signer()?;
    let national = TrustStore::new(vec![anchor.clone()]);
    national.verify_list_signer(signer, at)?;
    signed.verify(&oid::TRUST_BUNDLE, signer, LegacyHashes::Refuse)?;
    let contents = Contents::parse(&signed.content)?;
    if contents.issued_at > at {
        return Err(TrustBundleError::FromTheFuture { issued_at: contents.issued_at });
    }
    let (trust, losses) = store(&contents);
    // Verified again under the authorities and revocation lists of the bundle itself: a signer that is
    // revoked in them is refused.
    let signer = trust.verify_list_signer(signer, at)?;
    signer.allowed_to_sign_at(contents.issued_at)?;
    Ok(TrustBundle { contents, trust, signer, national: anchor.clone(), losses })
}

/// Returns the authorities and lists that can be used, and what cannot.
fn store(contents: &Contents) -> (TrustStore, Vec<Loss>) {
    let (mut anchors, mut losses) = (Vec::new(), Vec::new());
    let count = contents.cscas.len();
    for (at, bytes) in contents.cscas.iter().enumerate() {
        match Certificate::parse(bytes) {
            Ok(anchor) => anchors.push(anchor),
            Err(error) => losses.push(Loss { part: format!("authority {} of {count}", at + 1), error: error.into() }),
        }
    }
    let mut trust = TrustStore::new(anchors);
    let count = contents.crls.len();
    for (at, bytes) in contents.crls.iter().enumerate() {
        let part = format!("revocation list {} of {count}", at + 1);
        match Crl::parse(bytes) {
            Err(error) => {
                trust.lose_list(None);
                losses.push(Loss { part, error: error.into() });
            }
            Ok(list) => {
                let (country, issuer) = (list.issuer().country(), list.issuer().to_string());
                if let Err(error) = trust.add_list(list) {
                    trust.lose_list(country);
                    losses.push(Loss { part: format!("{part} ({issuer})"), error: error.into() });
                }
            }
        }
    }
    (trust, losses)
}
