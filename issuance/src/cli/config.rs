//! `issuance config`

use clap::{Args, Subcommand};

use super::{Outcome, Place, configuration, output};
use crate::keys::{AuthoritySettings, KeyStore};
use crate::population::Register;

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
    /// and the authority is the one that the folder was founded with. The database is not asked.
    Check,
    /// Writes the whole configuration that is in force, defaults included, as TOML. Shows no password.
    Dump,
    /// Writes issuance.toml with every key, its meaning and its default.
    Example,
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
            Act::Check => {
                let file = self.place.folder.file();
                let settings = self.place.settings()?;
                Register::open(&settings.population)?;
                let founded = if KeyStore::is_begun(&settings.data) {
                    let store = KeyStore::open(&settings.data, settings.key_file.as_deref())?;
                    settings.authority.check(&AuthoritySettings::read(&store)?)?;
                    "its keys open"
                } else {
                    "nothing is founded there yet (issuance init)"
                };
                let file = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
                output::line(format_args!("Configuration ({file}) is good."))?;
                output::line(format_args!("Folder {}: {founded}.", settings.data.display()))?;
            }
        }
        Ok(())
    }
}
