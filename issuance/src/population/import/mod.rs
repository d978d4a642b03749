//! Files of declarations (form DC01) enter the register: in constant memory, in transactions of some thousand rows,
//! each with how far the file is read, so that it may be cut anywhere and goes on there (ADR 0023).

mod columns;
mod first;
mod judge;
mod lease;
pub mod quarantine;
mod quarantine_api;
mod reader;
mod run;

use std::fmt;
use std::pin::Pin;
use std::str::FromStr;

pub use columns::{Declared, HeaderError, names};
use crypto::identity::PersonalNumber;
pub use first::{First, FirstRefused};
pub use judge::{Fit, digest};
pub(super) use quarantine_api::routes;
pub use reader::{Format, Position, ReadError};
pub use run::{Done, Ended, ImportError, Spent, Told, Wanted, import, load_first, look_for_doubles};

use crate::ground::Decision;
use crate::ground::ids::PersonId;
use crate::store::{StoreError, Tx};

/// How far a file is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Rows are read.
    Reading,
    /// All rows are read; the households are looked at.
    Judging,
    /// All is done.
    Finished,
}

impl State {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Judging => "judging",
            Self::Finished => "finished",
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
        let known = [Self::Reading, Self::Judging, Self::Finished];
        known.into_iter().find(|state| state.word() == text).ok_or(crate::deed::UnknownWord)
    }
}

/// What a book of numbers does, in a transaction of the register.
pub type Noted<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

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
