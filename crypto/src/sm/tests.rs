use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::apdu::{Command, EXTENDED_NE, Response, SHORT_NE, Status, cla};
use crate::conversation::Fault;

fn channel(cipher: Cipher) -> (Terminal, Chip) {
    (Terminal::new(Keys::derive(cipher, b"a shared secret")), Chip::new(Keys::derive(cipher, b"a shared secret")))
}

/// Doc 9303-11 (8th ed.) appendix D.3: the keys after basic access control.
fn keys_of_appendix_d() -> Keys {
    Keys::derive(Cipher::TripleDes, &hex!("0036D272F5C350ACAC50C3F572D23600"))
}

const COUNTER_OF_APPENDIX_D: u64 = 0x8870_2212_0c06_c226;

/// Doc 9303-11 (8th ed.) appendix D.4: plain command, protected command, protected response, plain response.
const APPENDIX_D4: [[&[u8]; 4]; 3] = [
    [
        &hex!("00A4020C02011E"),
        &hex!("0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800"),
        &hex!("990290008E08FA855A5D4C50A8ED9000"),
        &hex!("9000"),
    ],
    [
        &hex!("00B0000004"),
        &hex!("0CB000000D9701048E08ED6705417E96BA5500"),
        &hex!("8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000"),
        &hex!("60145F019000"),
    ],
    [
        &hex!("00B0000412"),
        &hex!("0CB000040D9701128E082EA28A70F3C7B53500"),
        &hex!("871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000"),
        &hex!("04303130365F36063034303030305C0261759000"),
    ],
];

#[test]
fn session_keys_of_appendix_d3() {
    let keys = keys_of_appendix_d();
    assert_eq!(*keys.encryption, hex!("979EC13B1CBFE9DCD01AB0FED307EAE5"));
    assert_eq!(*keys.authentication, hex!("F1CB1F1FB5ADF208806B89DC579DC1F8"));
}

#[test]
fn worked_example_of_appendix_d4_at_the_terminal() {
    let mut terminal = Terminal::with_counter(keys_of_appendix_d(), COUNTER_OF_APPENDIX_D);
    for [plain, protected, answer, plain_answer] in APPENDIX_D4 {
        let sealed = terminal.seal(&Command::parse(plain).unwrap()).unwrap();
        assert_eq!(hex::encode(sealed.to_bytes()), hex::encode(protected));
        let opened = terminal.open(&Response::parse(answer).unwrap()).unwrap();
        assert_eq!(hex::encode(opened.to_bytes()), hex::encode(plain_answer));
    }
}

#[test]
fn worked_example_of_appendix_d4_at_the_chip() {
    let mut chip = Chip::with_counter(keys_of_appendix_d(), COUNTER_OF_APPENDIX_D);
    for [plain, protected, answer, plain_answer] in APPENDIX_D4 {
        let opened = chip.open(&Command::parse(protected).unwrap()).unwrap();
        assert_eq!(hex::encode(opened.to_bytes()), hex::encode(plain));
        let sealed = chip.seal(Response::parse(plain_answer).unwrap());
        assert_eq!(hex::encode(sealed.to_bytes()), hex::encode(answer));
    }
}

/// Commands of every kind: without anything, with data, with an expected length, both, odd, extended, chained.
fn commands() -> Vec<Command> {
    vec![
        Command::new(0x44, 0, 0),
        Command::new(0xa4, 2, 0x0c).data([1, 0x1e]),
        Command::new(0xb0, 0x9e, 0).expecting(4),
        Command::new(0xb0, 0, 0).expecting(SHORT_NE),
        Command::new(0xb0, 0, 0).expecting(EXTENDED_NE),
        Command::new(0x88, 0, 0).data([7; 8]).expecting(SHORT_NE),
        Command::new(0xb1, 0, 0).data([0x54, 2, 0x80, 0]).expecting(100),
        Command::new(0x86, 0, 0).class(cla::CHAINED).data(vec![9; 15]).expecting(SHORT_NE),
        Command::new(0x86, 0, 0).data(vec![9; 16]).expecting(SHORT_NE),
        Command::new(0xd6, 0, 0).data(vec![0x80; 300]),
    ]
}

fn responses() -> Vec<Response> {
    vec![
        Response::success([]),
        Response::success([0x80]),
        Response::success(vec![3; 16]),
        Response::success(vec![3; 2000]),
        Response { data: vec![4; 9], status: Status::END_OF_FILE },
        Response::status(Status::FILE_NOT_FOUND),
    ]
}

