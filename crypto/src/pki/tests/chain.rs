//! One chain, and the error of each altered one.

use hex_literal::hex;
use proptest::prelude::*;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::pki::specimen::{
    Forgery, Issued, NOW, Openssl, crl, csca, csca_of, documents, issue, key, public_pem, root_draft, signer,
    signer_draft, utopia,
};
use crate::pki::{
    Certificate, ChainError, Country, Crl, CrlError, CurveForm, Issuer, KeyUsage, Name, Oid, Revocation, Role,
    TrustStore, Validity, der, extensions, oid, spki,
};
use crate::suite::{Curve, Hash, SignatureAlgorithm, SignatureError, VerifyingKey};
use crate::tlv::Tlv;

fn utopian() -> (Issued, Issued, TrustStore) {
    let root = csca(Curve::P384, CurveForm::Explicit, 1);
    let signer = signer(&root, documents(), Curve::P256, CurveForm::Explicit, 2);
    let trust = TrustStore::new(vec![root.certificate.clone()]);
    (root, signer, trust)
}

/// The outcome for a forged certificate.
fn judged(trust: &TrustStore, certificate: &Certificate) -> Result<(), ChainError> {
    trust.verify_signer(certificate, NOW).map(drop)
}

#[test]
fn a_chain_on_every_curve_in_both_forms_is_verified() {
    for curve in Curve::ALL {
        for form in [CurveForm::Explicit, CurveForm::Named] {
            let root = csca(curve, form, 10);
            let issued = signer(&root, documents(), curve, form, 11);
            assert_eq!(spki::form(issued.certificate.subject_public_key_info()), Ok(Some(form)));
            assert_eq!(issued.certificate.verifying_key(), Ok(VerifyingKey::Ec(issued.key.public())));
            let trust = TrustStore::new(vec![root.certificate.clone()]);
            let verified = trust.verify_signer(&issued.certificate, NOW).unwrap();
            assert_eq!(verified.anchor(), &root.certificate);
            assert_eq!(verified.country(), "UT");
            let names: Vec<_> = verified.states().into_iter().map(|(name, state)| (name, state.in_mrz())).collect();
            assert_eq!(names, [("C=UT".to_owned(), "UTO"), ("L=UTO".to_owned(), "UTO")]);
            assert_eq!(verified.document_types().unwrap(), ["I", "ID"]);
            assert_eq!(verified.revocation(), Revocation::NotChecked);
        }
    }
}

#[test]
fn openssl_reads_and_verifies_the_chain() {
    let Some(openssl) = Openssl::find() else { return };
    for curve in Curve::ALL {
        let root = csca(curve, CurveForm::Named, 10);
        let issued = signer(&root, documents(), curve, CurveForm::Named, 11);
        let list = crl(&root, &[], NOW - Duration::days(1));
        openssl.certificate("csca.pem", &root.certificate).certificate("ds.pem", &issued.certificate);
        openssl.file("list.pem", &crate::pki::specimen::to_pem("X509 CRL", list.der()));
        let at = NOW.unix_timestamp();
        let verify = format!("verify -attime {at} -x509_strict -CAfile csca.pem");
        openssl.run(&format!("{verify} ds.pem")).unwrap();
        openssl.run(&format!("{verify} -crl_check -CRLfile list.pem ds.pem")).unwrap();
        let list = crl(&root, &[&issued.certificate], NOW - Duration::days(1));
        openssl.file("list.pem", &crate::pki::specimen::to_pem("X509 CRL", list.der()));
        let refused = openssl.run(&format!("{verify} -crl_check -CRLfile list.pem ds.pem")).unwrap_err();
        assert!(refused.contains("revoked"), "{refused}");
    }
}

