//! Bad input at kiosk, reader, station and counter: each ends in an error with a code and a
//! remedy, and nothing is lost.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tests::citizen::{self, Citizen};
use tests::road::{self, Blocked, text};
use tests::roles::Refusal;
use tests::world::{OFFICE, Options, Pcscd, World, card_agent, enrol_request, issuance_init, issuance_serve, scratch};

/// Returns the standard error of a program that must have failed, and must have named a remedy.
fn complaint(said: &Output) -> String {
    assert!(!said.status.success(), "it should have been refused: {}", String::from_utf8_lossy(&said.stdout));
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(text.contains("remedy"), "no remedy in: {text}");
    text
}

/// Returns the standard error of a `card-agent` that must have refused.
fn blocked(outcome: Result<String, Blocked>) -> String {
    match outcome {
        Err(Blocked::Agent { said, .. }) => said,
        other => panic!("card-agent should have refused: {other:?}"),
    }
}

fn refused(answer: Result<Value, Refusal>, code: &str) {
    let refusal = answer.expect_err("it should have been refused");
    assert_eq!(refusal.code, code, "{refusal}");
    assert!(!refusal.title.is_empty() && !refusal.remedy.is_empty(), "no title or no remedy: {refusal:?}");
}

#[test]
fn at_the_kiosk() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let issued = road::issue(&world, 0, &Citizen::invented(0)).unwrap();
    let can = &issued.number[6..];
    let wrong = if can == "000000" { "000001" } else { "000000" };

    assert!(complaint(&road::inspect(&world, 0, &["--can", wrong]).unwrap()).contains("wrong-password"));
    let mrz = world.dir.join("mrz.txt");
    std::fs::write(
        &mrz,
        "IDVNM3000000171003300000017<<4\n0001052F2501051VNM<<<<<<<<<<<4\nNGUYEN<<THI<MAU<<<<<<<<<<<<<<<\n",
    )
    .unwrap();
    let said = complaint(&road::inspect(&world, 0, &["--mrz-file", &mrz.to_string_lossy()]).unwrap());
    assert!(said.contains("wrong-password"), "{said}");

    // The right password still opens the card afterwards.
    assert!(road::inspect(&world, 0, &["--can", can]).unwrap().status.success());

    world.remove(0).unwrap();
    assert!(complaint(&road::inspect(&world, 0, &["--can", can]).unwrap()).contains("no-card"));
    world.insert(0).unwrap();
    assert!(road::inspect(&world, 0, &["--can", can]).unwrap().status.success());

    // A trust bundle of another country, and one with a flipped bit.
    let elsewhere = scratch.path().join("elsewhere");
    assert!(issuance_init(&elsewhere).unwrap().status().unwrap().success());
    let (bundle, anchor) = (world.dir.join(road::BUNDLE), elsewhere.join("csca.der"));
    let with =
        |bundle: &Path, anchor: &Path| road::inspect_trusting(&world, 0, bundle, anchor, &["--can", can]).unwrap();
    assert!(complaint(&with(&bundle, &anchor)).contains("trust-bundle-unusable"));
    let mut bytes = std::fs::read(&bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&bundle, bytes).unwrap();
    assert!(complaint(&with(&bundle, &world.csca())).contains("trust-bundle-unusable"));
}

#[test]
fn at_the_reader() {
    let scratch = scratch();
    let mut pcscd = Pcscd::start(scratch.path(), 2).unwrap();
    let readers =
        |socket: &Path| card_agent(&["readers"]).unwrap().env("PCSCLITE_CSOCK_NAME", socket).output().unwrap();
    let there = readers(pcscd.socket());
    assert!(there.status.success());
    assert!(String::from_utf8_lossy(&there.stdout).contains(&pcscd.reader(1)));

    let said = complaint(&readers(&scratch.path().join("no-such-socket")));
    assert!(said.contains("pcscd-not-running") && said.contains("pcscd"), "{said}");
    pcscd.kill();
    assert!(complaint(&readers(pcscd.socket())).contains("pcscd-not-running"));
}

