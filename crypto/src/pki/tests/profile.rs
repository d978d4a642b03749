//! The lint: one broken rule of Doc 9303-12 at a time. And keys in both forms.

use time::Duration;

use crate::pki::specimen::{Forgery, NOW, csca, documents, key, root_draft, signer_draft, utopia};
use crate::pki::{
    CertificateDraft, Country, CrlDraft, CrlError, CurveForm, Issuer, Name, Oid, ProfileFinding, RevokedCertificate,
    Role, SerialNumber, SpkiError, lint, oid, spki,
};
use crate::suite::{Curve, VerifyingKey};

fn findings(draft: CertificateDraft) -> Vec<ProfileFinding> {
    draft.lint().map(drop).map_err(|findings| findings.0).err().unwrap_or_default()
}

fn root() -> CertificateDraft {
    root_draft(&utopia(), key(Curve::P384, 1).public().into(), CurveForm::Explicit, 1)
}

fn document_signer() -> CertificateDraft {
    let issuer = csca(Curve::P384, CurveForm::Explicit, 1);
    signer_draft(&issuer.certificate, documents(), key(Curve::P256, 2).public().into(), CurveForm::Explicit, 2)
}

#[test]
fn the_three_kinds_of_certificate_have_no_findings() {
    assert_eq!(findings(root()), []);
    assert_eq!(findings(document_signer()), []);
    assert_eq!(findings(CertificateDraft { role: Role::TrustListSigner, ..document_signer() }), []);
}

#[test]
fn each_broken_rule_has_its_finding() {
    let serial = |content: &[u8]| SerialNumber::from_content(content);
    for content in [&[][..], &[0], &[0x80], &[0, 1], &[1; 21]] {
        assert_eq!(findings(CertificateDraft { serial: serial(content), ..root() }), [ProfileFinding::SerialNumber]);
    }
    let atlantis = Country::new("AT", "ATL").unwrap();
    let foreign = Name::new(&atlantis, "State of Atlantis", None, "Signer").unwrap();
    assert_eq!(findings(CertificateDraft { subject: foreign, ..document_signer() }), [ProfileFinding::Country]);
    for points in [vec![], vec!["ftp://csca.invalid/".to_owned()]] {
        let found = findings(CertificateDraft { crl_distribution_points: points, ..root() });
        assert_eq!(found, [ProfileFinding::DistributionPoints]);
    }
    for types in [vec![], vec!["PASS".to_owned()], vec!["i".to_owned()]] {
        let role = Role::DocumentSigner { document_types: types };
        assert_eq!(findings(CertificateDraft { role, ..document_signer() }), [ProfileFinding::DocumentTypes]);
    }
    let mut draft = document_signer();
    draft.validity.not_after += Duration::days(20 * 365);
    assert_eq!(findings(draft), [ProfileFinding::OutlivesIssuer]);
    let mut draft = document_signer();
    draft.private_key_usage.not_before -= Duration::days(1);
    assert_eq!(findings(draft), [ProfileFinding::PrivateKeyUsage]);
    let mut draft = document_signer();
    draft.private_key_usage.not_after += Duration::days(365);
    assert_eq!(findings(draft), [ProfileFinding::PrivateKeyUsageTooLong { days: 456, allowed: 123 }]);
    let mut draft = root();
    draft.validity.not_after = draft.validity.not_before;
    assert!(findings(draft).contains(&ProfileFinding::Validity));
}

#[test]
fn only_an_authority_may_issue_and_only_while_its_key_may_sign() {
    let authority = csca(Curve::P384, CurveForm::Explicit, 1);
    let signer = crate::pki::specimen::signer(&authority, documents(), Curve::P256, CurveForm::Explicit, 2);
    let mut draft = document_signer();
    draft.issuer = Issuer::Csca(Box::new(signer.certificate));
    assert!(findings(draft).contains(&ProfileFinding::Issuer));
    let mut draft = document_signer();
    for moment in [
        &mut draft.validity.not_before,
        &mut draft.private_key_usage.not_before,
        &mut draft.private_key_usage.not_after,
    ] {
        *moment += Duration::days(5 * 365);
    }
    assert_eq!(findings(draft), [ProfileFinding::Issuer]);
}

