//! Test authorities and signers of Utopia (`UT`/`UTO`), forgeries that no lint would let pass,
//! and OpenSSL as an oracle.

use std::process::Command;

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::{
    Certificate, CertificateDraft, Country, Crl, CrlDraft, CurveForm, Issuer, Name, Oid, RevokedCertificate, Role,
    SerialNumber, Validity, algorithm, der, extensions, spki,
};
use crate::suite::{Curve, PrivateKey, SignatureAlgorithm, VerifyingKey};
use crate::tlv;

/// The moment of inspection.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-22 12:00:00 UTC);
/// Two months before: when the document was signed.
pub(crate) const SIGNED: OffsetDateTime = datetime!(2026-10-01 08:30:00 UTC);

/// A key and its certificate.
pub(crate) struct Issued {
    pub(crate) key: PrivateKey,
    pub(crate) certificate: Certificate,
}

impl Issued {
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign_der(self.key.public().curve().usual_hash(), message)
    }
}

pub(crate) fn utopia() -> Country {
    Country::new("UT", "UTO").unwrap()
}

pub(crate) fn key(curve: Curve, seed: u64) -> PrivateKey {
    PrivateKey::generate(curve, &mut ChaCha20Rng::seed_from_u64(seed))
}

/// Returns the draft of a root, valid 2025 to 2040, its key in use until 2030.
pub(crate) fn root_draft(country: &Country, key: VerifyingKey, form: CurveForm, seed: u64) -> CertificateDraft {
    let name = Name::new(country, "State of Utopia", None, "CSCA").unwrap();
    CertificateDraft {
        role: Role::Csca,
        subject: name,
        issuer: Issuer::Itself,
        serial: SerialNumber::generate(&mut ChaCha20Rng::seed_from_u64(seed)),
        validity: Validity {
            not_before: datetime!(2025-12-01 00:00:00 UTC),
            not_after: datetime!(2052-01-01 00:00:00 UTC),
        },
        private_key_usage: Validity {
            not_before: datetime!(2025-12-01 00:00:00 UTC),
            not_after: datetime!(2030-12-01 00:00:00 UTC),
        },
        key,
        form,
        country: country.clone(),
        contact: Some("https://csca.invalid".to_owned()),
        crl_distribution_points: vec!["https://csca.invalid/crl/UTO.crl".to_owned()],
    }
}

/// Returns the draft of a signer, valid from September 2026 for ten years, its key in use for three months.
pub(crate) fn signer_draft(
    issuer: &Certificate,
    role: Role,
    key: VerifyingKey,
    form: CurveForm,
    seed: u64,
) -> CertificateDraft {
    CertificateDraft {
        role,
        subject: Name::new(&utopia(), "State of Utopia", None, "Signer").unwrap(),
        issuer: Issuer::Csca(Box::new(issuer.clone())),
        serial: SerialNumber::generate(&mut ChaCha20Rng::seed_from_u64(seed)),
        validity: Validity {
            not_before: datetime!(2026-09-01 00:00:00 UTC),
            not_after: datetime!(2036-12-01 00:00:00 UTC),
        },
        private_key_usage: Validity {
            not_before: datetime!(2026-09-01 00:00:00 UTC),
            not_after: datetime!(2026-12-01 00:00:00 UTC),
        },
        key,
        form,
        country: utopia(),
        contact: None,
        crl_distribution_points: vec!["https://csca.invalid/crl/UTO.crl".to_owned()],
    }
}

pub(crate) fn documents() -> Role {
    Role::DocumentSigner { document_types: vec!["ID".to_owned(), "I".to_owned()] }
}

pub(crate) fn csca(curve: Curve, form: CurveForm, seed: u64) -> Issued {
    csca_of(&utopia(), curve, form, seed)
}

pub(crate) fn csca_of(country: &Country, curve: Curve, form: CurveForm, seed: u64) -> Issued {
    let key = key(curve, seed);
    let prepared = root_draft(country, key.public().into(), form, seed).lint().unwrap();
    let signature = key.sign_der(prepared.algorithm().hash(), prepared.to_be_signed());
    let certificate = prepared.attach(&signature).unwrap();
    Issued { key, certificate }
}

pub(crate) fn signer(issuer: &Issued, role: Role, curve: Curve, form: CurveForm, seed: u64) -> Issued {
    let key = key(curve, seed);
    let certificate = issue(issuer, signer_draft(&issuer.certificate, role, key.public().into(), form, seed));
    Issued { key, certificate }
}

pub(crate) fn issue(issuer: &Issued, draft: CertificateDraft) -> Certificate {
    let prepared = draft.lint().unwrap();
    let signature = issuer.key.sign_der(prepared.algorithm().hash(), prepared.to_be_signed());
    prepared.attach(&signature).unwrap()
}

