//! One valid card, then the same card with one thing altered at a time.

use std::collections::BTreeMap;

use hex_literal::hex;
use time::Duration;
use time::macros::{date, datetime, offset, time};

use super::*;
use crate::identity::Sex;
use crate::inspection::{AccessProtocol, ActiveAuthenticated, ChipAuthenticated, Conclusion, Password, Protocol, Step};
use crate::lds::dg13::Particulars;
use crate::lds::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationProtocol, ChipAuthenticationPublicKeyInfo, KeyAgreement, SecurityInfo,
    SecurityInfos,
};
use crate::lds::{Dg2, Dg13, Dg15, ImageFormat};
use crate::mrz::{MrzZone, Td1};
use crate::pki::specimen::{Forgery, Issued, NOW, SIGNED, crl, csca_of, documents, issue, key, signer_draft};
use crate::pki::trust_bundle::{self, Contents};
use crate::pki::{CertificateDraft, Country, CurveForm, Name, Role, oid, spki};
use crate::sod::{Draft, Profile};
use crate::suite::{Cipher, Curve, Hash, PrivateKey};
use crate::{active_auth, pace};

const CHALLENGE: [u8; 8] = *b"guarding";
/// The beginning of a JPEG file.
const PORTRAIT: [u8; 6] = [0xff, 0xd8, 0xff, 0xe0, 7, 7];

/// An issuer, a card of it, and the chip's keys.
struct TestIssuer {
    root: Issued,
    documents: Issued,
    lists: Issued,
    active: PrivateKey,
    chip: PrivateKey,
}

fn viet_nam() -> Country {
    Country::new("VN", "VNM").unwrap()
}

fn signer(root: &Issued, role: Role, seed: u64) -> Issued {
    signer_of(&viet_nam(), root, role, seed)
}

fn signer_of(country: &Country, root: &Issued, role: Role, seed: u64) -> Issued {
    let key = key(Curve::P256, seed);
    let draft = CertificateDraft {
        subject: Name::new(country, "Test", None, "Signer").unwrap(),
        country: country.clone(),
        ..signer_draft(&root.certificate, role, key.public().into(), CurveForm::Explicit, seed)
    };
    let certificate = issue(root, draft);
    Issued { key, certificate }
}

fn issuer() -> TestIssuer {
    let root = csca_of(&viet_nam(), Curve::P384, CurveForm::Explicit, 1);
    TestIssuer {
        documents: signer(&root, documents(), 2),
        lists: signer(&root, Role::TrustListSigner, 3),
        active: key(Curve::P256, 4),
        chip: key(Curve::P256, 5),
        root,
    }
}

/// Returns an authority of another State and a signer of it; with `alternative` false without alternative names.
fn foreign(in_names: &str, in_mrz: &str, alternative: bool) -> (Issued, Issued) {
    let country = Country::new(in_names, in_mrz).unwrap();
    let mut root = csca_of(&country, Curve::P384, CurveForm::Explicit, 71);
    let bare = |certificate: &crate::pki::Certificate, key: &PrivateKey| {
        Forgery::of(certificate).without(&oid::SUBJECT_ALT_NAME).without(&oid::ISSUER_ALT_NAME).sign(key)
    };
    let mut signer = signer_of(&country, &root, documents(), 72);
    if !alternative {
        root.certificate = bare(&root.certificate, &root.key);
        signer.certificate = bare(&signer.certificate, &root.key);
    }
    (root, signer)
}

/// Returns the evidence of reading another State's card with BAC: DG1, DG2 and a DG13 of its own making, no keys.
fn abroad(root: Issued, documents: Issued, state: &str) -> Evidence {
    let issuer = TestIssuer { root, documents, ..issuer() };
    let mut groups = issuer.groups(Some(EXPIRY));
    let state = || state.to_owned();
    let td1 = Td1 { issuing_state: state(), nationality: state(), ..zone(&particulars(Some(EXPIRY))) };
    groups.insert(DataGroup::DG1, Dg1::from(td1).encode().unwrap());
    groups.insert(DataGroup::DG13, crate::tlv::encode(0x6d, b"what the State likes"));
    groups.retain(|group, _| !matches!(*group, DataGroup::DG14 | DataGroup::DG15));
    let mut card = issuer.card(groups);
    card.chip_authentication = Protocol::NotTried;
    card.active_authentication = Protocol::NotTried;
    card.access = Access { way: Some(AccessProtocol::Bac), failed: vec![], pace_announced: false };
    card.files.remove(&File::CardAccess);
    card.password = None;
    card
}

/// Returns an invented person of a province that does not exist.
fn particulars(expiry: Option<time::Date>) -> Particulars {
    Particulars {
        number: "003185000042".parse().unwrap(),
        name: "Nguyễn Thị Thử".parse().unwrap(),
        birth: "02/03/1985".parse().unwrap(),
        sex: Sex::Female,
        nationality: "Việt Nam".to_owned(),
        ethnicity: "Kinh".to_owned(),
        religion: "Không".to_owned(),
        origin: "Xã Thử, Tỉnh Thử".to_owned(),
        residence: "Số 1, Xã Thử, Tỉnh Thử".to_owned(),
        features: "Nốt ruồi".to_owned(),
        issued: date!(2026 - 10 - 01),
        expiry,
        father: None,
        mother: None,
        spouse: None,
        old_number: None,
        mark: None,
    }
}

fn zone(of: &Particulars) -> Td1 {
    Td1::of_citizen(&of.number, &of.name, of.sex, of.birth, of.expiry).unwrap()
}

/// Returns the whole printed MRZ.
fn printed(of: &Particulars) -> MrzZone {
    String::from_utf8(zone(of).compose().unwrap().to_vec()).unwrap().parse().unwrap()
}

fn spki_of(key: &PrivateKey) -> Vec<u8> {
    spki::encode(&key.public().into(), CurveForm::Explicit)
}

fn card_access() -> SecurityInfos {
    SecurityInfos(vec![SecurityInfo::Pace(pace::Suite { cipher: Cipher::Aes128, curve: Curve::P256 }.info())])
}

