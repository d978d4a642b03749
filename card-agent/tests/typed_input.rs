//! What people type and files that people bring: refused at once in words that name the culprit, or read. No service
//! and no reader is needed, so none is asked.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rcgen::{CertificateParams, KeyPair};

fn agent(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_card-agent"));
    command.args(arguments).stdin(Stdio::null()).env("PCSCLITE_CSOCK_NAME", "/nowhere/pcscd.comm");
    command
        .env("LC_ALL", "C")
        .env_remove("CITIZEN_CARD_READER")
        .env_remove("CITIZEN_CARD_CAN")
        .env_remove("CITIZEN_CARD_MRZ")
        .output()
        .expect("the program runs")
}

/// Returns what a program said that failed with this code.
fn refused(said: &Output, code: &str) -> String {
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.starts_with(&format!("{code}: ")), "{text}");
    text
}

/// Writes a file and returns its path.
fn file(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, content).expect("written");
    path.to_string_lossy().into_owned()
}

fn certificate(key: &KeyPair) -> rcgen::Certificate {
    CertificateParams::default().self_signed(key).expect("signed")
}

#[test]
fn an_address_that_cannot_be_meant_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let station = folder.path().join("station").to_string_lossy().into_owned();
    for (service, words) in [
        ("http://localhost:8443", "write https://localhost:8443"),
        ("localhost:8443", "write https://localhost:8443"),
        ("https://localhost", "names no port"),
        ("https://localhost:8443/issuance/", "`/issuance/`"),
        ("https://me:secret@localhost:8443", "before its host"),
        ("wss://localhost:8443", "write https://localhost:8443"),
    ] {
        let said = agent(&["enrol", "--station", &station, "--name", "counter-1", "--service", service]);
        let text = refused(&said, "input-unusable");
        assert!(text.contains("--service") && text.contains(words) && !text.contains("secret"), "{text}");
        assert!(!Path::new(&station).exists(), "{service}: nothing is made");
    }
}

