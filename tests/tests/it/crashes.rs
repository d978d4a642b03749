//! The service is killed while stations issue cards, at random moments and at named points. `cargo run -p tests --bin
//! crash` does the same for as long as one likes.

use std::path::Path;
use std::process::Command;

use tests::crash::{self, Options};
use tests::world::{postgres, scratch};

fn killed_again_and_again(seed: u64, database: Option<String>) {
    let scratch = scratch();
    let dir = scratch.path().join("house");
    let options = Options { seed, kills: 10, citizens: 5, stations: 3, database };
    let report = crash::run(&dir, &options).unwrap();
    println!("{report:?}");
    let log = crash::log_of(&dir);
    assert!(report.broken.is_empty(), "seed {seed}:\n{}\n{log}", report.broken.join("\n"));
    assert_eq!(report.kills.values().sum::<u32>(), options.kills);
    assert!(report.citizens >= options.citizens, "{report:?}");
    assert!(report.repeated > 0, "no request met a dead service: {report:?}");
}

#[test]
fn a_service_killed_under_work_loses_and_doubles_nothing_on_sqlite() {
    killed_again_and_again(u64::from_be_bytes(tests::ambient::bytes()), None);
}

#[test]
fn a_service_killed_under_work_loses_and_doubles_nothing_on_postgresql() {
    let Some(database) = postgres::fresh_database() else { return };
    killed_again_and_again(u64::from_be_bytes(tests::ambient::bytes()), Some(database));
}

#[test]
fn a_release_build_has_no_failpoints() {
    let scratch = scratch();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../issuance/src/ground/failpoint.rs");
    let compiled = |name: &str, switch: &str| {
        let out = scratch.path().join(name);
        let mut rustc = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()));
        rustc.args(["--edition", "2024", "--crate-type", "lib", "--crate-name", "failpoint", "--emit", "obj"]);
        let done = rustc.args(["-C", switch, "-o"]).arg(&out).arg(&source).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let variable = b"ISSUANCE_FAILPOINT";
        std::fs::read(out).unwrap().windows(variable.len()).any(|bytes| bytes == variable)
    };
    assert!(compiled("debug.o", "debug-assertions=on"), "a debug build has them");
    assert!(!compiled("release.o", "debug-assertions=off"), "a release build reads the variable");
    let profiles = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
    assert!(!profiles.contains("debug-assertions"), "a profile of Cargo.toml changes what a release build is");
}
