//! Certificates and keys in files as people bring them: PEM as other systems write it, or DER.
//!
//! What is there is read; what cannot be used is refused in words that say what the file holds instead.

use crypto::pki::Certificate;
use crypto::pki::pem::{self, Block};
use rcgen::{KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a file cannot be used as what it should be. The words go on from the name of the file.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum PaperError {
    /// The certificates of the file are for other keys.
    #[error("is for another key: {certified}; the key of this station is {own}")]
    AnotherKey {
        /// Each certificate of the file, with its key.
        certified: String,
        /// The key that it should be for.
        own: String,
    },
    /// A block or a structure is damaged.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// No byte, or nothing but spaces.
    #[error("is empty")]
    Empty,
    /// A key under a passphrase.
    #[error(
        "holds a key that is encrypted with a passphrase, and this program asks for none: decrypt it with `openssl pkey -in FILE -out key.pem`"
    )]
    EncryptedKey,
    /// More certificates than one, where one is needed.
    #[error("holds {0} certificates: give the one that is meant in a file of its own")]
    Several(usize),
    /// Something else than what is needed.
    #[error("holds {found}, and not {wanted}")]
    Wrong {
        /// What is there.
        found: String,
        /// What should be there.
        wanted: &'static str,
    },
}

/// Returns the certificates of a file, in their order; at least one. Keys beside them are left out.
///
/// # Errors
/// [`PaperError`], if there is none.
pub fn certificates(file: &[u8]) -> Result<Vec<Certificate>, PaperError> {
    let damaged = |error| PaperError::Damaged(format!("a certificate in it cannot be read ({error})"));
    if file.first() == Some(&SEQUENCE) {
        return match Certificate::parse(file) {
            Ok(certificate) => Ok(vec![certificate]),
            Err(error) => Err(binary(file, "a certificate").unwrap_or_else(|| damaged(error))),
        };
    }
    let blocks = blocks(file, "a certificate")?;
    let certified = blocks.iter().filter(|block| CERTIFICATES.contains(&block.label.as_str()));
    let certificates: Vec<_> =
        certified.map(|block| Certificate::parse(&block.content).map_err(damaged)).collect::<Result<_, _>>()?;
    if certificates.is_empty() { Err(wrong(&blocks, "a certificate")) } else { Ok(certificates) }
}

/// Returns the one certificate of a file.
///
/// # Errors
/// [`PaperError`], also if there are several.
pub fn certificate(file: &[u8]) -> Result<Certificate, PaperError> {
    let mut all = certificates(file)?;
    match (all.pop(), all.len()) {
        (Some(only), 0) => Ok(only),
        (_, others) => Err(PaperError::Several(others + 1)),
    }
}

/// A private key, and its PEM in the form that this program writes.
pub struct Key {
    /// The key.
    pub pair: KeyPair,
    /// PEM.
    pub pem: Zeroizing<String>,
}

/// Returns the private key of a file. Certificates beside it are left out.
///
/// # Errors
/// [`PaperError`], if there is none, or it is encrypted.
pub fn key(file: &[u8]) -> Result<Key, PaperError> {
    let usable = |pem: Zeroizing<String>| match KeyPair::from_pem(&pem) {
        Ok(pair) => Ok(Key { pair, pem }),
        Err(error) => Err(PaperError::Damaged(format!("the key in it cannot be used ({error})"))),
    };
    if file.first() == Some(&SEQUENCE) {
        let found = KEYS.iter().find_map(|label| usable(pem::write(label, file)).ok());
        return found.ok_or_else(|| {
            binary(file, "a private key").unwrap_or_else(|| match Certificate::parse(file) {
                Ok(_) => PaperError::Wrong { found: "a certificate".to_owned(), wanted: "a private key" },
                Err(_) => PaperError::Damaged("it is no private key".to_owned()),
            })
        });
    }
    let blocks = blocks(file, "a private key")?;
    match blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")) {
        Some(block) if block.encrypted || block.label.starts_with("ENCRYPTED") => Err(PaperError::EncryptedKey),
        Some(block) => usable(pem::write(&block.label, &block.content)),
        None => Err(wrong(&blocks, "a private key")),
    }
}

