//! What a command says on standard output. A full disk or a reader that is gone ends no command in the middle and
//! undoes nothing: it is told by exit code 3.

use std::fmt;
use std::io::{self, Write as _};

use thiserror::Error;

/// The command did what it was asked, and could not say so.
#[derive(Debug, Error)]
#[error(
    "output-unusable: standard output cannot be written ({0}); the command was carried out and nothing is undone: look at \
     the result before you repeat it"
)]
pub(super) struct OutputUnusable(#[from] io::Error);

/// Writes a line on standard output.
///
/// # Errors
/// [`OutputUnusable`]
pub(super) fn line(text: fmt::Arguments<'_>) -> Result<(), OutputUnusable> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Writes a line on standard error, as far as it can be written.
pub(super) fn complain(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
