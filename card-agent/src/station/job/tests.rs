use std::cell::RefCell;

use crypto::conversation::CardTransport;
use crypto::perso::problem::About;
use crypto::perso::protocol::Next;

use super::*;
use crate::client::PersonalizationOrder;
use crate::transport::TransportError;

/// A service that gives every request the same answer, and remembers the keys of the accounts.
struct Same {
    answer: Result<Outcome, Problem>,
    accounts: RefCell<Vec<String>>,
}

impl Same {
    fn refusing(code: ProblemCode) -> Self {
        Self { answer: Err(Problem::new(code, 409, "")), accounts: RefCell::default() }
    }

    fn answering(outcome: Outcome) -> Self {
        Self { answer: Ok(outcome), accounts: RefCell::default() }
    }

    fn answer(&self) -> Result<Outcome, ServiceError> {
        self.answer.clone().map_err(|problem| ServiceError::Problem(Box::new(problem)))
    }
}

impl Service for Same {
    fn intake_order(&self, presentation: &Presentation, _: &IdempotencyKey) -> Result<Order, ServiceError> {
        let (serial, purpose) = (presentation.serial, perso::Purpose::Intake);
        self.answer().map(|_| Order { id: "o1".to_owned(), purpose, serial, commands: vec![] })
    }

    fn intake_receipt(&self, _: &Receipt, _: &IdempotencyKey) -> Result<Outcome, ServiceError> {
        self.answer()
    }

    fn personalization_order(
        &self,
        presentation: &Presentation,
        _: Option<&str>,
        key: &IdempotencyKey,
    ) -> Result<PersonalizationOrder, ServiceError> {
        let read_back = ReadBack { can: "000017".to_owned(), challenge: [1; 8] };
        let order = self.intake_order(presentation, key)?;
        Ok(PersonalizationOrder { order, read_back, slip: "A1".to_owned(), voucher: None, lease: None })
    }

    fn personalization_receipt(
        &self,
        _: &Receipt,
        _: Option<&ActiveAuthentication>,
        _: &IdempotencyKey,
    ) -> Result<Outcome, ServiceError> {
        self.answer()
    }

    fn spoiled(&self, _: &CardSerial, _: &str, _: &str, key: &IdempotencyKey) -> Result<(), ServiceError> {
        self.accounts.borrow_mut().push(key.as_str().to_owned());
        self.answer().map(drop)
    }
}

const SERIAL: CardSerial = CardSerial([7; 10]);

fn journal(folder: &tempfile::TempDir) -> Journal {
    Journal::open(folder.path()).expect("a journal")
}

fn station<'a>(service: &'a Same, folder: &tempfile::TempDir) -> Station<'a, Same> {
    Station::new(service, journal(folder), || OffsetDateTime::UNIX_EPOCH)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn presented(life_cycle: LifeCycle) -> Presentation {
    let (max_command, max_response) = (261, 258);
    Presentation { serial: SERIAL, life_cycle, key_version: 1, sequence_counter: 0, max_command, max_response }
}

fn receipt() -> Receipt {
    Receipt { order: "o1".to_owned(), responses: vec![vec![0x90, 0x00]] }
}

/// What came of `spoil`, and how many entries of the journal are left.
fn spoils(code: ProblemCode) -> (Result<(), Failure>, usize) {
    let (service, folder) = (Same::refusing(code), folder());
    let mut station = station(&service, &folder);
    let done = station.spoil(SERIAL, "reader", "bent");
    (done, station.unfinished().len())
}

#[test]
fn a_chip_counts_as_accounted_for_only_if_the_service_says_so() {
    assert!(matches!(spoils(ProblemCode::ChipSpoiled), (Ok(()), 0)), "it knew already");
    assert!(
        matches!(spoils(ProblemCode::ChipAlreadyPersonalized), (Err(_), 0)),
        "an officer must; the station is done"
    );
    assert!(matches!(spoils(ProblemCode::IdempotencyKeyInUse), (Err(_), 1)), "to be told again");
    assert!(matches!(spoils(ProblemCode::StationRevoked), (Err(_), 1)), "to be told again");
}

#[test]
fn a_chip_that_cannot_be_settled_is_named_with_what_to_do() {
    let (service, folder) = (Same::refusing(ProblemCode::BatchItemElsewhere), folder());
    let mut station = station(&service, &folder);
    let id = station.journal.begin(Kind::Personalize, SERIAL, "reader", OffsetDateTime::UNIX_EPOCH).expect("begun");
    station.note(id, Event::Ordered { order: "o1".to_owned() }).expect("noted");
    station.note(id, Event::Played { receipt: receipt() }).expect("noted");
    let failure = station.settle("reader", None).expect_err("its application is another chip's");
    assert_eq!((failure.code, station.unsettled()), (Code::ChipSpoiled, Some(SERIAL)));
    assert!(failure.detail.contains(&SERIAL.to_string()) && failure.detail.contains("waste"), "{}", failure.detail);
    station.settle("reader", None).expect("nothing is left to settle");
    assert_eq!(station.unsettled(), None);
}

