//! Our own programs as child processes. Their command lines stand here and in [`road`](crate::road), and nowhere else.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A child process that ends with its owner.
pub struct Running(pub Child);

impl Running {
    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }

    /// Sends SIGKILL, which the program cannot catch, and waits for the end.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Waits for lines of the program's standard output that contain `wanted`; it must be
    /// piped, and is read to its end.
    ///
    /// Returns the first `count` of them.
    ///
    /// # Errors
    /// `UnexpectedEof` if the program closes its output before, `TimedOut` after 30 s.
    pub(crate) fn announcements(&mut self, wanted: &'static str, count: usize) -> io::Result<Vec<String>> {
        let out = self.0.stdout.take().ok_or_else(|| io::Error::other("standard output was not piped"))?;
        let (tell, told) = mpsc::channel();
        // Reads on after the last wanted line: a program that writes to a closed pipe ends.
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok).filter(|line| line.contains(wanted)) {
                let _ = tell.send(line);
            }
        });
        let end = Instant::now() + Duration::from_secs(30);
        (0..count)
            .map(|_| {
                told.recv_timeout(end.saturating_duration_since(Instant::now())).map_err(|error| match error {
                    mpsc::RecvTimeoutError::Disconnected => {
                        io::Error::new(io::ErrorKind::UnexpectedEof, "the program ended")
                    }
                    mpsc::RecvTimeoutError::Timeout => {
                        io::Error::new(io::ErrorKind::TimedOut, format!("no line with {wanted:?} within 30 s"))
                    }
                })
            })
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Programs of another version than this one.
#[derive(Clone, Debug, Default)]
pub struct Older {
    /// Its `card-agent`; without it, the present one is the station's.
    pub card_agent: Option<PathBuf>,
    /// Its `issuance`, of the time when addresses had no version; without it, the present one is the service.
    pub issuance: Option<PathBuf>,
}

impl Older {
    /// Returns the same command line for the older program, if there is one.
    pub(crate) fn run_by(program: Option<&PathBuf>, command: Command) -> Command {
        let Some(program) = program else { return command };
        let mut older = Command::new(program);
        older.args(command.get_args()).stdin(Stdio::null());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => older.env(name, value),
                None => older.env_remove(name),
            };
        }
        older
    }
}

/// `issuance init`: a new service in the folder `data`.
///
/// # Errors
/// If the program cannot be found or built.
pub fn issuance_init(data: &Path) -> io::Result<Command> {
    let mut init = Command::new(program("issuance")?);
    init.arg("init").arg("--data").arg(data).stdin(Stdio::null()).stdout(Stdio::null());
    Ok(init)
}

/// `issuance serve`: runs the service of the folder `data`. With port 0 in `listen` it takes a free port and prints it.
///
/// # Errors
/// If the program cannot be found or built.
pub fn issuance_serve(data: &Path, listen: &str) -> io::Result<Command> {
    let mut serve = Command::new(program("issuance")?);
    serve.arg("serve").arg("--data").arg(data).args(["--listen", listen]).stdin(Stdio::null());
    Ok(serve)
}

/// `issuance serve` prints this before its address when it is ready.
pub(crate) const LISTENS_ON: &str = "issuance listens on ";

/// `card-agent` with these arguments.
///
/// # Errors
/// If the program cannot be found or built.
pub fn card_agent<A: AsRef<OsStr>>(arguments: &[A]) -> io::Result<Command> {
    let mut command = Command::new(program("card-agent")?);
    command.args(arguments).stdin(Stdio::null()).env("LC_ALL", "C").env_remove("CITIZEN_CARD_READER");
    Ok(command)
}

/// `card-agent enrol`, first half: makes the station's key and certificate request (`csr.pem`) in the folder `station`.
///
/// # Errors
/// If the program cannot be found or built.
pub fn enrol_request(station: &Path, name: &str, service: &str, authority: &Path) -> io::Result<Command> {
    let mut command = card_agent(&["enrol", "--name", name, "--service", service])?;
    command.arg("--service-ca").arg(authority).arg("--station").arg(station);
    Ok(command)
}

/// `card-agent enrol`, second half: takes in the certificate that the administrator gave to the station.
///
/// # Errors
/// If the program cannot be found or built.
pub fn enrol_certificate(station: &Path, certificate: &Path) -> io::Result<Command> {
    let mut command = card_agent(&["enrol"])?;
    command.arg("--station").arg(station).arg("--certificate").arg(certificate);
    Ok(command)
}

/// Returns the path of one of the workspace's binaries, beside the test that runs. Builds it if it is not there, as
/// after a plain `cargo test`.
///
/// # Errors
/// If the program does not run from a cargo target directory or the build fails.
pub fn program(name: &str) -> io::Result<PathBuf> {
    static BUILD: Mutex<()> = Mutex::new(());
    let here = std::env::current_exe()?;
    let directory = here
        .ancestors()
        .find(|dir| dir.file_name().is_some_and(|n| n == "debug" || n == "release"))
        .ok_or_else(|| io::Error::other("the test does not run from a cargo target directory"))?;
    let path = directory.join(name);
    let _one_at_a_time = BUILD.lock().map_err(|_| io::Error::other("an earlier build panicked"))?;
    if !path.exists() {
        let mut build = Command::new(option_env!("CARGO").unwrap_or("cargo"));
        build.args(["build", "--quiet", "--package", name, "--bin", name]);
        if directory.ends_with("release") {
            build.arg("--release");
        }
        if !build.current_dir(env!("CARGO_MANIFEST_DIR")).status()?.success() {
            return Err(io::Error::other(format!("cargo could not build {name}")));
        }
    }
    Ok(path)
}
