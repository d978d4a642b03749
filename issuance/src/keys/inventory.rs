//! What the folder holds that runs out: certificates, the revocation list, and the signatures that keys may still make.

use crypto::pki::Certificate;
use crypto::suite::{Curve, VerifyingKey};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Serialize;
use time::OffsetDateTime;

use super::ceremony::CeremonyError;
use super::crl::CurrentCrl;
use super::issued::issued;
use super::key_store::KeyStore;
use super::roll_over::RollOver;
use super::signer::{KeyName, certificate, key_id};
use super::{Settings, store};
use crate::store::Tx;

/// A certificate of the folder.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// Its file.
    pub file: String,
    /// What it is for.
    pub purpose: &'static str,
    /// True if the service works with it today; false for one that was succeeded and that cards still carry.
    pub in_use: bool,
    /// The algorithm of its key: `ECDSA P-256`, `RSA`.
    pub algorithm: &'static str,
    /// Serial number, in hexadecimal.
    pub serial: String,
    /// First moment of validity.
    #[serde(with = "time::serde::rfc3339")]
    pub not_before: OffsetDateTime,
    /// Last moment of validity.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
    /// Last moment at which its key may sign (private key usage period); as `not_after` where it is not limited.
    #[serde(with = "time::serde::rfc3339")]
    pub signs_until: OffsetDateTime,
    /// Signatures that the key may still make; `null` where they are not counted.
    pub signatures_left: Option<u64>,
    /// True if it is on the revocation list.
    pub revoked: bool,
    /// What the operator does before it runs out.
    pub remedy: &'static str,
}

/// The revocation list of the CSCA.
#[derive(Clone, Debug, Serialize)]
pub struct RevocationList {
    /// Signers that are revoked.
    pub revoked: usize,
    /// When the next list must be there; `null` if the list names no moment.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_update: Option<OffsetDateTime>,
}

/// Returns the certificates of the folder: those in use first, then those that were succeeded; and the revocation list,
/// `None` if it cannot be read.
///
/// # Errors
/// [`CeremonyError`]: a certificate in use is missing or malformed, the database does not answer.
pub async fn inventory(
    store: &KeyStore,
    tx: &mut Tx,
    settings: &Settings,
) -> Result<(Vec<Held>, Option<RevocationList>), CeremonyError> {
    let list = CurrentCrl::new(store.data()).read_now();
    let is_revoked = |one: &Certificate| {
        list.as_ref().is_ok_and(|(_, list)| list.revoked().iter().any(|entry| entry.serial == *one.serial()))
    };
    let mut held = Vec::new();
    for (name, purpose, remedy) in [
        (KeyName::Csca, "certifies the signers", "a new CSCA with link certificates"),
        (KeyName::DocumentSigner, "signs security objects", "issuance rotate ds, then reload"),
        (KeyName::TrustListSigner, "signs the trust bundle", "issuance rotate trust-list-signer, then reload"),
    ] {
        let one = certificate(store, name)?;
        let left = match (name, one.verifying_key()) {
            (KeyName::Csca, _) | (_, Err(_) | Ok(VerifyingKey::Rsa(_))) => None,
            (_, Ok(VerifyingKey::Ec(public))) => {
                let used = store::usage(tx, &key_id(&public)).await.map_err(super::SignerError::from)?;
                Some(settings.signing_key_limit.saturating_sub(used))
            }
        };
        held.push(Held { signatures_left: left, ..of(&one, name.file(), purpose, true, is_revoked(&one), remedy) });
    }
    for one in issued(store)? {
        let known = held.iter().any(|other| other.serial == one.certificate.serial().to_string());
        if !known {
            let revoked = is_revoked(&one.certificate);
            held.push(of(&one.certificate, &one.file, "signed documents; cards carry it", false, revoked, "nothing"));
        }
    }
    let malformed = |file| CeremonyError::Unreadable(file);
    let parsed = |der: &[u8], file| Certificate::parse(der).map_err(|_| malformed(file));
    let der = CertificateDer::from_pem_slice(&store.public("server.pem")?).map_err(|_| malformed("server.pem"))?;
    let (one, remedy) = (parsed(&der, "server.pem")?, "issuance renew-server, then reload");
    held.push(Held { file: "server.pem".to_owned(), ..of(&one, "", "the service's TLS", true, false, remedy) });
    if let Some(roll_over) = RollOver::under_way(store)? {
        for (file, one, purpose, remedy) in [
            ("tls-ca.pem", roll_over.comes()?, "certifies stations and officers anew", ROLL_OVER),
            ("tls-ca.pem (old)", roll_over.goes()?, "goes; its clients are trusted until then", FINISH),
        ] {
            held.push(Held { file: file.to_owned(), ..of(&one, file, purpose, true, false, remedy) });
        }
    } else {
        let (file, purpose) = ("tls-ca.pem", "certifies the service's TLS and the stations");
        let der = CertificateDer::from_pem_slice(&store.public(file)?).map_err(|_| malformed(file))?;
        held.push(Held { file: file.to_owned(), ..of(&parsed(&der, file)?, file, purpose, true, false, ROLL_OVER) });
    }
    let list =
        list.ok().map(|(_, list)| RevocationList { revoked: list.revoked().len(), next_update: list.next_update() });
    Ok((held, list))
}

/// Returns the algorithm of the certified key.
fn algorithm(one: &Certificate) -> &'static str {
    match one.verifying_key() {
        Ok(VerifyingKey::Ec(public)) => match public.curve() {
            Curve::P256 => "ECDSA P-256",
            Curve::P384 => "ECDSA P-384",
            Curve::P521 => "ECDSA P-521",
            Curve::BrainpoolP256r1 => "ECDSA brainpoolP256r1",
            Curve::BrainpoolP384r1 => "ECDSA brainpoolP384r1",
        },
        Ok(VerifyingKey::Rsa(_)) => "RSA",
        Err(_) => "?",
    }
}

const ROLL_OVER: &str = "issuance rotate tls-authority, then reload";
const FINISH: &str = "issuance rotate tls-authority --finish, then reload";

fn of(one: &Certificate, file: &str, purpose: &'static str, in_use: bool, revoked: bool, remedy: &'static str) -> Held {
    Held {
        file: format!("{file}.der"),
        purpose,
        in_use,
        algorithm: algorithm(one),
        serial: one.serial().to_string(),
        not_before: one.not_before(),
        not_after: one.not_after(),
        signs_until: one.signing_period().not_after,
        signatures_left: None,
        revoked,
        remedy,
    }
}
