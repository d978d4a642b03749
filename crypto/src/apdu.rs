//! Command and response APDUs, short and extended: ISO/IEC 7816-3:2006 §12.1, ISO/IEC 7816-4:2013 §5.

use std::fmt;

use thiserror::Error;

/// Bits of the class byte (ISO/IEC 7816-4:2013 §5.4.1).
pub mod cla {
    /// Interindustry, no secure messaging, last of its chain, logical channel 0.
    pub const PLAIN: u8 = 0x00;
    /// Command chaining: more commands of this chain follow.
    pub const CHAINED: u8 = 0x10;
    /// ISO secure messaging, header authenticated (Doc 9303-11 §9.8).
    pub const SECURE: u8 = 0x0c;
    /// GlobalPlatform proprietary.
    pub const GLOBAL_PLATFORM: u8 = 0x80;
    /// GlobalPlatform secure messaging bit (SCP03).
    pub const GLOBAL_PLATFORM_SECURE: u8 = 0x04;
}

/// Largest Ne of a short command: bytes.
pub const SHORT_NE: usize = 256;
/// Largest Ne of an extended command: bytes.
pub const EXTENDED_NE: usize = 65_536;

/// A command APDU. [`Command::to_bytes`] chooses the short form whenever it fits.
#[derive(Clone, Eq, PartialEq)]
pub struct Command {
    /// Class byte.
    pub cla: u8,
    /// Instruction byte.
    pub ins: u8,
    /// Parameters P1 and P2.
    pub p: [u8; 2],
    /// Command data field, 0 to 65,535 bytes.
    pub data: Vec<u8>,
    /// Ne: the most response bytes wanted, 1 to 65,536; `None` when no response data is wanted.
    pub ne: Option<usize>,
}

impl Command {
    /// Returns a plain interindustry command without data and without response data.
    pub fn new(ins: u8, p1: u8, p2: u8) -> Self {
        Self { cla: cla::PLAIN, ins, p: [p1, p2], data: Vec::new(), ne: None }
    }

    /// Sets the class byte.
    #[must_use]
    pub fn class(mut self, cla: u8) -> Self {
        self.cla = cla;
        self
    }

    /// Sets the data field.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Asks for at most `ne` bytes of response data.
    #[must_use]
    pub fn expecting(mut self, ne: usize) -> Self {
        self.ne = Some(ne);
        self
    }

    /// Returns whether more commands of the same chain follow this one.
    pub fn is_chained(&self) -> bool {
        self.cla & cla::CHAINED != 0
    }

    /// Returns whether the short form can carry it.
    pub fn fits_short(&self) -> bool {
        self.data.len() <= 255 && self.ne.unwrap_or(0) <= SHORT_NE
    }

    /// Returns the bytes on the wire: the short form if it fits, else the extended one.
    ///
    /// # Panics
    /// If the data field is longer than 65,535 bytes, which no command of this crate builds.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode(!self.fits_short())
    }

    /// Returns the bytes on the wire, in the extended form if `extended` (or if the short form cannot carry it).
    ///
    /// # Panics
    /// If the data field is longer than 65,535 bytes.
    pub fn encode(&self, extended: bool) -> Vec<u8> {
        assert!(self.data.len() <= 0xffff, "a command data field has at most 65,535 bytes");
        let mut out = vec![self.cla, self.ins, self.p[0], self.p[1]];
        if extended || !self.fits_short() {
            if !self.data.is_empty() || self.ne.is_some() {
                out.push(0);
            }
            if !self.data.is_empty() {
                let length = u16::try_from(self.data.len()).expect("checked above");
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&self.data);
            }
            if let Some(ne) = self.ne {
                let [.., high, low] = ne.to_be_bytes(); // 65,536 becomes 0000, as the standard wants
                out.extend_from_slice(&[high, low]);
            }
        } else {
            if !self.data.is_empty() {
                out.push(u8::try_from(self.data.len()).expect("a short command"));
                out.extend_from_slice(&self.data);
            }
            if let Some(ne) = self.ne {
                let [.., low] = ne.to_be_bytes(); // 256 becomes 00
                out.push(low);
            }
        }
        out
    }

    /// Reads a command APDU, all seven cases.
    ///
    /// # Errors
    /// [`LengthError`]: the length fields do not describe these bytes. A chip answers [`Status::WRONG_LENGTH`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LengthError> {
        let wrong = LengthError { length: bytes.len() };
        let [cla, ins, p1, p2, body @ ..] = bytes else { return Err(wrong) };
        let short_ne = |le: u8| if le == 0 { SHORT_NE } else { usize::from(le) };
        let long_ne = |hi: u8, lo: u8| match u16::from_be_bytes([hi, lo]) {
            0 => EXTENDED_NE,
            n => usize::from(n),
        };
        let (data, ne): (&[u8], Option<usize>) = match body {
            [] => (&[], None),
            [le] => (&[], Some(short_ne(*le))),
            [0, hi, lo] => (&[], Some(long_ne(*hi, *lo))),
            [0, hi, lo, rest @ ..] => {
                let lc = usize::from(u16::from_be_bytes([*hi, *lo]));
                match rest.split_at_checked(lc).ok_or(wrong)? {
                    _ if lc == 0 => return Err(wrong),
                    (data, []) => (data, None),
                    (data, [hi, lo]) => (data, Some(long_ne(*hi, *lo))),
                    _ => return Err(wrong),
                }
            }
            [0, ..] => return Err(wrong),
            [lc, rest @ ..] => match rest.split_at_checked(usize::from(*lc)).ok_or(wrong)? {
                (data, []) => (data, None),
                (data, [le]) => (data, Some(short_ne(*le))),
                _ => return Err(wrong),
            },
        };
        Ok(Self { cla: *cla, ins: *ins, p: [*p1, *p2], data: data.to_vec(), ne })
    }
}

