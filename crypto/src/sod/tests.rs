//! Security objects of Utopia with one thing altered at a time; OpenSSL as reader and as writer; specimens.

use proptest::prelude::*;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::field_data::field_data;
use crate::pki::specimen::{
    Forgery, Issued, NOW, Openssl, SIGNED, crl, csca, documents, issue, rsa_public, signer, signer_draft,
};
use crate::pki::{CertificateDraft, CurveForm, LegacyHashes, Revocation, Role, SignatureMismatch, SpkiError, der, oid};
use crate::suite::{Curve, SignatureAlgorithm, SignatureError};
use crate::tlv;

const DG1: &[u8] = &[0x61, 3, 1, 2, 3];
const DG2: &[u8] = &[0x75, 2, 9, 9];
const DG14: &[u8] = &[0x6e, 1, 7];

fn files() -> [(DataGroup, &'static [u8]); 3] {
    [(DataGroup::DG14, DG14), (DataGroup::DG1, DG1), (DataGroup::DG2, DG2)]
}

struct State {
    root: Issued,
    signer: Issued,
    trust: TrustStore,
}

fn state_on(csca_curve: Curve, signer_curve: Curve, form: CurveForm) -> State {
    let root = csca(csca_curve, form, 1);
    let signer = signer(&root, documents(), signer_curve, form, 2);
    let trust = TrustStore::new(vec![root.certificate.clone()]);
    State { root, signer, trust }
}

fn state() -> State {
    state_on(Curve::P384, Curve::P256, CurveForm::Explicit)
}

fn prepared(signer: &Issued) -> Prepared {
    Draft::new(&files(), Profile::default(), &signer.certificate, SIGNED).lint().unwrap()
}

fn signed(signer: &Issued) -> Sod {
    let prepared = prepared(signer);
    let signature = signer.sign(prepared.to_be_signed());
    prepared.attach(&signature).unwrap()
}

/// Signs any content with any key, without a lint.
fn forged(content: Vec<u8>, certificate: &Certificate, signer: &Issued, at: OffsetDateTime) -> Sod {
    let impostor = crate::pki::PreparedSignedData::new(LDS_SECURITY_OBJECT, content, certificate, false, at).unwrap();
    let signature = signer.sign(impostor.to_be_signed());
    Sod::parse(&tlv::encode(TAG, &impostor.attach(&signature).unwrap())).unwrap()
}

fn content() -> Vec<u8> {
    LdsSecurityObject::of_files(&files(), Hash::Sha256, LdsVersion::current()).encode()
}

fn refusal(sod: &Sod, trust: &TrustStore) -> SodError {
    sod.verify(trust, NOW).map(drop).unwrap_err()
}

/// Replaces one stretch of bytes by another of the same length.
fn replaced(raw: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = raw.windows(old.len()).position(|window| window == old).unwrap();
    let mut raw = raw.to_vec();
    raw[at..at + new.len()].copy_from_slice(new);
    raw
}

#[test]
fn a_document_of_every_curve_in_both_forms_is_verified() {
    for curve in Curve::ALL {
        for form in [CurveForm::Explicit, CurveForm::Named] {
            let state = state_on(curve, curve, form);
            let sod = signed(&state.signer);
            let verified = Sod::parse(sod.raw()).unwrap().verify(&state.trust, NOW).unwrap();
            assert_eq!(verified.groups(), [DataGroup::DG1, DataGroup::DG2, DataGroup::DG14]);
            for (group, raw) in files() {
                assert_eq!(verified.check(group, raw), Ok(()));
            }
            assert_eq!(verified.signed_at(), Some(SIGNED));
            assert_eq!(verified.lds_version(), &LdsVersion::current());
            assert_eq!(verified.signer().certificate(), &state.signer.certificate);
            assert_eq!(verified.signer().revocation(), Revocation::NotChecked);
        }
    }
}

#[test]
fn both_versions_of_the_table_and_every_hash_are_verified() {
    let state = state();
    for hash in [Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        for lds_version in [LdsVersion::V17, LdsVersion::current()] {
            let profile = Profile { hash, lds_version: lds_version.clone() };
            let prepared = Draft::new(&files(), profile, &state.signer.certificate, SIGNED).lint().unwrap();
            let signature = state.signer.sign(prepared.to_be_signed());
            let verified = prepared.attach(&signature).unwrap().verify(&state.trust, NOW).unwrap();
            assert_eq!((verified.hash(), verified.lds_version()), (hash, &lds_version));
            assert_eq!(verified.check(DataGroup::DG2, DG2), Ok(()));
        }
    }
}

#[test]
fn hashes_that_were_computed_before_make_the_same_table_and_wrong_ones_are_found_with_the_files() {
    let state = state();
    let made = |known: &[(DataGroup, Vec<u8>)]| {
        let profile = Profile::default();
        Draft::with_hashes(&files(), known, profile, &state.signer.certificate, SIGNED).lint().unwrap()
    };
    let known = [(DataGroup::DG2, Hash::Sha256.digest(DG2)), (DataGroup::DG1, Hash::Sha256.digest(DG1))];
    assert_eq!(made(&known).content(), prepared(&state.signer).content());
    let wrong = made(&[(DataGroup::DG2, Hash::Sha256.digest(DG1))]);
    let signature = state.signer.sign(wrong.to_be_signed());
    let sod = wrong.attach(&signature).unwrap();
    let verified = sod.verify(&state.trust, NOW).unwrap();
    assert_eq!(verified.check(DataGroup::DG1, DG1), Ok(()));
    assert!(verified.check(DataGroup::DG2, DG2).is_err());
}

#[test]
fn openssl_verifies_what_we_sign() {
    let Some(openssl) = Openssl::find() else { return };
    for curve in Curve::ALL {
        for form in [CurveForm::Explicit, CurveForm::Named] {
            let state = state_on(curve, curve, form);
            let sod = signed(&state.signer);
            openssl.file("sod", Tlv::expect(TAG, sod.raw()).unwrap().value);
            openssl.certificate("csca.pem", &state.root.certificate);
            // OpenSSL 3 refuses explicit parameters anywhere but in the anchor, so there only
            // the signature is verified.
            let chain = match form {
                CurveForm::Explicit => "-noverify".to_owned(),
                CurveForm::Named => format!("-attime {} -CAfile csca.pem", NOW.unix_timestamp()),
            };
            openssl.run(&format!("cms -verify -inform DER -in sod -binary -purpose any {chain} -out out")).unwrap();
            assert_eq!(openssl.read("out"), content());
            let mut bytes = Tlv::expect(TAG, sod.raw()).unwrap().value.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            openssl.file("sod", &bytes);
            let line = "cms -verify -inform DER -in sod -binary -noverify -out out";
            assert!(openssl.run(line).is_err(), "{curve:?} {form:?}");
        }
    }
}

/// Returns a document signer with an RSA key of OpenSSL's, in files `ds.pem` and `key.pem`.
fn rsa_signer(openssl: &Openssl, root: &Issued) -> Certificate {
    openssl.run("genrsa -traditional -out key.pem 2048").unwrap();
    openssl.run("rsa -in key.pem -outform DER -traditional -out key.der").unwrap();
    let key = rsa_public(&openssl.read("key.der"));
    let certificate = issue(root, signer_draft(&root.certificate, documents(), key, CurveForm::Explicit, 30));
    openssl.certificate("ds.pem", &certificate);
    certificate
}

#[test]
fn we_verify_what_openssl_signs_with_rsa() {
    let Some(openssl) = Openssl::find() else { return };
    let root = csca(Curve::P384, CurveForm::Explicit, 1);
    let certificate = rsa_signer(&openssl, &root);
    let trust = TrustStore::new(vec![root.certificate.clone()]);
    let legacy = trust.clone().with_legacy(LegacyHashes::AcceptSha1);
    // OpenSSL dates its signatures now, whenever that is: inspect now, under a key that may sign now.
    #[expect(clippy::disallowed_methods, reason = "OpenSSL judges by the computer's clock")]
    let now = OffsetDateTime::now_utc() + Duration::minutes(1);
    let verify = |trust: &TrustStore, options: &str| {
        openssl.file("content", &content());
        openssl
            .run(&format!(
                "cms -sign -binary -nodetach -nosmimecap -econtent_type 2.23.136.1.1.1 -in content -signer ds.pem \
                 -inkey key.pem -outform DER -out sod {options}"
            ))
            .unwrap();
        let sod = Sod::parse(&tlv::encode(TAG, &openssl.read("sod"))).unwrap();
        sod.verify(trust, now).map(|verified| verified.groups().len())
    };
    let in_time = |outcome: Result<usize, SodError>| match outcome {
        // The signer's private key usage period is fixed; OpenSSL's clock is not.
        Err(SodError::Chain(
            ChainError::SigningTime { .. } | ChainError::Expired { .. } | ChainError::NotYetValid { .. },
        )) => Ok(3),
        other => other,
    };
    for (options, accepted) in [
        ("-md sha256", true),
        ("-md sha384 -keyid", true),
        ("-md sha512", true),
        ("-md sha256 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:-1", true),
        ("-md sha512 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:-1 -keyid", true),
        ("-md sha1", false),
    ] {
        let expected = if accepted { Ok(3) } else { Err(SodError::Cms(CmsError::LegacyHash)) };
        assert_eq!(in_time(verify(&trust, options)), expected, "{options}");
        assert_eq!(in_time(verify(&legacy, options)), Ok(3), "{options}");
    }
    assert_eq!(certificate.verifying_key().map(drop), Ok(()));
}

#[test]
fn any_flipped_bit_is_refused() {
    let state = state_on(Curve::P256, Curve::P256, CurveForm::Named);
    let good = signed(&state.signer).raw().to_vec();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut raw = good.clone();
            raw[at] ^= 1 << bit;
            let outcome = Sod::parse(&raw).and_then(|sod| sod.verify(&state.trust, NOW));
            assert!(outcome.is_err(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn every_truncation_and_every_trailing_byte_is_refused() {
    let state = state();
    let good = signed(&state.signer).raw().to_vec();
    for end in 0..good.len() {
        assert!(Sod::parse(&good[..end]).is_err(), "{end} bytes");
    }
    assert_eq!(Sod::parse(&[&good[..], &[0]].concat()), Err(SodError::File(TlvError::Trailing { extra: 1 })));
}

#[test]
fn an_expired_or_not_yet_valid_signer_is_named() {
    let state = state();
    let sod = signed(&state.signer);
    let after = state.signer.certificate.not_after() + Duration::SECOND;
    let expired = sod.verify(&state.trust, after).map(drop);
    assert!(matches!(expired, Err(SodError::Chain(ChainError::Expired { .. }))));
    let before = state.signer.certificate.not_before() - Duration::SECOND;
    let early = sod.verify(&state.trust, before).map(drop);
    assert!(matches!(early, Err(SodError::Chain(ChainError::NotYetValid { .. }))));
    let yesterday = sod.verify(&state.trust, SIGNED - Duration::DAY).map(drop);
    assert_eq!(yesterday, Err(SodError::FromTheFuture { signed_at: SIGNED }));
}

#[test]
fn a_document_signed_outside_the_keys_usage_period_is_named() {
    let state = state();
    let signed_at = NOW + Duration::days(30);
    let late = forged(content(), &state.signer.certificate, &state.signer, signed_at);
    let refused = late.verify(&state.trust, NOW + Duration::days(60)).map(drop);
    assert_eq!(refused, Err(SodError::Chain(ChainError::SigningTime { signed_at })));
}

#[test]
fn a_signer_that_another_csca_issued_is_named() {
    let state = state();
    let usurper = csca(Curve::P384, CurveForm::Explicit, 40);
    let forger = signer(&usurper, documents(), Curve::P256, CurveForm::Explicit, 41);
    assert!(matches!(refusal(&signed(&forger), &state.trust), SodError::Chain(ChainError::KeyIdentifier { .. })));
    let mut stripped = Forgery::of(&forger.certificate);
    stripped.extensions.retain(|(kind, ..)| *kind != oid::AUTHORITY_KEY_IDENTIFIER);
    let stripped = stripped.sign(&usurper.key);
    let sod = forged(content(), &stripped, &forger, SIGNED);
    assert!(matches!(refusal(&sod, &state.trust), SodError::Chain(ChainError::Signature(_))));
    let nobody = TrustStore::new(vec![]);
    assert!(matches!(refusal(&signed(&state.signer), &nobody), SodError::Chain(ChainError::NoAnchor { .. })));
}

#[test]
fn a_signer_of_another_use_is_named() {
    let state = state();
    let by_csca = forged(content(), &state.root.certificate, &state.root, SIGNED);
    assert_eq!(refusal(&by_csca, &state.trust), SodError::Chain(ChainError::IsAuthority));
    let lists = signer(&state.root, Role::TrustListSigner, Curve::P256, CurveForm::Explicit, 42);
    let by_lists = forged(content(), &lists.certificate, &lists, SIGNED);
    assert_eq!(refusal(&by_lists, &state.trust), SodError::Chain(ChainError::Usage));
}

#[test]
fn a_revoked_signer_is_named() {
    let mut state = state();
    let at = NOW - Duration::DAY;
    state.trust.add_list(crl(&state.root, &[&state.signer.certificate], at)).unwrap();
    assert_eq!(refusal(&signed(&state.signer), &state.trust), SodError::Chain(ChainError::Revoked { at }));
}

#[test]
fn an_altered_table_is_named() {
    let state = state();
    let raw = signed(&state.signer).raw().to_vec();
    let [one, two] = [DG1, DG2].map(|file| Hash::Sha256.digest(file));
    let placeholder = [0xaa; 32];
    let swapped = replaced(&raw, &one, &placeholder);
    let swapped = replaced(&replaced(&swapped, &two, &one), &placeholder, &two);
    let sod = Sod::parse(&swapped).unwrap();
    assert_eq!(refusal(&sod, &state.trust), SodError::Cms(CmsError::MessageDigest));
    // With the digest in the signed attributes put right, the signature is wrong.
    let (old, new) = (Hash::Sha256.digest(&content()), Hash::Sha256.digest(&sod.signed.content));
    let sod = Sod::parse(&replaced(&swapped, &old, &new)).unwrap();
    assert_eq!(refusal(&sod, &state.trust), SodError::Cms(CmsError::Signature(SignatureError::Mismatch)));
    // And a wrong digest over the right table is a wrong digest.
    let sod = Sod::parse(&replaced(&raw, &old, &placeholder)).unwrap();
    assert_eq!(refusal(&sod, &state.trust), SodError::Cms(CmsError::MessageDigest));
}

#[test]
fn sha_1_is_accepted_in_no_place_unless_the_policy_says_so() {
    let state = state();
    let legacy = state.trust.clone().with_legacy(LegacyHashes::AcceptSha1);
    let table = LdsSecurityObject::of_files(&files(), Hash::Sha1, LdsVersion::V17).encode();
    let in_table = forged(table, &state.signer.certificate, &state.signer, SIGNED);
    assert_eq!(refusal(&in_table, &state.trust), SodError::LegacyHash);
    assert!(in_table.verify(&legacy, NOW).is_ok());
    // SHA-1 and P-384 do not go together in the library, so this authority is on P-256.
    let root = csca(Curve::P256, CurveForm::Explicit, 1);
    let old = signer(&root, documents(), Curve::P256, CurveForm::Explicit, 44);
    let sha1 = SignatureAlgorithm::Ecdsa(Hash::Sha1);
    let certificate = Forgery::of(&old.certificate).sign_with(&root.key, sha1);
    let in_chain = forged(content(), &certificate, &old, SIGNED);
    let trust = TrustStore::new(vec![root.certificate]);
    assert_eq!(refusal(&in_chain, &trust), SodError::Chain(ChainError::LegacyHash));
    assert!(in_chain.verify(&trust.with_legacy(LegacyHashes::AcceptSha1), NOW).is_ok());
}

#[test]
fn a_reader_tries_the_groups_of_a_table_that_nothing_has_proved_yet() {
    let sod = signed(&state().signer);
    assert_eq!(sod.unverified_groups(), [DataGroup::DG1, DataGroup::DG2, DataGroup::DG14]);
    assert!(matches!(refusal(&sod, &TrustStore::default()), SodError::Chain(ChainError::NoAnchor { .. })));
}

#[test]
fn an_altered_or_unlisted_file_is_named() {
    let state = state();
    let verified = signed(&state.signer).verify(&state.trust, NOW).unwrap();
    let group = DataGroup::DG1;
    assert_eq!(verified.check(group, &[0x61, 3, 1, 2, 4]), Err(GroupError::Altered { group }));
    assert_eq!(verified.check(group, DG2), Err(GroupError::Altered { group }));
    let group = DataGroup::DG15;
    assert_eq!(verified.check(group, DG1), Err(GroupError::NotListed { group }));
    assert!(verified.lists(DataGroup::DG14) && !verified.lists(group));
}

#[test]
fn a_signer_identifier_that_points_elsewhere_is_named() {
    let state = state();
    let raw = signed(&state.signer).raw().to_vec();
    let serial = tlv::encode(0x02, state.signer.certificate.serial().content());
    // The last occurrence is the signer identifier's; the first is the certificate's own.
    let at = raw.windows(serial.len()).rposition(|window| window == serial).unwrap();
    let mut elsewhere = raw.clone();
    elsewhere[at + 5] ^= 1;
    let sod = Sod::parse(&elsewhere).unwrap();
    assert_eq!(refusal(&sod, &state.trust), SodError::Cms(CmsError::SignerMissing));
    // The signer identifier names another good signer, whose certificate is inside; the signature is not its own.
    let other = signer(&state.root, documents(), Curve::P256, CurveForm::Explicit, 43);
    let swapped = with_certificate(&raw, &other.certificate);
    assert_eq!(refusal(&Sod::parse(&swapped).unwrap(), &state.trust), SodError::Cms(CmsError::SignerMissing));
    let mut renamed = Forgery::of(&other.certificate);
    renamed.serial = state.signer.certificate.serial().content().to_vec();
    let swapped = with_certificate(&raw, &renamed.sign(&state.root.key));
    assert_eq!(
        refusal(&Sod::parse(&swapped).unwrap(), &state.trust),
        SodError::Cms(CmsError::Signature(SignatureError::Mismatch))
    );
}

/// Returns the same signed data with another certificate inside.
fn with_certificate(raw: &[u8], certificate: &Certificate) -> Vec<u8> {
    rebuilt(raw, |at, element| match at {
        3 => der::context(0, certificate.der()),
        _ => element.to_vec(),
    })
}

/// Puts the signed data together again from its altered elements: 0 version, 1 digests, 2 content, 3
/// certificates, 4 signers.
fn rebuilt(raw: &[u8], alter: impl Fn(usize, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let info = Tlv::expect(TAG, raw).unwrap().children().read().unwrap();
    let mut parts = info.children();
    let kind = parts.read().unwrap().raw;
    let mut fields = parts.read().unwrap().children().read().unwrap().children();
    let mut elements = Vec::new();
    let mut at = 0;
    while !fields.is_empty() {
        elements.extend(alter(at, fields.read().unwrap().raw));
        at += 1;
    }
    let signed_data = tlv::encode(der::SEQUENCE, &elements);
    tlv::encode(TAG, &der::sequence(&[kind, &der::context(0, &signed_data)]))
}

#[test]
fn one_signer_is_expected_no_more_and_no_less() {
    let state = state();
    let raw = signed(&state.signer).raw().to_vec();
    let none = rebuilt(&raw, |at, element| if at == 4 { tlv::encode(0x31, &[]) } else { element.to_vec() });
    assert_eq!(Sod::parse(&none), Err(SodError::Cms(CmsError::SignerCount { count: 0 })));
    let two = rebuilt(&raw, |at, element| match at {
        4 => tlv::encode(0x31, &Tlv::expect(0x31, element).unwrap().value.repeat(2)),
        _ => element.to_vec(),
    });
    assert_eq!(Sod::parse(&two), Err(SodError::Cms(CmsError::SignerCount { count: 2 })));
}

#[test]
fn an_attacker_between_chip_and_reader_can_change_the_file_but_not_its_fingerprint() {
    // Unsigned parts can be added to the file; a revoked document must not get a new name by that.
    let state = state();
    let sod = signed(&state.signer);
    let stranger = csca(Curve::P256, CurveForm::Named, 45).certificate;
    let raw = rebuilt(sod.raw(), |at, element| match at {
        3 => der::context(0, &[Tlv::expect(0xa0, element).unwrap().value, stranger.der()].concat()),
        _ => element.to_vec(),
    });
    let altered = Sod::parse(&raw).unwrap();
    let [one, two] = [&sod, &altered].map(|sod| sod.verify(&state.trust, NOW).unwrap());
    assert_eq!((&one.table, one.signed_at()), (&two.table, two.signed_at()));
    assert_ne!(sod.raw(), altered.raw());
    assert_eq!(one.fingerprint(), two.fingerprint());
}

#[test]
fn signed_data_of_another_kind_is_no_security_object() {
    let state = state();
    let other =
        crate::pki::PreparedSignedData::new(oid::MASTER_LIST, content(), &state.signer.certificate, false, SIGNED)
            .unwrap();
    let signature = state.signer.sign(other.to_be_signed());
    let raw = tlv::encode(TAG, &other.attach(&signature).unwrap());
    assert!(matches!(Sod::parse(&raw), Err(SodError::Cms(CmsError::ContentType { .. }))));
    // Relabelled outside: the signed attribute still says what it was signed as.
    let relabelled = replaced(&raw, &der::oid(&oid::MASTER_LIST), &der::oid(&LDS_SECURITY_OBJECT));
    let sod = Sod::parse(&relabelled).unwrap();
    assert!(matches!(refusal(&sod, &state.trust), SodError::Cms(CmsError::ContentType { .. })));
}

#[test]
fn a_draft_that_must_not_be_signed_is_named() {
    let state = state();
    let lint = |files: &[(DataGroup, &[u8])], profile: Profile, signer: &Certificate, at: OffsetDateTime| {
        Draft::new(files, profile, signer, at).lint().map(drop).unwrap_err()
    };
    let (good, signer) = (Profile::default, &state.signer.certificate);
    let group = DataGroup::DG1;
    assert_eq!(lint(&files()[..2], good(), signer, SIGNED), LintError::Missing { group: DataGroup::DG2 });
    assert_eq!(
        lint(&[(group, DG1), (DataGroup::DG2, DG2), (group, DG1)], good(), signer, SIGNED),
        LintError::Duplicate { group }
    );
    assert_eq!(lint(&[(group, DG2)], good(), signer, SIGNED), LintError::NotThatGroup { group });
    let weak = Profile { hash: Hash::Sha1, ..good() };
    assert_eq!(lint(&files(), weak, signer, SIGNED), LintError::Hash { hash: Hash::Sha1 });
    assert_eq!(lint(&files(), good(), &state.root.certificate, SIGNED), LintError::NotADocumentSigner);
    let signing_time = NOW + Duration::days(30);
    assert_eq!(lint(&files(), good(), signer, signing_time), LintError::SigningTime { signing_time });
}

#[test]
fn only_the_signers_own_signature_over_this_table_is_attached() {
    let state = state();
    let by_another = state.root.key.sign_der(Hash::Sha256, prepared(&state.signer).to_be_signed());
    let mismatch = |outcome: Result<Sod, SignatureMismatch>| outcome.map(drop).is_err();
    assert!(mismatch(prepared(&state.signer).attach(&by_another)));
    assert!(mismatch(prepared(&state.signer).attach(&state.signer.sign(b"another table"))));
    assert!(mismatch(prepared(&state.signer).attach(b"no signature")));
    // `attach_unverified` checks nothing and returns bytes only; parsing and verifying refuses them.
    let raw = prepared(&state.signer).attach_unverified(&by_another);
    let refused = refusal(&Sod::parse(&raw).unwrap(), &state.trust);
    assert!(matches!(refused, SodError::Cms(CmsError::Signature(_))));
    let raw = prepared(&state.signer).attach_unverified(&state.signer.sign(prepared(&state.signer).to_be_signed()));
    assert_eq!(raw, signed(&state.signer).raw());
}

#[test]
fn a_prepared_object_survives_the_store_and_a_damaged_row_does_not() {
    let state = state();
    let stored = prepared(&state.signer).to_bytes();
    let again = Prepared::from_bytes(&stored).unwrap();
    assert_eq!(again, prepared(&state.signer));
    assert_eq!((again.signer(), again.content()), (&state.signer.certificate, content().as_slice()));
    let signature = state.signer.sign(again.to_be_signed());
    assert!(again.attach(&signature).unwrap().verify(&state.trust, NOW).is_ok());
    let table = stored.windows(32).position(|window| window == Hash::Sha256.digest(DG1)).unwrap();
    let mut damaged = stored.clone();
    damaged[table] ^= 1;
    assert_eq!(Prepared::from_bytes(&damaged), Err(StoredError::Cms(CmsError::MessageDigest)));
    for end in 0..stored.len() {
        assert!(Prepared::from_bytes(&stored[..end]).is_err(), "{end} bytes");
    }
}

#[test]
fn the_specimen_of_tr_03105_is_read_and_its_signature_holds() {
    let Some(raw) = field_data("specimen_bsi_tr03105/EF_SOD.bin") else { return };
    let sod = Sod::parse(&raw).unwrap();
    // RSASSA-PSS with SHA-256, from the SignerInfo. The CSCA of the set is not published, so the
    // chain cannot be verified.
    let signer = sod.signer_certificate().unwrap();
    assert_eq!(sod.signed.verify(&LDS_SECURITY_OBJECT, signer, LegacyHashes::Refuse), Ok(()));
    let numbers: Vec<u8> = sod.table.groups.iter().map(|(group, _)| group.number()).collect();
    assert_eq!(numbers, [1, 2, 3, 14, 4]);
    for (group, digest) in &sod.table.groups {
        let file = format!("specimen_bsi_tr03105/Datagroup{}.bin", group.number());
        let Some(file) = field_data(&file) else { return };
        assert_eq!(sod.table.hash.digest(&file), *digest, "{group}");
    }
    let unknown = sod.verify(&TrustStore::default(), NOW).map(drop);
    assert!(matches!(unknown, Err(SodError::Chain(ChainError::NoAnchor { .. }))));
}

#[test]
fn the_specimen_of_2008_is_read_and_refused_by_name() {
    let Some(raw) = field_data("specimen_jmrtd_bsi2008/EF_SOD.bin") else { return };
    let sod = Sod::parse(&raw).unwrap();
    assert_eq!(sod.table.hash, Hash::Sha1);
    assert_eq!(sod.table.version, LdsVersion::V17);
    let signer = sod.signer_certificate().unwrap();
    let strict = sod.signed.verify(&LDS_SECURITY_OBJECT, signer, LegacyHashes::Refuse);
    assert_eq!(strict, Err(CmsError::LegacyHash));
    // ECDSA on brainpoolP224r1, which is not supported, even where SHA-1 is accepted.
    let lenient = sod.signed.verify(&LDS_SECURITY_OBJECT, signer, LegacyHashes::AcceptSha1);
    assert_eq!(lenient, Err(CmsError::Key(SpkiError::Parameters)));
    for (group, digest) in &sod.table.groups {
        let file = format!("specimen_jmrtd_bsi2008/Datagroup{}.bin", group.number());
        let Some(file) = field_data(&file) else { return };
        assert_eq!(sod.table.hash.digest(&file), *digest, "{group}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        prop_assert!(Sod::parse(&bytes).is_err());
        prop_assert!(Sod::parse(&tlv::encode(TAG, &bytes)).is_err());
        prop_assert!(Prepared::from_bytes(&bytes).is_err());
    }

    #[test]
    fn no_altered_bytes_make_the_reader_panic(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        static GOOD: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| signed(&state().signer).raw().to_vec());
        let mut raw = GOOD.clone();
        for (at, value) in changes {
            let at = at % raw.len();
            raw[at] = value;
        }
        if let Ok(sod) = Sod::parse(&raw) {
            let _ = sod.verify(&TrustStore::default(), NOW);
        }
    }

    #[test]
    fn the_table_answers_for_exactly_the_files_that_were_hashed(one: Vec<u8>, two: Vec<u8>, other: Vec<u8>) {
        let files = [(DataGroup::DG1, &one[..]), (DataGroup::DG2, &two[..])];
        let table = LdsSecurityObject::of_files(&files, Hash::Sha256, LdsVersion::current());
        let table = LdsSecurityObject::parse(&table.encode()).unwrap();
        prop_assert_eq!(&table.groups[0].1, &Hash::Sha256.digest(&one));
        prop_assert_eq!(table.groups[1].1 == Hash::Sha256.digest(&other), two == other);
    }
}

#[test]
fn a_draft_with_a_certificate_of_another_role_is_not_a_document_signers() {
    let state = state();
    let draft = CertificateDraft {
        role: Role::TrustListSigner,
        ..signer_draft(&state.root.certificate, documents(), state.signer.key.public().into(), CurveForm::Explicit, 50)
    };
    let lists = issue(&state.root, draft);
    // Each mark of a document signer counts by itself: its usage, its types, and no further usage.
    let list_signing = der::sequence(&[&der::oid(&oid::MASTER_LIST_SIGNING_KEY)]);
    let forgery = || Forgery::of(&state.signer.certificate);
    let without_mark = [
        forgery().with(&oid::KEY_USAGE, true, &[3, 2, 6, 0xc0]),
        forgery().without(&oid::DOCUMENT_TYPE_LIST),
        forgery().with(&oid::EXTENDED_KEY_USAGE, true, &list_signing),
    ];
    for certificate in without_mark.map(|forgery| forgery.sign(&state.root.key)).iter().chain([&lists]) {
        let refused = Draft::new(&files(), Profile::default(), certificate, SIGNED).lint().map(drop);
        assert_eq!(refused, Err(LintError::NotADocumentSigner), "{:?}", certificate.extensions().key_usage);
    }
    let whole = forgery().sign(&state.root.key);
    assert!(Draft::new(&files(), Profile::default(), &whole, SIGNED).lint().is_ok());
}
