//! One valid card, then the same card with one thing altered at a time.

use std::collections::BTreeMap;

use hex_literal::hex;
use time::Duration;
use time::macros::{date, offset, time};

use super::*;
use crate::inspection::{AccessProtocol, ActiveAuthenticated, ChipAuthenticated, Conclusion};
use crate::lds::dg13::Particulars;
use crate::lds::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationProtocol, ChipAuthenticationPublicKeyInfo, KeyAgreement, SecurityInfo,
    SecurityInfos,
};
use crate::lds::{Dg2, ImageFormat};
use crate::pace;
use crate::pki::specimen::{Issued, NOW, SIGNED, crl, csca_of, documents, issue, key, signer_draft};
use crate::pki::trust_bundle::{self, Contents};
use crate::pki::{CertificateDraft, Country, CurveForm, Name, Role};
use crate::sod::{Draft, Profile};
use crate::suite::{Cipher, Curve, Hash, PrivateKey};

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
    let key = key(Curve::P256, seed);
    let draft = CertificateDraft {
        subject: Name::new(&viet_nam(), "Test", None, "Signer").unwrap(),
        country: viet_nam(),
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
            password: Some(Password::Mrz(zone(&particulars(Some(EXPIRY))).key())),
            commands: vec![],
        }
    }

    fn sound(&self) -> Evidence {
        self.card(self.groups(Some(EXPIRY)))
    }

    fn bundle(&self, revoked_documents: Vec<[u8; 32]>) -> TrustBundle {
        let contents = Contents {
            issued_at: NOW - Duration::days(1),
            next_update: NOW + Duration::days(7),
            cscas: vec![self.root.certificate.der().to_vec()],
            crls: vec![crl(&self.root, &[], NOW - Duration::days(2)).der().to_vec()],
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
    assert_eq!(verdict.findings().len(), Check::SINGLE.len() + 5);
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
        let missing = Fault::Refused { ins: 0xb0, status: crate::apdu::Status::FILE_NOT_FOUND };
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
        (Protocol::NotTried, Protocol::NotTried),
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
        assert!(validity.reason.ends_with(&says), "{}", validity.reason);
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
    assert_eq!(outcome(&verdict, Check::DocumentSigner), Refuted, "{verdict}");
    assert_eq!(outcome(&verdict, Check::CloneProtection), NotChecked);
    assert_eq!(verdict.conclusion(), Conclusion::Refused);
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
fn a_document_without_chip_keys_is_trusted_unless_more_is_required() {
    let issuer = issuer();
    let mut groups = issuer.groups(Some(EXPIRY));
    groups.remove(&DataGroup::DG14);
    groups.remove(&DataGroup::DG15);
    let mut card = issuer.card(groups);
    card.chip_authentication = Protocol::NotTried;
    card.active_authentication = Protocol::NotTried;
    card.files.remove(&File::CardAccess);
    card.access.way = Some(AccessProtocol::Bac);
    let mut verdict = issuer.verdict(&card);
    assert_eq!(verdict.conclusion(), Conclusion::Trusted, "{verdict}");
    verdict.require(Check::CloneProtection);
    assert_eq!(verdict.conclusion(), Conclusion::Undecided);
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
