//! How every command speaks: in which language, in which form, and how failures are told to people and to scripts.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn agent(arguments: &[&str], locale: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_card-agent"));
    command.args(arguments).stdin(Stdio::null()).env("PCSCLITE_CSOCK_NAME", "/nowhere/pcscd.comm");
    command.env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", locale).env_remove("RUST_LOG");
    command.output().expect("the program runs")
}

fn err(said: &Output) -> String {
    String::from_utf8_lossy(&said.stderr).into_owned()
}

fn envelope(said: &Output) -> Value {
    serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&said.stdout)))
}

#[test]
fn a_failure_is_told_in_the_language_of_the_locale_or_of_the_command_line() {
    for (arguments, locale, words) in [
        (&["readers"][..], "vi_VN.UTF-8", "cách xử lý: Khởi động dịch vụ"),
        (&["readers"], "C.UTF-8", "remedy: Start it"),
        (&["readers"], "xx_YY.UTF-8", "remedy: Start it"),
        (&["readers"], "", "remedy: Start it"),
        (&["readers", "--lang", "en"], "vi_VN.UTF-8", "remedy: Start it"),
        (&["--lang", "vi", "readers"], "C", "cách xử lý: "),
    ] {
        let said = agent(arguments, locale);
        assert_eq!(said.status.code(), Some(10), "{arguments:?} {locale}");
        let text = err(&said);
        assert!(text.starts_with("pcscd-not-running: ") && text.contains(words), "{arguments:?} {locale}: {text}");
    }
    let said = agent(&["readers", "--lang", "xx"], "C");
    assert_eq!(said.status.code(), Some(2));
    assert!(err(&said).contains("there are en and vi"), "{}", err(&said));
}

#[test]
fn a_failure_stands_in_an_envelope_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let station = folder.path().to_string_lossy().into_owned();
    for (arguments, code, exit) in [
        (&["readers"][..], "pcscd-not-running", 10),
        (&["info"], "pcscd-not-running", 10),
        (&["status", "--station", &station], "station-incomplete", 33),
        (&["intake", "--station", &station], "station-incomplete", 33),
        (&["personalize", "--station", &station], "station-incomplete", 33),
        (&["spoil", "--station", &station, "--serial", "1", "--reason", "bent"], "input-unusable", 51),
        (&["decode", &station], "input-unusable", 51),
        (&["inspect", "--bundle", "/nowhere", "--anchor", "/nowhere"], "input-unusable", 51),
        (&["enrol", "--station", &station, "--certificate", "/nowhere"], "input-unusable", 51),
    ] {
        let said = agent(&[arguments, &["--json"]].concat(), "vi_VN.UTF-8");
        let (envelope, text) = (envelope(&said), err(&said));
        assert_eq!(said.status.code(), Some(exit), "{arguments:?}: {text}");
        assert_eq!(envelope["schema"], format!("citizen-card/{}/1", arguments[0]));
        assert!(envelope.get("result").is_none() && envelope["at"].is_string(), "{envelope}");
        assert_eq!(
            (envelope["error"]["code"].as_str(), envelope["error"]["exit"].as_i64()),
            (Some(code), Some(exit.into()))
        );
        for part in ["detail", "cause", "remedy"] {
            assert!(envelope["error"][part].as_str().is_some_and(|words| !words.is_empty()), "{part}: {envelope}");
        }
        assert!(text.starts_with(&format!("{code}: ")), "people are told too: {text}");
    }
}

#[test]
fn a_command_line_that_is_not_understood_stands_in_an_envelope_too() {
    let said = agent(&["inspect", "--json", "--bundles", "x"], "C");
    assert_eq!(said.status.code(), Some(2));
    let envelope = envelope(&said);
    assert_eq!(
        (envelope["error"]["code"].as_str(), envelope["error"]["exit"].as_i64()),
        (Some("command-line"), Some(2))
    );
    assert!(envelope["error"]["detail"].as_str().is_some_and(|words| words.contains("--bundles")), "{envelope}");
    assert!(err(&said).contains("--bundles"), "{}", err(&said));
}

#[test]
fn a_file_that_is_no_file_of_a_card_is_named_and_the_others_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("dg1.bin"), [0x61, 0x05, 0x5f]).expect("written");
    std::fs::write(folder.path().join("com.bin"), []).expect("written");
    std::fs::write(folder.path().join("notes.txt"), "nothing").expect("written");
    let seed = include_bytes!("../../crypto/fuzz/seeds/certificate/csca");
    std::fs::write(folder.path().join("csca.der"), seed).expect("written");
    let said = agent(&["decode", "--json", &folder.path().to_string_lossy()], "C");
    assert!(said.status.success(), "{}", err(&said));
    let files = envelope(&said)["result"]["files"].clone();
    assert!(files["dg1.bin"]["unreadable"].is_string() && files["com.bin"]["unreadable"].is_string(), "{files}");
    assert!(files["csca.der"]["subject"].is_string() && files["notes.txt"].is_null(), "{files}");
}
