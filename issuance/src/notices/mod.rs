//! What citizens are told in writing: each notice is written in the transaction of the step that causes it, and leaves
//! by e-mail, through a gateway for SMS, or as a letter (ADR 0040).
//!
//! At least once: an attempt is on record before it begins, so that one whose end is not known is made again under the
//! same Message-ID and reference, and counted. Before it, the office that the notice tells of is asked whether what it
//! says is still so: what was overtaken, and what is for a dead person, does not leave, and is counted too.

mod api;
pub mod erasure;
mod guarded;
mod letter;
mod mail;
pub mod model;
mod problem;
pub mod sending;
mod settings;
pub mod steps;
pub mod store;
pub mod texts;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

pub use api::routes;
pub use letter::{Letter, draw};
pub use settings::{Settings, Smtp, Tls};
pub use steps::{Case, NoticeError, write, write_about};
pub use store::{CONTACT, MIGRATIONS, NOTICE};

use crate::population::Register;
use crate::store::{StoreError, Tx};

/// Whether what a notice says is still so; `None` of an office that it does not tell of.
pub type StillSo<'a> = Pin<Box<dyn Future<Output = Result<Option<bool>, StoreError>> + Send + 'a>>;

/// An office of whose things notices tell. It stands above this one; `server` composes the list.
pub trait Teller: fmt::Debug + Send + Sync {
    /// Says whether what a notice says is still so. Nothing of what it looks at is answered.
    fn still_so<'a>(&'a self, tx: &'a mut Tx, notice: &'a model::Notice) -> StillSo<'a>;
}

/// What this office has: its settings, the register's tables of places for the addresses of letters, and the offices
/// that say whether a notice is overtaken.
#[derive(Clone, Debug)]
pub struct Notices {
    settings: Arc<Settings>,
    register: Register,
    tellers: Arc<[Arc<dyn Teller>]>,
}

impl Notices {
    /// The office with these settings.
    #[must_use]
    pub fn new(settings: Settings, register: Register) -> Self {
        Self { settings: Arc::new(settings), register, tellers: Arc::default() }
    }

    /// With the offices that say whether a notice is overtaken.
    #[must_use]
    pub fn asking(self, tellers: Vec<Arc<dyn Teller>>) -> Self {
        Self { tellers: tellers.into(), ..self }
    }
}
