//! A bench without offices: chips in the test's own process, and a small service in memory (the desk) that knows one
//! citizen. For tests of station and reader; the decisions of the real offices are tested elsewhere.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use card_agent::client::{
    ActiveAuthentication, IdempotencyKey, Outcome, PersonalizationOrder, Problem, ReadBack, Service, ServiceError,
};
use card_agent::transport::{Reader, TransportError};
use crypto::apdu::{Command, Response};
use crypto::conversation::CardTransport;
use crypto::identity::CardSerial;
use crypto::lds::dg13::Particulars;
use crypto::lds::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationProtocol, ChipAuthenticationPublicKeyInfo, KeyAgreement, SecurityInfo,
    SecurityInfos,
};
use crypto::lds::{CardAccess, Com, DataGroup, Dg1, Dg2, Dg13, Dg14, Dg15, File, ImageFormat};
use crypto::mrz::{MrzKey, Td1};
use crypto::perso::problem::ProblemCode;
use crypto::perso::protocol::Next;
use crypto::perso::{LifeCycle, Order, Package, Presentation, Receipt, Script};
use crypto::pki::trust_bundle::{self, Contents, TrustBundle};
use crypto::pki::{
    Certificate, CertificateDraft, Country, CurveForm, Issuer, Name, Role, SerialNumber, Validity, spki,
};
use crypto::scp03::{KeySet, MasterKey};
use crypto::sod::{Draft, Profile as SodProfile};
use crypto::suite::{Cipher, Curve, Hash, PrivateKey, PublicKey, VerifyingKey};
use crypto::{active_auth, pace};
use hardware_sim::{Chip, InProcess, InProcessError, Profile, Store, TRANSPORT_KEY_VERSION};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use tests::ambient;
use tests::citizen::Citizen;
use time::{Duration, OffsetDateTime};

/// The moment of everything on this bench.
pub fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_790_000_000).expect("a moment of 2026")
}

/// The chip on the bench as a reader.
pub struct Bench(pub InProcess);

impl CardTransport for Bench {
    type Error = TransportError;

    fn transmit(&mut self, command: &Command) -> Result<Response, TransportError> {
        self.0.transmit(command).map_err(|error| match error {
            InProcessError::Fault(fault) => TransportError::Fault(fault),
            InProcessError::Gone => TransportError::Removed,
        })
    }
}

impl Reader for Bench {
    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.chip().reset();
        Ok(())
    }
}

/// A key and its certificate.
struct Signer {
    key: PrivateKey,
    certificate: Certificate,
}

/// The service's entry of a chip.
#[derive(Default)]
struct Ledger {
    keys: Option<(PublicKey, PublicKey)>,
    digest: Option<[u8; 32]>,
    initialised: bool,
    personalized: bool,
    spoiled: Option<String>,
}

/// The service of the bench.
pub struct Desk {
    transport: MasterKey,
    issuer: MasterKey,
    pub root: Certificate,
    documents: Signer,
    lists: Signer,
    orders: RefCell<BTreeMap<String, (Script, CardSerial)>>,
    chips: RefCell<BTreeMap<CardSerial, Ledger>>,
    /// Refuses every request with this code, if set.
    pub refuses: RefCell<Option<ProblemCode>>,
    /// Day on which the cards that are made expire; none for cards without expiry.
    pub expiry: Cell<Option<time::Date>>,
    /// Answers nothing, if set.
    pub unreachable: RefCell<bool>,
    pace: pace::Suite,
    made: Cell<u32>,
}

const ISSUER_KEY_VERSION: u8 = 1;
pub const CHALLENGE: [u8; 8] = *b"service!";

impl Desk {
    pub fn new() -> Self {
        Self::speaking(pace::Suite { cipher: Cipher::Aes128, curve: Curve::P256 })
    }