impl TestIssuer {
    fn groups(&self, expiry: Option<time::Date>) -> BTreeMap<DataGroup, Vec<u8>> {
        let person = particulars(expiry);
        let mut infos = card_access().0;
        infos.push(SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
            protocol: ChipAuthenticationProtocol::ecdh(Cipher::Aes128),
            version: 1,
            key_id: None,
        }));
        infos.push(SecurityInfo::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
            agreement: KeyAgreement::Ecdh,
            spki: spki_of(&self.chip),
            key_id: None,
        }));
        let signature_algorithm = active_auth::signature_algorithm(Hash::Sha256);
        infos.push(SecurityInfo::ActiveAuthentication { signature_algorithm });
        let face = Dg2 { image: PORTRAIT.to_vec(), format: ImageFormat::Jpeg, width: 480, height: 640 };
        [
            (DataGroup::DG1, Dg1::from(zone(&person)).encode().unwrap()),
            (DataGroup::DG2, face.encode()),
            (DataGroup::DG13, Dg13::new(&person).unwrap().encode()),
            (DataGroup::DG14, Dg14(SecurityInfos(infos)).encode()),
            (DataGroup::DG15, Dg15 { spki: spki_of(&self.active) }.encode()),
        ]
        .into()
    }

    fn sod(&self, groups: &BTreeMap<DataGroup, Vec<u8>>) -> Vec<u8> {
        let files: Vec<_> = groups.iter().map(|(group, raw)| (*group, raw.as_slice())).collect();
        let prepared = Draft::new(&files, Profile::default(), &self.documents.certificate, SIGNED).lint().unwrap();
        let signature = self.documents.sign(prepared.to_be_signed());
        prepared.attach(&signature).unwrap().raw().to_vec()
    }

    /// Returns the evidence of reading a valid card.
    fn card(&self, groups: BTreeMap<DataGroup, Vec<u8>>) -> Evidence {
        let mut files: BTreeMap<File, FileReading> = BTreeMap::new();
        let com = Com::new(groups.keys().copied().collect()).encode().unwrap();
        files.insert(File::Com, FileReading::Read(com));
        files.insert(File::Sod, FileReading::Read(self.sod(&groups)));
        files.insert(File::CardAccess, FileReading::Read(CardAccess(card_access()).encode()));
        files.extend(groups.into_iter().map(|(group, raw)| (File::DataGroup(group), FileReading::Read(raw))));
        let signature = self.active.sign_plain(Hash::Sha256, &CHALLENGE);
        Evidence {
            access: Access { way: Some(AccessProtocol::PaceMrz), failed: vec![], pace_announced: true },
            files,
            chip_authentication: Protocol::Done(ChipAuthenticated { spki: spki_of(&self.chip) }),
            active_authentication: Protocol::Done(ActiveAuthenticated { challenge: CHALLENGE, signature }),
            password: Some(Password::Zone(printed(&particulars(Some(EXPIRY))))),
            commands: vec![],
        }
    }

    fn sound(&self) -> Evidence {
        self.card(self.groups(Some(EXPIRY)))
    }

    fn bundle(&self, revoked_documents: Vec<[u8; 32]>) -> TrustBundle {
        self.bundle_with(&[], revoked_documents)
    }

    /// Returns a bundle that trusts other authorities too.
    fn bundle_with(&self, others: &[&Issued], revoked_documents: Vec<[u8; 32]>) -> TrustBundle {
        let roots: Vec<&Issued> = [&self.root].into_iter().chain(others.iter().copied()).collect();
        let contents = Contents {
            issued_at: NOW - Duration::days(1),
            next_update: NOW + Duration::days(7),
            cscas: roots.iter().map(|root| root.certificate.der().to_vec()).collect(),
            crls: roots.iter().map(|root| crl(root, &[], NOW - Duration::days(2)).der().to_vec()).collect(),
            revoked_documents,
        };
        let prepared = trust_bundle::Draft::new(contents, &self.lists.certificate).lint().unwrap();
        let signature = self.lists.sign(prepared.to_be_signed());
        let bytes = prepared.attach(&signature).unwrap();
        trust_bundle::open(&bytes, &self.root.certificate, NOW).unwrap()
    }

    fn verdict(&self, evidence: &Evidence) -> Verdict {
        judge(evidence, &self.bundle(vec![]), NOW).verdict
    }

    fn holder(&self, evidence: &Evidence) -> Option<Holder> {
        judge(evidence, &self.bundle(vec![]), NOW).holder
    }
}

const EXPIRY: time::Date = date!(2045 - 03 - 02);

fn outcome(verdict: &Verdict, check: Check) -> Outcome {
    verdict.finding(check).unwrap_or_else(|| panic!("{check} does not apply:\n{verdict}")).outcome
}

fn bytes_of(evidence: &mut Evidence, file: File) -> &mut Vec<u8> {
    match evidence.files.get_mut(&file) {
        Some(FileReading::Read(bytes)) => bytes,
        _ => panic!("{file} was read"),
    }
}

fn refuted(verdict: &Verdict) -> Vec<Check> {
    verdict.findings().iter().filter(|f| f.outcome == Refuted).map(|f| f.name).collect()
}

#[test]
fn a_sound_card_is_trusted_and_every_check_is_proved() {
    let issuer = issuer();
    let verdict = issuer.verdict(&issuer.sound());
    assert_eq!(verdict.conclusion(), Conclusion::Trusted, "{verdict}");
    assert!(verdict.findings().iter().all(|finding| finding.outcome == Proved), "{verdict}");
    // Five data groups; what the service has the card as is asked afterwards, if at all.
    assert_eq!(verdict.findings().len(), Check::SINGLE.len() - 1 + 5);
}

#[test]
fn a_card_without_expiry_does_not_expire() {
    let issuer = issuer();
    let mut card = issuer.card(issuer.groups(None));
    card.password = Some(Password::Can("000042".parse().unwrap()));
    card.access.way = Some(AccessProtocol::PaceCan);
    assert_eq!(issuer.verdict(&card).conclusion(), Conclusion::Trusted, "{}", issuer.verdict(&card));
}

#[test]
fn a_flipped_bit_in_a_data_group_refutes_that_group() {
    let issuer = issuer();
    for group in issuer.groups(None).into_keys() {
        let length = issuer.sound().group(group).unwrap().len();
        for at in [0, 1, length / 2, length - 1] {
            let mut card = issuer.sound();
            bytes_of(&mut card, group.into())[at] ^= 1;
            let verdict = issuer.verdict(&card);
            assert_eq!(outcome(&verdict, Check::DataGroup(group)), Refuted, "{group} byte {at}");
            assert_eq!(verdict.conclusion(), Conclusion::Refused);
        }
    }
}

#[test]
fn no_flipped_bit_of_the_security_object_is_trusted() {
    let issuer = issuer();
    let bundle = issuer.bundle(vec![]);
    let length = issuer.sound().file(File::Sod).unwrap().len();
    for at in (0..length).step_by(11) {
        let mut card = issuer.sound();
        bytes_of(&mut card, File::Sod)[at] ^= 1 << (at % 8);
        let verdict = judge(&card, &bundle, NOW).verdict;
        // A bit in an algorithm identifier makes the algorithm unknown: then there is no proof either way.
        let unknown = verdict.findings().iter().any(|f| f.outcome == NotChecked && f.reason.contains("supported"));
        let expected = if unknown { Conclusion::Undecided } else { Conclusion::Refused };
        assert_eq!(verdict.conclusion(), expected, "byte {at}\n{verdict}");
    }
}

#[test]
fn a_clone_that_hides_dg14_and_dg15_is_refused() {
    let issuer = issuer();
    let mut clone = issuer.sound();
    let com = Com::new(vec![DataGroup::DG1, DataGroup::DG2, DataGroup::DG13]).encode().unwrap();
    *bytes_of(&mut clone, File::Com) = com;
    for group in [DataGroup::DG14, DataGroup::DG15] {
        let missing = Fault::Refused { ins: 0xb0, status: Status::FILE_NOT_FOUND };
        clone.files.insert(group.into(), FileReading::Refused(missing));
    }
    clone.chip_authentication = Protocol::NotTried;
    clone.active_authentication = Protocol::NotTried;
    let verdict = issuer.verdict(&clone);
    assert_eq!(outcome(&verdict, Check::CloneProtection), Refuted);
    assert_eq!(outcome(&verdict, Check::DataGroupList), Refuted);
    assert_eq!(verdict.conclusion(), Conclusion::Refused);
}

