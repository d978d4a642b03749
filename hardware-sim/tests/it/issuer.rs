//! The commands of the issuer in every life cycle state, with and without a session.

use crypto::apdu::{Command, Status};
use crypto::command::generate_key_pair::{GenerateKeyPair, KeyUse};
use crypto::command::put_key::PutKey;
use crypto::command::set_status::SetStatus;
use crypto::command::store_data::StoreData;
use crypto::conversation::{CardTransport as _, converse};
use crypto::perso::{LifeCycle, Script, play, present, tag};
use crypto::scp03::{SecurityLevel, terminal};
use crypto::suite::Curve;
use hardware_sim::{InProcess, Profile};

use crate::cast::*;

fn chip_in(state: LifeCycle) -> InProcess {
    let mut card = blank(Profile::default());
    if state == LifeCycle::Blank {
        return card;
    }
    let keys = intake(&mut card).expect("the chip");
    if state == LifeCycle::Initialised {
        return card;
    }
    personalize(&mut card, &package(&keys)).expect("the chip");
    if state != LifeCycle::Personalized {
        tell(&mut card, state);
    }
    card
}

fn tell(card: &mut InProcess, state: LifeCycle) {
    let presentation = present(card).expect("the chip");
    let keys = issuer(presentation.serial);
    let script = Script::set_status(&keys, &presentation, state, &mut rng()).expect("an order");
    let (receipt, error) = play(card, &script.order("state"), &mut |_| {});
    assert_eq!(error, None);
    script.verify(&keys, &receipt).expect("a genuine receipt");
}

fn commands() -> Vec<(&'static str, Command)> {
    let serial = hardware_sim::serial(SEED, 0);
    let get = |tag: u16| Command::from(crypto::command::get_data::GetData::global_platform(tag));
    vec![
        ("report", get(tag::REPORT)),
        ("generate", GenerateKeyPair { key_use: KeyUse::ActiveAuthentication, curve: Curve::P256 }.into()),
        ("store", StoreData { last: true, block: 0, data: vec![0x80, 0x10, 6, 48, 48, 48, 48, 49, 55] }.into()),
        ("put key", PutKey::new(&issuer(serial), ISSUER_VERSION, &issuer(serial), 2).into()),
        ("to personalized", SetStatus { life_cycle: LifeCycle::Personalized }.into()),
        ("to initialised", SetStatus { life_cycle: LifeCycle::Initialised }.into()),
        ("to blank", SetStatus { life_cycle: LifeCycle::Blank }.into()),
    ]
}

#[test]
fn without_a_session_the_issuers_commands_are_closed_in_every_state() {
    for state in LifeCycle::ALL {
        let mut card = chip_in(state);
        for (name, command) in commands() {
            card.chip().reset();
            assert_eq!(card.transmit(&Command::new(0xa4, 4, 12).data(AID)).expect("the chip").status, Status::SUCCESS);
            let answer = card.transmit(&command).expect("the chip");
            assert_eq!((answer.status, answer.data.len()), (Status::SECURITY_NOT_SATISFIED, 0), "{name}, {state}");
        }
    }
}

#[test]
fn in_a_session_each_state_takes_what_belongs_to_it_and_nothing_goes_back() {
    for (state, allowed) in [
        (LifeCycle::Blank, &["report", "generate"][..]),
        (LifeCycle::Initialised, &["report", "store"]),
        (LifeCycle::Personalized, &["report"]),
        (LifeCycle::Locked, &["report"]),
    ] {
        for (name, command) in commands() {
            let mut card = chip_in(state);
            let presentation = present(&mut card).expect("the chip");
            let blank = state == LifeCycle::Blank;
            let keys = if blank { transport(presentation.serial) } else { issuer(presentation.serial) };
            let talk = terminal::Authentication::new(&keys, presentation.key_version, SecurityLevel::FULL, [3; 8]);
            let mut session = converse(&mut card, talk).expect("the right keys").session;
            let sealed = session.wrap(&command);
            let answer = card.transmit(&sealed).expect("the chip");
            let status = session.unwrap(answer).expect("genuine").status;
            assert_eq!(status == Status::SUCCESS, allowed.contains(&name), "{name} in {state}: {status}");
            assert_eq!(card.chip().life_cycle(), state);
        }
    }
}

#[test]
fn a_locked_chip_has_no_readable_application_and_a_terminated_one_opens_no_session() {
    let mut card = chip_in(LifeCycle::Locked);
    assert_eq!(say(&card, "00A4040C07A0000002471001"), "6A82");
    assert_eq!(say(&card, "00A4020C02011C"), "6A82");
    tell(&mut card, LifeCycle::Terminated);
    card.chip().reset();
    assert_eq!(say(&card, "00A4040C08A000000151000000"), "9000");
    assert_eq!(say(&card, "80CADF2100"), "6982");
    assert_eq!(say(&card, "80CADF2000"), "DF2001FF9000");
    assert_eq!(say(&card, "80500000080102030405060708 00"), "6985");
}

