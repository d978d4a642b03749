//! Around the offices: router, problems, idempotent writes, TLS.

mod problem;
mod router;
mod store;
mod tls;
mod write;

pub use problem::{Problem, ProblemBody};
pub(crate) use router::method_not_allowed;
pub use router::{document, router};
pub use store::MIGRATIONS;
pub(crate) use store::forget;
pub use tls::{ListenError, TlsListener};
pub use write::{Answer, Body, IdempotencyKey, Read, Stamp, Write};

/// An idempotency key is good for so long; later the same key is a new intention.
pub const ANSWERS_KEPT: time::Duration = time::Duration::days(7);
