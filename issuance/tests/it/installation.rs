//! Folder and database belong together, and a database of yesterday gives no number again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crypto::identity::PersonalNumber;
use crypto::suite::Curve;
use issuance::ground::{Clock, Randomness, Role};
use issuance::keys::{InitOptions, Installation, InstallationError, KeyName, KeyStore};
use issuance::population::model::Declaration;
use issuance::server::{self, Offices, Settings};
use issuance::store::{Db, Sql};
use issuance::{StartError, numbering, population, sql};
use time::macros::datetime;

use crate::offices::{OTHER_PARENTS, appoint, declaration};
use crate::postgres::fresh_database;

/// A new folder, and the database that it will have.
fn begin(database: Option<String>) -> (tempfile::TempDir, Settings) {
    let data = tempfile::tempdir().unwrap();
    let mut settings = Settings { database, ..Settings::new(data.path()) };
    settings.access.password_memory_kib = 64;
    settings.access.password_passes = 1;
    settings.population.extra_provinces = vec!["003=Tỉnh Mẫu".parse().unwrap()];
    let options = InitOptions { csca_curve: Curve::P256, ..InitOptions::default() };
    server::init(&settings, &options, "admin", clock().now(), &mut Randomness::System.draw()).unwrap();
    (data, settings)
}

fn clock() -> Clock {
    Clock::standing(datetime!(2026-11-22 08:30 UTC))
}

async fn open(settings: &Settings) -> Result<Offices, StartError> {
    Offices::open(settings, Some(clock()), Randomness::System).await
}

/// Opens the service once, so that its database belongs to it, and closes it.
async fn once(settings: &Settings) {
    open(settings).await.unwrap().deeds().db().close().await;
}

fn id_of(settings: &Settings) -> String {
    let store = KeyStore::open(&settings.data, None).unwrap();
    Installation::open(&store).unwrap().id().to_string()
}

/// Establishes the numbers of `count` people of one cell who were not in the register before.
async fn numbers(offices: &Offices, count: usize) -> Vec<PersonalNumber> {
    let deeds = offices.deeds();
    let registrar = appoint(deeds, Role::Registrar).await;
    let mut given = Vec::new();
    for _ in 0..count {
        let mut deed = deeds.open(registrar.clone()).await.unwrap();
        let person: Declaration = declaration();
        let (id, _) = population::steps::declare(&mut deed, &offices.register, &person).await.unwrap();
        deed.commit().await.unwrap();
        let mut deed = deeds.open(registrar.clone()).await.unwrap();
        given.push(numbering::steps::establish(&mut deed, &offices.numbers, id, OTHER_PARENTS).await.unwrap());
        deed.commit().await.unwrap();
    }
    given
}

/// A backup of a database, and the same put back.
enum Backup {
    Lite(PathBuf, Vec<u8>),
    Pg(String, PathBuf),
}

impl Backup {
    fn take(settings: &Settings) -> Self {
        let Some(url) = settings.database.clone() else {
            let file = settings.data.join("citizen-card.sqlite");
            return Self::Lite(file.clone(), fs::read(&file).unwrap());
        };
        let file = settings.data.join("dump.sql");
        let done = pg("pg_dump").args(["--clean", "--no-owner", "-f"]).arg(&file).arg(&url).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Self::Pg(url, file)
    }

    fn put_back(&self) {
        match self {
            Self::Lite(file, bytes) => {
                for side in ["-wal", "-shm"] {
                    let _ = fs::remove_file(format!("{}{side}", file.display()));
                }
                fs::write(file, bytes).unwrap();
            }
            Self::Pg(url, file) => {
                let done = pg("psql").args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(file).arg(url).output();
                let done = done.unwrap();
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            }
        }
    }
}

