//! The trust bundle: opened only if everything holds.

use proptest::prelude::*;
use time::Duration;

use crate::pki::specimen::{Issued, NOW, Openssl, crl, csca, documents, signer};
use crate::pki::trust_bundle::{Contents, Draft, Prepared, TrustBundleError, open};
use crate::pki::{ChainError, CmsError, CurveForm, Role, SignatureMismatch};
use crate::suite::{Curve, SignatureError};

struct State {
    root: Issued,
    documents: Issued,
    lists: Issued,
}

fn state(form: CurveForm) -> State {
    let root = csca(Curve::P384, form, 1);
    let documents = signer(&root, documents(), Curve::P256, form, 2);
    let lists = signer(&root, Role::TrustListSigner, Curve::P256, form, 3);
    State { root, documents, lists }
}

fn contents(state: &State) -> Contents {
    Contents {
        issued_at: NOW - Duration::hours(1),
        next_update: NOW + Duration::days(1),
        cscas: vec![state.root.certificate.der().to_vec()],
        crls: vec![crl(&state.root, &[], NOW - Duration::days(1)).der().to_vec()],
        revoked_documents: vec![[9; 32], [1; 32], [9; 32]],
    }
}

fn published(state: &State, contents: Contents) -> Vec<u8> {
    let prepared = Draft::new(contents, &state.lists.certificate).lint().unwrap();
    let signature = state.lists.sign(prepared.to_be_signed());
    prepared.attach(&signature).unwrap()
}

#[test]
fn a_bundle_brings_anchors_lists_and_revoked_documents() {
    for form in [CurveForm::Explicit, CurveForm::Named] {
        let state = state(form);
        let bundle = open(&published(&state, contents(&state)), &state.root.certificate, NOW).unwrap();
        assert!(bundle.trust_store().verify_signer(&state.documents.certificate, NOW).is_ok());
        assert!(bundle.is_revoked(&[9; 32]) && bundle.is_revoked(&[1; 32]) && !bundle.is_revoked(&[2; 32]));
        assert_eq!(bundle.contents().revoked_documents.len(), 2);
        assert!(!bundle.is_stale(NOW) && bundle.is_stale(NOW + Duration::days(2)));
    }
}

#[test]
fn openssl_verifies_a_bundle() {
    let Some(openssl) = Openssl::find() else { return };
    let state = state(CurveForm::Named);
    openssl.certificate("csca.pem", &state.root.certificate);
    openssl.file("bundle", &published(&state, contents(&state)));
    let at = NOW.unix_timestamp();
    openssl
        .run(&format!("cms -verify -inform DER -in bundle -binary -purpose any -attime {at} -CAfile csca.pem -out out"))
        .unwrap();
}

#[test]
fn a_prepared_bundle_survives_the_store() {
    let state = state(CurveForm::Explicit);
    let prepared = Draft::new(contents(&state), &state.lists.certificate).lint().unwrap();
    let stored = prepared.to_bytes();
    assert_eq!(Prepared::from_bytes(&stored), Ok(prepared));
    for end in 0..stored.len() {
        assert!(Prepared::from_bytes(&stored[..end]).is_err());
    }
}

#[test]
fn only_the_list_signers_own_signature_is_attached() {
    let state = state(CurveForm::Explicit);
    let prepared = Draft::new(contents(&state), &state.lists.certificate).lint().unwrap();
    let by_another = state.documents.sign(prepared.to_be_signed());
    assert_eq!(prepared.attach(&by_another), Err(SignatureMismatch(SignatureError::Mismatch)));
}

#[test]
fn a_document_signer_signs_no_bundle() {
    let state = state(CurveForm::Explicit);
    let refused = Draft::new(contents(&state), &state.documents.certificate).lint().map(drop);
    assert_eq!(refused, Err(TrustBundleError::Chain(ChainError::Usage)));
}

#[test]
fn a_bundle_under_another_anchor_from_the_future_or_of_a_revoked_signer_is_refused() {
    let state = state(CurveForm::Explicit);
    let good = published(&state, contents(&state));
    let stranger = csca(Curve::P384, CurveForm::Explicit, 8);
    assert!(matches!(open(&good, &stranger.certificate, NOW), Err(TrustBundleError::Chain(_))));
    let early = open(&good, &state.root.certificate, NOW - Duration::hours(2)).map(drop);
    assert!(matches!(early, Err(TrustBundleError::FromTheFuture { .. })));
    let mut revoking = contents(&state);
    revoking.crls = vec![crl(&state.root, &[&state.lists.certificate], NOW - Duration::days(1)).der().to_vec()];
    let refused = Draft::new(revoking, &state.lists.certificate).lint().map(drop);
    assert!(matches!(refused, Err(TrustBundleError::Chain(ChainError::Revoked { .. }))));
    let mut backwards = contents(&state);
    backwards.next_update = backwards.issued_at;
    assert_eq!(Draft::new(backwards, &state.lists.certificate).lint().map(drop), Err(TrustBundleError::Period));
}

#[test]
fn any_flipped_bit_in_a_bundle_is_refused() {
    let state = state(CurveForm::Named);
    let good = published(&state, contents(&state));
    for at in 0..good.len() {
        // One bit of each byte: the bundle is long, and its verification takes four signatures.
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        assert!(open(&bytes, &state.root.certificate, NOW).is_err(), "byte {at}");
    }
    for end in 0..good.len() {
        assert!(open(&good[..end], &state.root.certificate, NOW).is_err(), "{end} bytes");
    }
}

#[test]
fn a_security_object_is_no_bundle() {
    let state = state(CurveForm::Explicit);
    let prepared = crate::pki::PreparedSignedData::new(
        crate::pki::oid::MASTER_LIST,
        vec![0x30, 0],
        &state.lists.certificate,
        true,
        NOW,
    )
    .unwrap();
    let signature = state.lists.sign(prepared.to_be_signed());
    let signed = prepared.attach(&signature).unwrap();
    let refused = open(&signed, &state.root.certificate, NOW).map(drop);
    assert!(matches!(refused, Err(TrustBundleError::Cms(CmsError::ContentType { .. }))));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        let root = csca(Curve::P256, CurveForm::Named, 1).certificate;
        prop_assert!(open(&bytes, &root, NOW).is_err());
    }
}
