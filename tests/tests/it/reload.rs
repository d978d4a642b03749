//! The running program takes what was renewed at SIGHUP: certificates and signers, without an end to any connection.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crypto::pki::{Certificate, pem};
use reqwest::blocking::Client;
use reqwest::tls::TlsInfo;
use tests::citizen::Citizen;
use tests::road;
use tests::wait::until;
use tests::world::{Offices, Options, World, program, scratch};

/// The service's log, from this byte on.
fn logged(offices: &Offices, from: usize) -> String {
    String::from_utf8_lossy(&fs::read(offices.dir.join("issuance.log")).unwrap()[from..]).into_owned()
}

/// Sends SIGHUP, and waits until the log says so. Returns what it says.
fn reloads(offices: &Offices, says: &str) -> String {
    let from = fs::read(offices.dir.join("issuance.log")).unwrap().len();
    let signalled = Command::new("kill").args(["-HUP", &offices.issuance.0.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    until(Duration::from_secs(30), says, || Ok(logged(offices, from).contains(says))).unwrap();
    logged(offices, from)
}

fn issuance(arguments: &[&str], data: &Path) {
    let done = Command::new(program("issuance").unwrap()).args(arguments).arg("--data").arg(data).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("SIGHUP"), "it says what comes next: {said}");
}

/// A client with connections of its own.
fn client(offices: &Offices) -> Client {
    let authority = reqwest::Certificate::from_pem(&fs::read(offices.tls_authority()).unwrap()).unwrap();
    Client::builder().tls_certs_only([authority]).no_proxy().tls_info(true).build().unwrap()
}

/// Returns the certificate of the connection over which the service answers.
fn shown(client: &Client, offices: &Offices) -> Vec<u8> {
    let answer = client.get(format!("{}/livez", offices.service.address)).send().unwrap();
    assert_eq!(answer.status(), 200);
    let certificate = answer.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap().to_vec();
    answer.bytes().unwrap(); // so that the connection is free for the next request
    certificate
}

fn certificate(file: &Path) -> Vec<u8> {
    let text = fs::read_to_string(file).unwrap();
    pem::blocks(&text).unwrap().swap_remove(0).content.to_vec()
}

#[test]
fn a_renewed_server_certificate_is_shown_after_a_reload_and_open_connections_go_on() {
    let scratch = scratch();
    let offices = Offices::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let (data, server) = (offices.dir.join("issuance"), offices.dir.join("issuance/server.pem"));
    let open = client(&offices);
    let first = shown(&open, &offices);
    assert_eq!(first, certificate(&server));

    issuance(&["renew-server"], &data);
    let second = certificate(&server);
    assert_ne!(first, second);
    assert_eq!(shown(&client(&offices), &offices), first, "nothing changes before the reload");
    reloads(&offices, "new handshakes show server.pem");
    assert_eq!(shown(&client(&offices), &offices), second);
    assert_eq!(shown(&open, &offices), first, "the open connection answers, and is the one of before");

    // A file that cannot be read is said, and what was there goes on.
    let whole = fs::read(&server).unwrap();
    fs::write(&server, &whole[..whole.len() / 2]).unwrap();
    let said = reloads(&offices, "not reloaded: handshakes go on");
    assert!(said.contains("server.pem"), "{said}");
    assert_eq!(shown(&client(&offices), &offices), second);
    assert_eq!(shown(&open, &offices), first);
    fs::write(&server, &whole).unwrap();
    reloads(&offices, "new handshakes show server.pem");
    offices.officers.registrar.declares(&Citizen::invented(0).declaration()).unwrap(); // sessions go on
}

#[test]
fn the_next_card_after_a_reload_is_signed_by_the_new_signer() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let signer = |slot: usize| {
        let issued = road::issue(&world, slot, &Citizen::invented(u32::try_from(slot).unwrap())).unwrap();
        let folder = world.dir.join(format!("read-{slot}"));
        let said = road::inspect(&world, slot, &["--can", &issued.number[6..], "--out", &folder.to_string_lossy()]);
        let said = said.unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
        fs::read(folder.join("ds.der")).unwrap()
    };
    let data = world.dir.join("issuance");
    let first = fs::read(data.join("ds.der")).unwrap();
    assert_eq!(signer(0), first);
    issuance(&["rotate", "ds"], &data);
    let second = fs::read(data.join("ds.der")).unwrap();
    assert_ne!(Certificate::parse(&first).unwrap().serial(), Certificate::parse(&second).unwrap().serial());

    // Cut off, it is said and the signer of before goes on.
    fs::write(data.join("ds.der"), &second[..40]).unwrap();
    reloads(&world, "not reloaded: the signers of before go on");
    fs::write(data.join("ds.der"), &second).unwrap();
    reloads(&world, "the signer is another one from now on");
    assert_eq!(signer(1), second);
}
