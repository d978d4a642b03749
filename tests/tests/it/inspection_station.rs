//! The station on the bench: after every cut and every refusal, the journal lets the next run resume.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use card_agent::failure::{Code, Failure};
use card_agent::session::{Session, Stop};
use card_agent::station::journal::{Journal, Kind};
use card_agent::station::{Done, Station};
use card_agent::transport::{Reader, TransportError};
use crypto::apdu::{Command, Response};
use crypto::conversation::CardTransport;
use crypto::perso::LifeCycle;
use crypto::perso::problem::ProblemCode;
use hardware_sim::faults::{Fault, Plan};
use hardware_sim::{InProcess, Profile};

use crate::inspection_bench::{Bench, Desk, now};

fn run(desk: &Desk, folder: &Path, chip: &InProcess, kind: Kind) -> Result<Done, Failure> {
    let mut station = Station::new(desk, Journal::open(folder).unwrap(), now).trusting(desk.bundle(vec![]));
    let done = station.run(kind, &mut Session::new(Bench(chip.clone())), "bench");
    if done.is_ok() {
        assert!(station.unfinished().is_empty(), "{:?}", station.unfinished());
    }
    done
}

fn unfinished(folder: &Path) -> usize {
    Journal::open(folder).unwrap().unfinished().len()
}

