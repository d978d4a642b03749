//! The register: what a declaration (form DC01) says about one person, and what is wrong with it.

mod api;
pub mod campaign;
pub mod change;
mod change_api;
pub mod check;
pub mod history;
pub mod model;
pub mod nation;
mod problem;
pub mod quality;
mod quality_api;
mod quality_picture;
pub mod reference;
pub mod search;
pub mod steps;
pub mod store;

use std::sync::Arc;

pub use api::routes;
pub(crate) use api::{PersonView, claimed};
pub(crate) use change_api::PersonHistory;
pub use quality_picture::picture;
use reference::{ExtraProvince, Reference};
use serde::{Deserialize, Serialize};
pub use steps::PopulationError;
pub use store::history::{REGISTER_CHANGE, REGISTER_EVENT};
pub use store::{MIGRATIONS, PERSON_READER};

/// Settings of the register.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Provinces beside the official ones, for invented people.
    pub extra_provinces: Vec<ExtraProvince>,
    /// A record counts as living for so many months after it was declared or confirmed.
    pub living_months: u32,
    /// The State whose citizens it holds, three letters; the service takes it from its authority [default: `VNM`].
    #[serde(skip)]
    pub state: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { extra_provinces: vec![], living_months: 24, state: None }
    }
}

/// What the register has: the tables that declarations are checked against.
#[derive(Clone, Debug)]
pub struct Register {
    reference: Arc<Reference>,
    living_months: u32,
}

impl Register {
    /// The register with these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let reference = Reference::new(&settings.extra_provinces).of_state(settings.state.as_deref());
        Self { reference: Arc::new(reference), living_months: settings.living_months }
    }

    /// Months for which a record counts as living.
    #[must_use]
    pub fn living_months(&self) -> u32 {
        self.living_months
    }

    /// Provinces, districts, communes, ethnic groups.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }
}
