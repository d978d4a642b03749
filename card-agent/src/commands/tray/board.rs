//! The lines of a terminal that show each reader, drawn anew in their place.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use super::tally::Tally;
use super::{State, What};

/// A line for each reader, and one for all of them.
pub struct Board {
    readers: Vec<(String, String)>,
    /// How many lines stand on the terminal.
    stand: usize,
    drawn: Option<Instant>,
}

impl Board {
    pub fn new(names: &[String]) -> Self {
        let readers = names.iter().map(|name| (name.clone(), String::new())).collect();
        Self { readers, stand: 0, drawn: None }
    }

    /// Notes what a reader said.
    pub fn notes(&mut self, place: usize, what: &What) {
        let words = match what {
            What::Again(_, failure) => format!("waits and tries again: {}", failure.code.word()),
            What::Done(done) => format!("{} {}", done.serial, done.outcome.word()),
            What::Failed(_, failure) => format!("failed: {}", failure.code.word()),
            What::Progress(phase, commands) => format!("{phase}: {commands} commands"),
            // What came of the chip stays until it is taken out.
            What::State(State::TakeOut) => format!("TAKE OUT  {}", self.readers[place].1),
            What::State(state) => state.word().to_owned(),
        };
        self.readers[place].1 = words;
    }

    /// Draws all lines, a few times a second at most.
    pub fn draw(&mut self, tally: &Tally, left: Option<u64>, is_paused: bool) {
        if self.stand > 0 && self.drawn.is_some_and(|drawn| drawn.elapsed() < Duration::from_millis(100)) {
            return;
        }
        let width = self.readers.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let mut lines: Vec<String> =
            self.readers.iter().map(|(name, words)| format!("{name:width$}  {words}")).collect();
        lines.push(format!("{}{}", if is_paused { "PAUSED, p goes on; " } else { "" }, tally.line(left)));
        let mut text = self.up();
        for line in &lines {
            let line: String = line.chars().take(WIDEST).collect();
            let _ = writeln!(text, "\r\x1b[K{line}");
        }
        self.stand = lines.len();
        self.drawn = Some(Instant::now());
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Takes the lines from the terminal, for something else to be said.
    pub fn clear(&mut self) {
        let text = self.up() + "\x1b[J";
        self.stand = 0;
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Leaves the terminal without the lines.
    pub fn ends(mut self) {
        self.clear();
    }

    /// Returns what moves to the first line.
    fn up(&self) -> String {
        if self.stand == 0 { String::new() } else { format!("\r\x1b[{}A", self.stand) }
    }
}

/// A longer line is cut, since a line that breaks would move the others.
const WIDEST: usize = 79;
