//! A station with a valid certificate that lies, beside an honest one. Each of its lies fails or costs blanks that are
//! in its custody; no card comes of them, no citizen's data reaches it, and the honest station finishes its citizens.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use card_agent::client::{ActiveAuthentication, IdempotencyKey, Service as _};
use card_agent::station::journal::Kind;
use crypto::identity::CardSerial;
use crypto::perso::protocol::{PersonalizationOrder, path};
use crypto::perso::{self, LifeCycle, Order, Presentation, Receipt};
use crypto::scp03::MasterKey;
use hardware_sim::InProcess;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::blocking::Client;
use reqwest::{Certificate, Identity};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tests::ambient;
use tests::citizen::Citizen;
use tests::crash::invariants::House;
use tests::crash::{Enrolled, blank};
use tests::road::{self, Issued};
use tests::world::{Offices, Options, postgres, scratch};

/// The liar: it speaks HTTP by hand, and keeps everything that the service ever told it.
struct Liar {
    station: Enrolled,
    address: String,
    http: Client,
    heard: RefCell<Vec<Vec<u8>>>,
    refused: RefCell<BTreeMap<String, u32>>,
    served: Cell<u32>,
}

impl Liar {
    fn new(station: Enrolled, address: &str) -> Self {
        let authority = Certificate::from_pem(station.authority()).unwrap();
        let identity = Identity::from_pem(station.identity()).unwrap();
        let http = Client::builder().tls_certs_only([authority]).identity(identity).no_proxy().build().unwrap();
        let address = address.to_owned();
        Self { station, address, http, heard: RefCell::default(), refused: RefCell::default(), served: Cell::new(0) }
    }

    /// Posts under this key. Returns the answer of a success, or the problem's code.
    fn posts<A: DeserializeOwned>(&self, path: &str, key: &str, body: &impl Serialize) -> Result<A, String> {
        let request = self.http.post(format!("{}{path}", self.address)).header("Idempotency-Key", key);
        let answer = request.json(body).send().unwrap();
        let success = answer.status().is_success();
        let body = answer.bytes().unwrap().to_vec();
        self.heard.borrow_mut().push(body.clone());
        if success {
            self.served.set(self.served.get() + 1);
            return Ok(serde_json::from_slice(&body).unwrap());
        }
        let code = serde_json::from_slice::<Value>(&body).unwrap()["code"].as_str().unwrap_or("no code").to_owned();
        assert_ne!(code, "internal", "{path}: a lie is a refusal, not a fault of the service");
        *self.refused.borrow_mut().entry(code.clone()).or_default() += 1;
        Err(code)
    }

    fn asks_to_write(&self, presentation: &Presentation, key: &str) -> Result<PersonalizationOrder, String> {
        self.posts(path::PERSONALIZATION_ORDERS, key, &json!({ "presentation": presentation }))
    }

    fn asks_to_initialise(&self, presentation: &Presentation) -> Result<Value, String> {
        self.posts(path::INTAKE_ORDERS, &ambient::fresh_id(), &json!({ "presentation": presentation }))
    }

    /// Reports a receipt. Returns the outcome's word or the problem's code.
    fn reports(&self, path: &str, receipt: &Receipt, proof: Option<&ActiveAuthentication>) -> String {
        let mut body = json!({ "receipt": receipt });
        if let Some(proof) = proof {
            body["active_authentication"] = serde_json::to_value(proof).unwrap();
        }
        match self.posts::<Value>(path, &ambient::fresh_id(), &body) {
            Ok(outcome) => road::text(&outcome, "outcome"),
            Err(code) => code,
        }
    }

    fn spoils(&self, serial: &CardSerial) -> Result<Value, String> {
        let body = json!({ "reason": "bent", "evidence": "believe me" });
        self.posts(&path::spoiled(serial), &ambient::fresh_id(), &body)
    }
}

fn present(chip: &InProcess) -> Presentation {
    chip.chip().reset();
    perso::present(&mut chip.clone()).unwrap()
}

fn play(chip: &InProcess, order: &Order) -> Receipt {
    chip.chip().reset();
    perso::play(&mut chip.clone(), order, &mut |_| {}).0
}

/// Two stations and their blanks in one house.
struct Scene {
    offices: Offices,
    honest: Enrolled,
    liar: Liar,
    transport: MasterKey,
    chips: Vec<InProcess>,
    citizens: Vec<(Citizen, Issued)>,
}

