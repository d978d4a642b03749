//! One session with a chip: times and logs every APDU, stops between two of them on request, and ends at its limits.
//!
//! The log has one JSON object per line and no bodies: header, lengths, status, microseconds. The secure channel itself
//! is `crypto::inspection::SecureLine`: it lies above this layer, so the log shows what travelled.

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crypto::apdu::{Command, Response};
use crypto::conversation::CardTransport;
use serde::Serialize;

use crate::transport::{Reader, TransportError};

/// A request to stop (Ctrl-C, SIGTERM) or to pause (SIGUSR1), shared by all clones.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Requests>);

#[derive(Debug, Default)]
struct Requests {
    stops: AtomicUsize,
    is_paused: AtomicBool,
}

impl Stop {
    /// Asks every session with a clone of this to stop before its next command. Returns how
    /// often that was asked before.
    pub fn request(&self) -> usize {
        self.0.stops.fetch_add(1, Ordering::SeqCst)
    }

    /// Whether a stop was asked for.
    pub fn requested(&self) -> bool {
        self.0.stops.load(Ordering::SeqCst) > 0
    }

    /// Asks for a pause, or ends the one that there is. Returns whether there is one now.
    pub fn pause_or_go_on(&self) -> bool {
        !self.0.is_paused.fetch_xor(true, Ordering::SeqCst)
    }

    /// Whether a pause was asked for and has not ended. Work on a chip goes on; the next chip is not begun.
    pub fn is_paused(&self) -> bool {
        self.0.is_paused.load(Ordering::SeqCst)
    }
}

/// The most that the whole work with one chip may take. The watchdog of a reader limits one answer only: a chip that
/// answers slowly without end would hold its station for ever.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// From the beginning of the session to the last answer.
    pub time: Duration,
    /// Commands of the whole session.
    pub commands: usize,
}

impl Limits {
    /// More commands than any work of this program needs; a reading has a limit of its own below it.
    pub const COMMANDS: usize = 8_192;

    /// Limits the time, and the commands to [`Self::COMMANDS`].
    pub fn of(time: Duration) -> Self {
        Self { time, commands: Self::COMMANDS }
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

/// Is told the purpose of each command, and how many were answered so far.
type Progress<'a> = Box<dyn FnMut(&str, usize) + 'a>;

/// A reader whose commands are timed, logged and stopped.
pub struct Session<'a, R> {
    reader: R,
    log: Option<Box<dyn Write + 'a>>,
    phase: Phase,
    commands: usize,
    stop: Stop,
    begun: Instant,
    limits: Option<Limits>,
    progress: Option<Progress<'a>>,
}

impl<'a, R: Reader> Session<'a, R> {
    /// Observes `reader`, without a log, without a stop and without limits.
    pub fn new(reader: R) -> Self {
        let (phase, stop, begun) = (Phase::default(), Stop::default(), Instant::now());
        Self { reader, log: None, phase, commands: 0, stop, begun, limits: None, progress: None }
    }

    /// Ends with [`TransportError::LimitReached`] when the work takes more than this from now on.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        self.limited_since(Instant::now(), limits)
    }

