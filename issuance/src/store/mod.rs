//! The one place that knows there are two databases: SQLite in one file (embedded default) and PostgreSQL (production).
//!
//! One SQL text with `$1` placeholders runs on both. Columns are `BIGINT`, `TEXT` or `BYTEA` and nothing else: identifiers
//! are text, moments are microseconds since 1970 in UTC, truth is 0 or 1, structures are JSON in text. Every office keeps its
//! statements in its own `store.rs` and its tables in its own `MIGRATIONS`.
//!
//! ```text
//! let row = tx.one("select id, name from person where id = $1", args![id]).await?.ok_or(Unknown)?;
//! let name: FullName = row.parsed("name")?;
//! ```

mod migrations;
mod record;
mod tx;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};
use thiserror::Error;

pub use migrations::Migration;
pub use record::{Column, Record};
pub use tx::{Argument, Tx};

/// The database of this service.
#[derive(Clone, Debug)]
pub enum Db {
    /// PostgreSQL 15 or later.
    Pg(PgPool),
    /// SQLite, one file, write-ahead log.
    Lite(SqlitePool),
}

impl Db {
    /// Opens `url` (`postgres://…`), or the SQLite file `citizen-card.sqlite` under `data` when there is no URL, and brings
    /// its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] with the reason; [`StoreError::Migration`] if a table cannot be made.
    pub async fn open(url: Option<&str>, data: &Path, migrations: &[&[Migration]]) -> Result<Self, StoreError> {
        let db = match url {
            Some(url) => {
                let options = PgConnectOptions::from_str(url).map_err(|e| StoreError::Unreachable(e.to_string()))?;
                let pool = PgPoolOptions::new()
                    .max_connections(16)
                    .acquire_timeout(Duration::from_secs(10))
                    .connect_with(options)
                    .await
                    .map_err(|e| StoreError::Unreachable(e.to_string()))?;
                Self::Pg(pool)
            }
            None => {
                let file = data.join("citizen-card.sqlite");
                // Made here rather than by SQLite, so that only its owner can read it; SQLite gives its side files the same mode.
                OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(&file)
                    .map_err(|e| StoreError::Unreachable(format!("{}: {e}", file.display())))?;
                let options = SqliteConnectOptions::new()
                    .filename(&file)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    // FULL: a card that was reported as personalized must not be forgotten by a power cut.
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(10));
                let pool = SqlitePoolOptions::new()
                    .max_connections(4)
                    .acquire_timeout(Duration::from_secs(15))
                    .connect_with(options)
                    .await
                    .map_err(|e| StoreError::Unreachable(format!("{}: {e}", file.display())))?;
                Self::Lite(pool)
            }
        };
        migrations::run(&db, migrations).await?;
        Ok(db)
    }

    /// Begins a transaction that will write. On SQLite it takes the one write lock at once (`BEGIN IMMEDIATE`), because a
    /// lock that is upgraded later can fail in the middle.
    ///
    /// # Errors
    /// [`StoreError::Database`]
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Pg(pool) => Tx::Pg(pool.begin().await?),
            Self::Lite(pool) => Tx::Lite(pool.begin_with("BEGIN IMMEDIATE").await?),
        })
    }

    /// Begins a transaction that only reads, and so waits for nobody.
    ///
    /// # Errors
    /// [`StoreError::Database`]
    pub async fn begin_read(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Pg(pool) => Tx::Pg(pool.begin().await?),
            Self::Lite(pool) => Tx::Lite(pool.begin().await?),
        })
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        match self {
            Self::Pg(pool) => pool.close().await,
            Self::Lite(pool) => pool.close().await,
        }
    }
}

/// Why the store could not do what an office asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database said no.
    #[error("database: {0}")]
    Database(sqlx::Error),
    /// A unique constraint holds: somebody was there before.
    #[error("already there: {constraint}")]
    Duplicate {
        /// Constraint (PostgreSQL) or columns (SQLite), as the database names them.
        constraint: String,
    },
    /// A row does not mean what its column promises: the database was edited by hand, or by another version.
    #[error("row {id} of {table}: column {column} is inconsistent")]
    Inconsistent {
        /// Table, as written in the statement.
        table: String,
        /// Column.
        column: String,
        /// The row's `id` column, or `?`.
        id: String,
    },
    /// A table could not be made or changed.
    #[error("migration: {0}")]
    Migration(String),
    /// No connection.
    #[error("database unreachable: {0}")]
    Unreachable(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(source) if source.kind() == sqlx::error::ErrorKind::UniqueViolation => {
                Self::Duplicate { constraint: source.constraint().unwrap_or(source.message()).to_owned() }
            }
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
                Self::Unreachable(error.to_string())
            }
            _ => Self::Database(error),
        }
    }
}
