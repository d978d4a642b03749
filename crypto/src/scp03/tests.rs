//! The nine published sessions byte for byte on both sides; then both sides against each other; then every flipped bit.

use proptest::prelude::*;
use serde_json::Value;

use super::chip::{Opening, Request};
use super::terminal::{Authentication, Prediction};
use super::*;
use crate::apdu::{Command, Response, Status};
use crate::conversation::{Conversation, Fault, Reply, Respondent, Turn};
use crate::identity::CardSerial;

const SERIAL: CardSerial = CardSerial([0x5a; 10]);
const VERSION: u8 = 0x30;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/gp_scp03.json")).expect("a vector file")
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a string")).expect("hexadecimal")
}

fn byte(value: &Value) -> u8 {
    bytes(value)[0]
}

fn command(value: &Value) -> Command {
    Command::parse(&bytes(value)).expect("a command")
}

/// Everything a published session is made of.
struct Published {
    name: String,
    keys: KeySet,
    version: u8,
    level: SecurityLevel,
    session: Value,
    aid: Vec<u8>,
}

fn published() -> Vec<Published> {
    let vectors = vectors();
    let sessions = vectors["sessions"].as_array().expect("sessions").clone();
    sessions
        .into_iter()
        .map(|session| Published {
            name: format!("{} level {}", session["keyset"], session["security_level"]),
            keys: KeySet::new(&bytes(&session["ENC"]), &bytes(&session["MAC"]), &bytes(&session["DEK"])).unwrap(),
            version: byte(&session["kvn"]),
            level: SecurityLevel::from_byte(byte(&session["security_level"])).unwrap(),
            aid: bytes(&vectors["aid"]),
            session,
        })
        .collect()
}

impl Published {
    fn counter(&self) -> u32 {
        let answer = bytes(&self.session["initialize_update_response"]);
        u32::from_be_bytes([0, answer[29], answer[30], answer[31]])
    }

    fn host_challenge(&self) -> [u8; 8] {
        command(&self.session["initialize_update"]).data.try_into().unwrap()
    }

    fn wrapped(&self) -> Vec<(Command, Command)> {
        let pairs = self.session["wrapped"].as_array().unwrap().iter();
        pairs.map(|pair| (command(&pair[0]), command(&pair[1]))).collect()
    }

    fn response(&self, form: &str) -> Response {
        Response::parse(&bytes(&self.session["first_response"][form])).unwrap()
    }

    fn chip(&self) -> (Opening, Response) {
        let initialize_update = command(&self.session["initialize_update"]);
        let request = Request::read(&initialize_update, self.version, self.counter() - 1).unwrap();
        assert_eq!(request.sequence_counter(), self.counter());
        request.answer(&self.keys, &CardSerial([0; 10]), &self.aid)
    }
}

#[test]
fn the_nine_published_sessions_are_predicted_without_the_card() {
    for it in published() {
        let serial = CardSerial([0; 10]);
        let Prediction { initialize_update, answer, external_authenticate, mut session } =
            Prediction::new(&it.keys, it.version, &serial, it.counter(), it.host_challenge(), &it.aid, it.level);
        assert_eq!(initialize_update.to_bytes(), bytes(&it.session["initialize_update"]), "{}", it.name);
        assert_eq!(answer.data, bytes(&it.session["initialize_update_response"]), "{}", it.name);
        assert_eq!(external_authenticate.to_bytes(), bytes(&it.session["external_authenticate"]), "{}", it.name);
        for (at, (plain, wrapped)) in it.wrapped().into_iter().enumerate() {
            assert_eq!(session.wrap(&plain).to_bytes(), wrapped.to_bytes(), "{} command {at}", it.name);
            if at == 0 {
                assert_eq!(session.unwrap(it.response("protected")), Ok(it.response("plain")), "{}", it.name);
            }
        }
    }
}

