//! Makes the seeds: valid messages of an invented authority, an invented citizen and an invented chip.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crypto::apdu::{Command, Response, Status};
use crypto::command::read_binary::ReadBinary;
use crypto::conversation::{CardTransport, Fault};
use crypto::identity::{Date, FullName, PersonalNumber, Sex};
use crypto::lds::dg13::{Dg13, Particulars};
use crypto::lds::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationProtocol, ChipAuthenticationPublicKeyInfo, KeyAgreement, PaceInfo,
    PaceProtocol, SecurityInfo,
};
use crypto::lds::{AtrInfo, CardAccess, Com, DataGroup, Dg1, Dg2, Dg14, Dg15, File, Jpeg, SecurityInfos};
use crypto::mrz::Td1;
use crypto::perso::{self, LifeCycle, Package, Presentation, Script};
use crypto::pki::{
    Certificate, CertificateDraft, Country, CrlDraft, CurveForm, Issuer, Name, RevokedCertificate, Role, SerialNumber,
    Validity, spki, trust_bundle,
};
use crypto::scp03::{self, ISSUER_SECURITY_DOMAIN, KeySet};
use crypto::sm::{self, Keys};
use crypto::sod;
use crypto::suite::{Cipher, Curve, Hash, PrivateKey};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use time::macros::{date, datetime};
use time::{Duration, OffsetDateTime};

use crate::fuzz::channels::{self, KEY_VERSION, MADE, SECRET, SERIAL};
use crate::fuzz::perso::keys as card_keys;

const SIGNED: OffsetDateTime = datetime!(2026-10-01 08:30 UTC);

/// The files to be written, by their path below `crypto/fuzz`.
#[derive(Default)]
pub struct Seeds(pub BTreeMap<PathBuf, Vec<u8>>);

impl Seeds {
    /// A message for the corpus of this target.
    fn put(&mut self, target: &str, name: &str, bytes: &[u8]) {
        self.0.insert(Path::new("seeds").join(target).join(name), bytes.to_vec());
    }

    /// A file that the targets compare forgeries with.
    fn context(&mut self, name: &str, bytes: &[u8]) {
        self.0.insert(Path::new("context").join(name), bytes.to_vec());
    }
}

/// Makes all seeds and the context that the targets need.
pub fn all() -> Seeds {
    let mut seeds = Seeds::default();
    let into = &mut seeds;
    let files = files();
    into.put("tlv", "nested", &files.dg14);
    into.put("tlv", "long", &files.dg2);
    into.put("atr_info", "extended", &AtrInfo { max_command: 32_767, max_response: 32_767 }.encode());
    into.put("com", "five-groups", &files.com);
    into.put("dg1", "citizen", &files.dg1);
    into.put("dg2", "small", &files.dg2);
    into.put("dg13", "citizen", &files.dg13);
    into.put("security_infos", "card-access", &files.card_access);
    into.put("security_infos", "dg14", &files.dg14);
    into.put("security_infos", "dg15", &files.dg15);
    mrz(into, &files);
    apdus(into);
    trust(into, &files);
    orders(into, &files);
    secure_messaging(into);
    scp03(into);
    seeds
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

struct Files {
    td1: Td1,
    card_access: Vec<u8>,
    com: Vec<u8>,
    dg1: Vec<u8>,
    dg2: Vec<u8>,
    dg13: Vec<u8>,
    dg14: Vec<u8>,
    dg15: Vec<u8>,
}

/// Files of an invented citizen; the province code 099 is not assigned.
fn files() -> Files {
    let number: PersonalNumber = "099090000017".parse().unwrap();
    let name: FullName = "Nguyễn Văn Mẫu".parse().unwrap();
    let birth = Date::Full(date!(1990 - 01 - 01));
    let expiry = date!(2035 - 01 - 01);
    let td1 = Td1::of_citizen(&number, &name, Sex::Male, birth, Some(expiry)).unwrap();
    let particulars = Particulars {
        number,
        name,
        birth,
        sex: Sex::Male,
        nationality: "Việt Nam".into(),
        ethnicity: "Kinh".into(),
        religion: "Không".into(),
        origin: "Xã Mẫu, Tỉnh Không Có".into(),
        residence: "Số 1, Xã Mẫu, Tỉnh Không Có".into(),
        features: "Không".into(),
        issued: date!(2026 - 10 - 01),
        expiry: Some(expiry),
        father: Some("Nguyễn Văn Cha".parse().unwrap()),
        mother: None,
        spouse: None,
        old_number: Some("099000017".into()),
        mark: None,
    };
    let chip_key =
        |seed| spki::encode(&PrivateKey::generate(Curve::P256, &mut rng(seed)).public().into(), CurveForm::Explicit);
    let pace = |cipher| {
        SecurityInfo::Pace(PaceInfo { protocol: PaceProtocol::ecdh_gm(cipher), version: 2, parameter_id: Some(12) })
    };
    let card_access = SecurityInfos(vec![pace(Cipher::Aes128), pace(Cipher::Aes256)]);
    let mut dg14 = card_access.clone();
    dg14.0.extend([
        SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
            protocol: ChipAuthenticationProtocol::ecdh(Cipher::Aes128),
            version: 1,
            key_id: Some(1),
        }),
        SecurityInfo::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
            agreement: KeyAgreement::Ecdh,
            spki: chip_key(1),
            key_id: Some(1),
        }),
        SecurityInfo::TerminalAuthentication { version: 1 },
        SecurityInfo::Unknown(vec![0x30, 3, 0x06, 1, 0x2a]),
    ]);
    let groups = vec![DataGroup::DG1, DataGroup::DG2, DataGroup::DG13];
    Files {
        com: Com { lds_version: "0108".into(), ..Com::new(groups) }.encode().unwrap(),
        dg1: Dg1::Td1(td1.clone()).encode().unwrap(),
        td1,
        card_access: CardAccess(card_access).encode(),
        dg2: Dg2::new(Jpeg::plain(480, 640), 480, 640).unwrap().encode(),
        dg13: Dg13::new(&particulars).unwrap().encode(),
        dg14: Dg14(dg14).encode(),
        dg15: Dg15 { spki: chip_key(2) }.encode(),
    }
}

