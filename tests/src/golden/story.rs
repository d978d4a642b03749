//! What happens in a golden house before it is closed: a citizen and a chip in every state.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use card_agent::client::{IdempotencyKey, Service as _};
use card_agent::station::Folder;
use card_agent::station::enrolment::Settings;
use card_agent::station::journal::Kind;
use crypto::lds::File;
use crypto::perso::{self, LifeCycle};
use crypto::pki::{Certificate, trust_bundle};
use crypto::scp03::MasterKey;
use crypto::sod::Sod;
use hardware_sim::faults::{Fault, Plan};
use hardware_sim::{Chip, InProcess, Profile, Store};
use time::OffsetDateTime;
use time::macros::datetime;

use super::station::InHouse;
use super::{CHIP_SEED, Case, DATA, House, INDEX, Index, StationRow, Trouble, copy, dump};
use crate::citizen::{self, Citizen};
use crate::road::text;
use crate::roles::Caller;
use crate::wait::until;
use crate::world::{OFFICE, scratch};

/// Makes a golden house in the folder `target`, which must not exist: on SQLite, or in this empty PostgreSQL database.
///
/// # Errors
/// [`Trouble`]
pub fn make(target: &Path, database: Option<&str>) -> Result<(), Trouble> {
    if target.exists() {
        return Err(format!("{} is there already; a golden house is never changed", target.display()).into());
    }
    let scratch = scratch();
    let dir = scratch.path().join("house");
    fs::create_dir_all(dir.join("station"))?;
    let mut story = Story::begin(&dir, database)?;
    story.before_there_is_a_card()?;
    story.cards()?;
    story.withdrawn()?;
    story.in_production()?;
    story.held()?;
    story.waiting()?;
    story.blanks()?;
    story.end(target, database)
}

struct Story {
    house: House,
    index: Index,
    people: Officers,
    /// Identifier of the approver, who is the witness of each write-off.
    witness: String,
    citizens: u32,
    chips: u32,
}

struct Officers {
    registrar: Caller,
    capture: Caller,
    approver: Caller,
    stock: Caller,
    counter: Caller,
}

impl Story {
    fn begin(dir: &Path, database: Option<&str>) -> Result<Self, Trouble> {
        let (house, password) = House::found(dir, database, BEGINS, &TRANSPORT_MASTER)?;
        let admin = house.officer("admin", &password)?;
        // Invented by `init`: nothing else is done before it is changed.
        let own = "the password of admin".to_owned();
        admin.changes_password(&password, &own)?;
        let proposed = admin.proposes_officer("admin-2", &["admin"], "national")?;
        let second = "the password of admin-2".to_owned();
        house.http.anyone().sets_first_password(&text(&proposed, "token"), &second)?;
        let confirms = house.officer("admin-2", &second)?;
        let mut officers = BTreeMap::from([("admin".to_owned(), own), ("admin-2".to_owned(), second)]);
        let mut witness = String::new();
        let mut appointed = |username: &str, roles: &[&str]| -> Result<Caller, Trouble> {
            let password = format!("the password of {username}");
            let made = admin.appoints(&confirms, username, &password, roles, OFFICE)?;
            if username == "approver" {
                witness = text(&made, "id");
            }
            officers.insert(username.to_owned(), password.clone());
            house.officer(username, &password)
        };
        let people = Officers {
            registrar: appointed("registrar", &["registrar"])?,
            capture: appointed("capture", &["capture"])?,
            approver: appointed("approver", &["approver"])?,
            stock: appointed("stock", &["stock"])?,
            counter: appointed("counter", &["hand-over"])?,
        };
        appointed("auditor", &["auditor"])?;
        let name = "counter-1".to_owned();
        let settings = Settings::new(name.clone(), house.http.address.parse()?);
        let request = fs::read_to_string(Folder::new(dir.join("enrolment")).request(&settings, None)?)?;
        let station = admin.registers_station(&name, OFFICE, &request)?;
        let station = StationRow { id: text(&station, "id"), name, office: OFFICE.to_owned() };
        let index = Index {
            moment: BEGINS,
            officers,
            station,
            citizens: BTreeMap::new(),
            chips: BTreeMap::new(),
            missing_object: PathBuf::new(),
        };
        Ok(Self { house, index, people, witness, citizens: 0, chips: 0 })
    }

