//! The command line.

use std::path::PathBuf;

use card_agent::address::{AddressError, ServiceAddress};
use card_agent::failure::Language;
use card_agent::transport::pcsc::Several;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use crypto::identity::civil_time::utc_offset;
use crypto::inspection::Check;
use time::UtcOffset;

/// Station and kiosk of the Citizen Card: writes chips for the issuance service, inspects cards without it.
#[derive(Parser)]
#[command(version = VERSION, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Task,
    #[command(flatten)]
    pub manner: Manner,
}

/// How every command speaks.
#[derive(Args)]
pub struct Manner {
    /// Print the result and a failure as one JSON object a line: {schema, at, result, error}.
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of causes, remedies and help: en, vi. Without it that of LC_ALL, LC_MESSAGES or LANG.
    #[arg(long, global = true, value_name = "LANGUAGE")]
    pub lang: Option<Language>,
    /// Print no progress: only the result, warnings and failures.
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print each stride of the work; twice for all that is known. RUST_LOG wins over both.
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Subcommand)]
pub enum Task {
    /// List the PC/SC readers and what is in them.
    Readers(Readers),
    /// Enrol this station: first a key and a request (csr.pem), later with --certificate.
    Enrol(Enrol),
    /// Show how it stands with this station: certificate, unfinished work, service, clock.
    Status(Status),
    /// Take in the blank in the reader: it makes its keys, and becomes stock.
    Intake(AtStation),
    /// Make the chip in the reader the card of the next approved application, and read it back.
    Personalize(Personalize),
    /// Account for a chip that cannot be presented any more. Not undone: asks first.
    Spoil(Spoil),
    /// Show what the chip in the reader tells of itself: serial, life cycle, counter. Proves nothing.
    Info(Info),
    /// Read the card in the reader and judge it against a trust bundle.
    Inspect(Box<Inspect>),
    /// Serve the page of a kiosk on this machine: a browser shows each card that is laid on a reader, and its verdict.
    Kiosk(Box<KioskPage>),
    /// Log in to the service with the own card in the reader, and do one thing there. The session ends with it.
    Citizen(Box<Citizen>),
    /// Show in words the files that `inspect --out` wrote. Proves nothing.
    Decode(Decode),
    /// Explain, judge or show the configuration of a station (station.toml) or a kiosk (kiosk.toml).
    Config(Config),
    /// Write the manual pages into a folder, in the language of --lang.
    Man(Man),
    /// Print the completions for a shell.
    Completions(Completions),
}

/// Version, and the commit and day that a package is built from.
const VERSION: &str = match option_env!("CITIZEN_CARD_COMMIT") {
    Some(commit) => commit,
    None => concat!(env!("CARGO_PKG_VERSION"), " (built by hand)"),
};

impl Task {
    /// Whether the command works at several readers: it can be paused, and finishes what it has begun when it is asked
    /// to stop.
    pub fn is_of_several_readers(&self) -> bool {
        match self {
            Self::Intake(work) => work.readers.is_some(),
            Self::Personalize(arguments) => arguments.work.readers.is_some(),
            _ => false,
        }
    }

    /// Returns the word of the command.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Readers(_) => "readers",
            Self::Enrol(_) => "enrol",
            Self::Status(_) => "status",
            Self::Intake(_) => "intake",
            Self::Personalize(_) => "personalize",
            Self::Spoil(_) => "spoil",
            Self::Info(_) => "info",
            Self::Inspect(_) => "inspect",
            Self::Kiosk(_) => "kiosk",
            Self::Citizen(_) => "citizen",
            Self::Decode(_) => "decode",
            Self::Config(_) => "config",
            Self::Man(_) => "man",
            Self::Completions(_) => "completions",
        }
    }
}

/// The reader, and how long its card is waited for.
#[derive(Args, Clone)]
pub struct AtReader {
    /// Reader, by name or any unique part of it. Without it the only reader that is connected.
    #[arg(long, env = "CITIZEN_CARD_READER")]
    pub reader: Option<String>,
    /// Wait for a card, for this many seconds or without end. Waiting does not count towards --limit.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    pub wait: Option<u64>,
    /// Write one JSON line per APDU here: header, lengths, status, microseconds; no bodies.
    #[arg(long)]
    pub log: Option<PathBuf>,
}

