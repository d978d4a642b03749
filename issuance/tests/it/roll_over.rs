//! A new TLS authority takes the place of the old one, with overlap: over real TLS, and wherever it is cut.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use issuance::access::stations::{LeftBehind, left_behind};
use issuance::ground::{Randomness, Role};
use issuance::keys::{InitOptions, KeyStore, RollOver, RollOverError, TlsAuthority};
use issuance::server::{self, Limits, Settings, TlsListener};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};
use time::Duration;

use crate::factors::certified;
use crate::house::{self, Caller, House, PASSWORD, Said, now, on_both};

const RENEWAL: &str = "/api/v1/station/certificate";
/// Another route of stations. The tests here ask only whether a caller gets there.
const ROUTE: &str = "/api/v1/production/queue";

fn request() -> (KeyPair, String) {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::new(vec![]).unwrap().serialize_request(&key).unwrap().pem().unwrap();
    (key, request)
}

fn identity(given: &Said, key: &KeyPair) -> String {
    assert_eq!(given.status, 200, "{given:?}");
    format!("{}{}", given.body["certificate_pem"].as_str().unwrap(), key.serialize_pem())
}

/// Enrols a station. Returns certificate and key.
async fn enrolled(house: &House, name: &str) -> (Said, String) {
    let (key, csr_pem) = request();
    let body = json!({"name": name, "office": "o-1", "csr_pem": csr_pem});
    let given = house.admin.post("/api/v1/stations", name, body).await;
    let identity = identity(&given, &key);
    (given, identity)
}

