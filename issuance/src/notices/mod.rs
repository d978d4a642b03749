//! What citizens are told in writing: each notice is written in the transaction of the step that causes it, and leaves
//! by e-mail, through a gateway for SMS, or as a letter (ADR 0040).
//!
//! At least once: an attempt is on record before it begins, so that one whose end is not known is made again under the
//! same Message-ID and reference, and counted.

mod api;
pub mod erasure;
mod letter;
mod mail;
pub mod model;
mod problem;
pub mod sending;
mod settings;
pub mod steps;
pub mod store;
pub mod texts;

use std::sync::Arc;

pub use api::routes;
pub use letter::{Letter, draw};
pub use settings::{Settings, Smtp, Tls};
pub use steps::{Case, NoticeError, write, write_about};
pub use store::{CONTACT, MIGRATIONS, NOTICE};

use crate::population::Register;

/// What this office has: its settings, and the register's tables of places for the addresses of letters.
#[derive(Clone, Debug)]
pub struct Notices {
    settings: Arc<Settings>,
    register: Register,
}

impl Notices {
    /// The office with these settings.
    #[must_use]
    pub fn new(settings: Settings, register: Register) -> Self {
        Self { settings: Arc::new(settings), register }
    }
}
