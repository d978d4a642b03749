//! The program `hardware-sim`: puts chips on the virtual readers of pcscd, its own or a running one.

mod cards;
mod trays;

use std::ffi::OsString;
use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::{fs, thread};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use crypto::identity::CardSerial;
use hardware_sim::control::{self, Blanks, Then};
use hardware_sim::pcscd::Pcscd;
use hardware_sim::slot::Slot;
use hardware_sim::specimen::Authority;
use hardware_sim::{Chip, Profile, StateError, Store, TRANSPORT_KEY_VERSION};
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};

/// Chips in software behind the virtual readers of pcscd (vsmartcard-vpcd).
///
/// Slot I talks to the reader on the port given plus I. Its chip lives in STATE/slot-I: a blank one is made when
/// the folder is empty. Prints `ready I SERIAL` for each slot. Lines on standard input, or on the control socket,
/// steer it: insert I, remove I, reset I, blank I, fault I PLAN, status, quit; each is answered with ok or error. Ends
/// on SIGTERM, SIGINT, quit, and at the end of standard input unless there is a control socket. Chips keep their last
/// committed state however it ends. `hardware-sim serve` has finished cards instead, for the tests of readers;
/// `hardware-sim trays` lays blank after blank on several readers, as a factory does.
#[derive(Debug, Parser)]
#[command(version = VERSION, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    /// Number of readers and chips.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    readers: u16,
    #[command(flatten)]
    place: Place,
    /// Seed of serials and random numbers. The same seed gives the same chips.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder in which the chips are stored.
    #[arg(long, value_name = "DIR", required = true)]
    state: Option<PathBuf>,
    /// Cards that are inserted at the start: none, all, or numbers joined by commas.
    #[arg(long, default_value = "none", value_name = "WHICH")]
    insert: String,
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

