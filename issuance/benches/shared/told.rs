//! For benches: what the service tells of its answers, the clock, and a database that is at rest.

use std::path::Path;
use std::sync::{Arc, Mutex};

use sqlx::Connection as _;
use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer};

#[expect(clippy::disallowed_methods, reason = "certificates of reqwest are judged by the computer's clock")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Collects what the service tells of the duration of its answers.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<u64>>>);

impl Told {
    pub fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl<S: tracing::Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut duration = Duration(None);
        event.record(&mut duration);
        if let Some(microseconds) = duration.0 {
            self.0.lock().expect("no panic").push(microseconds);
        }
    }
}

/// The field `duration_us` of an event.
struct Duration(Option<u64>);

impl Visit for Duration {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "duration_us" {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
/// Puts SQLite's log of the filling, all of it one transaction, into the database, as happens bit by bit where rows
/// come one after the other; else the first list that is measured pays for it.
pub async fn settle(database: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("the database");
    let (busy, ..): (i64, i64, i64) = sqlx::query_as("pragma wal_checkpoint(truncate)")
        .fetch_one(&mut connection)
        .await
        .expect("the log is put into the database");
    assert_eq!(busy, 0, "the log is in use");
}
