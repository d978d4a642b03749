//! The people and stations of a run, who go on by the rule of the interface: no answer, the same request again.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use std::{fs, thread};

use card_agent::client::{Connection, HttpService};
use card_agent::failure::{Code, Failure};
use card_agent::papers;
use card_agent::session::Session;
use card_agent::station::enrolment::Settings;
use card_agent::station::journal::{Journal, Kind};
use card_agent::station::{Done, Folder, Station};
use card_agent::transport::{Reader, TransportError};
use crypto::apdu::{Command, Response};
use crypto::conversation::CardTransport;
use crypto::perso::LifeCycle;
use crypto::perso::problem::ProblemCode;
use crypto::scp03::MasterKey;
use hardware_sim::faults::{Fault, Plan};
use hardware_sim::{Chip, InProcess, InProcessError, Profile, Store};
use image::RgbImage;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng};
use zeroize::Zeroizing;

use super::Options;
use super::invariants::Effects;
use crate::ambient;
use crate::citizen::{self, Citizen};
use crate::golden::Trouble;
use crate::road::text;
use crate::roles::{Answer, Caller};
use crate::world::{OFFICE, Officers};

/// A chip in process as it lies in a reader.
pub struct InReader(pub InProcess);

impl CardTransport for InReader {
    type Error = TransportError;

    fn transmit(&mut self, command: &Command) -> Result<Response, TransportError> {
        self.0.transmit(command).map_err(|error| match error {
            InProcessError::Fault(fault) => TransportError::Fault(fault),
            InProcessError::Gone => TransportError::Removed,
        })
    }
}

impl Reader for InReader {
    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.chip().reset();
        Ok(())
    }
}

/// A station that is enrolled: its folder, and what its client needs.
#[derive(Clone)]
pub struct Enrolled {
    /// Identifier at the service.
    pub id: String,
    name: String,
    folder: PathBuf,
    authority: Vec<u8>,
    identity: Zeroizing<Vec<u8>>,
}

impl Enrolled {
    /// Enrols a station of this name below `dir`.
    ///
    /// # Errors
    /// If the service or the disk refuses.
    pub fn new(dir: &Path, name: &str, address: &str, administrator: &Caller) -> Result<Self, Trouble> {
        let authority = fs::read(dir.join("issuance/tls-ca.pem"))?;
        let path = dir.join(name);
        let folder = Folder::new(&path);
        let settings = Settings::new(name.to_owned(), address.parse()?);
        let certificates = papers::certificates(&authority)?;
        let request = fs::read_to_string(folder.request(&settings, Some(&certificates))?)?;
        let registered = administrator.registers_station(name, OFFICE, &request)?;
        let certificate = text(&registered, "certificate_pem");
        folder.certify(papers::certificates(certificate.as_bytes())?, None)?;
        let mut identity = Zeroizing::new(fs::read(path.join("key.pem"))?);
        identity.push(b'\n');
        identity.extend_from_slice(certificate.as_bytes());
        Ok(Self { id: text(&registered, "id"), name: name.to_owned(), folder: path, authority, identity })
    }

    /// Returns the service at this address as this station's client sees it.
    ///
    /// # Errors
    /// If the credentials are not usable.
    pub fn service(&self, address: &str) -> Result<HttpService, Failure> {
        let (authority, identity) = (self.authority.clone(), Some(self.identity.clone()));
        let service = address.parse().map_err(|e| Failure::new(Code::InputUnusable, e))?;
        Ok(HttpService::new(&Connection { service, authority, identity })?)
    }

    /// The authority of the service's TLS certificate, PEM.
    pub fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// Private key and certificate, PEM.
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// Works once on a chip, as `card-agent` does.
    ///
    /// # Errors
    /// [`Failure`] of the station.
    pub fn run(&self, address: &str, kind: Kind, chip: &InProcess) -> Result<Done, Failure> {
        let service = self.service(address)?;
        let mut station = Station::new(&service, Journal::open(&self.folder)?, ambient::now);
        station.run(kind, &mut Session::new(InReader(chip.clone())), &self.name)
    }

    fn gives_up(&self, address: &str, chip: &InProcess) -> Result<(), Failure> {
        let service = self.service(address)?;
        let serial = chip.chip().serial();
        Station::new(&service, Journal::open(&self.folder)?, ambient::now).spoil(
            serial,
            &self.name,
            "torn in the reader",
        )
    }
}

/// Everything that the workers of a run share.
pub struct Floor {
    seed: u64,
    citizens: u32,
    officers: Officers,
    stations: Vec<Enrolled>,
    transport: MasterKey,
    address: RwLock<String>,
    begun: AtomicU32,
    blanks: AtomicU32,
    given_up: AtomicU32,
    repeated: AtomicU32,
    answered: AtomicU32,
    kills_are_over: AtomicBool,
    done: Mutex<Effects>,
    /// Appointment slips by application.
    slips: Mutex<BTreeMap<String, String>>,
    chips: Mutex<Vec<InProcess>>,
    troubles: Mutex<Vec<String>>,
}

