//! The public key infrastructure of Doc 9303-12 (8th ed.): country signing CA, document signers, trust-list signers,
//! revocation lists, the verification of a chain, and the signed bundle that carries trust to the kiosks.
//!
//! Writing is strict and goes *draft -> lint -> prepared -> attach*: [`CertificateDraft::lint`] gives a
//! [`PreparedCertificate`], which is spent by attaching the one signature. Reading is lenient about form, because the
//! certificates of 112 States differ, and strict about meaning: only a [`TrustStore`] returns a [`VerifiedSigner`].

mod algorithm;
mod certificate;
mod cms;
mod crl;
pub(crate) mod der;
mod draft;
mod extensions;
mod lint;
mod master_list;
mod name;
pub(crate) mod oid;
pub mod pem;
mod role;
pub mod spki;
mod state;
mod trust;
pub mod trust_bundle;

#[cfg(test)]
pub(crate) mod specimen;
#[cfg(test)]
mod tests;

pub use self::algorithm::AlgorithmError;
pub(crate) use self::algorithm::{read_hash, write_hash};
pub use self::certificate::{Certificate, SerialNumber, Validity};
pub use self::cms::CmsError;
pub(crate) use self::cms::{PreparedSignedData, SignedData};
pub use self::crl::{Crl, CrlDraft, CrlError, PreparedCrl, RevokedCertificate};
pub use self::der::DerError;
pub use self::draft::{CertificateDraft, Issuer, PreparedCertificate, SignatureMismatch};
pub use self::extensions::{BasicConstraints, Extensions, KeyUsage};
pub use self::lint::{Findings, ProfileFinding};
pub use self::master_list::MasterList;
pub use self::name::{Country, Name, NameError};
pub(crate) use self::oid::LDS_SECURITY_OBJECT;
pub use self::oid::Oid;
pub use self::role::Role;
pub use self::spki::{CurveForm, SpkiError};
pub use self::state::State;
pub use self::trust::{ChainError, LegacyHashes, Revocation, TrustStore, VerifiedSigner};
