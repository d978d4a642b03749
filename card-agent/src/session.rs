//! One session with a chip: times and logs every APDU, and stops between two of them on request.
//!
//! The log has one JSON object per line and no bodies: header, lengths, status, microseconds. The secure channel itself
//! is `crypto::inspection::SecureLine`: it lies above this layer, so the log shows what travelled.

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crypto::apdu::{Command, Response};
use crypto::conversation::CardTransport;
use serde::Serialize;

use crate::transport::{Reader, TransportError};

/// A request to stop (Ctrl-C, SIGTERM), shared by all clones.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Asks every session with a clone of this to stop before its next command. Returns how
    /// often that was asked before.
    pub fn request(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    /// Whether a stop was asked for.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

/// The purpose of a session's commands, as the log names it.
#[derive(Clone, Debug, Default)]
pub struct Phase(Rc<Cell<&'static str>>);

impl Phase {
    /// Names the purpose of all commands from now on.
    pub fn begins(&self, name: &'static str) {
        self.0.set(name);
    }
}

/// A line of the APDU log.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    /// Number of the command in this session, from 1.
    n: usize,
    /// The purpose of the command.
    phase: &'a str,
    /// CLA INS P1 P2 as they travelled, hexadecimal.
    header: String,
    /// Nc: bytes of command data.
    nc: usize,
    /// Ne: bytes of response data asked for; absent when none were.
    ne: Option<usize>,
    /// Nr: bytes of response data received.
    nr: usize,
    /// Status word, hexadecimal; absent when no answer came.
    status: Option<String>,
    /// From handing the command to the transport until its answer.
    microseconds: u128,
}

/// A reader whose commands are timed, logged and stopped.
pub struct Session<'a, R> {
    reader: R,
    log: Option<Box<dyn Write + 'a>>,
    phase: Phase,
    commands: usize,
    stop: Stop,
}

impl<'a, R: Reader> Session<'a, R> {
    /// Observes `reader`, without a log and without a stop.
    pub fn new(reader: R) -> Self {
        Self { reader, log: None, phase: Phase::default(), commands: 0, stop: Stop::default() }
    }

    /// Ends with [`TransportError::Interrupted`] before the next command once `stop` was requested.
    #[must_use]
    pub fn stopping(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Writes a line per command to `log`. A log that cannot be written ends the session: evidence is not optional.
    #[must_use]
    pub fn logging(mut self, log: impl Write + 'a) -> Self {
        self.log = Some(Box::new(log));
        self
    }

    /// Returns the handle that names the purpose of the following commands, usable while the session is borrowed.
    pub fn phase(&self) -> Phase {
        self.phase.clone()
    }

    /// Returns the number of commands sent so far.
    pub fn commands(&self) -> usize {
        self.commands
    }

    /// Returns the reader, and ends the observation.
    pub fn into_reader(self) -> R {
        self.reader
    }
}

impl<R: Reader> CardTransport for Session<'_, R> {
    type Error = TransportError;

    fn transmit(&mut self, command: &Command) -> Result<Response, TransportError> {
        if self.stop.requested() {
            return Err(TransportError::Interrupted);
        }
        let begun = Instant::now();
        let answer = self.reader.transmit(command);
        let microseconds = begun.elapsed().as_micros();
        self.commands += 1;
        if let Some(log) = &mut self.log {
            let [p1, p2] = command.p;
            let entry = Entry {
                n: self.commands,
                phase: self.phase.0.get(),
                header: format!("{:02X}{:02X}{p1:02X}{p2:02X}", command.cla, command.ins),
                nc: command.data.len(),
                ne: command.ne,
                nr: answer.as_ref().map_or(0, |a| a.data.len()),
                status: answer.as_ref().ok().map(|a| a.status.to_string()),
                microseconds,
            };
            let mut line = serde_json::to_vec(&entry).expect("numbers and text are JSON");
            line.push(b'\n');
            log.write_all(&line).map_err(|e| TransportError::Other(format!("the APDU log cannot be written: {e}")))?;
        }
        answer
    }
}

impl<R: Reader> Reader for Session<'_, R> {
    fn reset(&mut self) -> Result<(), TransportError> {
        self.reader.reset()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl CardTransport for Echo {
        type Error = TransportError;

        fn transmit(&mut self, command: &Command) -> Result<Response, TransportError> {
            Ok(Response::success(command.data.clone()))
        }
    }

    impl Reader for Echo {
        fn reset(&mut self) -> Result<(), TransportError> {
            Ok(())
        }
    }

    #[test]
    fn a_requested_stop_comes_before_the_next_command() {
        let stop = Stop::default();
        let mut session = Session::new(Echo).stopping(stop.clone());
        assert!(session.transmit(&Command::new(0x84, 0, 0)).is_ok());
        assert_eq!(stop.request(), 0);
        assert_eq!(session.transmit(&Command::new(0x84, 0, 0)), Err(TransportError::Interrupted));
        assert_eq!((session.commands(), stop.request()), (1, 1));
    }

    #[test]
    fn the_log_shows_header_lengths_status_and_no_body() {
        let mut log = Vec::new();
        let mut session = Session::new(Echo).logging(&mut log);
        session.phase().begins("test");
        session.transmit(&Command::new(0xb0, 0x9e, 0).data([0xca, 0xfe]).expecting(256)).expect("echo");
        assert_eq!(session.commands(), 1);
        drop(session);
        let line = String::from_utf8(log).expect("text");
        let entry: serde_json::Value = serde_json::from_str(&line).expect("one JSON object");
        assert_eq!(entry["header"], "00B09E00");
        assert_eq!((entry["nc"].as_u64(), entry["ne"].as_u64(), entry["nr"].as_u64()), (Some(2), Some(256), Some(2)));
        assert_eq!(entry["status"], "9000");
        assert!(!line.contains("cafe") && !line.contains("CAFE"));
    }
}
