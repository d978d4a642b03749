//! The fuzz targets: each handles bytes from outside.
//!
//! Each target takes any bytes and must return: no panic, no endless loop, no unbounded memory. Beyond that, each
//! asserts what else may never happen: a value that does not survive being written and read back, a forged
//! signature that verifies, a channel that lives on after an error. The programs under `fuzz_targets/` hand these
//! functions to libFuzzer; `crypto/tests/corpus/` runs them over the seeds and over mutations of them, without
//! libFuzzer, in every test run.

pub mod channels; // public: seeds are made with its keys, and judged with those of `perso` and `trust`
mod chip;
mod files;
pub mod perso;
pub mod trust;

/// A parser, or a role, that sees bytes from outside.
#[derive(Clone, Copy)]
pub struct Target {
    /// Name of the program under `fuzz_targets/` and of the folder under `seeds/`.
    pub name: &'static str,
    /// Runs the target on these bytes.
    pub run: fn(&[u8]),
    /// Number of mutations of each seed in a test run.
    pub mutations: u32,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("tlv", files::tlv, 2_000),
    target("apdu", files::apdu, 2_000),
    target("td1_mrz", files::td1_mrz, 2_000),
    target("atr_info", files::atr_info, 2_000),
    target("com", files::com, 2_000),
    target("dg1", files::dg1, 2_000),
    target("dg2", files::dg2, 2_000),
    target("dg13", files::dg13, 2_000),
    target("security_infos", files::security_infos, 1_000),
    target("certificate", trust::certificate, 300),
    target("crl", trust::crl, 300),
    target("sod", trust::sod, 300),
    target("trust_bundle", trust::trust_bundle, 300),
    target("master_list", trust::master_list, 300),
    target("order", perso::order, 1_000),
    target("receipt", perso::receipt, 500),
    target("store_data", perso::store_data, 1_000),
    target("sm_terminal", channels::sm_terminal, 1_000),
    target("sm_chip", channels::sm_chip, 1_000),
    target("scp03_terminal", channels::scp03_terminal, 500),
    target("scp03_chip", channels::scp03_chip, 500),
    target("inspection", chip::inspection, 100),
];

const fn target(name: &'static str, run: fn(&[u8]), mutations: u32) -> Target {
    Target { name, run, mutations }
}

/// Runs the target with this name on `bytes`.
///
/// # Panics
/// If there is no such target, and if the target finds what may never happen.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target with this name");
    (target.run)(bytes);
}
