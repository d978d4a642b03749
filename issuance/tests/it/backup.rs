//! Backups are taken beside a running service and restored in another place; what is cut or changed is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crypto::identity::PersonalNumber;
use issuance::applications::model::Kind;
use issuance::applications::steps as counter;
use issuance::deed::{DeedError, Object};
use issuance::ground::ids::ApplicationId;
use issuance::ground::{Clock, Randomness, Role};
use issuance::keys::{Installation, KeyStore};
use issuance::server::backup::age::Identity;
use issuance::server::backup::{self, BackupError, Progress};
use issuance::server::{self, Settings};
use issuance::store::Db;
use issuance::{args, numbering, sql};
use sha2::{Digest as _, Sha256};
use time::macros::datetime;

use crate::chip::Chip;
use crate::offices::{OTHER_PARENTS, Offices, appoint, declaration, within};
use crate::postgres::fresh_database;

/// A folder for backups and restored installations, with two identities.
pub struct Place {
    folder: tempfile::TempDir,
    pub data: Identity,
    pub keys: Identity,
}

impl Place {
    pub fn new() -> Self {
        let rng = &mut Randomness::seeded(11).draw();
        let place =
            Self { folder: tempfile::tempdir().unwrap(), data: Identity::generate(rng), keys: Identity::generate(rng) };
        for (name, identity) in [("data.txt", &place.data), ("keys.txt", &place.keys)] {
            fs::write(place.at(name), identity.reveal().as_bytes()).unwrap();
        }
        place
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `issuance backup TO` of this folder and database.
    pub fn backup(&self, data: &Path, database: Option<&str>, to: &str) -> Command {
        let mut command = issuance(database);
        command.arg("backup").arg(self.at(to)).arg("--data").arg(data);
        command.args(["--recipient", &self.data.recipient().to_string()]);
        command.args(["--keys-recipient", &self.keys.recipient().to_string()]);
        command
    }

    /// `issuance restore FROM --data TO`
    pub fn restore(&self, from: &str, to: &str, database: Option<&str>) -> Command {
        let mut command = issuance(database);
        command.arg("restore").arg(self.at(from)).arg("--data").arg(self.at(to));
        command.arg("--identity").arg(self.at("data.txt")).arg("--keys-identity").arg(self.at("keys.txt"));
        command
    }

    fn check(&self, from: &str) -> Result<backup::Checked, BackupError> {
        let [data, keys] = [&self.data, &self.keys].map(std::slice::from_ref);
        backup::check(&self.at(from), None, data, keys, &Progress::silent())
    }
}

pub fn issuance(database: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.stdin(Stdio::null()).env_remove("ISSUANCE_DATABASE");
    if let Some(url) = database {
        command.env("ISSUANCE_DATABASE", url);
    }
    command
}

/// Runs a command beside the service of this process. Returns its exit code and what it said.
pub async fn run(mut command: Command) -> (Option<i32>, String) {
    tokio::task::spawn_blocking(move || {
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
    })
    .await
    .unwrap()
}

pub async fn succeeds(command: Command) -> String {
    let (code, said) = run(command).await;
    assert_eq!(code, Some(0), "{said}");
    said
}

/// The number of a woman born in this year, who was not in the register.
pub async fn number(offices: &Offices, year: u16) -> PersonalNumber {
    let mut born = declaration();
    born.birth_date = format!("05/01/{year}");
    let person = offices.declares(&born).await;
    let numbers = &offices.state.numbers;
    within!(offices, offices.registrar, deed => numbering::steps::establish(deed, numbers, person, OTHER_PARENTS))
        .unwrap()
}

async fn numbers(offices: &Offices, count: usize, given: &mut Vec<String>) {
    for _ in 0..count {
        given.push(number(offices, 2000).await.to_string());
        given.push(number(offices, 1990).await.to_string());
    }
}

/// A citizen's application and her card. Returns the application, and the fingerprint of the card.
async fn issue(offices: &Offices, blank: u8) -> (ApplicationId, Vec<u8>, Chip) {
    let person = offices.citizen().await;
    let application = offices.approved(person, Kind::First).await;
    let mut chip = offices.initialised(blank).await;
    offices.card(&mut chip).await;
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!("select sod_sha256 from card where serial = $1");
    let row = tx.one(sql, args![chip.presentation().serial.to_string()]).await.unwrap().unwrap();
    (application.id, row.get("sod_sha256").unwrap(), chip)
}

async fn status(offices: &Offices, fingerprint: &[u8]) -> String {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    issuance::cards::steps::status(&mut tx, &hex::encode(fingerprint)).await.unwrap()
}

/// The service over a restored folder: with the station of before, and officers who sign in anew.
pub async fn started(lost: Offices, data: PathBuf, database: Option<String>) -> Offices {
    let mut settings = Settings { database, ..Settings::new(data) };
    settings.population.extra_provinces = vec!["003=Tỉnh Mẫu".parse().unwrap()];
    let state = server::Offices::open(&settings, Some(lost.clock.clone()), Randomness::seeded(23)).await.unwrap();
    let deeds = state.deeds();
    assert!(matches!(deeds.open(lost.registrar.clone()).await, Err(DeedError::Dismissed { .. })), "a session lives on");
    Offices {
        registrar: appoint(deeds, Role::Registrar).await,
        capture: appoint(deeds, Role::Capture).await,
        approver: appoint(deeds, Role::Approver).await,
        stock: appoint(deeds, Role::Stock).await,
        counter: appoint(deeds, Role::HandOver).await,
        state,
        ..lost
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_that_is_lost_goes_on_in_another_place() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let place = Place::new();
        let offices = Box::pin(Offices::open(database.clone())).await;
        let (application, card, _) = Box::pin(issue(&offices, 1)).await;
        let portrait = offices.fetches(application).await.unwrap();
        let mut given = vec![number(&offices, 2000).await.to_string()];

        // The service goes on while the backup is taken.
        let [_blank, _set_aside] = [offices.blank(4).await, offices.blank(5).await];
        let backup = tokio::spawn(succeeds(place.backup(offices.data.path(), database.as_deref(), "one")));
        while !backup.is_finished() {
            given.push(number(&offices, 2000).await.to_string());
        }
        let said = backup.await.unwrap();
        assert!(said.contains("data.tar.age") && said.contains("keys.tar.age"), "{said}");
        assert!(!offices.data.path().join("backup.partial").exists(), "the copy of the database is not left behind");

        // What comes after the backup is lost: a card, and numbers, also of a cell that the backup does not know.
        let (_, lost_card, _) = Box::pin(issue(&offices, 2)).await;
        Box::pin(numbers(&offices, 40, &mut given)).await;
        let station = station_folder(&place, &offices).await;
        offices.state.deeds().db().close().await;
        for entry in fs::read_dir(offices.data.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }

        let elsewhere = if database.is_some() { Some(fresh_database().unwrap()) } else { None };
        let said = succeeds(place.restore("one", "new", elsewhere.as_deref())).await;
        assert!(said.contains("raised by 10000") && said.contains("Not in it"), "{said}");
        let offices = Box::pin(started(offices, place.at("new"), elsewhere.clone())).await;
        assert_eq!(status(&offices, &card).await, "personalized");
        assert_ne!(status(&offices, &lost_card).await, "personalized");
        let found = offices.fetches(application).await.unwrap();
        assert_eq!(format!("{found:?}"), format!("{portrait:?}"), "her portrait");
        Box::pin(numbers(&offices, 40, &mut given)).await;
        let distinct: BTreeSet<_> = given.iter().collect();
        assert_eq!(distinct.len(), given.len(), "a number was given to two people");
        let (_, next_card, _) = Box::pin(issue(&offices, 3)).await;
        assert!(next_card != card && next_card != lost_card);

        // The journal of the station knows what the database does not.
        let mut reconcile = issuance(elsewhere.as_deref());
        reconcile.args(["reconcile", "--json", "--data"]).arg(place.at("new")).arg("--journal").arg(&station);
        let found: serde_json::Value = serde_json::from_str(&succeeds(reconcile).await).unwrap();
        let told = |chip: &serde_json::Value| (chip["serial"].clone(), chip["finding"].clone(), chip["state"].clone());
        let chips: Vec<_> = found["chips"].as_array().unwrap().iter().map(told).collect();
        let expected = [
            (2, "card-unknown", None),
            (4, "card-possible", Some("delivered")),
            (5, "keys-unknown", Some("delivered")),
        ];
        assert_eq!(
            chips,
            expected.map(|(n, finding, state)| (serial(n).into(), finding.into(), state.into())),
            "not chip 1"
        );
        assert_eq!(found["chips"][0]["orders"].as_array().unwrap().len(), 2, "{found}");
        let ranges = found["numbers"].as_array().unwrap();
        let wide =
            |range: &serde_json::Value| range["below"].as_u64().unwrap() - range["from"].as_u64().unwrap() == 10_000;
        assert!(ranges.len() >= 2 && ranges.iter().all(wide), "{found}");
        assert_eq!(found["restoration"]["skip"], 10_000);

        // The trail goes on, and says what happened.
        let store = KeyStore::open(&place.at("new"), None).unwrap();
        let id = Installation::open(&store).unwrap().id();
        assert_eq!(offices.trail(Object::Installation(id.uuid())).await, ["installation-restored"]);
        let trail = offices.trail(Object::Application(application)).await;
        assert!(trail.contains(&"application-approved".to_owned()), "{trail:?}");
        offices.state.deeds().db().close().await;
        let mut verify = issuance(elsewhere.as_deref());
        verify.arg("verify").arg("--data").arg(place.at("new"));
        let said = succeeds(verify).await;
        assert!(said.contains("card 2"), "{said}");
    }
}

fn serial(number: u8) -> String {
    crypto::identity::CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 8, number]).to_string()
}

