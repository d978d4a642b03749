//! The command line: one file per command.

mod agreement;
mod archive;
mod backup;
mod batches;
mod births;
mod campaign;
mod cells;
mod config;
mod confirm;
mod crl;
mod duplicates;
mod fees;
mod generate;
mod import;
mod init;
mod leases;
mod migrate;
mod notices;
mod officer;
mod openapi;
mod output;
mod overdue;
mod paper;
mod partner;
mod purpose;
mod quality;
mod quarantine;
mod reconcile;
mod rekey;
mod remote;
mod renew_server;
mod restore;
mod retention;
mod rotate;
mod rules;
mod sandbox;
mod serve;
mod stages;
mod station;
mod status;
mod stock;
mod transport_key;
mod verify;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use crypto::identity::civil_time::VIET_NAM;

use crate::ground::{Clock, Randomness};
use crate::keys::{AuthoritySettings, KeyStore};
use crate::server::Settings;
use crate::server::config::{self as configuration, Config, ConfigError};

/// The service that decides: register, numbers, applications, production, cards.
///
/// `issuance init` makes a service in a folder, `issuance serve` runs it. Exit code 0: done; 1: refused, with the
/// reason and what to do on standard error; 2: wrong arguments; 3: done, but standard output cannot be written.
/// `status` ends with 4 for a warning and 5 for something critical, `overdue --check` with 4 for something late and 5
/// for a defect.
#[derive(Parser)]
#[command(name = "issuance", version = VERSION)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Serve(serve::Serve),
    TransportKey(transport_key::TransportKeyCommand),
    Rotate(rotate::Rotate),
    Crl(crl::CrlCommand),
    Duplicates(duplicates::Duplicates),
    RenewServer(renew_server::RenewServer),
    Rekey(rekey::RekeyCommand),
    Officer(officer::OfficerCommand),
    Station(station::StationCommand),
    Verify(verify::Verify),
    Backup(backup::BackupCommand),
    Archive(archive::ArchiveCommand),
    Restore(restore::RestoreCommand),
    Reconcile(reconcile::ReconcileCommand),
    Leases(leases::LeasesCommand),
    Cells(cells::CellsCommand),
    Retention(retention::RetentionCommand),
    Status(status::StatusCommand),
    Stock(stock::StockCommand),
    Batches(batches::BatchesCommand),
    Births(births::BirthsCommand),
    Partner(partner::PartnerCommand),
    Purpose(purpose::PurposeCommand),
    Agreement(agreement::AgreementCommand),
    Sandbox(sandbox::Sandbox),
    Notices(notices::NoticesCommand),
    Overdue(overdue::OverdueCommand),
    Fees(fees::FeesCommand),
    Stages(stages::StagesCommand),
    Config(config::ConfigCommand),
    Import(import::ImportCommand),
    Quarantine(quarantine::QuarantineCommand),
    Rules(rules::RulesCommand),
    Quality(quality::QualityCommand),
    Campaign(campaign::CampaignCommand),
    Generate(generate::Generate),
    Openapi(openapi::Openapi),
    Migrate(migrate::Migrate),
    Man(paper::Man),
    Completions(paper::Completions),
}

/// Version, and the commit and day that `make install` builds from.
const VERSION: &str = match option_env!("CITIZEN_CARD_COMMIT") {
    Some(commit) => commit,
    None => concat!(env!("CARGO_PKG_VERSION"), " (built by hand)"),
};

/// The end of a command.
type Outcome = Result<(), Box<dyn Error>>;

/// What the operator does so that a running service takes what was renewed.
const RELOAD: &str = "reload the service (`systemctl reload citizen-card-issuance`, or SIGHUP)";