#[test]
fn a_refused_order_ends_the_work_only_if_it_is_about_chip_or_application() {
    for code in ProblemCode::ALL {
        let (service, folder) = (Same::refusing(*code), folder());
        let mut station = station(&service, &folder);
        let id = station.journal.begin(Kind::Intake, SERIAL, "reader", OffsetDateTime::UNIX_EPOCH).expect("begun");
        let refused = station.order(id, Kind::Intake, &presented(LifeCycle::Blank), None).expect_err("refused");
        assert!(refused.problem.is_some_and(|problem| problem.code == *code));
        let ended = station.unfinished().is_empty();
        match code.about() {
            About::Chip => assert!(ended, "{code}"),
            About::Request => assert_eq!(ended, !is_of_form(*code), "{code}"),
            About::Service | About::Station => assert!(!ended, "{code}"),
        }
    }
}

#[test]
fn a_refused_receipt_asks_for_another_order_only_if_it_is_about_chip_or_application() {
    for code in ProblemCode::ALL {
        let (service, folder) = (Same::refusing(*code), folder());
        let mut station = station(&service, &folder);
        let id = station.journal.begin(Kind::Personalize, SERIAL, "reader", OffsetDateTime::UNIX_EPOCH).expect("begun");
        station.note(id, Event::Played { receipt: receipt() }).expect("noted");
        let reported = station.report(id, Kind::Personalize, &receipt(), None);
        if *code == ProblemCode::BatchItemElsewhere {
            assert_eq!(reported.expect_err("lost").code, Code::ChipSpoiled);
            assert!(station.unfinished().is_empty(), "the service has spoiled it by itself");
            assert!(service.accounts.borrow().is_empty());
            continue;
        }
        let stage = &station.unfinished().remove(0).stage;
        let judged = match code.about() {
            About::Chip => true,
            About::Request => !is_of_form(*code),
            About::Service | About::Station => false,
        };
        if judged {
            assert!(matches!(reported, Ok(None)), "{code}");
            assert_eq!(*stage, Stage::AwaitOrder, "{code}");
        } else {
            assert!(reported.expect_err("refused").problem.is_some(), "{code}");
            assert!(matches!(stage, Stage::AwaitReport { .. }), "{code}: the receipt is reported again");
        }
    }
}

fn is_of_form(code: ProblemCode) -> bool {
    let word = code.word();
    let of_key = ["idempotency-key-missing", "idempotency-key-malformed"].contains(&word);
    of_key
        || ["body-cut", "body-invalid", "body-malformed", "body-too-large"].contains(&word)
        || ["identifier-malformed", "method-not-allowed", "no-such-path", "query-malformed"].contains(&word)
}

#[test]
fn a_card_that_the_service_refuses_is_said_to_be_spoiled() {
    let (service, folder) = (Same::refusing(ProblemCode::ChipSpoiled), folder());
    let mut station = station(&service, &folder);
    let id = station.journal.begin(Kind::Personalize, SERIAL, "reader", OffsetDateTime::UNIX_EPOCH).expect("begun");
    station.note(id, Event::Ordered { order: "o1".to_owned() }).expect("noted");
    let failure = station.order(id, Kind::Personalize, &presented(LifeCycle::Personalized), None).expect_err("refused");
    assert_eq!(failure.code, Code::ChipSpoiled, "the operator must put it with the spoiled blanks");
    assert!(station.unfinished().is_empty());
}

#[test]
fn an_outcome_of_the_other_kind_finishes_nothing() {
    let (service, folder) = (Same::answering(Outcome::Initialised), folder());
    let mut station = station(&service, &folder);
    let id = station.journal.begin(Kind::Personalize, SERIAL, "reader", OffsetDateTime::UNIX_EPOCH).expect("begun");
    station.note(id, Event::Played { receipt: receipt() }).expect("noted");
    let reported = station.report(id, Kind::Personalize, &receipt(), None);
    assert_eq!(reported.expect_err("a card was to be made").code, Code::ServiceAnswer);
    assert_eq!(station.unfinished().len(), 1);
    assert!(matches!(station.report(id, Kind::Intake, &receipt(), None), Ok(Some(Outcome::Initialised))));
}

#[test]
fn an_incomplete_receipt_asks_for_another_order() {
    let (service, folder) = (Same::answering(Outcome::Incomplete { next: Next::Present }), folder());
    let mut station = station(&service, &folder);
    let id = station.journal.begin(Kind::Intake, SERIAL, "reader", OffsetDateTime::UNIX_EPOCH).expect("begun");
    assert!(matches!(station.report(id, Kind::Intake, &receipt(), None), Ok(None)));
    assert_eq!(station.unfinished()[0].stage, Stage::AwaitOrder);
}

