//! Every fuzz target over its seeds and over mutations of them, without libFuzzer. `CORPUS_MUTATIONS=20` does twenty
//! times as many. The targets themselves are those of `crypto/fuzz`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::path::PathBuf;
use std::{env, fs, panic};

use crypto::lds::{Dg2, Dg13};
use crypto::mrz::Td1;
use crypto::perso::{Receipt, Record, Script};
use crypto::pki::{Certificate, Crl, trust_bundle};
use crypto::sod::Sod;
use fuzz::perso::keys;
use fuzz::trust::{AT, CSCA, STORE};
use fuzz::{TARGETS, Target};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
}

/// Returns the committed seeds of a target, in the order of their names.
fn seeds_of(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(folder(target))
        .unwrap_or_else(|error| panic!("seeds of {target}: {error}"))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

fn try_out(target: &Target, bytes: &[u8]) {
    let survived = panic::catch_unwind(|| fuzz::run(target.name, bytes)).is_ok();
    assert!(survived, "target {} panics on these {} bytes: {}", target.name, bytes.len(), hex::encode(bytes));
}

/// Applies one to four changes that are likely to break parsers.
fn mutate(seed: &[u8], others: &[Vec<u8>], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(1..=8)).min(bytes.len());
        match rng.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = TELLING[rng.random_range(0..TELLING.len())],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => bytes.splice(at..at, (0..end - at).map(|_| rng.random())).for_each(drop),
            5 => {
                let twice = bytes[at..end].to_vec();
                bytes.splice(at..at, twice).for_each(drop);
            }
            _ => {
                let other = &others[rng.random_range(0..others.len())];
                let from = rng.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

/// Bytes with a meaning: lengths and their forms, tags, fillers, digits.
const TELLING: [u8; 16] = [0, 1, 0x1f, 0x30, 0x31, 0x3c, 0x7f, 0x80, 0x81, 0x82, 0x84, 0x87, 0x90, 0x9f, 0xdf, 0xff];

#[test]
fn every_target_survives_its_seeds_and_mutations_of_them() {
    let factor: u32 = env::var("CORPUS_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    for target in TARGETS {
        let seeds = seeds_of(target.name);
        assert!(!seeds.is_empty(), "{} has no seed", target.name);
        let mut rng = ChaCha20Rng::from_seed([u8::try_from(target.name.len()).unwrap(); 32]);
        try_out(target, &[]);
        for seed in &seeds {
            try_out(target, seed);
            for end in (0..seed.len()).step_by((seed.len() / 256).max(1)) {
                try_out(target, &seed[..end]);
            }
            for _ in 0..target.mutations * factor {
                try_out(target, &mutate(seed, &seeds, &mut rng));
            }
        }
    }
}

/// The seeds are valid, so that mutations reach deep into the parsers.
#[test]
fn the_seeds_are_genuine() {
    let read = |target: &str, name: &str| fs::read(folder(target).join(name)).unwrap();
    let sod = Sod::parse(&read("sod", "genuine")).unwrap();
    assert_eq!(sod.verify(&STORE, AT).unwrap().groups().len(), 3);
    let signer = Certificate::parse(&read("certificate", "document-signer")).unwrap();
    STORE.verify_signer(&signer, AT).unwrap();
    Crl::parse(&read("crl", "one-revoked")).unwrap().verify(&CSCA).unwrap();
    trust_bundle::open(&read("trust_bundle", "genuine"), &CSCA, AT).unwrap();
    let record: Record = serde_json::from_slice(&read("order", "record.json")).unwrap();
    let receipt: Receipt = serde_json::from_slice(&read("receipt", "genuine.json")).unwrap();
    Script::from_record(record).verify(&keys(), &receipt).unwrap();
    Td1::parse(&read("td1_mrz", "citizen")).unwrap();
    Dg13::parse(&read("dg13", "citizen")).unwrap();
    Dg2::parse(&read("dg2", "small")).unwrap();
}

#[test]
fn every_target_has_its_program() {
    let manifest = include_str!("../../fuzz/Cargo.toml");
    for target in TARGETS {
        assert!(
            manifest.contains(&format!("name = \"{0}\"\npath = \"fuzz_targets/{0}.rs\"", target.name)),
            "{}",
            target.name
        );
    }
}
