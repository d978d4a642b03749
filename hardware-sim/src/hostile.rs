//! Chips that misbehave on purpose: forged, broken and hostile ones.
//!
//! A hostile profile is one entry of [`TABLE`]: a name and up to three hooks. Adding one means adding its entry; the
//! names that `--profile` understands, the state file and the tests follow from the table.
//!
//! | hook | is called | may |
//! | --- | --- | --- |
//! | [`Before`] | with the bytes of each command, before the chip looks at them | answer in the chip's place |
//! | [`Plain`] | with each command that was served and its plain answer, before it is sealed | change the answer |
//! | [`Wire`] | with the bytes of each response APDU, after sealing | replace them |
//!
//! A hook sees the chip only through its [`Scene`].

use std::fmt;
use std::time::Duration;

use crypto::apdu::{Command, Response, Status};
use crypto::command::read_binary::ReadBinary;
use crypto::lds::File;
use rand::rngs::ChaCha20Rng;
use rand_core::Rng as _;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A named way of misbehaving.
pub struct Hostile {
    /// Words in kebab case, unique in [`TABLE`]; `--profile` takes it with `hostile-` in front.
    pub name: &'static str,
    /// One sentence: what a terminal meets.
    pub summary: &'static str,
    /// The hook before a command.
    pub before: Option<Before>,
    /// The hook on a plain answer.
    pub plain: Option<Plain>,
    /// The hook on the wire.
    pub wire: Option<Wire>,
}

/// Called with the bytes of a command APDU before the chip looks at them. Returns the bytes to answer in the chip's
/// place (possibly none at all), or `None` to let the chip serve the command.
pub type Before = fn(&mut Scene<'_>, &[u8]) -> Option<Vec<u8>>;

/// Called with a served command in the clear (a chain put together) and its answer before it is
/// sealed. Changes the answer.
pub type Plain = fn(&mut Scene<'_>, &Command, &mut Response);

/// Called with the bytes of a response APDU that is ready to leave. Returns the bytes that leave.
pub type Wire = fn(&mut Scene<'_>, Vec<u8>) -> Vec<u8>;

/// What a hook sees of the chip, and what it may change besides the answer.
pub struct Scene<'a> {
    /// Number of this command since the chip was opened, from 1.
    pub command: u64,
    /// Whether a secure channel is open: before the command in `before`, after it in `wire`.
    pub protected: bool,
    /// The file that is current.
    pub file: Option<File>,
    /// Random numbers, a function of the chip's seed.
    pub rng: &'a mut ChaCha20Rng,
    /// How much longer than usual the answer takes.
    pub delay: &'a mut Duration,
    /// What the hooks of this profile want to remember until the next reset. Empty at first.
    pub notes: &'a mut Vec<u8>,
}

/// Every hostile profile, in the order of their names.
pub static TABLE: &[Hostile] = &[
    Hostile {
        name: "empty-reads",
        summary: "Reads are answered 9000 without a byte: a reader that waits for more never ends.",
        plain: Some(|_, command, response| {
            if of_a_file(command, response).is_some() {
                *response = Response::success([]);
            }
        }),
        ..HONEST
    },
    Hostile {
        name: "garbage",
        summary: "Every answer is replaced by random bytes of random length.",
        wire: Some(|scene, _| {
            let mut bytes = vec![0; scene.rng.next_u32() as usize % 300];
            scene.rng.fill_bytes(&mut bytes);
            bytes
        }),
        ..HONEST
    },
    Hostile {
        name: "one-byte-reads",
        summary: "Reads return one byte each.",
        plain: Some(|_, command, response| {
            let Some(read) = of_a_file(command, response) else { return };
            if let Ok([first, _, ..]) = read.content(response.data.clone()).as_deref() {
                response.data = read.answer(&[*first]);
            }
        }),
        ..HONEST
    },
    Hostile {
        name: "truncated",
        summary: "The second half of every answer is lost.",
        wire: Some(|_, mut bytes| {
            bytes.truncate(bytes.len() / 2);
            bytes
        }),
        ..HONEST
    },
    Hostile {
        name: "wrong-macs",
        summary: "Every answer in a secure channel carries a wrong MAC.",
        wire: Some(|scene, mut bytes| {
            if scene.protected
                && let [.., last, _, _] = &mut bytes[..]
            {
                *last ^= 0x80;
            }
            bytes
        }),
        ..HONEST
    },
];

/// No hooks: the profile of a chip that behaves, and the base of every entry.
const HONEST: Hostile = Hostile { name: "none", summary: "The chip behaves.", before: None, plain: None, wire: None };

static NONE: Hostile = HONEST;

/// Which hostile profile a chip has, if any. Written into the state file by name.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(try_from = "String", into = "&'static str")]
pub struct Malice(&'static Hostile);

impl Malice {
    /// The chip behaves.
    pub const NONE: Self = Self(&NONE);

    /// Returns every hostile profile once; [`Malice::NONE`] is not one.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// Returns the hostile profile with this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|malice| malice.0.name == name)
    }

    /// Returns the name in kebab case; `none` for a chip that behaves.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Returns the entry of the table.
    pub fn hostile(self) -> &'static Hostile {
        self.0
    }

    /// Makes a profile of an entry that is not in the table, for the tests of the hooks themselves.
    #[cfg(test)]
    pub(crate) const fn of(hostile: &'static Hostile) -> Self {
        Self(hostile)
    }

    /// Runs the hook before a command. Returns the answer to give in the chip's place, if any.
    pub(crate) fn before(self, scene: &mut Scene<'_>, command: &[u8]) -> Option<Vec<u8>> {
        self.0.before.and_then(|hook| hook(scene, command))
    }

    /// Runs the hook on a plain answer.
    pub(crate) fn plain(self, scene: &mut Scene<'_>, command: &Command, response: &mut Response) {
        if let Some(hook) = self.0.plain {
            hook(scene, command, response);
        }
    }

    /// Runs the hook on the wire. Returns the bytes that leave the chip.
    pub(crate) fn wire(self, scene: &mut Scene<'_>, bytes: Vec<u8>) -> Vec<u8> {
        match self.0.wire {
            Some(hook) => hook(scene, bytes),
            None => bytes,
        }
    }
}

impl Default for Malice {
    fn default() -> Self {
        Self::NONE
    }
}

impl PartialEq for Malice {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Malice {}

impl fmt::Debug for Malice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Malice({})", self.name())
    }
}

