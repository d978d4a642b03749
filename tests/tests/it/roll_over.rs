//! The TLS authority is rolled over under the running programs: stations that renewed go on, one that did not is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::wait::until;
use tests::world::{Offices, Options, card_agent, enrol_certificate, enrol_request, program, scratch};

/// Runs `issuance rotate tls-authority` with these steps. Returns whether it was done, and what it said.
fn rotate(offices: &Offices, steps: &[&str]) -> (bool, String) {
    let mut command = Command::new(program("issuance").unwrap());
    command.args(["rotate", "tls-authority"]).args(steps).arg("--data").arg(offices.dir.join("issuance"));
    let said = command.output().unwrap();
    (said.status.success(), String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap())
}

/// Sends SIGHUP, and waits until the log says that another authority was taken.
fn reloads(offices: &Offices) {
    let log = || fs::read_to_string(offices.dir.join("issuance.log")).unwrap();
    let from = log().len();
    let signalled = Command::new("kill").args(["-HUP", &offices.issuance.0.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let says = "the TLS authority is another one from now on";
    until(Duration::from_secs(30), says, || Ok(log()[from..].contains(says))).unwrap();
}

/// Runs a command of the station. Returns exit code and answer.
fn agent(arguments: &[&str], station: &Path) -> (Option<i32>, Value) {
    let said = card_agent(arguments).unwrap().arg("--json").arg("--station").arg(station).output().unwrap();
    let answer = serde_json::from_slice(&said.stdout);
    (said.status.code(), answer.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&said.stderr))))
}

/// True if the service answers the station with what is in its custody.
fn works(station: &Path) -> bool {
    let (exit, answer) = agent(&["status"], station);
    exit == Some(0) && answer["result"]["custody"].is_object()
}

fn another_station(offices: &Offices, name: &str) -> PathBuf {
    let station = offices.dir.join(name);
    let request = enrol_request(&station, name, &offices.service.address, &offices.tls_authority());
    assert!(request.unwrap().output().unwrap().status.success());
    let request = fs::read_to_string(station.join("csr.pem")).unwrap();
    let registered = offices.officers.administrator.registers_station(name, "o-1", &request).unwrap();
    let certificate = offices.dir.join(format!("{name}.pem"));
    fs::write(&certificate, registered["certificate_pem"].as_str().unwrap()).unwrap();
    assert!(enrol_certificate(&station, &certificate).unwrap().output().unwrap().status.success());
    station
}

#[test]
fn stations_that_renewed_go_on_and_one_that_did_not_is_told_what_to_do() {
    let scratch = scratch();
    let offices = Offices::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let (renewed, late) = (offices.station(), another_station(&offices, "counter-2"));
    let (done, said) = rotate(&offices, &[]);
    assert!(done, "{said}");
    reloads(&offices);
    assert!(works(&renewed) && works(&late), "both have certificates of the old authority");

    let (exit, answer) = agent(&["enrol", "--renew"], &renewed);
    assert_eq!(exit, Some(0), "{answer:#}");
    let known = fs::read_to_string(renewed.join("tls-ca.pem")).unwrap();
    assert_eq!(known.matches("BEGIN CERTIFICATE").count(), 2, "it was told of both");
    assert!(works(&renewed) && works(&late));
    let (done, said) = rotate(&offices, &["--finish"]);
    assert!(!done && said.contains("counter-2") && !said.contains("counter-1"), "{said}");

    let (done, said) = rotate(&offices, &["--finish", "--force", "--yes"]);
    assert!(done, "{said}");
    reloads(&offices);
    assert!(works(&renewed));
    let known = fs::read_to_string(renewed.join("tls-ca.pem")).unwrap();
    assert_eq!(known, fs::read_to_string(offices.tls_authority()).unwrap(), "the old one is dropped");
    let (exit, answer) = agent(&["enrol", "--renew"], &renewed);
    assert_eq!(exit, Some(0), "again, under the new one alone: {answer:#}");
    // The late one knows the old authority only; told of the new one, its certificate is refused.
    for authority in [None, Some(fs::read(offices.tls_authority()).unwrap())] {
        if let Some(authority) = authority {
            fs::write(late.join("tls-ca.pem"), authority).unwrap();
        }
        let (exit, answer) = agent(&["enrol", "--renew"], &late);
        let error = &answer["error"];
        assert_eq!((exit, error["code"].as_str()), (Some(41), Some("service-untrusted")), "{answer:#}");
        assert!(error["remedy"].as_str().is_some_and(|remedy| remedy.contains("enrol")), "{answer:#}");
    }
}