/// Where the readers are, and who steers the cards.
#[derive(Args, Debug)]
struct Place {
    /// Address of the first virtual reader of a pcscd that runs already [default: 127.0.0.1:35963].
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "pcscd")]
    vpcd: Option<String>,
    /// Start a private pcscd in this folder, with as many virtual readers (16 at most), on loopback alone. Clients find
    /// it by PCSCLITE_CSOCK_NAME=DIR/pcscd.comm.
    #[arg(long, value_name = "DIR")]
    pcscd: Option<PathBuf>,
    /// Unix socket for control lines.
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Task {
    Serve(Serve),
    Trays(trays::Trays),
    /// Write a man page for the program and one for each command into a folder.
    #[command(hide = true)]
    Man {
        /// Folder; made if it is not there.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Write the completions for a shell on standard output.
    #[command(hide = true)]
    Completions {
        /// bash, elvish, fish, powershell or zsh.
        shell: Shell,
    },
}

/// Put finished cards on virtual readers, for the tests of any reader.
///
/// The cards carry files that a test authority of this seed signed; the same seed makes the same cards. OUT receives
/// csca.der, csca.pem, trust-bundle.cms, a folder of files for each card, and at last, when every card can be read,
/// cards.json with reader, CAN, MRZ and digests. Without --vpcd and --pcscd a private pcscd is started in OUT/pcscd.
/// Runs until SIGTERM, SIGINT, or the end of COMMAND, whose exit status it then takes over.
#[derive(Args, Debug)]
struct Serve {
    /// Number of cards, each on a reader of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    cards: u16,
    /// Seed of the authority, its keys, the holders and the chips.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for what the cards are to be compared with.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Profile of the chips: citizen, viet-nam, short, bac-only, pace-only, hostile-…
    #[arg(long, default_value = "citizen")]
    profile: Profile,
    #[command(flatten)]
    place: Place,
    /// Program to run beside the cards, with PCSCLITE_CSOCK_NAME and CITIZEN_CARD_TEST_CARDS=OUT in its environment.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The published key of development chips. It is not a secret.
const DEMONSTRATION_MASTER: &str = "404142434445464748494a4b4c4d4e4f";

/// Version, and the commit and day that a package is built from.
const VERSION: &str = match option_env!("CITIZEN_CARD_COMMIT") {
    Some(commit) => commit,
    None => concat!(env!("CARGO_PKG_VERSION"), " (built by hand)"),
};

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "hardware_sim=info".into()),
        )
        .init();
    let arguments = Arguments::parse();
    let outcome = match &arguments.task {
        Some(Task::Serve(serve)) => cards_for_readers(serve),
        Some(Task::Trays(trays)) => fed(trays),
        Some(Task::Man { folder }) => man(folder),
        Some(Task::Completions { shell }) => {
            clap_complete::generate(*shell, &mut Arguments::command(), "hardware-sim", &mut io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        None => blanks(&arguments),
    };
    outcome.unwrap_or_else(|message| {
        eprintln!("hardware-sim: {message}");
        ExitCode::FAILURE
    })
}

fn man(folder: &Path) -> Result<ExitCode, String> {
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    written.map(|()| ExitCode::SUCCESS).map_err(|error| format!("{}: {error}", folder.display()))
}

/// What the other threads send to the main thread.
enum Event {
    /// A control line, and where to send the lines of its answer.
    Line(String, Sender<String>),
    /// The end of the program.
    Quit,
    /// The end of the program that ran beside the cards, with its exit status.
    Ended(ExitCode),
}

/// Runs with chips that are kept in a folder, until the end is asked for.
///
/// # Errors
/// A sentence for the operator.
fn blanks(arguments: &Arguments) -> Result<ExitCode, String> {
    if arguments.serials {
        let serial = |i| format!("{}\n", hardware_sim::serial(arguments.seed, i));
        let all: String = (0..u32::from(arguments.readers)).map(serial).collect();
        return match io::stdout().write_all(all.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
            _ => Ok(ExitCode::SUCCESS), // as `head` wants it
        };
    }
    let place = &arguments.place;
    let readers = Readers::find(place.vpcd.as_deref(), place.pcscd.as_deref(), arguments.readers)?;
    let state = arguments.state.as_deref().ok_or("--state is missing")?;
    let mut slots = (0..arguments.readers)
        .map(|i| Ok(readers.slot(i, prepare(arguments, state, i)?)))
        .collect::<Result<Vec<_>, String>>()?;
    let (events, event) = mpsc::channel();
    let _socket = listen_to_all(place, place.control.is_none(), &events)?;
    let mut blanks = |number: usize, before: CardSerial| another_blank(arguments, state, number, before);
    lay_down(&mut slots, &arguments.insert, &mut blanks)?;
    announce(&slots);
    Ok(obey_all(&mut slots, &event, &mut blanks))
}

/// Runs with finished cards, until the end is asked for or the command beside them ends.
///
/// # Errors
/// A sentence for the operator.
fn cards_for_readers(serve: &Serve) -> Result<ExitCode, String> {
    let (out, place) = (&serve.out, &serve.place);
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let beside = place.vpcd.is_none().then(|| out.join("pcscd"));
    let readers = Readers::find(place.vpcd.as_deref(), place.pcscd.as_deref().or(beside.as_deref()), serve.cards)?;
    let authority = Authority::of(serve.seed).map_err(|error| error.to_string())?;
    let card = |i| authority.card(i, &serve.profile).map_err(|error| format!("card {i}: {error}"));
    let cards = (0..u32::from(serve.cards)).map(card).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<_> = (0..cards.len()).map(|slot| readers.name(slot)).collect();
    let list = cards::write(out, serve.seed, &authority, &cards, &names, readers.socket(), now())?;
    let mut slots: Vec<_> = (0..).zip(cards).map(|(i, card)| readers.slot(i, card.chip)).collect();
    let (events, event) = mpsc::channel();
    let _socket = listen_to_all(place, false, &events)?;
    let mut none = |_: usize, _: CardSerial| Err("blanks are made without `serve`".to_owned());
    lay_down(&mut slots, "all", &mut none)?;
    cards::finish(out, &list)?;
    announce(&slots);
    let folder = fs::canonicalize(out).map_err(|error| error.to_string())?;
    let environment = [("CITIZEN_CARD_TEST_CARDS", Some(folder.as_path())), (PCSCD, readers.socket())];
    let beside = run_beside(&serve.command, &environment, &events)?;
    let code = obey_all(&mut slots, &event, &mut none);
    signal_to(beside, "TERM");
    Ok(code)
}

/// Feeds the readers with blanks, until the end is asked for or the command beside them ends.
///
/// # Errors
/// A sentence for the operator.
fn fed(trays: &trays::Trays) -> Result<ExitCode, String> {
    if trays.serials {
        return trays.print_serials().map(|()| ExitCode::SUCCESS);
    }
    let pcscd = trays.pcscd()?;
    println!("pcscd {}", pcscd.socket().display());
    let (events, event) = mpsc::channel();
    watch_signals(events.clone())?;
    let beside = run_beside(&trays.command, &[(PCSCD, Some(pcscd.socket()))], &events)?;
    let code = trays.feed(&pcscd, &event, || signal_to(beside, "INT"));
    signal_to(beside, "TERM");
    code
}

/// Sends a signal to the program that runs beside the cards. It is already gone, unless this program was told to end
/// before it.
fn signal_to(beside: Option<u32>, signal: &str) {
    if let Some(pid) = beside {
        let _ = Command::new("kill").args(["-s", signal, &pid.to_string()]).stderr(Stdio::null()).status();
    }
}

#[expect(clippy::disallowed_methods, reason = "the one look at the clock: the day of the trust bundle")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// The variable by which clients of PC/SC find a pcscd.
const PCSCD: &str = "PCSCLITE_CSOCK_NAME";

/// Starts the command that runs beside the cards, with these paths in its environment. Returns its process number.
fn run_beside(
    words: &[OsString],
    environment: &[(&str, Option<&Path>)],
    events: &Sender<Event>,
) -> Result<Option<u32>, String> {
    let Some((program, arguments)) = words.split_first() else { return Ok(None) };
    let mut command = Command::new(program);
    command.args(arguments);
    command.envs(environment.iter().filter_map(|(name, path)| Some((*name, (*path)?))));
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
    let (pid, events) = (child.id(), events.clone());
    thread::spawn(move || {
        let status = child.wait().ok().and_then(|status| status.code());
        let code = status.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from);
        let _ = events.send(Event::Ended(code));
    });
    Ok(Some(pid))
}

