//! `issuance config`

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Outcome, Place, configuration, output};
use crate::keys::{AuthoritySettings, KeyStore};
use crate::population::Register;
use crate::server::Settings;
use crate::store::{Db, StoreError};

/// Looks at the configuration: file, environment and flags together.
#[derive(Args)]
pub(super) struct ConfigCommand {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Says whether a service would start with it: every key is known, the values go together, folder and keys open,
    /// the authority is the one that the folder was founded with, the log filter is one, and the database answers.
    Check(Check),
    /// Writes the whole configuration that is in force, defaults included, as TOML. Shows no password.
    Dump,
    /// Writes issuance.toml with every key, its meaning and its default.
    Example,
}

#[derive(Args)]
struct Check {
    /// Do not ask the database.
    #[arg(long)]
    offline: bool,
    /// A database that does not answer for so many seconds is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    patience: u64,
}

/// Asks the database of the settings for the version of its tables. Writes nothing.
fn asked(settings: &Settings, patience: Duration) -> Result<String, Box<dyn std::error::Error>> {
    if Db::would_begin(settings.database.as_deref(), &settings.data) {
        return Ok("SQLite in the folder, not begun yet (issuance serve)".to_owned());
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let answered = runtime.block_on(async {
        let asked = async {
            let db = Db::connect(settings.database.as_deref(), &settings.data).await?;
            let schema = db.schema().await?;
            let engine = db.engine_name();
            db.close().await;
            Ok::<_, StoreError>((engine, schema))
        };
        tokio::time::timeout(patience, asked).await
    });
    runtime.shutdown_background();
    let seconds = patience.as_secs();
    let answer =
        answered.map_err(|_| format!("the database does not answer within {seconds} s (--offline leaves it out)"))?;
    Ok(match answer.map_err(|error| format!("the database cannot be opened: {error} (--offline leaves it out)"))? {
        (engine, Some(schema)) => format!("{engine}, tables of version {schema}"),
        (engine, None) => format!("{engine}, without tables (issuance serve makes them)"),
    })
}

impl ConfigCommand {
    pub(super) fn run(self) -> Outcome {
        match self.act {
            Act::Example => {
                output::line(format_args!("{}", configuration::DOCUMENTED.trim_end()))?;
            }
            Act::Dump => {
                let config = self.place.config()?;
                config.check()?;
                output::line(format_args!("{}", config.dump()?.trim_end()))?;
            }
            Act::Check(check) => {
                let file = self.place.folder.file();
                let config = self.place.config()?;
                let settings = config.settings()?;
                Register::open(&settings.population)?;
                let founded = if KeyStore::is_begun(&settings.data) {
                    let store = KeyStore::open(&settings.data, settings.key_file.as_deref())?;
                    settings.authority.check(&AuthoritySettings::read(&store)?)?;
                    "its keys open"
                } else {
                    "nothing is founded there yet (issuance init)"
                };
                super::serve::filter_of(&config.log.filter)?;
                let database = if check.offline {
                    "not asked (--offline)".to_owned()
                } else {
                    asked(&settings, Duration::from_secs(check.patience))?
                };
                let file = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
                output::line(format_args!("Configuration ({file}) is good."))?;
                output::line(format_args!("Folder {}: {founded}.", settings.data.display()))?;
                output::line(format_args!("Database: {database}."))?;
            }
        }
        Ok(())
    }
}
