//! The store of a chip: what survives a kill, how damage is noticed, what the seed determines.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crypto::perso::LifeCycle;
use hardware_sim::state::Persistent;
use hardware_sim::{Chip, InProcess, Profile, StateError, Store};

use crate::cast::*;

#[test]
fn a_killed_process_opens_to_the_last_committed_state() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::directory(folder.path()).expect("a store");
    let mut card = InProcess::new(blank_in(store.clone(), Profile::default(), 0));
    let keys = intake(&mut card).expect("the chip");
    drop((card, store)); // without an orderly end
    let store = Store::directory(folder.path()).expect("the lock is released");
    let mut card = InProcess::new(Chip::open(store.clone(), SEED).expect("the chip"));
    assert_eq!(card.chip().life_cycle(), LifeCycle::Initialised);
    personalize(&mut card, &package(&keys)).expect("the same keys");
    let path = folder.path().join("chip.state");
    assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    // The incomplete file that a kill during a write leaves is ignored.
    fs::write(folder.path().join("chip.state.new"), b"citizen-card chip st").expect("written");
    drop((card, store));
    let store = Store::directory(folder.path()).expect("a store");
    let card = InProcess::new(Chip::open(store, SEED).expect("the chip"));
    pace(&card, can()).expect("PACE");
}

#[test]
fn a_folder_in_use_is_refused_to_a_second_simulator() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::directory(folder.path()).expect("a store");
    assert!(matches!(Store::directory(folder.path()), Err(StateError::InUse(_))));
    drop(store);
    Store::directory(folder.path()).expect("free again");
}

#[test]
fn a_chip_is_not_made_where_there_is_one() {
    let store = Store::memory();
    assert!(matches!(Chip::open(store.clone(), SEED), Err(StateError::Empty)));
    let _chip = blank_in(store.clone(), Profile::default(), 0);
    let serial = hardware_sim::serial(SEED, 1);
    let again = Chip::blank(Profile::default(), serial, transport(serial), SEED, store);
    assert!(matches!(again, Err(StateError::Occupied)));
}

#[test]
fn every_flipped_byte_of_a_state_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::directory(folder.path()).expect("a store");
    drop(blank_in(store.clone(), Profile::default(), 0));
    let path = folder.path().join("chip.state");
    let good = fs::read(&path).expect("the file");
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).expect("written");
        assert!(store.load().is_err(), "byte {at}");
    }
    fs::write(&path, String::from_utf8_lossy(&good).replacen("state 1 ", "state 2 ", 1)).expect("written");
    assert!(matches!(store.load(), Err(StateError::Version(2))));
}

#[test]
fn the_same_seed_gives_the_same_chip_and_a_restart_gives_new_nonces() {
    let challenges = |store: &Store| {
        let card = InProcess::new(Chip::open(store.clone(), SEED).expect("the chip"));
        say(&card, "00A4040C07A0000002471001");
        [say(&card, "0084000008"), say(&card, "0084000008")]
    };
    let run = || {
        let store = Store::memory();
        let mut card = InProcess::new(blank_in(store.clone(), Profile::default(), 0));
        let keys = intake(&mut card).expect("the chip");
        personalize(&mut card, &package(&keys)).expect("the chip");
        drop(card);
        (keys, [challenges(&store), challenges(&store)].concat())
    };
    let (one, two) = (run(), run());
    assert_eq!(one, two);
    let mut nonces = one.1;
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 4);
}

/// A state file of each released version is kept under `tests/state_test_data` and must still open. To make the file of
/// a new version: `CITIZEN_CARD_WRITE_STATE=1 cargo test -p hardware-sim states_of`.
#[test]
fn states_of_every_version_open() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/state_test_data/v1/personalized.state");
    if std::env::var_os("CITIZEN_CARD_WRITE_STATE").is_some() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::directory(folder.path()).expect("a store");
        let mut card = InProcess::new(blank_in(store, Profile::default(), 0));
        let keys = intake(&mut card).expect("the chip");
        let mut small = files(&keys);
        small.retain(|(file, content)| content.len() < 2_000 || *file == crypto::lds::File::Sod);
        let package = crypto::perso::Package::new(small, can(), &mrz()).expect("a package");
        personalize(&mut card, &package).expect("the chip");
        fs::copy(folder.path().join("chip.state"), &kept).expect("copied");
    }
    let bytes = fs::read(&kept).expect("the file");
    let state = Persistent::from_bytes(&bytes).expect("version 1");
    assert!(*state.to_bytes() == bytes, "version 1 is written as it was read");
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(&kept, folder.path().join("chip.state")).expect("copied");
    let chip = Chip::open(Store::directory(folder.path()).expect("a store"), SEED).expect("version 1 opens");
    assert_eq!(chip.life_cycle(), LifeCycle::Personalized);
    let card = InProcess::new(chip);
    let mut reader = pace(&card, can()).expect("PACE");
    read(&mut reader, crypto::lds::File::Sod, 2_000).expect("readable");
}
