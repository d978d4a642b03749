//! A private pcscd with virtual readers, beside whatever runs on the machine already: own socket, own ports, loopback only, no root.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The driver of Debian's `vsmartcard-vpcd`.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so.0.8";
/// One entry of pcscd's reader configuration has two slots; pcscd has 16 at most.
const SLOTS_PER_ENTRY: usize = 2;
/// Ports set aside for one pcscd.
const PORTS: usize = 16;

/// A running pcscd, stopped when dropped.
pub struct Pcscd {
    child: Child,
    socket: PathBuf,
    base_port: u16,
    readers: usize,
}

impl Pcscd {
    /// Starts pcscd in `dir` with at least `readers` virtual readers (rounded up to an even number, 16 at most).
    ///
    /// # Errors
    /// What the system says; `NotFound` names the Debian package that is missing.
    pub fn start(dir: &Path, readers: usize) -> io::Result<Self> {
        let entries = readers.div_ceil(SLOTS_PER_ENTRY).clamp(1, 8);
        if !Path::new(DRIVER).exists() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{DRIVER}: install pcscd and vsmartcard-vpcd (tests/setup.sh does)"),
            ));
        }
        let dir = fs::canonicalize(dir)?;
        let (config, drivers) = (dir.join("reader.conf.d"), dir.join("drivers"));
        fs::create_dir_all(&config)?;
        fs::create_dir_all(&drivers)?;
        let preload = loopback_only(&dir)?;
        let base_port = free_ports(entries * SLOTS_PER_ENTRY)?;
        for entry in 0..entries {
            // A second entry with the same library path would silently alias the first one's readers.
            let library = drivers.join(format!("libifdvpcd{entry}.so"));
            fs::copy(DRIVER, &library)?;
            let port = base_port + (entry * SLOTS_PER_ENTRY) as u16;
            let text = format!(
                "FRIENDLYNAME \"Virtual Reader {entry}\"\nDEVICENAME /dev/null:{port}\nLIBPATH {}\nCHANNELID {port}\n",
                library.display()
            );
            fs::write(config.join(format!("reader{entry}.conf")), text)?;
        }
        let socket = dir.join("pcscd.comm");
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket)?;
        let log = fs::File::create(dir.join("pcscd.log"))?;
        // systemd's socket activation without systemd: the listening socket is handed over as descriptor 3.
        // pcscd lives where only root looks for programs, and runs as anyone.
        let child = Command::new("sh")
            .arg("-c")
            .arg("exec 3<&0 </dev/null; PATH=$PATH:/usr/sbin LISTEN_FDS=1 LISTEN_PID=$$ exec pcscd --foreground --info -c \"$0\"")
            .arg(&config)
            .env("LD_PRELOAD", preload)
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let started = Self { child, socket, base_port, readers: entries * SLOTS_PER_ENTRY };
        started.wait_for_ports()?;
        Ok(started)
    }

    /// What clients need in `PCSCLITE_CSOCK_NAME`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// TCP port on which slot 0 awaits its card; slot n is `n` ports further.
    pub fn base_port(&self) -> u16 {
        self.base_port
    }

    /// Name of the reader of this slot, as PC/SC shows it.
    pub fn reader(&self, slot: usize) -> String {
        format!("Virtual Reader {} 00 {:02X}", slot / SLOTS_PER_ENTRY, slot % SLOTS_PER_ENTRY)
    }

    /// How many virtual readers there are.
    pub fn readers(&self) -> usize {
        self.readers
    }

    /// Kills pcscd without ceremony, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn wait_for_ports(&self) -> io::Result<()> {
        let listening = |port: u16| {
            let wanted = format!("0100007F:{port:04X}");
            fs::read_to_string("/proc/net/tcp")
                .is_ok_and(|table| table.lines().any(|line| line.split_whitespace().nth(1) == Some(&wanted)))
        };
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if (0..self.readers as u16).all(|slot| listening(self.base_port + slot))
                && UnixStream::connect(&self.socket).is_ok()
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let said = fs::read_to_string(self.socket.with_file_name("pcscd.log")).unwrap_or_default();
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("pcscd did not open its readers within 20 s:\n{said}")))
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_file(&self.socket);
    }
}

/// Compiles the preload library that keeps vpcd on loopback (the linker that Rust needs brings `cc`).
fn loopback_only(dir: &Path) -> io::Result<PathBuf> {
    let (source, library) = (dir.join("loopback.c"), dir.join("libloopback.so"));
    fs::write(&source, include_str!("loopback.c"))?;
    let status = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status()?;
    if status.success() { Ok(library) } else { Err(io::Error::other("cc could not compile loopback.c")) }
}

/// A run of free TCP ports on loopback, below the ephemeral range. No two calls in one process try the same, for pcscd binds them
/// only later; two processes begin apart.
fn free_ports(count: usize) -> io::Result<u16> {
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    let begin = std::process::id() as usize * 37;
    (0..400)
        .map(|_| 20_000 + ((begin + TRIED.fetch_add(1, Ordering::Relaxed)) * PORTS % 12_000) as u16)
        .find(|base| (0..count as u16).all(|n| TcpListener::bind(("127.0.0.1", base + n)).is_ok()))
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no run of free ports between 20000 and 32000"))
}
