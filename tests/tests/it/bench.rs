//! A counter on the bench: real offices behind it, chips in process before it, so that each command can be watched.

use card_agent::client::HttpService;
use card_agent::failure::Failure;
use card_agent::session::Session;
use card_agent::station::journal::{Journal, Kind};
use card_agent::station::{Done, Folder, Station};
use card_agent::transport::{Reader, TransportError};
use crypto::apdu::{Command, Response};
use crypto::conversation::CardTransport;
use hardware_sim::{Chip, InProcess, InProcessError, Profile, Store};
use tests::citizen;
use tests::road::{Issued, text};
use tests::world::{OFFICE, Offices, Options};
use time::OffsetDateTime;

/// When a station dies, counted in commands from 1.
#[derive(Clone, Copy, Debug)]
pub enum Death {
    /// With the answer in its hands.
    After(u64),
    /// Before it sends.
    Before(u64),
}

/// What a dying station says; a panic with other words is a real one.
pub const LAST_WORDS: &str = "power cut at the station";

/// The reader on the bench: the chip in process, and a station that may die at a command.
pub struct Bench {
    chip: InProcess,
    sent: u64,
    dies: Option<Death>,
}

impl CardTransport for Bench {
    type Error = TransportError;

    fn transmit(&mut self, command: &Command) -> Result<Response, TransportError> {
        self.sent += 1;
        assert!(!matches!(self.dies, Some(Death::Before(n)) if n == self.sent), "{LAST_WORDS}");
        let answer = self.chip.transmit(command).map_err(|error| match error {
            InProcessError::Fault(fault) => TransportError::Fault(fault),
            InProcessError::Gone => TransportError::Removed,
        });
        assert!(!matches!(self.dies, Some(Death::After(n)) if n == self.sent), "{LAST_WORDS}");
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
pub struct Counter {
    /// Service, people, station.
    pub offices: Offices,
    /// The service as the station sees it.
    pub service: HttpService,
    chips: u32,
}

const READER: &str = "bench";

impl Counter {
    /// Opens it.
    pub fn open(dir: &std::path::Path) -> Self {
        let offices = Offices::begin(dir, &Options::default()).unwrap();
        let service = Folder::new(offices.dir.join("station")).service().unwrap();
        Self { offices, service, chips: 0 }
    }

    /// A blank, delivered and in this station's custody.
    pub fn blank(&mut self) -> InProcess {
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

    /// Someone waits for a card; the number only makes the birth dates differ.
    pub fn approved(&self, person: u32) -> Issued {
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
    pub fn run(&self, kind: Kind, chip: &InProcess, dies: Option<Death>) -> Result<Done, Failure> {
        let journal = Journal::open(&self.offices.dir.join("station")).unwrap();
        let mut station = Station::new(&self.service, journal, OffsetDateTime::now_utc);
        let mut session = Session::new(Bench { chip: chip.clone(), sent: 0, dies });
        station.run(kind, &mut session, READER)
    }

    /// What the ledger says of the chip.
    pub fn stock(&self, chip: &InProcess) -> String {
        let serial = chip.chip().serial();
        text(&self.offices.officers.stock.get(&format!("/api/stock/{serial}")).unwrap(), "state")
    }
}
