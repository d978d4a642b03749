//! EF.SOD, the document security object: Doc 9303-10 (8th ed.) §4.6.2 and appendix D.
//!
//! Writing goes *draft -> lint -> prepared (stored) -> attach -> [`Sod`]*; reading goes *[`Sod::parse`] ->
//! [`Sod::verify`] -> [`VerifiedSod`]*; only a verified one compares data groups with their hashes.
//!
//! ```
//! use crypto::{lds::DataGroup, pki::TrustStore, sod::{Draft, Profile, Sod}};
//! # use crypto::pki::*;
//! # use crypto::suite::{Curve, PrivateKey};
//! # use time::{Duration, OffsetDateTime, macros::datetime};
//! # let mut rng = rand::rng();
//! # let at: OffsetDateTime = datetime!(2026-10-01 08:30 UTC);
//! # let country = Country::new("UT", "UTO")?;
//! # let period = |days| Validity { not_before: at - Duration::DAY, not_after: at + Duration::days(days) };
//! # let root_key = PrivateKey::generate(Curve::P384, &mut rng);
//! # let signer_key = PrivateKey::generate(Curve::P256, &mut rng);
//! # let mut draft = CertificateDraft {
//! #     role: Role::Csca,
//! #     subject: Name::new(&country, "State of Utopia", None, "CSCA")?,
//! #     issuer: Issuer::Itself,
//! #     serial: SerialNumber::generate(&mut rng),
//! #     validity: period(5000),
//! #     private_key_usage: period(1800),
//! #     key: root_key.public().into(),
//! #     form: CurveForm::Explicit,
//! #     country: country.clone(),
//! #     contact: None,
//! #     crl_distribution_points: vec!["https://csca.invalid/crl".to_owned()],
//! # };
//! # let prepared = draft.clone().lint()?;
//! # let signature = root_key.sign_der(prepared.algorithm().hash(), prepared.to_be_signed());
//! # let root = prepared.attach(&signature)?;
//! # draft.role = Role::DocumentSigner { document_types: vec!["ID".to_owned()] };
//! # draft.subject = Name::new(&country, "State of Utopia", None, "Signer")?;
//! # draft.issuer = Issuer::Csca(Box::new(root.clone()));
//! # (draft.validity, draft.private_key_usage) = (period(4000), period(90));
//! # draft.key = signer_key.public().into();
//! # let prepared = draft.lint()?;
//! # let signature = root_key.sign_der(prepared.algorithm().hash(), prepared.to_be_signed());
//! # let signer = prepared.attach(&signature)?;
//! // `root` is a CSCA, `signer` a document signer of it with the key `signer_key`.
//! let files = [(DataGroup::DG1, &[0x61, 1, 1][..]), (DataGroup::DG2, &[0x75, 1, 2])];
//! let prepared = Draft::new(&files, Profile::default(), &signer, at).lint()?;
//! let signature = signer_key.sign_der(prepared.algorithm().hash(), prepared.to_be_signed());
//! let sod = prepared.attach(&signature)?;
//!
//! let verified = Sod::parse(sod.raw())?.verify(&TrustStore::new(vec![root]), at)?;
//! assert!(verified.check(DataGroup::DG1, &[0x61, 1, 1]).is_ok());
//! assert!(verified.check(DataGroup::DG1, &[0x61, 1, 9]).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod draft;
mod hash_table;
#[cfg(test)]
mod tests;

use thiserror::Error;
use time::OffsetDateTime;

pub use self::draft::{Draft, LintError, Prepared, Profile, StoredError};
use self::hash_table::LdsSecurityObject;
pub use self::hash_table::LdsVersion;
use crate::identity::civil_time::to_the_minute;
use crate::lds::DataGroup;
use crate::pki::{
    AlgorithmError, Certificate, ChainError, CmsError, LDS_SECURITY_OBJECT, SignedData, TrustStore, VerifiedSigner,
};
use crate::suite::Hash;
use crate::tlv::{Tlv, TlvError};

/// Tag of EF.SOD (Doc 9303-10 (8th ed.) table 36).
pub(crate) const TAG: u32 = 0x77;

