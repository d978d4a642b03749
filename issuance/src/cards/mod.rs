//! What a card is and holds: the registry of cards and of revoked documents, the series' profile, and the files of one
//! card. It knows no application and no chip in the making.

mod api;
pub mod compose;
pub mod model;
mod problem;
pub mod profile;
pub mod steps;
pub mod store;

pub use api::routes;
pub use profile::{CardProfile, State};
pub use steps::CardError;
pub use store::{CARD, MIGRATIONS};
