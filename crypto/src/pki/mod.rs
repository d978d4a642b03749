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
mod role;
pub mod spki;
mod trust;
pub mod trust_bundle;

#[cfg(test)]
pub(crate) mod specimen;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    algorithm::{read_hash, write_hash},
    cms::{PreparedSignedData, SignedData},
    oid::LDS_SECURITY_OBJECT,
};

pub use self::{
    algorithm::AlgorithmError,
    certificate::{Certificate, SerialNumber, Validity},
    cms::CmsError,
    crl::{Crl, CrlDraft, CrlError, PreparedCrl, RevokedCertificate},
    der::DerError,
    draft::{CertificateDraft, Issuer, PreparedCertificate, SignatureMismatch},
    extensions::{BasicConstraints, Extensions, KeyUsage},
    lint::{Findings, ProfileFinding},
    master_list::MasterList,
    name::{Country, Name, NameError},
    oid::Oid,
    role::Role,
    spki::{CurveForm, SpkiError},
    trust::{ChainError, LegacyHashes, Revocation, TrustStore, VerifiedSigner},
};