#[test]
fn openssl_verifies_the_signature_of_an_explicit_certificate() {
    // OpenSSL 3 refuses explicit parameters below the anchor in a chain, so it verifies the signature alone.
    let Some(openssl) = Openssl::find() else { return };
    for curve in Curve::ALL {
        let root = csca(curve, CurveForm::Explicit, 10);
        let issued = signer(&root, documents(), curve, CurveForm::Explicit, 11);
        let parts = Tlv::expect(0x30, issued.certificate.der()).unwrap();
        let signature = parts.child(0x03).unwrap().value;
        let key = public_pem(&root.key.public().into(), CurveForm::Explicit);
        openssl.file("key.pem", &key).file("signature", &signature[1..]);
        openssl.file("body", issued.certificate.to_be_signed()).certificate("ds.pem", &issued.certificate);
        let hash = format!("{:?}", root.certificate.signature_algorithm().unwrap().hash()).to_lowercase();
        openssl.run(&format!("dgst -{hash} -verify key.pem -signature signature body")).unwrap();
        openssl.run("x509 -in ds.pem -noout -text").unwrap();
        openssl.run("pkey -pubin -in key.pem -pubcheck -noout").unwrap();
    }
}

#[test]
fn a_signer_of_another_country_is_refused() {
    let (_, issued, trust) = utopian();
    let atlantis = Country::new("AT", "ATL").unwrap();
    let other = csca_of(&atlantis, Curve::P384, CurveForm::Explicit, 3);
    let mut both = TrustStore::new(vec![trust.anchors()[0].clone(), other.certificate.clone()]);
    // A signer of Utopia that Atlantis certified, saying so:
    let mut forgery = Forgery::of(&issued.certificate);
    forgery.issuer = other.certificate.subject().clone();
    let forged = forgery.sign(&other.key);
    let (subject, issuer) = (Some("UT".to_owned()), Some("AT".to_owned()));
    assert_eq!(judged(&both, &forged), Err(ChainError::Country { subject, issuer }));
    // … saying that Utopia did:
    let forged = Forgery::of(&issued.certificate).sign(&other.key);
    assert!(matches!(judged(&both, &forged), Err(ChainError::Signature(_))));
    // … naming the other key under Utopia's name:
    let key = extensions::write_authority_key(other.certificate.subject_key_identifier().unwrap());
    let key = Tlv::expect(0x30, &key).unwrap().child(0x04).unwrap().value.to_vec();
    let forged = Forgery::of(&issued.certificate).with(&oid::AUTHORITY_KEY_IDENTIFIER, false, &key).sign(&other.key);
    assert!(matches!(judged(&both, &forged), Err(ChainError::KeyIdentifier { .. })));
    // And a signer of a country without an anchor:
    both = TrustStore::new(vec![other.certificate]);
    assert!(matches!(judged(&both, &issued.certificate), Err(ChainError::NoAnchor { .. })));
}

#[test]
fn what_cannot_be_verified_here_is_told_from_what_is_wrong() {
    let root = csca(Curve::P256, CurveForm::Named, 1);
    let issued = signer(&root, documents(), Curve::P256, CurveForm::Named, 2);
    let refusal = |anchor: &Certificate, certificate: &Certificate| {
        judged(&TrustStore::new(vec![anchor.clone()]), certificate).unwrap_err()
    };
    // An anchor on a curve that no code here has:
    let mut anchor = Forgery::of(&root.certificate);
    anchor.spki = renumbered(&anchor.spki, &Oid::of(&hex!("2a8648ce3d030107")));
    let curve = refusal(&anchor.sign(&root.key), &issued.certificate);
    assert!(matches!(curve, ChainError::Key(_)) && curve.is_unsupported(), "{curve}");
    // A signature by an algorithm that no table here has:
    let unknown = Certificate::parse(&renumbered(issued.certificate.der(), &oid::ECDSA_WITH_SHA256)).unwrap();
    let algorithm = refusal(&root.certificate, &unknown);
    assert!(matches!(algorithm, ChainError::Algorithm(_)) && algorithm.is_unsupported(), "{algorithm}");
    // A signature by an algorithm that has a name here and no code:
    let rsa = der::sequence(&[&der::integer(&[0x9f; 256]), &der::integer(&[1, 0, 1])]);
    anchor.spki = spki::encode(&VerifyingKey::Rsa(rsa), CurveForm::Named);
    let sha224 = SignatureAlgorithm::RsaPkcs1(Hash::Sha224);
    let certificate = Forgery::of(&issued.certificate).sign_with(&root.key, sha224);
    let signature = refusal(&anchor.sign(&root.key), &certificate);
    assert_eq!(signature, ChainError::Signature(SignatureError::Unsupported(sha224)));
    assert!(signature.is_unsupported());
    // A signature of another key is wrong.
    let mismatch = refusal(&root.certificate, &Forgery::of(&issued.certificate).sign(&issued.key));
    assert!(!mismatch.is_unsupported(), "{mismatch}");
}

