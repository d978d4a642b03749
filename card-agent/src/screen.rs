//! What the program says: results on standard output, progress and failures on standard error.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};

use card_agent::ambient;
use card_agent::failure::{Code, Failure, Language};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::arguments::Manner;
use crate::{picture, vietnamese};

/// How this run speaks.
pub struct Screen {
    json: bool,
    language: Language,
    /// The locale of the environment, if its language is none of ours.
    not_spoken: Option<String>,
    progress: bool,
    quiet: bool,
    command: &'static str,
    /// Whether the failure of this run stands in an envelope already.
    failure_told: Cell<bool>,
    /// Whether it was said that the locale is not spoken.
    notice_given: Cell<bool>,
}

impl Screen {
    /// Returns the screen for this command.
    pub fn new(manner: &Manner, command: &'static str) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let language = manner.lang.unwrap_or_else(|| Language::of_environment(variable));
        let not_spoken = if manner.lang.is_none() { Language::not_spoken(variable) } else { None };
        let progress = shows_progress(manner);
        let (json, quiet) = (manner.json, manner.quiet);
        Self {
            json,
            language,
            not_spoken,
            progress,
            quiet,
            command,
            failure_told: Cell::new(false),
            notice_given: Cell::new(false),
        }
    }

    /// Whether results are written as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person watches the work on a terminal.
    pub fn is_watched(&self) -> bool {
        self.progress && !self.json
    }

    /// Returns a label in the language of this run.
    pub fn label(&self, english: &'static str) -> &'static str {
        vietnamese::label(self.language, english)
    }

    /// Returns the command line with its help in the language of this run.
    pub fn told(&self, command: clap::Command) -> clap::Command {
        vietnamese::told_in(self.language, command)
    }

    /// Writes one result: its JSON in an envelope, or its text.
    ///
    /// # Errors
    /// [`Code::OutputClosed`] if standard output was closed by its reader, else [`Code::OutputUnusable`].
    pub fn result(&self, value: Value, text: &str) -> Result<(), Failure> {
        if self.json { say(&envelope(self.command, Some(value), None).to_string()) } else { say(text) }
    }

    /// Writes a result that is also the reason of a failure, in one envelope.
    ///
    /// # Errors
    /// As [`Self::result`].
    pub fn result_and(&self, value: Value, text: &str, failure: &Failure) -> Result<(), Failure> {
        if !self.json {
            return say(text);
        }
        self.failure_told.set(true);
        say(&envelope(self.command, Some(value), Some(self.error(failure))).to_string())
    }

    /// Writes a failure: for people always, and in an envelope with --json. A reader that has gone is told nothing.
    pub fn failure(&self, failure: &Failure) {
        if failure.code == Code::OutputClosed {
            return;
        }
        if self.json && !self.failure_told.get() && failure.code != Code::OutputUnusable {
            let _ = say(&envelope(self.command, None, Some(self.error(failure))).to_string());
        }
        let _ = writeln!(io::stderr(), "{}", failure.lines(self.language));
        if let Some(locale) = self.not_spoken.as_ref().filter(|_| !self.notice_given.replace(true)) {
            self.note(&format!("(the locale `{locale}` is not spoken here; --lang takes en or vi)"));
        }
    }

    /// Writes the failure of one chip of several; the run goes on.
    pub fn failure_of_one(&self, failure: &Failure) {
        self.failure(failure);
        self.failure_told.set(false);
    }

    /// Writes a sentence for the person at the machine, unless only what is wrong is wanted.
    pub fn note(&self, sentence: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{sentence}");
        }
    }

    /// Returns what shows each command of a chip on a terminal; none where nothing is watched.
    pub fn progress(&self) -> Option<impl FnMut(&str, usize) + use<>> {
        let mut line = self.progress.then(Line::default)?;
        Some(move |phase: &str, commands: usize| line.shows(phase, commands))
    }

    fn error(&self, failure: &Failure) -> Value {
        let [cause, remedy] = failure.cause_and_remedy(self.language);
        let mut error = json!({
            "code": failure.code.word(),
            "exit": failure.code.exit(),
            "detail": failure.detail,
            "cause": cause,
            "remedy": remedy,
        });
        if let Some(problem) = &failure.problem {
            error["problem"] = serde_json::to_value(problem).unwrap_or_default();
        }
        error
    }
}

/// Shows a picture, if standard output is a terminal; what cannot be shown is said, and no failure.
pub fn picture(file: &[u8]) {
    if !io::stdout().is_terminal() {
        return;
    }
    match picture::drawn(file, picture::Terminal::of_environment()) {
        Ok(text) => drop(say(&text)),
        Err(why) => warn(&format!("the portrait is not shown: {why}")),
    }
}

/// Writes a sentence that is wanted also where only what is wrong is.
pub fn warn(sentence: &str) {
    let _ = writeln!(io::stderr(), "{sentence}");
}

/// Whether the commands of a chip are shown as they go: on a terminal, unless more or less was asked for.
pub fn shows_progress(manner: &Manner) -> bool {
    io::stderr().is_terminal() && !manner.quiet && manner.verbose == 0
}

/// Whether standard error may be coloured (<https://no-color.org>).
pub fn may_colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Writes the failure of a command line that was not understood, if JSON was asked for on it.
pub fn misunderstood(error: &clap::Error, told: Option<&str>) {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = told.map_or_else(|| error.render().to_string(), str::to_owned);
        let first = text.lines().next().unwrap_or_default();
        let detail = first.split_once(": ").map_or(first, |(_, detail)| detail);
        let error = json!({ "code": "command-line", "exit": error.exit_code(), "detail": detail });
        let _ = say(&envelope("command-line", None, Some(error)).to_string());
    }
}

/// `schema` names command and version, `at` the moment in UTC. `error` is there if and only if
/// the exit status is not 0.
fn envelope(command: &str, result: Option<Value>, error: Option<Value>) -> Value {
    let mut envelope = serde_json::Map::new();
    envelope.insert("schema".to_owned(), format!("citizen-card/{command}/1").into());
    envelope.insert("at".to_owned(), ambient::now().format(&Rfc3339).unwrap_or_default().into());
    let members = [("result", result), ("error", error)];
    envelope.extend(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Value::Object(envelope)
}

/// Writes a line of the result to standard output.
fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| {
        let code = if e.kind() == io::ErrorKind::BrokenPipe { Code::OutputClosed } else { Code::OutputUnusable };
        Failure::new(code, format!("standard output: {e}"))
    })
}

/// The line of a terminal on which the commands are counted. Dropping it clears the line.
#[derive(Default)]
struct Line {
    is_used: bool,
}

impl Line {
    fn shows(&mut self, phase: &str, commands: usize) {
        self.is_used = true;
        let _ = write!(io::stderr(), "\r\x1b[K{phase}: {commands} commands");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.is_used {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
