//! Legal holds: what must not be erased, although its term is over. Who puts and ends them stands in `retention`, above
//! the offices whose persons, applications and cards they name; whether one stands is asked from below.

pub mod model;
pub mod store;

pub use model::{Hold, HoldState, Named, PROPOSAL_STANDS};
pub use store::{LEGAL_HOLD, MIGRATIONS};