/// Shows header and lengths, never the body.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p1, p2] = self.p;
        write!(f, "{:02X}{:02X}{p1:02X}{p2:02X} Nc={} Ne={:?}", self.cla, self.ins, self.data.len(), self.ne)
    }
}

/// The length fields of a command APDU contradict its length.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{length} bytes are not a command APDU: Lc and Le do not fit")]
pub struct LengthError {
    /// Bytes received.
    pub length: usize,
}

/// A response APDU.
#[derive(Clone, Eq, PartialEq)]
pub struct Response {
    /// Response data field, 0 to 65,536 bytes.
    pub data: Vec<u8>,
    /// Status word.
    pub status: Status,
}

impl Response {
    /// Creates a response with `9000` and these data.
    pub fn success(data: impl Into<Vec<u8>>) -> Self {
        Self { data: data.into(), status: Status::SUCCESS }
    }

    /// Creates a response with a status and no data.
    pub fn status(status: Status) -> Self {
        Self { data: Vec::new(), status }
    }

    /// Returns the bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.data.clone();
        out.extend_from_slice(&self.status.0.to_be_bytes());
        out
    }

    /// Reads a response APDU.
    ///
    /// # Errors
    /// [`LengthError`] if there are fewer than two bytes (some readers answer so after a card was pulled).
    pub fn parse(bytes: &[u8]) -> Result<Self, LengthError> {
        match bytes {
            [data @ .., sw1, sw2] => Ok(Self { data: data.to_vec(), status: Status(u16::from_be_bytes([*sw1, *sw2])) }),
            _ => Err(LengthError { length: bytes.len() }),
        }
    }
}

impl From<Status> for Response {
    fn from(status: Status) -> Self {
        Self::status(status)
    }
}

/// Shows length and status, never the body.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nr={} {}", self.data.len(), self.status)
    }
}

/// A status word (ISO/IEC 7816-4:2013 §5.6).
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Status(pub u16);

