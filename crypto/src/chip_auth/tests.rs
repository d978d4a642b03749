use std::sync::Arc;

use hex_literal::hex;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;
use crate::apdu::{Command, Response, Status};
use crate::conversation::rehearsal::{genuine, talk};
use crate::conversation::{Fault, Reply, Respondent};
use crate::suite::Curve;
use crate::{kdf, sm};

fn private(curve: Curve, seed: u64) -> Arc<PrivateKey> {
    Arc::new(PrivateKey::generate(curve, &mut ChaCha20Rng::seed_from_u64(seed)))
}

fn chip(private: &Arc<PrivateKey>, cipher: Cipher) -> chip::ChipAuthentication {
    let key = chip::Key { private: private.clone(), key_id: None, ciphers: vec![cipher] };
    chip::ChipAuthentication::new(vec![key])
}

fn terminal(public: PublicKey, cipher: Cipher, seed: u64) -> terminal::ChipAuthentication {
    terminal::ChipAuthentication::new(cipher, public, None, &mut ChaCha20Rng::seed_from_u64(seed))
}

/// Returns the first exchange on the new channel: the proof.
fn is_common(terminal: &mut sm::Terminal, chip: &mut sm::Chip) -> bool {
    let command = Command::new(0xb0, 0x9d, 0).expecting(4);
    let Ok(opened) = terminal.seal(&command).map_err(drop).and_then(|sealed| chip.open(&sealed).map_err(drop)) else {
        return false;
    };
    opened == command && terminal.open(&chip.seal(Response::success([0x77, 1, 2, 3]))).is_ok()
}

#[test]
fn terminal_and_chip_understand_each_other_on_every_curve_under_every_cipher() {
    for (seed, curve) in Curve::ALL.into_iter().enumerate() {
        let private = private(curve, seed as u64);
        for cipher in Cipher::ALL {
            let (terminal, chip) = talk(terminal(private.public(), cipher, 77), chip(&private, cipher), genuine);
            assert!(is_common(&mut terminal.unwrap(), &mut chip.unwrap()), "{curve:?} {cipher:?}");
        }
    }
}

/// BSI's worked example for EAC2 (ECDH). Version 2 of the protocol mixes a nonce of the chip into the keys, where
/// version 1, which travel documents use, has none: agreement and derivation are the same otherwise.
#[test]
fn worked_example_of_bsi() {
    let curve = Curve::BrainpoolP256r1;
    let chip = hex!("7984674CF3B3A524BF929CE8A67FCF22173DA0BAD595EED6DEB72D22C542FA9D");
    let chip = PrivateKey::from_bytes(curve, &chip).unwrap();
    let terminal = hex!("00A6A4D255C5BF7A77EC3D0553DB74F693CF044E18C98364D4977A296108AF19BD");
    let terminal = PrivateKey::from_bytes(curve, &terminal).unwrap();
    assert_eq!(chip.public().x(), hex!("A44EBE5451DF7AADB01E459B8C928A87746A57927C8C28A6775C97A7E1FE8D9A"));
    assert_eq!(terminal.public().x(), hex!("5A7A377FC9CAFC03AC7FF45441A8B2909D88EAB8E6B0173847AB49B949DF3799"));
    let secret = terminal.agree(&chip.public()).unwrap();
    assert_eq!(*secret, hex!("791DA04273CCFE862E52DF60347E2557192E1F8D7517822CE3D306056C1CDEB4"));
    assert_eq!(secret, chip.agree(&terminal.public()).unwrap());
    let nonced = [&secret[..], &hex!("4287B3072A3EDC60")].concat();
    assert_eq!(*kdf::authentication_key(Cipher::Aes128, &nonced), hex!("78B5709E7ABEDB185B424D0EE3A82499"));
    assert_eq!(*kdf::encryption_key(Cipher::Aes128, &nonced), hex!("94ABCD271AB7D9A5590BA52CB518B831"));
}

#[test]
fn the_messages_of_both_forms_look_as_in_the_standard() {
    let private = private(Curve::P256, 5);
    let mut first = Vec::new();
    let _ = talk(terminal(private.public(), Cipher::Aes128, 6), chip(&private, Cipher::Aes128), |_, message| {
        first.push(hex::encode_upper(&message));
        message
    });
    assert_eq!(first[..2], ["002241A40C800A04007F00070202030202", "9000"]);
    assert!(first[2].starts_with("00860000457C43804104") && first[2].ends_with("00"));
    assert_eq!(first[3], "7C009000");
    let mut second = Vec::new();
    let _ = talk(terminal(private.public(), Cipher::TripleDes, 6), chip(&private, Cipher::TripleDes), |_, message| {
        second.push(hex::encode_upper(&message));
        message
    });
    assert!(second[0].starts_with("002241A643914104"));
    assert_eq!(second[1..], ["9000"]);
}