fn mrz(into: &mut Seeds, files: &Files) {
    let zone = files.td1.compose().unwrap();
    into.put("td1_mrz", "citizen", &zone);
    into.put("td1_mrz", "lines", zone.chunks(30).collect::<Vec<_>>().join(&b'\n').as_slice());
    into.put("td1_mrz", "name", "Nguyễn  Thị Hoà".as_bytes());
    into.put("td1_mrz", "date", b"1/2/1990");
    into.put("td1_mrz", "number", b"099090000017");
}

fn apdus(into: &mut Seeds) {
    for (name, command) in [
        ("read", Command::from(ReadBinary::of(1, 256))),
        ("read-extended", ReadBinary::current(256, 32_000).into()),
        ("read-odd", ReadBinary::current(70_000, 1_000).into()),
        ("select", crypto::command::select::Select::lds1().into()),
        ("chained", Command::new(0x86, 0, 0).class(0x10).data([0x7c, 0]).expecting(256)),
        ("store", Command::new(0xe2, 0x80, 0).class(0x80).data(vec![1; 300])),
    ] {
        into.put("apdu", name, &command.to_bytes());
    }
    into.put("apdu", "response", &Response::success(vec![7; 28]).to_bytes());
}

struct Authority {
    key: PrivateKey,
    certificate: Certificate,
}

impl Authority {
    fn sign(&self, hash: Hash, message: &[u8]) -> Vec<u8> {
        self.key.sign_der(hash, message)
    }
}

fn certificate(role: Role, issuer: Option<&Authority>, curve: Curve, seed: u64) -> Authority {
    let key = PrivateKey::generate(curve, &mut rng(seed));
    let country = Country::new("VN", "VNM").unwrap();
    let name = if issuer.is_some() { format!("Invented signer {seed}") } else { "Invented CSCA".into() };
    let usage = Validity { not_before: datetime!(2026-09-01 0:00 UTC), not_after: datetime!(2026-12-01 0:00 UTC) };
    let draft = CertificateDraft {
        role,
        subject: Name::new(&country, "Invented authority", None, &name).unwrap(),
        issuer: issuer.map_or(Issuer::Itself, |csca| Issuer::Csca(Box::new(csca.certificate.clone()))),
        serial: SerialNumber::generate(&mut rng(seed)),
        validity: Validity { not_before: usage.not_before, not_after: datetime!(2040-01-01 0:00 UTC) },
        private_key_usage: usage,
        key: key.public().into(),
        form: CurveForm::Explicit,
        country,
        contact: Some("https://csca.invalid".into()),
        crl_distribution_points: vec!["https://csca.invalid/crl".into()],
    };
    let prepared = draft.lint().unwrap();
    let signature =
        issuer.map_or(&key, |csca| &csca.key).sign_der(prepared.algorithm().hash(), prepared.to_be_signed());
    let certificate = prepared.attach(&signature).unwrap();
    Authority { key, certificate }
}