fn pg(program: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap().map(|entry| entry.unwrap().path().join("bin"));
    Command::new(versions.filter(|bin| bin.join("initdb").exists()).max().unwrap().join(program))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_database_gives_no_number_twice() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let (_data, settings) = begin(database);
        let offices = open(&settings).await.unwrap();
        let mut given = numbers(&offices, 5).await;
        offices.deeds().db().close().await;
        let backup = Backup::take(&settings);
        for _ in 0..2 {
            let offices = open(&settings).await.unwrap();
            given.extend(numbers(&offices, 40).await);
            offices.deeds().db().close().await;
            backup.put_back();
        }
        let offices = open(&settings).await.unwrap();
        given.extend(numbers(&offices, 40).await);
        let distinct: BTreeSet<_> = given.iter().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), given.len(), "a number was given to two people");
        assert_eq!(given.len(), 125);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_database_gives_no_signature_back_to_a_key() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let (_data, mut settings) = begin(database);
        settings.keys.signing_key_limit = 96;
        once(&settings).await;
        let backup = Backup::take(&settings);
        let mut made = 0;
        for _ in 0..4 {
            let offices = open(&settings).await.unwrap();
            for _ in 0..32 {
                let signed = offices.signer.now().sign(offices.deeds(), KeyName::DocumentSigner, b"message").await;
                made += usize::from(signed.is_ok());
            }
            offices.deeds().db().close().await;
            backup.put_back();
        }
        assert_eq!(made, 96, "the limit of the key counts signatures, not those that the database remembers");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_of_another_installation_is_refused_with_both_ids() {
    for (one, other) in
        [Some((None, None)), fresh_database().map(Some).zip(fresh_database().map(Some))].into_iter().flatten()
    {
        let (_one, one) = begin(one);
        let (_other, mut other) = begin(other);
        once(&one).await;
        once(&other).await;
        let ids = [id_of(&other), id_of(&one)];
        other.database.clone_from(&one.database);
        if other.database.is_none() {
            fs::copy(one.data.join("citizen-card.sqlite"), other.data.join("citizen-card.sqlite")).unwrap();
        }
        let refused = open(&other).await.unwrap_err();
        let words = refused.to_string();
        assert!(matches!(refused, StartError::Installation(InstallationError::Other { .. })), "{words}");
        assert!(ids.iter().all(|id| words.contains(id)) && words.contains("--database"), "{words}");
        once(&one).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_had_a_database_does_not_begin_with_an_empty_one() {
    let Some(url) = fresh_database() else { return };
    // Served once without its address: SQLite would begin with an empty register.
    let (_data, settings) = begin(Some(url));
    once(&settings).await;
    let forgot = Settings { database: None, ..settings.clone() };
    let refused = open(&forgot).await.unwrap_err().to_string();
    assert!(refused.contains(&id_of(&settings)) && refused.contains("restore"), "{refused}");
    assert!(!settings.data.join("citizen-card.sqlite").exists(), "the refusal leaves no file behind");
    once(&settings).await;
    // The other way round, and an SQLite file that is gone.
    let Some(empty) = fresh_database() else { return };
    let (_data, settings) = begin(None);
    once(&settings).await;
    let strange = Settings { database: Some(empty.clone()), ..settings.clone() };
    assert!(matches!(open(&strange).await, Err(StartError::Installation(InstallationError::Empty { .. }))));
    let db = Db::connect(Some(&empty), Path::new("/")).await.unwrap();
    assert!(!db.has_table("person").await.unwrap(), "the refusal leaves no table behind");
    fs::remove_file(settings.data.join("citizen-card.sqlite")).unwrap();
    assert!(matches!(open(&settings).await, Err(StartError::Installation(InstallationError::Empty { .. }))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_was_cut_goes_on() {
    let (_data, settings) = begin(None);
    let sealed = settings.data.join("keys/installation.sealed");
    let before = fs::read(&sealed).unwrap();
    once(&settings).await;
    // The database has the identifier, the folder does not know it yet.
    fs::write(&sealed, before).unwrap();
    once(&settings).await;
    once(&settings).await;
    fs::remove_file(settings.data.join("citizen-card.sqlite")).unwrap();
    assert!(open(&settings).await.is_err(), "the folder learnt at the second start that there is a database");
}

/// What is written into an open file without a name is gone when the service ends: nothing is taken any
/// more, and the probes say why.
#[tokio::test]
async fn a_database_file_that_is_replaced_under_a_running_service_stops_every_write() {
    let house = Box::pin(crate::house::House::open(None)).await;
    let admin = &house.admin;
    assert_eq!(house.anyone().get("/readyz").await.status, 200);
    let file = house.folder.path().join("data/citizen-card.sqlite");
    let aside = file.with_extension("aside");
    for other in [None, Some("another file")] {
        std::fs::rename(&file, &aside).unwrap();
        if let Some(text) = other {
            std::fs::write(&file, text).unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let body = serde_json::json!({"username": "lost", "roles": ["auditor"], "office": "national"});
        let said = admin.post("/api/v1/officers", "lost", body).await;
        assert_eq!((said.status, said.code()), (503, "database-unreachable"));
        let said = house.anyone().get("/readyz").await;
        assert_eq!((said.status, said.code()), (503, "database-unreachable"));
        std::fs::rename(&aside, &file).unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(house.anyone().get("/readyz").await.status, 200, "the file is back");
    house.service.stop().await;
}

/// A table whose rows have MACs since this version, in a folder of the version before: its rows get theirs at the first
/// start, once, and rows of the tables that had MACs before get none.
#[tokio::test]
async fn rows_from_before_their_table_had_macs_get_them_at_the_first_start_and_never_again() {
    let (data, settings) = begin(None);
    let offices = open(&settings).await.unwrap();
    appoint(offices.deeds(), Role::Registrar).await;
    let bare = async |offices: Offices, table: Sql| {
        let mut tx = offices.deeds().db().begin_upkeep().await.unwrap();
        assert_eq!(tx.run(table, vec![]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        offices.deeds().db().close().await;
    };
    bare(offices, sql!("update session set mac = null, version = null")).await;
    let store = KeyStore::open(data.path(), None).unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(&store.load("installation").unwrap()).unwrap();
    assert!(state.as_object_mut().unwrap().remove("sealed_tables").is_some());
    store.locked().unwrap().put("installation", &serde_json::to_vec(&state).unwrap()).unwrap();

    let offices = open(&settings).await.unwrap();
    assert_eq!(server::verify(&settings, |_| ()).await.unwrap().faults, []);
    bare(offices, sql!("update session set mac = null, version = null")).await;
    let offices = open(&settings).await.unwrap();
    let faults = server::verify(&settings, |_| ()).await.unwrap().faults;
    assert!(matches!(faults[..], [("session", _)]), "{faults:?}");

    store.locked().unwrap().put("installation", &serde_json::to_vec(&state).unwrap()).unwrap();
    bare(offices, sql!("update officer set mac = null, version = null where username like 'registrar%'")).await;
    once(&settings).await;
    let faults = server::verify(&settings, |_| ()).await.unwrap().faults;
    assert!(matches!(faults[..], [("officer", _)]), "{faults:?}");
}