#[test]
fn a_chip_spoiled_without_a_reader_is_accounted_for_by_the_next_run_and_holds_none_up() {
    let folder = folder();
    let down = Same::refusing(ProblemCode::DatabaseUnreachable);
    let mut first = station(&down, &folder);
    assert!(first.spoil(SERIAL, "", "lost").is_err());
    assert!(first.settle("reader", None).is_ok(), "a run in another reader goes on");
    assert_eq!(first.unfinished().len(), 1);
    let up = Same::answering(Outcome::Initialised);
    let mut second = station(&up, &folder);
    second.settle("reader", None).expect("settled");
    assert_eq!((second.unfinished().len(), up.accounts.borrow().len()), (0, 1));
}

#[test]
fn a_receipt_that_is_reported_late_finishes_its_work_and_is_told() {
    let folder = folder();
    let card = Outcome::Personalized { card_id: "c1".to_owned() };
    let service = Same::answering(card.clone());
    let mut station = station(&service, &folder);
    let id = station.journal.begin(Kind::Personalize, SERIAL, "reader", OffsetDateTime::UNIX_EPOCH).expect("begun");
    station.note(id, Event::Played { receipt: receipt() }).expect("noted");
    station.settle("another reader", None).expect("nothing to do");
    assert!(station.finished().is_empty());
    station.settle("reader", None).expect("settled");
    let [done] = station.finished() else { panic!("one chip") };
    assert_eq!((done.kind, done.serial, &done.outcome, done.resumed), (Kind::Personalize, SERIAL, &card, true));
    assert!(station.unfinished().is_empty());
}

#[test]
fn another_reason_is_another_request() {
    let (service, folder) = (Same::refusing(ProblemCode::DatabaseUnreachable), folder());
    let mut station = station(&service, &folder);
    for reason in ["bent", "bent", "lost"] {
        assert!(station.spoil(SERIAL, "", reason).is_err());
    }
    let accounts = service.accounts.borrow();
    assert_eq!(accounts[0], accounts[1], "the same request has the same key");
    assert_ne!(accounts[1], accounts[2], "the service would refuse another request under the same key");
}

#[test]
fn a_chip_is_not_written_off_without_a_reason() {
    let (service, folder) = (Same::answering(Outcome::Initialised), folder());
    let mut station = station(&service, &folder);
    assert_eq!(station.spoil(SERIAL, "", " ").expect_err("no reason").code, Code::InputUnusable);
    assert!(station.unfinished().is_empty(), "an entry that can never be accounted for");
}

/// A reader whose card was pulled.
struct Empty;

impl CardTransport for Empty {
    type Error = TransportError;

    fn transmit(&mut self, _: &crypto::apdu::Command) -> Result<crypto::apdu::Response, TransportError> {
        Err(TransportError::Removed)
    }
}

impl Reader for Empty {
    fn reset(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

#[test]
fn a_receipt_is_not_reported_by_two_readers_at_once() {
    let (service, folder) = (Same::answering(Outcome::Initialised), folder());
    let mut station = station(&service, &folder);
    let id = station.journal.begin(Kind::Intake, SERIAL, "reader", OffsetDateTime::UNIX_EPOCH).expect("begun");
    station.note(id, Event::Played { receipt: receipt() }).expect("noted");
    let at_another = station.journal.claim(SERIAL).expect("free");
    station.settle("reader", None).expect("nothing to do");
    assert_eq!((station.finished().len(), station.unfinished().len()), (0, 1));
    drop(at_another);
    station.settle("reader", None).expect("reported");
    assert_eq!((station.finished().len(), station.unfinished().len()), (1, 0));
}

#[test]
fn no_order_is_asked_for_once_the_disk_is_full() {
    let (service, folder) = (Same::answering(Outcome::Initialised), folder());
    let mut station = station(&service, &folder);
    let id = station.journal.begin(Kind::Intake, SERIAL, "reader", OffsetDateTime::UNIX_EPOCH).expect("begun");
    station.journal.fills();
    let refused = station.order(id, Kind::Intake, &presented(LifeCycle::Blank), None).expect_err("refused");
    assert_eq!(refused.code, Code::JournalUnusable);
    station.note(id, Event::Withdrawn { reason: "full".to_owned() }).expect("what was begun is written down");
}

#[test]
fn a_run_begins_with_no_strides_of_the_last_one() {
    let (service, folder) = (Same::refusing(ProblemCode::Internal), folder());
    let mut station = station(&service, &folder);
    station.strode("order", Instant::now());
    station.run(Kind::Intake, &mut Session::new(Empty), "reader").expect_err("no card");
    assert!(station.strides().is_empty());
}
