//! The power fails before and after every APDU of intake and of personalization: once at the chip, once at the station. Whatever was
//! begun is resumed by presenting the chip again: no lost blank, no second card, no chip that accepts personalization again.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use card_agent::client::HttpService;
use card_agent::failure::{Code, Failure};
use card_agent::session::Session;
use card_agent::station::journal::{Journal, Kind};
use card_agent::station::{Done, Folder, Station};
use card_agent::transport::{Reader, TransportError};
use crypto::apdu::{Command, Response};
use crypto::conversation::Card;
use crypto::perso::LifeCycle;
use hardware_sim::faults::{Fault, Plan};
use hardware_sim::{Chip, InProcess, InProcessError, Profile, Store};
use tests::citizen;
use tests::road::{Issued, text};
use tests::world::{OFFICE, Offices, Options, scratch};
use time::OffsetDateTime;

/// Where the power fails.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// The card is torn from the field before the chip has looked at the command.
    ChipBefore,
    /// The chip has done what was asked; its answer does not leave.
    ChipAfter,
    /// The station dies before it sends.
    StationBefore,
    /// The station dies with the answer in its hands.
    StationAfter,
}

const CUTS: [Cut; 4] = [Cut::ChipBefore, Cut::ChipAfter, Cut::StationBefore, Cut::StationAfter];

/// The reader on the bench: the chip in process, and a station that may die at a command.
struct Bench {
    chip: InProcess,
    sent: u64,
    dies: Option<(Cut, u64)>,
}

impl Card for Bench {
    type Error = TransportError;

    fn transmit(&mut self, command: &Command) -> Result<Response, TransportError> {
        self.sent += 1;
        let dies = |cut: fn(Cut) -> bool| self.dies.is_some_and(|(how, at)| at == self.sent && cut(how));
        assert!(!dies(|c| matches!(c, Cut::StationBefore)), "power cut at the station");
        let answer = self.chip.transmit(command).map_err(|error| match error {
            InProcessError::Fault(fault) => TransportError::Fault(fault),
            InProcessError::Gone => TransportError::Removed,
        });
        assert!(!dies(|c| matches!(c, Cut::StationAfter)), "power cut at the station");
        answer
    }
}

impl Reader for Bench {
    fn reset(&mut self) -> Result<(), TransportError> {
        self.chip.chip().reset();
        Ok(())
    }
}

/// A station with real offices behind it and chips from a drawer.
struct Counter {
    offices: Offices,
    service: HttpService,
    chips: u32,
}

const READER: &str = "bench";

impl Counter {
    fn open(dir: &std::path::Path) -> Self {
        let offices = Offices::begin(dir, &Options::default()).unwrap();
        let service = Folder::new(offices.dir.join("station")).service().unwrap();
        Self { offices, service, chips: 0 }
    }

    /// A blank, delivered and in this station's custody.
    fn blank(&mut self) -> InProcess {
        let master = hardware_sim::transport_master(&self.offices.transport_master().to_string_lossy()).unwrap();
        let serial = hardware_sim::serial(9, self.chips);
        self.chips += 1;
        let keys = master.diversify(&serial, hardware_sim::TRANSPORT_KEY_VERSION);
        let chip = Chip::blank(Profile::default(), serial, keys, 9, Store::memory()).unwrap();
        self.offices
            .officers
            .stock
            .takes_in(&format!("cut-{}", self.chips), &[serial.to_string()], &self.offices.station_id)
            .unwrap();
        InProcess::new(chip)
    }

    fn approved(&self, person: u32) -> Issued {
        let officers = &self.offices.officers;
        let declaration = citizen::declaration_of(
            "Nguyễn Văn Thử",
            &format!("{:02}/{:02}/1975", 1 + person % 28, 1 + person / 28 % 12),
            "Nam",
        );
        let person = text(&officers.registrar.declares(&declaration).unwrap(), "person_id");
        let number = text(&officers.registrar.numbers(&person).unwrap(), "personal_number");
        let application = text(&officers.capture.applies(&person, "first", None, OFFICE).unwrap(), "id");
        let captured = officers.capture.captures(&application, &citizen::photograph(), citizen::FEATURES).unwrap();
        officers.approver.approves(&application).unwrap();
        Issued { person, number, application, slip: text(&captured, "slip"), card: String::new() }
    }

