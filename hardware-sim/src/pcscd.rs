//! A private pcscd with virtual readers, beside the one that may run on the machine: own socket, own ports, loopback
//! only, as the user who starts it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

/// Where the driver of `vsmartcard-vpcd` lies, and what its name begins with.
const DRIVERS: &str = "/usr/lib/pcsc/drivers/serial";
const DRIVER: &str = "libifdvpcd.so.";
/// What `loopback.c` was compiled to, where this program was installed as a package.
const INSTALLED_PRELOAD: &str = "/usr/lib/citizen-card-simulator/libloopback.so";
/// One entry of pcscd's reader configuration has two slots; pcscd has 16 slots at most.
const SLOTS_PER_ENTRY: u16 = 2;
const MOST_ENTRIES: u16 = 8;

/// A running pcscd, killed when dropped.
pub struct Pcscd {
    child: Child,
    socket: PathBuf,
    ports: Arc<Ports>,
    readers: u16,
}

impl Pcscd {
    /// Starts pcscd in `dir` with at least `readers` virtual readers (rounded up to an even number, 16 at most).
    ///
    /// # Errors
    /// `NotFound` names the Debian package that is missing; `TimedOut` and `AddrInUse` show pcscd's log.
    pub fn start(dir: &Path, readers: usize) -> io::Result<Self> {
        driver()?;
        let entries = u16::try_from(readers).unwrap_or(u16::MAX).div_ceil(SLOTS_PER_ENTRY).clamp(1, MOST_ENTRIES);
        let dir = fs::canonicalize(dir)?;
        let preload = loopback_only(&dir)?;
        // A program outside these tests may take a port in the moment before pcscd does; then the next ports are tried.
        let mut tried = Vec::new();
        loop {
            let ports = Arc::new(Ports::take(entries * SLOTS_PER_ENTRY)?);
            match Self::start_on(&dir, entries, &preload, ports.clone()) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tried.len() < 3 => tried.push(ports),
                outcome => return outcome,
            }
        }
    }

    fn start_on(dir: &Path, entries: u16, preload: &Path, ports: Arc<Ports>) -> io::Result<Self> {
        let child = spawn(dir, entries, preload, ports.first)?;
        let mut started = Self { child, socket: dir.join(SOCKET), ports, readers: entries * SLOTS_PER_ENTRY };
        started.wait_until_ready()?;
        Ok(started)
    }

    /// Returns the socket's path, which clients need in `PCSCLITE_CSOCK_NAME`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns the TCP port on which slot 0 awaits its card; slot n is `n` ports further.
    pub fn base_port(&self) -> u16 {
        self.ports.first
    }

    /// Returns the name of the reader of this slot, as PC/SC shows it.
    pub fn reader(&self, slot: usize) -> String {
        let per_entry = usize::from(SLOTS_PER_ENTRY);
        format!("Virtual Reader {} 00 {:02X}", slot / per_entry, slot % per_entry)
    }

    /// Returns how many virtual readers there are.
    pub fn readers(&self) -> usize {
        usize::from(self.readers)
    }

    /// Ends pcscd by SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends pcscd by SIGTERM, as an administrator would.
    ///
    /// # Errors
    /// If the signal cannot be sent, or pcscd does not end.
    pub fn stop(&mut self) -> io::Result<()> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        until(Duration::from_secs(30), "pcscd ends", || Ok(self.child.try_wait()?.is_some()))
    }

    /// Starts pcscd again after its end, with the same socket, ports and readers.
    ///
    /// # Errors
    /// Those of [`Pcscd::start`].
    pub fn restart(&mut self) -> io::Result<()> {
        let dir = self.socket.parent().map(Path::to_owned).unwrap_or_default();
        let preload = loopback_only(&dir)?;
        self.child = spawn(&dir, self.readers / SLOTS_PER_ENTRY, &preload, self.ports.first)?;
        self.wait_until_ready()
    }

    /// Returns the log of pcscd and its drivers so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.socket.with_file_name(LOG)).unwrap_or_default()
    }

    /// Returns whether pcscd's own poll has found the reader of this slot empty since a card was last in it.
    ///
    /// The list of readers shows `empty` earlier, as soon as a client could not reset the card.
    pub fn saw_removal(&self, slot: usize) -> bool {
        let (log, reader) = (self.log(), self.reader(slot));
        let last = |event: &str| log.rfind(&format!("{event} {reader}"));
        last("Card Removed From") >= last("Card inserted into")
    }

    /// Follows which readers hold a card, by pcscd's own poll as its log tells it.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn follow(&self) -> io::Result<Followed> {
        let log = File::open(self.socket.with_file_name(LOG))?;
        Ok(Followed { log, unread: Vec::new(), with_card: BTreeSet::new() })
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        // The drivers do not log that they listen, so the system's table of sockets is read.
        let listening = |port: u16| {
            let wanted = format!("0100007F:{port:04X}");
            fs::read_to_string("/proc/net/tcp")
                .is_ok_and(|table| table.lines().any(|line| line.split_whitespace().nth(1) == Some(&wanted)))
        };
        let first = self.base_port();
        let (log, socket) = (self.socket.with_file_name(LOG), self.socket.clone());
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let ready = until(Duration::from_secs(20), "pcscd opens its readers", || {
            if said().contains("Could not initialize connection to virtual ICC") {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "a port of a virtual reader was taken"));
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("pcscd ended: {status}")));
            }
            Ok((first..first + self.readers).all(listening) && UnixStream::connect(&socket).is_ok())
        });
        ready.map_err(|error| io::Error::new(error.kind(), format!("{error}\n{}", said())))
    }
}

