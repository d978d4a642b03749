//! Planned faults: power cuts at every command and every write, pulled cards, wrong MACs.

use crypto::conversation::{CardTransport as _, Fault as Broken};
use crypto::lds::File;
use crypto::perso::{LifeCycle, present};
use hardware_sim::faults::{Fault, Plan};
use hardware_sim::hostile::Malice;
use hardware_sim::{Chip, InProcess, InProcessError, Profile, Store};

use crate::cast::*;

/// Carries out intake and personalization on a chip that fails by `plan`, as a station would: after a power cut it
/// begins again with a new presentation. Returns whether the plan cut the power.
fn recovers(plan: Plan, reopen: bool) -> bool {
    let store = Store::memory();
    let mut card = InProcess::new(blank_in(store.clone(), Profile::default(), 0));
    card.chip().fail(plan);
    let mut struck = false;
    let mut keys = None;
    for _attempt in 0..3 {
        let state = match present(&mut card) {
            Ok(presentation) => presentation.life_cycle,
            Err(_) => card.chip().life_cycle(), // the power was cut here; begin again
        };
        let done = match state {
            LifeCycle::Blank => intake(&mut card).map(|public| keys = Some(public)),
            LifeCycle::Initialised => {
                // The receipt may be lost; the service asks for a report then.
                let public = keys.clone().map_or_else(|| reported(&mut card), Ok);
                public.and_then(|public| personalize(&mut card, &package(&public)))
            }
            _ => break,
        };
        if done.is_ok() && card.chip().life_cycle() == LifeCycle::Initialised {
            let public = keys.clone().expect("intake gave them");
            if personalize(&mut card, &package(&public)).is_ok() {
                break;
            }
        }
        if !card.chip().is_powered() {
            struck = true;
            if reopen {
                let plan_is_over = Chip::open(store.clone(), SEED).expect("the last committed state");
                card = InProcess::new(plan_is_over);
            } else {
                card.chip().insert();
            }
        }
    }
    assert_eq!(card.chip().life_cycle(), LifeCycle::Personalized);
    card.chip().fail(Plan::default());
    card.chip().insert();
    let mut reader = pace(&card, can()).expect("PACE");
    read(&mut reader, File::Sod, 2_000).expect("readable");
    struck
}

fn reported(card: &mut InProcess) -> Result<crypto::perso::PublicKeys, InProcessError> {
    let presentation = present(card)?;
    let keys = issuer(presentation.serial);
    let script = crypto::perso::Script::report(&keys, &presentation, &mut rng()).expect("an order");
    let (receipt, error) = crypto::perso::play(card, &script.order("report"), &mut |_| {});
    match error {
        Some(error) => Err(error),
        None => Ok(script.verify(&keys, &receipt).expect("genuine").public_keys.expect("both pairs")),
    }
}

#[test]
fn a_power_cut_before_or_after_any_command_is_recovered() {
    for fault in [Fault::TearBefore, Fault::TearAfter] {
        let mut n = 1;
        while recovers(Plan::at(n, fault), n % 2 == 0) {
            n += 1;
        }
        assert!(n > 15, "only {n} commands were cut");
    }
}

#[test]
fn a_torn_write_is_recovered_wherever_it_happens() {
    let mut n = 1;
    while recovers(Plan::torn_write(n), n % 2 == 0) {
        n += 1;
    }
    assert!(n > 8, "only {n} writes were torn");
}

#[test]
fn a_lost_answer_to_the_last_commit_leaves_a_personalized_chip() {
    let mut card = blank(Profile::default());
    let keys = intake(&mut card).expect("the chip");
    // Cuts the power after each command in turn, until that command is SET STATUS.
    for n in 1.. {
        card.chip().fail(Plan::at(n, Fault::TearAfter));
        let _ = personalize(&mut card, &package(&keys));
        card.chip().insert();
        if card.chip().life_cycle() == LifeCycle::Personalized {
            break;
        }
        assert!(n < 30);
    }
    assert!(personalize_again(&mut card, &keys), "a personalized chip is not written again");
}

fn personalize_again(card: &mut InProcess, keys: &crypto::perso::PublicKeys) -> bool {
    let mut presentation = present(card).expect("the chip");
    presentation.life_cycle = LifeCycle::Initialised; // a station that lies
    let secret = issuer(presentation.serial);
    let script =
        crypto::perso::Script::personalize(&secret, &presentation, &package(keys), &mut rng()).expect("an order");
    let (receipt, _) = crypto::perso::play(card, &script.order("again"), &mut |_| {});
    script.verify(&secret, &receipt).is_err()
}

#[test]
fn a_pulled_card_stays_out_until_it_is_inserted() {
    let mut card = personalized(Profile::default());
    card.chip().fail(Plan::at(1, Fault::Removed));
    assert_eq!(card.transmit(&crypto::apdu::Command::new(0xa4, 0, 12)), Err(InProcessError::Gone));
    card.chip().reset();
    assert_eq!(card.transmit(&crypto::apdu::Command::new(0xa4, 0, 12)), Err(InProcessError::Gone));
    card.chip().insert();
    assert_eq!(say(&card, "00A4000C"), "9000");
}

#[test]
fn a_wrong_mac_is_noticed_by_the_reader() {
    let card = personalized(Profile::default());
    let mut reader = pace(&card, can()).expect("PACE");
    card.chip().fail(Plan::at(2, Fault::WrongMac));
    let told = read(&mut reader, File::Com, 200);
    assert!(matches!(told, Err(InProcessError::Fault(Broken::Misbehaved(_)))), "{told:?}");
}

#[test]
fn hostile_chips_spoil_a_read_as_their_profile_says() {
    for (name, wanted) in [("empty-reads", "9000"), ("one-byte-reads", "319000"), ("truncated", "")] {
        let store = Store::memory();
        let mut card = InProcess::new(blank_in(store.clone(), Profile::default(), 0));
        let keys = intake(&mut card).expect("the chip");
        personalize(&mut card, &package(&keys)).expect("the chip");
        drop(card);
        let mut state = store.load().expect("a chip");
        state.profile = Profile::hostile(Malice::named(name).expect("in the table"));
        store.commit(&state, false).expect("memory");
        let card = InProcess::new(Chip::open(store, SEED).expect("the chip"));
        let said = say(&card, "00B09C0004");
        assert!(if wanted.is_empty() { said.len() < 12 } else { said == wanted }, "{name} {said}");
    }
}
