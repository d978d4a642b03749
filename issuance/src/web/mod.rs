//! HTTP as the offices use it: problems, idempotent writes, extractors, routes that carry their right.

mod desk;
mod extract;
mod problem;
mod routes;
mod store;
mod write;

pub use desk::{Desk, Settings};
pub use extract::{Named, Parameters};
pub use problem::{Catalogued, Problem, ProblemBody, catalogued};
pub(crate) use routes::operations;
pub use routes::{Right, Routes};
pub use store::MIGRATIONS;
pub(crate) use store::purge_expired;
pub(crate) use write::drain_oversized_body;
pub use write::{Answer, Answered, Body, IdempotencyKey, Looked, Nothing, Stamp, Write};

/// An idempotency key is good for so long; later the same key is a new intention.
pub const ANSWERS_KEPT: time::Duration = time::Duration::days(7);