/// Returns the certificates with the one that is for this key first: a file may hold those of its authorities too.
///
/// # Errors
/// [`PaperError::AnotherKey`], naming both, if none is.
pub fn certificates_of(key: &KeyPair, mut certificates: Vec<Certificate>) -> Result<Vec<Certificate>, PaperError> {
    let own = key.subject_public_key_info();
    match certificates.iter().position(|certificate| certificate.subject_public_key_info() == own) {
        Some(at) => {
            certificates.swap(0, at);
            Ok(certificates)
        }
        None => {
            let named = |certificate: &Certificate| {
                format!("`{}` with key {}", certificate.subject(), name(certificate.subject_public_key_info()))
            };
            let certified = certificates.iter().map(named).collect::<Vec<_>>().join(", ");
            Err(PaperError::AnotherKey { certified, own: name(&own) })
        }
    }
}

/// Returns certificates as PEM.
pub fn to_pem(certificates: &[Certificate]) -> Vec<u8> {
    let all = certificates.iter().flat_map(|one| pem::write("CERTIFICATE", one.der()).as_bytes().to_vec());
    all.collect()
}

/// Returns a short name for a public key: the beginning of the SHA-256 of its SubjectPublicKeyInfo.
fn name(spki: &[u8]) -> String {
    format!("sha256:{}", hex::encode(&Sha256::digest(spki)[..8]))
}

fn blocks(file: &[u8], wanted: &'static str) -> Result<Vec<Block>, PaperError> {
    let text = pem::text(file);
    if text.trim().is_empty() {
        return Err(PaperError::Empty);
    }
    let blocks = pem::blocks(&text).map_err(|error| PaperError::Damaged(error.to_string()))?;
    if blocks.is_empty() {
        return Err(PaperError::Wrong { found: "neither PEM nor DER".to_owned(), wanted });
    }
    Ok(blocks)
}

/// Returns what blocks hold that are not what is wanted.
fn wrong(blocks: &[Block], wanted: &'static str) -> PaperError {
    let all: Vec<_> = blocks.iter().map(|block| format!("`{}`", block.label)).collect();
    let mut found = all.join(" and ");
    if blocks.iter().any(|block| block.label.ends_with("CERTIFICATE REQUEST")) {
        found.push_str(", the request itself: the administrator's answer is meant");
    }
    PaperError::Wrong { found, wanted }
}

/// Recognises containers of Windows by their first bytes: PKCS#12 (`.pfx`) and PKCS#7 (`.p7b`); and PKCS#8 with a
/// passphrase.
fn binary(file: &[u8], wanted: &'static str) -> Option<PaperError> {
    // SEQUENCE, its length in one to three bytes, and what follows.
    let ([SEQUENCE, 0x82, _, _, content @ ..] | [SEQUENCE, 0x81, _, content @ ..] | [SEQUENCE, 0..=0x7f, content @ ..]) =
        file
    else {
        return None;
    };
    let of = |found: &str| Some(PaperError::Wrong { found: found.to_owned(), wanted });
    match content {
        [2, 1, 3, ..] => of("a PKCS#12 container (.pfx, .p12), which this program does not open: export it as PEM"),
        [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2, ..] => {
            of("a PKCS#7 container (.p7b), which this program does not open: export it as PEM or DER")
        }
        [2, 1, 0 | 1, ..] if wanted != "a private key" => of("a private key"),
        // PBES2, the only scheme that is written today.
        [SEQUENCE, _, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, ..]
        | [SEQUENCE, 0x81, _, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, ..] => Some(PaperError::EncryptedKey),
        _ => None,
    }
}

/// First byte of everything that is DER here.
const SEQUENCE: u8 = 0x30;

