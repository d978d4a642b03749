//! Our own programs as child processes, found beside the test that runs.

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Mutex;

/// A child process that ends with its owner.
pub struct Running(pub Child);

impl Running {
    /// Asks it to end (SIGTERM) and waits.
    pub fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }

    /// Kills it without ceremony, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Path of one of the workspace's binaries; builds it if a plain `cargo test` has not.
///
/// # Errors
/// If the build directory cannot be told or the build fails.
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
