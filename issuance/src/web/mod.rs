//! HTTP as the offices use it: problems, idempotent writes, extractors, routes that carry their right.

mod budget;
mod desk;
mod extract;
pub(crate) mod html;
mod meter;
mod page;
mod peer;
mod pointer;
mod problem;
mod readiness;
mod routes;
mod store;
pub mod tags;
mod write;

pub use budget::{Budget, Reservation};
pub use desk::{Desk, Settings};
pub(crate) use extract::Fields;
pub use extract::{Named, OccasionAsked, Parameters};
pub use html::PagesSettings;
pub(crate) use meter::Meter;
pub use page::{Listing, Page, PageAsked};
pub use peer::{Origin, Peer, Standing, UnderWay};
pub use problem::{Catalogued, FieldError, Problem, ProblemBody, catalogued};
pub(crate) use problem::{Claim, InTheirWords};
pub use readiness::Readiness;
pub(crate) use routes::operations;
pub use routes::{Right, Routes};
pub use store::MIGRATIONS;
pub(crate) use store::{answers_before, purge_expired, purge_some};
pub use write::{Answer, Answered, Body, Digested, IdempotencyKey, Looked, Nothing, Stamp, Write};
pub(crate) use write::{body_of, drain_body, refuse_oversized_body};
