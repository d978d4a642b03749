//! From the counter to the decision, and from the finished card to its holder: an application, what is captured for it,
//! the second officer who decides, hand-over.

mod api;
pub mod appeals;
mod barcode;
pub mod cases;
pub mod claims;
pub mod deadlines;
pub mod deciders;
pub mod drafts;
pub mod erasure;
mod faces;
pub mod fees;
pub mod fetched;
pub mod fingerprint_image;
pub mod fingerprints;
mod fingerprints_api;
pub mod fingers;
pub mod hand_over;
mod lists;
#[cfg(test)]
mod lives;
pub mod model;
pub mod moving;
mod notices;
mod pages;
pub mod paper_archive;
mod paper_archive_api;
mod papers;
pub mod payments;
mod payments_api;
pub mod portrait;
mod problem;
pub mod progress;
mod reading;
mod reference;
pub mod register_check;
pub mod stages;
pub mod steps;
pub mod store;

use std::sync::Arc;

pub(crate) use api::ApplicationView;
pub use api::routes;
use claims::Claims;
use deadlines::Deadlines;
use fees::Fees;
use fingerprints::Fingerprints;
pub(crate) use lists::{OwnApplication, of_citizen};
pub(crate) use pages::{at_counter, pages, waiting, waiting_cards};
use paper_archive::Archives;
use serde::{Deserialize, Serialize};
use stages::Procedure;
pub use steps::CounterError;
pub use store::fingerprints::FINGERPRINT_CARD;
pub use store::paper_archive::{ARCHIVE_REQUEST, CLASSIFICATION};
pub use store::payments::{FEE_ENTRY, FEE_TILL};
pub use store::register_checks::REGISTER_CHECK;
pub use store::{APPLICATION, APPLICATION_OFFICER, MIGRATIONS};

use crate::cards::CardProfile;
use crate::ground::objects::Objects;
use crate::population::Register;

/// Settings of the counter.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What an application costs.
    pub fees: Fees,
    /// How it is decided.
    pub procedure: Procedure,
    /// Until when.
    pub deadlines: Deadlines,
    /// For how long an officer has one before them.
    pub claims: Claims,
    /// What is demanded of the archive of papers.
    pub archive: Archives,
    /// What is demanded of the fingers.
    pub fingerprints: Fingerprints,
}

/// What the counter has: the fee table, the large objects, and what a card of this series can carry.
#[derive(Clone, Debug)]
pub struct Counter {
    settings: Arc<Settings>,
    objects: Objects,
    register: Register,
    profile: Arc<CardProfile>,
    body_check: bool,
}

impl Counter {
    /// The counter with these settings.
    #[must_use]
    pub fn new(settings: Settings, objects: Objects, register: Register, profile: Arc<CardProfile>) -> Self {
        Self { settings: Arc::new(settings), objects, register, profile, body_check: false }
    }

    /// The same counter, where a card is handed over only after its body was compared with its chip: also one that was
    /// made before that was demanded.
    #[must_use]
    pub fn with_body_check(self, body_check: bool) -> Self {
        Self { body_check, ..self }
    }

    /// True if a card is handed over only after its body was compared with its chip.
    fn demands_body_check(&self) -> bool {
        self.body_check
    }

    /// Returns until when what is done.
    #[must_use]
    pub fn deadlines(&self) -> &Deadlines {
        &self.settings.deadlines
    }

    /// Returns the large objects.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }
}