/// Labels of certificates: the standard one, and those of older software.
const CERTIFICATES: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/// Labels under which a key in DER may be read.
const KEYS: [&str; 2] = ["PRIVATE KEY", "EC PRIVATE KEY"];

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType};

    use super::*;

    struct Paper {
        key: KeyPair,
        certificate: rcgen::Certificate,
    }

    fn paper(name: &str) -> Paper {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        Paper { certificate: parameters.self_signed(&key).expect("signed"), key }
    }

    #[test]
    fn a_certificate_is_read_in_every_shape() {
        let Paper { key, certificate: paper } = paper("counter-1");
        let pem = paper.pem();
        let marked = [b"\xef\xbb\xbf", pem.as_bytes()].concat();
        let both = format!("{}{pem}", key.serialize_pem());
        for file in [
            pem.as_bytes(),
            pem.replace('\n', "\r\n").as_bytes(),
            &marked,
            format!("Certificate:\n    Data: …\n{pem}").as_bytes(),
            both.as_bytes(),
            paper.der(),
        ] {
            assert_eq!(certificate(file).expect("read").der(), &paper.der()[..]);
        }
        assert_eq!(certificate(pem.repeat(2).as_bytes()), Err(PaperError::Several(2)));
    }

    #[test]
    fn a_key_is_read_in_every_shape() {
        let Paper { key: own, certificate } = paper("counter-1");
        let pem = own.serialize_pem();
        let (der, both) = (own.serialize_der(), format!("{}{pem}", certificate.pem()));
        for file in [pem.as_bytes(), pem.replace('\n', "\r\n").as_bytes(), both.as_bytes(), &der] {
            assert_eq!(key(file).map(|key| key.pem.to_string()).ok(), Some(pem.replace("\r\n", "\n")));
        }
    }

    #[test]
    fn what_cannot_be_used_is_called_by_its_name() {
        let Paper { key: own, certificate: paper } = paper("counter-1");
        let request = CertificateParams::default().serialize_request(&own).and_then(|r| r.pem()).expect("a request");
        let cut = &paper.pem()[..paper.pem().len() - 40];
        for (file, words) in [
            (&b""[..], "is empty"),
            (b"\xef\xbb\xbf\r\n ", "is empty"),
            (b"<html>", "neither PEM nor DER"),
            (own.serialize_pem().as_bytes(), "`PRIVATE KEY`"),
            (&own.serialize_der(), "a private key"),
            (request.as_bytes(), "the request itself"),
            (cut.as_bytes(), "cut off"),
            (&paper.der()[..50], "is damaged"),
            (b"\x30\x82\x0a\x00\x02\x01\x03\x30", "PKCS#12"),
            (b"\x30\x82\x0a\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0", "PKCS#7"),
        ] {
            let error = certificates(file).expect_err(words).to_string();
            assert!(error.contains(words), "{words}: {error}");
        }
        for (file, words) in [
            (&b""[..], "is empty"),
            (paper.pem().as_bytes(), "`CERTIFICATE`"),
            (paper.der(), "a certificate"),
            (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAEC\n-----END ENCRYPTED PRIVATE KEY-----\n", "openssl pkey"),
            (
                b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAEC\n-----END EC PRIVATE KEY-----",
                "passphrase",
            ),
            (b"-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n", "cannot be used"),
        ] {
            let error = key(file).err().expect(words).to_string();
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn a_certificate_for_another_key_is_refused_naming_both() {
        let (ours, other) = (paper("counter-1"), paper("counter-2"));
        let read = |paper: &Paper| certificate(paper.certificate.der()).expect("read");
        let error = certificates_of(&ours.key, vec![read(&other)]).expect_err("another key").to_string();
        let names = [&ours, &other].map(|paper| name(&paper.key.subject_public_key_info()));
        assert!(names.iter().all(|name| error.contains(name)) && error.contains("counter-2"), "{error}");
        let chain = vec![read(&other), read(&ours)];
        assert_eq!(certificates_of(&ours.key, chain).expect("the second")[0], read(&ours));
    }
}
