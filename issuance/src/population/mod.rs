//! The register: what a declaration (form DC01) says about one person, and what is wrong with it.

mod api;
pub mod campaign;
pub mod change;
mod change_api;
pub mod check;
pub mod duplicates;
mod duplicates_api;
pub mod forms;
pub mod history;
pub mod import;
pub mod merge;
mod merge_api;
pub mod model;
pub mod names;
pub mod nation;
mod pages;
mod problem;
pub mod quality;
mod quality_api;
mod quality_picture;
pub mod reference;
pub mod reorganisation;
pub mod rules;
pub mod search;
pub mod steps;
pub mod store;
pub mod traits;
pub mod units;

use std::sync::Arc;

pub use api::routes;
pub(crate) use api::{PersonView, claimed};
pub(crate) use change_api::PersonHistory;
pub(crate) use duplicates_api::PersonDuplicates;
pub(crate) use pages::pages;
pub use quality_picture::picture;
use reference::{ExtraProvince, Reference};
use serde::{Deserialize, Serialize};
pub use steps::PopulationError;
pub use store::duplicates::DUPLICATE_VERDICT;
pub use store::forms::DECLARATION_FORM;
pub use store::history::{REGISTER_CHANGE, REGISTER_EVENT};
pub use store::import::IMPORT_BATCH;
pub use store::merge::REGISTER_MERGE;
pub use store::{MIGRATIONS, PERSON_READER};

/// Settings of the register.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Provinces beside the official ones, for invented people.
    pub extra_provinces: Vec<ExtraProvince>,
    /// A record counts as living for so many months after it was declared or confirmed.
    pub living_months: u32,
    /// Folder with tables of what changed since November 2021, CSV; none by default.
    pub reorganisations: Option<std::path::PathBuf>,
    /// The State whose citizens it holds, three letters; the service takes it from its authority [default: `VNM`].
    #[serde(skip)]
    pub state: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { extra_provinces: vec![], living_months: 24, reorganisations: None, state: None }
    }
}

/// What the register has: the tables that declarations are checked against, the words of names, and the book
/// of the numbers for life.
#[derive(Clone, Debug)]
pub struct Register {
    reference: Arc<Reference>,
    numbers: Option<Arc<dyn import::NumberBook>>,
    names: names::Remembered,
    living_months: u32,
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
        Ok(Self {
            reference: Arc::new(reference),
            numbers: None,
            names: names::Remembered::default(),
            living_months: settings.living_months,
        })
    }

    /// The same register, which enters the numbers that people have already into this book.
    #[must_use]
    pub fn with_numbers(self, numbers: Arc<dyn import::NumberBook>) -> Self {
        Self { numbers: Some(numbers), ..self }
    }

    /// The book of the numbers for life.
    #[must_use]
    pub fn numbers(&self) -> Option<&dyn import::NumberBook> {
        self.numbers.as_deref()
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