    /// A desk that issues cards whose EF.CardAccess announces this suite.
    pub fn speaking(pace: pace::Suite) -> Self {
        let key = |seed| PrivateKey::generate(Curve::P256, &mut ChaCha20Rng::seed_from_u64(seed));
        let root = certificate(Role::Csca, None, key(1));
        let documents =
            certificate(Role::DocumentSigner { document_types: vec!["ID".to_owned()] }, Some(&root), key(2));
        let lists = certificate(Role::TrustListSigner, Some(&root), key(3));
        Self {
            transport: MasterKey::from_bytes(&[0x11; 16]).expect("a key"),
            issuer: MasterKey::from_bytes(&[0x22; 32]).expect("a key"),
            root: root.certificate,
            documents,
            lists,
            orders: RefCell::default(),
            chips: RefCell::default(),
            refuses: RefCell::default(),
            expiry: Cell::new(None),
            unreachable: RefCell::default(),
            pace,
            made: Cell::new(0),
        }
    }

    pub fn blank(&self, profile: Profile) -> InProcess {
        let serial = hardware_sim::serial(5, self.made.get());
        self.made.set(self.made.get() + 1);
        let keys = self.transport.diversify(&serial, TRANSPORT_KEY_VERSION);
        InProcess::new(Chip::blank(profile, serial, keys, 5, Store::memory()).expect("a blank"))
    }

    pub fn bundle(&self, revoked_documents: Vec<[u8; 32]>) -> TrustBundle {
        let bytes = self.published(now() - Duration::hours(1), revoked_documents);
        trust_bundle::open(&bytes, &self.root, now()).expect("our own bundle")
    }

    /// Returns a bundle of this date as it is published.
    pub fn published(&self, issued_at: OffsetDateTime, revoked_documents: Vec<[u8; 32]>) -> Vec<u8> {
        let contents = Contents {
            issued_at,
            next_update: now() + Duration::days(7),
            cscas: vec![self.root.der().to_vec()],
            crls: vec![],
            revoked_documents,
        };
        let prepared = trust_bundle::Draft::new(contents, &self.lists.certificate).lint().expect("a bundle");
        let signature = self.lists.key.sign_der(Hash::Sha256, prepared.to_be_signed());
        prepared.attach(&signature).expect("signed")
    }

    pub fn is_personalized(&self, serial: CardSerial) -> bool {
        self.chips.borrow().get(&serial).is_some_and(|chip| chip.personalized)
    }

    pub fn is_initialised(&self, serial: CardSerial) -> bool {
        self.chips.borrow().get(&serial).is_some_and(|chip| chip.initialised)
    }

    pub fn spoiled(&self, serial: CardSerial) -> Option<String> {
        self.chips.borrow().get(&serial).and_then(|chip| chip.spoiled.clone())
    }

    fn keys(&self, serial: &CardSerial, version: u8) -> KeySet {
        match version {
            TRANSPORT_KEY_VERSION => self.transport.diversify(serial, version),
            _ => self.issuer.diversify(serial, version),
        }
    }

    fn up(&self) -> Result<(), ServiceError> {
        if *self.unreachable.borrow() {
            return Err(ServiceError::Unreachable("the bench says so".to_owned()));
        }
        match *self.refuses.borrow() {
            None => Ok(()),
            Some(code) => Err(problem(code)),
        }
    }

    fn ordered(&self, script: Script, serial: CardSerial) -> Order {
        let id = ambient::fresh_id();
        let order = script.order(&id);
        self.orders.borrow_mut().insert(id, (script, serial));
        order
    }

    /// Returns the chip's serial number and what the receipt proves; `None` if the receipt is forged or incomplete.
    fn judged(&self, receipt: &Receipt) -> Option<(CardSerial, crypto::perso::Outcome)> {
        let orders = self.orders.borrow();
        let (script, serial) = orders.get(&receipt.order)?;
        script
            .verify(&self.keys(serial, script.to_record().key_version()), receipt)
            .ok()
            .map(|outcome| (*serial, outcome))
    }