#[derive(Args)]
pub struct Readers {
    /// Go on, and print a line whenever a reader or a card comes or goes. Ctrl-C ends it.
    #[arg(long)]
    pub watch: bool,
}

#[derive(Args)]
pub struct Enrol {
    /// Folder of the station.
    #[arg(long, env = "CITIZEN_CARD_STATION")]
    pub station: PathBuf,
    /// Name of the station.
    #[arg(long, required_unless_present_any = ["certificate", "renew"])]
    pub name: Option<String>,
    /// Address of the issuance service, https://host:port, with nothing behind it.
    #[arg(long, required_unless_present_any = ["certificate", "renew"])]
    pub service: Option<String>,
    /// The service's TLS authority, PEM or DER (tls-ca.pem of its data folder): needed at the
    /// latest with --certificate.
    #[arg(long)]
    pub service_ca: Option<PathBuf>,
    /// National CSCA certificate (csca.der): finished cards are then read back against the trust bundle too.
    #[arg(long)]
    pub anchor: Option<PathBuf>,
    /// Second half: the certificate that the administrator gave for the request.
    #[arg(long, conflicts_with_all = ["name", "service"])]
    pub certificate: Option<PathBuf>,
    /// Renew the certificate of an enrolled station, with a new key: before it ends, and for a while after.
    #[arg(long, conflicts_with_all = ["name", "service", "service_ca", "anchor", "certificate"])]
    pub renew: bool,
}

#[derive(Args)]
pub struct Status {
    /// Folder of the station.
    #[arg(long, env = "CITIZEN_CARD_STATION")]
    pub station: PathBuf,
}