#[test]
fn a_clone_with_every_file_but_without_the_keys_is_refused() {
    let issuer = issuer();
    let broken = Fault::Misbehaved("the MAC of a protected response is wrong");
    for (chip, active) in [
        (Protocol::NotTried, Protocol::Failed(Fault::Refused { ins: 0x88, status: Status::INSTRUCTION_NOT_SUPPORTED })),
        (Protocol::Failed(broken.clone()), Protocol::NotTried),
        (Protocol::Failed(broken.clone()), Protocol::Failed(broken)),
    ] {
        let mut clone = issuer.sound();
        clone.chip_authentication = chip;
        clone.active_authentication = active;
        let verdict = issuer.verdict(&clone);
        assert_eq!(outcome(&verdict, Check::CloneProtection), Refuted, "{verdict}");
        assert_eq!(verdict.conclusion(), Conclusion::Refused);
    }
}

#[test]
fn a_clone_with_keys_of_its_own_is_refused() {
    let issuer = issuer();
    let own = key(Curve::P256, 66);
    let mut clone = issuer.sound();
    clone.chip_authentication = Protocol::Done(ChipAuthenticated { spki: spki_of(&own) });
    let signature = own.sign_plain(Hash::Sha256, &CHALLENGE);
    clone.active_authentication = Protocol::Done(ActiveAuthenticated { challenge: CHALLENGE, signature });
    let verdict = issuer.verdict(&clone);
    assert_eq!(
        refuted(&verdict),
        [Check::ChipAuthentication, Check::ActiveAuthentication, Check::CloneProtection],
        "{verdict}"
    );
}

#[test]
fn a_recorded_signature_over_another_challenge_is_refused() {
    let issuer = issuer();
    let mut clone = issuer.sound();
    let signature = issuer.active.sign_plain(Hash::Sha256, b"recorded");
    clone.active_authentication = Protocol::Done(ActiveAuthenticated { challenge: CHALLENGE, signature });
    assert_eq!(refuted(&issuer.verdict(&clone)), [Check::ActiveAuthentication]);
}

#[test]
fn either_proof_of_the_chip_is_enough_and_the_other_stays_visible() {
    let issuer = issuer();
    let mut card = issuer.sound();
    card.active_authentication = Protocol::NotTried;
    let mut verdict = issuer.verdict(&card);
    assert_eq!(verdict.conclusion(), Conclusion::Trusted, "{verdict}");
    verdict.require(Check::ActiveAuthentication);
    assert_eq!(verdict.conclusion(), Conclusion::Undecided);
}

#[test]
fn an_expired_card_is_refused_the_day_after_and_not_before() {
    let issuer = issuer();
    let day = NOW.date();
    for (expiry, expected) in [(day, Proved), (day - Duration::days(1), Refuted)] {
        let mut card = issuer.card(issuer.groups(Some(expiry)));
        card.password = None;
        assert_eq!(outcome(&issuer.verdict(&card), Check::Validity), expected, "{expiry}");
    }
}

#[test]
fn the_last_day_of_a_card_is_a_day_of_the_state_that_issued_it() {
    let issuer = issuer();
    // Half past one of the next day in Viet Nam.
    let at = NOW.replace_time(time!(18:30));
    let last = at.date();
    let mut card = issuer.card(issuer.groups(Some(last)));
    card.password = None;
    let judged = [
        (offset!(UTC), Proved, last),
        (offset!(+7), Refuted, last + Duration::days(1)),
        (offset!(-3:30), Proved, last),
    ];
    for (offset, expected, day) in judged {
        let verdict = judge(&card, &issuer.bundle(vec![]), at.to_offset(offset)).verdict;
        let validity = verdict.findings().iter().find(|finding| finding.name == Check::Validity).unwrap();
        assert_eq!(validity.outcome, expected, "{offset}");
        let (hours, minutes, _) = offset.as_hms();
        let says = format!(", judged on {day}, the civil day in UTC{hours:+03}:{:02}", minutes.abs());
        assert!(validity.reason.contains(&says), "{}", validity.reason);
    }
}

#[test]
fn a_revoked_document_is_refused() {
    let issuer = issuer();
    let card = issuer.sound();
    let own = Sod::parse(card.file(File::Sod).unwrap()).unwrap().fingerprint();
    let verdict = judge(&card, &issuer.bundle(vec![[7; 32], own]), NOW).verdict;
    assert_eq!(refuted(&verdict), [Check::Revocation]);
}

#[test]
fn a_stale_bundle_leaves_revocation_open_but_still_knows_the_revoked() {
    let issuer = issuer();
    let card = issuer.sound();
    let later = NOW + Duration::days(8);
    let mut verdict = judge(&card, &issuer.bundle(vec![]), later).verdict;
    assert_eq!(outcome(&verdict, Check::Revocation), NotChecked);
    assert_eq!(outcome(&verdict, Check::BundleFreshness), NotChecked);
    assert_eq!(verdict.conclusion(), Conclusion::Undecided);
    verdict.tolerate(Check::Revocation);
    verdict.tolerate(Check::BundleFreshness);
    assert_eq!(verdict.conclusion(), Conclusion::Trusted);
    let own = Sod::parse(card.file(File::Sod).unwrap()).unwrap().fingerprint();
    let verdict = judge(&card, &issuer.bundle(vec![own]), later).verdict;
    assert_eq!(verdict.conclusion(), Conclusion::Refused);
}

#[test]
fn a_signer_of_another_authority_is_refused() {
    let (issuer, stranger) = (issuer(), {
        let root = csca_of(&viet_nam(), Curve::P384, CurveForm::Explicit, 91);
        TestIssuer { documents: signer(&root, documents(), 92), root, ..issuer() }
    });
    let verdict = issuer.verdict(&stranger.sound());
    assert_eq!(outcome(&verdict, Check::IssuerKnown), NotChecked, "{verdict}");
    assert_eq!(outcome(&verdict, Check::CloneProtection), NotChecked);
    // It claims to be a citizen card, and the bundle has every authority of those.
    assert_eq!(refuted(&verdict), [Check::DocumentProfile], "{verdict}");
    // A bundle past its time may lack the newest.
    let late = judge(&stranger.sound(), &issuer.bundle(vec![]), NOW + Duration::days(8)).verdict;
    assert_eq!((refuted(&late), late.conclusion()), (vec![], Conclusion::Undecided), "{late}");
}

#[test]
fn a_signer_past_its_validity_is_refused() {
    let issuer = issuer();
    let late = NOW + Duration::days(365 * 11);
    let verdict = judge(&issuer.sound(), &issuer.bundle(vec![]), late).verdict;
    assert_eq!(outcome(&verdict, Check::DocumentSigner), Refuted, "{verdict}");
}

#[test]
fn another_persons_dg13_is_refused_though_it_is_signed() {
    let issuer = issuer();
    let mut groups = issuer.groups(Some(EXPIRY));
    let other = Particulars { name: "Trần Văn Khác".parse().unwrap(), ..particulars(Some(EXPIRY)) };
    groups.insert(DataGroup::DG13, Dg13::new(&other).unwrap().encode());
    assert_eq!(refuted(&issuer.verdict(&issuer.card(groups))), [Check::MrzConsistency]);
}