#[test]
fn extensions_are_those_of_table_6_and_no_others() {
    let authority = csca(Curve::P384, CurveForm::Explicit, 1);
    let good = crate::pki::specimen::signer(&authority, documents(), Curve::P256, CurveForm::Explicit, 2).certificate;
    let judge = |forgery: Forgery| {
        let forged = forgery.sign(&authority.key);
        lint::lint(&forged.body, &documents(), Some(&authority.certificate))
    };
    assert_eq!(judge(Forgery::of(&good)), []);
    for (extension, also) in [
        (oid::AUTHORITY_KEY_IDENTIFIER, None),
        (oid::SUBJECT_KEY_IDENTIFIER, Some(ProfileFinding::KeyIdentifier)),
        (oid::KEY_USAGE, Some(ProfileFinding::KeyUsage)),
        (oid::PRIVATE_KEY_USAGE_PERIOD, None),
        (oid::SUBJECT_ALT_NAME, Some(ProfileFinding::Country)),
        (oid::ISSUER_ALT_NAME, Some(ProfileFinding::Country)),
        (oid::CRL_DISTRIBUTION_POINTS, Some(ProfileFinding::DistributionPoints)),
        (oid::DOCUMENT_TYPE_LIST, Some(ProfileFinding::DocumentTypes)),
    ] {
        let found = judge(Forgery::of(&good).without(&extension));
        assert!(found.contains(&ProfileFinding::Missing { extension: extension.clone() }), "{extension}: {found:?}");
        assert!(also.is_none_or(|also| found.contains(&also)), "{extension}: {found:?}");
        let mut forgery = Forgery::of(&good);
        let turned = forgery.extensions.iter_mut().find(|(kind, ..)| *kind == extension).unwrap();
        turned.1 = !turned.1;
        assert_eq!(judge(forgery), [ProfileFinding::Criticality { extension }]);
    }
    for extension in [oid::BASIC_CONSTRAINTS, oid::NAME_CHANGE, Oid::of(&[0x55, 0x1d, 30])] {
        let found = judge(Forgery::of(&good).with(&extension, false, &[0x30, 0x00]));
        assert!(found.contains(&ProfileFinding::Forbidden { extension }), "{found:?}");
    }
}

#[test]
fn a_certificate_is_made_only_with_the_issuers_signature() {
    let authority = csca(Curve::P384, CurveForm::Explicit, 1);
    let prepared = document_signer().lint().unwrap();
    let algorithm = prepared.algorithm();
    let by_another = key(Curve::P384, 99).sign_der(algorithm.hash(), prepared.to_be_signed());
    assert!(prepared.attach(&by_another).is_err());
    let prepared = document_signer().lint().unwrap();
    let over_other_bytes = authority.sign(b"something else");
    assert!(prepared.attach(&over_other_bytes).is_err());
}

#[test]
fn a_list_draft_is_checked_too() {
    let authority = csca(Curve::P384, CurveForm::Explicit, 1).certificate;
    let draft = CrlDraft {
        issuer: authority,
        number: 1,
        this_update: NOW,
        next_update: NOW + Duration::days(90),
        revoked: vec![],
    };
    assert!(draft.clone().lint().is_ok());
    let late = CrlDraft { next_update: NOW + Duration::days(91), ..draft.clone() };
    assert_eq!(late.lint().map(drop), Err(CrlError::Period));
    let entry = RevokedCertificate { serial: SerialNumber::from_content(&[7]), at: NOW };
    let twice = CrlDraft { revoked: vec![entry.clone(), entry.clone()], ..draft.clone() };
    assert_eq!(twice.lint().map(drop), Err(CrlError::Duplicate { serial: entry.serial.clone() }));
    let future = RevokedCertificate { at: NOW + Duration::SECOND, ..entry };
    assert_eq!(CrlDraft { revoked: vec![future], ..draft }.lint().map(drop), Err(CrlError::Period));
}

#[test]
fn keys_are_read_as_they_were_written_in_both_forms() {
    for curve in Curve::ALL {
        let key = VerifyingKey::Ec(key(curve, 3).public());
        for form in [CurveForm::Explicit, CurveForm::Named] {
            let encoded = spki::encode(&key, form);
            assert_eq!(spki::parse(&encoded), Ok(key.clone()));
            assert_eq!(spki::form(&encoded), Ok(Some(form)));
        }
    }
}

#[test]
fn a_generator_of_the_forgers_choice_is_not_a_curve() {
    // CVE-2020-0601: the same curve and point under another generator would verify what the forger signs.
    let public = key(Curve::P256, 3).public();
    let encoded = spki::encode(&public.clone().into(), CurveForm::Explicit);
    let generator = Curve::P256.domain().base_point;
    let at = encoded.windows(generator.len()).position(|window| window == generator).unwrap();
    let mut forged = encoded.clone();
    forged[at..at + generator.len()].copy_from_slice(public.to_sec1());
    assert_eq!(spki::parse(&forged), Err(SpkiError::Parameters));
    // Neither may any other parameter differ (they begin after the version, byte 21).
    let parameters = encoded.len() - public.to_sec1().len() - 3;
    for at in 22..parameters {
        let mut bytes = encoded.clone();
        bytes[at] ^= 1 << (at % 8);
        assert!(spki::parse(&bytes).is_err(), "byte {at}");
    }
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let mut encoded = spki::encode(&key(Curve::P384, 3).public().into(), CurveForm::Named);
    *encoded.last_mut().unwrap() ^= 1;
    assert!(matches!(spki::parse(&encoded), Err(SpkiError::Point(_))));
}

#[test]
fn the_signing_period_is_the_usage_period_within_the_validity() {
    let root = csca(Curve::P256, CurveForm::Named, 1);
    let draft = root_draft(&utopia(), root.key.public().into(), CurveForm::Named, 1);
    assert_eq!(root.certificate.signing_period(), draft.private_key_usage);
    let bare = Forgery::of(&root.certificate).without(&oid::PRIVATE_KEY_USAGE_PERIOD).sign(&root.key);
    assert_eq!(bare.signing_period(), draft.validity);
    let mut shorter = Forgery::of(&root.certificate);
    shorter.validity.not_after = draft.private_key_usage.not_after - Duration::days(1);
    assert_eq!(shorter.sign(&root.key).signing_period().not_after, shorter.validity.not_after);
}
