//! A person at the terminal says yes to what cannot be taken back; a script says it with `--yes`.

use std::io::{self, IsTerminal as _, Write as _};

use thiserror::Error;

/// Nothing was done.
#[derive(Debug, Error)]
pub(super) enum Declined {
    /// The answer was another one.
    #[error("nothing was changed")]
    Answer,
    /// No terminal, and no `--yes`.
    #[error(
        "nothing was changed: standard input is no terminal; repeat the command with --yes if this is what you want"
    )]
    NoTerminal,
    /// The terminal.
    #[error("nothing was changed: {0}")]
    Terminal(#[from] io::Error),
}

/// Shows what is going to happen on standard error and waits for `yes`, unless it was said on the command line.
///
/// # Errors
/// [`Declined`]
pub(super) fn confirm(what: &str, yes: bool) -> Result<(), Declined> {
    let mut out = io::stderr().lock();
    writeln!(out, "{what}")?;
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Declined::NoTerminal);
    }
    write!(out, "Type yes to go on: ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Declined::Answer) }
}
