//! The register: what a declaration (form DC01) says about one person, and what is wrong with it.

mod api;
pub mod change;
mod change_api;
pub mod check;
pub mod history;
pub mod model;
pub mod names;
mod problem;
pub mod reference;
pub mod reorganisation;
pub mod search;
pub mod steps;
pub mod store;

use std::sync::Arc;

pub use api::routes;
pub(crate) use api::{PersonView, claimed};
pub(crate) use change_api::PersonHistory;
use reference::{ExtraProvince, Reference};
use serde::{Deserialize, Serialize};
pub use steps::PopulationError;
pub use store::history::{REGISTER_CHANGE, REGISTER_EVENT};
pub use store::{MIGRATIONS, PERSON_READER};

/// Settings of the register.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Provinces beside the official ones, for invented people.
    pub extra_provinces: Vec<ExtraProvince>,
    /// Folder with tables of what changed since November 2021, CSV; none by default.
    pub reorganisations: Option<std::path::PathBuf>,
    /// The State whose citizens it holds, three letters; the service takes it from its authority [default: `VNM`].
    #[serde(skip)]
    pub state: Option<String>,
}

/// What the register has: the tables that declarations are checked against, and the words of names.
#[derive(Clone, Debug)]
pub struct Register {
    reference: Arc<Reference>,
    names: names::Remembered,
}

impl Register {
    /// The register with these settings, and with the tables in their folder.
    ///
    /// # Errors
    /// [`TablesError`](reorganisation::TablesError)
    pub fn open(settings: &Settings) -> Result<Self, reorganisation::TablesError> {
        let changes = settings.reorganisations.as_deref().map(reorganisation::read_folder).transpose()?;
        let reference = Reference::new(&settings.extra_provinces).of_state(settings.state.as_deref());
        let reference = reference.changed_by(changes.unwrap_or_default());
        Ok(Self { reference: Arc::new(reference), names: names::Remembered::default() })
    }

    /// Provinces, districts, communes, ethnic groups.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }
}