/// A client with connections of its own that trusts these authorities.
fn client(authorities: &str, identity: &str) -> Client {
    let authorities = Certificate::from_pem_bundle(authorities.as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only(authorities).no_proxy();
    client.identity(Identity::from_pem(identity.as_bytes()).unwrap()).build().unwrap()
}

/// The status that a station is answered with on a new connection; nothing if no hands are shaken.
async fn answered(house: &House, authorities: &str, identity: &str) -> Option<u16> {
    let asked = client(authorities, identity).get(format!("{}{ROUTE}", house.admin.address));
    asked.send().await.ok().map(|answer| answer.status().as_u16())
}

fn store(data: &Path) -> KeyStore {
    KeyStore::open(data, None).unwrap()
}

fn authorities(data: &Path) -> String {
    fs::read_to_string(data.join("tls-ca.pem")).unwrap()
}

fn count(pem: &str) -> usize {
    pem.matches("BEGIN CERTIFICATE").count()
}

async fn left(house: &House, store: &KeyStore) -> LeftBehind {
    let roll_over = RollOver::under_way(store).unwrap().unwrap();
    let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
    left_behind(&mut tx, &roll_over, Duration::days(30), house.clock.now()).await.unwrap()
}

fn named(stations: &[&str], officers: &[&str]) -> LeftBehind {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    LeftBehind { stations: owned(stations), officers: owned(officers), partner_systems: vec![] }
}

#[tokio::test]
async fn the_systems_of_partners_keep_a_roll_over_open_until_they_have_certificates_of_the_new_authority() {
    Box::pin(on_both(async |house| {
        let store = store(&house.folder.path().join("data"));
        let joined = crate::exchange::joined(house).await;
        RollOver::begin(&store, now(), &mut Randomness::seeded(12).draw()).unwrap();
        assert!(house.service.reload().await);
        let of_partners = vec!["may-chu-1".to_owned()];
        assert_eq!(left(house, &store).await, LeftBehind { partner_systems: of_partners, ..named(&[], &[]) });
        let path = format!("/api/v1/partner-systems/{}/revocation", joined.system_id);
        assert_eq!(house.admin.post(&path, "k", json!({"reason": "brought anew"})).await.status, 200);
        let next = crate::exchange::system_of(house, &joined.bao, &joined.partner, "may-chu-2").await;
        assert!(left(house, &store).await.is_empty());
        drop(next);
    }))
    .await;
}

#[tokio::test]
async fn both_authorities_are_trusted_until_the_roll_over_ends_and_then_the_new_one_alone() {
    Box::pin(on_both(async |house| {
        let data = house.folder.path().join("data");
        let (store, rng) = (store(&data), &mut Randomness::seeded(11).draw());
        let old = authorities(&data);
        let (_, one) = enrolled(house, "counter-1").await;
        let (_, other) = enrolled(house, "counter-2").await;
        let (_, officer, _) = Box::pin(certified(house, "lan", &[Role::Auditor])).await;

        RollOver::begin(&store, now(), rng).unwrap();
        assert!(matches!(RollOver::begin(&store, now(), rng), Err(RollOverError::Begun(_))), "once at a time");
        assert!(house.service.reload().await);
        let both = authorities(&data);
        assert!(both.starts_with(old.trim_end()) && count(&both) == 2);
        assert_eq!(answered(house, &old, &one).await, Some(200), "who knows the old one only goes on");
        assert_eq!(left(house, &store).await, named(&["counter-1", "counter-2"], &["lan"]));

        // The new one certifies, and both are handed out.
        let (given, third) = enrolled(house, "counter-3").await;
        assert_eq!(given.body["ca_pem"], both.as_str());
        let asks = Caller { client: client(&old, &one), ..house.anyone() };
        let (key, csr_pem) = request();
        let given = asks.post(RENEWAL, "r-1", json!({"csr_pem": csr_pem})).await;
        assert_eq!(given.body["ca_pem"], both.as_str());
        let one = identity(&given, &key);
        let all = named(&["counter-1", "counter-2"], &["lan"]);
        assert_eq!(left(house, &store).await, all, "until the next certificate is used");
        for station in [&one, &third] {
            assert_eq!(answered(house, &old, station).await, Some(200), "both are trusted");
        }
        assert_eq!(left(house, &store).await, named(&["counter-2"], &["lan"]));
        let signs_in = Caller { client: client(&old, &officer), ..house.anyone() };
        assert_eq!(signs_in.signs_in("lan", PASSWORD).await.body["factors"], json!(["password", "certificate"]));

        // `renew-server` stays under the old one; the step of its own does not.
        issuance::keys::renew_server(&store, &[], now(), rng).unwrap();
        assert!(house.service.reload().await);
        assert_eq!(answered(house, &old, &other).await, Some(200));
        assert!(RollOver::serve(&store, now(), rng).unwrap());
        assert!(!RollOver::serve(&store, now(), rng).unwrap(), "once is enough");
        issuance::keys::renew_server(&store, &[], now(), rng).unwrap();
        assert!(house.service.reload().await);
        assert_eq!(answered(house, &old, &other).await, None, "the server is the new one's");
        assert_eq!(answered(house, &both, &other).await, Some(200));

        RollOver::finish(&store, now(), rng).unwrap();
        assert_eq!(answered(house, &both, &other).await, Some(200), "nothing changes before the reload");
        assert!(house.service.reload().await);
        let new = authorities(&data);
        assert!(both.ends_with(&new) && count(&new) == 1);
        for station in [&one, &third] {
            assert_eq!(answered(house, &new, station).await, Some(200));
        }
        for client in [&other, &officer] {
            assert_eq!(answered(house, &both, client).await, None, "it is certified by no authority");
        }
        assert_eq!(store.names("tls-ca").unwrap().len(), 1, "the key is gone");
        assert!(matches!(RollOver::finish(&store, now(), rng), Err(RollOverError::NotBegun)));
        assert!(matches!(RollOver::serve(&store, now(), rng), Err(RollOverError::NotBegun)));
        let (given, _) = enrolled(house, "counter-4").await;
        assert_eq!(given.body["ca_pem"], new.as_str());
    }))
    .await;
}

fn rotate(data: &Path, steps: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.stdin(Stdio::null()).env_remove("ISSUANCE_DATABASE").args(["rotate", "tls-authority"]).args(steps);
    command.arg("--data").arg(data);
    command
}

fn run(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

/// Apart: the service in this process needs its thread meanwhile.
async fn runs(command: Command) -> (Option<i32>, String) {
    tokio::task::spawn_blocking(|| run(command)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_roll_over_ends_when_none_is_left_or_when_it_is_said_that_they_are_shut_out() {
    let house = Box::pin(House::open(None)).await;
    let data = house.folder.path().join("data");
    enrolled(&house, "counter-1").await;
    let (_, officer, _) = Box::pin(certified(&house, "lan", &[Role::Auditor])).await;
    let (code, said) = runs(rotate(&data, &["--finish"])).await;
    assert!(code == Some(1) && said.contains("no roll-over is under way"), "{said}");
    let (code, said) = runs(rotate(&data, &[])).await;
    assert!(code == Some(0) && said.contains("SIGHUP") && said.contains("enrol --renew"), "{said}");
    let before = authorities(&data);

    let status = |json: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.arg("status").arg("--data").arg(&data).args(json.then_some("--json"));
        command
    };
    let told: Value = serde_json::from_str(&runs(status(true)).await.1).unwrap();
    assert_eq!(told["tls_roll_over"], json!({"stations": ["counter-1"], "officers": ["lan"], "partner_systems": []}));
    let files = told["certificates"].as_array().unwrap().iter().map(|one| one["file"].as_str().unwrap());
    assert_eq!(files.skip(3).collect::<Vec<_>>(), ["server.pem", "tls-ca.pem", "tls-ca.pem (old)"]);
    let (_, text) = runs(status(false)).await;
    for line in ["tls-ca.pem (old)", "still of the old", "1 stations, 1 officers and 0 systems of partners", "days)"] {
        assert!(text.contains(line), "{line}: {text}");
    }

    for steps in [&["--finish"][..], &["--finish", "--force"]] {
        let (code, said) = runs(rotate(&data, steps)).await;
        assert!(code == Some(1) && said.contains("counter-1") && said.contains("lan"), "{said}");
        assert_eq!(authorities(&data), before, "nothing was changed");
    }
    let id = house.service.offices().deeds().source().id::<()>().to_string();
    let revoked = house.admin.get("/api/v1/officer-certificates").await;
    let certificate = revoked.body["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/officer-certificates/{certificate}/revocation");
    assert_eq!(house.admin.post(&path, &id, json!({"reason": "another one"})).await.status, 200);
    let (_, said) = runs(rotate(&data, &["--finish"])).await;
    assert!(said.contains("counter-1") && !said.contains("lan"), "{said}");
    let (code, said) = runs(rotate(&data, &["--finish", "--force", "--yes"])).await;
    assert!(code == Some(0) && said.contains("Shut out") && said.contains("counter-1"), "{said}");
    assert!(house.service.reload().await);
    assert_eq!(answered(&house, &before, &officer).await, None);
    let told: Value = serde_json::from_str(&runs(status(true)).await.1).unwrap();
    assert_eq!(told["tls_roll_over"], Value::Null);
    let shut_out = issuance::sql!("select count(*) as n from audit_entry where action = 'tls-authority-ended'");
    assert_eq!(house.count(shut_out, issuance::args![]).await, 1, "the trail says who was shut out");
    house.service.stop().await;
}

fn copied(from: &Path, to: PathBuf) -> PathBuf {
    let done = Command::new("cp").arg("-r").arg(from).arg(&to).status().unwrap();
    assert!(done.success());
    to
}

/// The service would begin in this folder: certificates and keys go together.
async fn begins(data: &Path) {
    let store = store(data);
    TlsAuthority::open(&store).unwrap();
    let bound = TlsListener::bind(
        "127.0.0.1:0".parse().unwrap(),
        &store,
        Limits::default(),
        &[],
        std::time::Duration::default(),
    );
    bound.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_a_step_is_cut_the_service_begins_and_the_same_step_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(folder.path().join("0"));
    let (options, rng) = (InitOptions::default(), &mut Randomness::seeded(7).draw());
    server::init(&settings, &options, "admin", now(), rng).unwrap();
    let (mut house, mut cuts) = (settings.data, 0);
    for (steps, done_already) in [
        (&[][..], "was made on"),
        (&["--server"], "is certified by the new TLS authority already"),
        (&["--finish"], "no roll-over is under way"),
    ] {
        for (point, turn) in
            ["file-written", "file-renamed"].into_iter().flat_map(|point| (1..4).map(move |n| (point, n)))
        {
            let data = copied(&house, folder.path().join(format!("{}-{point}-{turn}", steps.concat())));
            let mut command = rotate(&data, steps);
            command.env("ISSUANCE_FAILPOINT", format!("{point}:{turn}"));
            let (code, said) = run(command);
            begins(&data).await;
            if code == Some(0) {
                continue; // it has fewer files
            }
            assert_eq!(code, None, "{point}:{turn}: {said}");
            cuts += 1;
            let (code, said) = run(rotate(&data, steps));
            assert!(code == Some(0) || said.contains(done_already), "{point}:{turn}: {said}");
            begins(&data).await;
            let (keys, certificates) = (store(&data).names("tls-ca").unwrap(), count(&authorities(&data)));
            assert_eq!(keys.len(), certificates, "no key is left over: {keys:?}");
            assert_eq!(certificates, if steps == ["--finish"] { 1 } else { 2 });
        }
        house = copied(&house, folder.path().join(format!("after-{}", steps.concat())));
        assert_eq!(run(rotate(&house, steps)).0, Some(0));
    }
    assert!(cuts >= 10, "{cuts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_a_version_with_one_authority_is_rolled_over_too() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/house-2026-11-26");
    let data = copied(&fixture, folder.path().join("house")).join("sqlite/data");
    fs::set_permissions(data.join("kek"), fs::Permissions::from_mode(0o600)).unwrap();
    let (store, rng) = (store(&data), &mut Randomness::seeded(12).draw());
    assert_eq!(store.names("tls-ca").unwrap(), [""], "the key has no certificate's name");
    let old = authorities(&data);
    RollOver::begin(&store, now(), rng).unwrap();
    begins(&data).await;
    issuance::keys::renew_server(&store, &[], now(), rng).unwrap();
    begins(&data).await;
    RollOver::finish(&store, now(), rng).unwrap();
    begins(&data).await;
    let names = store.names("tls-ca").unwrap();
    assert!(names.len() == 1 && names[0].starts_with('-') && authorities(&data) != old, "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_within_the_roll_over_brings_both_authorities_back() {
    let house = Box::pin(House::open(None)).await;
    let (_, station) = enrolled(&house, "counter-1").await;
    let (data, folder) = (house.folder.path().join("data"), tempfile::tempdir().unwrap());
    let rng = &mut Randomness::seeded(13).draw();
    RollOver::begin(&store(&data), now(), rng).unwrap();
    house.service.stop().await;
    let (to, new) = (folder.path().join("backup"), folder.path().join("data"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.env_remove("ISSUANCE_DATABASE").arg("backup").arg(&to).arg("--plain").arg("--data").arg(&data);
    let (code, said) = runs(command).await;
    assert_eq!(code, Some(0), "{said}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.env_remove("ISSUANCE_DATABASE").arg("restore").arg(&to).arg("--data").arg(&new);
    let (code, said) = runs(command).await;
    assert_eq!(code, Some(0), "{said}");

    let both = authorities(&data);
    assert!(count(&both) == 2 && authorities(&new) == both);
    let mut settings = house::settings(&house.folder, None);
    settings.data.clone_from(&new);
    let service = issuance::Service::start(&settings, Some(house.clock), Randomness::seeded(3)).await.unwrap();
    let address = format!("https://{}{ROUTE}", service.address());
    let answer = client(&both, &station).get(address).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the old one is trusted");
    RollOver::serve(&store(&new), now(), rng).unwrap(); // the new one's key opens
    service.stop().await;
}
