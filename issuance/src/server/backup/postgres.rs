//! The programs of PostgreSQL that dump and restore a database. The password goes by the environment, never as an
//! argument: arguments are visible to every account of the machine.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use zeroize::Zeroizing;

use super::{BackupError, Progress};

/// Writes a consistent dump of the database into `to`.
pub(super) fn dump(program: &Path, url: &str, to: &mut impl Write, progress: &Progress) -> Result<(), BackupError> {
    let mut command = command(program, url);
    command.arg("--format=custom").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut running = spawned(program, "--pg-dump", &mut command)?;
    let mut out = running.0.stdout.take().expect("it is piped");
    let copied = copy(&mut out, to, "dumping the database", progress);
    drop(out);
    ended(running, "pg_dump", copied.map_err(BackupError::file(program)))
}

/// Fills an empty database with a dump, in one transaction: cut anywhere, the database stays empty.
pub(super) fn restore(program: &Path, url: &str, from: &mut dyn Read, progress: &Progress) -> Result<(), BackupError> {
    let mut command = command(program, url);
    command.args(["--format=custom", "--single-transaction", "--exit-on-error"]);
    // Through a pipe: if this program is killed the dump ends too soon, and what was restored of it is rolled back.
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut running = spawned(program, "--pg-restore", &mut command)?;
    let mut into = running.0.stdin.take().expect("it is piped");
    let copied = copy(from, &mut into, "restoring the database", progress);
    drop(into);
    ended(running, "pg_restore", copied.map_err(BackupError::file(program)))
}

fn copy(from: &mut (impl Read + ?Sized), to: &mut impl Write, what: &str, progress: &Progress) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            return to.flush();
        }
        to.write_all(&piece[..length])?;
        progress.passed(what, length as u64)?;
    }
}

fn command(program: &Path, url: &str) -> Command {
    let (url, password) = without_password(url);
    let mut command = Command::new(program);
    command.args(["--no-owner", "--no-privileges", "--no-password", "--dbname", &url]).stderr(Stdio::piped());
    if let Some(password) = password {
        command.env("PGPASSWORD", &*password);
    }
    command
}

/// A program under way, and what it says meanwhile: read all the time, so that it never waits for its reader.
struct Running(Child, JoinHandle<String>);

fn spawned(program: &Path, flag: &'static str, command: &mut Command) -> Result<Running, BackupError> {
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BackupError::NoProgram { program: program.to_owned(), flag },
        _ => BackupError::file(program)(error),
    })?;
    let mut stderr = child.stderr.take().expect("it is piped");
    let said = thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stderr.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    Ok(Running(child, said))
}

/// Waits for a program. What it says itself explains more than a broken pipe does.
fn ended(running: Running, program: &'static str, copied: Result<(), BackupError>) -> Result<(), BackupError> {
    let Running(mut child, said) = running;
    if copied.is_err() {
        // It may wait for us; the database is as it was before.
        let _ = child.kill();
    }
    let status = child.wait().map_err(BackupError::file(Path::new(program)))?;
    let said = said.join().unwrap_or_default();
    match copied {
        Err(BackupError::File { .. }) if !said.trim().is_empty() => {
            Err(BackupError::Program { program, said: said.trim().to_owned() })
        }
        Ok(()) if !status.success() => Err(BackupError::Program { program, said: said.trim().to_owned() }),
        copied => copied,
    }
}

/// Takes the password, and what only our own driver understands, out of the address of a database. Returns the
/// address without it, and the password.
fn without_password(url: &str) -> (String, Option<Zeroizing<String>>) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (mut address, mut password) = (format!("{scheme}://"), None);
    match place.rsplit_once('@') {
        Some((user, host)) => {
            let (user, secret) = user.split_once(':').map_or((user, None), |(user, secret)| (user, Some(secret)));
            password = secret.map(decoded);
            let _ = write!(address, "{user}@{host}");
        }
        None => address += place,
    }
    let mut separator = '?';
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "password" => password = Some(decoded(value)),
            "host" | "hostaddr" | "port" | "user" | "dbname" | "sslmode" | "sslrootcert" | "sslcert" | "sslkey" => {
                let _ = write!(address, "{separator}{name}={value}");
                separator = '&';
            }
            _ => {}
        }
    }
    (address, password)
}

/// The text of a part of a URL.
fn decoded(part: &str) -> Zeroizing<String> {
    let bytes = part.as_bytes();
    let (mut text, mut at) = (Zeroizing::new(Vec::new()), 0);
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| part.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                text.push(byte);
                at += 3;
            }
            None => {
                text.push(bytes[at]);
                at += 1;
            }
        }
    }
    Zeroizing::new(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_stays_in_the_address() {
        for (url, address, secret) in [
            ("postgres://u:p%40ss%3A@h:5432/n", "postgres://u@h:5432/n", Some("p@ss:")),
            ("postgres://u@h/n?password=x%26y&sslmode=require", "postgres://u@h/n?sslmode=require", Some("x&y")),
            (
                "postgres://u@localhost/n?host=/run/pg&statement-cache-capacity=5",
                "postgres://u@localhost/n?host=/run/pg",
                None,
            ),
            ("postgres://h/n", "postgres://h/n", None),
        ] {
            let (got, password) = without_password(url);
            assert_eq!((got.as_str(), password.as_ref().map(|text| text.as_str())), (address, secret));
        }
    }
}
