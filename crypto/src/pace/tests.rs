use hex_literal::hex;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;
use crate::apdu::{Command, Response, Status};
use crate::conversation::rehearsal::{genuine, talk};
use crate::conversation::{Conversation, Reply, Respondent, Turn};
use crate::lds::security_infos::SecurityInfo;
use crate::mrz::MrzKey;
use crate::suite::PrivateKey;

const G1: Suite = Suite { cipher: Cipher::Aes128, curve: Curve::BrainpoolP256r1 };

fn mrz() -> Password {
    Password::from(&MrzKey::new("T22000129", "640812", "101031").unwrap())
}

fn can(digits: &str) -> Password {
    digits.parse::<Can>().unwrap().into()
}

fn key(curve: Curve, hex: &str) -> PrivateKey {
    PrivateKey::from_bytes(curve, &hex::decode(hex).unwrap()).unwrap()
}

/// Doc 9303-11 (8th ed.) appendix G.1.
fn terminal_of_g1() -> terminal::Pace {
    let mapping = key(G1.curve, "7F4EF07B9EA82FD78AD689B38D0BC78CF21F249D953BC46F4C6E19259C010F99");
    let ephemeral = key(G1.curve, "A73FB703AC1436A18E0CFA5ABB3F7BEC7A070E7A6788486BEE230C4A22762595");
    terminal::Pace::new(G1, mrz(), hazmat::terminal_random(mapping, ephemeral)).unwrap()
}

fn chip_of_g1() -> chip::Pace {
    let mapping = key(G1.curve, "498FF49756F2DC1587840041839A85982BE7761D14715FB091EFA7BCE9058560");
    let ephemeral = key(G1.curve, "107CF58696EF6155053340FD633392BA81909DF7B9706F226F32086C7AFF974A");
    let random = hazmat::chip_random(hex!("3F00C4D39D153F2B2A214A078D899B22"), mapping, ephemeral);
    chip::Pace::new(&[G1], vec![mrz()], random)
}

/// Command, response.
const APPENDIX_G1: [[&str; 2]; 5] = [
    ["0022C1A40F800A04007F00070202040202830101", "9000"],
    ["10860000027C0000", "7C12801095A3A016522EE98D01E76CB6B98B42C39000"],
    [
        "10860000457C438141047ACF3EFC982EC45565A4B155129EFBC74650DCBFA6362D896FC70262E0C2CC5E544552DCB6725218799115B55C9BAA6D9F6BC3A9618E70C25AF71777A9C4922D00",
        "7C43824104824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F5730D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C549000",
    ],
    [
        "10860000457C438341042DB7A64C0355044EC9DF190514C625CBA2CEA48754887122F3A5EF0D5EDD301C3556F3B3B186DF10B857B58F6A7EB80F20BA5DC7BE1D43D9BF850149FBB3646200",
        "7C438441049E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9EC65DF6DB7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F0949000",
    ],
    ["008600000C7C0A8508C2B0BD78D94BA86600", "7C0A86083ABB9674BCE93C089000"],
];

fn command(hex: &str) -> Command {
    Command::parse(&hex::decode(hex).unwrap()).unwrap()
}

fn response(hex: &str) -> Response {
    Response::parse(&hex::decode(hex).unwrap()).unwrap()
}

#[test]
fn worked_example_of_appendix_g1_at_the_terminal() {
    let mut turn = terminal_of_g1().open();
    for [command, answer] in APPENDIX_G1 {
        let Ok(Turn::Ask(talk, asked)) = turn else { panic!("the terminal stopped") };
        assert_eq!(hex::encode_upper(asked.to_bytes()), command);
        turn = talk.hear(response(answer));
    }
    assert!(matches!(turn, Ok(Turn::Done(terminal::Established { suite: G1, .. }))));
}

#[test]
fn worked_example_of_appendix_g1_at_the_chip() {
    let mut chip = chip_of_g1();
    for (step, [asked, answer]) in APPENDIX_G1.into_iter().enumerate() {
        match chip.answer(&command(asked)) {
            Reply::More(next, given) => {
                assert_eq!(hex::encode_upper(given.to_bytes()), answer);
                chip = next;
            }
            Reply::Done(established, given) => {
                assert_eq!(hex::encode_upper(given.to_bytes()), answer);
                assert_eq!((step, established.suite, established.password), (4, G1, 1));
                return;
            }
            Reply::Refused(status) => panic!("step {step} refused with {status}"),
        }
    }
    panic!("the chip did not come to an end");
}

