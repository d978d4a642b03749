use hex_literal::hex;

use super::*;
use crate::apdu::{Command, Response, Status};
use crate::conversation::rehearsal::{genuine, talk};
use crate::conversation::{Conversation, Fault, Reply, Respondent, Turn};
use crate::kdf::MrzSecret;
use crate::mrz::MrzKey;

fn keys(document_number: &str) -> AccessKeys {
    AccessKeys::new(&MrzSecret::from(&MrzKey::new(document_number, "690806", "940623").unwrap()))
}

fn terminal() -> terminal::Bac {
    let random = hazmat::fixed(hex!("781723860C06C226"), hex!("0B795240CB7049B01C19B33E32804F0B"));
    terminal::Bac::new(keys("L898902C"), random)
}

fn chip() -> chip::Bac {
    let random = hazmat::fixed(hex!("4608F91988702212"), hex!("0B4F80323EB3191CB04970CB4052790B"));
    chip::Bac::new(keys("L898902C"), random)
}

/// Doc 9303-11 (8th ed.) appendix D.3: command, response.
const APPENDIX_D3: [[&[u8]; 2]; 2] = [
    [&hex!("0084000008"), &hex!("4608F919887022129000")],
    [
        &hex!("0082000028 72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F2 5F1448EEA8AD90A7 28"),
        &hex!("46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F 2F2D235D074D7449 9000"),
    ],
];

/// Appendix D.4, the first protected command: the session keys and the counter are right if it comes out.
const FIRST_PROTECTED: [u8; 27] = hex!("0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800");

#[test]
fn worked_example_of_appendix_d3_at_the_terminal() {
    let mut turn = terminal().open();
    for [command, response] in APPENDIX_D3 {
        let Ok(Turn::Ask(talk, asked)) = turn else { panic!("the terminal stopped") };
        assert_eq!(hex::encode(asked.to_bytes()), hex::encode(command));
        turn = talk.hear(Response::parse(response).unwrap());
    }
    let Ok(Turn::Done(mut channel)) = turn else { panic!("no channel") };
    let first = channel.seal(&Command::new(0xa4, 2, 0x0c).data([1, 0x1e])).unwrap();
    assert_eq!(first.to_bytes(), FIRST_PROTECTED);
}

#[test]
fn worked_example_of_appendix_d3_at_the_chip() {
    let mut chip = chip();
    let [[first, first_answer], [second, second_answer]] = APPENDIX_D3;
    let Reply::More(next, answer) = chip.answer(&Command::parse(first).unwrap()) else { panic!("refused") };
    assert_eq!(answer.to_bytes(), first_answer);
    chip = next;
    let Reply::Done(mut channel, answer) = chip.answer(&Command::parse(second).unwrap()) else { panic!("refused") };
    assert_eq!(hex::encode(answer.to_bytes()), hex::encode(second_answer));
    assert!(channel.open(&Command::parse(&FIRST_PROTECTED).unwrap()).is_ok());
}

#[test]
fn terminal_and_chip_understand_each_other() {
    use rand::SeedableRng;
    let mut rng = rand::rngs::ChaCha20Rng::seed_from_u64(1);
    let terminal = terminal::Bac::new(keys("000000001"), Random::generate(&mut rng));
    let chip = chip::Bac::new(keys("000000001"), Random::generate(&mut rng));
    let (Ok(mut terminal), Some(mut chip)) = talk(terminal, chip, genuine) else { panic!("no channel") };
    let command = Command::new(0xb0, 0x9e, 0).expecting(4);
    assert_eq!(chip.open(&terminal.seal(&command).unwrap()), Ok(command));
}

#[test]
fn another_mrz_is_a_wrong_password() {
    let random = hazmat::fixed([1; 8], [2; 16]);
    let (terminal, chip) = talk(terminal::Bac::new(keys("L898902D"), random), chip(), genuine);
    assert!(chip.is_none());
    assert_eq!(terminal.unwrap_err(), Fault::WrongPassword { tries_left: None });
}

#[test]
fn a_wrong_mac_and_a_wrong_nonce_look_alike() {
    let replies: Vec<_> = [0, 39]
        .into_iter()
        .map(|at| {
            let Reply::More(chip, _) = chip().answer(&Command::parse(APPENDIX_D3[0][0]).unwrap()) else { panic!() };
            let mut forged = Command::parse(APPENDIX_D3[1][0]).unwrap();
            forged.data[at] ^= 1;
            match chip.answer(&forged) {
                Reply::Refused(status) => status,
                _ => panic!("accepted"),
            }
        })
        .collect();
    assert_eq!(replies, [Status::AUTHENTICATION_FAILED; 2]);
    // the genuine cryptogram under another challenge: right MAC, wrong nonce
    let other = chip::Bac::new(keys("L898902C"), hazmat::fixed([9; 8], [9; 16]));
    let Reply::More(other, _) = other.answer(&Command::parse(APPENDIX_D3[0][0]).unwrap()) else { panic!() };
    let Reply::Refused(status) = other.answer(&Command::parse(APPENDIX_D3[1][0]).unwrap()) else { panic!("replayed") };
    assert_eq!(status, Status::AUTHENTICATION_FAILED);
}

#[test]
fn every_flipped_bit_leaves_no_common_channel() {
    // Messages 0 and 2 go to the chip, 1 and 3 to the terminal. The expected length at the end of a command is not
    // covered by any cryptogram, but the chip accepts only the two values that fit: 8 written as "as much as there is"
    // is one bit away, gives the same answer, and is the one flip that does no harm.
    let harmless = (0, 4 * 8 + 3);
    let lengths = [5, 10, 46, 42];
    for (number, length) in lengths.into_iter().enumerate() {
        for bit in (0..length * 8).filter(|bit| (number, *bit) != harmless) {
            let (terminal, chip) = talk(terminal(), chip(), |at, mut message| {
                if at == number {
                    assert_eq!(message.len(), length);
                    message[bit / 8] ^= 1 << (bit % 8);
                }
                message
            });
            assert!(terminal.is_err(), "message {number}, bit {bit}");
            // Only the last message can fail after the chip has succeeded: then the chip alone has a channel.
            assert!(chip.is_none() || number == 3, "message {number}, bit {bit}");
        }
    }
}

#[test]
fn commands_out_of_order_are_refused() {
    let authenticate = Command::parse(APPENDIX_D3[1][0]).unwrap();
    assert!(matches!(chip().answer(&authenticate), Reply::Refused(_)));
    let challenge = Command::parse(APPENDIX_D3[0][0]).unwrap();
    let Reply::More(chip, _) = chip().answer(&challenge) else { panic!() };
    assert!(matches!(chip.answer(&challenge), Reply::Refused(_)));
}
