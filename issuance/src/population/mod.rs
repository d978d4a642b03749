//! The register: what a declaration (form DC01) says about one person, and what is wrong with it.

mod api;
pub mod change;
mod change_api;
pub mod check;
pub mod duplicates;
mod duplicates_api;
pub mod history;
pub mod model;
mod problem;
pub mod reference;
pub mod search;
pub mod steps;
pub mod store;

use std::sync::Arc;

pub use api::routes;
pub(crate) use api::{PersonView, claimed};
pub(crate) use change_api::PersonHistory;
pub(crate) use duplicates_api::PersonDuplicates;
use reference::{ExtraProvince, Reference};
use serde::{Deserialize, Serialize};
pub use steps::PopulationError;
pub use store::duplicates::DUPLICATE_VERDICT;
pub use store::history::{REGISTER_CHANGE, REGISTER_EVENT};
pub use store::{MIGRATIONS, PERSON_READER};

/// Settings of the register.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Provinces beside the official ones, for invented people.
    pub extra_provinces: Vec<ExtraProvince>,
    /// The State whose citizens it holds, three letters; the service takes it from its authority [default: `VNM`].
    #[serde(skip)]
    pub state: Option<String>,
}

/// What the register has: the tables that declarations are checked against.
#[derive(Clone, Debug)]
pub struct Register {
    reference: Arc<Reference>,
}

impl Register {
    /// The register with these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { reference: Arc::new(Reference::new(&settings.extra_provinces).of_state(settings.state.as_deref())) }
    }

    /// Provinces, districts, communes, ethnic groups.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }
}
