//! `card-agent man` and `card-agent completions`: what a package ships beside the program, made from the commands
//! themselves.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use card_agent::failure::{Code, Failure};
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::Arguments;

/// Writes a man page for the program and one for each command into a folder.
pub fn man(folder: &Path) -> Result<(), Failure> {
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    written.map_err(|error| Failure::new(Code::OutputUnusable, format!("{}: {error}", folder.display())))
}

/// Writes the completions for a shell on standard output.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "card-agent", &mut text);
    let written = io::stdout().write_all(&text);
    written.map_err(|error| Failure::new(Code::OutputUnusable, format!("standard output: {error}")))
}
