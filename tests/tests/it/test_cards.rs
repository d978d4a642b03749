//! What docs/test-your-reader.md promises to the CI of others: finished cards, made by one command, read by programs
//! that know nothing of this project.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tests::world::{program, scratch};

/// Runs a shell script in this folder, with our programs in its path.
fn shell(folder: &Path, script: &str) -> Output {
    let programs = program("hardware-sim").unwrap().parent().map(PathBuf::from).unwrap();
    program("card-agent").unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    Command::new("sh").args(["-ec", script]).current_dir(folder).env("PATH", path).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Returns the blocks of shell after the comment that says so.
fn blocks_of_the_page() -> Vec<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/test-your-reader.md")).unwrap();
    let marked = page.split("<!-- run by tests/tests/it/test_cards.rs -->\n```sh\n").skip(1);
    marked.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_page_is_true() {
    if Command::new("jq").arg("--version").output().is_err() {
        println!("SKIPPED: docs/test-your-reader.md is not run: no jq");
        return;
    }
    let blocks = blocks_of_the_page();
    assert_eq!(blocks.len(), 2);
    let scratch = scratch();
    let trays = shell(scratch.path(), &blocks[1]);
    assert!(trays.status.success() && said(&trays).contains("in Virtual Reader 1 00 01 "), "{}", said(&trays));
    let blanks = std::fs::read_to_string(scratch.path().join("blanks.txt")).unwrap();
    assert_eq!(blanks.lines().count(), 12);
    assert!(said(&trays).contains(blanks.lines().nth(3).unwrap()));
    let output = shell(scratch.path(), &blocks[0]);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for part in ["Virtual Reader 1 00 00", "3b:87:80:01", "verdict: trusted"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_command_sees_every_card_and_its_status_is_that_of_the_whole() {
    let scratch = scratch();
    let command = "hardware-sim serve --cards 3 --seed 7 --profile pace-only --out out -- \
                   sh -c 'card-agent readers; test -e \"$CITIZEN_CARD_TEST_CARDS/cards.json\" && exit 7'";
    let output = shell(scratch.path(), command);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert_eq!(said(&output).matches("\tcard ").count(), 3, "{}", said(&output));
    let list = std::fs::read_to_string(scratch.path().join("out/cards.json")).unwrap();
    let list: Value = serde_json::from_str(&list).unwrap();
    let cards = list["cards"].as_array().unwrap();
    for (slot, card) in cards.iter().enumerate() {
        let number = card["personal_number"].as_str().unwrap();
        assert_eq!(card["can"].as_str(), Some(&number[6..]));
        assert!(card["mrz"][0].as_str().unwrap().contains(&number[3..]), "{card}");
        let dg1 = std::fs::read(scratch.path().join(format!("out/card-{slot}/dg1.bin"))).unwrap();
        assert!(dg1.ends_with(card["mrz"][2].as_str().unwrap().as_bytes()));
    }
    assert_eq!(cards.len(), 3);
    // Nothing of it goes on running.
    assert!(!scratch.path().join("out/pcscd/pcscd.comm").exists());
}

#[test]
fn what_cannot_be_served_is_said() {
    let scratch = scratch();
    for (command, part) in [
        ("hardware-sim serve --cards 17 --out out", "16 readers at most"),
        ("hardware-sim serve --cards 1 --out out --vpcd 127.0.0.1:1 --pcscd here", "cannot be used with"),
        ("hardware-sim serve --cards 1 --out out --vpcd 127.0.0.1:1", "no virtual reader listens on 127.0.0.1:1"),
        ("hardware-sim serve --cards 1 --out out -- ./is-not-there", "is-not-there"),
        ("hardware-sim --readers 1", "--state"),
    ] {
        let output = shell(scratch.path(), command);
        assert!(!output.status.success() && said(&output).contains(part), "{command}: {}", said(&output));
    }
}