#[test]
fn the_nine_published_sessions_are_held_in_dialogue() {
    for it in published() {
        let talk = Authentication::new(&it.keys, it.version, it.level, it.host_challenge());
        let Turn::Ask(talk, first) = talk.open().unwrap() else { panic!("a first command") };
        assert_eq!(first.to_bytes(), bytes(&it.session["initialize_update"]));
        let answer = Response::success(bytes(&it.session["initialize_update_response"]));
        let Turn::Ask(talk, second) = talk.hear(answer).unwrap() else { panic!("a second command") };
        assert_eq!(second.to_bytes(), bytes(&it.session["external_authenticate"]));
        let Turn::Done(mut done) = talk.hear(Response::success([])).unwrap() else { panic!("a session") };
        assert_eq!(done.answer.sequence_counter, Some(it.counter()));
        for (plain, wrapped) in it.wrapped() {
            assert_eq!(done.session.wrap(&plain), wrapped);
        }
    }
}

#[test]
fn the_nine_published_sessions_are_understood_by_the_chip() {
    for it in published() {
        let (opening, answer) = it.chip();
        assert_eq!(answer.data, bytes(&it.session["initialize_update_response"]), "{}", it.name);
        let Reply::Done(mut session, accepted) = opening.answer(&command(&it.session["external_authenticate"])) else {
            panic!("{}: EXTERNAL AUTHENTICATE refused", it.name)
        };
        assert_eq!(accepted.to_bytes(), [0x90, 0x00]);
        assert_eq!(session.level(), Some(it.level));
        for (at, (plain, wrapped)) in it.wrapped().into_iter().enumerate() {
            assert_eq!(session.open(&wrapped), Ok(plain), "{} command {at}", it.name);
            if at == 0 {
                assert_eq!(session.seal(it.response("plain")), it.response("protected"), "{}", it.name);
            }
        }
    }
}

#[test]
fn a_wrapped_command_is_retraced_without_its_plaintext() {
    for it in published() {
        let predict = || {
            let serial = CardSerial([0; 10]);
            Prediction::new(&it.keys, it.version, &serial, it.counter(), it.host_challenge(), &it.aid, it.level).session
        };
        let (mut session, mut other) = (predict(), predict());
        let wrapped = it.wrapped();
        session.retrace(&wrapped[0].1).unwrap();
        assert_eq!(session.unwrap(it.response("protected")), Ok(it.response("plain")));
        session.retrace(&wrapped[1].1).unwrap();
        assert!(other.retrace(&wrapped[1].1).is_err(), "out of turn");
    }
}

#[test]
fn check_values_are_the_published_ones() {
    let vectors = vectors();
    let keys = &published()[0].keys;
    let expected = ["ENC", "MAC", "DEK"].map(|key| bytes(&vectors["kcv_aes128"][key]));
    assert_eq!(keys.check_values().map(|value| value.to_vec()), expected);
}

/// Static keys of a length, invented.
fn keys(length: usize) -> KeySet {
    let key =
        |from: u8| (0..u8::try_from(length).unwrap()).map(|i| from.wrapping_add(i.wrapping_mul(7))).collect::<Vec<_>>();
    KeySet::new(&key(1), &key(2), &key(3)).unwrap()
}

fn both(keys: &KeySet, level: SecurityLevel) -> (terminal::Session, chip::Session) {
    let prediction = Prediction::new(keys, VERSION, &SERIAL, 8, [0xc5; 8], &ISSUER_SECURITY_DOMAIN, level);
    let request = Request::read(&prediction.initialize_update, VERSION, 7).unwrap();
    let (opening, answer) = request.answer(keys, &SERIAL, &ISSUER_SECURITY_DOMAIN);
    assert_eq!(answer, prediction.answer);
    let session = opening.accept(&prediction.external_authenticate).unwrap();
    (prediction.session, session)
}

/// Encodes and decodes a command, as on the wire.
fn carried(command: &Command) -> Command {
    Command::parse(&command.to_bytes()).unwrap()
}

#[test]
fn both_sides_agree_at_every_level_and_length_short_and_extended() {
    let lengths =
        [0, 1, 7, 8, 15, 16, 17, 31, 32, 222, 223, 224, 238, 239, 240, 246, 247, 248, 255, 256, 511, 4_000, 65_000];
    for key_length in [16, 24, 32] {
        let keys = keys(key_length);
        for level in SecurityLevel::ALL {
            let (mut host, mut chip) = both(&keys, level);
            for there in lengths {
                for (back, ne) in [(0, None), (1, Some(256)), (255, Some(256)), (5_000, Some(65_536))] {
                    let command = Command { cla: 0x80, ins: 0xe2, p: [0x08, 1], data: vec![0xab; there], ne };
                    let sealed = host.wrap(&command);
                    assert_eq!(chip.open(&carried(&sealed)), Ok(command), "{level:?} {there}");
                    let answer = Response::success(vec![0xcd; back]);
                    let sealed = chip.seal(answer.clone());
                    assert_eq!(host.unwrap(sealed), Ok(answer), "{level:?} {back}");
                }
            }
        }
    }
}

