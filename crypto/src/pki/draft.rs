//! Certificates to be issued: *draft -> lint -> prepared -> attach*, Doc 9303-12 (8th ed.) §7.1.1.

use thiserror::Error;

use super::certificate::{Body, Certificate, SerialNumber, Validity};
use super::extensions::{self, KeyUsage};
use super::lint::{self, Findings, ProfileFinding};
use super::name::{Country, Name};
use super::role::Role;
use super::spki::{self, CurveForm};
use super::{algorithm, der, oid};
use crate::suite::{SignatureAlgorithm, SignatureError, VerifyingKey};

/// Issuer, whose key will sign the certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Issuer {
    /// The key that is certified: a root.
    Itself,
    /// The CSCA with this certificate.
    Csca(Box<Certificate>),
}

/// A certificate to be issued.
#[derive(Clone, Debug)]
pub struct CertificateDraft {
    /// Role of the certified key.
    pub role: Role,
    /// Holder of the key. A root's issuer is the same name.
    pub subject: Name,
    /// Issuer of the certificate.
    pub issuer: Issuer,
    /// Unique for the issuer; see [`SerialNumber::generate`].
    pub serial: SerialNumber,
    /// Validity of the certificate: as long as anything that its key signs may be inspected.
    pub validity: Validity,
    /// Period in which the private key may sign; a fraction of the validity.
    pub private_key_usage: Validity,
    /// The key to be certified.
    pub key: VerifyingKey,
    /// Form of the curve parameters. The standard demands [`CurveForm::Explicit`]; see
    /// `docs/divergences.md` for the other.
    pub form: CurveForm,
    /// The State, for the alternative names.
    pub country: Country,
    /// A URI (`https://…`) or mail address, for the alternative names.
    pub contact: Option<String>,
    /// URIs of the CSCA's CRL, at least one.
    pub crl_distribution_points: Vec<String>,
}

impl CertificateDraft {
    /// Encodes the body, and checks it against the profile.
    ///
    /// # Errors
    /// All [`Findings`] at once.
    pub fn lint(self) -> Result<PreparedCertificate, Findings> {
        let (issuer, signer_key) = match &self.issuer {
            Issuer::Itself => (None, self.key.clone()),
            Issuer::Csca(csca) => match csca.verifying_key() {
                Ok(key) => (Some(&**csca), key),
                Err(_) => return Err(Findings(vec![ProfileFinding::Issuer])),
            },
        };
        let algorithm = signer_key.usual_algorithm();
        let bytes = self.encode(issuer, algorithm);
        let body = Body::parse(&bytes).map_err(|_| Findings(vec![ProfileFinding::Version]))?;
        let findings = lint::lint(&body, &self.role, issuer);
        match findings.is_empty() {
            true => Ok(PreparedCertificate { body: bytes, algorithm, signer_key }),
            false => Err(Findings(findings)),
        }
    }

    fn encode(&self, issuer: Option<&Certificate>, algorithm: SignatureAlgorithm) -> Vec<u8> {
        let spki = spki::encode(&self.key, self.form);
        let validity = der::sequence(&[&der::time(self.validity.not_before), &der::time(self.validity.not_after)]);
        let extensions = der::context(3, &self.extensions(issuer, &spki));
        der::sequence(&[
            &der::context(0, &der::integer(&[2])),
            &crate::tlv::encode(der::INTEGER, self.serial.content()),
            &algorithm::write_signature(algorithm),
            issuer.map_or(&self.subject, |issuer| issuer.subject()).der(),
            &validity,
            self.subject.der(),
            &spki,
            &extensions,
        ])
    }

    fn extensions(&self, issuer: Option<&Certificate>, spki: &[u8]) -> Vec<u8> {
        let own_key = spki::identifier_of(spki).expect("a key just encoded has octets");
        let issuer_key = issuer.and_then(Certificate::subject_key_identifier).unwrap_or(&own_key);
        let usage = match self.role {
            Role::Csca => KeyUsage::AUTHORITY,
            Role::DocumentSigner { .. } | Role::TrustListSigner => KeyUsage::DIGITAL_SIGNATURE,
        };
        let contact = self.contact.as_deref();
        let Validity { not_before, not_after } = self.private_key_usage;
        let mut list = vec![
            extensions::write_authority_key(issuer_key),
            extensions::write_subject_key(&own_key),
            extensions::write_key_usage(usage),
            extensions::write_usage_period(not_before, not_after),
            extensions::write_alt_name(&oid::SUBJECT_ALT_NAME, &self.country, contact),
            extensions::write_alt_name(&oid::ISSUER_ALT_NAME, &self.country, contact),
            extensions::write_distribution_points(&self.crl_distribution_points),
        ];
        match &self.role {
            Role::Csca => list.push(extensions::write_basic_constraints()),
            Role::DocumentSigner { document_types } => list.push(extensions::write_document_types(document_types)),
            Role::TrustListSigner => list.push(extensions::write_key_purpose(&oid::MASTER_LIST_SIGNING_KEY)),
        }
        if issuer.is_some_and(|issuer| matches!(self.role, Role::Csca) && *issuer.subject() != self.subject) {
            list.push(extensions::extension(&oid::NAME_CHANGE, false, &der::null())); // §7.1.1.5
        }
        crate::tlv::encode(der::SEQUENCE, &list.concat())
    }
}

/// A linted body waiting for its one signature. Not `Clone`: attaching a signature spends it.
///
/// ```compile_fail,E0382
/// fn twice(prepared: crypto::pki::PreparedCertificate, signature: &[u8]) {
///     let _ = prepared.attach(signature);
///     let _ = prepared.attach(signature); // use of moved value
/// }
/// ```
#[derive(Debug)]
pub struct PreparedCertificate {
    body: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signer_key: VerifyingKey,
}

impl PreparedCertificate {
    /// Returns the bytes to sign, not yet hashed.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.body
    }

    /// Returns the signature algorithm.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Returns the certificate. The signature (DER for ECDSA) is verified under the issuer's key first.
    ///
    /// # Errors
    /// [`SignatureMismatch`].
    pub fn attach(self, signature: &[u8]) -> Result<Certificate, SignatureMismatch> {
        self.signer_key.verify(self.algorithm, &self.body, signature)?;
        let bytes =
            der::sequence(&[&self.body, &algorithm::write_signature(self.algorithm), &der::bit_string(signature)]);
        Ok(Certificate::parse(&bytes).expect("a linted body with a signature is a certificate"))
    }
}

/// The signature is not one of the expected key over the prepared bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the signature does not belong to what was prepared: {0}")]
pub struct SignatureMismatch(#[from] pub SignatureError);
