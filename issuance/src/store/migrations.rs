//! Tables, as constants of the offices that own them.

use std::borrow::Cow;

use sqlx::migrate::{MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::{Db, StoreError};

/// One step of one office's tables. Additive: what was once released is never edited, only followed.
///
/// Types are `BIGINT`, `TEXT` and `BYTEA` (which becomes `BLOB` on SQLite); several statements may stand in one text.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Office × 1000 + running number: frame 1000, access 2000, audit 3000, pki 4000, population 5000, numbering 6000,
    /// applications 7000, production 8000, cards 9000.
    pub version: i64,
    /// What it does, in a few words.
    pub title: &'static str,
    /// The statements.
    pub sql: &'static str,
}

/// Applies what is missing, in order of version, and refuses when an applied text has been edited since.
pub(super) async fn run(db: &Db, offices: &[&[Migration]]) -> Result<(), StoreError> {
    let steps = offices.iter().copied().flatten().map(|step| {
        let text = match db {
            Db::Pg(_) => step.sql.to_owned(),
            Db::Lite(_) => step.sql.replace("BYTEA", "BLOB"),
        };
        // Only constants of this program come here, so no caller can put a statement of their own.
        let sql = AssertSqlSafe(text).into_sql_str();
        sqlx::migrate::Migration::new(step.version, Cow::Borrowed(step.title), MigrationType::Simple, sql, false)
    });
    let migrator = Migrator::with_migrations(steps.collect());
    match db {
        Db::Pg(pool) => migrator.run(pool).await,
        Db::Lite(pool) => migrator.run(pool).await,
    }
    .map_err(|e| StoreError::Migration(e.to_string()))
}
