//! `card-agent readers | enrol | intake | personalize | spoil | inspect`.
//!
//! Exit status: 0 if everything asked for was done and everything required held; 2 for a command line that was not
//! understood; the others are listed in `docs/failure-codes.md`. Results go to standard output, progress and
//! failures to standard error.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use card_agent::address::ServiceAddress;
use card_agent::failure::{Code, Failure};
use card_agent::kiosk::NewestBundles;
use card_agent::papers::PaperError;
use card_agent::session::{Limits, Session, Stop};
use card_agent::station::enrolment::Settings;
use card_agent::station::journal::{Journal, Kind};
use card_agent::station::{Folder, Station};
use card_agent::transport::Reader;
use card_agent::transport::pcsc::{self, Patience, PcscCard};
use card_agent::{ambient, kiosk, papers};
use clap::{Args, Parser, Subcommand};
use crypto::identity::CardSerial;
use crypto::identity::civil_time::utc_offset;
use crypto::inspection::{Check, Judgement, Password, Request};
use crypto::pki::pem;
use time::UtcOffset;
use zeroize::Zeroizing;

/// Station and kiosk of the Citizen Card: writes chips for the issuance service, inspects cards without it.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// List the PC/SC readers and what is in them.
    Readers,
    /// Enrol this station: first a key and a request (csr.pem), later with --certificate.
    Enrol(Enrol),
    /// Take in the blank in the reader: it makes its keys, and becomes stock.
    Intake(AtStation),
    /// Make the chip in the reader the card of the next approved application, and read it back.
    Personalize(AtStation),
    /// Account for a chip that cannot be presented any more.
    Spoil(Spoil),
    /// Read the card in the reader and judge it against a trust bundle.
    Inspect(Inspect),
}

#[derive(Args)]
struct Enrol {
    /// Folder of the station.
    #[arg(long)]
    station: PathBuf,
    /// Name of the station.
    #[arg(long, required_unless_present = "certificate")]
    name: Option<String>,
    /// Address of the issuance service, https://host:port, with nothing behind it.
    #[arg(long, required_unless_present = "certificate")]
    service: Option<String>,
    /// The service's TLS authority, PEM or DER.
    #[arg(long)]
    service_ca: Option<PathBuf>,
    /// National CSCA certificate (csca.der): finished cards are then read back against the trust bundle too.
    #[arg(long)]
    anchor: Option<PathBuf>,
    /// Second half: the certificate that the administrator gave for the request.
    #[arg(long, conflicts_with_all = ["name", "service"])]
    certificate: Option<PathBuf>,
}

#[derive(Args)]
struct AtStation {
    /// Reader, by name or any unique part of it.
    #[arg(long)]
    reader: String,
    /// Folder of the station.
    #[arg(long)]
    station: PathBuf,
    /// Write one JSON line per APDU here: header, lengths, status, microseconds; no bodies.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Print the result as JSON, with how long each stride took.
    #[arg(long)]
    json: bool,
    /// The most seconds that the whole work with this chip may take; what is cut off is resumed by the next run.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

#[derive(Args)]
struct Spoil {
    /// Folder of the station.
    #[arg(long)]
    station: PathBuf,
    /// Serial number of the chip, 20 hexadecimal digits; spaces, colons and hyphens between them do not count.
    #[arg(long)]
    serial: String,
    /// The reason, for the stock ledger.
    #[arg(long)]
    reason: String,
}

#[derive(Args)]
struct Inspect {
    /// Reader, by name or any unique part of it.
    #[arg(long)]
    reader: String,
    /// Signed trust bundle.
    #[arg(long)]
    bundle: PathBuf,
    /// National CSCA certificate, DER or PEM: the anchor under which the bundle is opened.
    #[arg(long)]
    anchor: PathBuf,
    /// File that remembers the newest bundle of each anchor, so that no older one is accepted. Without it,
    /// `citizen-card/newest-bundles.json` below `$XDG_STATE_HOME` or `~/.local/state`.
    #[arg(long, env = "CITIZEN_CARD_STATE")]
    state: Option<PathBuf>,
    /// Card access number: the six digits of the front.
    #[arg(long, env = "CITIZEN_CARD_CAN", hide_env_values = true)]
    can: Option<String>,
    /// File with the MRZ (`-` for standard input); wins over --can. Without either, CITIZEN_CARD_MRZ
    /// or standard input is read.
    #[arg(long)]
    mrz_file: Option<PathBuf>,
    /// How far the civil time of the State that issues the cards is ahead of UTC: a card's last day is a day there.
    #[arg(long, value_name = "±HH:MM", default_value = "+07:00", value_parser = utc_offset, allow_hyphen_values = true)]
    utc_offset: UtcOffset,
    /// Print the verdict as JSON.
    #[arg(long)]
    json: bool,
    /// Write the files of the card into this folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write one JSON line per APDU here: header, lengths, status, microseconds; no bodies.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Demand the proof of this check too (repeatable): active-authentication, data-group-13, …
    #[arg(long, value_name = "CHECK")]
    require: Vec<Check>,
    /// Do without the proof of this check (repeatable); a refutation still counts.
    #[arg(long, value_name = "CHECK")]
    tolerate: Vec<Check>,
    /// Demand PACE: a card that only BAC opened is not accepted.
    #[arg(long)]
    require_pace: bool,
    /// The most seconds that the whole inspection may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("card_agent=info")),
        )
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
    let stop = Stop::default();
    watch_signals(stop.clone());
    let done = match Arguments::parse().command {
        Task::Readers => readers(),
        Task::Enrol(arguments) => enrol(&arguments),
        Task::Intake(arguments) => at_station(&arguments, Kind::Intake, stop),
        Task::Personalize(arguments) => at_station(&arguments, Kind::Personalize, stop),
        Task::Spoil(arguments) => spoil(&arguments),
        Task::Inspect(arguments) => inspect(&arguments, stop),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.code.exit())
        }
    }
}