#[test]
fn a_chip_that_only_copied_the_public_key_is_found_out_by_the_first_exchange() {
    let (genuine_key, other) = (private(Curve::P256, 1), private(Curve::P256, 2));
    let cipher = Cipher::Aes256;
    let (terminal, chip) = talk(terminal(genuine_key.public(), cipher, 3), chip(&other, cipher), genuine);
    assert!(!is_common(&mut terminal.unwrap(), &mut chip.unwrap()));
}

#[test]
fn several_keys_must_be_named() {
    let (one, two) = (private(Curve::P256, 1), private(Curve::P256, 2));
    let chip = || {
        let key = |private: &Arc<PrivateKey>, id| chip::Key {
            private: private.clone(),
            key_id: Some(id),
            ciphers: vec![Cipher::Aes128],
        };
        chip::ChipAuthentication::new(vec![key(&one, 7), key(&two, 300)])
    };
    let terminal = |key_id| {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        terminal::ChipAuthentication::new(Cipher::Aes128, two.public(), key_id, &mut rng)
    };
    let (named, with) = talk(terminal(Some(300)), chip(), genuine);
    assert!(is_common(&mut named.unwrap(), &mut with.unwrap()));
    for key_id in [None, Some(8)] {
        let fault = talk(terminal(key_id), chip(), genuine).0.unwrap_err();
        assert_eq!(fault, Fault::Refused { ins: 0x22, status: Status::REFERENCED_DATA_NOT_FOUND });
    }
}

#[test]
fn points_off_the_curve_and_infinity_are_refused() {
    let private = private(Curve::P256, 1);
    let mut off = private.public().to_sec1().to_vec();
    off[64] ^= 1;
    for point in [&off[..], &[&[4][..], &[0; 64]].concat(), &[0], &[]] {
        use crate::command::general_authenticate::GeneralAuthenticate;
        use crate::command::mse::{SetInternal, SetKeyAgreement};
        use crate::lds::security_infos::ChipAuthenticationProtocol;
        let set = SetInternal { protocol: ChipAuthenticationProtocol::ecdh(Cipher::Aes128).oid(), key_id: None };
        let Reply::More(waiting, _) = chip(&private, Cipher::Aes128).answer(&set.into()) else { panic!("refused") };
        let step = Command::from(GeneralAuthenticate::last(0x80, point));
        assert!(matches!(waiting.answer(&step), Reply::Refused(Status::WRONG_DATA)));
        let set = Command::from(SetKeyAgreement { public_key: point.to_vec(), key_id: None });
        assert!(matches!(chip(&private, Cipher::TripleDes).answer(&set), Reply::Refused(Status::WRONG_DATA)));
    }
}

#[test]
fn every_flipped_bit_leaves_no_common_channel() {
    let private = private(Curve::P256, 1);
    for (cipher, messages) in [(Cipher::Aes128, 4), (Cipher::TripleDes, 2)] {
        let mut transcript = Vec::new();
        let _ = talk(terminal(private.public(), cipher, 3), chip(&private, cipher), |_, message| {
            transcript.push(message.clone());
            message
        });
        assert_eq!(transcript.len(), messages);
        for (number, message) in transcript.iter().enumerate() {
            // The expected length at the end of GENERAL AUTHENTICATE is no part of the protocol. In a real run the old
            // channel covers it, and everything else here too.
            let covered = message.len() - usize::from(number == 2);
            for bit in 0..covered * 8 {
                let (terminal, chip) =
                    talk(terminal(private.public(), cipher, 3), chip(&private, cipher), |at, mut message| {
                        if at == number {
                            message[bit / 8] ^= 1 << (bit % 8);
                        }
                        message
                    });
                if let (Ok(mut terminal), Some(mut chip)) = (terminal, chip) {
                    assert!(!is_common(&mut terminal, &mut chip), "{cipher:?} message {number}, bit {bit}");
                }
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_command_makes_the_chip_panic(bytes: Vec<u8>) {
        let private = private(Curve::P256, 1);
        if let Ok(command) = Command::parse(&bytes) {
            let refused = matches!(chip(&private, Cipher::Aes128).answer(&command), Reply::Refused(_));
            proptest::prop_assert!(refused);
        }
    }
}