    /// As [`Self::limited`], for work that began before the card was there.
    #[must_use]
    pub fn limited_since(mut self, begun: Instant, limits: Limits) -> Self {
        self.begun = begun;
        self.limits = Some(limits);
        if let Some(end) = self.begun.checked_add(limits.time) {
            self.reader.wait_until(end);
        }
        self
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

    /// Tells the purpose of each command and how many were answered so far, after each.
    #[must_use]
    pub fn watched(mut self, progress: impl FnMut(&str, usize) + 'a) -> Self {
        self.progress = Some(Box::new(progress));
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

    /// Fails if a limit is reached.
    fn within(&self) -> Result<(), TransportError> {
        let Some(limits) = self.limits else { return Ok(()) };
        let taken = self.begun.elapsed();
        let limit = match () {
            () if taken >= limits.time => format!("within {} s", limits.time.as_secs()),
            () if self.commands >= limits.commands => format!("after {} commands", limits.commands),
            () => return Ok(()),
        };
        Err(TransportError::LimitReached { limit, commands: self.commands, seconds: taken.as_secs() })
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
        self.within()?;
        let begun = Instant::now();
        let answer = self.reader.transmit(command);
        let microseconds = begun.elapsed().as_micros();
        self.commands += 1;
        if let Some(progress) = &mut self.progress {
            progress(self.phase.0.get(), self.commands);
        }
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
        // The reader waited no longer than the whole work may take.
        if let Err(TransportError::Hung { .. }) = answer {
            self.within()?;
        }
        answer
    }
}

impl<R: Reader> Reader for Session<'_, R> {
    fn reset(&mut self) -> Result<(), TransportError> {
        self.within()?;
        let done = self.reader.reset();
        if let Err(TransportError::Hung { .. }) = done {
            self.within()?;
        }
        done
    }

    fn wait_until(&mut self, end: Instant) {
        self.reader.wait_until(end);
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
    fn a_pause_ends_with_the_second_request_for_it_and_stops_no_command() {
        let stop = Stop::default();
        let asked = stop.clone();
        assert!(asked.pause_or_go_on() && stop.is_paused() && !stop.requested());
        assert!(Session::new(Echo).stopping(stop.clone()).transmit(&Command::new(0x84, 0, 0)).is_ok());
        assert!(!asked.pause_or_go_on() && !stop.is_paused());
    }

    #[test]
    fn a_chip_that_answers_slowly_without_end_is_ended_by_the_limit_of_time() {
        struct Slow;
        impl CardTransport for Slow {
            type Error = TransportError;

            fn transmit(&mut self, _: &Command) -> Result<Response, TransportError> {
                std::thread::sleep(Duration::from_millis(20));
                Ok(Response::success([]))
            }
        }
        impl Reader for Slow {
            fn reset(&mut self) -> Result<(), TransportError> {
                Ok(())
            }
        }
        let mut session = Session::new(Slow).limited(Limits::of(Duration::from_millis(50)));
        let error = loop {
            if let Err(error) = session.transmit(&Command::new(0xb0, 0, 0)) {
                break error;
            }
        };
        assert!(matches!(error, TransportError::LimitReached { commands: 1..=3, .. }), "{error}");
        assert!(matches!(session.reset(), Err(TransportError::LimitReached { .. })));
    }

    #[test]
    fn the_number_of_commands_has_a_limit_too() {
        let limits = Limits { time: Duration::from_hours(1), commands: 2 };
        let mut session = Session::new(Echo).limited(limits);
        for _ in 0..2 {
            assert!(session.transmit(&Command::new(0x84, 0, 0)).is_ok());
        }
        let error = session.transmit(&Command::new(0x84, 0, 0)).expect_err("the third");
        assert!(error.to_string().contains("after 2 commands"), "{error}");
    }

    #[test]
    fn a_reader_that_hangs_until_the_end_of_the_work_is_no_hung_reader() {
        struct Hangs(Option<Instant>);
        impl CardTransport for Hangs {
            type Error = TransportError;

            fn transmit(&mut self, _: &Command) -> Result<Response, TransportError> {
                let end = self.0.expect("the session tells its end");
                std::thread::sleep(end.saturating_duration_since(Instant::now()));
                Err(TransportError::Hung { seconds: 30, from: String::new() })
            }
        }
        impl Reader for Hangs {
            fn reset(&mut self) -> Result<(), TransportError> {
                Ok(())
            }

            fn wait_until(&mut self, end: Instant) {
                self.0 = Some(end);
            }
        }
        let mut session = Session::new(Hangs(None)).limited(Limits::of(Duration::from_millis(20)));
        let error = session.transmit(&Command::new(0xb0, 0, 0)).expect_err("hangs");
        assert!(matches!(error, TransportError::LimitReached { .. }), "{error}");
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