#[test]
fn a_chip_behind_another_printed_card_is_refused() {
    let issuer = issuer();
    let mut card = issuer.sound();
    card.password = Some(Password::Mrz(zone(&particulars(None)).key()));
    assert_eq!(refuted(&issuer.verdict(&card)), [Check::MrzConsistency]);
    card.password = Some(Password::Can("123456".parse().unwrap()));
    assert_eq!(refuted(&issuer.verdict(&card)), [Check::MrzConsistency]);
}

#[test]
fn a_card_access_file_that_offers_more_than_was_signed_is_refused() {
    let issuer = issuer();
    let mut card = issuer.sound();
    let mut infos = card_access();
    infos.0.push(SecurityInfo::Pace(pace::Suite { cipher: Cipher::TripleDes, curve: Curve::P256 }.info()));
    *bytes_of(&mut card, File::CardAccess) = CardAccess(infos).encode();
    assert_eq!(refuted(&issuer.verdict(&card)), [Check::CardAccess]);
}

#[test]
fn a_card_access_file_that_hides_signed_pace_is_refused() {
    let issuer = issuer();
    let mut card = issuer.sound();
    *bytes_of(&mut card, File::CardAccess) = CardAccess(SecurityInfos(vec![])).encode();
    assert_eq!(refuted(&issuer.verdict(&card)), [Check::CardAccess]);
    card.files.remove(&File::CardAccess);
    card.access = Access { way: Some(AccessProtocol::Bac), failed: vec![], pace_announced: false };
    assert_eq!(refuted(&issuer.verdict(&card)), [Check::CardAccess]);
}

#[test]
fn an_unsupported_algorithm_leaves_the_card_undecided_and_is_no_forgery() {
    let issuer = issuer();
    let mut card = issuer.sound();
    let sod = bytes_of(&mut card, File::Sod);
    let ecdsa_with_sha256 = hex!("2a8648ce3d040302");
    let last = sod.windows(8).rposition(|bytes| bytes == ecdsa_with_sha256).unwrap();
    sod[last + 7] = 0x7f;
    let verdict = issuer.verdict(&card);
    assert_eq!(refuted(&verdict), []);
    assert_eq!((outcome(&verdict, Check::SodSignature), verdict.conclusion()), (NotChecked, Conclusion::Undecided));

    let mut groups = issuer.groups(Some(EXPIRY));
    groups.remove(&DataGroup::DG14);
    let mut spki = spki::encode(&issuer.active.public().into(), CurveForm::Named);
    let p256 = spki.windows(8).position(|bytes| bytes == hex!("2a8648ce3d030107")).unwrap();
    spki[p256 + 7] = 0x77;
    groups.insert(DataGroup::DG15, Dg15 { spki }.encode());
    let mut card = issuer.card(groups);
    card.files.remove(&File::CardAccess);
    card.chip_authentication = Protocol::NotTried;
    let verdict = issuer.verdict(&card);
    assert_eq!(refuted(&verdict), []);
    assert_eq!((outcome(&verdict, Check::CloneProtection), verdict.conclusion()), (NotChecked, Conclusion::Undecided));
    // A chip that does not even answer is refused all the same.
    card.active_authentication = Protocol::Failed(Fault::Misbehaved("no signature"));
    assert_eq!(issuer.verdict(&card).conclusion(), Conclusion::Refused);
}

#[test]
fn a_fallback_to_bac_is_visible() {
    let issuer = issuer();
    let mut card = issuer.sound();
    card.access.way = Some(AccessProtocol::Bac);
    card.access.failed = vec![(AccessProtocol::PaceMrz, Fault::Misbehaved("the chip's PACE token is wrong"))];
    let verdict = issuer.verdict(&card);
    let reason = &verdict.finding(Check::Access).unwrap().reason;
    assert!(reason.contains("bac") && reason.contains("pace-mrz") && reason.contains("fallback"), "{reason}");
}

#[test]
fn nothing_read_is_undecided_and_never_trusted() {
    let issuer = issuer();
    assert_eq!(issuer.verdict(&Evidence::default()).conclusion(), Conclusion::Undecided);
    let anchors = TrustStore::new(vec![issuer.root.certificate.clone()]);
    let verdict = judge(&issuer.sound(), &anchors, NOW).verdict;
    assert_eq!(outcome(&verdict, Check::Revocation), NotChecked);
    assert_eq!(verdict.conclusion(), Conclusion::Undecided);
}

#[test]
fn a_foreign_document_without_chip_keys_is_trusted_unless_more_is_required() {
    let issuer = issuer();
    let (root, documents) = foreign("LA", "LAO", true);
    let bundle = issuer.bundle_with(&[&root], vec![]);
    let card = abroad(root, documents, "LAO");
    let mut verdict = judge(&card, &bundle, NOW).verdict;
    assert_eq!(verdict.conclusion(), Conclusion::Trusted, "{verdict}");
    verdict.require(Check::CloneProtection);
    assert_eq!(verdict.conclusion(), Conclusion::Undecided);
    let mut verdict = judge(&card, &bundle, NOW).verdict;
    verdict.require(Check::DocumentProfile);
    assert_eq!(verdict.conclusion(), Conclusion::Undecided, "a kiosk for citizen cards alone");
}

#[test]
fn the_verdict_as_json_has_one_entry_per_check() {
    let issuer = issuer();
    let json = serde_json::to_value(issuer.verdict(&issuer.sound())).unwrap();
    assert_eq!(json["verdict"], "trusted");
    let first = &json["checks"][0];
    assert_eq!((first["name"].as_str(), first["outcome"].as_str()), (Some("access"), Some("proved")));
}

#[test]
fn a_sound_card_gives_the_whole_holder() {
    let issuer = issuer();
    let person = particulars(Some(EXPIRY));
    let holder = issuer.holder(&issuer.sound()).unwrap();
    assert_eq!(holder.name(), Some(&zone(&person).name));
    assert!(holder.personal_number() == Some(person.number));
    assert_eq!(holder.birth(), Some(person.birth.into()));
    assert_eq!(holder.sex(), Some(Sex::Female));
    assert_eq!(holder.nationality(), Some("VNM"));
    assert_eq!(holder.document_number(), Some(&person.number.last_nine()));
    assert_eq!(holder.expiry(), Some(EXPIRY.into()));
    assert_eq!(holder.portrait().map(|dg2| dg2.image.as_slice()), Some(&PORTRAIT[..]));
    assert_eq!(holder.portrait().map(|dg2| dg2.format), Some(ImageFormat::Jpeg));
    assert_eq!(holder.particulars(), Some(&Dg13::new(&person).unwrap()));
}

