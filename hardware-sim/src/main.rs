//! The program `hardware-sim`: puts chips on the virtual readers of a running pcscd.

use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{self, Sender};
use std::thread;

use clap::Parser;
use crypto::identity::CardSerial;
use hardware_sim::control::{self, Then};
use hardware_sim::slot::Slot;
use hardware_sim::{Chip, Profile, StateError, Store, TRANSPORT_KEY_VERSION};
use tokio::signal::unix::{SignalKind, signal};

/// Chips in software behind the virtual readers of pcscd (vsmartcard-vpcd).
///
/// Slot I talks to the reader on the port given plus I. Its chip lives in STATE/slot-I: a blank one is made when
/// the folder is empty. Prints `ready I SERIAL` for each slot. Lines on standard input, or on the control socket,
/// steer it: insert I, remove I, reset I, blank I, fault I PLAN, status, quit; each is answered with ok or error. Ends
/// on SIGTERM, SIGINT, quit, and at the end of standard input unless there is a control socket. Chips keep their last
/// committed state however it ends.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Number of readers and chips.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    readers: u16,
    /// Address of the first virtual reader.
    #[arg(long, default_value = "127.0.0.1:35963", value_name = "HOST:PORT")]
    vpcd: String,
    /// Seed of serials and random numbers. The same seed gives the same chips.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder in which the chips are stored.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Cards that are inserted at the start: none, all, or numbers joined by commas.
    #[arg(long, default_value = "none", value_name = "WHICH")]
    insert: String,
    /// Unix socket for control lines.
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,
    /// Master key of the manufacturer's transport keys: 32, 48 or 64 hex digits, or a file that holds them.
    #[arg(long, default_value = DEMONSTRATION_MASTER, value_name = "HEX|FILE", env = "CITIZEN_CARD_TRANSPORT_MASTER", hide_env_values = true)]
    transport_master: String,
    /// Profile of new chips: citizen, viet-nam, short, bac-only, pace-only, hostile-…
    #[arg(long, default_value = "citizen")]
    profile: Profile,
    /// Print the serials of the chips that this seed makes, one a line, and end. For the stock ledger.
    #[arg(long)]
    serials: bool,
}

/// The published key of development chips. It is not a secret.
const DEMONSTRATION_MASTER: &str = "404142434445464748494a4b4c4d4e4f";

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "hardware_sim=info".into()),
        )
        .init();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("hardware-sim: {message}");
            ExitCode::FAILURE
        }
    }
}

/// What the other threads send to the main thread.
enum Event {
    /// A control line, and where to send the lines of its answer.
    Line(String, Sender<String>),
    /// The end of the program.
    Quit,
}

/// Runs until the end is asked for.
///
/// # Errors
/// A sentence for the operator.
fn run(arguments: &Arguments) -> Result<(), String> {
    if arguments.serials {
        let serial = |i| format!("{}\n", hardware_sim::serial(arguments.seed, i));
        let all: String = (0..u32::from(arguments.readers)).map(serial).collect();
        return match io::stdout().write_all(all.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
            _ => Ok(()), // as `head` wants it
        };
    }
    let mut slots = (0..arguments.readers).map(|i| prepare(arguments, i)).collect::<Result<Vec<_>, _>>()?;
    let (events, event) = mpsc::channel();
    watch_signals(events.clone())?;
    let _socket = match &arguments.control {
        Some(path) => Some(listen(path, events.clone())?),
        None => None,
    };
    let ends_with_input = arguments.control.is_none();
    thread::spawn(move || {
        let say = |line: &str| {
            println!("{line}");
            let _ = io::stdout().flush();
        };
        take_lines(io::stdin().lock(), &events, say);
        if ends_with_input {
            let _ = events.send(Event::Quit);
        }
    });
    let mut blanks = |number: usize, before: CardSerial| another_blank(arguments, number, before);
    for which in arguments.insert.split(',').filter(|w| !matches!(*w, "" | "none")) {
        if let Some(error) =
            control::obey(&mut slots, &format!("insert {which}"), &mut blanks).0.pop().filter(|said| said != "ok")
        {
            return Err(error.trim_start_matches("error: ").to_owned());
        }
    }
    for (i, slot) in slots.iter().enumerate() {
        println!("ready {i} {}", slot.serial());
    }
    let _ = io::stdout().flush();
    while let Ok(Event::Line(line, answers)) = event.recv() {
        let (said, then) = control::obey(&mut slots, &line, &mut blanks);
        for line in said {
            let _ = answers.send(line); // fails when the control connection is gone
        }
        if then == Then::Quit {
            break;
        }
    }
    slots.iter_mut().for_each(Slot::remove);
    Ok(())
}