fn readers() -> Result<(), Failure> {
    let readers = pcsc::readers(Patience::default())?;
    if readers.is_empty() {
        eprintln!("no reader is connected");
    }
    for reader in readers {
        let card = if reader.card_present { format!("card {}", hex::encode(&reader.atr)) } else { "empty".to_owned() };
        say(&format!("{}\t{card}", reader.name))?;
    }
    Ok(())
}

fn enrol(arguments: &Enrol) -> Result<(), Failure> {
    let folder = Folder::new(&arguments.station);
    // Everything is looked at before anything is written.
    let authority = arguments.service_ca.as_deref().map(|path| paper(path, papers::certificates)).transpose()?;
    let anchor = arguments.anchor.as_deref().map(|path| paper(path, papers::certificate)).transpose()?;
    match (&arguments.certificate, &arguments.name, &arguments.service) {
        (Some(certificate), _, _) => {
            folder.certify(paper(certificate, papers::certificates)?, authority.as_deref())?;
            say(&format!("enrolled: {}", arguments.station.display()))?;
        }
        (None, Some(name), Some(service)) => {
            let service = service.parse().and_then(ServiceAddress::with_port);
            let service = service.map_err(|e| Failure::new(Code::InputUnusable, format!("--service: {e}")))?;
            let settings = Settings { name: name.clone(), service };
            let request = folder.request(&settings, authority.as_deref())?;
            say(&request.display().to_string())?;
            eprintln!("have this request registered, then: card-agent enrol --station … --certificate certificate.pem");
        }
        _ => return Err(Failure::new(Code::InputUnusable, "enrol needs --name and --service, or --certificate")),
    }
    match anchor {
        Some(anchor) => folder.keep_anchor(&anchor),
        None => Ok(()),
    }
}

fn at_station(arguments: &AtStation, kind: Kind, stop: Stop) -> Result<(), Failure> {
    let folder = Folder::new(&arguments.station);
    let service = folder.service()?;
    let mut station = Station::new(&service, Journal::open(folder.path())?, kiosk::now);
    if let (Kind::Personalize, Some(anchor)) = (kind, folder.anchor()?) {
        let newest = NewestBundles::at(folder.path().join(NewestBundles::FILE));
        station = station.trusting(kiosk::open_trust(&service.trust_bundle()?, &anchor, kiosk::now(), &newest)?);
    }
    let reader = pcsc::find(&arguments.reader, Patience::default())?;
    station.settle(&reader, None)?; // needs no card
    let card = PcscCard::connect(&reader, Patience::default())?;
    let mut session = observed(card, arguments.log.as_deref(), stop, arguments.limit)?;
    let done = station.run(kind, &mut session, &reader)?;
    if arguments.json {
        let said = serde_json::json!({
            "serial": done.serial,
            "outcome": done.outcome.word(),
            "card_id": done.outcome.card_id(),
            "attempts": done.attempts,
            "resumed": done.resumed,
            "strides": done.strides,
        });
        return say(&said.to_string());
    }
    let id = done.outcome.card_id().unwrap_or(if done.resumed { "resumed" } else { "" });
    say(&format!("{}\t{}\t{id}", done.serial, done.outcome.word()))
}

fn spoil(arguments: &Spoil) -> Result<(), Failure> {
    let typed = without_separators(&arguments.serial);
    let serial: CardSerial = typed.parse().map_err(|e| Failure::new(Code::InputUnusable, format!("--serial: {e}")))?;
    let folder = Folder::new(&arguments.station);
    let service = folder.service()?;
    Station::new(&service, Journal::open(folder.path())?, kiosk::now).spoil(serial, "", &arguments.reason)?;
    say(&format!("{serial}\tspoiled"))
}