#[test]
fn what_is_not_as_signed_is_no_part_of_the_holder() {
    let issuer = issuer();
    for (group, part) in [
        (DataGroup::DG1, (|holder| holder.dg1().is_some()) as fn(&Holder) -> bool),
        (DataGroup::DG2, |holder| holder.portrait().is_some()),
        (DataGroup::DG13, |holder| holder.particulars().is_some()),
    ] {
        let length = issuer.sound().group(group).unwrap().len();
        let mut card = issuer.sound();
        bytes_of(&mut card, group.into())[length - 1] ^= 1;
        let holder = issuer.holder(&card).expect("the other groups are as signed");
        assert!(!part(&holder), "{group}");
        assert_eq!(holder.name().is_some(), group != DataGroup::DG1);
        assert_eq!(holder.expiry().is_some(), group != DataGroup::DG1);
    }
}

#[test]
fn a_dg13_outside_the_signed_table_gives_no_particulars() {
    let issuer = issuer();
    let mut groups = issuer.groups(Some(EXPIRY));
    let unsigned = groups.remove(&DataGroup::DG13).unwrap();
    let mut card = issuer.card(groups);
    card.files.insert(DataGroup::DG13.into(), FileReading::Read(unsigned));
    let holder = issuer.holder(&card).expect("DG1 is signed");
    assert!(holder.name().is_some() && holder.particulars().is_none());
}

#[test]
fn an_untrusted_signature_and_unread_groups_give_no_holder() {
    let issuer = issuer();
    let stranger = {
        let root = csca_of(&viet_nam(), Curve::P384, CurveForm::Explicit, 91);
        TestIssuer { documents: signer(&root, documents(), 92), root, ..self::issuer() }
    };
    assert!(issuer.holder(&stranger.sound()).is_none());
    assert!(issuer.holder(&Evidence::default()).is_none());
    let mut card = issuer.sound();
    bytes_of(&mut card, File::Sod)[200] ^= 1;
    assert!(issuer.holder(&card).is_none());
}

#[test]
fn a_revoked_card_has_a_holder_and_is_refused() {
    let issuer = issuer();
    let card = issuer.sound();
    let fingerprint = Sod::parse(card.file(File::Sod).unwrap()).unwrap().fingerprint();
    let judgement = judge(&card, &issuer.bundle(vec![fingerprint]), NOW);
    assert_eq!(judgement.verdict.conclusion(), Conclusion::Refused);
    assert!(judgement.holder.is_some_and(|holder| holder.name().is_some()));
}

#[test]
fn the_debug_form_of_a_judgement_shows_nothing_personal() {
    let issuer = issuer();
    let shown = format!("{:?}", judge(&issuer.sound(), &issuer.bundle(vec![]), NOW));
    assert!(shown.contains("Holder { dg1: true, portrait: true, particulars: true }"), "{shown}");
    for personal in ["003185000042", "185000042", "NGUYEN", "Nguy", "1985", "850302"] {
        assert!(!shown.contains(personal), "{personal} in {shown}");
    }
}

#[test]
fn a_signer_of_another_state_signs_no_card_of_ours() {
    let issuer = issuer();
    for alternative in [true, false] {
        let (root, documents) = foreign("LA", "LAO", alternative);
        let bundle = issuer.bundle_with(&[&root], vec![]);
        let card = TestIssuer { root, documents, ..self::issuer() }.sound();
        let verdict = judge(&card, &bundle, NOW).verdict;
        assert_eq!(outcome(&verdict, Check::DocumentSigner), Proved, "{verdict}");
        assert_eq!(verdict.conclusion(), Conclusion::Refused, "alternative names: {alternative}\n{verdict}");
    }
}

#[test]
fn a_card_of_ours_without_a_key_of_its_own_is_not_trusted() {
    let issuer = issuer();
    for without in [&[DataGroup::DG14, DataGroup::DG15][..], &[DataGroup::DG13]] {
        let mut groups = issuer.groups(Some(EXPIRY));
        groups.retain(|group, _| !without.contains(group));
        let mut card = issuer.card(groups);
        if without.contains(&DataGroup::DG14) {
            card.chip_authentication = Protocol::NotTried;
            card.active_authentication = Protocol::NotTried;
            card.files.remove(&File::CardAccess);
            card.access.way = Some(AccessProtocol::Bac);
        }
        let verdict = issuer.verdict(&card);
        assert_eq!(verdict.conclusion(), Conclusion::Undecided, "without {without:?}\n{verdict}");
    }
}

#[test]
fn a_document_of_an_authority_that_the_bundle_does_not_have_is_undecided() {
    let issuer = issuer();
    let (root, documents) = foreign("LA", "LAO", true);
    let verdict = issuer.verdict(&abroad(root, documents, "LAO"));
    assert_eq!(outcome(&verdict, Check::IssuerKnown), NotChecked);
    assert_eq!(refuted(&verdict), [], "{verdict}");
    assert_eq!(verdict.conclusion(), Conclusion::Undecided);
}

#[test]
fn what_dg13_spells_differently_or_leaves_out_contradicts_nothing() {
    let issuer = issuer();
    let with = |change: fn(&mut Dg13)| {
        let mut dg13 = Dg13::new(&particulars(Some(EXPIRY))).unwrap();
        change(&mut dg13);
        let mut groups = issuer.groups(Some(EXPIRY));
        groups.insert(DataGroup::DG13, dg13.encode());
        issuer.verdict(&issuer.card(groups))
    };
    let spellings: [fn(&mut Dg13); 12] = [
        |dg13| dg13.sex = Some("NỮ".to_owned()),
        |dg13| dg13.sex = Some("Nu\u{31b}\u{303}".to_owned()),
        |dg13| dg13.sex = Some("F".to_owned()),
        |dg13| dg13.sex = None,
        |dg13| dg13.birth = Some("02-03-1985".to_owned()),
        |dg13| dg13.birth = Some("2/3/1985".to_owned()),
        |dg13| dg13.birth = Some("1985".to_owned()),
        |dg13| dg13.expiry = Some("2045-03-02".to_owned()),
        |dg13| dg13.expiry = None,
        |dg13| dg13.name = Some("NGUYỄN THỊ  THỬ ".to_owned()),
        |dg13| dg13.name = None,
        |dg13| dg13.number = Some("003 185 000 042".to_owned()),
    ];
    for (at, spelling) in spellings.into_iter().enumerate() {
        let verdict = with(spelling);
        assert_eq!(verdict.conclusion(), Conclusion::Trusted, "spelling {at}\n{verdict}");
        // What is there is compared, however it is spelled.
        let reason = &verdict.finding(Check::MrzConsistency).unwrap().reason;
        let left_out = [3, 8, 10].contains(&at);
        assert_eq!(reason.ends_with("DG13 (number, name, birth, sex, expiry)"), !left_out, "spelling {at}: {reason}");
    }
    let others: [fn(&mut Dg13); 5] = [
        |dg13| dg13.sex = Some("NAM".to_owned()),
        |dg13| dg13.birth = Some("03-03-1985".to_owned()),
        |dg13| dg13.expiry = Some("không thời hạn".to_owned()),
        |dg13| dg13.name = Some("Nguyễn Thị Khác".to_owned()),
        |dg13| dg13.number = Some("003185000043".to_owned()),
    ];
    for (field, other) in ["sex", "birth", "expiry", "name", "number"].into_iter().zip(others) {
        let verdict = with(other);
        assert_eq!(refuted(&verdict), [Check::MrzConsistency], "{field}");
        let reason = &verdict.finding(Check::MrzConsistency).unwrap().reason;
        assert_eq!(reason, &format!("DG1 contradicts DG13 ({field})"));
    }
    // The document number is the end of the personal number: the beginning counts too.
    assert_eq!(refuted(&with(|dg13| dg13.number = Some("103185000042".to_owned()))), [Check::MrzConsistency]);
    let verdict = with(|dg13| dg13.sex = None);
    let reason = &verdict.finding(Check::MrzConsistency).unwrap().reason;
    assert!(reason.ends_with("DG13 (number, name, birth, expiry); not compared: DG13 (sex)"), "{reason}");
}