#[test]
fn the_sequence_counter_is_spent_before_the_session_and_an_order_can_be_played_once() {
    let mut card = chip_in(LifeCycle::Initialised);
    let presentation = present(&mut card).expect("the chip");
    let keys = issuer(presentation.serial);
    let script = Script::report(&keys, &presentation, &mut rng()).expect("an order");
    let order = script.order("once");
    let (receipt, _) = play(&mut card, &order, &mut |_| {});
    script.verify(&keys, &receipt).expect("the first time");
    let (again, _) = play(&mut card, &order, &mut |_| {});
    assert_eq!(again.responses.len(), 3, "stops at EXTERNAL AUTHENTICATE");
    assert!(script.verify(&keys, &again).is_err());
    let after = present(&mut card).expect("the chip");
    assert_eq!(after.sequence_counter, presentation.sequence_counter + 2);
}

#[test]
fn the_order_for_one_chip_is_refused_by_another() {
    let mut one = InProcess::new(blank_in(hardware_sim::Store::memory(), Profile::default(), 0));
    let mut two = InProcess::new(blank_in(hardware_sim::Store::memory(), Profile::default(), 1));
    let (of_one, of_two) = (intake(&mut one).expect("the chip"), intake(&mut two).expect("the chip"));
    assert_ne!(of_one, of_two);
    let presentation = present(&mut one).expect("the chip");
    let keys = issuer(presentation.serial);
    let script = Script::personalize(&keys, &presentation, &package(&of_one), &mut rng()).expect("an order");
    let order = script.order("for one");
    let (receipt, _) = play(&mut two, &order, &mut |_| {});
    assert!(script.verify(&keys, &receipt).is_err());
    assert_eq!(two.chip().life_cycle(), LifeCycle::Initialised);
    let (receipt, _) = play(&mut one, &order, &mut |_| {});
    script.verify(&keys, &receipt).expect("its own chip took it");
}

#[test]
fn a_chip_is_closed_only_by_the_session_that_brought_the_whole_package() {
    let mut card = chip_in(LifeCycle::Initialised);
    let presentation = present(&mut card).expect("the chip");
    let keys = issuer(presentation.serial);
    let talk = terminal::Authentication::new(&keys, presentation.key_version, SecurityLevel::FULL, [3; 8]);
    let mut session = converse(&mut card, talk).expect("the right keys").session;
    let close = SetStatus { life_cycle: LifeCycle::Personalized };
    for (command, status) in [
        (StoreData { last: false, block: 0, data: vec![0x01, 0x1e, 2, 0x60, 0] }.into(), 0x9000),
        (Command::from(close), 0x6985),
        (StoreData { last: false, block: 2, data: vec![1] }.into(), 0x6a86),
        (StoreData { last: true, block: 1, data: vec![0x80, 0x10, 6, 48] }.into(), 0x6a80),
        (StoreData { last: true, block: 1, data: vec![0x80, 0x10, 6, 48, 48, 48, 48, 49, 55] }.into(), 0x9000),
        (Command::from(close), 0x6985), // the MRZ is missing
    ] {
        let sealed = session.wrap(&command);
        let answer = card.transmit(&sealed).expect("the chip");
        assert_eq!(session.unwrap(answer).expect("genuine").status, Status(status), "{command:?}");
    }
}

#[test]
fn a_package_that_did_not_fit_does_not_make_a_personalized_chip() {
    let mut card = chip_in(LifeCycle::Initialised);
    let presentation = present(&mut card).expect("the chip");
    let keys = issuer(presentation.serial);
    let talk = terminal::Authentication::new(&keys, presentation.key_version, SecurityLevel::FULL, [3; 8]);
    let mut session = converse(&mut card, talk).expect("the right keys").session;
    let close: Command = SetStatus { life_cycle: LifeCycle::Personalized }.into();
    let grouping = |tag: u16, content: &[u8]| {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [&tag.to_be_bytes()[..], &[0xff], &length, content].concat()
    };
    let passwords = [grouping(0x8010, b"000017"), grouping(0x8011, &[1; 20])].concat();
    let mut blocks = vec![(passwords, 0x9000)];
    for (group, status) in [(1, 0x9000), (2, 0x9000), (3, 0x9000), (4, 0x9000), (13, 0x6a84)] {
        blocks.push((grouping(0x0100 + group, &vec![0; 32_000]), status));
    }
    let last = blocks.len() - 1;
    for (block, (data, status)) in blocks.into_iter().enumerate() {
        let command = StoreData { last: block == last, block: u8::try_from(block).expect("few"), data };
        let answer = card.transmit(&session.wrap(&command.into())).expect("the chip");
        assert_eq!(session.unwrap(answer).expect("genuine").status, Status(status), "block {block}");
    }
    let answer = card.transmit(&session.wrap(&close)).expect("the chip");
    assert_eq!(session.unwrap(answer).expect("genuine").status, Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(card.chip().life_cycle(), LifeCycle::Initialised);
}

#[test]
fn between_initialize_update_and_external_authenticate_no_other_secured_command_is_served() {
    let card = chip_in(LifeCycle::Initialised);
    assert_eq!(say(&card, "00A4040C08A000000151000000"), "9000");
    assert!(say(&card, "80500000080102030405060708 00").ends_with("9000"));
    assert_eq!(say(&card, "84CADF2000"), "6982", "its MAC was not checked");
    assert_eq!(say(&card, &format!("8482330010{}", "00".repeat(16))), "6982", "and the dialogue is over");
}

const AID: [u8; 8] = crypto::scp03::ISSUER_SECURITY_DOMAIN;
