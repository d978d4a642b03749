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

/// `issuance restore --verify` as on the machine of the archive: no identity lies there.
fn verify(place: &Place) -> Command {
    let mut command = issuance(None);
    command.args(["restore", "--verify"]).arg(place.at("archive"));
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
    let said = succeeds(verify(&place)).await;
    assert!(said.contains("Segments of the log:") && said.contains("none is missing"), "{said}");
    let segment = generation.join("log/0000000002.tar.age");
    let sound = fs::read(&segment).unwrap();
    let mut changed = sound.clone();
    changed[sound.len() / 2] ^= 1;
    fs::write(&segment, changed).unwrap();
    let (code, said) = run(verify(&place)).await;
    assert!(code == Some(1) && said.contains("0000000002.tar.age"), "{said}");
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
    let (code, said) = run(verify(&place)).await;
    assert!(code == Some(1) && said.contains("0000000002.json") && said.contains("missing"), "{said}");
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

/// Returns a command that `docs/backup.md` gives PostgreSQL, as it stands there between quotation marks.
fn documented(setting: &str, end: &str) -> String {
    let document = include_str!("../../../docs/backup.md");
    let (_, after) = document.split_once(&format!("{setting}'")).expect("the document has it");
    after.split_once(end).expect("it ends").0.to_owned()
}

/// Waits until this holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never: {what}")
}

/// An archiver whose words are read, over a house that goes on.
struct Archived {
    place: Place,
    offices: Offices,
    archiver: Running,
}

impl Archived {
    /// Waits for its first segment.
    async fn begin() -> (Self, PathBuf) {
        let place = Place::new();
        let offices = Box::pin(Offices::open(None)).await;
        let mut this = Self { archiver: archives(&place, offices.data.path()), place, offices };
        this.archiver.kill();
        this.starts();
        let generation = generation(&this.place, &BTreeSet::new()).await;
        number(&this.offices, 2000).await;
        until("a segment", || !segments(&generation).is_empty()).await;
        (this, generation)
    }

    fn starts(&mut self) {
        let said = File::options().create(true).append(true).open(self.place.at("said")).unwrap();
        let mut command = archives_command(&self.place, self.offices.data.path());
        command.args(["--patience", "1"]).stdout(Stdio::null()).stderr(said);
        self.archiver = Running(command.spawn().unwrap());
    }

    fn said(&self) -> String {
        fs::read_to_string(self.place.at("said")).unwrap()
    }

    fn generations(&self) -> BTreeSet<PathBuf> {
        let there = fs::read_dir(self.place.at("archive")).unwrap().map(|entry| entry.unwrap().path());
        there.filter(|path| path.is_dir()).collect()
    }

    async fn status(&self) -> Value {
        let mut command = issuance(None);
        command.args(["status", "--json", "--data"]).arg(self.offices.data.path());
        serde_json::from_str(&run(command).await.1).unwrap()
    }