/// Runs the command that the arguments name. Returns the exit code of the process.
#[must_use]
pub fn run() -> ExitCode {
    let outcome: Result<ExitCode, Box<dyn Error>> = match Arguments::parse().command {
        Command::Init(command) => command.run().map(done),
        Command::Serve(command) => command.run().map(done),
        Command::TransportKey(command) => command.run().map(done),
        Command::Rotate(command) => command.run().map(done),
        Command::Crl(command) => command.run().map(done),
        Command::Duplicates(command) => command.run().map(done),
        Command::RenewServer(command) => command.run().map(done),
        Command::Rekey(command) => command.run().map(done),
        Command::Officer(command) => command.run().map(done),
        Command::Station(command) => command.run().map(done),
        Command::Verify(command) => command.run().map(done),
        Command::Backup(command) => command.run().map(done),
        Command::Archive(command) => command.run().map(done),
        Command::Restore(command) => command.run().map(done),
        Command::Reconcile(command) => command.run().map(done),
        Command::Leases(command) => command.run().map(done),
        Command::Cells(command) => command.run().map(done),
        Command::Retention(command) => command.run().map(done),
        Command::Status(command) => command.run(),
        Command::Stock(command) => command.run().map(done),
        Command::Batches(command) => command.run().map(done),
        Command::Births(command) => command.run().map(done),
        Command::Partner(command) => command.run().map(done),
        Command::Purpose(command) => command.run().map(done),
        Command::Agreement(command) => command.run().map(done),
        Command::Sandbox(command) => command.run().map(done),
        Command::Notices(command) => command.run().map(done),
        Command::Overdue(command) => command.run(),
        Command::Fees(command) => command.run().map(done),
        Command::Stages(command) => command.run().map(done),
        Command::Config(command) => command.run().map(done),
        Command::Import(command) => command.run().map(done),
        Command::Quarantine(command) => command.run().map(done),
        Command::Rules(command) => command.run().map(done),
        Command::Campaign(command) => command.run().map(done),
        Command::Quality(command) => command.run().map(done),
        Command::Generate(command) => command.run().map(done),
        Command::Openapi(command) => command.run().map(done),
        Command::Migrate(command) => command.run().map(done),
        Command::Man(command) => command.run().map(done),
        Command::Completions(command) => command.run().map(done),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            output::complain(format_args!("issuance: {error}"));
            if error.is::<output::OutputUnusable>() { ExitCode::from(OUTPUT_UNUSABLE) } else { ExitCode::FAILURE }
        }
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// Refuses to end well after a list with records that were changed by another hand.
fn refuse_strange<'a>(table: &str, ids: impl Iterator<Item = &'a str>) -> Outcome {
    let strange: Vec<_> = ids.map(|id| format!("{table} {id}")).collect();
    if strange.is_empty() {
        return Ok(());
    }
    Err(format!("changed by another hand than the service's, and refused by it: {}", strange.join(", ")).into())
}

/// The command did its work and could not say so.
const OUTPUT_UNUSABLE: u8 = 3;

/// The folder of a service, the file that opens its keys, and the file with everything else.
#[derive(Args)]
struct Folder {
    /// Configuration; `issuance config example` shows every key [default: DIR/issuance.toml where it is].
    #[arg(long, global = true, value_name = "FILE", env = "ISSUANCE_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of keys, certificates and (without a database) the SQLite file [default: `data` of the configuration].
    #[arg(long, global = true, value_name = "DIR", env = "ISSUANCE_DATA")]
    data: Option<PathBuf>,
    /// File with the key-encryption key (64 hexadecimal digits, mode 0600) [default: `key_file` of the
    /// configuration, or DIR/kek].
    #[arg(long, global = true, value_name = "FILE", env = "ISSUANCE_KEY_FILE")]
    key_file: Option<PathBuf>,
}

impl Folder {
    /// The file that is read: the one that is named, else the one in the folder.
    fn file(&self) -> Option<PathBuf> {
        let in_data = || self.data.as_ref().map(|data| data.join(configuration::IN_DATA)).filter(|file| file.exists());
        self.config.clone().or_else(in_data)
    }

    /// The configuration: the file, over it the environment, over both the flags.
    fn config(&self) -> Result<Config, ConfigError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
        let config = match self.file() {
            Some(file) => Config::read(&file, environment)?,
            None => Config::without_file(environment)?,
        };
        Ok(Config {
            data: self.data.clone().or(config.data),
            key_file: self.key_file.clone().or(config.key_file),
            ..config
        })
    }

    fn settings(&self) -> Result<Settings, ConfigError> {
        self.config()?.settings()
    }

    fn open(&self) -> Result<KeyStore, Box<dyn Error>> {
        let settings = self.settings()?;
        let store = KeyStore::open(&settings.data, settings.key_file.as_deref())?;
        settings.authority.check(&AuthoritySettings::read(&store)?)?;
        Ok(store)
    }
}

/// The folder, and the database that belongs to it.
#[derive(Args)]
struct Place {
    #[command(flatten)]
    folder: Folder,
    /// <postgres://USER:PASSWORD@HOST/NAME> [default: `database` of the configuration, or `SQLite` in DIR]. Arguments
    /// are visible to others: prefer the environment, or `database_password_file` of the configuration.
    #[arg(long, global = true, value_name = "URL", env = "ISSUANCE_DATABASE", hide_env_values = true)]
    database: Option<String>,
}

impl Place {
    fn config(&self) -> Result<Config, ConfigError> {
        let config = self.folder.config()?;
        Ok(match &self.database {
            // An address given here stands whole; the file's password belongs to the file's address.
            Some(database) => Config {
                database: Some(database.clone()),
                database_password_file: None,
                database_standbys: Vec::new(),
                ..config
            },
            None => config,
        })
    }

    fn settings(&self) -> Result<Settings, ConfigError> {
        self.config()?.settings()
    }
}

/// The moment, by the computer's clock.
fn now() -> time::OffsetDateTime {
    Clock::system(VIET_NAM).now()
}

/// A generator of the operating system's randomness.
fn rng() -> rand::rngs::ChaCha20Rng {
    Randomness::System.draw()
}
