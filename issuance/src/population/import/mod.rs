//! Files of declarations (form DC01) enter the register: in constant memory, in transactions of some thousand rows,
//! each with how far the file is read, so that it may be cut anywhere and goes on there (ADR 0023).

mod columns;
mod end;
mod first;
mod judge;
mod lease;
pub mod quarantine;
mod quarantine_api;
mod reader;
mod run;

use std::borrow::Cow;
use std::fs::{self, File};
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::{fmt, io};

pub(super) use columns::{Columns, of_json};
pub use columns::{Declared, HeaderError, names};
use crypto::identity::PersonalNumber;
pub use end::{EndError, end};
pub use first::{First, FirstRefused};
pub use judge::{Fit, digest};
pub(super) use quarantine_api::routes;
pub(super) use reader::Rows;
pub use reader::{Format, Position, ReadError};
pub use run::{Done, Ended, ImportError, Spent, Told, Wanted, import, load_first, look_for_doubles};

use crate::ground::Decision;
use crate::ground::ids::PersonId;
use crate::store::{StoreError, Tx};

/// Returns a field as it stands in a row of CSV (RFC 4180): in quotation marks where it needs them.
#[must_use]
pub fn csv_field(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}

/// How far a file is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Rows are read.
    Reading,
    /// All rows are read; the households are looked at.
    Judging,
    /// All is done.
    Finished,
    /// An officer ended it before its end was read.
    Ended,
}

impl State {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Judging => "judging",
            Self::Finished => "finished",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for State {
    type Err = crate::deed::UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Reading, Self::Judging, Self::Finished, Self::Ended];
        known.into_iter().find(|state| state.word() == text).ok_or(crate::deed::UnknownWord)
    }
}

/// What a book of numbers does, in a transaction of the register.
pub type Noted<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Opens a file that can be read twice, with its length. A pipe, a device or a folder is refused before it is opened: a
/// pipe would be waited for.
///
/// # Errors
/// The file system's; [`io::ErrorKind::InvalidInput`] for what is no file.
pub fn open_file(path: &Path) -> io::Result<(File, u64)> {
    let none = || {
        let says = "no file: a pipe, a device or a folder cannot be read twice; write it into a file first";
        io::Error::new(io::ErrorKind::InvalidInput, says)
    };
    if !fs::metadata(path)?.is_file() {
        return Err(none());
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata.len())) } else { Err(none()) }
}

/// The book of the numbers for life, which stands above the register: `numbering` keeps it, `server` composes the two.
pub trait NumberBook: fmt::Debug + Send + Sync {
    /// Returns which of these numbers are a person's already, were one's, or are withheld.
    fn taken<'a>(&'a self, tx: &'a mut Tx, numbers: &'a [PersonalNumber]) -> Noted<'a, Vec<PersonalNumber>>;

    /// Enters numbers that persons have already; none of them is given again. A number that is taken meanwhile fails
    /// with [`StoreError::Duplicate`].
    fn enter<'a>(
        &'a self,
        tx: &'a mut Tx,
        numbers: &'a [(PersonalNumber, PersonId)],
        entered: Decision,
    ) -> Noted<'a, ()>;
}
