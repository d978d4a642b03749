//! Anchors: what other implementations do on the same machine in the same minute.

use std::process::Command;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
    EcdsaKeyPair, UnparsedPublicKey,
};
use crypto::suite::{Curve, Hash, PrivateKey, SignatureAlgorithm, VerifyingKey};

use crate::{rate, round, subject};

/// Operations per CPU-second.
#[derive(Clone, Copy)]
pub struct Pace {
    pub sign: f64,
    pub verify: f64,
}

/// Runs `openssl speed`, which counts CPU time as well. Returns `None` where openssl is not installed.
pub fn openssl(curve: Curve) -> Option<Pace> {
    let name = match curve {
        Curve::P256 => "ecdsap256",
        Curve::P384 => "ecdsap384",
        Curve::BrainpoolP256r1 => "ecdsabrp256r1",
        Curve::BrainpoolP384r1 => "ecdsabrp384r1",
        Curve::P521 => "ecdsap521",
    };
    let seconds = round().as_secs_f64().mul_add(1.5, 0.5).floor().max(1.0).to_string();
    let output = Command::new("openssl").args(["speed", "-seconds", &seconds, name]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // `256 bits ecdsa (nistp256)   0.0000s   0.0001s  47774.0  18778.0`
    let line = text.lines().rfind(|line| line.contains("bits ecdsa"))?;
    let mut numbers = line.split_whitespace().rev().map_while(|word| word.parse::<f64>().ok());
    let (verify, sign) = (numbers.next()?, numbers.next()?);
    Some(Pace { sign, verify })
}

/// Signs a message; returns the signature in DER.
type Signer = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// Returns a signer that uses the library of the service's signer, without the verification that follows there.
pub fn raw_signer(key: &PrivateKey) -> Signer {
    let algorithm = match key.curve() {
        Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        curve => {
            let key = PrivateKey::from_bytes(curve, &key.to_bytes()).expect("the same key");
            return Box::new(move |message| key.sign_der(curve.usual_hash(), message));
        }
    };
    let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &key.to_bytes(), key.public().to_sec1());
    let pair = pair.expect("a key pair");
    #[expect(clippy::disallowed_methods, reason = "signing with aws-lc-rs takes no other source of randomness")]
    let random = SystemRandom::new();
    Box::new(move |message| pair.sign(&random, message).expect("signs").as_ref().to_vec())
}

/// Measures the library that the signer uses, by itself, over a message as long as the signed attributes.
pub fn library(curve: Curve) -> Pace {
    let key = PrivateKey::generate(curve, &mut subject::rng());
    let message = [0x5a; 144];
    let signer = raw_signer(&key);
    let sign = rate(|| drop(signer(&message)));
    let signature = signer(&message);
    let verify = match curve {
        Curve::P256 | Curve::P384 => {
            let nist256 = curve == Curve::P256;
            let algorithm = if nist256 { &ECDSA_P256_SHA256_ASN1 } else { &ECDSA_P384_SHA384_ASN1 };
            let point = key.public();
            rate(|| UnparsedPublicKey::new(algorithm, point.to_sec1()).verify(&message, &signature).expect("genuine"))
        }
        _ => {
            let public = VerifyingKey::from(key.public());
            let algorithm = SignatureAlgorithm::Ecdsa(curve.usual_hash());
            rate(|| public.verify(algorithm, &message, &signature).expect("genuine"))
        }
    };
    Pace { sign, verify }
}

/// Returns how often per CPU-second these files can be hashed, one by one.
pub fn hashing(files: &[&[u8]], hash: Hash) -> f64 {
    let algorithm = match hash {
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
        _ => &digest::SHA256,
    };
    rate(|| {
        for file in files {
            std::hint::black_box(digest::digest(algorithm, file));
        }
    })
}

/// Returns the rate of doing several things one after the other, from the rate of each.
pub fn together(rates: &[f64]) -> f64 {
    1.0 / rates.iter().map(|rate| 1.0 / rate).sum::<f64>()
}