    fn package(&self, active: &PublicKey, chip: &PublicKey) -> Package {
        let person = Particulars { expiry: self.expiry.get(), ..citizen() };
        let own = SecurityInfo::Pace(self.pace.info());
        let explicit = |key: &PublicKey| spki::encode(&VerifyingKey::Ec(key.clone()), CurveForm::Explicit);
        let infos = vec![
            own.clone(),
            SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
                protocol: ChipAuthenticationProtocol::ecdh(Cipher::Aes256),
                version: 1,
                key_id: None,
            }),
            SecurityInfo::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
                agreement: KeyAgreement::Ecdh,
                spki: explicit(chip),
                key_id: None,
            }),
            SecurityInfo::ActiveAuthentication { signature_algorithm: active_auth::signature_algorithm(Hash::Sha256) },
        ];
        let mut image = vec![0xff, 0xd8, 0xff, 0xe0];
        image.resize(17_000, 0x5a);
        let face = Dg2 { image, format: ImageFormat::Jpeg, width: 480, height: 640 };
        let groups: Vec<(DataGroup, Vec<u8>)> = vec![
            (DataGroup::DG1, Dg1::from(zone_of(&person)).encode().expect("an MRZ")),
            (DataGroup::DG2, face.encode()),
            (DataGroup::DG13, Dg13::new(&person).expect("particulars").encode()),
            (DataGroup::DG14, Dg14(SecurityInfos(infos)).encode()),
            (DataGroup::DG15, Dg15 { spki: explicit(active) }.encode()),
        ];
        let files: Vec<_> = groups.iter().map(|(group, raw)| (*group, raw.as_slice())).collect();
        let prepared =
            Draft::new(&files, SodProfile::default(), &self.documents.certificate, now() - Duration::hours(2))
                .lint()
                .expect("a security object");
        let signature = self.documents.key.sign_der(Hash::Sha256, prepared.to_be_signed());
        let sod = prepared.attach(&signature).expect("signed").raw().to_vec();
        let com = Com::new(groups.iter().map(|(group, _)| *group).collect()).encode().expect("EF.COM");
        let mut files: Vec<(File, Vec<u8>)> =
            groups.into_iter().map(|(group, raw)| (File::DataGroup(group), raw)).collect();
        files.push((File::Com, com));
        files.push((File::Sod, sod));
        files.push((File::CardAccess, CardAccess(SecurityInfos(vec![own])).encode()));
        Package::new(files, person.number.can(), &mrz()).expect("a package")
    }
}

impl Service for Desk {
    fn intake_order(&self, presentation: &Presentation, _: &IdempotencyKey) -> Result<Order, ServiceError> {
        self.up()?;
        let (serial, version) = (presentation.serial, presentation.key_version);
        let (keys, rng) = (self.keys(&serial, version), &mut ambient::rng());
        let script = match presentation.life_cycle {
            LifeCycle::Blank => {
                let new = self.issuer.diversify(&serial, ISSUER_KEY_VERSION);
                let new = (version == TRANSPORT_KEY_VERSION).then_some((&new, ISSUER_KEY_VERSION));
                Script::intake(&keys, presentation, new, Curve::P256, Curve::P256, rng)
            }
            LifeCycle::Initialised => Script::report(&keys, presentation, rng),
            _ => return Err(problem(ProblemCode::ChipAlreadyInitialised)),
        };
        Ok(self.ordered(script.expect("a script"), serial))
    }

    fn intake_receipt(&self, receipt: &Receipt, _: &IdempotencyKey) -> Result<Outcome, ServiceError> {
        self.up()?;
        let keys = self.judged(receipt).and_then(|(serial, outcome)| Some((serial, outcome.public_keys?)));
        let Some((serial, keys)) = keys else { return Ok(INCOMPLETE) };
        let mut chips = self.chips.borrow_mut();
        let chip = chips.entry(serial).or_default();
        chip.initialised = true;
        chip.keys = Some((keys.active_auth, keys.chip_auth));
        Ok(Outcome::Initialised)
    }

    fn personalization_order(
        &self,
        presentation: &Presentation,
        _: Option<&str>,
        _: &IdempotencyKey,
    ) -> Result<PersonalizationOrder, ServiceError> {
        self.up()?;
        let serial = presentation.serial;
        let (keys, rng) = (self.keys(&serial, presentation.key_version), &mut ambient::rng());
        if self.is_personalized(serial) {
            return Err(problem(ProblemCode::NothingToPersonalize));
        }
        let script = match presentation.life_cycle {
            LifeCycle::Initialised => {
                let (active, chip) = self
                    .chips
                    .borrow()
                    .get(&serial)
                    .and_then(|chip| chip.keys.clone())
                    .ok_or(problem(ProblemCode::ChipUnknown))?;
                let package = self.package(&active, &chip);
                self.chips.borrow_mut().entry(serial).or_default().digest = Some(package.digest());
                Script::personalize(&keys, presentation, &package, rng)
            }
            LifeCycle::Personalized => Script::report(&keys, presentation, rng),
            _ => return Err(problem(ProblemCode::ChipNotInitialised)),
        };
        let read_back = ReadBack { can: citizen().number.can().as_str().to_owned(), challenge: CHALLENGE };
        let order = self.ordered(script.expect("a script"), serial);
        Ok(PersonalizationOrder { order, read_back, slip: "A1".to_owned(), voucher: None, lease: None })
    }

