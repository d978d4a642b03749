//! `issuance generate`: the block of docs/generate.md, and what it refuses.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn issuance(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_issuance")).args(arguments).current_dir(folder).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_command_of_the_document_writes_a_nation_and_its_truth() {
    let text = include_str!("../../../docs/generate.md");
    let block = text.lines().find(|line| line.starts_with("issuance generate --people")).unwrap();
    let arguments: Vec<&str> = block.split_whitespace().skip(1).collect();
    let folder = tempfile::tempdir().unwrap();
    let output = issuance(folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output.stderr));
    assert!(
        said(&output.stdout).starts_with("20000 people in 20400 lines: 1000 forms with faults, 400 second forms, "),
        "{}",
        said(&output.stdout)
    );
    let lines = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap().lines().count();
    assert_eq!((lines("nation.csv"), lines("truth.ndjson")), (20_401, 20_400));

    let before = fs::read(folder.path().join("nation.csv")).unwrap();
    let again = issuance(folder.path(), &arguments);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again.stderr).contains("nation.csv"), "{}", said(&again.stderr));
    assert_eq!(fs::read(folder.path().join("nation.csv")).unwrap(), before);
}

#[test]
fn the_settings_that_it_shows_are_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let shown = issuance(folder.path(), &["generate", "--settings"]);
    assert!(shown.status.success());
    let file = folder.path().join("issuance.toml");
    fs::write(&file, &shown.stdout).unwrap();
    let config = issuance::server::config::Config::read(&file, std::iter::empty()).unwrap();
    let provinces = config.population.extra_provinces;
    assert_eq!(provinces.len(), 33);
    assert!(provinces.iter().any(|province| province.code.to_string() == "003"));
}

#[test]
fn what_can_be_no_nation_is_refused_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["--out", "a.csv", "--truth", "a.truth"];
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--people", "0"], 1, "from 1 to 100000000 people"),
        (&["--people", "10", "--province", "003"], 1, "no province of the tables of 2021 has the code 003"),
        (&["--people", "10", "--faults", "2"], 2, "a share is written 0.05 or 5%"),
        (&["--people", "10", "--day", "2021-02-30"], 2, "the calendar has no day"),
        (&["--people", "20000000", "--province", "079"], 1, "in provinces that share a code"),
    ];
    for (arguments, code, why) in cases {
        let output = issuance(folder.path(), &[&["generate"], arguments, &files[..]].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output.stderr));
        assert!(said(&output.stderr).contains(why), "{arguments:?}: {}", said(&output.stderr));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