    /// What is archived since the trouble is over comes back, from the generation of before.
    async fn comes_back(mut self, generation: PathBuf) {
        let number = number(&self.offices, 1990).await.to_string();
        let before = segments(&generation).len();
        until("a segment after the trouble", || segments(&generation).len() > before).await;
        until("it is said", || self.said().contains("is archived again")).await;
        let status = self.status().await;
        let about = |finding: &Value| finding["about"] == "archive" && finding["says"].to_string().contains("answer");
        assert!(!status["findings"].as_array().unwrap().iter().any(about), "{status}");
        self.archiver.kill();
        assert_eq!(self.generations(), BTreeSet::from([generation]), "no generation is begun for a piece that failed");
        self.offices.state.deeds().db().close().await;
        succeeds(self.place.restore("archive", "new", None)).await;
        let offices = Box::pin(started(self.offices, self.place.at("new"), None)).await;
        assert!(persons(&offices).await.contains(&number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_piece_that_cannot_be_written_is_said_and_written_later_without_a_new_generation() {
    let (archived, generation) = Box::pin(Archived::begin()).await;
    let status = archived.status().await;
    assert!(status["archive"]["complete_at"].is_string() && status["archive"]["failing"].is_null(), "{status}");
    let (log, away) = (generation.join("log"), archived.place.at("away"));
    fs::rename(&log, &away).unwrap();
    number(&archived.offices, 2000).await;
    until("it is said", || archived.said().contains("was not archived")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(archived.generations().len(), 1, "{:?}", archived.generations());
    let status = archived.status().await;
    assert!(status["archive"]["failing"].as_str().is_some_and(|why| why.contains("log")), "{status}");
    let findings = status["findings"].as_array().unwrap();
    assert!(findings.iter().any(|one| one["about"] == "archive" && one["severity"] != "notice"), "{status}");
    // Not at each tick.
    assert!(archived.said().matches("was not archived").count() <= 3, "{}", archived.said());
    fs::rename(&away, &log).unwrap();
    Box::pin(archived.comes_back(generation)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_not_mounted_is_noticed_while_it_runs_and_when_it_starts() {
    let (mut archived, generation) = Box::pin(Archived::begin()).await;
    let (to, away) = (archived.place.at("archive"), archived.place.at("away"));
    fs::rename(&to, &away).unwrap();
    fs::create_dir(&to).unwrap();
    number(&archived.offices, 2000).await;
    until("it is said", || archived.said().contains("mount its disk")).await;
    archived.archiver.kill();
    archived.starts();
    until("it is refused", || archived.said().contains("--new-medium")).await;
    let code = archived.archiver.0.wait().unwrap().code();
    assert!(code == Some(1) && fs::read_dir(&to).unwrap().next().is_none(), "nothing is written into the mount point");
    // A folder that is not there at all is not made either.
    fs::remove_dir(&to).unwrap();
    archived.starts();
    assert!(archived.archiver.0.wait().unwrap().code() == Some(1) && !to.exists());
    let mut anew = archives_command(&archived.place, archived.offices.data.path());
    let mut anew = Running(anew.arg("--new-medium").stdout(Stdio::null()).spawn().unwrap());
    until("a new disk is begun when that is said", || !archived_generations(&to).is_empty()).await;
    anew.kill();
    fs::remove_dir_all(&to).unwrap();

    // What was killed before left parts of generations; other things are not ours.
    for (folder, file) in [("17.partial", "data.tar.age"), ("18", "keys.tar.age"), ("notes", "lock"), ("19", "letter")]
    {
        fs::create_dir(away.join(folder)).unwrap();
        fs::write(away.join(folder).join(file), b"part").unwrap();
    }
    fs::rename(&away, &to).unwrap();
    archived.starts();
    until("a generation", || archived_generations(&to).iter().any(|path| *path > generation)).await;
    let there = |name: &str| to.join(name).exists();
    assert_eq!(["17.partial", "18", "notes", "19"].map(there), [false, false, true, true]);
    // One of another installation is refused.
    archived.archiver.kill();
    fs::write(to.join("installation.json"), r#"{"installation": "0197a3f0-1234-7abc-8def-0123456789ab"}"#).unwrap();
    let (code, said) = run(archives_command(&archived.place, archived.offices.data.path())).await;
    assert!(code == Some(1) && said.contains("another installation"), "{said}");
}

/// The whole generations in a folder.
fn archived_generations(to: &Path) -> BTreeSet<PathBuf> {
    let there = fs::read_dir(to).into_iter().flatten().flatten().map(|entry| entry.path());
    there.filter(|path| path.join("log").is_dir()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_does_not_answer_is_said_and_waited_for() {
    let (mut archived, generation) = Box::pin(Archived::begin()).await;
    let to = archived.place.at("archive");
    let (mark, away) = (to.join("installation.json"), to.join("away.json"));
    // As a share whose server is gone: who opens it waits.
    let hang = || {
        fs::rename(&mark, &away).unwrap();
        assert!(Command::new("mkfifo").arg(&mark).status().unwrap().success());
    };
    hang();
    until("it is said", || archived.said().contains("does not answer")).await;
    let status = archived.status().await;
    assert!(status["archive"]["failing"].as_str().is_some_and(|why| why.contains("does not answer")), "{status}");
    // It answers again.
    let answered = mark.with_extension("fifo");
    fs::rename(&mark, &answered).unwrap();
    fs::rename(&away, &mark).unwrap();
    drop(File::options().write(true).open(&answered).unwrap());
    fs::remove_file(&answered).unwrap();
    until("it is said", || archived.said().contains("is archived again")).await;

    // A stop does not wait for a disk that does not answer.
    fs::write(archived.place.at("said"), b"").unwrap();
    hang();
    until("it is said", || archived.said().contains("does not answer")).await;
    assert!(Command::new("kill").arg(archived.archiver.0.id().to_string()).status().unwrap().success());
    let archiver = &mut archived.archiver.0;
    for _ in 0..1200 {
        if archiver.try_wait().unwrap().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(archiver.try_wait().unwrap().is_some(), "it waits for ever");
    assert!(generation.exists());
}

/// A file system of its own, which is full; the archiver alone sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_gets_no_whole_backup_at_each_tick() {
    let place = Place::new();
    let offices = Box::pin(Offices::open(None)).await;
    let mut plain = archives_command(&place, offices.data.path());
    let (program, arguments) =
        (plain.get_program().to_owned(), plain.get_args().map(ToOwned::to_owned).collect::<Vec<_>>());
    plain.stdout(Stdio::null());
    let small = place.at("archive");
    fs::create_dir(&small).unwrap();
    let script = r#"mount -t tmpfs -o size=24m none "$0" && exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(&small).arg(program).args(arguments);
    let said = File::create(place.at("said")).unwrap();
    let mut archiver = Running(command.stdout(Stdio::null()).stderr(said).spawn().unwrap());
    let inside = PathBuf::from(format!("/proc/{}/root{}", archiver.0.id(), small.display()));
    for _ in 0..600 {
        if !archived_generations(&inside).is_empty() {
            break;
        }
        if archiver.0.try_wait().unwrap().is_some() {
            return println!("SKIPPED: a file system of its own needs unshare and mount");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let generation = archived_generations(&inside).pop_last().expect("a generation");
    let filler = inside.join("filler");
    let mut file = File::create(&filler).unwrap();
    for size in [1 << 20, 4096, 512] {
        while std::io::Write::write_all(&mut file, &vec![0x5a; size]).is_ok() {}
    }
    number(&offices, 2000).await;
    let words = || fs::read_to_string(place.at("said")).unwrap();
    for _ in 0..600 {
        if words().contains("was not archived") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(words().contains("was not archived"), "{:?} {}", archiver.0.try_wait(), words());
    let before = segments(&generation).len();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let names =
        |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(&inside).len(), 4, "generation, mark, lock and filler: {:?}", names(&inside));
    drop(file);
    fs::remove_file(&filler).unwrap();
    until("the missing piece", || segments(&generation).len() > before).await;
    until("it is said", || words().contains("is archived again")).await;
    assert_eq!(archived_generations(&inside).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_not_exchanged_beside_an_archiver() {
    let (mut archived, _) = Box::pin(Archived::begin()).await;
    let data = archived.offices.data.path().to_owned();
    let new = archived.place.at("kek");
    fs::write(&new, "17".repeat(32)).unwrap();
    fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let rekey = || {
        let mut command = issuance(None);
        command.arg("rekey").arg("--data").arg(&data).arg("--new-key-file").arg(&new);
        command
    };
    let (code, said) = run(rekey()).await;
    assert!(code == Some(1) && said.contains("`issuance archive`"), "{said}");
    archived.archiver.kill();
    succeeds(rekey()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portrait_that_was_erased_after_the_generation_was_begun_does_not_come_back() {
    let place = Place::new();
    let offices = Box::pin(Offices::open(None)).await;
    crate::retention::refused(&offices).await;
    let kept = offices.approved(offices.citizen().await, Kind::First).await;
    let mut archiver = archives(&place, offices.data.path());
    let generation = generation(&place, &BTreeSet::new()).await;
    offices.clock.advance(time::Duration::days(182));
    assert_eq!(crate::retention::runs(&offices, false).await[0].erased, 1);
    let before = segments(&generation).len();
    number(&offices, 2000).await;
    until("two segments", || {
        segments(&generation).len() > before + 1 || {
            std::thread::sleep(Duration::from_millis(1500));
            segments(&generation).len() > before
        }
    })
    .await;
    archiver.kill();
    offices.state.deeds().db().close().await;
    let said = succeeds(place.restore("archive", "new", None)).await;
    assert!(said.contains("Erased again: 1 portraits"), "{said}");
    let left = |of: &str| crate::retention::files(&place.at("new").join(of)).len();
    assert_eq!((left("objects"), left("content-keys")), (1, 1), "that of the open application is kept");
    let offices = Box::pin(started(offices, place.at("new"), None)).await;
    assert!(offices.fetches(kept.id).await.is_ok());
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
    if Command::new("age").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("SKIPPED: age is not installed");
        return;
    }
    let archive = documented("archive_command = ", "'\n")
        .replace("/mnt/wal", &wal.display().to_string())
        .replace("age1…", &place.data.recipient().to_string());
    let archive = format!("archive_command={archive}");
    old.starts(&["-c", "archive_mode=on", "-c", "archive_timeout=60", "-c", &archive]);
    old.asks("postgres", "create database card");
    let url = old.url("card");

    let offices = Box::pin(Offices::open(Some(url.clone()))).await;
    let mut given = vec![number(&offices, 2000).await.to_string()];
    // A portrait of an upload that came to nothing.
    let orphan = offices.state.counter.objects().keep(b"a portrait".to_vec()).await.unwrap();
    succeeds(place.backup(offices.data.path(), Some(&url), "one")).await;
    // One that is newer than the objects of the backup.
    let newer = offices.approved(offices.citizen().await, Kind::First).await.id;
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
        if wal.join(format!("{segment}.age")).exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(wal.join(format!("{segment}.age")).exists(), "the segment is not archived");
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
    let identity = old.folder.join("identity.txt");
    fs::copy(place.at("data.txt"), &identity).unwrap();
    // The server runs as another user than the test.
    fs::set_permissions(&identity, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let restore = documented("restore_command = ", "'`")
        .replace("/mnt/wal", &wal.display().to_string())
        .replace("FILE", &identity.display().to_string());
    let restore = format!("restore_command={restore}");
    new.starts(&["-c", &restore]);
    let elsewhere = new.url("card");
    let mut command = place.restore("one", "new", Some(&elsewhere));
    let (code, said) = run(place.restore("one", "new", Some(&elsewhere))).await;
    assert!(code == Some(1) && said.contains("database is not empty"), "{said}");
    command.arg("--adopt");
    let said = succeeds(command).await;
    assert!(said.contains("raised by 10000"), "{said}");
    assert!(said.contains(&format!("without an object: application {newer}")), "{said}");
    assert!(said.contains(&format!("without a row: {orphan}")), "{said}");

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
