//! `issuance man` and `issuance completions`: what a package ships beside the program, made from
//! the commands themselves.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Arguments, Outcome, output};

/// Writes a man page for the program and one for each command into a folder.
#[derive(Args)]
pub(super) struct Man {
    /// Folder; made if it is not there.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> Outcome {
        let failed = |error| format!("{}: {error}", self.folder.display());
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(Arguments::command(), &self.folder).map_err(failed)?;
        Ok(())
    }
}

/// Writes the completions for a shell on standard output.
#[derive(Args)]
pub(super) struct Completions {
    /// bash, elvish, fish, powershell or zsh.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Outcome {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "issuance", &mut text);
        output::line(format_args!("{}", String::from_utf8_lossy(&text).trim_end()))?;
        Ok(())
    }
}