/// Returns the same bytes with the last number of an identifier replaced by one that is not assigned.
fn renumbered(der: &[u8], identifier: &Oid) -> Vec<u8> {
    let old = der::oid(identifier);
    let mut bytes = der.to_vec();
    for at in 0..der.len() - old.len() {
        if der[at..].starts_with(&old) {
            bytes[at + old.len() - 1] = 0x7f;
        }
    }
    bytes
}

#[test]
fn a_certificate_outside_its_time_is_refused() {
    let (root, issued, trust) = utopian();
    let Validity { not_before, not_after } = issued.certificate.validity();
    for at in [not_before, not_after] {
        assert!(trust.verify_signer(&issued.certificate, at).is_ok(), "{at}");
    }
    let second = Duration::SECOND;
    let early = trust.verify_signer(&issued.certificate, not_before - second).unwrap_err();
    assert_eq!(early, ChainError::NotYetValid { not_before });
    let late = trust.verify_signer(&issued.certificate, not_after + second).unwrap_err();
    assert_eq!(late, ChainError::Expired { not_after });
    let mut forgery = Forgery::of(&issued.certificate);
    forgery.validity.not_after = datetime!(2060-01-01 00:00:00 UTC);
    let outlives = forgery.sign(&root.key);
    let late = trust.verify_signer(&outlives, root.certificate.not_after() + second).unwrap_err();
    assert!(matches!(late, ChainError::AnchorNotValid { .. }));
    // A signer as old as its anchor:
    let not_before = root.certificate.not_before();
    forgery.validity.not_before = not_before;
    let as_old = forgery.sign(&root.key);
    assert!(trust.verify_signer(&as_old, not_before).is_ok());
    let early = trust.verify_signer(&as_old, not_before - second).unwrap_err();
    assert_eq!((early.not_before(), early), (Some(not_before), not_yet_valid(&root, not_before)));
}

fn not_yet_valid(root: &Issued, not_before: OffsetDateTime) -> ChainError {
    ChainError::AnchorNotYetValid { anchor: root.certificate.subject().to_string(), not_before }
}

#[test]
fn a_key_signs_only_within_its_own_usage_period() {
    let (_, issued, trust) = utopian();
    let verified = trust.verify_signer(&issued.certificate, NOW).unwrap();
    assert_eq!(verified.allowed_to_sign_at(datetime!(2026-12-01 00:00:00 UTC)), Ok(()));
    let signed_at = datetime!(2026-12-01 00:00:01 UTC);
    assert_eq!(verified.allowed_to_sign_at(signed_at), Err(ChainError::SigningTime { signed_at }));
    let signed_at = datetime!(2026-08-31 23:59:59 UTC);
    assert_eq!(verified.allowed_to_sign_at(signed_at), Err(ChainError::SigningTime { signed_at }));
}

#[test]
fn a_certificate_for_another_use_is_refused() {
    let (root, issued, trust) = utopian();
    assert_eq!(judged(&trust, &root.certificate), Err(ChainError::IsAuthority));
    let lists = signer(&root, Role::TrustListSigner, Curve::P256, CurveForm::Explicit, 4);
    assert_eq!(judged(&trust, &lists.certificate), Err(ChainError::Usage));
    assert!(trust.verify_list_signer(&lists.certificate, NOW).is_ok());
    assert_eq!(trust.verify_list_signer(&issued.certificate, NOW).map(drop), Err(ChainError::Usage));
    for usage in [KeyUsage(1 << 1), KeyUsage(1 | 1 << 5), KeyUsage(0)] {
        let value = extensions::write_key_usage(usage);
        let value = Tlv::expect(0x30, &value).unwrap().child(0x04).unwrap().value.to_vec();
        let forged = Forgery::of(&issued.certificate).with(&oid::KEY_USAGE, true, &value).sign(&root.key);
        assert_eq!(judged(&trust, &forged), Err(ChainError::Usage), "{usage:?}");
    }
    let forged = Forgery::of(&issued.certificate).without(&oid::KEY_USAGE).sign(&root.key);
    assert_eq!(judged(&trust, &forged), Err(ChainError::Usage));
}

