//! Questions to the person at the terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use zeroize::Zeroizing;

/// The settings of the terminal while its echo is off.
static KEPT: Mutex<Option<String>> = Mutex::new(None);

/// Whether a person can be asked.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, and returns the line that is typed.
///
/// # Errors
/// Those of the terminal.
pub fn ask(question: &str) -> io::Result<Zeroizing<String>> {
    write!(io::stderr(), "{question} ")?;
    let mut line = Zeroizing::new(String::new());
    io::stdin().read_line(&mut line)?;
    Ok(line)
}

/// Asks, and returns the line that is typed without showing it.
///
/// # Errors
/// Those of the terminal; if its echo cannot be switched off, nothing is asked.
pub fn ask_hidden(question: &str) -> io::Result<Zeroizing<String>> {
    let settings = stty("-g")?;
    *KEPT.lock().map_err(|_| io::Error::other("the terminal is in use"))? = Some(settings);
    let line = stty("-echo").and_then(|_| ask(question));
    restore();
    let _ = writeln!(io::stderr());
    line
}

/// Switches the echo on again, if it is off. Returns whether it was.
pub fn restore() -> bool {
    match KEPT.lock().ok().and_then(|mut kept| kept.take()) {
        Some(settings) => stty(&settings).is_ok(),
        None => false,
    }
}

/// Reads or changes the settings of the terminal at standard input, by the program of that name.
fn stty(setting: &str) -> io::Result<String> {
    let said = Command::new("stty").arg(setting).stdin(Stdio::inherit()).stderr(Stdio::null()).output()?;
    if !said.status.success() {
        return Err(io::Error::other("stty cannot set the terminal"));
    }
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}