fn pair(choice: Choice, offered: &[Suite], password: Password, seed: u64) -> (terminal::Pace, chip::Pace) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let random = terminal::Random::generate(choice.suite.curve, &mut rng);
    let terminal = terminal::Pace::new(choice, password, random).unwrap();
    let chip = chip::Pace::new(offered, vec![mrz(), can("123456")], chip::Random::generate(offered, &mut rng));
    (terminal, chip)
}

fn all_suites() -> Vec<Suite> {
    let curves = [Curve::P256, Curve::P384, Curve::BrainpoolP256r1, Curve::BrainpoolP384r1];
    curves.into_iter().flat_map(|curve| Cipher::ALL.map(|cipher| Suite { cipher, curve })).collect()
}

#[test]
fn terminal_and_chip_understand_each_other_in_every_suite_with_every_password() {
    for (seed, suite) in all_suites().into_iter().enumerate() {
        let password = if seed % 2 == 0 { mrz() } else { can("123456") };
        let reference = password.reference();
        let (terminal, chip) = pair(suite.into(), &[suite], password, seed as u64);
        let (Ok(mut terminal), Some(mut chip)) = talk(terminal, chip, genuine) else { panic!("{suite:?}") };
        assert_eq!((chip.password, chip.suite), (reference, suite));
        let command = Command::new(0xa4, 4, 0x0c).data([0xa0, 0, 0, 2, 0x47, 0x10, 1]);
        assert_eq!(chip.channel.open(&terminal.channel.seal(&command).unwrap()), Ok(command));
        assert!(terminal.channel.open(&chip.channel.seal(Response::success([]))).is_ok());
    }
}

#[test]
fn a_chip_with_several_curves_requires_one_to_be_named() {
    let offered = [Curve::P256, Curve::BrainpoolP256r1].map(|curve| Suite { cipher: Cipher::Aes128, curve });
    let infos = SecurityInfos(offered.map(|suite| SecurityInfo::Pace(suite.info())).to_vec());
    let choice = choose(&infos).unwrap();
    assert_eq!(choice, Choice { suite: offered[0], ambiguous: true });
    let (terminal, chip) = pair(choice, &offered, mrz(), 1);
    assert!(talk(terminal, chip, genuine).0.is_ok());
    // unnamed
    let (terminal, chip) = pair(offered[1].into(), &offered, mrz(), 1);
    let fault = talk(terminal, chip, genuine).0.unwrap_err();
    assert_eq!(fault, Fault::Refused { ins: 0x22, status: Status::REFERENCED_DATA_NOT_FOUND });
}

#[test]
fn the_choice_avoids_triple_des_and_unsupported_protocols() {
    let info = |cipher, mapping, parameter_id| {
        SecurityInfo::Pace(PaceInfo {
            protocol: PaceProtocol { agreement: KeyAgreement::Ecdh, mapping, cipher },
            version: 2,
            parameter_id,
        })
    };
    let infos = SecurityInfos(vec![
        info(Cipher::TripleDes, Mapping::Generic, Some(12)),
        info(Cipher::Aes128, Mapping::Integrated, Some(12)),
        info(Cipher::Aes128, Mapping::Generic, None),
        info(Cipher::Aes192, Mapping::Generic, Some(16)),
    ]);
    let suite = Suite { cipher: Cipher::Aes192, curve: Curve::BrainpoolP384r1 };
    assert_eq!(choose(&infos), Ok(Choice { suite, ambiguous: false }));
    assert!(choose(&SecurityInfos(vec![info(Cipher::Aes128, Mapping::Integrated, Some(12))])).is_err());
}

#[test]
fn another_password_is_a_wrong_password() {
    for (password, seed) in [(can("123457"), 1), (Password::Mrz(MrzSecret::from_digest([7; 20])), 2)] {
        let suite = Suite { cipher: Cipher::Aes128, curve: Curve::P256 };
        let (terminal, chip) = pair(suite.into(), &[suite], password, seed);
        let (terminal, chip) = talk(terminal, chip, genuine);
        assert_eq!(terminal.unwrap_err(), Fault::WrongPassword { tries_left: None });
        assert!(chip.is_none());
    }
}

/// Returns a chip of G.1 that has heard the first `steps` genuine commands.
fn chip_after(steps: usize) -> chip::Pace {
    APPENDIX_G1[..steps].iter().fold(chip_of_g1(), |chip, [asked, _]| match chip.answer(&command(asked)) {
        Reply::More(chip, _) => chip,
        _ => panic!("refused too early"),
    })
}

fn refusal(chip: chip::Pace, asked: &Command) -> Status {
    match chip.answer(asked) {
        Reply::Refused(status) => status,
        _ => panic!("accepted {asked:?}"),
    }
}

