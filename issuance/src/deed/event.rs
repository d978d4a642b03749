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

/// What changed about a person.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RegisterEvent {
    /// The person.
    pub person: PersonId,
    /// What it means beyond the register.
    pub consequences: Consequences,
}

/// What a change of the register means beyond it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "facts, any of which may hold with any other")]
pub struct Consequences {
    /// The person is dead.
    pub died: bool,
    /// A court declared the person missing.
    pub missing: bool,
    /// The person who was missing is found again.
    pub found: bool,
    /// The person is no longer a citizen of the register's State.
    pub nationality_lost: bool,
    /// Sex or year of birth is another one: the number for life no longer tells it.
    pub renumbered: bool,
    /// Something that a card says in letters is another thing.
    pub on_card: bool,
    /// The record was merged into this person's: it is in force no more.
    pub merged_into: Option<PersonId>,
    /// A merge was undone: the record is in force again.
    pub restored: bool,
}

impl Consequences {
    /// True if no card can be issued on the record any more: the person has no right to one, or another record of the
    /// person is in force.
    #[must_use]
    pub fn ends_entitlement(&self) -> bool {
        self.died || self.missing || self.nationality_lost || self.merged_into.is_some()
    }
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

/// Why a change of the register cannot happen: what an office above it would tell its own caller.
#[derive(Clone, Debug, Error)]
#[error("{}", .cause.as_deref().or(.detail.as_deref()).unwrap_or(.code.word()))]
pub struct Objection {
    /// What it is.
    pub code: ProblemCode,
    /// What exactly, for the caller.
    pub detail: Option<String>,
    /// The cause of a failure inside the service, for the log alone.
    pub cause: Option<String>,
}