#[test]
fn an_extended_usage_that_is_critical_or_for_lists_forbids_documents_and_another_does_not() {
    let (root, issued, trust) = utopian();
    let time_stamping = Oid::of(&[0x2b, 6, 1, 5, 5, 7, 3, 8]);
    for (purpose, critical, expected) in [
        (&time_stamping, false, Ok(())),
        (&time_stamping, true, Err(ChainError::Usage)),
        (&oid::MASTER_LIST_SIGNING_KEY, false, Err(ChainError::Usage)),
        (&oid::DEVIATION_LIST_SIGNING_KEY, false, Err(ChainError::Usage)),
    ] {
        let value = der::sequence(&[&der::oid(purpose)]);
        let forgery = Forgery::of(&issued.certificate).with(&oid::EXTENDED_KEY_USAGE, critical, &value);
        assert_eq!(judged(&trust, &forgery.sign(&root.key)), expected, "{purpose}, critical: {critical}");
    }
}

#[test]
fn an_anchor_that_is_no_authority_certifies_no_signer() {
    let (root, issued, _) = utopian();
    let no_authority = [0x30, 0x00];
    for forgery in [
        Forgery::of(&root.certificate).with(&oid::BASIC_CONSTRAINTS, true, &no_authority),
        Forgery::of(&root.certificate).without(&oid::BASIC_CONSTRAINTS),
        Forgery::of(&root.certificate).with(&oid::KEY_USAGE, true, &[3, 2, 7, 0x80]),
    ] {
        let trust = TrustStore::new(vec![forgery.sign(&root.key)]);
        assert!(matches!(judged(&trust, &issued.certificate), Err(ChainError::AnchorNotAuthority { .. })));
    }
}

#[test]
fn a_path_of_three_certificates_is_refused() {
    // pathLenConstraint 0: certificates issued by a document signer are refused.
    let (_, issued, trust) = utopian();
    let third = key(Curve::P256, 9);
    let mut forgery = Forgery::of(&issued.certificate).without(&oid::AUTHORITY_KEY_IDENTIFIER);
    forgery.issuer = issued.certificate.subject().clone();
    forgery.spki = spki::encode(&third.public().into(), CurveForm::Explicit);
    assert!(matches!(judged(&trust, &forgery.sign(&issued.key)), Err(ChainError::NoAnchor { .. })));
}

#[test]
fn an_unknown_critical_extension_is_refused_and_an_uncritical_one_is_not() {
    let (root, issued, trust) = utopian();
    let unknown = crate::pki::Oid::of(&[0x2a, 0x03, 0x04]);
    let forged = Forgery::of(&issued.certificate).with(&unknown, false, &[5, 0]).sign(&root.key);
    assert_eq!(judged(&trust, &forged), Ok(()));
    let forged = Forgery::of(&issued.certificate).with(&unknown, true, &[5, 0]).sign(&root.key);
    let refused = Err(ChainError::CriticalExtension { extension: unknown.clone() });
    assert_eq!(judged(&trust, &forged), refused);
    let anchor = Forgery::of(&root.certificate).with(&unknown, true, &[5, 0]).sign(&root.key);
    assert_eq!(judged(&TrustStore::new(vec![anchor]), &issued.certificate), refused);
}

#[test]
fn a_revoked_certificate_is_refused_and_the_rest_is_not() {
    let (root, issued, mut trust) = utopian();
    let other = signer(&root, documents(), Curve::P256, CurveForm::Explicit, 5);
    let at = NOW - Duration::days(3);
    let list = crl(&root, &[&other.certificate], at);
    trust.add_list(list.clone()).unwrap();
    assert_eq!(trust.lists(), [list]);
    assert_eq!(judged(&trust, &other.certificate), Err(ChainError::Revoked { at }));
    let clear = trust.verify_signer(&issued.certificate, NOW).unwrap();
    assert_eq!(clear.revocation(), Revocation::Clear { as_of: at });
    let later = trust.verify_signer(&issued.certificate, at + Duration::days(91)).unwrap();
    assert_eq!(later.revocation(), Revocation::Stale { as_of: at });
    trust.add_list(crl(&root, &[&root.certificate], NOW)).unwrap();
    assert!(matches!(judged(&trust, &issued.certificate), Err(ChainError::AnchorRevoked { .. })));
}

