//! Results that cannot be written to standard output are a failure with a code, not a panic.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

#[test]
fn a_full_standard_output_has_its_exit_status() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let said = Command::new(env!("CARGO_BIN_EXE_card-agent"))
        .args(["enrol", "--name", "Station 1", "--service", "https://localhost:8443", "--station"])
        .arg(folder.path())
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(52), "{text}");
    assert!(text.starts_with("output-unusable: standard output"), "{text}");
}