impl Scene {
    fn begin(dir: &std::path::Path, database: Option<String>) -> Self {
        let offices = Offices::begin(dir, &Options { database, ..Options::default() }).unwrap();
        let enrol = |name| {
            Enrolled::new(&offices.dir, name, &offices.service.address, &offices.officers.administrator).unwrap()
        };
        let (honest, liar) = (enrol("honest"), Liar::new(enrol("liar"), &offices.service.address));
        let transport = hardware_sim::transport_master(&offices.transport_master().to_string_lossy()).unwrap();
        Self { offices, honest, liar, transport, chips: vec![], citizens: vec![] }
    }

    fn blank_of(&mut self, station: &Enrolled) -> InProcess {
        let chip = blank(&self.transport, 77, u32::try_from(self.chips.len()).unwrap());
        let serial = chip.chip().serial().to_string();
        self.offices.officers.stock.takes_in(&serial, std::slice::from_ref(&serial), &station.id).unwrap();
        self.chips.push(chip.clone());
        chip
    }

    fn initialised_of(&mut self, station: &Enrolled) -> InProcess {
        let chip = self.blank_of(station);
        station.run(&self.offices.service.address, Kind::Intake, &chip).unwrap();
        chip
    }

    fn citizen(&mut self) {
        let citizen = Citizen::invented(u32::try_from(self.citizens.len()).unwrap());
        let issued = road::approved(&self.offices, &citizen).unwrap();
        self.citizens.push((citizen, issued));
    }

    /// The honest station writes a card; it may be that of any citizen who waits.
    fn honest_card(&mut self) {
        let honest = self.honest.clone();
        let chip = self.initialised_of(&honest);
        let done = honest.run(&self.offices.service.address, Kind::Personalize, &chip).unwrap();
        assert_eq!(done.outcome.word(), "personalized");
    }

    fn cards(&self) -> usize {
        let stage = |issued: &Issued| {
            road::text(&self.offices.officers.capture.application(&issued.application).unwrap(), "stage")
        };
        self.citizens.iter().filter(|(_, issued)| stage(issued) == "personalized").count()
    }
}