#[test]
fn both_ends_understand_each_other_under_every_cipher() {
    for cipher in Cipher::ALL {
        let (mut terminal, mut chip) = channel(cipher);
        for command in commands() {
            for response in responses() {
                let sealed = terminal.seal(&command).unwrap();
                let sealed = Command::parse(&sealed.to_bytes()).unwrap();
                assert_eq!(chip.open(&sealed).as_ref(), Ok(&command));
                let answer = chip.seal(response.clone());
                assert_eq!(terminal.open(&answer), Ok(response));
                assert!(terminal.is_open() && chip.is_open());
            }
        }
    }
}

#[test]
fn the_data_of_an_odd_instruction_go_without_padding_indicator_both_ways() {
    let (mut terminal, mut chip) = channel(Cipher::Aes128);
    for (ins, object) in [(0xb0, 0x87), (0xb1, 0x85)] {
        let command = terminal.seal(&Command::new(ins, 0, 0).data([0x54, 1, 0]).expecting(16)).unwrap();
        chip.open(&command).unwrap();
        let answer = chip.seal(Response::success([1]));
        assert_eq!((command.data[0], answer.data[0]), (object, object), "instruction {ins:02x}");
        terminal.open(&answer).unwrap();
    }
}

#[test]
fn the_length_outside_the_protection_is_that_of_the_form_or_absent() {
    let short = Command::new(0xb0, 0, 0).expecting(SHORT_NE);
    let much_data = Command::new(0xd6, 0, 0).data(vec![1; 300]);
    let much_expected = Command::new(0xb0, 0, 0).expecting(257);
    for (command, long) in [(short, false), (much_data, true), (much_expected, true)] {
        for (outside, accepted) in
            [(None, true), (Some(EXTENDED_NE), true), (Some(SHORT_NE), !long), (Some(100), false), (Some(300), false)]
        {
            let (mut terminal, mut chip) = channel(Cipher::Aes128);
            let sealed = Command { ne: outside, ..terminal.seal(&command).unwrap() };
            let refused = Err(Status::SECURE_MESSAGING_OBJECT_INCORRECT);
            let expected = if accepted { Ok(command.clone()) } else { refused };
            assert_eq!(chip.open(&sealed), expected, "{outside:?} outside of {command:?}");
        }
    }
}

/// Returns the first command of a channel, to write these blocks, padded as they are, behind this
/// header of the object 87.
fn sealed_blocks(cipher: Cipher, header: &[u8], blocks: &[u8]) -> Command {
    let keys = Keys::derive(cipher, b"a shared secret");
    let counter = [vec![0; cipher.block_len() - 1], vec![1]].concat();
    let vector = match cipher {
        Cipher::TripleDes => vec![0; 8],
        _ => cipher.cbc_encrypt_zero_iv(&keys.encryption, &counter),
    };
    let hidden = cipher.cbc_encrypt(&keys.encryption, &vector, blocks);
    let mut data = [header, &[1], &hidden].concat();
    let mac = session::ChannelState::new(keys, 1).mac(&[0x0c, 0xd6, 0, 0], &data);
    data.extend(tlv::encode(0x8e, &mac));
    Command::new(0xd6, 0, 0).class(cla::SECURE).data(data).expecting(SHORT_NE)
}

#[test]
fn data_have_one_encoding_and_no_data_have_none() {
    for cipher in Cipher::ALL {
        let padded = |data: &[u8], blocks: usize| {
            let mut padded = [data, &[0x80]].concat();
            padded.resize(blocks * cipher.block_len(), 0);
            let length = u8::try_from(1 + padded.len()).unwrap();
            channel(cipher).1.open(&sealed_blocks(cipher, &[0x87, length], &padded))
        };
        assert_eq!(padded(b"12345", 1), Ok(Command::new(0xd6, 0, 0).data(*b"12345")));
        // A block of zeros more is a second encoding, and a block without data another one of an empty command.
        let refused = Err(Status::SECURE_MESSAGING_OBJECT_INCORRECT);
        assert_eq!(padded(b"12345", 2), refused);
        assert_eq!(padded(b"", 1), refused);
    }
}

#[test]
fn a_short_command_is_full_at_255_bytes() {
    // Only a terminal that writes a longer length field than it needs fills it to the last byte.
    let sealed = sealed_blocks(Cipher::Aes128, &[0x87, 0x82, 0, 241], &[&[7; 239][..], &[0x80]].concat());
    assert_eq!((sealed.data.len(), sealed.ne), (255, Some(SHORT_NE)));
    assert_eq!(channel(Cipher::Aes128).1.open(&sealed), Ok(Command::new(0xd6, 0, 0).data([7; 239])));
}

