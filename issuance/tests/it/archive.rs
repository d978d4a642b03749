//! What is archived as it is written comes back after the machine is gone: SQLite's log by `issuance archive`,
//! PostgreSQL's by its own archive and `issuance restore --adopt`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use issuance::applications::model::Kind;
use issuance::ground::Clock;
use issuance::{args, sql};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::backup::{Place, issuance, number, run, started, succeeds};
use crate::offices::Offices;

/// A process that ends with the test.
struct Running(Child);

impl Running {
    /// Ends it as the loss of the machine does.
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn archives(place: &Place, data: &Path) -> Running {
    Running(archives_command(place, data).stdout(Stdio::null()).spawn().unwrap())
}

fn archives_command(place: &Place, data: &Path) -> Command {
    let mut command = issuance(None);
    command.arg("archive").arg(place.at("archive")).arg("--data").arg(data).args(["--every", "1", "--keep", "1"]);
    command.args(["--recipient", &place.data.recipient().to_string()]);
    command.args(["--keys-recipient", &place.keys.recipient().to_string()]);
    command
}

/// The newest whole generation, once there is one beside these.
async fn generation(place: &Place, but: &BTreeSet<PathBuf>) -> PathBuf {
    for _ in 0..1200 {
        let there = fs::read_dir(place.at("archive")).into_iter().flatten().flatten().map(|entry| entry.path());
        let whole = there.filter(|path| path.join("log").is_dir() && !but.contains(path)).max();
        if let Some(path) = whole {
            return path;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no generation was begun")
}

/// The moments of the segments of a generation, in their order.
fn segments(generation: &Path) -> Vec<OffsetDateTime> {
    let mut files: Vec<_> = fs::read_dir(generation.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let at = |path: &PathBuf| {
        let json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        OffsetDateTime::parse(json["at"].as_str().unwrap(), &Rfc3339).unwrap()
    };
    files.iter().map(at).collect()
}

async fn persons(offices: &Offices) -> BTreeSet<String> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let rows = tx.all(sql!("select personal_number from personal_number"), args![]).await.unwrap();
    rows.iter().map(|row| row.get("personal_number").unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_the_last_copy_of_the_log_comes_back_with_its_portraits() {
    let place = Place::new();
    let offices = Box::pin(Offices::open(None)).await;
    let early = number(&offices, 2000).await.to_string();
    // One that is killed at once leaves nothing that the next one trips over.
    let mut cut = archives(&place, offices.data.path());
    generation(&place, &BTreeSet::new()).await;
    cut.kill();
    let before: BTreeSet<_> = fs::read_dir(place.at("archive")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut archiver = archives(&place, offices.data.path());
    let generation = generation(&place, &before).await;
    let (code, said) = run(archives_command(&place, offices.data.path())).await;
    assert!(code == Some(1) && said.contains("one archiver"), "{said}");

    // Enough that SQLite would begin its log anew, if it were not held.
    let (mut given, clock) = (Vec::new(), Clock::system(UtcOffset::UTC));
    let person = offices.citizen().await;
    let application = offices.approved(person, Kind::First).await;
    let portrait = offices.fetches(application.id).await.unwrap();
    for count in 0.. {
        let number = number(&offices, 2000).await.to_string();
        given.push((clock.now(), number));
        if count > 150 && segments(&generation).len() >= 4 {
            break;
        }
        assert!(count < 20_000, "the log is not copied");
        // A quick machine would fill the log until a new generation begins.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(before.iter().all(|old| !old.join("manifest.json").exists()), "one generation is kept");
    archiver.kill();
    let copies = segments(&generation);
    offices.state.deeds().db().close().await;
    fs::remove_dir_all(offices.data.path()).unwrap();

    // One changed byte is named, and nothing is opened.
    let segment = generation.join("log/0000000002.tar.age");
    let sound = fs::read(&segment).unwrap();
    let mut changed = sound.clone();
    changed[sound.len() / 2] ^= 1;
    fs::write(&segment, changed).unwrap();
    let (code, said) = run(place.restore("archive", "new", None)).await;
    assert!(code == Some(1) && said.contains("0000000002.tar.age"), "{said}");
    fs::write(&segment, sound).unwrap();
    // Another moment is another MAC.
    let list = generation.join("log/0000000003.json");
    let sound = fs::read_to_string(&list).unwrap();
    fs::write(&list, sound.replacen("\"number\": 3", "\"number\": 4", 1)).unwrap();
    let (code, said) = run(place.restore("archive", "new", None)).await;
    assert!(code == Some(1) && said.contains("0000000003.json"), "{said}");
    fs::write(&list, sound).unwrap();

    // One that is missing between others is no end of the log.
    let away = place.at("away.json");
    fs::rename(generation.join("log/0000000002.json"), &away).unwrap();
    let (code, said) = run(place.restore("archive", "new", None)).await;
    assert!(code == Some(1) && said.contains("0000000002.json") && said.contains("missing"), "{said}");
    fs::rename(&away, generation.join("log/0000000002.json")).unwrap();
    let said = succeeds(place.restore("archive", "new", None)).await;
    assert!(said.contains("raised by 10000"), "{said}");
    let offices = Box::pin(started(offices, place.at("new"), None)).await;
    let there = persons(&offices).await;
    assert!(there.contains(&early));
    // The last copy was begun after the one before it ended.
    let surely = copies[copies.len() - 2];
    let acknowledged: Vec<_> = given.iter().filter(|(at, _)| *at < surely).map(|(_, number)| number).collect();
    assert!(acknowledged.len() > 20, "{} of {}", acknowledged.len(), given.len());
    for number in acknowledged {
        assert!(there.contains(number), "what was acknowledged before the last copy is lost");
    }
    let found = offices.fetches(application.id).await.unwrap();
    assert_eq!(format!("{found:?}"), format!("{portrait:?}"), "her portrait");
    let next = number(&offices, 2000).await.to_string();
    assert!(!there.contains(&next) && given.iter().all(|(_, number)| *number != next), "a number was given twice");
    offices.state.deeds().db().close().await;
    let mut verify = issuance(None);
    verify.arg("verify").arg("--data").arg(place.at("new"));
    succeeds(verify).await;
}

/// A cluster of PostgreSQL of its own, which archives its log.
struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    running: Option<Running>,
}

impl Cluster {
    fn new(folder: PathBuf) -> Option<Self> {
        let versions =
            fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
        let programs = versions.filter(|programs| programs.join("initdb").exists()).max()?;
        fs::create_dir(&folder).unwrap();
        Some(Self { programs, folder, running: None })
    }

    /// A program of PostgreSQL, as its own user, in the folder of the cluster.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if is_root() {
            assert!(Command::new("chown").arg("-R").arg("postgres").arg(&self.folder).status().unwrap().success());
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        command.arg(self.programs.join(name)).env("LC_ALL", "C.UTF-8").env("HOME", &self.folder);
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn does(&self, name: &str, arguments: &[&str]) -> String {
        let done = self.program(name).args(arguments).output().unwrap();
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    fn asks(&self, database: &str, sql: &str) -> String {
        let socket = self.folder.display().to_string();
        self.does("psql", &["-X", "-A", "-t", "-U", "postgres", "-h", &socket, "-d", database, "-c", sql])
            .trim()
            .to_owned()
    }

    /// Starts the server, and waits until it takes writes.
    fn starts(&mut self, options: &[&str]) {
        let log = File::create(self.folder.join("server.log")).unwrap();
        let mut command = self.program("postgres");
        command.args(["-D", "data", "-c", "listen_addresses="]).arg("-k").arg(&self.folder).args(options);
        self.running = Some(Running(command.stderr(log).spawn().unwrap()));
        for _ in 0..1200 {
            let socket = self.folder.display().to_string();
            let mut ready = self.program("psql");
            ready.args(["-X", "-A", "-t", "-U", "postgres", "-d", "postgres", "-h", &socket]);
            let ready = ready.args(["-c", "select pg_is_in_recovery()"]).output().unwrap();
            if ready.stdout.starts_with(b"f") {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{}", fs::read_to_string(self.folder.join("server.log")).unwrap());
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_recovers_to_its_last_archived_segment_and_the_service_adopts_it() {
    let place = Place::new();
    // Reached by the user of PostgreSQL too.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    fs::set_permissions(place.at(""), open).unwrap();
    let Some(mut old) = Cluster::new(place.at("old")) else {
        println!("SKIPPED: PostgreSQL is not installed");
        return;
    };
    fs::create_dir(old.folder.join("wal")).unwrap();
    old.does("initdb", &["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
    let wal = old.folder.join("wal");
    let archive =
        format!("archive_command=test ! -f {0}/%f && cp %p {0}/%f.new && mv {0}/%f.new {0}/%f", wal.display());
    old.starts(&["-c", "archive_mode=on", "-c", "archive_timeout=60", "-c", &archive]);
    old.asks("postgres", "create database card");
    let url = old.url("card");

    let offices = Box::pin(Offices::open(Some(url.clone()))).await;
    let mut given = vec![number(&offices, 2000).await.to_string()];
    succeeds(place.backup(offices.data.path(), Some(&url), "one")).await;
    let socket = old.folder.display().to_string();
    old.does(
        "pg_basebackup",
        &["-D", "base", "-U", "postgres", "-h", &socket, "-X", "none", "--no-sync", "-c", "fast"],
    );
    for _ in 0..20 {
        given.push(number(&offices, 2000).await.to_string());
        given.push(number(&offices, 1990).await.to_string());
    }
    // As `archive_timeout` does each minute.
    let segment = old.asks("card", "select pg_walfile_name(pg_switch_wal())");
    for _ in 0..1200 {
        if wal.join(&segment).exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(wal.join(&segment).exists(), "the segment is not archived");
    let archived = given.len();
    for _ in 0..5 {
        given.push(number(&offices, 2000).await.to_string());
    }
    // The machine is gone.
    old.running.take().unwrap().kill();
    drop(offices.state.clone());
    fs::remove_dir_all(offices.data.path()).unwrap();

    let mut new = Cluster::new(place.at("elsewhere")).unwrap();
    assert!(
        Command::new("cp")
            .args(["-a"])
            .arg(old.folder.join("base"))
            .arg(new.folder.join("data"))
            .status()
            .unwrap()
            .success()
    );
    fs::write(new.folder.join("data/recovery.signal"), "").unwrap();
    let restore = format!("restore_command=cp {}/%f %p", wal.display());
    new.starts(&["-c", &restore]);
    let elsewhere = new.url("card");
    let mut command = place.restore("one", "new", Some(&elsewhere));
    let (code, said) = run(place.restore("one", "new", Some(&elsewhere))).await;
    assert!(code == Some(1) && said.contains("database is not empty"), "{said}");
    command.arg("--adopt");
    let said = succeeds(command).await;
    assert!(said.contains("raised by 10000"), "{said}");

    let offices = Box::pin(started(offices, place.at("new"), Some(elsewhere.clone()))).await;
    let there = persons(&offices).await;
    for number in &given[..archived] {
        assert!(there.contains(number), "what was archived is lost");
    }
    for _ in 0..10 {
        let next = number(&offices, 2000).await.to_string();
        assert!(!given.contains(&next), "a number was given twice");
    }
    offices.state.deeds().db().close().await;
}