/// The readers that hold a card, as far as pcscd's own poll has seen them.
pub struct Followed {
    log: File,
    unread: Vec<u8>,
    with_card: BTreeSet<String>,
}

impl Followed {
    /// Returns whether pcscd sees a card in the reader of this name.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn sees_card(&mut self, reader: &str) -> io::Result<bool> {
        self.log.read_to_end(&mut self.unread)?;
        let whole = self.unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in String::from_utf8_lossy(&self.unread[..whole]).lines() {
            if let Some((_, name)) = line.split_once("Card inserted into ") {
                self.with_card.insert(name.trim().to_owned());
            } else if let Some((_, name)) = line.split_once("Card Removed From ") {
                self.with_card.remove(name.trim());
            }
        }
        self.unread.drain(..whole);
        Ok(self.with_card.contains(reader))
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_file(&self.socket);
    }
}

/// Files in pcscd's folder.
const SOCKET: &str = "pcscd.comm";
const LOG: &str = "pcscd.log";
const PRELOAD: &str = "libloopback.so";

fn spawn(dir: &Path, entries: u16, preload: &Path, first_port: u16) -> io::Result<Child> {
    let (config, drivers) = (dir.join("reader.conf.d"), dir.join("drivers"));
    fs::create_dir_all(&config)?;
    fs::create_dir_all(&drivers)?;
    for entry in 0..entries {
        // A second entry with the same library path would silently alias the first one's readers.
        let library = drivers.join(format!("libifdvpcd{entry}.so"));
        fs::copy(driver()?, &library)?;
        let port = first_port + entry * SLOTS_PER_ENTRY;
        let text = format!(
            "FRIENDLYNAME \"Virtual Reader {entry}\"\nDEVICENAME /dev/null:{port}\nLIBPATH {}\nCHANNELID {port}\n",
            library.display()
        );
        fs::write(config.join(format!("reader{entry}.conf")), text)?;
    }
    let socket = dir.join(SOCKET);
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket)?;
    let log = File::create(dir.join(LOG))?;
    // The listening socket is handed over as descriptor 3, by the protocol of systemd's socket activation. Debian
    // installs pcscd in /usr/sbin, which is not in every user's PATH.
    Command::new("sh")
        .arg("-c")
        .arg("exec 3<&0 </dev/null; PATH=$PATH:/usr/sbin LISTEN_FDS=1 LISTEN_PID=$$ exec pcscd --foreground --info -c \"$0\"")
        .arg(&config)
        .env("LD_PRELOAD", preload)
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// Returns the file of vpcd's driver.
fn driver() -> io::Result<PathBuf> {
    let is_driver = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(DRIVER));
    let found = fs::read_dir(DRIVERS).into_iter().flatten().flatten().map(|entry| entry.path()).find(is_driver);
    found.ok_or_else(|| {
        let message = format!("{DRIVERS}/{DRIVER}* is not there: install the packages pcscd and vsmartcard-vpcd");
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}

/// Returns the preload library that keeps vpcd on loopback: the installed one, or one compiled here (the linker that
/// Rust needs brings `cc`).
fn loopback_only(dir: &Path) -> io::Result<PathBuf> {
    if Path::new(INSTALLED_PRELOAD).exists() {
        return Ok(INSTALLED_PRELOAD.into());
    }
    let (source, library) = (dir.join("loopback.c"), dir.join(PRELOAD));
    fs::write(&source, include_str!("loopback.c"))?;
    let status = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status();
    let cannot = |why: String| {
        io::Error::other(format!("cc cannot compile loopback.c, which keeps vpcd off the network: {why}"))
    };
    match status {
        Ok(status) if status.success() => Ok(library),
        Ok(status) => Err(cannot(status.to_string())),
        Err(error) => Err(cannot(error.to_string())),
    }
}

/// Waits until `condition` holds, which another process decides.
fn until(deadline: Duration, what: &str, mut condition: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let end = Instant::now() + deadline;
    while !condition()? {
        if Instant::now() > end {
            let message = format!("waited {} s without success until {what}", deadline.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A run of TCP ports for one pcscd. vpcd cannot take port 0, since its second slot listens on
/// the port after the first.
struct Ports {
    first: u16,
    /// Held as long as the ports are: no other test, of this process or another, takes the same run.
    _lock: File,
}

impl Ports {
    /// Takes `count` ports on loopback below the ephemeral range, none of which is in use.
    fn take(count: u16) -> io::Result<Self> {
        for first in (20_000..32_000).step_by(usize::from(MOST_ENTRIES * SLOTS_PER_ENTRY)) {
            let path = std::env::temp_dir().join(format!("citizen-card-ports-{first}.lock"));
            let Ok(lock) = File::options().create(true).append(true).open(path) else { continue };
            let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
            if lock.try_lock().is_ok() && (first..first + count).all(free) {
                return Ok(Self { first, _lock: lock });
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no run of free ports between 20000 and 32000"))
    }
}