/// The folder of a station that worked on chips 1 and 2 to the end, and began with 4 (a card) and 5 (intake).
async fn station_folder(place: &Place, offices: &Offices) -> PathBuf {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let orders =
        tx.all(sql!("select id, serial, document_id from perso_order order by made_at, id"), args![]).await.unwrap();
    let mut lines = String::new();
    let mut tell = |entry: usize, event: serde_json::Value| {
        let mut record = event;
        record["entry"] = format!("0197a3f0-1234-7abc-8def-{entry:012}").into();
        record["at"] = "2026-11-22T08:30:00Z".into();
        let json = record.to_string();
        let checksum = hex::encode(&Sha256::digest(&json)[..8]);
        lines.extend([checksum.as_str(), " ", json.as_str(), "\n"]);
    };
    let mut work = |entry, kind: &str, serial: &str, order: &str, finished: bool| {
        tell(entry, serde_json::json!({"event": "begun", "kind": kind, "serial": serial, "reader": "one"}));
        tell(entry, serde_json::json!({"event": "ordered", "order": order}));
        let receipt = serde_json::json!({"order": order, "responses": []});
        tell(entry, serde_json::json!({"event": "played", "receipt": receipt}));
        if finished {
            tell(entry, serde_json::json!({"event": "finished"}));
        }
    };
    for (at, order) in orders.iter().enumerate() {
        let is_card = order.get::<Option<uuid::Uuid>>("document_id").unwrap().is_some();
        let kind = if is_card { "personalize" } else { "intake" };
        let id = order.get::<uuid::Uuid>("id").unwrap().to_string();
        work(at, kind, &order.get::<String>("serial").unwrap(), &id, true);
    }
    work(90, "personalize", &serial(4), "0197a3f0-1234-7abc-8def-0123456789ab", false);
    work(91, "intake", &serial(5), "0197a3f0-1234-7abc-8def-0123456789ac", true);
    fs::create_dir(place.at("station")).unwrap();
    // The last line was cut by the loss of power.
    fs::write(place.at("station/journal.jsonl"), lines + "0123").unwrap();
    place.at("station")
}

