//! The service is killed while stations issue cards, at random moments and at named points. `cargo run -p tests --bin
//! crash` does the same for as long as one likes.

use std::path::Path;
use std::process::Command;

use issuance::sql;
use issuance::store::Sql;
use tests::crash::invariants::{House, sentences};
use tests::crash::{self, Options};
use tests::world::{postgres, scratch};

fn killed_again_and_again(dir: &Path, seed: u64, database: Option<String>) {
    let options = Options { seed, kills: 10, citizens: 5, stations: 3, database };
    let report = crash::run(dir, &options).unwrap();
    println!("{report:?}");
    let log = crash::log_of(dir);
    assert!(report.broken.is_empty(), "seed {seed}:\n{}\n{log}", report.broken.join("\n"));
    assert_eq!(report.kills.values().sum::<u32>(), options.kills);
    assert!(report.citizens >= options.citizens, "{report:?}");
    assert!(report.repeated > 0, "no request met a dead service: {report:?}");
}

#[test]
fn a_service_killed_under_work_loses_and_doubles_nothing_on_sqlite() {
    let scratch = scratch();
    let dir = scratch.path().join("house");
    killed_again_and_again(&dir, u64::from_be_bytes(tests::ambient::bytes()), None);
    every_sentence_is_broken_by_a_row(&House { data: &dir.join("issuance"), database: None });
}

#[test]
fn a_service_killed_under_work_loses_and_doubles_nothing_on_postgresql() {
    let Some(database) = postgres::fresh_database() else { return };
    let scratch = scratch();
    killed_again_and_again(&scratch.path().join("house"), u64::from_be_bytes(tests::ambient::bytes()), Some(database));
}

fn every_sentence_is_broken_by_a_row(house: &House<'_>) {
    let mut broken = std::collections::BTreeSet::new();
    for statement in CORRUPTIONS {
        let by_this = house.broken_by(*statement).unwrap();
        assert!(!by_this.is_empty(), "not noticed: {}", statement.lite());
        broken.extend(by_this);
    }
    assert_eq!(broken, sentences(), "a sentence that nothing breaks says nothing");
}

/// What no run of the service may leave behind; each breaks at least one sentence.
const CORRUPTIONS: &[Sql] = &[
    sql!("update chip set state_data = (select state_data from chip where state = 'personalized' limit 1)"),
    sql!(
        "update application set stage = 'in-production', stage_data = '{\"stage\":\"in-production\",\"chip\":\"C1\"}'"
    ),
    sql!("update or ignore document set serial = (select min(serial) from document)"),
    sql!("update document set application_id = (select min(application_id) from document)"),
    sql!("update document set sod = null"),
    sql!("update card set status = 'revoked'"),
    sql!("update chip set state = 'bound'"),
    sql!("update application set stage = 'in-production'"),
    sql!("delete from document"),
    sql!("update chip set state = 'initialised'"),
    sql!("delete from card"),
    sql!("update document set sod_sha256 = x'00'"),
    sql!("update chip set state = 'spoiled'"),
    sql!("update document set state = 'dropped'"),
    sql!("insert into revoked_document select sod_sha256, 'lost', 0 from document where state = 'signed'"),
    sql!("update person set personal_number = null"),
    sql!("update application set stage = 'approved', person_id = (select min(person_id) from application)"),
    sql!("update card set person_id = (select min(person_id) from card)"),
    sql!("update perso_order set challenge_used_at = null"),
    sql!("update signing_key set used = 0"),
    sql!("update answer set sealed = null"),
    sql!("update stock_tally set n = n + 1 where account = 'supplier'"),
    sql!("update chip set posting_id = null"),
    sql!("delete from audit_entry"),
    sql!("update audit_entry set object = 'nothing', related = 'nothing'"),
];

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