/// Every command of a station reads the address from its folder.
#[test]
fn a_station_whose_address_was_edited_is_refused_by_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let station = folder.path().to_string_lossy().into_owned();
    let made = agent(&["enrol", "--station", &station, "--name", "counter-1", "--service", "https://localhost:8443"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let key = KeyPair::from_pem(&fs::read_to_string(folder.path().join("key.pem")).expect("made")).expect("a key");
    let own = file(folder.path(), "own.pem", certificate(&key).pem().as_bytes());
    let authority = certificate(&KeyPair::generate().expect("a key"));
    let authority = file(folder.path(), "authority.der", authority.der());
    let enrolled = agent(&["enrol", "--station", &station, "--certificate", &own, "--service-ca", &authority]);
    assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    file(folder.path(), "station.toml", b"name = \"counter-1\"\r\nservice = \"http://localhost:8443\"\r\n");
    let serial = "00112233445566778899";
    for arguments in [
        &["intake", "--reader", "x", "--station", &station][..],
        &["personalize", "--reader", "x", "--station", &station],
        &["spoil", "--serial", serial, "--reason", "bent", "--station", &station, "--yes"],
        &["enrol", "--station", &station, "--certificate", &own],
    ] {
        let text = refused(&agent(arguments), "station-incomplete");
        assert!(
            text.contains("station.toml") && text.contains("write https://localhost:8443"),
            "{arguments:?}: {text}"
        );
    }
}

#[test]
fn files_for_enrolment_are_read_or_named_with_what_they_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let (key, other) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let (ours, theirs) = (certificate(&key), certificate(&other));
    let station = folder.path().join("station").to_string_lossy().into_owned();
    let first = |authority: &str| {
        agent(&[
            "enrol",
            "--station",
            &station,
            "--name",
            "c",
            "--service",
            "https://localhost:8443",
            "--service-ca",
            authority,
        ])
    };
    for (content, words) in [
        (&b""[..], "is empty"),
        (b"\xef\xbb\xbf\r\n", "is empty"),
        (key.serialize_pem().as_bytes(), "`PRIVATE KEY`"),
        (b"<html>404</html>", "neither PEM nor DER"),
    ] {
        let path = file(folder.path(), "authority", content);
        let text = refused(&first(&path), "input-unusable");
        assert!(text.contains(&path) && text.contains(words), "{text}");
    }
    for content in [ours.der().to_vec(), format!("\u{feff}Subject: x\r\n{}", ours.pem()).into_bytes()] {
        let said = first(&file(folder.path(), "authority", &content));
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    let second = |name: &str, content: &[u8]| {
        agent(&["enrol", "--station", &station, "--certificate", &file(folder.path(), name, content)])
    };
    let text = refused(&second("c.pem", theirs.pem().as_bytes()), "input-unusable");
    assert!(text.contains("another key") && text.matches("sha256:").count() == 2, "{text}");
    let request = fs::read(Path::new(&station).join("csr.pem")).expect("made");
    assert!(refused(&second("c.pem", &request), "input-unusable").contains("the request itself"));
    // The right one, as Windows exports it, with its issuer before it.
    let own =
        KeyPair::from_pem(&fs::read_to_string(Path::new(&station).join("key.pem")).expect("made")).expect("a key");
    let exported = format!("\u{feff}{}{}", theirs.pem(), certificate(&own).pem()).replace('\n', "\r\n");
    let said = second("c.pem", exported.as_bytes());
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn an_encrypted_or_exchanged_key_in_the_folder_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let station = folder.path().to_string_lossy().into_owned();
    let enrol = || agent(&["enrol", "--station", &station, "--name", "c", "--service", "https://localhost:8443"]);
    for (content, words) in [
        (&b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAEC\n-----END ENCRYPTED PRIVATE KEY-----\n"[..], "openssl pkey"),
        (b"", "is empty"),
        (certificate(&KeyPair::generate().expect("a key")).pem().as_bytes(), "`CERTIFICATE`"),
    ] {
        file(folder.path(), "key.pem", content);
        let text = refused(&enrol(), "station-incomplete");
        assert!(text.contains("key.pem") && text.contains(words), "{text}");
        assert_eq!(fs::read(folder.path().join("key.pem")).expect("there"), content, "a key is never overwritten");
    }
}

/// The bundle of these inspections cannot be opened, or there is no pcscd: what is read before is what is tested.
fn inspects(folder: &Path, anchor: &str, more: &[&str]) -> Output {
    let bundle = file(folder, "bundle.cms", b"no bundle");
    let state = folder.join("state.json").to_string_lossy().into_owned();
    let all = ["inspect", "--reader", "x", "--bundle", &bundle, "--anchor", anchor, "--state", &state];
    agent(&[&all, more].concat())
}

#[test]
fn an_anchor_is_read_as_pem_and_named_if_it_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let paper = certificate(&KeyPair::generate().expect("a key"));
    let unlike = inspects(folder.path(), &file(folder.path(), "csca", b"BM"), &["--can", "123456"]);
    assert!(refused(&unlike, "input-unusable").contains("neither PEM nor DER"));
    let two = paper.pem().repeat(2);
    let several = inspects(folder.path(), &file(folder.path(), "csca", two.as_bytes()), &["--can", "123456"]);
    assert!(refused(&several, "input-unusable").contains("2 certificates"));
    for content in [paper.der().to_vec(), paper.pem().replace('\n', "\r\n").into_bytes()] {
        let said = inspects(folder.path(), &file(folder.path(), "csca", &content), &["--can", "123456"]);
        refused(&said, "trust-bundle-unusable"); // the next thing that is wrong
    }
}

#[test]
fn serials_are_read_as_labels_print_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let station = folder.path().to_string_lossy().into_owned();
    let spoil = |serial: &str| agent(&["spoil", "--serial", serial, "--reason", "bent", "--station", &station]);
    for serial in [
        "00112233445566778899",
        "00:11:22:33:44:55:66:77:88:99",
        "0011 2233 4455 6677 88aa",
        "aabb-ccdd-eeff-0011-2233",
    ] {
        refused(&spoil(serial), "station-incomplete"); // the folder is empty: that comes next
    }
    for serial in ["", "0011223344556677889", "0O112233445566778899"] {
        assert!(refused(&spoil(serial), "input-unusable").contains("20 hexadecimal digits"), "{serial}");
    }
}
