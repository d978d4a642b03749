//! The trust bundle: opened only if everything holds.

use proptest::prelude::*;
use time::Duration;

use crate::pki::der::DerError;
use crate::pki::specimen::{
    Issued, NOW, Openssl, crl, csca, csca_of, documents, issue, key, root_draft, signer, signer_draft, utopia,
};
use crate::pki::trust_bundle::{Contents, Draft, Prepared, TrustBundleError, open};
use crate::pki::{
    ChainError, CmsError, Country, CurveForm, Issuer, Name, PreparedSignedData, Revocation, Role, SignatureMismatch,
    TrustStore, oid,
};
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

type Change<'a> = &'a dyn Fn(&mut Contents);

/// Publishes contents that the lint would refuse.
fn published_unlinted(state: &State, contents: &Contents) -> Vec<u8> {
    let (list, at) = (&state.lists.certificate, contents.issued_at);
    let prepared = PreparedSignedData::new(oid::TRUST_BUNDLE, contents.encode(), list, true, at).unwrap();
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
        let due = contents(&state).next_update;
        assert!(!bundle.is_stale(due) && bundle.is_stale(due + Duration::SECOND));
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
fn a_bundle_opens_in_the_second_of_its_issue() {
    let state = state(CurveForm::Explicit);
    let contents = contents(&state);
    let bundle = open(&published(&state, contents.clone()), &state.root.certificate, contents.issued_at).unwrap();
    assert_eq!(bundle.issued_at(), contents.issued_at);
}

#[test]
fn a_list_of_revoked_documents_that_is_not_in_order_or_names_one_twice_is_refused() {
    let state = state(CurveForm::Explicit);
    for (revoked_documents, opens) in
        [(vec![[1; 32], [9; 32]], true), (vec![[9; 32], [1; 32]], false), (vec![[1; 32], [1; 32]], false)]
    {
        let published = published_unlinted(&state, &Contents { revoked_documents, ..contents(&state) });
        let refused = Err(TrustBundleError::Der(DerError::Value { what: "revokedDocuments" }));
        let expected = if opens { Ok(()) } else { refused };
        assert_eq!(open(&published, &state.root.certificate, NOW).map(drop), expected);
    }
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

#[test]
fn what_of_a_bundle_cannot_be_used_is_said_and_the_rest_is_used() {
    let state = state(CurveForm::Explicit);
    let atlantis = csca_of(&Country::new("LA", "LAO").unwrap(), Curve::P384, CurveForm::Explicit, 6);
    let foreign = crl(&atlantis, &[], NOW - Duration::days(1));
    let mut unsupported = foreign.der().to_vec();
    let ecdsa = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    for at in 0..unsupported.len() - ecdsa.len() {
        if unsupported[at..].starts_with(&ecdsa) {
            unsupported[at + ecdsa.len()] = 0x7f;
        }
    }
    let spoiled = |change: Change| {
        let mut contents = contents(&state);
        contents.revoked_documents = vec![[1; 32]];
        change(&mut contents);
        assert!(
            Draft::new(contents.clone(), &state.lists.certificate).lint().is_err(),
            "nothing such is published by us"
        );
        open(&published_unlinted(&state, &contents), &state.root.certificate, NOW).unwrap()
    };
    let changes: [(&str, Change); 4] = [
        ("authority 2 of 2: ", &|contents| contents.cscas.push(vec![0x30, 0])),
        ("revocation list 2 of 2 (C=LA", &|contents| contents.crls.push(foreign.der().to_vec())),
        ("revocation list 2 of 2: ", &|contents| contents.crls.push(vec![0x30, 0])),
        ("revocation list 2 of 2 (C=LA", &|contents| {
            contents.cscas.push(atlantis.certificate.der().to_vec());
            contents.crls.push(unsupported.clone());
        }),
    ];
    for (part, change) in changes {
        let bundle = spoiled(change);
        let losses: Vec<_> = bundle.losses().iter().map(ToString::to_string).collect();
        assert!(losses.len() == 1 && losses[0].starts_with(part), "{part}: {losses:?}");
        let verified = bundle.trust_store().verify_signer(&state.documents.certificate, NOW).unwrap();
        assert!(matches!(verified.revocation(), Revocation::Clear { .. }), "{part}");
        assert!(bundle.is_revoked(&[1; 32]));
    }
    assert_eq!(open(&published(&state, contents(&state)), &state.root.certificate, NOW).unwrap().losses(), []);
}

#[test]
fn a_signer_whose_list_was_lost_is_not_called_clear() {
    let state = state(CurveForm::Explicit);
    let root = &state.root.certificate;
    // The list of the State itself, with a broken signature: it may have named the signer.
    let mut broken = crl(&state.root, &[&state.documents.certificate], NOW - Duration::days(1)).der().to_vec();
    *broken.last_mut().unwrap() ^= 1;
    for (crls, expected) in
        [(vec![broken], Revocation::Lost), (vec![vec![0x30, 0]], Revocation::Lost), (vec![], Revocation::NotChecked)]
    {
        let bundle =
            open(&published_unlinted(&state, &Contents { crls, ..contents_sorted(&state) }), root, NOW).unwrap();
        let verified = bundle.trust_store().verify_signer(&state.documents.certificate, NOW).unwrap();
        assert_eq!(verified.revocation(), expected);
    }
}

fn contents_sorted(state: &State) -> Contents {
    Contents { revoked_documents: vec![], ..contents(state) }
}

#[test]
fn a_bundle_that_is_opened_too_early_names_the_moment_before_which_it_cannot_be() {
    let state = state(CurveForm::Explicit);
    let good = published(&state, contents(&state));
    let anchor = &state.root.certificate;
    for (at, from) in [
        (NOW - Duration::days(2), contents(&state).issued_at),
        (state.lists.certificate.not_before() - Duration::DAY, state.lists.certificate.not_before()),
        (anchor.not_before() - Duration::DAY, anchor.not_before()),
    ] {
        assert_eq!(open(&good, anchor, at).unwrap_err().not_before(), Some(from));
    }
    let stranger = csca(Curve::P384, CurveForm::Explicit, 8);
    assert_eq!(open(&good, &stranger.certificate, NOW).unwrap_err().not_before(), None);
}

#[test]
fn keys_that_link_certificates_join_are_one_authority_and_others_are_not() {
    let old = csca(Curve::P384, CurveForm::Explicit, 1);
    let new = csca(Curve::P384, CurveForm::Named, 20);
    let mut draft = root_draft(&utopia(), new.key.public().into(), CurveForm::Explicit, 21);
    draft.issuer = Issuer::Csca(Box::new(old.certificate.clone()));
    draft.subject = Name::new(&utopia(), "State of Utopia", None, "CSCA 2").unwrap();
    draft.validity.not_after += Duration::days(1);
    let link = issue(&old, draft);
    let other = csca(Curve::P384, CurveForm::Explicit, 30);
    // A document signer that the other authority certified links nothing, and a key in two encodings is one key.
    let draft =
        signer_draft(&other.certificate, documents(), key(Curve::P384, 1).public().into(), CurveForm::Named, 31);
    let no_authority = issue(&other, draft);
    let all = [&old, &new, &other].map(|issued| issued.certificate.clone());
    let linked = TrustStore::new([&all[..], &[link.clone(), no_authority]].concat());
    assert!(linked.are_one_authority(&old.certificate, &new.certificate));
    assert!(linked.are_one_authority(&new.certificate, &old.certificate));
    assert!(linked.are_one_authority(&old.certificate, &link));
    assert!(!linked.are_one_authority(&old.certificate, &other.certificate));
    assert!(!linked.are_one_authority(&other.certificate, &new.certificate));
    let unlinked = TrustStore::new(all.to_vec());
    assert!(unlinked.are_one_authority(&old.certificate, &old.certificate));
    assert!(!unlinked.are_one_authority(&old.certificate, &new.certificate));
}
