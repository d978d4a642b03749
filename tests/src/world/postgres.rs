//! A throw-away PostgreSQL for tests: one server per test process, one fresh database per test.
//!
//! The server listens on a unix socket in its own folder and on no TCP port. It ends with the process that
//! started it, even if that process is killed (`setpriv --pdeathsig`). The folder it leaves is removed by the
//! next process that starts a server.
//!
//! The file uses the standard library alone, so that the tests of other crates can include it with `#[path]`.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Creates an empty database on the server that all tests of this process share.
///
/// Returns its URL. Where PostgreSQL is not installed it prints a line that begins with `SKIPPED` and returns `None`.
///
/// # Panics
/// If PostgreSQL is installed and does not start.
pub fn fresh_database() -> Option<String> {
    shared().map(Server::fresh_database)
}

/// As [`fresh_database`], a copy of a database that was prepared once in this process: `prepare` is called with its
/// URL, by the first test that asks, and has closed its connections when it returns.
///
/// # Panics
/// As [`fresh_database`].
pub fn copied_database(prepare: fn(&str)) -> Option<String> {
    static PREPARED: OnceLock<()> = OnceLock::new();
    let server = shared()?;
    PREPARED.get_or_init(|| prepare(&server.create(TEMPLATE, "template0")));
    Some(server.create(&server.next_name(), TEMPLATE))
}

/// The server that all tests of this process share.
fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let shared = SHARED.get_or_init(Server::start).as_ref();
    if shared.is_none() {
        println!("SKIPPED: PostgreSQL is not installed (no {INSTALLED}/*/bin/initdb); tests/setup.sh test installs it");
    }
    shared
}

/// A server of one test alone, for tests that stop it. All others use [`fresh_database`].
pub struct Server {
    /// Folder of PostgreSQL's programs.
    programs: PathBuf,
    /// Folder of data, socket and log.
    folder: PathBuf,
    running: Option<Running>,
    databases: AtomicU32,
}

struct Running {
    process: u32,
    /// Ends with the process. The kernel ends the process when this thread ends, therefore the thread stays until then.
    watcher: JoinHandle<()>,
}

impl Server {
    /// Starts a server with a new data folder. Returns `None` where PostgreSQL is not installed.
    ///
    /// # Panics
    /// If PostgreSQL is installed and does not start.
    pub fn start() -> Option<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let programs = newest_programs()?;
        remove_leftovers();
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder can be made");
        if is_root() {
            // initdb and postgres refuse to run as root.
            let given = Command::new("chown").arg("postgres").arg(&folder).status().expect("chown is installed");
            assert!(given.success(), "the folder could not be given to the user postgres");
        }
        let mut server = Self { programs, folder, running: None, databases: AtomicU32::new(0) };
        let options = ["-D", "data", "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        let made = server.program("initdb").args(options).stdout(Stdio::null()).output().expect("initdb can be run");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        server.restart();
        Some(server)
    }

    /// Creates an empty database and returns its URL. It sorts texts as a language does and not by their bytes, as the
    /// database of an installation may: a range of texts in the order of bytes must say so.
    ///
    /// # Panics
    /// If the server is stopped.
    pub fn fresh_database(&self) -> String {
        self.create(&self.next_name(), "template0")
    }

    fn next_name(&self) -> String {
        format!("fresh_{}", self.databases.fetch_add(1, Ordering::Relaxed))
    }

    /// Creates a database as a copy of another one, and returns its URL.
    fn create(&self, name: &str, template: &str) -> String {
        let socket = self.folder.display();
        let done = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-U", OWNER, "-d", "postgres", "-p", PORT, "-h"])
            .arg(&self.folder)
            .args(["-c", &format!("create database {name} template {template} {COLLATION}")])
            .output()
            .expect("psql can be run");
        assert!(done.status.success(), "psql: {}", String::from_utf8_lossy(&done.stderr));
        format!("postgres://{OWNER}@localhost:{PORT}/{name}?host={socket}")
    }

