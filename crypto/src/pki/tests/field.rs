//! Certificates of the field. A test reports itself as not run where they are absent.

use std::collections::BTreeSet;

use time::macros::datetime;

use crate::field_data::field_data;
use crate::pki::specimen::{Openssl, from_pem};
use crate::pki::trust_bundle::TrustBundleError;
use crate::pki::{
    Certificate, ChainError, CurveForm, LegacyHashes, MasterList, SpkiError, State, TrustStore, oid, spki,
};

const AT: time::OffsetDateTime = datetime!(2026-06-01 00:00:00 UTC);

#[test]
fn the_german_master_list_is_read_and_its_certificates_vouch_for_each_other() {
    let Some(bytes) = field_data("masterlists/DE_ML_2026-05-28-08-28-45.ml") else { return };
    let list = MasterList::parse(&bytes).unwrap();
    let all: Vec<_> = list.entries().collect();
    assert_eq!(all.len(), 588);
    let read: Vec<Certificate> = all.into_iter().collect::<Result<_, _>>().unwrap();
    let countries: BTreeSet<_> = read.iter().filter_map(Certificate::country).collect();
    let form = |form| {
        let of = |c: &&Certificate| spki::form(c.subject_public_key_info()) == Ok(Some(form));
        read.iter().filter(of).count()
    };
    let (mut roots, mut links, mut alone) = (0, 0, Vec::new());
    for certificate in &read {
        let vouches = |other: &Certificate| {
            let key = other.verifying_key().ok();
            key.is_some_and(|key| certificate.verify_signature(&key).is_ok())
        };
        match vouches(certificate) {
            true => roots += 1,
            false if read.iter().any(|other| other.subject().country() == certificate.country() && vouches(other)) => {
                links += 1;
            }
            false => alone.push(certificate),
        }
    }
    assert_eq!((countries.len(), roots, links), (112, 365, 196));
    assert_eq!((form(CurveForm::Explicit), form(CurveForm::Named)), (143, 4));
    // The others are signed by a key that is not in the list, or on a curve that this crate does not compute.
    assert_eq!(alone.len(), read.len() - roots - links);
}

#[test]
fn every_anchor_of_the_german_master_list_names_one_state() {
    let Some(bytes) = field_data("masterlists/DE_ML_2026-05-28-08-28-45.ml") else { return };
    let mut states = BTreeSet::new();
    for certificate in MasterList::parse(&bytes).unwrap().entries().map(Result::unwrap) {
        let extensions = certificate.extensions();
        let names =
            [certificate.subject().country(), extensions.subject_country.clone(), extensions.subject_region.clone()];
        let named: Vec<State> = names.iter().flatten().map(|name| State::of_code(name).expect(name)).collect();
        assert!(!named.is_empty(), "{}", certificate.subject());
        assert!(named.iter().all(|one| named.iter().all(|other| one.agrees(*other))), "{named:?}");
        states.extend(named.iter().map(|state| state.in_mrz()));
    }
    assert!(["D", "RKS", "EUE", "UNO", "HKG", "MAC", "LUX", "GBR"].iter().all(|state| states.contains(state)));
}

#[test]
fn the_german_master_list_is_verified_under_its_root() {
    let Some(bytes) = field_data("masterlists/DE_ML_2026-05-28-08-28-45.ml") else { return };
    let Some(root) = field_data("masterlists/DE_ROOT_CA_CSCA07.cer") else { return };
    let root = if root.starts_with(b"-----") { from_pem(&root) } else { root };
    let root = Certificate::parse(&root).unwrap();
    let list = MasterList::parse(&bytes).unwrap();
    let outcome = list.verify(&TrustStore::new(vec![root.clone()]), AT);
    // The list's own signature can be verified under its signer's key.
    let signer = list.signed.signer().unwrap();
    assert_eq!(list.signed.verify(&oid::MASTER_LIST, signer, LegacyHashes::Refuse), Ok(()));
    // The root's brainpoolP512r1 is not supported: refused as that, not as anything else.
    assert_eq!(outcome, Err(TrustBundleError::Chain(ChainError::Key(SpkiError::Parameters))));
}

#[test]
fn viet_nams_passport_csca_is_read() {
    let Some(bytes) = field_data("csca/VN_CSCA_ePassport_2022.der") else { return };
    let certificate = Certificate::parse(&bytes).unwrap();
    assert_eq!(certificate.country().as_deref(), Some("VN"));
    assert_eq!(certificate.extensions().subject_country.as_deref(), Some("VNM"));
    // brainpoolP512r1 with explicit parameters: not supported, and refused as that.
    assert_eq!(certificate.verifying_key(), Err(SpkiError::Parameters));
}

#[test]
fn three_generations_of_indonesian_cscas_hand_over_trust() {
    let files = ["2010-12_CSCA.cer", "2016-01_CSCA_LINK.cer", "2016-01_CSCA.cer", "2020-10_CSCA_LINK.cer"];
    let mut read = Vec::new();
    for file in files {
        let Some(bytes) = field_data(&format!("csca/{file}")) else { return };
        read.push(Certificate::parse(&if bytes.starts_with(b"-----") { from_pem(&bytes) } else { bytes }).unwrap());
    }
    let [first, link, second, last] = <[Certificate; 4]>::try_from(read).unwrap();
    for (root, link) in [(&first, &link), (&second, &last)] {
        let mut trust = TrustStore::new(vec![root.clone()]);
        assert_eq!(trust.add_link(link.clone(), link.not_before()), Ok(()), "{} -> {}", root.subject(), link.subject());
        link.verify_signature(&root.verifying_key().unwrap()).unwrap();
    }
}

#[test]
fn the_mock_chains_have_good_signatures_and_signers_without_key_usage() {
    for family in [
        "sha256_ecdsa_brainpoolP256r1",
        "sha256_ecdsa_secp256r1",
        "sha256_rsapss_32_65537_3072",
        "sha384_ecdsa_secp384r1",
    ] {
        let Some(root) = field_data(&format!("pki_mock/{family}/mock_csca.pem")) else { return };
        let Some(signer) = field_data(&format!("pki_mock/{family}/mock_dsc.pem")) else { return };
        let [root, signer] = [root, signer].map(|pem| Certificate::parse(&from_pem(&pem)).unwrap());
        let signed = signer.verify_signature(&root.verifying_key().unwrap());
        assert_eq!(signed, Ok(()), "{family}");
        // Doc 9303-12 table 6 demands key usage of both; these have none.
        let refused = TrustStore::new(vec![root]).verify_signer(&signer, AT).map(drop);
        assert!(matches!(refused, Err(ChainError::AnchorNotAuthority { .. })), "{family}: {refused:?}");
    }
}

#[test]
fn openssl_and_we_read_the_same_subject_of_every_certificate() {
    let (Some(openssl), Some(bytes)) = (Openssl::find(), field_data("csca/VN_CSCA_ePassport_2022.der")) else { return };
    openssl.file("csca.der", &bytes);
    openssl.run("x509 -inform DER -in csca.der -noout -serial -out serial").unwrap();
    let serial = String::from_utf8(openssl.read("serial")).unwrap();
    let certificate = Certificate::parse(&bytes).unwrap();
    assert_eq!(serial.trim(), format!("serial={}", certificate.serial()));
}
