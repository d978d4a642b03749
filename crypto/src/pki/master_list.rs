//! CSCA master lists of other States: Doc 9303-12 (8th ed.) §9.
//!
//! ```text
//! CscaMasterList ::= SEQUENCE { version INTEGER { v0(0) }, certList SET OF Certificate }
//! ```

use time::OffsetDateTime;

use super::certificate::Certificate;
use super::cms::{CmsError, SignedData};
use super::der::{self, DerError, Within, value};
use super::oid;
use super::trust::TrustStore;
use super::trust_bundle::TrustBundleError;
use crate::tlv::Tlv;

/// A master list as read; nothing is verified.
#[derive(Clone, Debug)]
pub struct MasterList {
    pub(super) signed: SignedData,
    entries: Vec<Vec<u8>>,
}

impl MasterList {
    /// Reads a master list. Its entries are parsed one by one later, so that one bad certificate
    /// does not hide the others.
    ///
    /// # Errors
    /// [`CmsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CmsError> {
        let signed = SignedData::parse(bytes)?;
        let within = "CscaMasterList";
        let mut fields = Tlv::expect(der::SEQUENCE, &signed.content).within(within)?.children();
        value("version", der::small(&fields.expect(der::INTEGER).within(within)?))?;
        let mut list = fields.expect(der::SET).within(within)?.children();
        let mut entries = Vec::new();
        while !list.is_empty() {
            entries.push(list.read().within(within)?.raw.to_vec());
        }
        Ok(Self { signed, entries })
    }

    /// Returns the certificates listed, each parsed or with what is wrong with it. Not trusted
    /// before [`MasterList::verify`].
    pub fn entries(&self) -> impl Iterator<Item = Result<Certificate, DerError>> + '_ {
        self.entries.iter().map(|bytes| Certificate::parse(bytes))
    }

    /// Returns the certificates that came with the list to verify its signature; not trusted.
    pub fn certificates(&self) -> &[Certificate] {
        &self.signed.certificates
    }

    /// Verifies the list's signature and its signer's chain.
    ///
    /// # Errors
    /// [`TrustBundleError`].
    pub fn verify(&self, trust: &TrustStore, at: OffsetDateTime) -> Result<(), TrustBundleError> {
        let signer = self.signed.signer()?;
        let verified = trust.verify_list_signer(signer, at)?;
        self.signed.verify(&oid::MASTER_LIST, signer, trust.legacy())?;
        if let Some(signed_at) = self.signed.signing_time()? {
            verified.allowed_to_sign_at(signed_at)?;
        }
        Ok(())
    }
}