    fn personalization_receipt(
        &self,
        receipt: &Receipt,
        proof: Option<&ActiveAuthentication>,
        _: &IdempotencyKey,
    ) -> Result<Outcome, ServiceError> {
        self.up()?;
        let Some((serial, outcome)) = self.judged(receipt) else { return Ok(INCOMPLETE) };
        let mut chips = self.chips.borrow_mut();
        let chip = chips.entry(serial).or_default();
        let written = outcome
            .report
            .is_some_and(|report| report.life_cycle == LifeCycle::Personalized && Some(report.digest) == chip.digest);
        let proved = proof.zip(chip.keys.as_ref()).is_some_and(|(proof, (active, _))| {
            let key = VerifyingKey::Ec(active.clone());
            proof.challenge == CHALLENGE
                && active_auth::terminal::verify(&key, Some(Hash::Sha256), &CHALLENGE, &proof.signature).is_ok()
        });
        if !(written && proved) {
            return Ok(INCOMPLETE);
        }
        assert!(!chip.personalized, "one chip was made two cards");
        chip.personalized = true;
        Ok(Outcome::Personalized { card_id: "c1".to_owned() })
    }

    fn spoiled(&self, serial: &CardSerial, reason: &str, _: &str, _: &IdempotencyKey) -> Result<(), ServiceError> {
        self.up()?;
        self.chips.borrow_mut().entry(*serial).or_default().spoiled = Some(reason.to_owned());
        Ok(())
    }
}

/// The holder of every card on this bench.
pub fn citizen() -> Particulars {
    Citizen::invented(0).particulars(now().date())
}

pub fn zone() -> Td1 {
    zone_of(&citizen())
}

fn zone_of(of: &Particulars) -> Td1 {
    Td1::of_citizen(&of.number, &of.name, of.sex, of.birth, of.expiry).expect("an MRZ")
}

pub fn mrz() -> MrzKey {
    zone().key()
}

const INCOMPLETE: Outcome = Outcome::Incomplete { next: Next::Present };

fn problem(code: ProblemCode) -> ServiceError {
    ServiceError::Problem(Box::new(Problem::new(code, 409, "")))
}

fn certificate(role: Role, issuer: Option<&Signer>, key: PrivateKey) -> Signer {
    let country = Country::new("VN", "VNM").expect("a country");
    let period = |years: i64| Validity {
        not_before: now() - Duration::days(30),
        not_after: now() + Duration::days(365 * years),
    };
    let draft = CertificateDraft {
        subject: Name::new(&country, "Bench", None, if issuer.is_some() { "Signer" } else { "CSCA" }).expect("a name"),
        issuer: issuer.map_or(Issuer::Itself, |signer| Issuer::Csca(Box::new(signer.certificate.clone()))),
        serial: SerialNumber::generate(&mut ambient::rng()),
        validity: period(if issuer.is_some() { 11 } else { 16 }),
        private_key_usage: Validity {
            not_before: now() - Duration::days(30),
            not_after: now() + if issuer.is_some() { Duration::days(50) } else { Duration::days(365 * 4) },
        },
        key: key.public().into(),
        form: CurveForm::Explicit,
        country,
        contact: Some("https://csca.invalid".to_owned()),
        crl_distribution_points: vec!["https://csca.invalid/crl/VNM.crl".to_owned()],
        role,
    };
    let prepared = draft.lint().unwrap_or_else(|findings| panic!("{findings:?}"));
    let signing = issuer.map_or(&key, |signer| &signer.key);
    let signature = signing.sign_der(prepared.algorithm().hash(), prepared.to_be_signed());
    let certificate = prepared.attach(&signature).expect("signed");
    Signer { key, certificate }
}