    /// Ends the server as a crash would: connections break, and the next start recovers from the log.
    pub fn kill(&mut self) {
        self.end("QUIT");
    }

    /// Stops the server in order: transactions under way are rolled back, connections are closed.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Starts the server again on the same data and under the same URLs, after stopping it if it runs.
    /// Returns when it answers.
    ///
    /// # Panics
    /// If it does not answer within a minute.
    pub fn restart(&mut self) {
        self.stop();
        let log = File::options().create(true).append(true).open(self.folder.with_extension("log"));
        let mut log = log.expect("the log can be written");
        let mut command = self.program("postgres");
        command.args(["-D", "data", "-p", PORT, "-c", "listen_addresses=", "-c", "fsync=off", "-k"]).arg(&self.folder);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let (tell, told) = mpsc::channel();
        let watcher = thread::spawn(move || {
            let mut server = command.spawn().expect("postgres can be run");
            let said = BufReader::new(server.stderr.take().expect("it is piped"));
            for line in said.lines().map_while(Result::ok) {
                let _ = writeln!(log, "{line}");
                if line.contains("ready to accept connections") {
                    let _ = tell.send(server.id());
                }
            }
            let _ = server.wait();
        });
        let process = told.recv_timeout(Duration::from_mins(1)).unwrap_or_else(|_| {
            let said = fs::read_to_string(self.folder.with_extension("log")).unwrap_or_default();
            panic!("PostgreSQL does not start:\n{said}")
        });
        self.running = Some(Running { process, watcher });
    }

    fn end(&mut self, signal: &str) {
        if let Some(Running { process, watcher }) = self.running.take() {
            let _ = Command::new("kill").args(["-s", signal, &process.to_string()]).status();
            let _ = watcher.join();
        }
    }

    /// Returns a program of PostgreSQL, to be run in the server's folder as the user `postgres`, ending with
    /// the thread that starts it.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        command.arg(self.programs.join(name)).env("LC_ALL", "C.UTF-8").env("HOME", &self.folder);
        // A process group of its own: Ctrl-C at the terminal reaches the tests, and the server ends with them.
        command.current_dir(&self.folder).stdin(Stdio::null()).process_group(0);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        remove(&self.folder);
    }
}

fn newest_programs() -> Option<PathBuf> {
    let versions = fs::read_dir(INSTALLED).ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    versions.filter(|programs| programs.join("initdb").exists()).max()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Removes the folders of servers whose test process is gone.
fn remove_leftovers() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split(['-', '.']).next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            remove(&entry.path().with_extension(""));
        }
    }
}

/// Removes a server's folder and the log beside it.
fn remove(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    let _ = fs::remove_file(folder.with_extension("log"));
}

/// Where Debian installs the versions of PostgreSQL.
const INSTALLED: &str = "/usr/lib/postgresql";
/// How texts are sorted: `~` and `/` before digits, small letters before capitals.
const COLLATION: &str = "locale_provider icu icu_locale 'en-US'";
/// The database that is prepared once.
const TEMPLATE: &str = "prepared";
/// The role that owns everything; it connects without a password.
const OWNER: &str = "postgres";
/// Folders in the temporary folder: `citizen-card-pg-PROCESS-NUMBER`. Short, since a socket's
/// path has 107 bytes at most.
const PREFIX: &str = "citizen-card-pg-";
/// Names the socket; no TCP port is opened.
const PORT: &str = "5432";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_postgresql_comes_back_with_its_databases() {
        let Some(mut server) = Server::start() else { return drop(fresh_database()) };
        server.fresh_database();
        server.kill();
        let socket = server.folder.join(format!(".s.PGSQL.{PORT}"));
        assert!(std::os::unix::net::UnixStream::connect(&socket).is_err(), "the killed server still answers");
        server.restart();
        // Its name goes on counting; creating it needs the recovered catalogue.
        assert!(server.fresh_database().contains("/fresh_1?"));
    }
}
