use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;
use crate::apdu::{Command, Status};
use crate::suite::{Curve, PrivateKey, SignatureError, VerifyingKey};

const CHALLENGE: [u8; 8] = [0xf1, 0x73, 0x58, 0x99, 0x74, 0xbf, 0x40, 0xc6];

fn key(curve: Curve) -> PrivateKey {
    PrivateKey::generate(curve, &mut ChaCha20Rng::seed_from_u64(11))
}

#[test]
fn the_chip_signs_what_the_terminal_verifies_on_every_curve() {
    for curve in Curve::ALL {
        let private = key(curve);
        let public = VerifyingKey::from(private.public());
        for hash in [Hash::Sha256, curve.usual_hash()] {
            let answer = chip::sign(&private, hash, &terminal::command(CHALLENGE)).unwrap();
            assert_eq!(answer.data.len(), 2 * curve.field_len());
            assert_eq!(terminal::verify(&public, Some(hash), &CHALLENGE, &answer.data), Ok(()));
            // the announcement is missing
            assert_eq!(terminal::verify(&public, None, &CHALLENGE, &answer.data), Ok(()));
        }
    }
}

#[test]
fn a_signature_in_der_is_read_too() {
    let private = key(Curve::P256);
    let public = VerifyingKey::from(private.public());
    let signature = private.sign_der(Hash::Sha256, &CHALLENGE);
    assert_eq!(terminal::verify(&public, Some(Hash::Sha256), &CHALLENGE, &signature), Ok(()));
    assert_eq!(terminal::verify(&public, None, &CHALLENGE, &signature), Ok(()));
}

#[test]
fn a_signature_of_another_key_challenge_or_hash_is_refused() {
    let private = key(Curve::P256);
    let public = VerifyingKey::from(private.public());
    let signature = private.sign_plain(Hash::Sha256, &CHALLENGE);
    let other = VerifyingKey::from(PrivateKey::from_bytes(Curve::P256, &[5]).unwrap().public());
    for (key, hash, challenge) in [
        (&other, Some(Hash::Sha256), CHALLENGE),
        (&public, Some(Hash::Sha256), [0; 8]),
        (&public, Some(Hash::Sha512), CHALLENGE),
    ] {
        assert_eq!(terminal::verify(key, hash, &challenge, &signature), Err(SignatureError::Mismatch));
    }
    assert!(terminal::verify(&other, None, &CHALLENGE, &signature).is_err());
    assert!(terminal::verify(&public, None, &CHALLENGE, &[]).is_err());
}

#[test]
fn every_flipped_bit_of_a_signature_is_refused() {
    let private = key(Curve::P256);
    let public = VerifyingKey::from(private.public());
    let plain = private.sign_plain(Hash::Sha256, &CHALLENGE);
    let der = private.sign_der(Hash::Sha256, &CHALLENGE);
    for signature in [plain, der] {
        for bit in 0..signature.len() * 8 {
            let mut forged = signature.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(terminal::verify(&public, Some(Hash::Sha256), &CHALLENGE, &forged).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn the_chip_signs_eight_bytes_and_nothing_else() {
    let private = key(Curve::P256);
    for (command, status) in [
        (Command::new(0x88, 0, 0).data([1; 7]).expecting(256), Status::WRONG_LENGTH),
        (Command::new(0x88, 0, 0).data([1; 32]).expecting(256), Status::WRONG_LENGTH),
        (Command::new(0x88, 0, 0).data([1; 8]).expecting(63), Status::WRONG_LENGTH),
        (Command::new(0x88, 0, 1).data([1; 8]).expecting(256), Status::WRONG_P1P2),
        (Command::new(0x88, 0, 0).class(0x10).data([1; 8]).expecting(256), Status::CHAINING_NOT_SUPPORTED),
    ] {
        assert_eq!(chip::sign(&private, Hash::Sha256, &command), Err(status));
    }
}

#[test]
fn announced_algorithms_are_known_by_their_identifiers() {
    assert_eq!(signature_algorithm(Hash::Sha256).to_string(), "0.4.0.127.0.7.1.1.4.1.3");
    for hash in Hash::ALL {
        assert_eq!(hash_of(signature_algorithm(hash)), Some(hash));
    }
    assert_eq!(hash_of(ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3")), Some(Hash::Sha384));
    assert_eq!(hash_of(ObjectIdentifier::new_unwrap("1.2.3")), None);
}