    fn before_there_is_a_card(&mut self) -> Result<(), Trouble> {
        let declared = self.declared()?;
        self.keep("declared", declared)?;
        let numbered = self.numbered()?;
        self.keep("numbered", numbered)?;
        let registered = self.registered()?;
        self.keep("registered", registered)?;
        let captured = self.captured(&citizen::photograph())?;
        self.keep("captured", captured)?;
        let refused = self.captured(&citizen::photograph())?;
        self.people.approver.refuses(&refused.application, "the face is another one")?;
        self.keep("refused", refused)?;
        let cancelled = self.captured(&citizen::photograph())?;
        self.people.capture.cancels(&cancelled.application, "the citizen withdrew")?;
        self.keep("cancelled", cancelled)
    }

    fn cards(&mut self) -> Result<(), Trouble> {
        let active = self.handed_over()?;
        self.keep("active", active)?;
        let lost = self.handed_over()?;
        self.people.counter.reports_loss(&lost.cards[0])?;
        self.keep("lost", lost)?;
        let mut replaced = self.handed_over()?;
        self.apply(&mut replaced, "change", Some("damaged"))?;
        self.capture(&mut replaced, &citizen::photograph())?;
        self.approve(&replaced)?;
        self.card(&mut replaced)?;
        self.hand_over(&replaced)?;
        self.keep("replaced", replaced)
    }

    fn withdrawn(&mut self) -> Result<(), Trouble> {
        // Written on a chip and cancelled before the chip proved itself: the signed document is revoked.
        let mut cancelled = self.approved()?;
        let chip = self.initialised()?;
        self.station()?.personalization_order(&present(&chip)?, None, &IdempotencyKey::fresh())?;
        cancelled.chips.push(chip.chip().serial().to_string());
        self.tick();
        self.people.capture.cancels(&cancelled.application, "the citizen moved abroad")?;
        self.keep("cancelled-in-production", cancelled)?;
        // The first card of this one was written off before it was handed over; the second waits.
        let mut personalized = self.approved()?;
        self.card(&mut personalized)?;
        self.written_off(&personalized.chips[0], "blurred print")?;
        self.card(&mut personalized)?;
        self.keep("personalized", personalized)
    }

    fn written_off(&self, serial: &str, reason: &str) -> Result<(), Trouble> {
        self.people.stock.writes_off(serial, reason, &self.witness)?;
        self.people.approver.confirms_write_off(serial, reason)?;
        Ok(())
    }

    fn in_production(&mut self) -> Result<(), Trouble> {
        let mut unplayed = self.approved()?;
        let chip = self.initialised()?;
        self.station()?.personalization_order(&present(&chip)?, None, &IdempotencyKey::fresh())?;
        unplayed.chips.push(chip.chip().serial().to_string());
        self.keep("order-not-played", unplayed)?;

        let mut half = self.approved()?;
        let chip = self.initialised()?;
        chip.chip().fail(Plan::at(HALF_WAY, Fault::TearAfter));
        let cut = self.station()?.run(Kind::Personalize, &chip);
        let serial = chip.chip().serial().to_string();
        let written = self.house.chip_state(&serial)?.files.content(File::Sod).is_some();
        if cut.is_ok() || !written || chip.chip().life_cycle() != LifeCycle::Initialised {
            return Err("the power did not fail between the files and the end of the order".into());
        }
        half.chips.push(serial);
        self.keep("order-half-played", half)?;

        // The chip is a card, and the service does not know it: the receipt never came.
        let mut unreported = self.approved()?;
        let chip = self.initialised()?;
        let ordered = self.station()?.personalization_order(&present(&chip)?, None, &IdempotencyKey::fresh())?;
        chip.chip().reset();
        let (_, cut) = perso::play(&mut chip.clone(), &ordered.order, &mut |_| {});
        if cut.is_some() || chip.chip().life_cycle() != LifeCycle::Personalized {
            return Err("the order did not come to its end".into());
        }
        unreported.chips.push(chip.chip().serial().to_string());
        self.keep("order-played", unreported)
    }