fn lies(database: Option<&str>) {
    let scratch = scratch();
    let dir = scratch.path().join("house");
    let mut scene = Scene::begin(&dir, database.map(str::to_owned));
    let liar = scene.liar.station.clone();
    let (mine, second, raw) = (scene.initialised_of(&liar), scene.initialised_of(&liar), scene.blank_of(&liar));
    let honest = scene.honest.clone();
    let (theirs, their_blank) = (scene.initialised_of(&honest), scene.blank_of(&honest));
    for _ in 0..4 {
        scene.citizen();
    }
    let says = |presentation: &Presentation| scene.liar.asks_to_write(presentation, &ambient::fresh_id());

    // Serials of others, and one that was never delivered.
    assert_eq!(says(&present(&theirs)).unwrap_err(), "chip-in-other-custody");
    assert_eq!(scene.liar.asks_to_initialise(&present(&their_blank)).unwrap_err(), "chip-in-other-custody");
    assert_eq!(scene.liar.spoils(&theirs.chip().serial()).unwrap_err(), "chip-in-other-custody");
    let unknown = Presentation { serial: hardware_sim::serial(1, 1), ..present(&mine) };
    assert_eq!(says(&unknown).unwrap_err(), "chip-unknown");
    // Life cycles and stages that are not so.
    assert_eq!(says(&present(&raw)).unwrap_err(), "chip-not-initialised");
    let finished = Presentation { life_cycle: LifeCycle::Personalized, ..present(&mine) };
    assert_eq!(says(&finished).unwrap_err(), "chip-life-cycle-unexpected");
    let done = Presentation { life_cycle: LifeCycle::Initialised, ..present(&raw) };
    let report = scene.liar.asks_to_initialise(&done).unwrap();
    let report: Order = serde_json::from_value(report["order"].clone()).unwrap();
    let outcome = scene.liar.reports(path::INTAKE_RECEIPTS, &play(&raw, &report), None);
    assert_eq!(outcome, "incomplete", "a blank passed for initialised");

    // Wrong counters: the chip refuses, and the service believes no receipt of it.
    for counter in [0, 1, 0x00ff_ffff] {
        let lie = Presentation { sequence_counter: counter, ..present(&mine) };
        let Ok(ordered) = says(&lie) else { continue };
        let outcome = scene.liar.reports(path::PERSONALIZATION_RECEIPTS, &play(&mine, &ordered.order), None);
        assert_ne!(outcome, "personalized");
        assert_eq!(mine.chip().life_cycle(), LifeCycle::Initialised, "counter {counter}");
    }

    // An order on another chip, and the receipts of two chips swapped, with and without the other's signature.
    let first = says(&present(&mine)).unwrap();
    let foreign = play(&second, &first.order);
    assert_eq!(second.chip().life_cycle(), LifeCycle::Initialised, "an order was played on another chip");
    assert_ne!(scene.liar.reports(path::PERSONALIZATION_RECEIPTS, &foreign, None), "personalized");
    let (first, other) = (says(&present(&mine)).unwrap(), says(&present(&second)).unwrap());
    let (played, other_played) = (play(&mine, &first.order), play(&second, &other.order));
    assert_eq!(mine.chip().life_cycle(), LifeCycle::Personalized);
    let swapped = Receipt { order: first.order.id.clone(), responses: other_played.responses.clone() };
    assert_eq!(scene.liar.reports(path::PERSONALIZATION_RECEIPTS, &swapped, None), "receipt-forged");
    for signature in [vec![0; 64], vec![0x11; 64], vec![0xff; 64], vec![1], vec![]] {
        let challenge = first.read_back.challenge.to_vec();
        let proof = ActiveAuthentication { challenge, signature };
        let outcome = scene.liar.reports(path::PERSONALIZATION_RECEIPTS, &played, Some(&proof));
        assert_eq!(outcome, "active-authentication-failed");
        let foreign = ActiveAuthentication { challenge: other.read_back.challenge.to_vec(), ..proof };
        let outcome = scene.liar.reports(path::PERSONALIZATION_RECEIPTS, &played, Some(&foreign));
        assert_eq!(outcome, "challenge-unknown");
    }
    // A receipt of personalization as one of intake, and the other way round.
    assert_eq!(scene.liar.reports(path::INTAKE_RECEIPTS, &played, None), "order-unknown");
    // Seeded noise in true receipts.
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    for _ in 0..30 {
        let mut noisy = played.clone();
        let step = rng.random_range(0..noisy.responses.len());
        let byte = rng.random_range(0..noisy.responses[step].len());
        noisy.responses[step][byte] ^= 1 << rng.random_range(0..8);
        let outcome = scene.liar.reports(path::PERSONALIZATION_RECEIPTS, &noisy, None);
        assert_ne!(outcome, "personalized", "step {step}, byte {byte}");
    }
    assert_eq!(scene.cards(), 0, "a card came of lies alone");

    // What the honest station reports is not the liar's to report.
    let true_service = honest.service(&scene.offices.service.address).unwrap();
    let ordered = true_service.personalization_order(&present(&theirs), None, &IdempotencyKey::fresh()).unwrap();
    let receipt = play(&theirs, &ordered.order);
    assert_eq!(scene.liar.reports(path::PERSONALIZATION_RECEIPTS, &receipt, None), "order-unknown");

    // Replays: a key with another request; the same request gives the same order, and binds no second application.
    let key = ambient::fresh_id();
    let twice = [(); 2].map(|()| scene.liar.asks_to_write(&finished, &key).unwrap().order);
    assert_eq!(twice[0], twice[1]);
    let another = scene.liar.asks_to_write(&present(&second), &key).unwrap_err();
    assert_eq!(another, "idempotency-key-reused");
    // A good chip is reported as spoiled, twice; its document never counts again.
    scene.liar.spoils(&mine.chip().serial()).unwrap();
    assert_eq!(scene.liar.spoils(&mine.chip().serial()).unwrap_err(), "chip-spoiled");
    let late = scene.liar.reports(path::PERSONALIZATION_RECEIPTS, &played, None);
    assert_ne!(late, "personalized");
    assert_eq!(says(&present(&mine)).unwrap_err(), "chip-spoiled");

    // A flood of orders that are dropped: each binds at most the chip's one application.
    for _ in 0..40 {
        says(&Presentation { life_cycle: LifeCycle::Initialised, ..present(&second) }).unwrap();
    }
    // The honest station finishes its own chip, and every citizen whom the liar does not hold.
    honest.run(&scene.offices.service.address, Kind::Personalize, &theirs).unwrap();
    scene.honest_card();
    scene.honest_card();
    assert_eq!(scene.cards(), 3, "the liar holds one citizen with the one chip that it has left");
    scene.liar.spoils(&second.chip().serial()).unwrap();
    scene.honest_card();
    assert_eq!(scene.cards(), 4);
    println!("{} answers, refusals {:?}", scene.liar.served.get(), scene.liar.refused.borrow());
    learned_nothing(&scene);
    holds(scene, database);
}

