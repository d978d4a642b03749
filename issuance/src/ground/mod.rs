//! What every office stands on: clock and civil day, identifiers, callers, encryption at rest,
//! large objects, blocking work.

pub mod actor;
pub mod blocking;
pub mod carried;
pub mod clock;
pub mod failpoint;
pub mod files;
pub mod ids;
pub mod moment;
pub mod objects;
pub(crate) mod paper;
pub mod secrets;
pub mod span;
pub mod text;
pub(crate) mod together;
mod words;

pub use actor::{Caller, Decision, OfficeCode, Officer, OtherOffice, Permission, Role, Station};
pub use clock::{Clock, Randomness, Source};
pub use ids::Id;
pub use secrets::{Secrets, SecretsError};
pub(crate) use words::words;
