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
        let notices = text.matches("is not spoken here; --lang takes en or vi").count();
        assert_eq!(notices, usize::from(locale == "xx_YY.UTF-8"), "{locale}: {text}");
    }
    let said = agent(&["readers", "--lang", "xx"], "C");
    assert_eq!(said.status.code(), Some(2));
    assert!(err(&said).contains("there are en (English) and vi (tiếng Việt)"), "{}", err(&said));
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

#[test]
fn help_is_told_in_vietnamese_too() {
    for (arguments, locale, words) in [
        (&["--help"][..], "vi_VN.UTF-8", "Các lệnh:"),
        (&["inspect", "--help"], "vi_VN.UTF-8", "Các tùy chọn:"),
        (&["inspect", "--help", "--lang", "en"], "vi_VN.UTF-8", "Options:"),
        (&["--lang=vi", "readers", "-h"], "C", "Liệt kê các đầu đọc"),
        (&["--help"], "xx_YY", "Commands:"),
        (&[], "vi_VN", "Các lệnh:"),
    ] {
        let said = agent(arguments, locale);
        let text = String::from_utf8_lossy(&said.stdout).into_owned() + &err(&said);
        assert!(text.contains(words), "{arguments:?} {locale}: {text}");
    }
}

#[test]
fn configurations_are_explained_judged_and_shown_without_a_reader() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kiosk.toml").to_string_lossy().into_owned();
    for program in ["station", "kiosk"] {
        let said = agent(&["config", "example", program], "C");
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.status.success() && text.contains("limit = "), "{text}");
        std::fs::write(&file, text).expect("written");
        if program == "kiosk" {
            assert!(agent(&["config", "check", "kiosk", "--config", &file], "C").status.success());
        }
    }
    for (text, words) in [
        ("limits = 3\n", "line 1: there is no key `limits`; did you mean `limit`?"),
        ("\nlimit = 0\n", "line 2: "),
        ("can = \"123456\"\n", "there is no key `can`"),
        ("online = \"http://localhost:1\"\n", "write https://localhost:1"),
        ("online = \"https://localhost:1\"\n", "online needs `service_ca`"),
        ("anchor = \"nowhere.der\"\n", "nowhere.der"),
        ("require = [\"data-group-99\"]\n", "there is no check `data-group-99`"),
        ("utc_offset = \"7\"\n", "write it like +07:00"),
    ] {
        std::fs::write(&file, text).expect("written");
        let said = agent(&["config", "check", "kiosk", "--config", &file, "--json"], "C");
        assert_eq!(said.status.code(), Some(51), "{text}");
        let detail = envelope(&said)["error"]["detail"].clone();
        assert!(detail.as_str().is_some_and(|detail| detail.contains(words)), "{text}: {detail}");
    }
    let said = agent(&["config", "check", "station"], "C");
    assert_eq!(said.status.code(), Some(2), "{}", err(&said));
    let said = agent(&["inspect", "--can", "123456"], "C");
    assert!(said.status.code() == Some(51) && err(&said).contains("--bundle"), "{}", err(&said));
}

#[test]
fn every_command_has_a_manual_page_in_both_languages_and_a_completion() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_string_lossy().into_owned();
    for (language, words) in [("en", "Read the card in the reader"), ("vi", "Đọc thẻ trong đầu đọc")] {
        let said = agent(&["man", &path, "--lang", language], "C");
        assert!(said.status.success(), "{}", err(&said));
        let page = std::fs::read_to_string(folder.path().join("card-agent-inspect.1")).expect("a page");
        assert!(page.contains(words) && page.contains("show\\-portrait"), "{page}");
        for command in ["readers", "enrol", "status", "intake", "personalize", "spoil", "info", "decode", "config"] {
            assert!(folder.path().join(format!("card-agent-{command}.1")).exists(), "{command}");
        }
    }
    for shell in ["bash", "zsh", "fish"] {
        let said = agent(&["completions", shell], "C");
        assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains("personalize"), "{shell}");
    }
}
