//! The database of this service, and how transactions begin.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor as _, PgPool, SqlSafeStr as _, SqlitePool};

use super::{Migration, Sql, StoreError, Tx, migrations};
use crate::sql;

/// The database of this service; clones share its connections.
#[derive(Clone, Debug)]
pub struct Db(Engine);

/// Which of the two databases it is.
#[derive(Clone, Debug)]
pub(super) enum Engine {
    /// PostgreSQL 15 or later.
    Pg(PgPool),
    /// SQLite, one file, write-ahead log.
    Lite(SqlitePool),
}

impl Db {
    /// Opens `url` (`postgres://…`), or the SQLite file `citizen-card.sqlite` under `data` when there is no URL, and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] with the reason; [`StoreError::Migration`] if a table cannot be made.
    pub async fn open(url: Option<&str>, data: &Path, migrations: &[&Migration]) -> Result<Self, StoreError> {
        let db = match url {
            Some(url) => Self(Engine::Pg(open_pg(url).await?)),
            None => Self(Engine::Lite(open_lite(data).await?)),
        };
        migrations::run(&db, migrations).await?;
        Ok(db)
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0
    }

    /// Begins the transaction of a deed, which will write. On SQLite it takes the one write lock at once
    /// (`BEGIN IMMEDIATE`), because a lock that is upgraded later can fail in the middle. Only `deed` calls this: what
    /// it writes leaves a record.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match &self.0 {
            Engine::Pg(pool) => Tx::of_pg(pool.acquire().await?).await?,
            Engine::Lite(pool) => Tx::of_lite(pool.acquire().await?, true).await?,
        })
    }

    /// Begins a writing transaction of the service's own upkeep: counters, sessions, leases, stored answers. It leaves
    /// no audit record, so it touches no personal data; the test of the order lists the files that may call this.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_upkeep(&self) -> Result<Tx, StoreError> {
        self.begin().await
    }

    /// Begins a transaction that only reads, and so waits for no writer. A read of personal data leaves an audit
    /// record: that one needs a deed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_read(&self) -> Result<Tx, StoreError> {
        Ok(match &self.0 {
            Engine::Pg(pool) => Tx::of_pg(pool.acquire().await?).await?,
            Engine::Lite(pool) => Tx::of_lite(pool.acquire().await?, false).await?,
        })
    }

    /// Has the database parse and plan a statement without running it, to find out whether its
    /// tables and columns are there.
    ///
    /// # Errors
    /// [`StoreError::Database`] with the database's own words.
    pub async fn prepare(&self, sql: Sql) -> Result<(), StoreError> {
        match &self.0 {
            Engine::Pg(pool) => pool.acquire().await?.prepare(sql.pg().into_sql_str()).await.map(drop)?,
            Engine::Lite(pool) => pool.acquire().await?.prepare(sql.lite().into_sql_str()).await.map(drop)?,
        }
        Ok(())
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.begin_read().await?.one(sql!("select 1 as one"), Vec::new()).await.map(drop)
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        match &self.0 {
            Engine::Pg(pool) => pool.close().await,
            Engine::Lite(pool) => pool.close().await,
        }
    }
}

async fn open_pg(url: &str) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|e| StoreError::Unreachable(e.to_string()))?;
    PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await
        .map_err(|e| StoreError::Unreachable(e.to_string()))
}

async fn open_lite(data: &Path) -> Result<SqlitePool, StoreError> {
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
    SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(15))
        .connect_with(options)
        .await
        .map_err(|e| StoreError::Unreachable(format!("{}: {e}", file.display())))
}
