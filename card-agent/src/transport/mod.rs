//! The transport of APDUs: any PC/SC reader here, the chip in process in the tests.

use std::time::Instant;

use crypto::conversation::{CardTransport, Fault};
use thiserror::Error;

pub mod pcsc;

/// A card that can be reset, so that a new session shares no state with the last one.
pub trait Reader: CardTransport<Error = TransportError> {
    /// Resets the chip: its volatile state (selected file, secure channel) is gone afterwards.
    ///
    /// # Errors
    /// [`TransportError`] if the card is not there any more.
    fn reset(&mut self) -> Result<(), TransportError>;

    /// Waits for no answer beyond this moment. A reader that cannot hang need not know of it.
    fn wait_until(&mut self, _end: Instant) {}
}

/// The reasons for which an answer did not come. Each has a code with cause and remedy in `docs/failure-codes.md`.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum TransportError {
    /// A secure channel between here and the chip broke.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// No answer came within the watchdog's time. PC/SC itself has no timeouts.
    #[error("no answer within {seconds} s from {from}")]
    Hung {
        /// The watchdog's time.
        seconds: u64,
        /// The part that hangs: a reader's name or `pcscd`.
        from: String,
    },
    /// The whole work with the card reached a limit: of time, or of commands.
    #[error("not finished {limit}: {commands} commands in {seconds} s")]
    LimitReached {
        /// The limit, in words: `within 120 s`.
        limit: String,
        /// The commands sent.
        commands: usize,
        /// The time that has passed.
        seconds: u64,
    },
    /// The operator asked to stop (Ctrl-C); no command was on its way.
    #[error("stopped on request")]
    Interrupted,
    /// The reader is there, the card is not.
    #[error("no card in reader `{reader}`")]
    NoCard {
        /// Its full name.
        reader: String,
    },
    /// No reader is connected at all.
    #[error("no reader is connected")]
    NoReader,
    /// No reader was named, and there are several.
    #[error("several readers are connected, name one with --reader or CITIZEN_CARD_READER: {}", list(present))]
    NotNamed {
        /// Names of the connected readers.
        present: Vec<String>,
    },
    /// No reader's name contains this text.
    #[error("no reader matches `{wanted}`; connected: {}", list(present))]
    ReaderUnknown {
        /// The text that was asked for.
        wanted: String,
        /// Names of the connected readers.
        present: Vec<String>,
    },
    /// Several readers' names contain this text.
    #[error("`{wanted}` fits several readers: {}", list(fits))]
    ReaderAmbiguous {
        /// The text that was asked for.
        wanted: String,
        /// Names of the readers that contain the text.
        fits: Vec<String>,
    },
    /// The reader itself went away (unplugged).
    #[error("reader `{reader}` went away")]
    ReaderGone {
        /// Its full name.
        reader: String,
    },
    /// Another program holds the reader.
    #[error("reader `{reader}` is in use by another program")]
    ReaderInUse {
        /// Its full name.
        reader: String,
    },
    /// The card was pulled, or swapped, or lost its power.
    #[error("the card was removed")]
    Removed,
    /// The PC/SC service does not answer.
    #[error("pcscd does not answer")]
    ServiceNotRunning,
    /// The answer is shorter than a status word: the card was pulled in the middle of it.
    #[error("the answer has {length} byte(s), a status word has two")]
    ShortAnswer {
        /// Bytes received.
        length: usize,
    },
    /// The card does not answer to reset: dirty contacts, upside down, or defective.
    #[error("the card in reader `{reader}` does not answer")]
    Unresponsive {
        /// The reader's full name.
        reader: String,
    },
    /// Another error, in PC/SC's words.
    #[error("PC/SC: {0}")]
    Other(String),
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
