//! Bad input, each with a clear error and nothing lost: the words of the person at the counter, the station and the kiosk.

use std::process::Command;

use base64::Engine;
use serde_json::{Value, json};
use tests::citizen;
use tests::road::{self, text};
use tests::roles::Refusal;
use tests::world::{OFFICE, Options, Pcscd, World, program, scratch};

fn complaint(said: &std::process::Output) -> String {
    assert!(!said.status.success(), "it should have been refused: {}", String::from_utf8_lossy(&said.stdout));
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(text.contains("remedy"), "no remedy in: {text}");
    text
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
    let issued = road::issue(&world, 0, &citizen::declaration()).unwrap();
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

    world.simulator_does("remove 0").unwrap();
    assert!(complaint(&road::inspect(&world, 0, &["--can", can]).unwrap()).contains("no-card"));
    world.simulator_does("insert 0").unwrap();
    assert!(road::inspect(&world, 0, &["--can", can]).unwrap().status.success());

    // A trust bundle of another country, and one with a flipped bit.
    let elsewhere = scratch.path().join("elsewhere");
    let founded =
        Command::new(program("issuance").unwrap()).arg("init").arg("--data").arg(&elsewhere).output().unwrap();
    assert!(founded.status.success());
    let (bundle, anchor) = (world.dir.join("trust-bundle.cms"), elsewhere.join("csca.der"));
    let reader = world.pcscd.reader(0);
    let with = |bundle: &std::path::Path, anchor: &std::path::Path| {
        world
            .agent(&[
                "inspect",
                "--reader",
                &reader,
                "--bundle",
                &bundle.to_string_lossy(),
                "--anchor",
                &anchor.to_string_lossy(),
                "--can",
                can,
            ])
            .unwrap()
    };
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
    let readers = Command::new(program("card-agent").unwrap())
        .arg("readers")
        .env("PCSCLITE_CSOCK_NAME", pcscd.socket())
        .output()
        .unwrap();
    assert!(readers.status.success());
    assert!(String::from_utf8_lossy(&readers.stdout).contains(&pcscd.reader(1)));

    let nowhere = Command::new(program("card-agent").unwrap())
        .arg("readers")
        .env("PCSCLITE_CSOCK_NAME", scratch.path().join("nobody-listens-here"))
        .output()
        .unwrap();
    let said = complaint(&nowhere);
    assert!(said.contains("pcscd-not-running") && said.contains("pcscd"), "{said}");
    pcscd.kill();
    let gone = Command::new(program("card-agent").unwrap())
        .arg("readers")
        .env("PCSCLITE_CSOCK_NAME", pcscd.socket())
        .output()
        .unwrap();
    assert!(complaint(&gone).contains("pcscd-not-running"));
}

#[test]
fn at_the_station() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let station = world.station().to_string_lossy().into_owned();

    let unknown = complaint(&world.agent(&["intake", "--reader", "No Such Reader", "--station", &station]).unwrap());
    assert!(
        unknown.contains("reader-unknown") && unknown.contains(&world.pcscd.reader(0)),
        "the readers there are: {unknown}"
    );

    // Personalized before it was initialised; then with nothing to personalize.
    let Err(road::Blocked::Agent { said, .. }) = road::personalize(&world, 0) else {
        panic!("a blank was personalized")
    };
    assert!(said.contains("chip-not-initialised"), "{said}");
    road::intake(&world, 0).unwrap();
    let Err(road::Blocked::Agent { said, .. }) = road::personalize(&world, 0) else {
        panic!("personalized for nobody")
    };
    assert!(said.contains("nothing-to-personalize"), "{said}");

    // Cancelled after approval.
    let issued = road::approved(&world, &citizen::declaration()).unwrap();
    world
        .officers
        .capture
        .post(
            &format!("/api/applications/{}/cancellation", issued.application),
            json!({ "reason": "citizen withdrew" }),
        )
        .unwrap();
    let Err(road::Blocked::Agent { said, .. }) = road::personalize(&world, 0) else {
        panic!("a cancelled application was personalized")
    };
    assert!(said.contains("nothing-to-personalize"), "{said}");

    // A revoked station is nobody.
    let administrator = &world.officers.administrator;
    administrator
        .post(&format!("/api/stations/{}/revocation", world.station_id), json!({ "reason": "stolen" }))
        .unwrap();
    let Err(road::Blocked::Agent { said, .. }) = road::intake(&world, 1) else {
        panic!("a revoked station got an order")
    };
    assert!(said.contains("station-revoked"), "{said}");
}

