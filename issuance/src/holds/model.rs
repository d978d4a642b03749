//! A legal hold, and when it stands; pure.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use crate::ground::Decision;
use crate::ground::ids::{ApplicationId, HoldId, PersonId};

/// What a legal hold names.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// A person: everything that is kept about the person.
    Person,
    /// One application of a person.
    Application,
    /// The application that became a card.
    Card,
}

impl Named {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Application => "application",
            Self::Card => "card",
        }
    }
}

/// A legal hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hold {
    /// Identifier.
    pub id: HoldId,
    /// What it names.
    pub named: Named,
    /// Identifier of what it names.
    pub object: uuid::Uuid,
    /// The person whose data it keeps.
    pub person: PersonId,
    /// The one application that it keeps; none: all of the person.
    pub application: Option<ApplicationId>,
    /// The grounds, in the words of the officer who proposed it.
    pub grounds: String,
    /// The officer who wants it.
    pub proposed: Decision,
    /// The second officer.
    pub confirmed: Option<Decision>,
    /// Why it is to end.
    pub release_grounds: Option<String>,
    /// The officer who wants it to end.
    pub release_proposed: Option<Decision>,
    /// The second officer.
    pub released: Option<Decision>,
}

/// How far a hold is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HoldState {
    /// Wanted by one officer; it stands for a week.
    Proposed,
    /// Wanted by one officer, and not confirmed within a week: it does not stand.
    Lapsed,
    /// It stands.
    Confirmed,
    /// It stands, and one officer wants it to end.
    ReleaseProposed,
    /// It ended.
    Released,
}

impl HoldState {
    /// The word, as answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Lapsed => "lapsed",
            Self::Confirmed => "confirmed",
            Self::ReleaseProposed => "release-proposed",
            Self::Released => "released",
        }
    }
}

/// A hold that waits for its second officer stands for so long: nothing is erased in the meantime, and one officer
/// alone keeps nothing for ever.
pub const PROPOSAL_STANDS: Duration = Duration::days(7);

impl Hold {
    /// How far it is at this moment.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> HoldState {
        match (&self.confirmed, &self.release_proposed, &self.released) {
            (_, _, Some(_)) => HoldState::Released,
            (Some(_), Some(_), None) => HoldState::ReleaseProposed,
            (Some(_), None, None) => HoldState::Confirmed,
            (None, ..) if now - self.proposed.at < PROPOSAL_STANDS => HoldState::Proposed,
            (None, ..) => HoldState::Lapsed,
        }
    }

    /// True if what it names must not be erased at this moment.
    #[must_use]
    pub fn stands(&self, now: OffsetDateTime) -> bool {
        match self.state(now) {
            HoldState::Proposed | HoldState::Confirmed | HoldState::ReleaseProposed => true,
            HoldState::Lapsed | HoldState::Released => false,
        }
    }
}