/// Nothing that the service ever told the liar holds a citizen's name, number, birth or person: not in the JSON, and
/// not in the octets of its base64 and hexadecimal members. The slip is all that a station learns of an application.
fn learned_nothing(scene: &Scene) {
    let mut heard = Vec::new();
    for body in scene.liar.heard.borrow().iter() {
        heard.push(body.clone());
        octets(&serde_json::from_slice(body).unwrap(), &mut heard);
    }
    let bytes: usize = heard.iter().map(Vec::len).sum();
    assert!(bytes > 100_000, "the liar heard whole orders: {bytes} bytes");
    // By their first four octets, so that one pass finds all of them.
    let mut secrets: HashMap<[u8; 4], Vec<(Vec<u8>, &str)>> = HashMap::new();
    for (citizen, issued) in &scene.citizens {
        for secret in secrets_of(citizen, issued) {
            let begins = *secret.first_chunk().unwrap();
            secrets.entry(begins).or_default().push((secret, &citizen.name));
        }
    }
    assert!(secrets.len() > 50, "{} beginnings", secrets.len());
    for said in &heard {
        for (at, window) in said.windows(4).enumerate() {
            for (secret, name) in secrets.get(<&[u8; 4]>::try_from(window).unwrap()).into_iter().flatten() {
                let found = said[at..].starts_with(secret);
                assert!(!found, "{} of {name} reached the station", String::from_utf8_lossy(secret));
            }
        }
    }
}

/// Everything by which a citizen is known, in the encodings in which it could travel.
fn secrets_of(citizen: &Citizen, issued: &Issued) -> Vec<Vec<u8>> {
    let number = issued.number.as_bytes();
    let packed: Vec<u8> = number.chunks(2).map(|two| ((two[0] - b'0') << 4) | (two[1] - b'0')).collect();
    let mut secrets = vec![
        number.to_vec(),
        number[3..].to_vec(),
        packed,
        issued.person.as_bytes().to_vec(),
        citizen.name.as_bytes().to_vec(),
        citizen.name.to_uppercase().into_bytes(),
        unaccented(&citizen.name).replace(' ', "<").into_bytes(),
    ];
    let both_ends = [u16::to_be_bytes as fn(u16) -> [u8; 2], u16::to_le_bytes];
    secrets.extend(both_ends.map(|bytes| citizen.name.encode_utf16().flat_map(bytes).collect()));
    let encoded = |secret: &Vec<u8>| {
        [hex::encode(secret), hex::encode_upper(secret), STANDARD.encode(secret)].map(String::into_bytes)
    };
    let encoded: Vec<_> = secrets.iter().flat_map(encoded).collect();
    secrets.extend(encoded);
    secrets
}

/// Collects the octets of all members that are base64 or hexadecimal.
fn octets(value: &Value, into: &mut Vec<Vec<u8>>) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| octets(value, into)),
        Value::Object(all) => all.values().for_each(|value| octets(value, into)),
        Value::String(text) => {
            into.extend(STANDARD.decode(text));
            into.extend(hex::decode(text));
        }
        Value::Bool(_) | Value::Null | Value::Number(_) => {}
    }
}

/// The name as a machine-readable zone writes it; the names of invented citizens need no more than this.
fn unaccented(name: &str) -> String {
    let plain = |c| match c {
        'ạ' | 'ă' | 'ẫ' | 'ả' | 'ặ' | 'à' | 'ầ' => 'a',
        'ễ' | 'ê' => 'e',
        'ị' => 'i',
        'ộ' | 'ố' => 'o',
        'ử' | 'ư' | 'ũ' => 'u',
        'ỹ' => 'y',
        'Đ' => 'D',
        other => other,
    };
    name.chars().map(plain).collect::<String>().to_uppercase()
}

/// Stops the service and asks the database.
fn holds(scene: Scene, database: Option<&str>) {
    let Scene { offices, chips, .. } = scene;
    let life_cycles = chips.iter().map(|chip| {
        let chip = chip.chip();
        (chip.serial().to_string(), chip.life_cycle())
    });
    let (life_cycles, data) = (life_cycles.collect(), offices.dir.join("issuance"));
    let mut issuance = offices.issuance;
    issuance.stop();
    let broken = House { data: &data, database }.broken(&life_cycles).unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_station_that_lies_gains_no_card_and_learns_no_citizen_on_sqlite() {
    lies(None);
}

#[test]
fn a_station_that_lies_gains_no_card_and_learns_no_citizen_on_postgresql() {
    let Some(database) = postgres::fresh_database() else { return };
    lies(Some(&database));
}