#[test]
fn a_warning_is_protected_and_an_error_travels_alone() {
    let keys = keys(16);
    let (mut host, mut chip) = both(&keys, SecurityLevel::FULL);
    for (status, protected) in
        [(0x9000, true), (0x6282, true), (0x63c2, true), (0x6a80, false), (0x6982, false), (0x9100, false)]
    {
        chip.open(&host.wrap(&Command::new(0xca, 0, 0x66).class(0x80).expecting(256))).unwrap();
        let plain = Response { data: vec![1, 2, 3], status: Status(status) };
        let sealed = chip.seal(plain.clone());
        assert_eq!(sealed.data.len(), if protected { 24 } else { 0 }, "{status:04x}");
        let expected = if protected { plain } else { Response::status(Status(status)) };
        assert_eq!(host.unwrap(sealed), Ok(expected), "{status:04x}: and the session goes on");
    }
}

#[test]
fn the_interindustry_class_comes_back_as_it_was() {
    let (mut host, mut chip) = both(&keys(16), SecurityLevel::FULL);
    let command = Command::new(0xb0, 0, 0).expecting(16);
    let sealed = host.wrap(&command);
    assert_eq!(sealed.cla, 0x04);
    assert_eq!(chip.open(&sealed), Ok(command));
}

/// Every single-bit flip of what the C-MAC covers. Le is not covered (Amendment D v1.2 §6.2.4), so it is left alone.
#[test]
fn every_flipped_bit_of_a_command_ends_the_session() {
    let keys = keys(16);
    for level in SecurityLevel::ALL {
        for length in [0, 5, 40, 300] {
            let command = Command::new(0xe2, 0x08, 2).class(0x80).data(vec![7; length]);
            let sealed = both(&keys, level).0.wrap(&command).to_bytes();
            for bit in 0..sealed.len() * 8 {
                let mut flipped = sealed.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let Ok(flipped) = Command::parse(&flipped) else { continue }; // its length contradicts itself: 6700
                let (_, mut chip) = both(&keys, level);
                let status = chip.open(&flipped).expect_err("a flipped bit");
                assert!(matches!(status.0, 0x6982 | 0x6987 | 0x6988), "{level:?} bit {bit}: {status}");
                assert!(!chip.is_open());
                let untouched = Command::parse(&sealed).unwrap();
                assert_eq!(chip.open(&untouched), Err(Status::SECURITY_NOT_SATISFIED), "the session is dead");
                assert_eq!(chip.seal(Response::success([1])).data, [0u8; 0], "and says nothing more");
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_an_answer_is_refused() {
    let keys = keys(32);
    for level in [SecurityLevel::C_MAC_R_MAC, SecurityLevel::C_ENC_C_MAC_R_MAC, SecurityLevel::FULL] {
        for length in [0, 5, 40] {
            let exchange = || {
                let (mut host, mut chip) = both(&keys, level);
                chip.open(&host.wrap(&Command::new(0xca, 0, 0x66).class(0x80).expecting(256))).unwrap();
                (host, chip.seal(Response::success(vec![9; length])).to_bytes())
            };
            let (_, sealed) = exchange();
            for bit in 0..sealed.len() * 8 {
                let mut flipped = sealed.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let (mut host, _) = exchange();
                let answer = host.unwrap(Response::parse(&flipped).unwrap());
                assert!(matches!(answer, Err(Fault::Misbehaved(_))), "{level:?} bit {bit}");
                assert!(host.unwrap(Response::parse(&sealed).unwrap()).is_err(), "the session is over");
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_the_handshake_is_refused() {
    let keys = keys(16);
    let level = SecurityLevel::FULL;
    let predict = || Prediction::new(&keys, VERSION, &SERIAL, 8, [0xc5; 8], &ISSUER_SECURITY_DOMAIN, level);
    let it = predict();
    let ask = |command: &Command| {
        Request::read(command, VERSION, 7).map(|r| r.answer(&keys, &SERIAL, &ISSUER_SECURITY_DOMAIN))
    };
    let flips = |bytes: Vec<u8>| {
        (0..bytes.len() * 8).map(move |bit| {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        })
    };
    // INITIALIZE UPDATE: refused at once, or answered so that EXTERNAL AUTHENTICATE fails. Le (the
    // last byte) is not covered.
    let initialize_update = it.initialize_update.to_bytes();
    for flipped in flips(initialize_update[..13].to_vec()) {
        let Ok(command) = Command::parse(&[&flipped[..], &[0]].concat()) else { continue };
        if let Ok((opening, answer)) = ask(&command) {
            assert_ne!(answer, it.answer);
            assert_eq!(opening.accept(&it.external_authenticate).err(), Some(Status::AUTHENTICATION_FAILED));
        }
    }
    for flipped in flips(it.external_authenticate.to_bytes()) {
        let Ok(command) = Command::parse(&flipped) else { continue };
        let (opening, _) = ask(&it.initialize_update).unwrap();
        assert!(opening.accept(&command).is_err());
    }
    // The answer: a live host cannot check serial, version and counter, which the card alone states; the
    // prediction compares every bit.
    for flipped in flips(it.answer.to_bytes()) {
        let answer = Response::parse(&flipped).unwrap();
        assert_ne!(answer, it.answer);
        let covered = (13..29).contains(&it.answer.to_bytes().iter().zip(&flipped).position(|(a, b)| a != b).unwrap());
        let talk = Authentication::new(&keys, VERSION, level, [0xc5; 8]);
        let Turn::Ask(talk, _) = talk.open().unwrap() else { unreachable!() };
        assert!(!covered || talk.hear(answer).is_err());
    }
}

#[test]
fn another_counter_other_keys_another_serial_or_aid_do_not_fit() {
    let keys = keys(16);
    let it = Prediction::new(&keys, VERSION, &SERIAL, 8, [1; 8], &ISSUER_SECURITY_DOMAIN, SecurityLevel::FULL);
    let refused = |keys: &KeySet, last: u32, aid: &[u8]| {
        let (opening, answer) = Request::read(&it.initialize_update, VERSION, last).unwrap().answer(keys, &SERIAL, aid);
        assert_ne!(answer, it.answer);
        assert_eq!(opening.accept(&it.external_authenticate).err(), Some(Status::AUTHENTICATION_FAILED));
    };
    refused(&keys, 8, &ISSUER_SECURITY_DOMAIN);
    refused(&keys, 6, &ISSUER_SECURITY_DOMAIN);
    refused(&self::keys(32), 7, &ISSUER_SECURITY_DOMAIN);
    refused(&keys, 7, &[0xa0, 0, 0, 0, 3, 0, 0, 0]);
}

#[test]
fn an_exhausted_sequence_counter_opens_no_session() {
    let it = Prediction::new(&keys(16), VERSION, &SERIAL, 1, [1; 8], &ISSUER_SECURITY_DOMAIN, SecurityLevel::FULL);
    let read = |last| Request::read(&it.initialize_update, VERSION, last).map(|r| r.sequence_counter());
    assert_eq!(read(LAST_SEQUENCE_COUNTER - 1), Ok(LAST_SEQUENCE_COUNTER));
    assert_eq!(read(LAST_SEQUENCE_COUNTER), Err(Status::CONDITIONS_NOT_SATISFIED));
}

#[test]
fn commands_out_of_turn_are_refused() {
    let keys = keys(16);
    let (mut host, mut chip) = both(&keys, SecurityLevel::FULL);
    let first = host.wrap(&Command::new(0xca, 0, 0x66).class(0x80));
    let second = host.wrap(&Command::new(0xca, 0, 0x67).class(0x80));
    assert_eq!(chip.open(&second), Err(Status::SECURE_MESSAGING_OBJECT_INCORRECT));
    let (_, mut chip) = both(&keys, SecurityLevel::FULL);
    chip.open(&first).unwrap();
    assert_eq!(chip.open(&first), Err(Status::SECURE_MESSAGING_OBJECT_INCORRECT), "a replay");
}

#[test]
fn each_chip_and_each_version_has_its_own_keys() {
    let master = MasterKey::from_bytes(&[0x42; 32]).unwrap();
    let one = master.diversify(&SERIAL, 1);
    assert_eq!(one.to_bytes(), master.diversify(&SERIAL, 1).to_bytes());
    assert_eq!(one.to_bytes(), KeySet::from_bytes(&one.to_bytes()).unwrap().to_bytes());
    let mut all: Vec<Vec<u8>> = one.to_bytes().chunks(32).map(<[u8]>::to_vec).collect();
    all.extend(master.diversify(&SERIAL, 2).to_bytes().chunks(32).map(<[u8]>::to_vec));
    all.extend(master.diversify(&CardSerial([0x5b; 10]), 1).to_bytes().chunks(32).map(<[u8]>::to_vec));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 9);
    assert_eq!(KeySet::from_bytes(&[0; 33]).err(), Some(KeyError::Length { length: 11 }));
    assert_eq!(KeySet::new(&[0; 16], &[0; 16], &[0; 32]).err(), Some(KeyError::Mixed));
}

#[test]
fn nothing_secret_is_shown() {
    let keys = keys(16);
    let (host, chip) = both(&keys, SecurityLevel::FULL);
    let shown = format!("{keys:?} {host:?} {chip:?} {:?}", MasterKey::from_bytes(&[1; 16]).unwrap());
    assert_eq!(
        shown,
        "KeySet(128 bits) Session(SecurityLevel(33), 0 commands) Session(SecurityLevel(33), 0 commands) MasterKey(128 bits)"
    );
}

#[test]
fn the_largest_plaintext_fits_and_one_more_byte_does_not() {
    assert_eq!(largest_plaintext(261), 239);
    assert_eq!((largest_plaintext(0), largest_plaintext(29), largest_plaintext(30)), (0, 0, 15));
    let keys = keys(16);
    for max_command in (30..3_000).chain([4_096, 32_767, 65_544, 1_000_000]) {
        let most = largest_plaintext(max_command);
        let sealed = |data: usize| {
            let mut host = host_session(&keys);
            host.wrap(&Command::new(0xe2, 0, 0).class(0x80).data(vec![0; data]).expecting(256))
        };
        assert!(sealed(most).to_bytes().len() <= max_command, "{max_command}");
        if most < 65_519 {
            assert!(sealed(most + 1).to_bytes().len() > max_command, "{max_command}");
        }
    }
}

fn host_session(keys: &KeySet) -> terminal::Session {
    Prediction::new(keys, VERSION, &SERIAL, 8, [0; 8], &ISSUER_SECURITY_DOMAIN, SecurityLevel::FULL).session
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_wrapped_is_opened(
        commands in proptest::collection::vec((any::<u8>(), any::<[u8; 2]>(), proptest::collection::vec(any::<u8>(), 0..600),
            proptest::option::of(1usize..=65_536), proptest::collection::vec(any::<u8>(), 0..600)), 1..6),
        level in 0usize..5, length in 0usize..3,
    ) {
        let (mut host, mut chip) = both(&keys([16, 24, 32][length]), SecurityLevel::ALL[level]);
        for (ins, p, data, ne, answer) in commands {
            let command = Command { cla: 0x80, ins, p, data, ne };
            let sealed = host.wrap(&command);
            prop_assert_eq!(chip.open(&carried(&sealed)), Ok(command));
            let answer = Response::success(answer);
            prop_assert_eq!(host.unwrap(chip.seal(answer.clone())), Ok(answer));
        }
    }

    #[test]
    fn arbitrary_bytes_open_nothing_and_never_panic(command: Vec<u8>, answer: Vec<u8>) {
        let (mut host, mut chip) = both(&keys(16), SecurityLevel::FULL);
        if let Ok(command) = Command::parse(&command) {
            prop_assert!(chip.open(&command).is_err());
            let _ = Request::read(&command, VERSION, 1);
        }
        if let Ok(answer) = Response::parse(&answer) {
            let status = answer.status;
            match host.unwrap(answer) {
                Ok(alone) => prop_assert_eq!(alone, Response::status(status)),
                Err(fault) => prop_assert!(matches!(fault, Fault::Misbehaved(_))),
            }
        }
    }
}
