//! Another key-encryption key: the folder opens with the old one or with the new one, wherever the change is cut.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use issuance::applications::model::Kind;
use issuance::applications::steps as counter;
use issuance::keys::KeyStore;
use issuance::server::{self, Settings};
use issuance::{args, sql};

use crate::offices::{Offices, within};
use crate::postgres::fresh_database;

fn rekey(data: &Path, database: Option<&str>, old: &Path, new: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.stdin(Stdio::null()).env_remove("ISSUANCE_DATABASE").arg("rekey").arg("--data").arg(data);
    command.arg("--key-file").arg(old).arg("--new-key-file").arg(new);
    if let Some(url) = database {
        command.env("ISSUANCE_DATABASE", url);
    }
    command
}

async fn run(mut command: Command) -> (Option<i32>, String) {
    tokio::task::spawn_blocking(move || {
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
    })
    .await
    .unwrap()
}

fn key(folder: &Path, name: &str, byte: u8) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, hex(byte)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn hex(byte: u8) -> String {
    format!("{byte:02x}").repeat(32) + "\n"
}

/// True if the folder opens with this key, down to what is sealed in it.
fn opens(data: &Path, key: &Path) -> bool {
    KeyStore::open(data, Some(key)).and_then(|store| store.fits()).is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_opens_with_the_new_key_alone_and_all_that_was_sealed_goes_on() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let elsewhere = tempfile::tempdir().unwrap();
        let offices = Offices::open(database.clone()).await;
        let data = offices.data.path();
        let application = offices.applies(offices.citizen().await, Kind::First).await.unwrap();
        offices.captures(application.id).await;
        let (old, new) = (data.join("kek"), key(elsewhere.path(), "new", 0x17));
        let (code, said) = run(rekey(data, database.as_deref(), &old, &old)).await;
        assert!(code == Some(1) && said.contains("one in use"), "{said}");
        let (code, said) = run(rekey(data, database.as_deref(), &old, &new)).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(opens(data, &new) && !opens(data, &old));
        let (code, said) = run(rekey(data, database.as_deref(), &old, &new)).await;
        assert!(code == Some(0) && said.contains("already"), "a command that is repeated: {said}");
        let stranger = key(elsewhere.path(), "stranger", 0x18);
        let (code, said) =
            run(rekey(data, database.as_deref(), &stranger, &key(elsewhere.path(), "other", 0x19))).await;
        assert!(code == Some(1) && said.contains("another key-encryption key"), "{said}");

        let settings = Settings { database, key_file: Some(new), ..Settings::new(data) };
        let verified = server::verify(&settings, |_| ()).await.unwrap();
        assert_eq!(verified.faults, [], "every row's MAC holds");
        assert!(verified.tables.iter().any(|(table, rows)| *table == "application" && *rows == 1));
        let state = server::Offices::open(&settings, Some(offices.clock.clone()), issuance::ground::Randomness::System)
            .await
            .unwrap();
        let application = offices.application(application.id).await;
        let portrait = counter::portrait_of(&state.counter, &application).await.unwrap();
        assert!(portrait.is_some(), "content keys open");
        let mut tx = state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select count(*) as n from audit_entry where action = 'key-encryption-key-changed'");
        let told: i64 = tx.one(sql, args![]).await.unwrap().unwrap().get("n").unwrap();
        assert_eq!(told, 1);
        let _ = within!(offices, offices.approver, deed => counter::read_portrait(deed, application.id)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_is_cut_one_of_the_two_keys_opens_the_folder_and_the_same_command_ends_it() {
    let elsewhere = tempfile::tempdir().unwrap();
    let offices = Offices::open(None).await;
    let data = offices.data.path();
    offices.state.deeds().db().close().await;
    let mut old = data.join("kek");
    let (mut cut, mut with_old, mut with_new) = (0, 0, 0);
    for turn in 1..8_u8 {
        let new = key(elsewhere.path(), &format!("new-{turn}"), turn);
        let mut command = rekey(data, None, &old, &new);
        // Before the file is replaced, between its rename and the flush of its folder, and after it.
        let point = if turn % 2 == 0 { "file-written" } else { "file-renamed" };
        command.env("ISSUANCE_FAILPOINT", format!("{point}:1"));
        let (code, said) = run(command).await;
        cut += u8::from(code.is_none());
        let (opens_old, opens_new) = (opens(data, &old), opens(data, &new));
        assert!(opens_old ^ opens_new, "turn {turn}: {said}");
        with_old += u8::from(opens_old);
        with_new += u8::from(opens_new);
        let (code, said) = run(rekey(data, None, &old, &new)).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(opens(data, &new) && !opens(data, &old));
        old = new;
    }
    assert!(cut == 7 && with_old > 0 && with_new > 0, "{cut} {with_old} {with_new}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_a_version_without_root_keys_is_rekeyed_too() {
    let elsewhere = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/house-2026-11-26");
    assert!(fixture.exists());
    // As it was founded: what is sealed, is sealed under the key-encryption key itself.
    let house = elsewhere.path().join("house");
    let copied = Command::new("cp").arg("-r").arg(&fixture).arg(&house).status().unwrap();
    assert!(copied.success());
    let folder = house.join("sqlite/data");
    let (old, new) = (folder.join("kek"), key(elsewhere.path(), "new", 0x33));
    fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).unwrap();
    let stranger = key(elsewhere.path(), "stranger", 0x34);
    let (code, said) = run(rekey(&folder, None, &stranger, &new)).await;
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = run(rekey(&folder, None, &old, &new)).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(opens(&folder, &new) && !opens(&folder, &old));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_rekeyed_while_a_service_runs() {
    let elsewhere = tempfile::tempdir().unwrap();
    let house = crate::house::House::open(None).await;
    let data = house.folder.path().join("data");
    let new = key(elsewhere.path(), "new", 0x17);
    let (code, said) = run(rekey(&data, None, &data.join("kek"), &new)).await;
    assert!(code == Some(1) && said.contains("stop it"), "{said}");
    house.service.stop().await;
    let (code, said) = run(rekey(&data, None, &data.join("kek"), &new)).await;
    assert_eq!(code, Some(0), "{said}");
}