#[test]
fn a_wrong_password_and_a_garbage_token_look_alike() {
    let genuine = command(APPENDIX_G1[4][0]);
    let garbage: [&[u8]; 6] = [
        &hex!("7C0A8508 0000000000000000"), // a token, but of a wrong password
        &hex!("7C098507 00000000000000"),
        &hex!("7C0A8608 C2B0BD78D94BA866"),
        &hex!("7C00"),
        &hex!("7C0A85"),
        &hex!(""),
    ];
    for data in garbage {
        let forged = Command { data: data.to_vec(), ..genuine.clone() };
        assert_eq!(refusal(chip_after(4), &forged), Status::AUTHENTICATION_FAILED);
    }
    let chained = Command { cla: 0x10, ..genuine };
    assert_eq!(refusal(chip_after(4), &chained), Status::AUTHENTICATION_FAILED);
}

#[test]
fn our_own_keys_sent_back_are_refused() {
    for (step, own) in [(2, "81"), (3, "83")] {
        // what the chip answers, sent to it as if it were the terminal's
        let mut answer = response(APPENDIX_G1[step][1]).data;
        answer[2] = hex::decode(own).unwrap()[0];
        let forged = Command::new(0x86, 0, 0).class(0x10).data(answer).expecting(256);
        assert_eq!(refusal(chip_after(step), &forged), Status::WRONG_DATA);
    }
    for (step, tag) in [(2usize, 0x82), (3, 0x84)] {
        let mut turn = terminal_of_g1().open();
        for [_, answer] in &APPENDIX_G1[..step] {
            let Ok(Turn::Ask(talk, _)) = turn else { panic!() };
            turn = talk.hear(response(answer));
        }
        let Ok(Turn::Ask(talk, asked)) = turn else { panic!() };
        let mut mirrored = asked.data;
        mirrored[2] = tag;
        let fault = talk.hear(Response::success(mirrored)).map(|_| ()).unwrap_err();
        assert_eq!(fault, Fault::Misbehaved("the chip sent our own PACE key back"));
    }
}

#[test]
fn points_off_the_curve_and_infinity_are_refused() {
    let mut off = response(APPENDIX_G1[2][1]).data[4..].to_vec();
    *off.last_mut().unwrap() ^= 1;
    let zero = [&[4][..], &[0; 64]].concat();
    for point in [&off[..], &zero, &[0], &[], &off[..64]] {
        for (step, tag, answer_tag) in [(2, 0x81, 0x82), (3, 0x83, 0x84)] {
            let forged = Command::from(crate::command::general_authenticate::GeneralAuthenticate::step(tag, point));
            assert_eq!(refusal(chip_after(step), &forged), Status::WRONG_DATA);
            let mut turn = terminal_of_g1().open();
            for [_, answer] in &APPENDIX_G1[..step] {
                let Ok(Turn::Ask(talk, _)) = turn else { panic!() };
                turn = talk.hear(response(answer));
            }
            let Ok(Turn::Ask(talk, _)) = turn else { panic!() };
            assert!(talk.hear(crate::command::general_authenticate::answer(answer_tag, point)).is_err());
        }
    }
}

#[test]
fn steps_out_of_order_are_refused() {
    for given in 0..5 {
        for asked in (0..5).filter(|asked| *asked != given) {
            let _ = refusal(chip_after(given), &command(APPENDIX_G1[asked][0]));
        }
    }
}

#[test]
fn a_transcript_replayed_to_another_run_fails() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut chip = chip::Pace::new(&[G1], vec![mrz()], chip::Random::generate(&[G1], &mut rng));
    for [asked, _] in &APPENDIX_G1[..4] {
        let Reply::More(next, _) = chip.answer(&command(asked)) else { panic!() };
        chip = next;
    }
    assert_eq!(refusal(chip, &command(APPENDIX_G1[4][0])), Status::AUTHENTICATION_FAILED);
}

#[test]
fn unknown_protocols_passwords_and_parameters_are_refused() {
    let set = |protocol: &str, password: &str, rest: &str| {
        command(&format!("0022C1A4{:02X}800A{protocol}8301{password}{rest}", 15 + rest.len() / 2))
    };
    let gm = "04007F00070202040202";
    for (asked, status) in [
        (set("04007F00070202040402", "01", ""), Status::WRONG_DATA), // integrated mapping
        (set("04007F00070202040204", "01", ""), Status::WRONG_DATA), // a cipher that is not offered
        (set(gm, "02", ""), Status::REFERENCED_DATA_NOT_FOUND),
        (set(gm, "03", ""), Status::REFERENCED_DATA_NOT_FOUND),
        (set(gm, "01", "84010C"), Status::REFERENCED_DATA_NOT_FOUND),
    ] {
        assert_eq!(refusal(chip_of_g1(), &asked), status);
    }
    let Reply::More(..) = chip_of_g1().answer(&set(gm, "01", "84010D")) else { panic!("the right parameters") };
}

