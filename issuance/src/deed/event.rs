//! What the register tells the offices above it: an event that runs through the deed before it is committed.
//!
//! The register knows none of those offices. `server` composes the list of those that listen.

use std::fmt;
use std::pin::Pin;

use crypto::perso::problem::ProblemCode;
use thiserror::Error;

use super::Deed;
use crate::ground::Officer;
use crate::ground::ids::PersonId;
use crate::store::StoreError;

/// What changed about a person.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "four facts, any of which may hold with any other")]
pub struct RegisterEvent {
    /// The person.
    pub person: PersonId,
    /// The person is dead or missing.
    pub died: bool,
    /// The person is no longer a citizen of the register's State.
    pub nationality_lost: bool,
    /// Sex or year of birth is another one: the number for life no longer tells it.
    pub renumbered: bool,
    /// Something that is written on a card is another thing.
    pub on_card: bool,
}

/// An office that acts when the register changes, in the transaction of the change.
pub trait Subscriber: fmt::Debug + Send + Sync {
    /// Does what follows from the event in this office.
    ///
    /// # Errors
    /// [`Objection`]: then the change does not happen either.
    fn follow<'a>(
        &'a self,
        deed: &'a mut Deed<Officer>,
        event: RegisterEvent,
    ) -> Pin<Box<dyn Future<Output = Result<(), Objection>> + Send + 'a>>;
}

/// Why a change of the register cannot happen.
#[derive(Debug, Error)]
pub enum Objection {
    /// What follows from it is not possible.
    #[error("{1}")]
    Refused(ProblemCode, String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