#[test]
fn an_active_authentication_that_the_reader_could_not_carry_refutes_nothing() {
    let issuer = issuer();
    let too_long = Fault::Refused { ins: 0x88, status: Status::WRONG_LENGTH };
    let mut card = issuer.sound();
    card.active_authentication = Protocol::Failed(too_long.clone());
    let verdict = issuer.verdict(&card);
    assert_eq!(verdict.conclusion(), Conclusion::Trusted, "chip authentication proved the chip\n{verdict}");
    assert!(verdict.finding(Check::ActiveAuthentication).unwrap().reason.contains("6700"));
    card.chip_authentication = Protocol::NotTried;
    let verdict = issuer.verdict(&card);
    assert_eq!((refuted(&verdict), verdict.conclusion()), (vec![], Conclusion::Undecided), "{verdict}");
}

#[test]
fn a_group_that_was_never_asked_for_is_not_judged() {
    let issuer = issuer();
    let too_long = Fault::Refused { ins: 0x88, status: Status::WRONG_LENGTH };
    let mut card = issuer.sound();
    card.active_authentication = Protocol::Failed(too_long.clone());
    for group in [DataGroup::DG1, DataGroup::DG2] {
        let lost = FileReading::NotAsked(Step::ActiveAuthentication, too_long.clone());
        card.files.insert(group.into(), lost);
    }
    let verdict = issuer.verdict(&card);
    assert_eq!((refuted(&verdict), verdict.conclusion()), (vec![], Conclusion::Undecided), "{verdict}");
    let reason = &verdict.finding(Check::DataGroup(DataGroup::DG1)).unwrap().reason;
    assert!(reason.contains("active-authentication") && reason.contains("6700"), "{reason}");
}

#[test]
fn only_fingers_and_irises_may_stay_unread() {
    let issuer = issuer();
    for group in [DataGroup::DG3, DataGroup::DG4, DataGroup::DG2, DataGroup::DG7] {
        let mut groups = issuer.groups(Some(EXPIRY));
        let file = |content| crate::tlv::encode(File::DataGroup(group).tag().unwrap(), &[content]);
        if group != DataGroup::DG2 {
            groups.insert(group, file(0));
        }
        let mut card = issuer.card(groups);
        let no_right = Fault::Refused { ins: 0xb0, status: Status::SECURITY_NOT_SATISFIED };
        for reading in [None, Some(FileReading::Refused(no_right))] {
            card.files.remove(&group.into());
            card.files.extend(reading.map(|reading| (group.into(), reading)));
            let verdict = issuer.verdict(&card);
            let biometric = matches!(group, DataGroup::DG3 | DataGroup::DG4);
            let expected = if biometric { Conclusion::Trusted } else { Conclusion::Undecided };
            assert_eq!(verdict.conclusion(), expected, "{group:?}\n{verdict}");
        }
        card.files.insert(group.into(), FileReading::Read(file(1)));
        assert_eq!(refuted(&issuer.verdict(&card)), [Check::DataGroup(group)], "an altered one is refuted");
    }
}

#[test]
fn all_of_a_given_mrz_is_compared_and_the_reason_says_what() {
    let issuer = issuer();
    let reason = |password: Password| {
        let mut card = issuer.sound();
        card.password = Some(password);
        let verdict = issuer.verdict(&card);
        let finding = verdict.finding(Check::MrzConsistency).unwrap();
        (finding.outcome, finding.reason.clone())
    };
    let person = particulars(Some(EXPIRY));
    let (outcome, said) = reason(Password::Zone(printed(&person)));
    assert_eq!(outcome, Proved);
    assert!(said.contains("the given MRZ in every character") && !said.contains("CAN"), "{said}");
    // The same number, birth and expiry, another name: it opens the chip.
    let other = Particulars { name: "Trần Văn Khác".parse().unwrap(), ..person.clone() };
    let (outcome, said) = reason(Password::Zone(printed(&other)));
    assert_eq!((outcome, said.as_str()), (Refuted, "DG1 contradicts the given MRZ (name)"));
    let (outcome, said) = reason(Password::Zone(printed(&Particulars { sex: Sex::Male, ..person.clone() })));
    assert_eq!((outcome, said.as_str()), (Refuted, "DG1 contradicts the given MRZ (sex)"));
    // Three fields and a CAN prove no more than they are.
    let (outcome, said) = reason(Password::Mrz(zone(&person).key()));
    assert_eq!(outcome, Proved);
    assert!(said.contains("the given number, birth and expiry") && !said.contains("MRZ"), "{said}");
    let (outcome, said) = reason(Password::Can("000042".parse().unwrap()));
    assert_eq!(outcome, Proved);
    assert!(said.contains("the given CAN") && !said.contains("not compared"), "{said}");
}

#[test]
fn a_can_that_no_data_group_has_is_said_not_to_be_compared() {
    let issuer = issuer();
    let (root, documents) = foreign("LA", "LAO", true);
    let bundle = issuer.bundle_with(&[&root], vec![]);
    let mut card = abroad(root, documents, "LAO");
    card.password = Some(Password::Can("123456".parse().unwrap()));
    let verdict = judge(&card, &bundle, NOW).verdict;
    assert_eq!(verdict.conclusion(), Conclusion::Trusted, "{verdict}");
    let reason = &verdict.finding(Check::MrzConsistency).unwrap().reason;
    assert_eq!(reason, "DG1 agrees with its own check digits; not compared: the given CAN");
}

#[test]
fn states_are_compared_through_one_table() {
    let issuer = issuer();
    for (in_names, in_mrz, claimed, expected) in [
        ("DE", "D", "D", Proved),
        ("GB", "GBR", "GBD", Proved),
        ("KS", "RKS", "RKS", Proved),
        ("EU", "EUE", "EUE", Proved),
        ("UN", "UNO", "UNA", Proved),
        ("CN", "CHN", "HKG", Proved),
        ("LU", "LU", "LUX", Proved),
        ("DE", "D", "DNK", Refuted),
        ("LA", "VNM", "VNM", Refuted),
        ("LA", "VNM", "LAO", Refuted),
        ("ZZ", "ZZ", "XPO", NotChecked),
        ("LA", "LAO", "XXA", NotChecked),
    ] {
        for alternative in [true, false] {
            // Without alternative names, LA is all that is known.
            if !alternative && in_mrz == "VNM" {
                continue;
            }
            let (root, documents) = foreign(in_names, in_mrz, alternative);
            let bundle = issuer.bundle_with(&[&root], vec![]);
            let verdict = judge(&abroad(root, documents, claimed), &bundle, NOW).verdict;
            let finding = verdict.finding(Check::IssuingState).unwrap();
            assert_eq!(finding.outcome, expected, "{in_names}/{in_mrz} and {claimed}: {}", finding.reason);
            assert_eq!(verdict.conclusion() == Conclusion::Trusted, expected == Proved, "{verdict}");
        }
    }
}

