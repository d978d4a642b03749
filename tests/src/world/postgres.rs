//! A private PostgreSQL in a folder, on loopback, gone with its owner.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A running server with one empty database.
pub struct Postgres {
    bin: PathBuf,
    dir: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts a server below `dir`; `None` if PostgreSQL is not installed.
    ///
    /// # Errors
    /// What initdb, pg_ctl or the system says.
    pub fn start(dir: &Path) -> io::Result<Option<Self>> {
        let Some(bin) = newest_bin() else { return Ok(None) };
        fs::create_dir_all(dir)?;
        let dir = fs::canonicalize(dir)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { bin, dir, port };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&server.dir))?;
            // initdb runs as another user, who must be able to get here.
            for above in server.dir.ancestors().skip(1).take_while(|d| d.starts_with(std::env::temp_dir())) {
                let _ = Command::new("chmod").arg("o+x").arg(above).status();
            }
        }
        let data = server.dir.join("data");
        run(server.tool("initdb").arg("-D").arg(&data).args([
            "-U",
            "citizen",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]))?;
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync=off",
            server.port,
            server.dir.display()
        );
        run(server
            .tool("pg_ctl")
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(server.dir.join("log"))
            .args(["-w", "-o", &options, "start"]))?;
        Ok(Some(server))
    }

    /// Address for clients.
    pub fn url(&self) -> String {
        format!("postgres://citizen@127.0.0.1:{}/postgres", self.port)
    }

    /// A tool of PostgreSQL as someone who may run it: it refuses root.
    fn tool(&self, name: &str) -> Command {
        let mut command = if is_root() {
            let mut other = Command::new("setpriv");
            other.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(self.bin.join(name));
            other
        } else {
            Command::new(self.bin.join(name))
        };
        command
            .env("HOME", &self.dir)
            .env("LC_ALL", "C.UTF-8")
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.dir.join("data");
        let _ = self.tool("pg_ctl").arg("-D").arg(data).args(["-m", "immediate", "stop"]).status();
    }
}

fn newest_bin() -> Option<PathBuf> {
    let mut versions: Vec<_> =
        fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(|e| Some(e.ok()?.path().join("bin"))).collect();
    versions.retain(|bin| bin.join("initdb").exists());
    versions.sort();
    versions.pop()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

fn run(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{:?}: {status}", command.get_program()))) }
}