#[test]
fn keys_of_another_curve_are_refused_before_the_dialogue() {
    let random = terminal::Random::generate(Curve::P256, &mut ChaCha20Rng::seed_from_u64(1));
    assert!(terminal::Pace::new(G1, mrz(), random).is_err());
}

/// PACE run of BSI's worked example for EAC2 (ECDH). Its password is a PIN, which differs from a
/// CAN only in its reference.
#[test]
fn worked_example_of_bsi() {
    let curve = Curve::BrainpoolP256r1;
    let mapping = key(curve, "752287F5B02DE3C4BC3E17945118C51B23C97278E4CD748048AC56BA5BDC3D46");
    let ephemeral = key(curve, "009D9A32DF93A57CCE33CA3CDD3457E33A976F293546C73550F397259C93BE0120");
    let terminal = terminal::Pace::new(G1, can("123456"), hazmat::terminal_random(mapping, ephemeral)).unwrap();
    let mapping = key(curve, "19C428715663DE745D1824B855D2B967890C99D68ED5FEEE9DCDF8D7BBA289D2");
    let ephemeral = key(curve, "15872C56908C144002177994CFAAEDD5467CE150853C44535051FF24183039D8");
    let random = hazmat::chip_random(hex!("7D98C00FC6C9E9543BBF94A87073A123"), mapping, ephemeral);
    let chip = chip::Pace::new(&[G1], vec![can("123456")], random);
    let mut messages = Vec::new();
    let (terminal, chip) = talk(terminal, chip, |_, message| {
        messages.push(hex::encode_upper(&message));
        message
    });
    assert!(messages[3].contains("CE834CDE69FFBB1D1EB21585CD709F18")); // z
    assert!(messages[4].contains("3DD29BBE5907FD21A152ADA4895FAAE7ACC55F5E50EFBFDE5AB0C6EB54F198D6"));
    assert!(messages[6].contains("518BC4E532AD2A9BD6527804D5D665ABD51041037A0CC8AA922804EB501C222B"));
    assert!(messages[8].contains("A27AE7B36573C1D9") && messages[9].contains("A2658C2F38600B0F"));
    // its first protected message: data object 83 under counter 1
    let command = Command::new(0x22, 0x81, 0xb6).data(hex!("830D44454356434141543030303031"));
    let sealed = terminal.unwrap().channel.seal(&command).unwrap();
    assert_eq!(sealed.data[..19], hex!("871101 BE90237EEB4BA0FF253EA246AE31C8B8"));
    assert_eq!(chip.unwrap().channel.open(&sealed), Ok(command));
}

/// P-256 is the quickest curve; keys are fixed so that only the altered run is computed.
#[test]
fn every_flipped_bit_leaves_no_common_channel() {
    let suite = Suite { cipher: Cipher::Aes128, curve: Curve::P256 };
    let mut transcript = Vec::new();
    let fresh = || pair(suite.into(), &[suite], can("123456"), 9);
    let (terminal, chip) = fresh();
    let _ = talk(terminal, chip, |_, message| {
        transcript.push(message.clone());
        message
    });
    assert_eq!(transcript.len(), 10);
    for (number, message) in transcript.iter().enumerate() {
        // The expected length of a GENERAL AUTHENTICATE is not covered by any token. It only limits
        // the length of the answer.
        let covered = message.len() - usize::from([2, 4, 6, 8].contains(&number));
        for bit in 0..covered * 8 {
            let byte = bit / 8;
            let (terminal, chip) = fresh();
            let (terminal, chip) = talk(terminal, chip, |at, mut message| {
                if at == number {
                    message[byte] ^= 1 << (bit % 8);
                }
                message
            });
            assert!(terminal.is_err(), "message {number}, bit {bit}");
            // Only the last message can fail after the chip has succeeded: then the chip alone has a channel.
            assert!(chip.is_none() || number == 9, "message {number}, bit {bit}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_answer_makes_the_terminal_panic(data: Vec<u8>, status: u16) {
        let Ok(Turn::Ask(talk, _)) = terminal_of_g1().open() else { panic!() };
        let Ok(Turn::Ask(talk, _)) = talk.hear(Response::success([])) else { panic!() };
        let _ = talk.hear(Response { data, status: Status(status) });
    }

    #[test]
    fn no_command_makes_the_chip_panic(bytes: Vec<u8>) {
        if let Ok(asked) = Command::parse(&bytes) {
            let _ = refusal(chip_of_g1(), &asked);
        }
    }
}
