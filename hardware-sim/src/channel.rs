//! The chip's end of the secure channel that protects commands and answers now.

use crypto::apdu::{Command, Response, Status, cla};
use crypto::suite::Cipher;
use crypto::{scp03, sm};

/// How commands and answers are protected now. At most one session exists.
#[derive(Default)]
pub(crate) enum Channel {
    /// Secure messaging of Doc 9303-11 §9.8, opened by BAC, PACE or chip authentication.
    Bearer { session: Box<sm::Chip>, cipher: Cipher },
    /// SCP03 with the issuer.
    Issuer(Box<scp03::chip::Session>),
    /// No session: commands and answers are plain.
    #[default]
    Plain,
}

/// The protection that a class byte announces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protection {
    /// SCP03: class byte `84`.
    GlobalPlatform,
    /// Secure messaging with an authenticated header: class byte `0C`.
    Iso,
    /// No protection: class bytes `00` and `80`.
    None,
}

impl Protection {
    /// Returns what `class` announces; the bit of command chaining does not matter.
    pub(crate) fn of(class: u8) -> Self {
        match class & !cla::CHAINED {
            c if c & 0x80 == 0 && c & cla::SECURE == cla::SECURE => Self::Iso,
            c if c & 0x80 != 0 && c & cla::GLOBAL_PLATFORM_SECURE != 0 => Self::GlobalPlatform,
            _ => Self::None,
        }
    }
}

impl Channel {
    /// Returns the protection that commands must have now.
    pub(crate) fn protection(&self) -> Protection {
        match self {
            Self::Bearer { .. } => Protection::Iso,
            Self::Issuer(_) => Protection::GlobalPlatform,
            Self::Plain => Protection::None,
        }
    }

    /// Checks and decrypts a command. Returns the plain one.
    ///
    /// # Errors
    /// The status to answer in the clear; the session must end then.
    pub(crate) fn open(&mut self, command: &Command) -> Result<Command, Status> {
        match self {
            Self::Bearer { session, .. } => session.open(command),
            Self::Issuer(session) => session.open(command),
            Self::Plain => Ok(command.clone()),
        }
    }

    /// Protects an answer. Returns the one to send.
    pub(crate) fn seal(&mut self, response: Response) -> Response {
        match self {
            Self::Bearer { session, .. } => session.seal(response),
            Self::Issuer(session) => session.seal(response),
            Self::Plain => response,
        }
    }

    /// Returns how many plain data bytes an answer may have so that it has at most `limit` once sealed.
    pub(crate) fn room(&self, limit: usize) -> usize {
        match self {
            Self::Bearer { cipher, .. } => sm::response_capacity(*cipher, limit),
            Self::Issuer(_) => ((limit.saturating_sub(8) / 16) * 16).saturating_sub(1),
            Self::Plain => limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_bytes_say_how_they_are_protected() {
        for (class, protection) in [
            (0x00, Protection::None),
            (0x10, Protection::None),
            (0x0c, Protection::Iso),
            (0x1c, Protection::Iso),
            (0x80, Protection::None),
            (0x84, Protection::GlobalPlatform),
        ] {
            assert_eq!(Protection::of(class), protection, "{class:02X}");
        }
    }
}