fn trust(into: &mut Seeds, files: &Files) {
    let csca = certificate(Role::Csca, None, Curve::P384, 10);
    let documents = Role::DocumentSigner { document_types: vec!["ID".into()] };
    let signer = certificate(documents.clone(), Some(&csca), Curve::P256, 11);
    let revoked = certificate(documents, Some(&csca), Curve::P256, 12);
    let lists = certificate(Role::TrustListSigner, Some(&csca), Curve::P256, 13);
    into.context("csca.der", csca.certificate.der());
    into.put("certificate", "csca", csca.certificate.der());
    into.put("certificate", "document-signer", signer.certificate.der());
    into.put("certificate", "trust-list-signer", lists.certificate.der());

    let entry = RevokedCertificate { serial: revoked.certificate.serial().clone(), at: SIGNED };
    let draft = CrlDraft {
        issuer: csca.certificate.clone(),
        number: 1,
        this_update: SIGNED,
        next_update: SIGNED + Duration::days(90),
        revoked: vec![entry],
    };
    let prepared = draft.lint().unwrap();
    let signature = csca.sign(Hash::Sha384, prepared.to_be_signed());
    let crl = prepared.attach(&signature).unwrap();
    into.put("crl", "one-revoked", crl.der());

    let groups = [(DataGroup::DG1, &files.dg1[..]), (DataGroup::DG2, &files.dg2), (DataGroup::DG13, &files.dg13)];
    let draft = sod::Draft::new(&groups, sod::Profile::default(), &signer.certificate, SIGNED);
    let prepared = draft.lint().unwrap();
    into.put("trust_bundle", "prepared-sod", &prepared.to_bytes());
    let signature = signer.sign(Hash::Sha256, prepared.to_be_signed());
    let sod = prepared.attach(&signature).unwrap();
    into.put("sod", "genuine", sod.raw());
    into.put("master_list", "not-one", sod.raw());

    let contents = trust_bundle::Contents {
        issued_at: SIGNED,
        next_update: SIGNED + Duration::days(90),
        cscas: vec![csca.certificate.der().to_vec()],
        crls: vec![crl.der().to_vec()],
        revoked_documents: vec![[1; 32], [2; 32]],
    };
    let prepared = trust_bundle::Draft::new(contents, &lists.certificate).lint().unwrap();
    let signature = lists.sign(Hash::Sha256, prepared.to_be_signed());
    into.put("trust_bundle", "genuine", &prepared.attach(&signature).unwrap());

    let held = [
        (File::Com, &files.com[..]),
        (File::Sod, sod.raw()),
        (DataGroup::DG1.into(), &files.dg1),
        (DataGroup::DG2.into(), &files.dg2),
        (DataGroup::DG13.into(), &files.dg13),
    ];
    let mut chip = vec![0];
    for (file, content) in held {
        chip.extend(file.id().to_be_bytes());
        chip.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        chip.extend_from_slice(content);
    }
    into.put("inspection", "genuine", &chip);
    let answers = [&[0x90, 0x00][..], &[0x6a, 0x82], &[1, 2, 3, 4, 5, 6, 7, 8, 0x90, 0x00]];
    let answers: Vec<u8> =
        answers.iter().flat_map(|a| [&[0, u8::try_from(a.len()).unwrap()][..], a].concat()).collect();
    into.put("inspection", "answers", &[&[1][..], &answers].concat());
}

/// A chip that answers SCP03 and reports its state: as much as the seed of a receipt needs.
struct Reporter {
    keys: KeySet,
    opening: Option<scp03::chip::Opening>,
    session: Option<scp03::chip::Session>,
}

impl CardTransport for Reporter {
    type Error = Fault;

    fn transmit(&mut self, command: &Command) -> Result<Response, Fault> {
        if let Some(session) = &mut self.session {
            session.open(command).unwrap();
            return Ok(session.seal(Response::success(a_report())));
        }
        if let Some(opening) = self.opening.take() {
            self.session = Some(opening.accept(command).unwrap());
        } else if command.ins == 0x50 {
            let request = scp03::chip::Request::read(command, KEY_VERSION, 6).unwrap();
            let (opening, answer) = request.answer(&self.keys, &SERIAL, &ISSUER_SECURITY_DOMAIN);
            self.opening = Some(opening);
            return Ok(answer);
        }
        Ok(Response::status(Status::SUCCESS))
    }
}

fn a_report() -> Vec<u8> {
    let key = |seed| Some(PrivateKey::generate(Curve::P256, &mut rng(seed)).public());
    let (active_auth, chip_auth) = (key(2), key(1));
    perso::Report { life_cycle: LifeCycle::Personalized, digest: [0xd1; 32], active_auth, chip_auth }.encode()
}