    /// The portrait is lost between approval and order. Its object is kept beside the house.
    fn held(&mut self) -> Result<(), Trouble> {
        let objects = self.house.dir.join(DATA).join("objects");
        let before = files_below(&objects)?;
        let held = self.captured(&another_photograph()?)?;
        let new = files_below(&objects)?.into_iter().find(|file| !before.contains(file));
        let object = new.ok_or("the other photograph made no object")?;
        self.approve(&held)?;
        fs::rename(&object, self.house.dir.join(MISSING))?;
        object.strip_prefix(self.house.dir.join(DATA))?.clone_into(&mut self.index.missing_object);
        let chip = self.initialised()?;
        // It is passed over twice, and held at the third presentation.
        for _ in 0..3 {
            let ordered = self.station()?.personalization_order(&present(&chip)?, None, &IdempotencyKey::fresh());
            if ordered.is_ok() {
                return Err("an application without portrait became an order".into());
            }
        }
        self.index.chips.insert("initialised-1".into(), chip.chip().serial().to_string());
        self.keep("held", held)
    }

    fn waiting(&mut self) -> Result<(), Trouble> {
        let approved = self.approved()?;
        self.keep("approved", approved)
    }

    fn blanks(&mut self) -> Result<(), Trouble> {
        let initialised = self.initialised()?;
        self.index.chips.insert("initialised-2".into(), initialised.chip().serial().to_string());
        for name in ["delivered-1", "delivered-2"] {
            let delivered = self.blank()?;
            self.index.chips.insert(name.into(), delivered.chip().serial().to_string());
        }
        let torn = self.blank()?.chip().serial().to_string();
        self.written_off(&torn, "bent")?;
        self.index.chips.insert("spoiled".into(), torn);
        Ok(())
    }

    /// Waits for the trust bundle that lists what is revoked, closes the house and keeps it.
    fn end(mut self, target: &Path, database: Option<&str>) -> Result<(), Trouble> {
        let csca = Certificate::parse(&self.house.data("csca.der")?)?;
        let state = self.house.chip_state(&self.index.citizens["lost"].chips[0])?;
        let sod = Sod::parse(state.files.content(File::Sod).ok_or("a card without EF.SOD")?)?;
        until(Duration::from_secs(10), "the trust bundle lists the lost card", || {
            let bundle = self.house.http.anyone().trust_bundle().map_err(std::io::Error::other)?;
            let bundle = trust_bundle::open(&bundle, &csca, self.house.clock.now()).map_err(std::io::Error::other)?;
            Ok(bundle.is_revoked(&sod.fingerprint()))
        })?;
        self.index.moment = self.house.clock.now();
        let dir = self.house.dir.clone();
        fs::write(dir.join(INDEX), serde_json::to_vec_pretty(&self.index)?)?;
        self.house.close();
        if let Some(database) = database {
            dump(database, &dir)?;
        }
        fs::remove_dir_all(dir.join("enrolment"))?;
        for lock in files_below(&dir)?.iter().filter(|file| file.ends_with("lock")) {
            fs::remove_file(lock)?;
        }
        Ok(copy(&dir, target)?)
    }
}

/// The steps.
impl Story {
    /// Every step has a moment of its own.
    fn tick(&self) {
        self.house.clock.advance(time::Duration::seconds(7));
    }