fn inspect(arguments: &Inspect, stop: Stop) -> Result<(), Failure> {
    let at = ambient::now().to_offset(arguments.utc_offset);
    let newest = NewestBundles::at(state(arguments)?);
    let trust =
        kiosk::open_trust(&read(&arguments.bundle)?, &paper(&arguments.anchor, papers::certificate)?, at, &newest)?;
    let request = Request { password: password(arguments)?, challenge: ambient::challenge(), groups: None };
    let card = PcscCard::connect(&arguments.reader, Patience::default())?;
    let mut session = observed(card, arguments.log.as_deref(), stop, arguments.limit)?;
    let (evidence, Judgement { mut verdict, holder }) = kiosk::inspect(&mut session, &request, &trust, at)?;
    arguments.require.iter().for_each(|check| verdict.require(*check));
    arguments.tolerate.iter().for_each(|check| verdict.tolerate(*check));
    if let Some(folder) = &arguments.out {
        kiosk::write_files(folder, &evidence, holder.as_ref())?;
    }
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&verdict).expect("a verdict is JSON"),
        false => verdict.to_string(),
    };
    say(&text)?;
    kiosk::conclude(&evidence, &verdict)?;
    match evidence.access.way {
        Some(crypto::inspection::AccessProtocol::Bac) if arguments.require_pace => {
            Err(Failure::new(Code::Undecided, "PACE was demanded, and BAC opened the card"))
        }
        _ => Ok(()),
    }
}

/// Reads the password from the arguments, the environment or standard input. `ps` shows it only if
/// the operator chose --can.
fn password(arguments: &Inspect) -> Result<Password, Failure> {
    let unusable = |what: &str, e: &dyn std::fmt::Display| Failure::new(Code::InputUnusable, format!("{what}: {e}"));
    let mrz = match (&arguments.mrz_file, &arguments.can) {
        (Some(path), _) if path.as_os_str() != "-" => pem::text(&Zeroizing::new(read(path)?)),
        (None, Some(can)) => {
            let can = Zeroizing::new(without_separators(can));
            return Ok(Password::Can(can.parse().map_err(|e| unusable("the CAN", &e))?));
        }
        _ => match std::env::var("CITIZEN_CARD_MRZ") {
            Ok(mrz) if arguments.mrz_file.is_none() => Zeroizing::new(mrz),
            _ => {
                let mut bytes = Zeroizing::new(Vec::new());
                io::stdin().read_to_end(&mut bytes).map_err(|e| unusable("standard input", &e))?;
                pem::text(&bytes)
            }
        },
    };
    Ok(Password::Zone(mrz.parse().map_err(|e| unusable("the MRZ", &e))?))
}

/// Returns what a person typed without the marks that group digits: spaces, colons, hyphens.
fn without_separators(typed: &str) -> String {
    typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-')).collect()
}

/// Returns the file that remembers the newest bundles.
fn state(arguments: &Inspect) -> Result<PathBuf, Failure> {
    if let Some(path) = &arguments.state {
        return Ok(path.clone());
    }
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let below = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    let below = below.ok_or_else(|| Failure::new(Code::InputUnusable, "no home folder: name a file with --state"))?;
    Ok(below.join("citizen-card").join(NewestBundles::FILE))
}

fn observed<'a, R: Reader>(card: R, log: Option<&Path>, stop: Stop, seconds: u64) -> Result<Session<'a, R>, Failure> {
    let session = Session::new(card).stopping(stop).limited(Limits::of(Duration::from_secs(seconds)));
    match log {
        None => Ok(session),
        Some(path) => {
            let file = File::create(path)
                .map_err(|e| Failure::new(Code::OutputUnusable, format!("{}: {e}", path.display())))?;
            Ok(session.logging(io::LineWriter::new(file)))
        }
    }
}

/// Writes a line of the result to standard output.
fn say(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}").map_err(|e| Failure::new(Code::OutputUnusable, format!("standard output: {e}")))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unusable =
        |what: &dyn std::fmt::Display| Failure::new(Code::InputUnusable, format!("{}: {what}", path.display()));
    match fs::read(path) {
        Ok(bytes) if bytes.is_empty() => Err(unusable(&"the file is empty")),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(unusable(&error)),
    }
}

/// Reads a file as certificates or keys.
fn paper<T>(path: &Path, as_what: fn(&[u8]) -> Result<T, PaperError>) -> Result<T, Failure> {
    as_what(&read(path)?).map_err(|e| Failure::new(Code::InputUnusable, format!("{} {e}", path.display())))
}

/// Stops the work before the next command at the first Ctrl-C (or SIGTERM), and ends the process at the second. Both
/// are safe, because the journal is written before the chip.
fn watch_signals(stop: Stop) {
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if stop.request() > 0 {
                    std::process::exit(i32::from(Code::Interrupted.exit()));
                }
                eprintln!("stopping before the next command; once more to abort");
            }
        });
    });
}