impl Status {
    /// `9000`.
    pub const SUCCESS: Self = Self(0x9000);
    /// `6282`: the end of the file came before Ne bytes.
    pub const END_OF_FILE: Self = Self(0x6282);
    /// `6300`: no information given; in SCP03 and PACE, authentication failed.
    pub const AUTHENTICATION_FAILED: Self = Self(0x6300);
    /// `6581`: memory failure.
    pub const MEMORY_FAILURE: Self = Self(0x6581);
    /// `6700`: wrong length.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// `6881`: logical channel not supported.
    pub const CHANNEL_NOT_SUPPORTED: Self = Self(0x6881);
    /// `6882`: secure messaging not supported.
    pub const SECURE_MESSAGING_NOT_SUPPORTED: Self = Self(0x6882);
    /// `6883`: the last command of the chain was expected.
    pub const LAST_OF_CHAIN_EXPECTED: Self = Self(0x6883);
    /// `6884`: command chaining not supported.
    pub const CHAINING_NOT_SUPPORTED: Self = Self(0x6884);
    /// `6982`: security status not satisfied.
    pub const SECURITY_NOT_SATISFIED: Self = Self(0x6982);
    /// `6983`: authentication method blocked.
    pub const BLOCKED: Self = Self(0x6983);
    /// `6985`: conditions of use not satisfied.
    pub const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    /// `6986`: command not allowed (no current EF).
    pub const NO_CURRENT_FILE: Self = Self(0x6986);
    /// `6987`: an expected secure messaging data object is missing.
    pub const SECURE_MESSAGING_OBJECT_MISSING: Self = Self(0x6987);
    /// `6988`: incorrect secure messaging data objects.
    pub const SECURE_MESSAGING_OBJECT_INCORRECT: Self = Self(0x6988);
    /// `6A80`: incorrect parameters in the command data field.
    pub const WRONG_DATA: Self = Self(0x6a80);
    /// `6A82`: file or application not found.
    pub const FILE_NOT_FOUND: Self = Self(0x6a82);
    /// `6A84`: not enough memory.
    pub const NOT_ENOUGH_MEMORY: Self = Self(0x6a84);
    /// `6A86`: incorrect parameters P1-P2.
    pub const WRONG_P1P2: Self = Self(0x6a86);
    /// `6A88`: referenced data not found.
    pub const REFERENCED_DATA_NOT_FOUND: Self = Self(0x6a88);
    /// `6B00`: wrong parameters P1-P2: offset outside the file.
    pub const OFFSET_OUTSIDE_FILE: Self = Self(0x6b00);
    /// `6D00`: instruction not supported or invalid.
    pub const INSTRUCTION_NOT_SUPPORTED: Self = Self(0x6d00);
    /// `6E00`: class not supported.
    pub const CLASS_NOT_SUPPORTED: Self = Self(0x6e00);
    /// `6F00`: no precise diagnosis.
    pub const NO_DIAGNOSIS: Self = Self(0x6f00);

    /// Returns `63Cx`: verification failed, `x` further tries.
    pub const fn tries_left(tries: u8) -> Self {
        Self(0x63c0 | (tries & 0x0f) as u16)
    }

    /// Returns the `x` of `63Cx`.
    pub fn remaining_tries(self) -> Option<u8> {
        (self.0 & 0xfff0 == 0x63c0).then_some((self.0 & 0x0f) as u8)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Cuts a command whose data field is longer than `most` bytes into a chain (ISO/IEC 7816-4:2013 §5.3.3).
///
/// # Panics
/// If `most` is zero.
pub fn chain(command: &Command, most: usize) -> Vec<Command> {
    if command.data.len() <= most {
        return vec![command.clone()];
    }
    let mut links: Vec<Command> = command
        .data
        .chunks(most)
        .map(|part| Command { cla: command.cla | cla::CHAINED, data: part.to_vec(), ne: None, ..command.clone() })
        .collect();
    if let Some(last) = links.last_mut() {
        last.cla = command.cla;
        last.ne = command.ne;
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seven_cases_are_written_and_read_back() {
        for (data, ne, hex) in [
            (0, None, "00b00102"),
            (0, Some(256), "00b0010200"),
            (0, Some(223), "00b00102df"),
            (0, Some(65_536), "00b00102000000"),
            (0, Some(300), "00b0010200012c"),
            (2, None, "00b00102020707"),
            (2, Some(8), "00b0010202070708"),
            (2, Some(257), "00b001020000020707 0101"),
        ] {
            let mut command = Command::new(0xb0, 1, 2).data(vec![7; data]);
            command.ne = ne;
            let bytes = command.to_bytes();
            assert_eq!(hex::encode(&bytes), hex.replace(' ', ""));
            assert_eq!(Command::parse(&bytes), Ok(command));
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        for bytes in [
            &[][..],
            &[0, 0xb0, 0],
            &[0, 0xb0, 0, 0, 5, 1, 2],
            &[0, 0xb0, 0, 0, 1, 2, 3, 4],
            &[0, 0xb0, 0, 0, 0, 0, 0, 1],
            &[0, 0xb0, 0, 0, 0, 1],
        ] {
            assert!(Command::parse(bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_chain_carries_the_same_bytes() {
        let command = Command::new(0x86, 0, 0).data(vec![9; 600]).expecting(256);
        let links = chain(&command, 255);
        assert_eq!(links.len(), 3);
        assert!(links[0].is_chained() && links[1].is_chained() && !links[2].is_chained());
        assert_eq!(links.iter().flat_map(|c| c.data.clone()).collect::<Vec<_>>(), command.data);
        assert_eq!((links[0].ne, links[2].ne), (None, Some(256)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_command_or_refused(bytes: Vec<u8>) {
            if let Ok(command) = Command::parse(&bytes) {
                let again = Command::parse(&command.to_bytes());
                proptest::prop_assert_eq!(again, Ok(command));
            }
        }
    }
}