#[test]
fn a_list_that_the_csca_did_not_sign_is_refused() {
    let (root, issued, mut trust) = utopian();
    let good = crl(&root, &[&issued.certificate], NOW);
    let mut bytes = good.der().to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert!(matches!(trust.add_list(Crl::parse(&bytes).unwrap()), Err(CrlError::Signature(_))));
    let atlantis = csca_of(&Country::new("AT", "ATL").unwrap(), Curve::P384, CurveForm::Explicit, 6);
    let foreign = crl(&atlantis, &[&issued.certificate], NOW);
    assert!(matches!(trust.add_list(foreign), Err(CrlError::NoAnchor { .. })));
    let usurper = csca(Curve::P384, CurveForm::Explicit, 7);
    assert!(matches!(trust.add_list(crl(&usurper, &[], NOW)), Err(CrlError::NoAnchor { .. })));
    assert!(trust.lists().is_empty());
}

#[test]
fn a_link_certificate_hands_trust_to_the_next_key() {
    let (old, _, mut trust) = utopian();
    let new = csca(Curve::BrainpoolP384r1, CurveForm::Explicit, 20);
    let mut draft = root_draft(&utopia(), new.key.public().into(), CurveForm::Explicit, 21);
    draft.issuer = Issuer::Csca(Box::new(old.certificate.clone()));
    draft.subject = Name::new(&utopia(), "State of Utopia", None, "CSCA 2").unwrap();
    draft.validity.not_after += Duration::days(1);
    let link = issue(&old, draft);
    assert!(link.extensions().find(&oid::NAME_CHANGE).is_some());
    let mut next = signer_draft(&link, documents(), key(Curve::P256, 22).public().into(), CurveForm::Explicit, 22);
    next.issuer = Issuer::Csca(Box::new(link.clone()));
    let next = issue(&new, next);
    assert!(matches!(judged(&trust, &next), Err(ChainError::NoAnchor { .. })));
    trust.add_link(link.clone(), NOW).unwrap();
    assert_eq!(judged(&trust, &next), Ok(()));
    // A signer is no link, and a link of a stranger is none either.
    let (_, issued, _) = utopian();
    assert!(matches!(trust.add_link(issued.certificate, NOW), Err(ChainError::AnchorNotAuthority { .. })));
    let stranger = csca(Curve::P384, CurveForm::Explicit, 23);
    assert!(TrustStore::new(vec![stranger.certificate]).add_link(link, NOW).is_err());
}

#[test]
fn any_flipped_bit_in_a_certificate_is_refused() {
    let root = csca(Curve::P256, CurveForm::Named, 1);
    let issued = signer(&root, documents(), Curve::P256, CurveForm::Named, 2);
    let trust = TrustStore::new(vec![root.certificate]);
    let good = issued.certificate.der();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.to_vec();
            bytes[at] ^= 1 << bit;
            if let Ok(certificate) = Certificate::parse(&bytes) {
                assert!(judged(&trust, &certificate).is_err(), "byte {at} bit {bit}");
            }
        }
    }
}

#[test]
fn every_truncation_of_a_certificate_and_of_a_list_is_refused() {
    let (root, issued, _) = utopian();
    let list = crl(&root, &[&issued.certificate], NOW);
    for end in 0..issued.certificate.der().len() {
        assert!(Certificate::parse(&issued.certificate.der()[..end]).is_err(), "{end}");
    }
    for end in 0..list.der().len() {
        assert!(Crl::parse(&list.der()[..end]).is_err(), "{end}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(bytes: Vec<u8>) {
        let _ = Certificate::parse(&bytes);
        let _ = Crl::parse(&bytes);
        let _ = spki::parse(&bytes);
        let _ = Name::parse(&bytes);
    }
}

#[test]
fn no_altered_byte_makes_the_readers_panic() {
    let (root, issued, _) = utopian();
    let list = crl(&root, &[&issued.certificate], NOW);
    for good in [issued.certificate.der(), list.der()] {
        for at in 0..good.len() {
            for value in [0x00, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut bytes = good.to_vec();
                bytes[at] = value;
                if let Ok(certificate) = Certificate::parse(&bytes) {
                    let _ = (certificate.verifying_key(), certificate.signature_algorithm());
                }
                let _ = Crl::parse(&bytes).map(|list| list.number());
            }
        }
    }
}