/// Error when reading or verifying an EF.SOD.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum SodError {
    /// The document signer is not trusted.
    #[error("the document signer: {0}")]
    Chain(#[from] ChainError),
    /// The signed data is malformed, or its signature does not hold.
    #[error(transparent)]
    Cms(#[from] CmsError),
    /// The file is not one object with tag `77`.
    #[error("EF.SOD: {0}")]
    File(#[from] TlvError),
    /// The claimed moment of signing is after the inspection.
    #[error("the document claims to be signed on {}, after the moment of inspection", to_the_minute(*.signed_at))]
    FromTheFuture {
        /// The claimed moment of signing.
        signed_at: OffsetDateTime,
    },
    /// The hash table is malformed.
    #[error("the hash table: {0}")]
    HashTable(#[from] AlgorithmError),
    /// The hash table uses SHA-1, where the policy does not allow it.
    #[error("the hash table uses SHA-1, which is not accepted")]
    LegacyHash,
}

impl SodError {
    /// Returns whether this crate cannot verify the document, which is no proof against it.
    pub fn is_unsupported(&self) -> bool {
        match self {
            Self::Chain(error) => error.is_unsupported(),
            Self::Cms(error) => error.is_unsupported(),
            Self::HashTable(error) => error.is_unsupported(),
            Self::File(_) | Self::FromTheFuture { .. } | Self::LegacyHash => false,
        }
    }

    /// Returns the moment before which the document cannot have been made, if that is why it is refused: the document
    /// is false, or the clock is behind.
    pub fn not_before(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Chain(error) => error.not_before(),
            Self::FromTheFuture { signed_at } => Some(*signed_at),
            Self::Cms(_) | Self::File(_) | Self::HashTable(_) | Self::LegacyHash => None,
        }
    }
}

/// An EF.SOD as it was read. It says nothing about the document until [`Sod::verify`] has verified it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sod {
    raw: Vec<u8>,
    signed: SignedData,
    table: LdsSecurityObject,
}

impl Sod {
    /// Reads the raw file, tag `77` included.
    ///
    /// # Errors
    /// [`SodError::File`], [`SodError::Cms`], [`SodError::HashTable`].
    pub fn parse(raw: &[u8]) -> Result<Self, SodError> {
        let signed = SignedData::parse(Tlv::expect(TAG, raw)?.value)?;
        if signed.content_type != LDS_SECURITY_OBJECT {
            let found = signed.content_type;
            return Err(CmsError::ContentType { expected: LDS_SECURITY_OBJECT, found }.into());
        }
        let table = LdsSecurityObject::parse(&signed.content)?;
        Ok(Self { raw: raw.to_vec(), signed, table })
    }

    /// Returns the raw file.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Returns SHA-256 of the LDSSecurityObject as it was signed (the eContent, DER). It identifies a document in the
    /// card status and in the trust bundle. A hash of the raw file would not do: an attacker between chip and reader
    /// can change its unsigned parts. The hash table covers DG15, so no two chips share a fingerprint.
    pub fn fingerprint(&self) -> [u8; 32] {
        Hash::Sha256.digest(&self.signed.content).try_into().expect("SHA-256 has 32 bytes")
    }

    /// Returns the groups of the hash table, **unverified**, for a reader to try. A verdict uses
    /// [`VerifiedSod::groups`].
    pub fn unverified_groups(&self) -> Vec<DataGroup> {
        self.table.groups.iter().map(|(group, _)| *group).collect()
    }

    /// Returns the document signer's certificate inside, unverified: for looking up what is
    /// missing, never for a verdict.
    ///
    /// # Errors
    /// [`CmsError::SignerMissing`].
    pub fn signer_certificate(&self) -> Result<&Certificate, CmsError> {
        self.signed.signer()
    }

    /// Verifies the signature and the chain at the moment of inspection (Doc 9303-11 (8th ed.) §5.1, steps 1 to 4).
    ///
    /// # Errors
    /// [`SodError`], naming what is wrong. The signature is looked at before the chain, the chain before the dates.
    pub fn verify(&self, trust: &TrustStore, at: OffsetDateTime) -> Result<VerifiedSod, SodError> {
        let certificate = self.signed.signer()?;
        self.signed.verify(&LDS_SECURITY_OBJECT, certificate, trust.legacy())?;
        if !trust.legacy().allow(self.table.hash) {
            return Err(SodError::LegacyHash);
        }
        let signer = trust.verify_signer(certificate, at)?;
        let signed_at = self.signed.signing_time()?;
        if let Some(signed_at) = signed_at {
            signer.allowed_to_sign_at(signed_at)?;
            if signed_at > at {
                return Err(SodError::FromTheFuture { signed_at });
            }
        }
        Ok(VerifiedSod { table: self.table.clone(), signer, signed_at, fingerprint: self.fingerprint() })
    }
}

/// A hash table that a trusted document signer signed. Only [`Sod::verify`] makes one.
///
/// ```compile_fail,E0599
/// let unverified = crypto::sod::VerifiedSod::default();
/// ```
#[derive(Clone, Debug)]
pub struct VerifiedSod {
    table: LdsSecurityObject,
    signer: VerifiedSigner,
    signed_at: Option<OffsetDateTime>,
    fingerprint: [u8; 32],
}

impl VerifiedSod {
    /// Returns the data groups that the document has, from the signed table; EF.COM is unsigned.
    pub fn groups(&self) -> Vec<DataGroup> {
        self.table.groups.iter().map(|(group, _)| *group).collect()
    }

    /// Returns whether the document has this group.
    pub fn lists(&self, group: DataGroup) -> bool {
        self.table.groups.iter().any(|(listed, _)| *listed == group)
    }

    /// Compares a file, raw as it was read, with the signed table.
    ///
    /// # Errors
    /// [`GroupError`].
    pub fn check(&self, group: DataGroup, raw: &[u8]) -> Result<(), GroupError> {
        let listed = self.table.groups.iter().find(|(listed, _)| *listed == group);
        let (_, expected) = listed.ok_or(GroupError::NotListed { group })?;
        match self.table.hash.digest(raw) == *expected {
            true => Ok(()),
            false => Err(GroupError::Altered { group }),
        }
    }

    /// Returns the verified document signer.
    pub fn signer(&self) -> &VerifiedSigner {
        &self.signer
    }

    /// Returns the claimed moment of signing, if there is one.
    pub fn signed_at(&self) -> Option<OffsetDateTime> {
        self.signed_at
    }

    /// Returns the LDS version that is signed.
    pub fn lds_version(&self) -> &LdsVersion {
        &self.table.version
    }

    /// Returns the hash function of the table.
    pub fn hash(&self) -> Hash {
        self.table.hash
    }

    /// Returns SHA-256 of the signed LDSSecurityObject, see [`Sod::fingerprint`].
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}

/// Error when comparing a data group with the signed table.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum GroupError {
    /// The group's hash is not the signed one.
    #[error("{group:?} is not what was signed")]
    Altered {
        /// The data group.
        group: DataGroup,
    },
    /// The signed table does not list the group.
    #[error("{group:?} is not in the signed table")]
    NotListed {
        /// The data group.
        group: DataGroup,
    },
}
