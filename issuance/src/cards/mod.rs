//! What a card is and holds: the registry of cards and of revoked documents, the series' profile, and the files of one
//! card. It knows no application and no chip in the making.

mod api;
pub mod compose;
mod lists;
pub mod model;
mod problem;
pub mod profile;
pub mod qr;
pub mod steps;
pub mod store;

use std::pin::Pin;

pub(crate) use api::CardView;
pub use api::routes;
pub(crate) use lists::{CardItem, of_person, on_chip};
pub use profile::{CardProfile, State};
use serde::{Deserialize, Serialize};
pub use steps::CardError;
pub use store::{CARD, MIGRATIONS};
use time::Duration;

use crate::deed::{Deed, Objection, RegisterEvent, Subscriber};
use crate::ground::Officer;
use crate::web::Problem;

/// Settings of the registry.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// So long after a report of loss two officers can undo it; then the card is revoked for good.
    #[serde(with = "crate::ground::span")]
    pub loss_term: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { loss_term: Duration::days(7) }
    }
}

/// The registry, as it listens to the register.
#[derive(Clone, Copy, Debug)]
pub struct Registry;

impl Subscriber for Registry {
    fn follow<'a>(
        &'a self,
        deed: &'a mut Deed<Officer>,
        event: RegisterEvent,
    ) -> Pin<Box<dyn Future<Output = Result<(), Objection>> + Send + 'a>> {
        Box::pin(async move { steps::follow(deed, event).await.map_err(|error| Problem::from(error).into()) })
    }
}