/// A house without people, of which a backup is quick, with its database.
async fn small_house(database: Option<String>) -> (tempfile::TempDir, Option<String>) {
    let data = tempfile::tempdir().unwrap();
    let mut settings = Settings { database: database.clone(), ..Settings::new(data.path()) };
    settings.access.password_memory_kib = 64;
    settings.access.password_passes = 1;
    let clock = Clock::standing(datetime!(2026-11-22 08:30 UTC));
    let options = issuance::keys::InitOptions { csca_curve: crypto::suite::Curve::P256, ..Default::default() };
    let randomness = Randomness::seeded(7);
    server::init(&settings, &options, "admin", clock.now(), &mut randomness.draw()).unwrap();
    let state = Box::pin(server::Offices::open(&settings, Some(clock), randomness)).await.unwrap();
    state.deeds().db().close().await;
    (data, database)
}

/// Ends the command at its `turn`-th piece as SIGKILL does. Returns false if it came to its end before.
async fn killed(mut command: Command, turn: u32) -> bool {
    command.env("ISSUANCE_FAILPOINT", format!("backup-piece:{turn}"));
    let (code, said) = run(command).await;
    assert!(code.is_none() || code == Some(0), "{code:?}: {said}");
    code.is_none()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_killed_anywhere_leaves_nothing_that_looks_whole_and_the_next_one_works() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let (house, database) = Box::pin(small_house(database)).await;
        let (place, mut turn) = (Place::new(), 1);
        while killed(place.backup(house.path(), database.as_deref(), "cut"), turn).await {
            assert!(!place.at("cut").exists(), "killed at piece {turn}");
            turn = turn * 2 + 3;
        }
        assert!(turn > 20, "it was killed at several pieces");
        assert!(!place.at("cut.partial").exists() && !house.path().join("backup.partial").exists());
        assert!(place.check("cut").unwrap().keys_opened);
        let (code, said) = run(place.backup(house.path(), database.as_deref(), "cut")).await;
        assert!(code == Some(1) && said.contains("never overwrites"), "{said}");
    }
}