/// The virtual readers: those of a pcscd that runs already, or of one that ends with this program.
struct Readers {
    own: Option<Pcscd>,
    host: String,
    port: u16,
}

impl Readers {
    fn find(vpcd: Option<&str>, pcscd: Option<&Path>, count: u16) -> Result<Self, String> {
        if let Some(folder) = pcscd {
            if count > MOST_OWN {
                return Err(format!("a private pcscd has {MOST_OWN} readers at most"));
            }
            let started = fs::create_dir_all(folder).and_then(|()| Pcscd::start(folder, usize::from(count)));
            let own = started.map_err(|error| format!("pcscd in {}: {error}", folder.display()))?;
            println!("pcscd {}", own.socket().display());
            return Ok(Self { host: "127.0.0.1".to_owned(), port: own.base_port(), own: Some(own) });
        }
        let (host, port) = vpcd.unwrap_or(SYSTEM).rsplit_once(':').ok_or("--vpcd is HOST:PORT")?;
        let port: u16 = port.parse().map_err(|_| "--vpcd is HOST:PORT")?;
        port.checked_add(count - 1).ok_or("the ports of so many readers end beyond 65535")?;
        Ok(Self { own: None, host: host.trim_matches(['[', ']']).to_owned(), port })
    }

    fn slot(&self, number: u16, chip: Chip) -> Slot {
        Slot::new(chip, &*self.host, self.port + number)
    }

    /// The reader's name in PC/SC, where it is known.
    fn name(&self, slot: usize) -> Option<String> {
        self.own.as_ref().map(|pcscd| pcscd.reader(slot))
    }

    fn socket(&self) -> Option<&Path> {
        self.own.as_ref().map(Pcscd::socket)
    }
}