/// A worker that cannot go on.
type Stuck = String;

impl Floor {
    /// Enrols the stations.
    pub fn open(dir: &Path, options: &Options, address: &str, officers: Officers) -> Result<Self, Trouble> {
        let stations = (1..=options.stations)
            .map(|n| Enrolled::new(dir, &format!("station-{n}"), address, &officers.administrator))
            .collect::<Result<_, _>>()?;
        let transport = hardware_sim::transport_master(&dir.join("transport-master.hex").to_string_lossy())?;
        Ok(Self {
            seed: options.seed,
            citizens: options.citizens,
            officers,
            stations,
            transport,
            address: RwLock::new(address.to_owned()),
            begun: AtomicU32::new(0),
            blanks: AtomicU32::new(0),
            given_up: AtomicU32::new(0),
            repeated: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            kills_are_over: AtomicBool::new(false),
            done: Mutex::default(),
            slips: Mutex::default(),
            chips: Mutex::default(),
            troubles: Mutex::default(),
        })
    }

    pub fn stations(&self) -> &[Enrolled] {
        &self.stations
    }

    pub fn address(&self) -> String {
        self.address.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn moved_to(&self, address: &str) {
        address.clone_into(&mut self.address.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn no_more_kills(&self) {
        self.kills_are_over.store(true, Ordering::SeqCst);
    }

    pub fn is_stuck(&self) -> bool {
        !lock(&self.troubles).is_empty()
    }

    pub fn troubles(&self) -> Vec<String> {
        lock(&self.troubles).clone()
    }

    pub fn done(&self) -> Effects {
        *lock(&self.done)
    }

    pub fn given_up(&self) -> u32 {
        self.given_up.load(Ordering::SeqCst)
    }

    pub fn repeated(&self) -> u32 {
        self.repeated.load(Ordering::SeqCst)
    }

    pub fn answered(&self) -> u32 {
        self.answered.load(Ordering::SeqCst)
    }

    pub fn life_cycles(&self) -> BTreeMap<String, LifeCycle> {
        let chips = lock(&self.chips);
        let each = chips.iter().map(|chip| {
            let chip = chip.chip();
            (chip.serial().to_string(), chip.life_cycle())
        });
        each.collect()
    }

    /// One worker: serves citizens with this station until there are enough and no kill is to come.
    pub fn works(&self, station: &Enrolled) {
        while !self.is_stuck() {
            let number = self.begun.fetch_add(1, Ordering::SeqCst);
            if number >= self.citizens && self.kills_are_over.load(Ordering::SeqCst) {
                return;
            }
            if let Err(stuck) = self.serves(station, number) {
                lock(&self.troubles).push(format!("{}, citizen {number}: {stuck}", station.name));
            }
        }
    }

    /// From the declaration to a card in hand; the card may be that of another citizen of the queue.
    fn serves(&self, station: &Enrolled, number: u32) -> Result<(), Stuck> {
        let (officers, citizen) = (&self.officers, Citizen::invented(number));
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed ^ (u64::from(number) << 32));
        let key = format!("citizen-{number}");
        let declared = self.insists(&officers.registrar, &key, |caller| caller.declares(&citizen.declaration()))?;
        lock(&self.done).persons += 1;
        let person = text(&declared, "person_id");
        self.insists(&officers.registrar, &key, |caller| caller.numbers(&person))?;
        lock(&self.done).numbers += 1;
        let applied = self.insists(&officers.capture, &key, |caller| caller.applies(&person, "first", None, OFFICE))?;
        lock(&self.done).applications += 1;
        let application = text(&applied, "id");
        let photograph = photograph_of(number);
        let captured = self
            .insists(&officers.capture, &key, |caller| caller.captures(&application, &photograph, citizen::FEATURES))?;
        lock(&self.slips).insert(application.clone(), text(&captured, "slip"));
        self.insists(&officers.approver, &key, |caller| caller.approves(&application))?;
        if rng.random_bool(0.2) {
            self.loses_a_chip(station, rng.random_range(3..14))?;
        }
        let card = self.personalizes(station)?;
        let shown = self.insists(&officers.counter, &key, |caller| caller.card(&card))?;
        let slip = lock(&self.slips).get(&text(&shown, "application_id")).cloned().unwrap_or_default();
        self.insists(&officers.counter, &key, |caller| caller.hands_over(&card, &slip))?;
        lock(&self.done).handed_over += 1;
        Ok(())
    }

    /// Repeats an officer's request under one key until it is answered.
    fn insists(
        &self,
        officer: &Caller,
        key: &str,
        act: impl Fn(&Caller) -> Answer,
    ) -> Result<serde_json::Value, Stuck> {
        let end = Instant::now() + PATIENCE;
        loop {
            match act(&officer.at(&self.address()).under(key)) {
                Ok(answer) => {
                    self.answered.fetch_add(1, Ordering::SeqCst);
                    return Ok(answer);
                }
                Err(refusal) if refusal.status == 0 || refusal.code == ProblemCode::IdempotencyKeyInUse.word() => {
                    self.again(end, &refusal.to_string())?;
                }
                Err(refusal) => return Err(refusal.to_string()),
            }
        }
    }

    /// Repeats a station's work until it ends otherwise than in silence.
    fn persists<T>(&self, work: impl Fn(&str) -> Result<T, Failure>) -> Result<Result<T, Failure>, Stuck> {
        let end = Instant::now() + PATIENCE;
        loop {
            match work(&self.address()) {
                Err(failure) if is_passing(&failure) => self.again(end, &failure.to_string())?,
                ended => {
                    self.answered.fetch_add(1, Ordering::SeqCst);
                    return Ok(ended);
                }
            }
        }
    }

    fn again(&self, end: Instant, said: &str) -> Result<(), Stuck> {
        if Instant::now() > end {
            return Err(format!("no answer in {} s: {said}", PATIENCE.as_secs()));
        }
        self.repeated.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        Ok(())
    }

    /// A new blank, delivered and initialised.
    fn chip(&self, station: &Enrolled) -> Result<InProcess, Stuck> {
        let number = self.blanks.fetch_add(1, Ordering::SeqCst);
        let chip = blank(&self.transport, self.seed, number);
        lock(&self.chips).push(chip.clone());
        let serial = chip.chip().serial().to_string();
        let key = format!("blank-{number}");
        self.insists(&self.officers.stock, &key, |caller| {
            caller.takes_in(&key, std::slice::from_ref(&serial), &station.id)
        })?;
        lock(&self.done).deliveries += 1;
        self.persists(|address| station.run(address, Kind::Intake, &chip))?.map_err(|failure| failure.to_string())?;
        Ok(chip)
    }

    /// A chip that is torn from the reader at its `at`-th command and given up.
    fn loses_a_chip(&self, station: &Enrolled, at: u64) -> Result<(), Stuck> {
        let chip = self.chip(station)?;
        let torn = self.persists(|address| {
            chip.chip().insert();
            chip.chip().fail(Plan::at(at, Fault::Removed));
            station.run(address, Kind::Personalize, &chip)
        })?;
        match torn {
            Err(failure) if failure.code == Code::CardRemoved => {}
            other => return Err(format!("the torn chip was not missed: {other:?}")),
        }
        self.persists(|address| station.gives_up(address, &chip))?.map_err(|failure| failure.to_string())?;
        self.given_up.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Makes a card of a new blank. Returns the card's identifier.
    fn personalizes(&self, station: &Enrolled) -> Result<String, Stuck> {
        let chip = self.chip(station)?;
        let done = self.persists(|address| station.run(address, Kind::Personalize, &chip))?;
        let done = done.map_err(|failure| failure.to_string())?;
        done.outcome.card_id().map(str::to_owned).ok_or_else(|| "personalized without a card".to_owned())
    }
}

/// Makes the blank with this number, as its manufacturer delivers it.
pub fn blank(transport: &MasterKey, seed: u64, number: u32) -> InProcess {
    let serial = hardware_sim::serial(seed, number);
    let keys = transport.diversify(&serial, hardware_sim::TRANSPORT_KEY_VERSION);
    let chip = Chip::blank(Profile::default(), serial, keys, seed, Store::memory());
    InProcess::new(chip.expect("an empty memory takes a blank"))
}

/// Whether the service gave no verdict, so that the same work is begun again. `internal` is a verdict: a killed service
/// says nothing, and a living one has no reason to say it.
fn is_passing(failure: &Failure) -> bool {
    match (&failure.code, &failure.problem) {
        (Code::NothingToPersonalize | Code::ServiceUnreachable, _) => true,
        (Code::ServiceUnable, Some(problem)) => problem.code != ProblemCode::Internal,
        _ => false,
    }
}

/// A picture of this citizen's own, so that each capture keeps an object of its own.
fn photograph_of(number: u32) -> Vec<u8> {
    static PICTURE: LazyLock<RgbImage> =
        LazyLock::new(|| image::load_from_memory(&citizen::photograph()).expect("our own picture is JPEG").to_rgb8());
    let mut picture = PICTURE.clone();
    let [_, high, middle, low] = number.to_be_bytes();
    for (x, y) in (0..48).flat_map(|x| (0..48).map(move |y| (x, y))) {
        picture.put_pixel(x, y, image::Rgb([high, middle, low.wrapping_mul(37)]));
    }
    let mut jpeg = Cursor::new(Vec::new());
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 92)
        .encode_image(&picture)
        .expect("an RGB picture can be written as JPEG");
    jpeg.into_inner()
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a request is repeated. A service that is killed every half second still answers in between.
const PATIENCE: Duration = Duration::from_mins(5);