/// The restored folder opens for nothing, and says what to do.
async fn assert_unfinished(place: &Place, database: Option<&str>) {
    let settings = Settings { database: database.map(str::to_owned), ..Settings::new(place.at("new")) };
    let opened = Box::pin(server::verify(&settings, |_| ())).await.unwrap_err().to_string();
    assert!(opened.contains("issuance restore"), "{opened}");
}

/// True if the database of PostgreSQL holds something, when the program that filled it has ended.
async fn is_full(database: Option<&str>) -> bool {
    let Some(url) = database else { return false };
    let db = Db::connect(Some(url), Path::new("/")).await.unwrap();
    loop {
        let at_work = sql!(
            "select count(*) as n from pg_stat_activity where datname = current_database() and application_name = 'pg_restore'"
        );
        let row = db.begin_read().await.unwrap().one(at_work, args![]).await.unwrap().unwrap();
        if row.get::<i64>("n").unwrap() == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let full = !db.is_empty().await.unwrap();
    db.close().await;
    full
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restoration_that_is_killed_anywhere_opens_for_no_service_and_the_next_one_works() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let (house, database) = Box::pin(small_house(database)).await;
        let place = Place::new();
        succeeds(place.backup(house.path(), database.as_deref(), "one")).await;
        let new = || database.as_ref().map(|_| fresh_database().unwrap());
        let (mut elsewhere, mut turn, mut refused) = (new(), 1, 0);
        while killed(place.restore("one", "new", elsewhere.as_deref()), turn).await {
            // Before the first file is written there is nothing to refuse.
            if place.at("new").exists() {
                assert_unfinished(&place, elsewhere.as_deref()).await;
                refused += 1;
            }
            if is_full(elsewhere.as_deref()).await {
                elsewhere = new();
            }
            turn += 5;
        }
        assert!(refused > 3, "it was killed while it wrote");
        let settings = Settings { database: elsewhere, ..Settings::new(place.at("new")) };
        assert_eq!(Box::pin(server::verify(&settings, |_| ())).await.unwrap().faults, []);
        // Killed when the database is whole and the counters are not raised yet.
        fs::remove_dir_all(place.at("new")).unwrap();
        let elsewhere = new();
        let mut command = place.restore("one", "new", elsewhere.as_deref());
        command.env("ISSUANCE_FAILPOINT", "file-renamed:1");
        assert_eq!(run(command).await.0, None);
        assert_unfinished(&place, elsewhere.as_deref()).await;
        if elsewhere.is_some() {
            let (code, said) = run(place.restore("one", "new", elsewhere.as_deref())).await;
            assert!(code == Some(1) && said.contains("dropdb"), "{said}");
        }
        succeeds(place.restore("one", "new", new().as_deref())).await;
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_with_one_changed_byte_is_refused_by_the_name_of_its_file() {
    let (house, _) = Box::pin(small_house(None)).await;
    let place = Place::new();
    succeeds(place.backup(house.path(), None, "one")).await;
    assert!(place.check("one").unwrap().data_opened);
    for name in ["manifest.json", "manifest.mac", "SHA256SUMS", "data.tar.age", "keys.tar.age"] {
        let file = place.at("one").join(name);
        let sound = fs::read(&file).unwrap();
        let step = sound.len().div_ceil(300);
        for at in (0..sound.len()).step_by(step).chain([sound.len() - 1]) {
            let mut changed = sound.clone();
            changed[at] ^= 1;
            fs::write(&file, &changed).unwrap();
            let error = place.check("one").unwrap_err().to_string();
            // A digest that was changed in the list of digests looks like a change of the file.
            assert!(error.contains(name) || name == "SHA256SUMS", "byte {at}: {error}");
            assert!(error.contains("copy the backup again"), "byte {at}: {error}");
        }
        fs::write(&file, &sound[..sound.len() / 2]).unwrap();
        let error = place.check("one").unwrap_err().to_string();
        assert!(error.contains(name) || name == "SHA256SUMS", "{error}");
        fs::remove_file(&file).unwrap();
        let error = place.check("one").unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("not there"), "{error}");
        fs::write(&file, &sound).unwrap();
    }
    // The same before a restoration: nothing is written.
    let file = place.at("one/data.tar.age");
    let sound = fs::read(&file).unwrap();
    fs::write(&file, &sound[..sound.len() - 1]).unwrap();
    let (code, said) = run(place.restore("one", "new", None)).await;
    assert!(code == Some(1) && said.contains("data.tar.age") && said.contains("it is cut"), "{said}");
    assert!(!place.at("new").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_written_anew_with_its_digests_lacks_the_mac_of_the_installation() {
    let (house, _) = Box::pin(small_house(None)).await;
    let place = Place::new();
    succeeds(place.backup(house.path(), None, "one")).await;
    copy(&place.at("one"), &place.at("forged"));
    let manifest = place.at("forged/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let forged = text.replacen("\"made_at\": \"20", "\"made_at\": \"21", 1);
    assert_ne!(text, forged);
    fs::write(&manifest, &forged).unwrap();
    let sums = place.at("forged/SHA256SUMS");
    let [before, after] = [&text, &forged].map(|text| hex::encode(Sha256::digest(text)));
    fs::write(&sums, fs::read_to_string(&sums).unwrap().replace(&before, &after)).unwrap();
    let error = place.check("forged").unwrap_err().to_string();
    assert!(error.contains("manifest.json") && error.contains("MAC"), "{error}");
    // Without the keys the digests alone are seen, and the command says what that is worth.
    let mut verify = issuance(None);
    verify.arg("restore").arg("--verify").arg(place.at("forged"));
    assert!(succeeds(verify).await.contains("only with the keys opened"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_goes_only_where_nothing_is_and_opens_only_for_its_recipients() {
    let (house, _) = Box::pin(small_house(None)).await;
    let place = Place::new();
    succeeds(place.backup(house.path(), None, "one")).await;
    // A folder that holds something.
    fs::create_dir(place.at("full")).unwrap();
    fs::write(place.at("full/letter"), "dear").unwrap();
    let (code, said) = run(place.restore("one", "full", None)).await;
    assert!(code == Some(1) && said.contains("not empty"), "{said}");
    assert_eq!(fs::read_dir(place.at("full")).unwrap().count(), 1, "nothing was written");
    // A database that holds something, and an engine that is another one.
    if let Some(url) = fresh_database() {
        let (code, said) = run(place.restore("one", "new", Some(&url))).await;
        assert!(code == Some(1) && said.contains("sqlite") && said.contains("--database"), "{said}");
        let (other, url) = Box::pin(small_house(Some(url))).await;
        succeeds(place.backup(other.path(), url.as_deref(), "pg")).await;
        let (code, said) = run(place.restore("pg", "new", url.as_deref())).await;
        assert!(code == Some(1) && said.contains("database is not empty"), "{said}");
        let (code, said) = run(place.restore("pg", "new", None)).await;
        assert!(code == Some(1) && said.contains("empty database"), "{said}");
        for (mut command, program) in [
            (place.backup(other.path(), url.as_deref(), "none"), "--pg-dump"),
            (place.restore("pg", "new", fresh_database().as_deref()), "--pg-restore"),
        ] {
            command.args([program, "/nowhere/pg"]);
            let (code, said) = run(command).await;
            assert!(code == Some(1) && said.contains("/nowhere/pg") && said.contains(program), "{said}");
        }
        // What the program itself says is passed on.
        let nowhere = "postgres://postgres:hidden@localhost/nowhere?host=/nowhere";
        let (code, said) = run(place.restore("pg", "new", Some(nowhere))).await;
        assert!(code == Some(1) && said.contains("nowhere") && !said.contains("hidden"), "{said}");
        let mut command = place.backup(other.path(), url.as_deref(), "none");
        command.env("PGCHANNELBINDING", "require"); // our own driver does not know it
        let (code, said) = run(command).await;
        assert!(code == Some(1) && said.contains("pg_dump failed") && said.contains("channel binding"), "{said}");
        assert!(!place.at("none").exists() && !place.at("none.partial").exists());
    }
    // The identities exchanged, one missing, and a key file that is there.
    for (flags, word) in [
        (["--identity", "keys.txt", "--keys-identity", "data.txt"], "another recipient"),
        (["--keys-identity", "keys.txt", "--skip", "10000"], "it is encrypted"),
        (["--identity", "data.txt", "--skip", "10000"], "it is encrypted"),
    ] {
        let mut command = issuance(None);
        command.current_dir(place.folder.path()).args(["restore", "one", "--data", "new"]).args(flags);
        let (code, said) = run(command).await;
        assert!(code == Some(1) && said.contains(word) && said.contains("identity"), "{flags:?}: {said}");
    }
    fs::write(place.at("kek"), "another").unwrap();
    let mut command = place.restore("one", "new", None);
    command.arg("--key-file").arg(place.at("kek"));
    let (code, said) = run(command).await;
    assert!(code == Some(1) && said.contains("is there already"), "{said}");
    assert_eq!(fs::read_to_string(place.at("kek")).unwrap(), "another");
    assert!(!place.at("new").exists(), "nothing was written");
    // Said aloud, or refused.
    let mut command = issuance(None);
    command.arg("backup").arg(place.at("two")).arg("--data").arg(house.path());
    let (code, said) = run(command).await;
    assert!(code == Some(1) && said.contains("nobody could open it") && said.contains("--plain"), "{said}");
    let recipient = place.data.recipient().to_string();
    let mut command = issuance(None);
    command.arg("backup").arg(place.at("two")).arg("--data").arg(house.path());
    command.args(["--recipient", &recipient, "--keys-recipient", &recipient]);
    let (code, said) = run(command).await;
    assert!(code == Some(1) && said.contains("could open both"), "{said}");
    let mut command = issuance(None);
    command.arg("backup").arg(place.at("two")).arg("--data").arg(house.path()).arg("--plain");
    assert!(succeeds(command).await.contains("lie open"));
    assert!(place.at("two/data.tar").exists() && place.at("two/keys.tar").exists());
    assert!(place.check("two").unwrap().keys_opened, "opened without an identity");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_file_elsewhere_is_backed_up_and_named_in_the_restored_configuration() {
    let place = Place::new();
    let mut init = issuance(None);
    init.arg("init").arg("--data").arg(place.at("old")).arg("--key-file").arg(place.at("old.kek"));
    succeeds(init).await;
    let settings = Settings { key_file: Some(place.at("old.kek")), ..Settings::new(place.at("old")) };
    let state = Box::pin(server::Offices::open(&settings, None, Randomness::System)).await.unwrap();
    state.deeds().db().close().await;
    succeeds(place.backup(&place.at("old"), None, "one")).await;
    fs::remove_dir_all(place.at("old")).unwrap();
    fs::remove_file(place.at("old.kek")).unwrap();
    let mut restore = place.restore("one", "new", None);
    restore.arg("--key-file").arg(place.at("new.kek"));
    succeeds(restore).await;
    assert!(!place.at("new/kek").exists());
    let mut verify = issuance(None);
    verify.arg("verify").arg("--data").arg(place.at("new"));
    assert!(succeeds(verify).await.contains("officer 1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_backup_of_the_data_gives_no_portrait_back_that_was_erased_since() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let place = Place::new();
        let offices = Box::pin(Offices::open(database.clone())).await;
        let [refused, open] = [offices.citizen().await, offices.citizen().await];
        let refused = offices.applies(refused, Kind::First).await.unwrap().id;
        let open = offices.applies(open, Kind::First).await.unwrap().id;
        offices.captures(refused).await;
        offices.captures(open).await;
        within!(offices, offices.approver, deed => counter::refuse(deed, refused, "other face")).unwrap();
        succeeds(place.backup(offices.data.path(), database.as_deref(), "one")).await;
        offices.clock.advance(time::Duration::days(182));
        let erases = async |offices: &Offices| crate::retention::runs(offices, false).await[0].erased;
        assert_eq!(erases(&offices).await, 1);
        succeeds(place.backup(offices.data.path(), database.as_deref(), "two")).await;
        offices.state.deeds().db().close().await;
        // Archives of keys have a short life.
        fs::remove_file(place.at("one/keys.tar.age")).unwrap();

        let elsewhere = if database.is_some() { Some(fresh_database().unwrap()) } else { None };
        let (code, said) = run(place.restore("one", "new", elsewhere.as_deref())).await;
        assert!(code == Some(1) && said.contains("keys.tar.age"), "{said}");
        let mut restore = place.restore("one", "new", elsewhere.as_deref());
        restore.arg("--keys-from").arg(place.at("two"));
        succeeds(restore).await;
        let offices = Box::pin(started(offices, place.at("new"), elsewhere)).await;
        let application = offices.application(refused).await;
        assert_eq!(application.stage.capture_of().unwrap().features, "Nốt ruồi", "text is in the archive of data");
        assert_eq!(counter::portrait_of(&offices.state.counter, &application).await.unwrap(), None);
        let application = offices.application(open).await;
        assert!(counter::portrait_of(&offices.state.counter, &application).await.unwrap().is_some());
        assert_eq!(erases(&offices).await, 1, "what was due is due still");
        assert_eq!(offices.trail(Object::Application(refused)).await.last().unwrap(), "portrait-erased");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_counts_tallies_again_and_compares_by_what_persons_are_found() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::pin(Offices::open(database.clone())).await;
        offices.approved(offices.citizen().await, Kind::First).await;
        let verify = || {
            let mut command = issuance(database.as_deref());
            command.arg("verify").arg("--data").arg(offices.data.path());
            command
        };
        succeeds(verify()).await;
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let one_more = sql!("insert into application_tally (state, n) values ('approved', 1)");
        tx.run(one_more, args![]).await.unwrap();
        tx.run(sql!("update person set likeness = 'another'"), args![]).await.unwrap();
        tx.commit().await.unwrap();
        let (code, said) = run(verify()).await;
        assert!(code == Some(1) && said.contains("application approved: there are 1, the tally says 2"), "{said}");
        assert!(said.contains("does not follow from the record: likeness"), "{said}");
    }
}