    /// The station starts, opens its journal, does its work, stops.
    fn run(&self, kind: Kind, chip: &InProcess, dies: Option<(Cut, u64)>) -> Result<Done, Failure> {
        let journal = Journal::open(&self.offices.dir.join("station")).unwrap();
        let mut station = Station::new(&self.service, journal, OffsetDateTime::now_utc);
        let mut session = Session::new(Bench { chip: chip.clone(), sent: 0, dies });
        station.run(kind, &mut session, READER)
    }

    /// One cut; whether it was reached.
    fn cut(&self, kind: Kind, chip: &InProcess, how: Cut, at: u64) -> bool {
        match how {
            Cut::ChipBefore | Cut::ChipAfter => {
                let fault = if matches!(how, Cut::ChipBefore) { Fault::TearBefore } else { Fault::TearAfter };
                chip.chip().fail(Plan::at(at, fault));
                let ended = self.run(kind, chip, None);
                chip.chip().fail(Plan::default());
                ended.is_err()
            }
            Cut::StationBefore | Cut::StationAfter => {
                catch_unwind(AssertUnwindSafe(|| self.run(kind, chip, Some((how, at))))).is_err()
            }
        }
    }

    fn stock(&self, chip: &InProcess) -> String {
        let serial = chip.chip().serial();
        text(&self.offices.officers.stock.get(&format!("/api/stock/{serial}")).unwrap(), "state")
    }
}

/// Runs `scenario` for every cut at the 1st, 2nd, … command until the cut comes too late; gives how many commands there were.
fn at_every_command(mut scenario: impl FnMut(Cut, u64) -> bool) -> BTreeMap<String, u64> {
    // A station's death is a panic here; 300 backtraces would hide the one that matters.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.to_string().contains("power cut at the station") {
            hook(info);
        }
    }));
    CUTS.into_iter().map(|how| (format!("{how:?}"), (1..).take_while(|at| scenario(how, *at)).count() as u64)).collect()
}

#[test]
fn during_intake() {
    let scratch = scratch();
    let mut counter = Counter::open(&scratch.path().join("offices"));
    let commands = at_every_command(|how, at| {
        let chip = counter.blank();
        let reached = counter.cut(Kind::Intake, &chip, how, at);
        if reached {
            let done =
                counter.run(Kind::Intake, &chip, None).unwrap_or_else(|e| panic!("{how:?} at command {at}: {e}"));
            assert_eq!(done.outcome.outcome, "initialised", "{how:?} at command {at}");
        }
        assert_eq!(chip.chip().life_cycle(), LifeCycle::Initialised, "{how:?} at command {at}");
        assert_eq!(counter.stock(&chip), "initialised", "{how:?} at command {at}");
        reached
    });
    println!("commands of an intake, by cut: {commands:?}");
    assert!(commands.values().all(|n| *n >= 8), "{commands:?}");
}

#[test]
fn during_personalization() {
    let scratch = scratch();
    let mut counter = Counter::open(&scratch.path().join("offices"));
    let mut person = 0;
    let commands = at_every_command(|how, at| {
        let chip = counter.blank();
        counter.run(Kind::Intake, &chip, None).unwrap();
        person += 1;
        let issued = counter.approved(person);
        let reached = counter.cut(Kind::Personalize, &chip, how, at);
        if reached {
            let done =
                counter.run(Kind::Personalize, &chip, None).unwrap_or_else(|e| panic!("{how:?} at command {at}: {e}"));
            assert_eq!(done.outcome.outcome, "personalized", "{how:?} at command {at}");
        }
        assert_eq!(chip.chip().life_cycle(), LifeCycle::Personalized, "{how:?} at command {at}");
        assert_eq!(counter.stock(&chip), "personalized", "{how:?} at command {at}");
        let application =
            counter.offices.officers.capture.get(&format!("/api/applications/{}", issued.application)).unwrap();
        let card =
            counter.offices.officers.counter.get(&format!("/api/cards/{}", text(&application, "card_id"))).unwrap();
        assert_eq!(text(&card, "serial"), chip.chip().serial().to_string(), "{how:?} at command {at}");
        // The same chip is nobody else's card, whoever waits for one.
        let again = counter.run(Kind::Personalize, &chip, None).expect_err("a card was personalized again");
        assert_eq!(again.code, Code::ServiceRefused, "{again}");
        reached
    });
    println!("commands of a personalization with read-back, by cut: {commands:?}");
    assert!(commands.values().all(|n| *n >= 12), "{commands:?}");
}