fn orders(into: &mut Seeds, files: &Files) {
    let mut presentation = Presentation {
        serial: SERIAL,
        life_cycle: LifeCycle::Personalized,
        key_version: KEY_VERSION,
        sequence_counter: 6,
        max_command: 261,
        max_response: 258,
    };
    let keys = card_keys();
    let script = Script::report(&keys, &presentation, &mut rng(20)).unwrap();
    let order = script.order("01890a5d-ac96-774b-bcce-b302099a8057");
    let (receipt, error) =
        perso::play(&mut Reporter { keys: card_keys(), opening: None, session: None }, &order, &mut |_| {});
    assert!(error.is_none() && script.verify(&keys, &receipt).is_ok());
    into.put("receipt", "genuine.json", &json(&receipt));
    into.put("order", "order.json", &json(&order));
    into.put("order", "presentation.json", &json(&presentation));
    into.put("order", "record.json", &json(&script.to_record()));
    into.context("record.json", &json(&script.to_record()));

    presentation.life_cycle = LifeCycle::Initialised;
    let held = vec![(File::Com, files.com.clone()), (DataGroup::DG1.into(), files.dg1.clone())];
    let package = Package::new(held, "000017".parse().unwrap(), &files.td1.key()).unwrap();
    let script = Script::personalize(&keys, &presentation, &package, &mut rng(21)).unwrap();
    into.put("order", "personalize-record.json", &json(&script.to_record()));

    let mut stream = vec![100];
    for (tag, content) in [(0x011e, &files.com[..]), (0x0101, &files.dg1), (0x0102, &files.dg2), (0x8010, b"000017")] {
        stream.extend(u16::to_be_bytes(tag));
        match u8::try_from(content.len()) {
            Ok(short @ 0..=0xfe) => stream.push(short),
            _ => stream.extend([&[0xff][..], &u16::try_from(content.len()).unwrap().to_be_bytes()].concat()),
        }
        stream.extend_from_slice(content);
    }
    into.put("store_data", "three-files", &stream);
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

fn secure_messaging(into: &mut Seeds) {
    for (number, cipher) in Cipher::ALL.into_iter().enumerate() {
        let mut terminal = sm::Terminal::new(Keys::derive(cipher, SECRET));
        let mut chip = sm::Chip::new(Keys::derive(cipher, SECRET));
        let sealed = terminal.seal(&channels::question()).unwrap();
        chip.open(&sealed).unwrap();
        let answer = chip.seal(Response::success(vec![0x5a; 40]));
        let name = |what: &str| format!("{what}-{cipher:?}").to_lowercase();
        let mode = u8::try_from(number).unwrap();
        into.put("sm_terminal", &name("as-it-stands"), &[&[mode], &answer.to_bytes()[..]].concat());
        let before_mac = Response { data: answer.data[..answer.data.len() - 10].to_vec(), ..answer };
        into.put("sm_terminal", &name("mac-made"), &[&[mode | MADE], &before_mac.to_bytes()[..]].concat());

        for (what, command) in
            [("read", channels::question()), ("write", Command::new(0x86, 0, 0).data([7; 20]).expecting(256))]
        {
            let mut terminal = sm::Terminal::new(Keys::derive(cipher, SECRET));
            let sealed = terminal.seal(&command).unwrap();
            into.put("sm_chip", &name(what), &[&[mode], &sealed.to_bytes()[..]].concat());
            let before_mac = sealed.data[..sealed.data.len() - 10].to_vec();
            let before_mac = Command { data: before_mac, ..sealed };
            into.put(
                "sm_chip",
                &name(&format!("{what}-mac-made")),
                &[&[mode | MADE], &before_mac.to_bytes()[..]].concat(),
            );
        }
    }
}

fn scp03(into: &mut Seeds) {
    let prediction = channels::prediction();
    into.put("scp03_terminal", "initialize-update", &[&[1], &prediction.answer.to_bytes()[..]].concat());
    into.put("scp03_chip", "external-authenticate", &[&[0], &prediction.external_authenticate.to_bytes()[..]].concat());
    into.put("scp03_chip", "plain", &[&[2], &channels::report().data([1, 2, 3]).to_bytes()[..]].concat());
    let mut chip = channels::opening().accept(&prediction.external_authenticate).unwrap();
    let mut host = prediction.session;
    let sealed = host.wrap(&channels::report());
    into.put("scp03_chip", "sealed", &[&[1], &sealed.to_bytes()[..]].concat());
    chip.open(&sealed).unwrap();
    let answer = chip.seal(Response::success(a_report()));
    into.put("scp03_terminal", "report", &[&[0], &answer.to_bytes()[..]].concat());
}
