//! The command line: one file per command.

mod confirm;
mod crl;
mod init;
mod officer;
mod openapi;
mod output;
mod renew_server;
mod rotate;
mod serve;
mod transport_key;
mod verify;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use crypto::identity::civil_time::VIET_NAM;

use crate::ground::{Clock, Randomness};
use crate::keys::{KeyStore, KeyStoreError};
use crate::server::Settings;

/// The service that decides: register, numbers, applications, production, cards.
///
/// `issuance init` makes a service in a folder, `issuance serve` runs it. Exit code 0: done; 1: refused, with the
/// reason and what to do on standard error; 2: wrong arguments; 3: done, but standard output cannot be written.
#[derive(Parser)]
#[command(name = "issuance", version)]
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
    RenewServer(renew_server::RenewServer),
    Officer(officer::OfficerCommand),
    Verify(verify::Verify),
    Openapi(openapi::Openapi),
}

/// The end of a command.
type Outcome = Result<(), Box<dyn Error>>;

/// Runs the command that the arguments name. Returns the exit code of the process.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Init(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::TransportKey(command) => command.run(),
        Command::Rotate(command) => command.run(),
        Command::Crl(command) => command.run(),
        Command::RenewServer(command) => command.run(),
        Command::Officer(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Openapi(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(format_args!("issuance: {error}"));
            if error.is::<output::OutputUnusable>() { ExitCode::from(OUTPUT_UNUSABLE) } else { ExitCode::FAILURE }
        }
    }
}

/// The command did its work and could not say so.
const OUTPUT_UNUSABLE: u8 = 3;

/// The folder of a service and the file that opens its keys.
#[derive(Args)]
struct Folder {
    /// Folder of keys, certificates and (without --database) the SQLite file.
    #[arg(long, value_name = "DIR", env = "ISSUANCE_DATA")]
    data: PathBuf,
    /// File with the key-encryption key (64 hexadecimal digits, mode 0600) [default: DIR/kek].
    #[arg(long, value_name = "FILE", env = "ISSUANCE_KEY_FILE")]
    key_file: Option<PathBuf>,
}

impl Folder {
    fn settings(&self) -> Settings {
        Settings { key_file: self.key_file.clone(), ..Settings::new(&self.data) }
    }

    fn open(&self) -> Result<KeyStore, KeyStoreError> {
        KeyStore::open(&self.data, self.key_file.as_deref())
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