/// Returns a list of three months with these certificates on it.
pub(crate) fn crl(issuer: &Issued, revoked: &[&Certificate], this_update: OffsetDateTime) -> Crl {
    let entry =
        |certificate: &&Certificate| RevokedCertificate { serial: certificate.serial().clone(), at: this_update };
    let draft = CrlDraft {
        issuer: issuer.certificate.clone(),
        number: 7,
        this_update,
        next_update: this_update + Duration::days(90),
        revoked: revoked.iter().map(entry).collect(),
    };
    let prepared = draft.lint().unwrap();
    let signature = issuer.sign(prepared.to_be_signed());
    prepared.attach(&signature).unwrap()
}

/// A certificate taken apart, to be put together wrongly.
pub(crate) struct Forgery {
    pub(crate) issuer: Name,
    pub(crate) subject: Name,
    pub(crate) validity: Validity,
    pub(crate) serial: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    pub(crate) extensions: Vec<(Oid, bool, Vec<u8>)>,
}

impl Forgery {
    pub(crate) fn of(certificate: &Certificate) -> Self {
        let extensions = &certificate.extensions().all;
        Self {
            issuer: certificate.issuer().clone(),
            subject: certificate.subject().clone(),
            validity: certificate.validity(),
            serial: certificate.serial().content().to_vec(),
            spki: certificate.subject_public_key_info().to_vec(),
            extensions: extensions.iter().map(|e| (e.kind.clone(), e.critical, e.value.clone())).collect(),
        }
    }

    pub(crate) fn without(mut self, kind: &Oid) -> Self {
        self.extensions.retain(|(found, ..)| found != kind);
        self
    }

    pub(crate) fn with(mut self, kind: &Oid, critical: bool, value: &[u8]) -> Self {
        self = self.without(kind);
        self.extensions.push((kind.clone(), critical, value.to_vec()));
        self
    }

    pub(crate) fn sign(&self, key: &PrivateKey) -> Certificate {
        self.sign_with(key, VerifyingKey::from(key.public()).usual_algorithm())
    }

    pub(crate) fn sign_with(&self, key: &PrivateKey, algorithm: SignatureAlgorithm) -> Certificate {
        let written = algorithm::write_signature(algorithm);
        let validity = der::sequence(&[&der::time(self.validity.not_before), &der::time(self.validity.not_after)]);
        let list: Vec<Vec<u8>> = self
            .extensions
            .iter()
            .map(|(kind, critical, value)| extensions::extension(kind, *critical, value))
            .collect();
        let body = der::sequence(&[
            &der::context(0, &der::integer(&[2])),
            &tlv::encode(der::INTEGER, &self.serial),
            &written,
            self.issuer.der(),
            &validity,
            self.subject.der(),
            &self.spki,
            &der::context(3, &tlv::encode(der::SEQUENCE, &list.concat())),
        ]);
        let signature = key.sign_der(algorithm.hash(), &body);
        Certificate::parse(&der::sequence(&[&body, &written, &der::bit_string(&signature)])).unwrap()
    }
}

/// Returns the DER of the first PEM block.
pub(crate) fn from_pem(pem: &[u8]) -> Vec<u8> {
    use base64::Engine;
    let text = String::from_utf8_lossy(pem);
    let body: String = text
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with("-----END"))
        .collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

pub(crate) fn to_pem(label: &str, bytes: &[u8]) -> Vec<u8> {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

/// The `openssl` command in a folder of its own.
pub(crate) struct Openssl(tempfile::TempDir);

impl Openssl {
    /// Returns `None`, after printing that the test is skipped, where the command is missing.
    pub(crate) fn find() -> Option<Self> {
        match Command::new("openssl").arg("version").output() {
            Ok(output) if output.status.success() => Some(Self(tempfile::tempdir().unwrap())),
            _ => {
                println!("SKIPPED: no openssl command here");
                None
            }
        }
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> &Self {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
        self
    }

    pub(crate) fn certificate(&self, name: &str, certificate: &Certificate) -> &Self {
        self.file(name, &to_pem("CERTIFICATE", certificate.der()))
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    /// Runs one command line; the error carries what it said.
    pub(crate) fn run(&self, line: &str) -> Result<(), String> {
        let output = Command::new("openssl").args(line.split_whitespace()).current_dir(self.0.path()).output().unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("openssl {line}: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// Returns the key of an `openssl genrsa -traditional` file, as certificates have it: an RSAPublicKey.
pub(crate) fn rsa_public(private_key: &[u8]) -> VerifyingKey {
    let mut fields = tlv::Tlv::expect(der::SEQUENCE, private_key).unwrap().children();
    fields.read().unwrap();
    let (modulus, exponent) = (fields.read().unwrap().raw, fields.read().unwrap().raw);
    VerifyingKey::Rsa(der::sequence(&[modulus, exponent]))
}

/// Returns the key of a named-curve SubjectPublicKeyInfo as PEM, for `openssl dgst -verify`.
pub(crate) fn public_pem(key: &VerifyingKey, form: CurveForm) -> Vec<u8> {
    to_pem("PUBLIC KEY", &spki::encode(key, form))
}