#[test]
fn short_commands_stay_short_and_long_ones_become_extended() {
    let (mut terminal, mut chip) = channel(Cipher::Aes128);
    for (expected, first) in [(223, 0x0d), (SHORT_NE, 0x0d), (SHORT_NE + 1, 0)] {
        let sealed = terminal.seal(&Command::new(0xb0, 0, 0).expecting(expected)).unwrap();
        assert_eq!(sealed.to_bytes()[4], first);
        chip.open(&sealed).unwrap();
        terminal.open(&chip.seal(Response::success([]))).unwrap();
    }
}

#[test]
fn every_flipped_bit_of_a_protected_command_kills_the_channel_of_the_chip() {
    for cipher in [Cipher::TripleDes, Cipher::Aes256] {
        for command in commands() {
            let sealed = channel(cipher).0.seal(&command).unwrap();
            assert_eq!(channel(cipher).1.open(&sealed).as_ref(), Ok(&command));
            let bytes = sealed.to_bytes();
            for bit in 0..bytes.len() * 8 {
                let mut forged = bytes.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                let Ok(forged) = Command::parse(&forged) else { continue }; // wrong lengths never reach the channel
                let (_, mut chip) = channel(cipher);
                assert!(chip.open(&forged).is_err(), "bit {bit} of {command:?}");
                assert!(!chip.is_open());
                // and the genuine command does not revive it
                assert!(chip.open(&sealed).is_err());
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_protected_response_kills_the_channel_of_the_terminal() {
    for cipher in [Cipher::TripleDes, Cipher::Aes256] {
        for (command, response) in [
            (Command::new(0xb0, 0, 0).expecting(16), Response::success(vec![5; 16])),
            (Command::new(0xa4, 0, 0), Response::success([])),
        ] {
            let (mut terminal, mut chip) = channel(cipher);
            chip.open(&terminal.seal(&command).unwrap()).unwrap();
            let sealed = chip.seal(response.clone());
            assert_eq!(terminal.open(&sealed), Ok(response));
            let bytes = sealed.to_bytes();
            for bit in 0..bytes.len() * 8 {
                let mut forged = bytes.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                let (mut terminal, _) = channel(cipher);
                terminal.seal(&command).unwrap();
                assert!(terminal.open(&Response::parse(&forged).unwrap()).is_err(), "bit {bit}");
                assert!(!terminal.is_open() && terminal.seal(&command).is_err() && terminal.open(&sealed).is_err());
            }
        }
    }
}

#[test]
fn a_replayed_command_is_refused() {
    let (mut terminal, mut chip) = channel(Cipher::Aes128);
    let first = terminal.seal(&Command::new(0xb0, 0, 0).expecting(1)).unwrap();
    chip.open(&first).unwrap();
    terminal.open(&chip.seal(Response::success([1]))).unwrap();
    assert_eq!(chip.open(&first), Err(Status::SECURE_MESSAGING_OBJECT_INCORRECT));
    assert!(!chip.is_open());
}

#[test]
fn a_replayed_response_is_refused() {
    let (mut terminal, mut chip) = channel(Cipher::Aes128);
    let command = Command::new(0xb0, 0, 0).expecting(1);
    chip.open(&terminal.seal(&command).unwrap()).unwrap();
    let answer = chip.seal(Response::success([1]));
    terminal.open(&answer).unwrap();
    terminal.seal(&command).unwrap();
    assert_eq!(terminal.open(&answer), Err(Fault::Misbehaved("the MAC of a protected response is wrong")));
}

#[test]
fn a_command_cannot_be_played_back_as_a_response() {
    let (mut terminal, _) = channel(Cipher::Aes128);
    let sealed = terminal.seal(&Command::new(0xa4, 2, 0x0c).data([1, 1])).unwrap();
    assert!(terminal.open(&Response::success(sealed.data)).is_err());
}

#[test]
fn messages_out_of_order_are_refused() {
    let (mut terminal, mut chip) = channel(Cipher::Aes128);
    let (mut other, _) = channel(Cipher::Aes128);
    let command = Command::new(0xb0, 0, 0).expecting(1);
    let first = other.seal(&command).unwrap();
    let (_, mut twin) = channel(Cipher::Aes128);
    twin.open(&first).unwrap();
    other.open(&twin.seal(Response::success([1]))).unwrap();
    let second = other.seal(&command).unwrap();
    assert_eq!(chip.open(&second), Err(Status::SECURE_MESSAGING_OBJECT_INCORRECT));
    // the terminal does not send twice without having heard
    terminal.seal(&command).unwrap();
    assert!(terminal.seal(&command).is_err() && !terminal.is_open());
}

#[test]
fn a_plain_command_inside_the_session_ends_it() {
    let (mut terminal, mut chip) = channel(Cipher::Aes128);
    let command = Command::new(0xa4, 2, 0x0c).data([1, 1]);
    assert_eq!(chip.open(&command), Err(Status::SECURITY_NOT_SATISFIED));
    assert!(!chip.is_open());
    assert!(chip.open(&terminal.seal(&command).unwrap()).is_err());
}

#[test]
fn a_plain_answer_inside_the_session_ends_it() {
    let (mut terminal, _) = channel(Cipher::Aes128);
    terminal.seal(&Command::new(0xa4, 2, 0x0c).data([1, 1])).unwrap();
    let fault = Fault::Refused { ins: 0xa4, status: Status::SECURE_MESSAGING_OBJECT_INCORRECT };
    assert_eq!(terminal.open(&Status::SECURE_MESSAGING_OBJECT_INCORRECT.into()), Err(fault));
    assert!(!terminal.is_open());
}

#[test]
fn a_command_without_a_mac_misses_an_object() {
    let (_, mut chip) = channel(Cipher::Aes128);
    let command = Command::new(0xb0, 0, 0).class(cla::SECURE).data([0x97, 1, 4]).expecting(256);
    assert_eq!(chip.open(&command), Err(Status::SECURE_MESSAGING_OBJECT_MISSING));
}

#[test]
fn a_response_is_not_sealed_without_a_command() {
    let (_, mut chip) = channel(Cipher::Aes128);
    assert_eq!(chip.seal(Response::success([1])), Status::CONDITIONS_NOT_SATISFIED.into());
    assert!(!chip.is_open());
}

#[test]
fn the_capacity_is_what_really_fits() {
    assert_eq!(response_capacity(Cipher::TripleDes, 256), 231);
    assert_eq!(response_capacity(Cipher::Aes128, 256), 223);
    for cipher in [Cipher::TripleDes, Cipher::Aes256] {
        // Every field from the smallest that has room for status and MAC: some are filled to their last byte.
        for most in (14..=300).chain([1000, 65_536]) {
            let sealed = |length: usize| {
                let (mut terminal, mut chip) = channel(cipher);
                chip.open(&terminal.seal(&Command::new(0xb0, 0, 0).expecting(256)).unwrap()).unwrap();
                chip.seal(Response::success(vec![1; length])).data.len()
            };
            let capacity = response_capacity(cipher, most);
            assert!(sealed(capacity) <= most && sealed(capacity + 1) > most, "{cipher:?} {most} {capacity}");
        }
        for most in (14..=300).chain([1000]) {
            let sealed = |length: usize| {
                let command = Command::new(0xd6, 0, 0).data(vec![1; length]).expecting(EXTENDED_NE);
                channel(cipher).0.seal(&command).unwrap().data.len()
            };
            let capacity = command_capacity(cipher, most);
            assert!(sealed(capacity) <= most && sealed(capacity + 1) > most, "{cipher:?} {most} {capacity}");
        }
    }
}

#[test]
fn a_field_without_room_for_one_block_carries_nothing() {
    for cipher in Cipher::ALL {
        for most in 0..=16 {
            assert_eq!((response_capacity(cipher, most), command_capacity(cipher, most)), (0, 0), "{cipher:?} {most}");
        }
    }
}

#[test]
fn nothing_secret_is_shown() {
    assert_eq!(format!("{:?}", keys_of_appendix_d()), "Keys(TripleDes, …)");
    let (terminal, chip) = channel(Cipher::Aes128);
    let shown = format!("{terminal:?} {chip:?} {:?}", keys_of_appendix_d());
    assert!(shown.contains("counter 0") && !shown.to_lowercase().contains("979ec13b"));
}

proptest! {
    #[test]
    fn no_bytes_make_the_chip_panic(data: Vec<u8>, odd: bool) {
        let command = Command::new(if odd { 0xb1 } else { 0xb0 }, 0, 0).class(cla::SECURE).data(data);
        prop_assert!(channel(Cipher::Aes128).1.open(&command).is_err());
    }

    #[test]
    fn no_bytes_make_the_terminal_panic(data: Vec<u8>) {
        let (mut terminal, _) = channel(Cipher::TripleDes);
        let _ = terminal.seal(&Command::new(0xb0, 0, 0));
        prop_assert!(terminal.open(&Response::success(data)).is_err());
    }
}