#[derive(Args)]
pub struct AtStation {
    #[command(flatten)]
    pub at: AtReader,
    /// Folder of the station.
    #[arg(long, env = "CITIZEN_CARD_STATION")]
    pub station: PathBuf,
    /// Take chip after chip: waits for the next one to be inserted, until there is nothing more
    /// to personalize or Ctrl-C.
    #[arg(long = "loop")]
    pub repeat: bool,
    /// Work at several readers at once: all, their number, or names with commas between them. With --loop until nothing
    /// is left to do; SIGUSR1, or `p` on the terminal, pauses. The first Ctrl-C finishes the chips that are begun, the
    /// second ends at once.
    #[arg(long, value_name = "all|N|NAME,…")]
    pub readers: Option<Several>,
    /// The most seconds that the whole work with a chip may take, requests to the service included; what is cut off is
    /// resumed by the next run. Without it that of station.toml, or 600.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

#[derive(Args)]
pub struct Personalize {
    #[command(flatten)]
    pub work: AtStation,
    /// Slip of the application that the chip is wanted for. With --loop repeatable, in their order; `-` reads one from
    /// each line of standard input, as a scanner types them.
    #[arg(long, conflicts_with_all = ["readers", "batch"])]
    pub slip: Vec<String>,
    /// Take blanks in first.
    #[arg(long)]
    pub intake: bool,
    /// Write the cards of this batch, by its identifier. Without it those of applications that are in no batch.
    #[arg(long, value_name = "ID")]
    pub batch: Option<String>,
}

#[derive(Args)]
pub struct Spoil {
    /// Folder of the station.
    #[arg(long, env = "CITIZEN_CARD_STATION")]
    pub station: PathBuf,
    /// Serial number of the chip, 20 hexadecimal digits; spaces, colons and hyphens between them do not count.
    #[arg(long)]
    pub serial: String,
    /// The reason, for the stock ledger.
    #[arg(long)]
    pub reason: String,
    /// Do not ask for the serial number once more.
    #[arg(long)]
    pub yes: bool,
}

#[derive(Args)]
pub struct Info {
    #[command(flatten)]
    pub at: AtReader,
    /// Folder of a station: the service is asked what it has the chip as, and the station's journal.
    #[arg(long, env = "CITIZEN_CARD_STATION")]
    pub station: Option<PathBuf>,
}

#[derive(Args)]
pub struct Citizen {
    /// What to do.
    #[arg(value_enum)]
    pub what: OwnMatter,
    #[command(flatten)]
    pub at: AtReader,
    /// Address of the issuance service, https://host:port, with nothing behind it.
    #[arg(long, value_name = "ADDRESS", value_parser = address, env = "CITIZEN_CARD_SERVICE")]
    pub service: ServiceAddress,
    /// The service's TLS authority, PEM or DER (tls-ca.pem of its data folder).
    #[arg(long, env = "CITIZEN_CARD_SERVICE_CA")]
    pub service_ca: PathBuf,
    /// Lock the card without asking once more.
    #[arg(long)]
    pub yes: bool,
    /// With `object`: what is objected to, in the citizen's words.
    #[arg(long, value_name = "TEXT", required_if_eq("what", "object"))]
    pub words: Option<String>,
    /// With `object`: the look, by the `id` that `looks` shows; without it, what the register holds.
    #[arg(long, value_name = "ID")]
    pub look: Option<String>,
    /// With `copy`: the file that is written, which must not exist; the signature is written beside it, as FILE.jws.
    #[arg(long, value_name = "FILE", required_if_eq("what", "copy"))]
    pub out: Option<PathBuf>,
    /// The most seconds that all of it may take. Without it 120.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

/// What a citizen does with the own card. The card alone opens the first two; the others need the code too.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum OwnMatter {
    /// What the card is, until when, and how many looked.
    Status,
    /// Lock the card: no kiosk trusts it any more.
    Lock,
    /// Who looked at the citizen's data.
    Looks,
    /// What the register holds of the citizen.
    Record,
    /// What the citizen applied for.
    Applications,
    /// Write a signed copy of all that into a file.
    Copy,
    /// Object to a look, or to what the register holds.
    Object,
    /// What the citizen objected to, and what it was answered.
    Objections,
}

#[derive(Args)]
pub struct Inspect {
    #[command(flatten)]
    pub at: AtReader,
    /// Configuration of the kiosk; `card-agent config example kiosk` shows every key. Flags stand over it.
    #[arg(long, env = "CITIZEN_CARD_KIOSK")]
    pub config: Option<PathBuf>,
    /// Signed trust bundle. Without it a fresh one of the service that --online names.
    #[arg(long)]
    pub bundle: Option<PathBuf>,
    /// National CSCA certificate, DER or PEM: the anchor under which the bundle is opened.
    #[arg(long)]
    pub anchor: Option<PathBuf>,
    /// Ask this issuance service, https://host:port, whether the card counts at this moment.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub online: Option<ServiceAddress>,
    /// That service's TLS authority, PEM or DER (tls-ca.pem of its data folder).
    #[arg(long)]
    pub service_ca: Option<PathBuf>,
    /// File that remembers the newest bundle of each anchor, so that no older one is accepted. Without it,
    /// `citizen-card/newest-bundles.json` below `$XDG_STATE_HOME` or `~/.local/state`.
    #[arg(long, env = "CITIZEN_CARD_STATE")]
    pub state: Option<PathBuf>,
    /// Card access number: the six digits of the front. Without it and an MRZ it is asked for on a terminal.
    #[arg(long, env = "CITIZEN_CARD_CAN", hide_env_values = true)]
    pub can: Option<String>,
    /// File with the MRZ (`-` for standard input); wins over --can. Without either, CITIZEN_CARD_MRZ
    /// or standard input is read.
    #[arg(long)]
    pub mrz_file: Option<PathBuf>,
    /// How far the civil time of the State that issues the cards is ahead of UTC, +07:00 if nothing is said: a card's
    /// last day is a day there.
    #[arg(long, value_name = "±HH:MM", value_parser = utc_offset, allow_hyphen_values = true)]
    pub utc_offset: Option<UtcOffset>,
    /// Write the files of the card into this folder, readable by this account only.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Write the proved portrait into this file, readable by this account only.
    #[arg(long, value_name = "FILE")]
    pub portrait: Option<PathBuf>,
    /// Show the proved portrait on the terminal: by the kitty graphics protocol where it is
    /// spoken, else in half blocks.
    #[arg(long)]
    pub show_portrait: bool,
    /// Demand the proof of this check too (repeatable): active-authentication, data-group-13, …
    #[arg(long, value_name = "CHECK")]
    pub require: Vec<Check>,
    /// Do without the proof of this check (repeatable); a refutation still counts.
    #[arg(long, value_name = "CHECK")]
    pub tolerate: Vec<Check>,
    /// Demand PACE: a card that only BAC opened is not accepted.
    #[arg(long)]
    pub require_pace: bool,
    /// The most seconds that the whole inspection may take. Without it that of kiosk.toml, or 120.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

#[derive(Args)]
pub struct KioskPage {
    /// Configuration of the kiosk; `card-agent config example kiosk` shows every key. Flags stand over it.
    #[arg(long, env = "CITIZEN_CARD_KIOSK")]
    pub config: Option<PathBuf>,
    /// Reader, by name or any unique part of it. Without it all that are connected, also those that come later.
    #[arg(long, env = "CITIZEN_CARD_READER")]
    pub reader: Option<String>,
    /// Signed trust bundle. Without it a fresh one of the service that the configuration names, each hour.
    #[arg(long)]
    pub bundle: Option<PathBuf>,
    /// National CSCA certificate, DER or PEM: the anchor under which the bundle is opened.
    #[arg(long)]
    pub anchor: Option<PathBuf>,
    /// File that remembers the newest bundle of each anchor, so that no older one is accepted. Without it,
    /// `citizen-card/newest-bundles.json` below `$XDG_STATE_HOME` or `~/.local/state`.
    #[arg(long, env = "CITIZEN_CARD_STATE")]
    pub state: Option<PathBuf>,
    /// Port of loopback on which the page is; 0 for any that is free. Without it that of kiosk.toml, or 8377.
    #[arg(long)]
    pub port: Option<u16>,
    /// Privacy mode: say only whether the card is valid and its holder has completed so many years.
    #[arg(long, value_name = "YEARS")]
    pub over: Option<u8>,
    /// Folder for signed inspection reports. Without it that of kiosk.toml, or none are saved.
    #[arg(long, value_name = "DIR")]
    pub reports: Option<PathBuf>,
    /// Write the address of the page into this file, readable by this account only.
    #[arg(long, value_name = "FILE")]
    pub address_file: Option<PathBuf>,
}

#[derive(Args)]
pub struct Decode {
    /// Folder with com.bin, sod.bin, dg1.bin, … or certificates.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

#[derive(Args)]
pub struct Man {
    /// Where the pages are written.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

#[derive(Args)]
pub struct Completions {
    /// The shell.
    pub shell: Shell,
}

#[derive(Args)]
pub struct Config {
    #[command(subcommand)]
    pub act: ConfigAct,
}

#[derive(Subcommand)]
pub enum ConfigAct {
    /// Print the documented file: every key with its meaning and its default.
    Example {
        /// Whose configuration.
        program: Program,
    },
    /// Judge the file, what the environment says over it, and the files that it names.
    Check(Configured),
    /// Print what holds: the file, and the environment over it.
    Dump(Configured),
}

/// A configuration that is there.
#[derive(Args)]
pub struct Configured {
    /// Whose configuration.
    pub program: Program,
    /// Folder of the station, with station.toml in it.
    #[arg(long, env = "CITIZEN_CARD_STATION", required_if_eq("program", "station"))]
    pub station: Option<PathBuf>,
    /// Configuration of the kiosk. Without it the defaults.
    #[arg(long, env = "CITIZEN_CARD_KIOSK")]
    pub config: Option<PathBuf>,
}

/// A program that has a configuration.
#[derive(Clone, Copy, ValueEnum)]
pub enum Program {
    Station,
    Kiosk,
}

fn address(text: &str) -> Result<ServiceAddress, AddressError> {
    text.parse::<ServiceAddress>()?.with_port()
}