/// Opens the chip of a slot, or makes a blank one.
fn prepare(arguments: &Arguments, i: u16) -> Result<Slot, String> {
    let (host, port) = arguments.vpcd.rsplit_once(':').ok_or("--vpcd is HOST:PORT")?;
    let port: u16 = port.parse().map_err(|_| "--vpcd is HOST:PORT")?;
    let port = port.checked_add(i).ok_or("the ports of so many readers end beyond 65535")?;
    let state = |error: StateError| format!("slot {i}: {error}");
    let store = Store::directory(arguments.state.join(format!("slot-{i}"))).map_err(state)?;
    let chip = if store.is_empty() {
        let master = hardware_sim::transport_master(&arguments.transport_master).map_err(|e| e.to_string())?;
        let serial = hardware_sim::serial(arguments.seed, u32::from(i));
        let keys = master.diversify(&serial, TRANSPORT_KEY_VERSION);
        Chip::blank(arguments.profile.clone(), serial, keys, arguments.seed, store)
    } else {
        Chip::open(store, arguments.seed)
    };
    Ok(Slot::new(chip.map_err(state)?, host.trim_matches(['[', ']']), port))
}

/// Makes a blank for a slot that had this chip, whose folder is kept under its serial: STATE/slot-I-SERIAL.
fn another_blank(arguments: &Arguments, number: usize, before: CardSerial) -> Result<Chip, String> {
    let folder = arguments.state.join(format!("slot-{number}"));
    let kept = arguments.state.join(format!("slot-{number}-{before}"));
    let cannot = |error: io::Error| format!("{}: {error}", kept.display());
    std::fs::rename(&folder, &kept).map_err(cannot)?;
    let made = || -> Result<Chip, String> {
        let earlier = std::fs::read_dir(&arguments.state).map_err(cannot)?.flatten();
        let earlier =
            earlier.filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("slot-{number}-"))).count();
        // No two slots and no two blanks of a slot have a number in common: there are at most 1,000 slots.
        let nth = u32::try_from(number + 1_000 * earlier).map_err(|_| "too many blanks".to_owned())?;
        let serial = hardware_sim::serial(arguments.seed, nth);
        let master = hardware_sim::transport_master(&arguments.transport_master).map_err(|e| e.to_string())?;
        let keys = master.diversify(&serial, TRANSPORT_KEY_VERSION);
        let store = Store::directory(&folder).map_err(|e| e.to_string())?;
        Chip::blank(arguments.profile.clone(), serial, keys, arguments.seed, store).map_err(|e| e.to_string())
    };
    made().inspect_err(|_| {
        let _ = std::fs::remove_dir_all(&folder);
        let _ = std::fs::rename(&kept, &folder);
    })
}

/// Makes SIGTERM and SIGINT end the program as the line `quit` does.
fn watch_signals(events: Sender<Event>) -> Result<(), String> {
    let cannot = |error: io::Error| format!("signals cannot be watched: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(cannot)?;
    let mut signals = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate()).map_err(cannot)?, signal(SignalKind::interrupt()).map_err(cannot)?)
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = signals.0.recv() => {}, _ = signals.1.recv() => {} }
        });
        let _ = events.send(Event::Quit);
    });
    Ok(())
}

/// The path of the control socket, which is removed when this is dropped.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Opens a control socket that only its owner may use.
fn listen(path: &Path, events: Sender<Event>) -> Result<Socket, String> {
    let cannot = |error: io::Error| format!("control socket {}: {error}", path.display());
    if UnixStream::connect(path).is_ok() {
        return Err(format!("control socket {}: another simulator answers there", path.display()));
    }
    let _ = std::fs::remove_file(path); // left over by a simulator that was killed
    let listener = UnixListener::bind(path).map_err(cannot)?;
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(cannot)?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let events = events.clone();
            thread::spawn(move || {
                let Ok(reading) = stream.try_clone() else { return };
                take_lines(BufReader::new(reading), &events, |line| drop(writeln!(&stream, "{line}")));
            });
        }
    });
    Ok(Socket(path.to_owned()))
}

/// Sends each line of `input` to the main thread and calls `say` with each line of its answer.
fn take_lines(input: impl io::BufRead, events: &Sender<Event>, mut say: impl FnMut(&str)) {
    for line in input.lines().map_while(Result::ok) {
        let (answers, answer) = mpsc::channel();
        if events.send(Event::Line(line, answers)).is_err() {
            return;
        }
        for line in answer {
            say(&line);
        }
    }
}
