//! The chip's end of whatever protects the conversation now.

use crypto::apdu::{Command, Response, Status, cla};
use crypto::suite::Cipher;
use crypto::{scp03, sm};

/// How commands are protected at the moment. At most one session exists.
#[derive(Default)]
pub(crate) enum Channel {
    /// Secure messaging of Doc 9303-11 §9.8, opened by BAC, PACE or chip authentication.
    Bearer { session: Box<sm::Chip>, cipher: Cipher },
    /// SCP03 with the issuer.
    Issuer(Box<scp03::chip::Session>),
    /// None.
    #[default]
    Plain,
}

/// How a class byte says that its command is protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protection {
    /// `84`.
    GlobalPlatform,
    /// `0C`.
    Iso,
    /// `00`, `80`.
    None,
}

impl Protection {
    pub(crate) fn of(class: u8) -> Self {
        match class & !cla::CHAINED {
            c if c & 0x80 == 0 && c & cla::SECURE == cla::SECURE => Self::Iso,
            c if c & 0x80 != 0 && c & cla::GLOBAL_PLATFORM_SECURE != 0 => Self::GlobalPlatform,
            _ => Self::None,
        }
    }
}

impl Channel {
    pub(crate) fn protection(&self) -> Protection {
        match self {
            Self::Bearer { .. } => Protection::Iso,
            Self::Issuer(_) => Protection::GlobalPlatform,
            Self::Plain => Protection::None,
        }
    }

    /// The plain command.
    pub(crate) fn open(&mut self, command: &Command) -> Result<Command, Status> {
        match self {
            Self::Bearer { session, .. } => session.open(command),
            Self::Issuer(session) => session.open(command),
            Self::Plain => Ok(command.clone()),
        }
    }

    pub(crate) fn seal(&mut self, response: Response) -> Response {
        match self {
            Self::Bearer { session, .. } => session.seal(response),
            Self::Issuer(session) => session.seal(response),
            Self::Plain => response,
        }
    }

    /// The most plain data bytes of which the sealed answer has at most `limit` bytes.
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