    fn station(&self) -> Result<InHouse<'_>, Trouble> {
        InHouse::new(&self.house, &self.index.station)
    }

    /// Enters the case into the index as it stands now.
    fn keep(&mut self, name: &str, mut case: Case) -> Result<(), Trouble> {
        self.tick();
        if !case.application.is_empty() {
            case.stage = self.house.stage(&case.application)?;
        }
        self.index.citizens.insert(name.to_owned(), case);
        Ok(())
    }

    fn declared(&mut self) -> Result<Case, Trouble> {
        self.tick();
        self.citizens += 1;
        let declared = self.people.registrar.declares(&Citizen::invented(self.citizens).declaration())?;
        Ok(Case { person: text(&declared, "person_id"), ..Case::default() })
    }

    fn numbered(&mut self) -> Result<Case, Trouble> {
        let mut case = self.declared()?;
        case.number = text(&self.people.registrar.numbers(&case.person)?, "personal_number");
        Ok(case)
    }

    fn registered(&mut self) -> Result<Case, Trouble> {
        let mut case = self.numbered()?;
        self.apply(&mut case, "first", None)?;
        Ok(case)
    }

    fn apply(&self, case: &mut Case, kind: &str, reason: Option<&str>) -> Result<(), Trouble> {
        self.tick();
        let opened = self.people.capture.applies(&case.person, kind, reason, OFFICE)?;
        (case.application, case.slip) = (text(&opened, "id"), text(&opened, "slip"));
        Ok(())
    }

    fn captured(&mut self, photograph: &[u8]) -> Result<Case, Trouble> {
        let mut case = self.registered()?;
        self.capture(&mut case, photograph)?;
        Ok(case)
    }

    fn capture(&self, case: &mut Case, photograph: &[u8]) -> Result<(), Trouble> {
        self.tick();
        let captured = self.people.capture.captures(&case.application, photograph, citizen::FEATURES)?;
        case.slip = text(&captured, "slip");
        Ok(())
    }

    fn approved(&mut self) -> Result<Case, Trouble> {
        let case = self.captured(&citizen::photograph())?;
        self.approve(&case)?;
        Ok(case)
    }

    fn approve(&self, case: &Case) -> Result<(), Trouble> {
        self.tick();
        self.people.approver.approves(&case.application)?;
        Ok(())
    }

    /// Writes a new chip for this case, whose application must be the only one that waits.
    fn card(&mut self, case: &mut Case) -> Result<(), Trouble> {
        let chip = self.initialised()?;
        self.station()?.run(Kind::Personalize, &chip)?;
        case.chips.push(chip.chip().serial().to_string());
        case.cards.push(text(&self.people.capture.application(&case.application)?, "card_id"));
        Ok(())
    }

    fn hand_over(&self, case: &Case) -> Result<(), Trouble> {
        self.tick();
        let card = case.cards.last().ok_or("no card to hand over")?;
        self.people.counter.hands_over(card, &case.slip)?;
        Ok(())
    }

    fn handed_over(&mut self) -> Result<Case, Trouble> {
        let mut case = self.approved()?;
        self.card(&mut case)?;
        self.hand_over(&case)?;
        Ok(case)
    }

    /// A blank in the station's custody.
    fn blank(&mut self) -> Result<InProcess, Trouble> {
        self.tick();
        self.chips += 1;
        let serial = hardware_sim::serial(CHIP_SEED, self.chips);
        let keys = MasterKey::from_bytes(&TRANSPORT_MASTER)?.diversify(&serial, hardware_sim::TRANSPORT_KEY_VERSION);
        let store = Store::directory(self.house.chip_folder(&serial.to_string()))?;
        let chip = Chip::blank(Profile::default(), serial, keys, CHIP_SEED, store)?;
        let batch = format!("batch-{}", self.chips);
        self.people.stock.takes_in(&batch, &[serial.to_string()], &self.index.station.id)?;
        Ok(InProcess::new(chip))
    }

    fn initialised(&mut self) -> Result<InProcess, Trouble> {
        let chip = self.blank()?;
        self.station()?.run(Kind::Intake, &chip)?;
        Ok(chip)
    }
}

fn present(chip: &InProcess) -> Result<perso::Presentation, Trouble> {
    chip.chip().reset();
    Ok(perso::present(&mut chip.clone())?)
}

/// The same portrait in a mirror: another object.
fn another_photograph() -> Result<Vec<u8>, Trouble> {
    let picture = image::load_from_memory(&citizen::photograph())?.fliph();
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg)?;
    Ok(jpeg.into_inner())
}

fn files_below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// Nine o'clock in the morning in Viet Nam.
const BEGINS: OffsetDateTime = datetime!(2026-11-24 02:00 UTC);
/// The command of a personalization after which the power fails: the chip has its files and is no card yet.
const HALF_WAY: u64 = 11;
/// Holds the object that is missing in the house.
pub const MISSING: &str = "portrait-of-the-held";
/// The manufacturer's master of transport keys.
const TRANSPORT_MASTER: [u8; 16] = [0x42; 16];