#[test]
fn another_authority_of_our_own_state_signs_no_citizen_card() {
    let issuer = issuer();
    // The passports of a State can have an authority of their own.
    let (root, documents) = foreign("VN", "VNM", true);
    let bundle = issuer.bundle_with(&[&root], vec![]);
    let verdict = judge(&TestIssuer { root, documents, ..self::issuer() }.sound(), &bundle, NOW).verdict;
    assert_eq!(outcome(&verdict, Check::DocumentSigner), Proved);
    assert_eq!(outcome(&verdict, Check::IssuingState), Proved);
    assert_eq!(refuted(&verdict), [Check::DocumentProfile], "{verdict}");
}

#[test]
fn a_document_of_our_authority_that_is_no_citizen_card_is_not_trusted() {
    let issuer = issuer();
    let mut groups = issuer.groups(Some(EXPIRY));
    let td1 = Td1 { document_code: "I".to_owned(), ..zone(&particulars(Some(EXPIRY))) };
    groups.insert(DataGroup::DG1, Dg1::from(td1).encode().unwrap());
    let mut card = issuer.card(groups);
    card.password = None;
    let verdict = issuer.verdict(&card);
    assert_eq!((refuted(&verdict), verdict.conclusion()), (vec![], Conclusion::Undecided), "{verdict}");
    assert_eq!(outcome(&verdict, Check::DocumentProfile), NotChecked);
}

#[test]
fn a_type_that_the_signer_may_not_sign_is_refused() {
    let issuer = issuer();
    let mut groups = issuer.groups(Some(EXPIRY));
    let td1 = Td1 { document_code: "AC".to_owned(), ..zone(&particulars(Some(EXPIRY))) };
    groups.insert(DataGroup::DG1, Dg1::from(td1).encode().unwrap());
    let mut card = issuer.card(groups);
    card.password = None;
    assert_eq!(refuted(&issuer.verdict(&card)), [Check::DocumentType]);
}

#[test]
fn a_clock_that_is_behind_is_named_and_refutes_nothing() {
    let issuer = issuer();
    let bundle = issuer.bundle(vec![]);
    for at in [SIGNED - Duration::days(2), datetime!(2026-08-01 00:00:00 UTC), datetime!(2025-01-01 00:00:00 UTC)] {
        let verdict = judge(&issuer.sound(), &bundle, at).verdict;
        assert_eq!((refuted(&verdict), verdict.conclusion()), (vec![], Conclusion::Undecided), "{verdict}");
        // To the very second of signing nothing is in the future.
        assert_eq!(outcome(&judge(&issuer.sound(), &bundle, SIGNED).verdict, Check::SodSignature), Proved);
        let clock = format!("this computer's clock says {}", crate::identity::civil_time::to_the_minute(at));
        assert!(verdict.findings().iter().any(|finding| finding.reason.contains(&clock)), "{verdict}");
    }
}

#[test]
fn a_lost_revocation_list_leaves_its_state_undecided_and_is_said() {
    let issuer = issuer();
    let (root, documents) = foreign("LA", "LAO", true);
    let mut store = TrustStore::new(vec![issuer.root.certificate.clone(), root.certificate.clone()]);
    store.add_list(crl(&issuer.root, &[], NOW - Duration::days(2))).unwrap();
    store.lose_list(Some("LA".to_owned()));
    let verdict = judge(&issuer.sound(), &store, NOW).verdict;
    assert_eq!(outcome(&verdict, Check::DocumentSigner), Proved, "{verdict}");
    let verdict = judge(&abroad(root, documents, "LAO"), &store, NOW).verdict;
    assert_eq!(outcome(&verdict, Check::DocumentSigner), NotChecked, "{verdict}");
}

/// Returns the zone of a passport (88 characters) or of a document of two shorter lines (72).
fn two_lines(size: usize, expiry: &str) -> String {
    let digit = |text: &str| crate::mrz::check_digit(text.as_bytes()).unwrap();
    let (number, birth) = ("AB1234567", "850302");
    let start = format!("P<LAO{:<<1$}", "TESTER<<ONE", size / 2 - 5);
    let end = format!("{number}{}LAO{birth}{}F{expiry}{}", digit(number), digit(birth), digit(expiry));
    format!("{start}{end:<<0$}", size / 2)
}

#[test]
fn documents_of_every_size_expire_and_are_compared_with_the_given_mrz() {
    let issuer = issuer();
    let (root, documents) = foreign("LA", "LAO", true);
    let types = crate::pki::Role::DocumentSigner { document_types: vec!["P".to_owned()] };
    let passports = signer_of(&Country::new("LA", "LAO").unwrap(), &root, types, 73);
    drop(documents);
    let bundle = issuer.bundle_with(&[&root], vec![]);
    let abroad = TestIssuer { root, documents: passports, ..self::issuer() };
    let last = date!(2030 - 03 - 02);
    let mut spoiled = zone(&particulars(Some(last))).compose().unwrap().to_vec();
    spoiled[59] = if spoiled[59] == b'0' { b'1' } else { b'0' }; // the composite check digit
    for (zone, sound) in
        [(two_lines(88, "300302").into_bytes(), true), (two_lines(72, "300302").into_bytes(), true), (spoiled, false)]
    {
        let mut groups = abroad.groups(Some(EXPIRY));
        groups.insert(DataGroup::DG1, Dg1::Other(zone.clone()).encode().unwrap());
        groups.retain(|group, _| matches!(*group, DataGroup::DG1 | DataGroup::DG2));
        let mut card = abroad.card(groups);
        card.files.remove(&File::CardAccess);
        (card.chip_authentication, card.active_authentication) = (Protocol::NotTried, Protocol::NotTried);
        card.password = Some(Password::Zone(String::from_utf8(zone.clone()).unwrap().parse().unwrap()));
        let at = |day: time::Date| judge(&card, &bundle, day.midnight().assume_utc()).verdict;
        assert_eq!(outcome(&at(last), Check::Validity), Proved, "{} characters", zone.len());
        assert_eq!(outcome(&at(last + Duration::DAY), Check::Validity), Refuted, "{} characters", zone.len());
        let verdict = at(NOW.date());
        let expected = if sound { Conclusion::Trusted } else { Conclusion::Refused };
        assert_eq!(verdict.conclusion(), expected, "{verdict}");
        let reason = &verdict.finding(Check::MrzConsistency).unwrap().reason;
        match sound {
            true => assert_eq!(reason, "DG1 agrees with its own check digits, the given MRZ in every character"),
            false => assert_eq!(reason, "DG1 contradicts its own check digits"),
        }
    }
}

