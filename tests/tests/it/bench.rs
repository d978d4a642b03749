//! A station with real offices behind it and chips in the test's own process, so that a test can
//! intervene at each command.

use card_agent::client::HttpService;
use card_agent::failure::Failure;
use card_agent::session::Session;
use card_agent::station::journal::{Journal, Kind};
use card_agent::station::{Done, Folder, Station};
use card_agent::transport::{Reader, TransportError};
use crypto::apdu::{Command, Response};
use crypto::conversation::CardTransport;
use hardware_sim::{Chip, InProcess, InProcessError, Profile, Store};
use tests::ambient;
use tests::citizen::Citizen;
use tests::road::{self, Issued};
use tests::world::{Offices, Options};

/// The command at which a station dies, counted from 1.
#[derive(Clone, Copy, Debug)]
pub enum Death {
    /// After it has received the answer.
    After(u64),
    /// Before it sends.
    Before(u64),
}

/// The message of the panic that stands for a station's death; a panic with another message is a real one.
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

/// A station with real offices behind it, and chips that it makes as needed.
pub struct Counter {
    /// Service, officers, station.
    pub offices: Offices,
    /// The service as the station sees it.
    pub service: HttpService,
    chips: u32,
}

const READER: &str = "bench";

impl Counter {
    /// Begins the offices below `dir`.
    pub fn open(dir: &std::path::Path) -> Self {
        let offices = Offices::begin(dir, &Options::default()).unwrap();
        let service = Folder::new(offices.dir.join("station")).service().unwrap();
        Self { offices, service, chips: 0 }
    }

    /// Makes a blank that is delivered and in this station's custody.
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

    /// An approved application of the invented citizen with this number.
    pub fn approved(&self, citizen: u32) -> Issued {
        road::approved(&self.offices, &Citizen::invented(citizen)).unwrap()
    }

    /// Starts the station, opens its journal and works on this chip to the end, or to the station's death.
    pub fn run(&self, kind: Kind, chip: &InProcess, dies: Option<Death>) -> Result<Done, Failure> {
        let journal = Journal::open(&self.offices.dir.join("station")).unwrap();
        let mut station = Station::new(&self.service, journal, ambient::now);
        let mut session = Session::new(Bench { chip: chip.clone(), sent: 0, dies });
        station.run(kind, &mut session, READER)
    }

    /// Returns the chip's state in the ledger of stock.
    pub fn stock(&self, chip: &InProcess) -> String {
        road::stock_state(&self.offices, &chip.chip().serial().to_string()).unwrap()
    }

    /// Returns the serial number of the card that was personalized for this application.
    pub fn serial_of(&self, issued: &Issued) -> String {
        let card = road::card_of(&self.offices, issued).unwrap();
        road::text(&self.offices.officers.counter.card(&card).unwrap(), "serial")
    }
}
