//! Certificates, lists, security objects and bundles: no bytes verify that the seeds' own keys did not sign.

use std::sync::LazyLock;

use crypto::pki::{Certificate, Crl, MasterList, TrustStore, trust_bundle};
use crypto::sod::Sod;
use time::OffsetDateTime;
use time::macros::datetime;

/// The moment at which seeds were valid.
pub const AT: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// CSCA of the seeds.
pub static CSCA: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::parse(include_bytes!("../context/csca.der")).expect("our own certificate"));

/// Trust store with that CSCA alone.
pub static STORE: LazyLock<TrustStore> = LazyLock::new(|| TrustStore::new(vec![CSCA.clone()]));

static SIGNER: LazyLock<Certificate> = LazyLock::new(|| {
    Certificate::parse(include_bytes!("../seeds/certificate/document-signer")).expect("our own certificate")
});
static LIST_SIGNER: LazyLock<Certificate> = LazyLock::new(|| {
    Certificate::parse(include_bytes!("../seeds/certificate/trust-list-signer")).expect("our own certificate")
});

pub fn certificate(bytes: &[u8]) {
    let Ok(certificate) = Certificate::parse(bytes) else { return };
    assert_eq!(certificate.der(), bytes);
    let _ = (certificate.country(), certificate.validity(), certificate.is_self_issued(), certificate.fingerprint());
    let _ = (certificate.verifying_key(), certificate.signature_algorithm(), format!("{certificate:?}"));
    let _ = (certificate.subject().common_name(), certificate.subject().to_string(), certificate.issuer().to_string());
    let _ = (certificate.extensions().unknown_critical(), certificate.subject().matches(certificate.issuer()));
    if STORE.verify_signer(&certificate, AT).is_ok() {
        assert_eq!(certificate.to_be_signed(), SIGNER.to_be_signed(), "a forged document signer");
    }
    if STORE.verify_list_signer(&certificate, AT).is_ok() {
        assert_eq!(certificate.to_be_signed(), LIST_SIGNER.to_be_signed(), "a forged trust-list signer");
    }
    let mut store = TrustStore::new(vec![CSCA.clone()]);
    let _ = store.add_link(certificate, AT);
}

pub fn crl(bytes: &[u8]) {
    let Ok(list) = Crl::parse(bytes) else { return };
    assert_eq!(list.der(), bytes);
    let _ = (list.number(), list.signature_algorithm(), format!("{list:?}"));
    if list.verify(&CSCA).is_ok() {
        let genuine = Crl::parse(include_bytes!("../seeds/crl/one-revoked")).expect("our own list");
        assert_eq!(list.revoked(), genuine.revoked(), "a forged revocation list");
    }
    let _ = TrustStore::new(vec![CSCA.clone()]).add_list(list);
}

pub fn sod(bytes: &[u8]) {
    let Ok(sod) = Sod::parse(bytes) else { return };
    assert_eq!(sod.raw(), bytes);
    let _ = (sod.unverified_groups(), sod.signer_certificate().map(Certificate::fingerprint));
    if let Ok(verified) = sod.verify(&STORE, AT) {
        let genuine = Sod::parse(include_bytes!("../seeds/sod/genuine")).expect("our own security object");
        let genuine = genuine.verify(&STORE, AT).expect("verifies");
        assert_eq!(verified.groups(), genuine.groups(), "a forged security object");
        for group in verified.groups() {
            assert!(verified.check(group, b"other bytes").is_err());
        }
    }
}

pub fn trust_bundle(bytes: &[u8]) {
    if let Ok(bundle) = trust_bundle::open(bytes, &CSCA, AT) {
        let genuine = trust_bundle::open(include_bytes!("../seeds/trust_bundle/genuine"), &CSCA, AT).expect("ours");
        assert_eq!(bundle.contents(), genuine.contents(), "a forged trust bundle");
    }
    if let Ok(prepared) = trust_bundle::Prepared::from_bytes(bytes) {
        assert_eq!(trust_bundle::Prepared::from_bytes(&prepared.to_bytes()).as_ref(), Ok(&prepared));
    }
    if let Ok(prepared) = crypto::sod::Prepared::from_bytes(bytes) {
        assert_eq!(crypto::sod::Prepared::from_bytes(&prepared.to_bytes()).as_ref(), Ok(&prepared));
    }
}

pub fn master_list(bytes: &[u8]) {
    if let Ok(list) = MasterList::parse(bytes) {
        let _ = (list.entries().count(), list.certificates().len());
        assert!(list.verify(&STORE, AT).is_err(), "our key signed no master list");
    }
}