#[test]
fn at_the_station() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();

    let unknown = complaint(&road::at_the_station(&world, "intake", "No Such Reader", &[]).unwrap());
    assert!(
        unknown.contains("reader-unknown") && unknown.contains(&world.pcscd.reader(0)),
        "the readers there are: {unknown}"
    );

    // Personalized before it was initialised; then with nothing to personalize.
    let said = blocked(road::personalize(&world, 0, &[]));
    assert!(said.contains("chip-not-initialised"), "{said}");
    road::intake(&world, 0).unwrap();
    let said = blocked(road::personalize(&world, 0, &[]));
    assert!(said.contains("nothing-to-personalize"), "{said}");
    let said = blocked(road::personalize(&world, 0, &["--slip", "AAAAA00001"]));
    assert!(said.contains("slip-not-waiting"), "{said}");

    // Cancelled after approval.
    let issued = road::approved(&world, &Citizen::invented(0)).unwrap();
    world.officers.capture.cancels(&issued.application, "citizen withdrew").unwrap();
    let said = blocked(road::personalize(&world, 0, &[]));
    assert!(said.contains("nothing-to-personalize"), "{said}");

    // A revoked station gets no order.
    world.officers.administrator.revokes_station(&world.station_id, "stolen").unwrap();
    let said = blocked(road::intake(&world, 1));
    assert!(said.contains("station-revoked"), "{said}");
}

#[test]
fn a_chip_that_is_not_ours_or_in_other_custody() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let other = another_station(&world);
    world.officers.stock.gives_into_custody(&world.serials[..1], &other).unwrap();
    let said = blocked(road::intake(&world, 0));
    assert!(said.contains("chip-in-other-custody"), "{said}");
    refused(world.officers.stock.chip("00000000000000000000"), "chip-unknown");
}

/// Registers another station with a request of its own. Returns its identifier.
fn another_station(world: &World) -> String {
    let folder = world.dir.join("other-station");
    let mut enrol = enrol_request(&folder, "counter-2", &world.service.address, &world.tls_authority()).unwrap();
    let said = enrol.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let request = std::fs::read_to_string(folder.join("csr.pem")).unwrap();
    text(&world.officers.administrator.registers_station("counter-2", OFFICE, &request).unwrap(), "id")
}

#[test]
fn at_the_counter() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let officers = &world.officers;
    let with = |field: &str, value: Value| {
        let mut declaration = Citizen::invented(0).declaration();
        declaration[field] = value;
        officers.registrar.declares(&declaration)
    };
    refused(with("birth_date", json!("30/02/2000")), "date-impossible");
    refused(with("full_name", json!("Nguyễn 漢 Mẫu")), "name-not-writable");
    refused(with("birth_registration", json!({ "province": "005" })), "province-unassigned");

    // The same person declared a second time is registered, with a finding.
    let declares = |citizen: &Citizen| officers.registrar.declares(&citizen.declaration()).unwrap();
    let findings = |answer: &Value| answer["findings"].to_string();
    let first = declares(&Citizen::invented(0));
    assert!(!findings(&first).contains("perhaps-declared-before"));
    assert!(findings(&declares(&Citizen::invented(0))).contains("perhaps-declared-before"));

    let person = text(&first, "person_id");
    // She may be in the register twice: an officer must have looked at the papers.
    refused(officers.registrar.numbers(&person), "acknowledgement-needed");
    officers.registrar.numbers_knowing(&person, "the papers name other parents").unwrap();
    let application = text(&officers.capture.applies(&person, "first", None, OFFICE).unwrap(), "id");
    refused(officers.capture.captures(&application, b"GIF89a not a JPEG", citizen::FEATURES), "portrait-not-jpeg");
    let answer = officers.capture.captures(&application, &vec![0xff; 9 * 1024 * 1024], "x");
    assert!(matches!(answer, Err(ref refusal) if refusal.status == 413), "{answer:?}");
    officers.capture.captures(&application, &citizen::photograph(), citizen::FEATURES).unwrap();

    // Neither the officer who captured nor the one who declared can approve; the officer who approved cannot again.
    refused(officers.capture.approves(&application), "role-missing");
    refused(officers.registrar.approves(&application), "second-officer-needed");
    officers.approver.approves(&application).unwrap();
    refused(officers.approver.approves(&application), "second-officer-needed");

    // A repeated request has one effect and the same answer; the same key for something else is refused.
    let key = "0190b3c2-8f5e-7d7a-b1c0-1f2e3d4c5b6a";
    let declares_under =
        |key: &str, number: u32| officers.registrar.declares_under(key, &Citizen::invented(number).declaration());
    let (once, twice) = (declares_under(key, 3).unwrap(), declares_under(key, 3).unwrap());
    assert_eq!(once, twice);
    refused(declares_under(key, 4), "idempotency-key-reused");
    refused(world.service.anyone().person(&person), "session-needed");
}

#[test]
fn a_port_in_use_is_named() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    assert!(issuance_init(&data).unwrap().status().unwrap().success());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = issuance_serve(&data, &address).unwrap().output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains(&address) && text.contains("in use"), "{text}");
}
