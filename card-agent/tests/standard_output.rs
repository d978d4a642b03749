//! Results that cannot be written to standard output are a failure with a code, not a panic.

use std::fs::OpenOptions;
use std::io;
use std::process::{Command, Stdio};

#[test]
fn a_full_standard_output_has_its_exit_status() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let said = Command::new(env!("CARGO_BIN_EXE_card-agent"))
        .args(["enrol", "--name", "Station 1", "--service", "https://localhost:8443", "--station"])
        .arg(folder.path())
        .env("LC_ALL", "C")
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(52), "{text}");
    assert!(text.starts_with("output-unusable: standard output"), "{text}");
}

#[test]
fn a_reader_of_the_output_that_has_gone_is_told_nothing() {
    for more in [&[][..], &["--json"]] {
        let folder = tempfile::tempdir().expect("a folder");
        let (reading, writing) = io::pipe().expect("a pipe");
        drop(reading);
        let said = Command::new(env!("CARGO_BIN_EXE_card-agent"))
            .args(["enrol", "--name", "Station 1", "--service", "https://localhost:8443", "--station"])
            .arg(folder.path())
            .args(more)
            .stdout(writing)
            .stderr(Stdio::piped())
            .output()
            .expect("the program runs");
        assert_eq!(said.status.code(), Some(141), "as a program that SIGPIPE ended");
        assert_eq!(String::from_utf8_lossy(&said.stderr), "");
    }
}