impl From<Malice> for &'static str {
    fn from(malice: Malice) -> Self {
        malice.name()
    }
}

impl TryFrom<String> for Malice {
    type Error = UnknownMalice;

    fn try_from(name: String) -> Result<Self, UnknownMalice> {
        if name == HONEST.name { Ok(Self::NONE) } else { Self::named(&name).ok_or(UnknownMalice(name)) }
    }
}

/// A state file names a hostile profile that this version does not have.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("there is no hostile profile {0:?}")]
pub struct UnknownMalice(String);

/// Returns the READ BINARY that `command` is, if its answer came from a file; `None` if the read
/// was refused before that.
fn of_a_file(command: &Command, response: &Response) -> Option<ReadBinary> {
    let reached = matches!(response.status, Status::SUCCESS | Status::END_OF_FILE | Status::OFFSET_OUTSIDE_FILE);
    ReadBinary::try_from(command).ok().filter(|_| reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_a_name_of_its_own_a_sentence_and_a_hook() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name), "sorted by name, and no name twice");
        for hostile in TABLE {
            let name = hostile.name;
            assert_ne!(name, HONEST.name);
            assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}: kebab case");
            assert!(hostile.summary.ends_with('.'), "{name}: the summary is a sentence");
            assert!(hostile.before.is_some() || hostile.plain.is_some() || hostile.wire.is_some(), "{name}: no hook");
        }
    }

    #[test]
    fn a_profile_is_written_and_read_by_its_name() {
        for malice in Malice::all().chain([Malice::NONE]) {
            let text = serde_json::to_string(&malice).expect("a string");
            assert_eq!(text, format!("{:?}", malice.name()));
            assert_eq!(serde_json::from_str::<Malice>(&text).expect("the same name"), malice);
        }
        assert!(serde_json::from_str::<Malice>("\"visa\"").is_err());
    }

    #[test]
    fn an_odd_read_of_one_byte_stays_a_data_object() {
        let one = Malice::named("one-byte-reads").expect("in the table").hostile().plain.expect("a hook");
        let (mut rng, mut delay, mut notes) = (rand::SeedableRng::seed_from_u64(1), Duration::ZERO, Vec::new());
        let mut scene =
            Scene { command: 1, protected: false, file: None, rng: &mut rng, delay: &mut delay, notes: &mut notes };
        let read = ReadBinary { offset: 0x8000, short_id: None, length: 20, odd: true };
        for (content, wanted) in [(&[7, 8, 9][..], "530107"), (&[7], "530107"), (&[], "")] {
            let data = if content.is_empty() { vec![] } else { read.answer(content) };
            let mut response = Response::success(data);
            one(&mut scene, &read.into(), &mut response);
            assert_eq!(hex::encode(response.data), wanted);
        }
    }
}