#[test]
fn an_mrz_that_was_misread_makes_no_card_a_forged_one() {
    let issuer = issuer();
    let mut card = issuer.card(issuer.groups(Some(EXPIRY)));
    let honest = zone(&particulars(Some(EXPIRY))).compose().unwrap().to_vec();
    let other = |at: usize| if honest[at] == b'5' { b'6' } else { b'5' };
    let mut given = |changes: &[usize]| {
        let mut zone = honest.clone();
        for at in changes {
            zone[*at] = other(*at);
        }
        card.password = Some(Password::Zone(String::from_utf8(zone).unwrap().parse().unwrap()));
        issuer.verdict(&card)
    };
    assert_eq!(given(&[]).conclusion(), Conclusion::Trusted);
    for misread in [&[59][..], &[50], &[50, 59], &[59, 65]] {
        let verdict = given(misread);
        assert_eq!(verdict.conclusion(), Conclusion::Undecided, "{misread:?} {verdict}");
        let reason = &verdict.finding(Check::MrzConsistency).unwrap().reason;
        assert!(reason.contains("misread"), "{misread:?} {reason}");
    }
    // The name is covered by no digit: a zone that fits and has another name is of another card.
    assert_eq!(given(&[65]).conclusion(), Conclusion::Refused);
}

#[test]
fn a_chip_that_has_no_pace_needs_no_card_access_file() {
    let issuer = issuer();
    let mut groups = issuer.groups(Some(EXPIRY));
    let mut infos = Dg14::parse(&groups[&DataGroup::DG14]).unwrap().0;
    infos.0.retain(|info| !matches!(info, SecurityInfo::Pace(_)));
    groups.insert(DataGroup::DG14, Dg14(infos).encode());
    let mut card = issuer.card(groups);
    card.files.remove(&File::CardAccess);
    card.access = Access { way: Some(AccessProtocol::Bac), failed: vec![], pace_announced: false };
    let verdict = issuer.verdict(&card);
    assert_eq!(outcome(&verdict, Check::CardAccess), NotChecked);
    assert_eq!(verdict.conclusion(), Conclusion::Trusted, "{verdict}");
}

#[test]
fn a_name_that_its_field_cuts_agrees_with_the_whole_one_and_with_no_other() {
    let issuer = issuer();
    let outcome_of = |printed: &str, in_dg13: &str| {
        let long = Particulars { name: printed.parse().unwrap(), ..particulars(Some(EXPIRY)) };
        let mut groups = issuer.groups(Some(EXPIRY));
        groups.insert(DataGroup::DG1, Dg1::from(zone(&long)).encode().unwrap());
        let whole = Particulars { name: in_dg13.parse().unwrap(), ..particulars(Some(EXPIRY)) };
        groups.insert(DataGroup::DG13, Dg13::new(&whole).unwrap().encode());
        let mut card = issuer.card(groups);
        card.password = None;
        outcome(&issuer.verdict(&card), Check::MrzConsistency)
    };
    let whole = "Công Tằng Tôn Nữ Trương Hoàng Phương Thử";
    assert_eq!(outcome_of(whole, whole), Proved);
    assert_eq!(outcome_of(whole, "Công Tằng Tôn Nữ Trương Hoàng Phương Thua"), Proved, "cut to the same letters");
    assert_eq!(outcome_of(whole, "Công Tằng Tôn Nữ Trần Hoàng Phương Thử"), Refuted);
    assert_eq!(outcome_of("Nguyễn Thị", "Nguyễn Thị Thử"), Refuted, "a name that was not cut is whole");
    assert_eq!(outcome_of("Nguyễn Thị Thử", "Nguyễn Thị"), Refuted);
}

#[test]
fn a_document_number_that_is_not_the_end_of_the_personal_number_is_refused() {
    let issuer = issuer();
    let mut groups = issuer.groups(Some(EXPIRY));
    let other = Td1 { document_number: "185000043".parse().unwrap(), ..zone(&particulars(Some(EXPIRY))) };
    groups.insert(DataGroup::DG1, Dg1::from(other).encode().unwrap());
    let mut card = issuer.card(groups);
    card.password = None;
    assert_eq!(refuted(&issuer.verdict(&card)), [Check::MrzConsistency]);
}

#[test]
fn the_revocation_of_one_document_leaves_the_next_one_of_the_same_person_valid() {
    let issuer = issuer();
    let (card, next) = (issuer.sound(), issuer.card(issuer.groups(None)));
    let fingerprint = |card: &Evidence| Sod::parse(card.file(File::Sod).unwrap()).unwrap().fingerprint();
    assert_ne!(fingerprint(&card), fingerprint(&next));
    let bundle = issuer.bundle(vec![fingerprint(&card)]);
    assert_eq!(outcome(&judge(&card, &bundle, NOW).verdict, Check::Revocation), Refuted);
    assert_eq!(outcome(&judge(&next, &bundle, NOW).verdict, Check::Revocation), Proved);
}

#[test]
fn a_key_in_dg14_alone_must_be_proved_and_a_dg14_without_key_demands_nothing() {
    let issuer = issuer();
    let mut groups = issuer.groups(Some(EXPIRY));
    groups.remove(&DataGroup::DG15);
    let mut card = issuer.card(groups);
    card.active_authentication = Protocol::NotTried;
    assert_eq!(issuer.verdict(&card).conclusion(), Conclusion::Trusted);
    card.chip_authentication = Protocol::Failed(Fault::Misbehaved("the MAC of a protected response is wrong"));
    assert_eq!(refuted(&issuer.verdict(&card)), [Check::ChipAuthentication, Check::CloneProtection]);
    // A foreign document whose DG14 announces PACE and has no key.
    let (root, documents) = foreign("LA", "LAO", true);
    let bundle = issuer.bundle_with(&[&root], vec![]);
    let abroad = TestIssuer { root, documents, ..self::issuer() };
    let td1 = Td1 { issuing_state: "LAO".to_owned(), ..zone(&particulars(Some(EXPIRY))) };
    let mut groups = abroad.groups(Some(EXPIRY));
    groups.insert(DataGroup::DG1, Dg1::from(td1).encode().unwrap());
    groups.insert(DataGroup::DG14, Dg14(card_access()).encode());
    groups.retain(|group, _| matches!(*group, DataGroup::DG1 | DataGroup::DG2 | DataGroup::DG14));
    let mut card = abroad.card(groups);
    (card.chip_authentication, card.active_authentication) = (Protocol::NotTried, Protocol::NotTried);
    card.password = None;
    let verdict = judge(&card, &bundle, NOW).verdict;
    assert_eq!(verdict.conclusion(), Conclusion::Trusted, "{verdict}");
    assert_eq!(outcome(&verdict, Check::CloneProtection), NotChecked);
}

#[test]
fn a_group_that_a_document_does_not_have_is_told_from_one_that_was_not_read() {
    let issuer = issuer();
    for (group, check) in [(DataGroup::DG14, Check::ChipAuthentication), (DataGroup::DG15, Check::ActiveAuthentication)]
    {
        let mut groups = issuer.groups(Some(EXPIRY));
        groups.remove(&group);
        let mut without = issuer.card(groups);
        without.files.remove(&File::CardAccess);
        let mut unread = issuer.sound();
        unread.files.remove(&group.into());
        let reason = |card: &Evidence| issuer.verdict(card).finding(check).unwrap().reason.clone();
        assert_eq!(reason(&without), format!("the document has no {group:?}"));
        assert_eq!(reason(&unread), format!("there is no signed {group:?} to take the key from"));
    }
}
