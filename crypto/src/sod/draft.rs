//! An EF.SOD to be issued: *draft -> lint -> prepared -> attach*.

use thiserror::Error;
use time::OffsetDateTime;

use super::hash_table::{LdsSecurityObject, LdsVersion};
use super::{Sod, TAG};
use crate::lds::DataGroup;
use crate::pki::{
    AlgorithmError, Certificate, CmsError, KeyUsage, LDS_SECURITY_OBJECT, PreparedSignedData, SignatureMismatch,
    SpkiError,
};
use crate::suite::{Hash, SignatureAlgorithm};
use crate::tlv;

/// Parameters of the hash tables of a series of documents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Profile {
    /// Hash of the data groups.
    pub hash: Hash,
    /// Version written into the table; the same as in EF.COM.
    pub lds_version: LdsVersion,
}

/// SHA-256 and LDS 1.8.
impl Default for Profile {
    fn default() -> Self {
        Self { hash: Hash::Sha256, lds_version: LdsVersion::current() }
    }
}

/// Error of a draft that must not be signed.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum LintError {
    /// A group is given twice.
    #[error("{group:?} is given twice")]
    Duplicate {
        /// The data group.
        group: DataGroup,
    },
    /// The data groups' hash is SHA-1, or weaker than what the signer signs with allows.
    #[error("{hash:?} must not be used for new documents")]
    Hash {
        /// The hash function.
        hash: Hash,
    },
    /// The signer's key cannot be used.
    #[error(transparent)]
    Key(#[from] SpkiError),
    /// A mandatory group is missing (Doc 9303-10 (8th ed.) table 2: DG1 and DG2).
    #[error("{group:?} is missing; every document has it")]
    Missing {
        /// The data group.
        group: DataGroup,
    },
    /// The certificate is not a document signer's, or not one for this kind of signature.
    #[error("the certificate is not a document signer's")]
    NotADocumentSigner,
    /// The file does not begin with its group's tag, or is longer or shorter than it says.
    #[error("the file of {group:?} is not one object with the group's tag")]
    NotThatGroup {
        /// The data group.
        group: DataGroup,
    },
    /// The signer's key may not sign at that moment.
    #[error("the document signer's key may not sign on {signing_time}")]
    SigningTime {
        /// The moment of signing.
        signing_time: OffsetDateTime,
    },
}

/// The hash table of one document, to be signed by one document signer.
#[derive(Clone, Debug)]
pub struct Draft {
    table: LdsSecurityObject,
    malformed: Option<DataGroup>,
    signer: Certificate,
    signing_time: OffsetDateTime,
}

impl Draft {
    /// Hashes the raw files exactly as the chip will hold them.
    pub fn new(
        files: &[(DataGroup, &[u8])],
        profile: Profile,
        signer: &Certificate,
        signing_time: OffsetDateTime,
    ) -> Self {
        Self::with_hashes(files, &[], profile, signer, signing_time)
    }

    /// As [`new`](Self::new), with the hashes of some of the files as they were computed before. They are not computed
    /// again here: one that is not its file's is found where the signed table is verified with the files, as every
    /// one is before it leaves.
    pub fn with_hashes(
        files: &[(DataGroup, &[u8])],
        known: &[(DataGroup, Vec<u8>)],
        profile: Profile,
        signer: &Certificate,
        signing_time: OffsetDateTime,
    ) -> Self {
        let fits = |(group, raw): &&(DataGroup, &[u8])| tlv::Tlv::expect(group.tag(), raw).is_err();
        Self {
            table: LdsSecurityObject::of_hashed(files, known, profile.hash, profile.lds_version),
            malformed: files.iter().find(fits).map(|(group, _)| *group),
            signer: signer.clone(),
            signing_time,
        }
    }

    /// Checks everything that can be checked before a key is used.
    ///
    /// # Errors
    /// [`LintError`].
    pub fn lint(self) -> Result<Prepared, LintError> {
        if let Some(group) = self.malformed {
            return Err(LintError::NotThatGroup { group });
        }
        let groups: Vec<DataGroup> = self.table.groups.iter().map(|(group, _)| *group).collect();
        if let Some(pair) = groups.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(LintError::Duplicate { group: pair[0] });
        }
        if let Some(group) = [DataGroup::DG1, DataGroup::DG2].into_iter().find(|group| !groups.contains(group)) {
            return Err(LintError::Missing { group });
        }
        if self.table.hash == Hash::Sha1 {
            return Err(LintError::Hash { hash: self.table.hash });
        }
        let extensions = self.signer.extensions();
        let signs = extensions.key_usage == Some(KeyUsage::DIGITAL_SIGNATURE);
        if !signs || extensions.document_types.is_none() || !extensions.extended_key_usage.is_empty() {
            return Err(LintError::NotADocumentSigner);
        }
        let at = self.signing_time;
        if !self.signer.signing_period().contains(at) {
            return Err(LintError::SigningTime { signing_time: at });
        }
        let content = self.table.encode();
        Ok(Prepared(PreparedSignedData::new(LDS_SECURITY_OBJECT, content, &self.signer, false, at)?))
    }
}

/// A linted security object waiting for its one signature. To be stored ([`Prepared::to_bytes`]) before it is signed.
/// Not `Clone`: attaching a signature spends it.
///
/// ```compile_fail,E0382
/// fn twice(prepared: crypto::sod::Prepared, signature: &[u8]) {
///     let _ = prepared.attach(signature);
///     let _ = prepared.attach(signature); // use of moved value
/// }
/// ```
#[derive(Debug, Eq, PartialEq)]
pub struct Prepared(PreparedSignedData);

impl Prepared {
    /// Returns the bytes to sign, not yet hashed: the signed attributes as SET OF (RFC 5652 §5.4).
    pub fn to_be_signed(&self) -> &[u8] {
        self.0.to_be_signed()
    }

    /// Returns the signature algorithm.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }

    /// Returns the certificate whose key must sign.
    pub fn signer(&self) -> &Certificate {
        self.0.certificate()
    }

    /// Returns the signed hash table, DER.
    pub fn content(&self) -> &[u8] {
        self.0.content()
    }

    /// Returns EF.SOD. The signature (DER for ECDSA) is verified under the document signer's key first.
    ///
    /// # Errors
    /// [`SignatureMismatch`].
    pub fn attach(self, signature: &[u8]) -> Result<Sod, SignatureMismatch> {
        let raw = tlv::encode(TAG, &self.0.attach(signature)?);
        Ok(Sod::parse(&raw).expect("a linted table with a signature is an EF.SOD"))
    }

    /// Returns the raw EF.SOD, nothing verified: for bulk production, which verifies each one as a border guard would
    /// ([`Sod::parse`], [`Sod::verify`]) and need not do so twice. All other callers use [`Prepared::attach`].
    pub fn attach_unverified(self, signature: &[u8]) -> Vec<u8> {
        tlv::encode(TAG, &self.0.attach_unverified(signature))
    }

    /// Returns the form to be stored: everything but the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Restores it from its stored form; refuses one that is inconsistent.
    ///
    /// # Errors
    /// [`StoredError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let prepared = PreparedSignedData::from_bytes(&LDS_SECURITY_OBJECT, bytes)?;
        LdsSecurityObject::parse(prepared.content())?;
        Ok(Self(prepared))
    }
}

/// Error when restoring a prepared security object.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum StoredError {
    /// The signed data is inconsistent.
    #[error(transparent)]
    Cms(#[from] CmsError),
    /// The hash table is malformed.
    #[error(transparent)]
    HashTable(#[from] AlgorithmError),
}