#[test]
fn a_blank_becomes_stock_and_stock_becomes_a_card() {
    let (desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
    let chip = desk.blank(Profile::default());
    let serial = chip.chip().serial();
    let done = run(&desk, folder.path(), &chip, Kind::Intake).unwrap();
    assert_eq!((done.outcome.word(), done.attempts, done.resumed), ("initialised", 1, false));
    let before = chip.commands();
    let done = run(&desk, folder.path(), &chip, Kind::Personalize).unwrap();
    assert_eq!((done.outcome.word(), done.attempts, done.resumed), ("personalized", 1, false));
    println!("personalization with read-back, extended length: {} commands", chip.commands() - before);
    assert!(desk.is_personalized(serial));
    let again = run(&desk, folder.path(), &chip, Kind::Personalize).unwrap_err();
    assert_eq!(again.code, Code::NothingToPersonalize);
    assert_eq!(unfinished(folder.path()), 0);
}

#[test]
fn a_short_chip_is_personalized_too() {
    let (desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
    let chip = desk.blank(Profile::short());
    run(&desk, folder.path(), &chip, Kind::Intake).unwrap();
    let before = chip.commands();
    run(&desk, folder.path(), &chip, Kind::Personalize).unwrap();
    println!("personalization with read-back, short APDUs: {} commands", chip.commands() - before);
}

#[test]
fn a_cut_at_any_command_is_resumed_to_one_proved_card() {
    let mut cuts = 0;
    for fault in [Fault::TearBefore, Fault::TearAfter] {
        for kind in [Kind::Intake, Kind::Personalize] {
            for at in 1.. {
                let (desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
                let chip = desk.blank(Profile::default());
                let serial = chip.chip().serial();
                if kind == Kind::Personalize {
                    run(&desk, folder.path(), &chip, Kind::Intake).unwrap();
                }
                chip.chip().fail(Plan::at(at, fault));
                let cut = run(&desk, folder.path(), &chip, kind);
                chip.chip().fail(Plan::default());
                if cut.is_ok() {
                    break;
                }
                cuts += 1;
                assert_eq!(cut.unwrap_err().code, Code::CardRemoved, "{fault:?} at {at} of {kind:?}");
                let done = run(&desk, folder.path(), &chip, kind)
                    .unwrap_or_else(|failure| panic!("{fault:?} at {at} of {kind:?}: {failure}"));
                assert!(done.attempts <= 2, "{fault:?} at {at} of {kind:?}: {done:?}");
                match kind {
                    Kind::Intake => assert!(desk.is_initialised(serial)),
                    Kind::Personalize => assert!(desk.is_personalized(serial)),
                }
                assert_eq!(unfinished(folder.path()), 0);
            }
        }
    }
    println!("{cuts} cuts, all resumed");
    assert!(cuts > 40, "{cuts}");
}

#[test]
fn a_receipt_that_the_network_swallowed_is_reported_on_the_next_start() {
    let (desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
    let chip = desk.blank(Profile::default());
    *desk.unreachable.borrow_mut() = true;
    assert_eq!(run(&desk, folder.path(), &chip, Kind::Intake).unwrap_err().code, Code::ServiceUnreachable);
    assert_eq!(chip.chip().life_cycle(), LifeCycle::Blank);
    *desk.unreachable.borrow_mut() = false;
    assert!(run(&desk, folder.path(), &chip, Kind::Intake).unwrap().resumed);
}

/// A reader with a bad contact, which spoils the card cryptogram of each INITIALIZE UPDATE.
struct BadContact(Bench);

impl CardTransport for BadContact {
    type Error = TransportError;

    fn transmit(&mut self, command: &Command) -> Result<Response, TransportError> {
        let mut answer = self.0.transmit(command)?;
        if command.ins == 0x50
            && let Some(last) = answer.data.last_mut()
        {
            *last ^= 1;
        }
        Ok(answer)
    }
}

impl Reader for BadContact {
    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.reset()
    }
}

#[test]
fn a_chip_that_proves_nothing_after_three_orders_is_spoiled_and_accounted_for() {
    let (desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
    let chip = desk.blank(Profile::default());
    let serial = chip.chip().serial();
    let mut station = Station::new(&desk, Journal::open(folder.path()).unwrap(), now);
    let mut session = Session::new(BadContact(Bench(chip)));
    let failure = station.run(Kind::Intake, &mut session, "bench").unwrap_err();
    assert_eq!(failure.code, Code::ChipSpoiled, "{failure}");
    assert_eq!(desk.spoiled(serial).as_deref(), Some("orders-exhausted"));
    assert!(!desk.is_initialised(serial));
    assert_eq!(unfinished(folder.path()), 0);
}

#[test]
fn another_chip_in_the_reader_does_not_take_the_place_of_an_unfinished_one() {
    let (desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
    let (first, second) = (desk.blank(Profile::default()), desk.blank(Profile::default()));
    first.chip().fail(Plan::at(12, Fault::TearAfter));
    run(&desk, folder.path(), &first, Kind::Intake).unwrap_err();
    first.chip().fail(Plan::default());
    let refused = run(&desk, folder.path(), &second, Kind::Intake).unwrap_err();
    assert_eq!(refused.code, Code::UnfinishedEntry);
    assert!(refused.detail.contains(&first.chip().serial().to_string()));
    let lost = first.chip().serial();
    let mut station = Station::new(&desk, Journal::open(folder.path()).unwrap(), now);
    station.spoil(lost, "bench", "fell-into-the-shredder").unwrap();
    assert_eq!(desk.spoiled(lost).as_deref(), Some("fell-into-the-shredder"));
    run(&desk, folder.path(), &second, Kind::Intake).unwrap();
}

#[test]
fn a_refused_request_leaves_the_chip_untouched_and_nothing_unfinished() {
    let (desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
    let chip = desk.blank(Profile::default());
    *desk.refuses.borrow_mut() = Some(ProblemCode::ChipInOtherCustody);
    let refused = run(&desk, folder.path(), &chip, Kind::Intake).unwrap_err();
    assert_eq!(refused.code, Code::ServiceRefusedChip);
    assert_eq!(refused.problem.unwrap().code, ProblemCode::ChipInOtherCustody);
    assert_eq!((chip.chip().life_cycle(), unfinished(folder.path())), (LifeCycle::Blank, 0));
}

#[test]
fn ctrl_c_stops_before_the_next_command_and_the_next_start_resumes() {
    let (desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
    let chip = desk.blank(Profile::default());
    let stop = Stop::default();
    stop.request();
    let mut station = Station::new(&desk, Journal::open(folder.path()).unwrap(), now);
    let mut session = Session::new(Bench(chip.clone())).stopping(stop);
    assert_eq!(station.run(Kind::Intake, &mut session, "bench").unwrap_err().code, Code::Interrupted);
    assert_eq!(chip.commands(), 0);
    run(&desk, folder.path(), &chip, Kind::Intake).unwrap();
}
