//! Around the offices: router, problems, idempotent writes, TLS.

mod problem;
mod router;
mod tls;
mod write;

pub use problem::{Problem, ProblemBody};
pub(crate) use router::method_not_allowed;
pub use router::{document, router};
pub use tls::{ListenError, TlsListener};
pub use write::{Answer, Body, IdempotencyKey, Read, Stamp, Write};

use crate::store::Migration;

/// An idempotency key is good for so long; later the same key is a new intention.
pub const ANSWERS_KEPT: time::Duration = time::Duration::days(7);

/// Tables of the frame.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1001,
    title: "answers to writes, by idempotency key",
    sql: "create table answer (
        caller TEXT not null,
        idempotency_key TEXT not null,
        request_hash BYTEA not null,
        sealed BYTEA,
        at BIGINT not null,
        primary key (caller, idempotency_key)
    );
    create index answer_at on answer (at);",
}];
