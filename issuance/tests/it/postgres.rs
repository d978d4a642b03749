//! One throw-away PostgreSQL server per test process, on a unix socket; a fresh database per test.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// URL of a new, empty database; `None` (with a word on standard error) if there is no PostgreSQL on this machine.
pub fn fresh_database() -> Option<String> {
    static SERVER: OnceLock<Option<PathBuf>> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let folder = SERVER.get_or_init(start).as_ref()?;
    let name = format!("house_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let done = Command::new(binaries()?.join("psql"))
        .args(["-q", "-U", "postgres", "-d", "postgres", "-h"])
        .arg(folder)
        .args(["-c", &format!("create database {name}")])
        .status()
        .unwrap();
    assert!(done.success(), "psql could not create a database");
    Some(format!("postgres://postgres@localhost/{name}?host={}", folder.display()))
}

fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop()
}

fn start() -> Option<PathBuf> {
    let Some(bin) = binaries() else {
        println!("SKIPPED: PostgreSQL (no /usr/lib/postgresql/*/bin/initdb); only SQLite is tested");
        return None;
    };
    sweep();
    let folder = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let root = fs::metadata("/proc/self").unwrap();
    let root = std::os::unix::fs::MetadataExt::uid(&root) == 0;
    if root {
        // initdb refuses root.
        assert!(Command::new("chown").arg("postgres").arg(&folder).status().unwrap().success());
    }
    let as_postgres = |program: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if root {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        command.arg(bin.join(program)).env("LC_ALL", "C.UTF-8").env("HOME", &folder).current_dir(&folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        command
    };
    let made = as_postgres("initdb")
        .args(["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
        .status()
        .unwrap();
    assert!(made.success(), "initdb failed");
    let mut server = as_postgres("postgres");
    server.args(["-D", "data", "-c", "listen_addresses=", "-c", "fsync=off", "-k"]).arg(&folder);
    // The server dies with the thread that started it, so that thread lives as long as the tests.
    std::thread::spawn(move || server.status());
    let until = Instant::now() + Duration::from_secs(30);
    let ready = || Command::new(bin.join("pg_isready")).arg("-q").arg("-h").arg(&folder).status().unwrap().success();
    while !ready() {
        assert!(Instant::now() < until, "PostgreSQL does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(folder)
}

/// Removes what test processes that are gone have left.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(process) = name.strip_prefix(PREFIX)
            && !Path::new("/proc").join(process).exists()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

const PREFIX: &str = "issuance-tests-pg-";
