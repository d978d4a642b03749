//! The power fails before and after every APDU of intake and of personalization: once at the chip, once at the station.
//! Presenting the chip again resumes: no blank is lost, no second card is made, no chip accepts personalization twice.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use card_agent::failure::Code;
use card_agent::station::journal::Kind;
use crypto::perso::LifeCycle;
use hardware_sim::InProcess;
use hardware_sim::faults::{Fault, Plan};
use tests::world::scratch;

use crate::bench::{Counter, Death, LAST_WORDS};

/// Where the power fails.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// The card is torn from the field before the chip has looked at the command.
    ChipBefore,
    /// The chip has executed the command; its answer is lost.
    ChipAfter,
    /// The station dies before it sends.
    StationBefore,
    /// The station dies after it has received the answer.
    StationAfter,
}

const CUTS: [Cut; 4] = [Cut::ChipBefore, Cut::ChipAfter, Cut::StationBefore, Cut::StationAfter];

/// Runs the station with one cut. Returns whether it came to the cut.
fn cut(counter: &Counter, kind: Kind, chip: &InProcess, how: Cut, at: u64) -> bool {
    match how {
        Cut::ChipBefore | Cut::ChipAfter => {
            let fault = if matches!(how, Cut::ChipBefore) { Fault::TearBefore } else { Fault::TearAfter };
            chip.chip().fail(Plan::at(at, fault));
            let ended = counter.run(kind, chip, None);
            chip.chip().fail(Plan::default());
            ended.is_err()
        }
        Cut::StationBefore | Cut::StationAfter => {
            let death = if matches!(how, Cut::StationBefore) { Death::Before(at) } else { Death::After(at) };
            catch_unwind(AssertUnwindSafe(|| counter.run(kind, chip, Some(death)))).is_err()
        }
    }
}

/// Runs `scenario` for every cut at the 1st, 2nd, … command until the cut comes too late. Returns how
/// many commands there were.
fn at_every_command(mut scenario: impl FnMut(Cut, u64) -> bool) -> BTreeMap<String, usize> {
    // A station's death is a panic here; 300 backtraces would hide the one that matters.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.to_string().contains(LAST_WORDS) {
            hook(info);
        }
    }));
    CUTS.into_iter().map(|how| (format!("{how:?}"), (1..1_000).take_while(|at| scenario(how, *at)).count())).collect()
}

#[test]
fn during_intake() {
    let scratch = scratch();
    let mut counter = Counter::open(&scratch.path().join("offices"));
    let commands = at_every_command(|how, at| {
        let chip = counter.blank();
        let reached = cut(&counter, Kind::Intake, &chip, how, at);
        if reached {
            let done =
                counter.run(Kind::Intake, &chip, None).unwrap_or_else(|e| panic!("{how:?} at command {at}: {e}"));
            assert_eq!(done.outcome.word(), "initialised", "{how:?} at command {at}");
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
        let reached = cut(&counter, Kind::Personalize, &chip, how, at);
        if reached {
            let done =
                counter.run(Kind::Personalize, &chip, None).unwrap_or_else(|e| panic!("{how:?} at command {at}: {e}"));
            assert_eq!(done.outcome.word(), "personalized", "{how:?} at command {at}");
        }
        assert_eq!(chip.chip().life_cycle(), LifeCycle::Personalized, "{how:?} at command {at}");
        assert_eq!(counter.stock(&chip), "personalized", "{how:?} at command {at}");
        assert_eq!(counter.serial_of(&issued), chip.chip().serial().to_string(), "{how:?} at command {at}");
        // The same chip never becomes another card.
        let again = counter.run(Kind::Personalize, &chip, None).expect_err("a card was personalized again");
        assert_eq!(again.code, Code::ServiceRefusedChip, "{again}");
        reached
    });
    println!("commands of a personalization with read-back, by cut: {commands:?}");
    assert!(commands.values().all(|n| *n >= 12), "{commands:?}");
}