#[test]
fn a_chip_that_is_not_ours_or_in_other_custody() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let serial = &world.serials[0];
    let other = another_station(&world);
    world.officers.stock.post("/api/stock/custody", json!({ "serials": [serial], "station_id": other })).unwrap();
    let Err(road::Blocked::Agent { said, .. }) = road::intake(&world, 0) else {
        panic!("a chip in other custody was initialised")
    };
    assert!(said.contains("chip-in-other-custody"), "{said}");
    refused(world.officers.stock.get("/api/stock/00000000000000000000"), "chip-unknown");
}

/// Another station, registered with a request of its own.
fn another_station(world: &World) -> String {
    let folder = world.dir.join("other-station");
    let authority = world.dir.join("issuance/tls-ca.pem");
    let said = Command::new(program("card-agent").unwrap())
        .args([
            "enrol",
            "--name",
            "counter-2",
            "--service",
            &world.service.address,
            "--service-ca",
            &authority.to_string_lossy(),
            "--station",
        ])
        .arg(&folder)
        .output()
        .unwrap();
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
        let mut declaration = citizen::declaration();
        declaration[field] = value;
        officers.registrar.declares(&declaration)
    };
    refused(with("birth_date", json!("30/02/2000")), "date-impossible");
    refused(with("full_name", json!("Nguyễn 漢 Mẫu")), "name-not-writable");
    refused(with("birth_registration", json!({ "province": "005" })), "province-unassigned");

    // The same person a second time is registered, but nobody can overlook it.
    let findings = |answer: Value| answer["findings"].to_string();
    assert!(
        !findings(officers.registrar.declares(&citizen::declaration()).unwrap()).contains("perhaps-declared-before")
    );
    assert!(
        findings(officers.registrar.declares(&citizen::declaration()).unwrap()).contains("perhaps-declared-before")
    );

    let issued_to = |declaration: &Value| {
        let person = text(&officers.registrar.declares(declaration).unwrap(), "person_id");
        officers.registrar.numbers(&person).unwrap();
        person
    };
    let person = issued_to(&citizen::declaration());
    let application = text(&officers.capture.applies(&person, "first", None, OFFICE).unwrap(), "id");
    refused(officers.capture.captures(&application, b"GIF89a not a JPEG", citizen::FEATURES), "portrait-not-jpeg");
    let oversized = base64::engine::general_purpose::STANDARD.encode(vec![0xff; 9 * 1024 * 1024]);
    let answer = officers
        .capture
        .post(&format!("/api/applications/{application}/capture"), json!({ "portrait": oversized, "features": "x" }));
    assert!(matches!(answer, Err(ref refusal) if refusal.status == 413), "{answer:?}");
    officers.capture.captures(&application, &citizen::photograph(), citizen::FEATURES).unwrap();

    // Who captured cannot approve; who approved cannot approve again.
    refused(officers.capture.approves(&application), "second-officer-needed");
    officers.approver.approves(&application).unwrap();
    refused(officers.approver.approves(&application), "second-officer-needed");

    // A repeated request has one effect and the same answer; the same key for something else is refused.
    let key = "0190b3c2-8f5e-7d7a-b1c0-1f2e3d4c5b6a";
    let once = officers
        .registrar
        .post_as(key, "/api/declarations", citizen::declaration_of("Phạm Văn Ba", "07/08/1970", "Nam"))
        .unwrap();
    let twice = officers
        .registrar
        .post_as(key, "/api/declarations", citizen::declaration_of("Phạm Văn Ba", "07/08/1970", "Nam"))
        .unwrap();
    assert_eq!(once, twice);
    refused(
        officers.registrar.post_as(
            key,
            "/api/declarations",
            citizen::declaration_of("Phạm Văn Tư", "07/08/1970", "Nam"),
        ),
        "idempotency-key-reused",
    );
    refused(world.service.anyone().get(&format!("/api/persons/{person}")), "session-needed");
}

#[test]
fn a_port_in_use_is_named() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    assert!(
        Command::new(program("issuance").unwrap())
            .arg("init")
            .arg("--data")
            .arg(&data)
            .output()
            .unwrap()
            .status
            .success()
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = Command::new(program("issuance").unwrap())
        .arg("serve")
        .arg("--data")
        .arg(&data)
        .args(["--listen", &address])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains(&address) && text.contains("in use"), "{text}");
}
