//! Options of `card-agent inspect` that are judged before a reader is touched.

use std::process::{Command, Output};

fn inspects(utc_offset: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_card-agent"))
        .args(["inspect", "--reader", "none", "--bundle", "/nowhere/bundle", "--anchor", "/nowhere/anchor"])
        .args(["--utc-offset", utc_offset])
        .output()
        .expect("the program runs")
}

#[test]
fn the_offset_of_the_issuing_state_is_read_from_the_command_line() {
    for unfit in ["7", "07:00", "+27:00"] {
        let said = inspects(unfit);
        let text = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(2), "{text}");
        assert!(text.contains("write it like +07:00"), "{text}");
    }
    for fit in ["+07:00", "-03:30"] {
        let said = inspects(fit);
        let text = String::from_utf8_lossy(&said.stderr);
        assert!(text.contains("/nowhere/bundle"), "the next thing that is missing: {text}");
    }
}