/// The first reader of the package `vsmartcard-vpcd`.
const SYSTEM: &str = "127.0.0.1:35963";
/// pcscd has no more slots.
const MOST_OWN: u16 = 16;

/// Listens to signals, standard input and the control socket. Returns the socket.
fn listen_to_all(place: &Place, ends_with_input: bool, events: &Sender<Event>) -> Result<Option<Socket>, String> {
    watch_signals(events.clone())?;
    let socket = place.control.as_ref().map(|path| listen(path, events.clone())).transpose()?;
    let events = events.clone();
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
    Ok(socket)
}

/// Puts these cards on their readers.
fn lay_down(slots: &mut [Slot], which: &str, blanks: &mut Blanks<'_>) -> Result<(), String> {
    for which in which.split(',').filter(|w| !matches!(*w, "" | "none")) {
        let said = control::obey(slots, &format!("insert {which}"), blanks).0.pop();
        if let Some(error) = said.filter(|said| said != "ok") {
            return Err(error.trim_start_matches("error: ").to_owned());
        }
    }
    Ok(())
}

fn announce(slots: &[Slot]) {
    for (i, slot) in slots.iter().enumerate() {
        println!("ready {i} {}", slot.serial());
    }
    let _ = io::stdout().flush();
}

/// Answers control lines until the end, and takes the cards from the readers.
fn obey_all(slots: &mut [Slot], event: &Receiver<Event>, blanks: &mut Blanks<'_>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    while let Ok(event) = event.recv() {
        match event {
            Event::Line(line, answers) => {
                let (said, then) = control::obey(slots, &line, blanks);
                for line in said {
                    let _ = answers.send(line); // fails when the control connection is gone
                }
                if then == Then::Quit {
                    break;
                }
            }
            Event::Quit => break,
            Event::Ended(with) => {
                code = with;
                break;
            }
        }
    }
    slots.iter_mut().for_each(Slot::remove);
    code
}

/// Opens the chip of a slot, or makes a blank one.
fn prepare(arguments: &Arguments, kept: &Path, i: u16) -> Result<Chip, String> {
    let state = |error: StateError| format!("slot {i}: {error}");
    let store = Store::directory(kept.join(format!("slot-{i}"))).map_err(state)?;
    if store.is_empty() {
        let master = hardware_sim::transport_master(&arguments.transport_master).map_err(|e| e.to_string())?;
        let serial = hardware_sim::serial(arguments.seed, u32::from(i));
        let keys = master.diversify(&serial, TRANSPORT_KEY_VERSION);
        Chip::blank(arguments.profile.clone(), serial, keys, arguments.seed, store).map_err(state)
    } else {
        Chip::open(store, arguments.seed).map_err(state)
    }
}

/// Makes a blank for a slot that had this chip, whose folder is kept under its serial: STATE/slot-I-SERIAL.
fn another_blank(arguments: &Arguments, state: &Path, number: usize, before: CardSerial) -> Result<Chip, String> {
    let folder = state.join(format!("slot-{number}"));
    let kept = state.join(format!("slot-{number}-{before}"));
    let cannot = |error: io::Error| format!("{}: {error}", kept.display());
    fs::rename(&folder, &kept).map_err(cannot)?;
    let made = || -> Result<Chip, String> {
        let earlier = fs::read_dir(state).map_err(cannot)?.flatten();
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
        let _ = fs::remove_dir_all(&folder);
        let _ = fs::rename(&kept, &folder);
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
        let _ = fs::remove_file(&self.0);
    }
}

/// Opens a control socket that only its owner may use.
fn listen(path: &Path, events: Sender<Event>) -> Result<Socket, String> {
    let cannot = |error: io::Error| format!("control socket {}: {error}", path.display());
    if UnixStream::connect(path).is_ok() {
        return Err(format!("control socket {}: another simulator answers there", path.display()));
    }
    let _ = fs::remove_file(path); // left over by a simulator that was killed
    let listener = UnixListener::bind(path).map_err(cannot)?;
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(cannot)?;
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
