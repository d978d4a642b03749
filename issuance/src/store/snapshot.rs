//! What a backup asks of the database: a copy at one moment, the version of its tables, whether it is empty.

use std::path::{Path, PathBuf};

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;

use super::db::Engine;
use super::{Db, StoreError};

/// A reader that keeps SQLite from beginning its log anew.
pub struct HeldLog(#[expect(dead_code, reason = "held for its transaction")] PoolConnection<Sqlite>);

impl std::fmt::Debug for HeldLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeldLog")
    }
}

impl Db {
    /// Writes the database as it is at this moment into a new or empty file, while others go on reading and writing.
    /// Returns false on PostgreSQL, whose own program does that.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn copy_into(&self, file: &Path) -> Result<bool, StoreError> {
        let Engine::Lite(pool) = self.engine() else { return Ok(false) };
        let mut connection = pool.acquire().await?;
        let file = file.to_string_lossy().into_owned();
        sqlx::query("vacuum into $1").bind(file).execute(&mut *connection).await?;
        Ok(true)
    }

    /// Holds the write-ahead log of SQLite: until it is released, SQLite goes on at its end and does not begin it anew.
    /// Returns `None` on PostgreSQL.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn hold_log(&self) -> Result<Option<HeldLog>, StoreError> {
        let Engine::Lite(pool) = self.engine() else { return Ok(None) };
        let mut connection = pool.acquire().await?;
        // An open transaction must not come back to the pool.
        connection.close_on_drop();
        sqlx::query("pragma wal_checkpoint(passive)").execute(&mut *connection).await?;
        // A write that changes nothing: a reader of a log that is wholly in the file would hold nothing.
        let version: i64 = sqlx::query_scalar("pragma user_version").fetch_one(&mut *connection).await?;
        let sql = format!("pragma user_version = {version}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await?;
        sqlx::query("begin").execute(&mut *connection).await?;
        let _: i64 = sqlx::query_scalar("select count(*) from sqlite_master").fetch_one(&mut *connection).await?;
        Ok(Some(HeldLog(connection)))
    }

    /// Returns the version of the last migration that the database took; none if it took none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn schema(&self) -> Result<Option<i64>, StoreError> {
        if !self.has_table("_sqlx_migrations").await? {
            return Ok(None);
        }
        // The driver's own table: no office has a statement about it.
        let sql = "select max(version) from _sqlx_migrations where success";
        Ok(match self.engine() {
            Engine::Pg(pool) => sqlx::query_scalar(sql).fetch_one(pool).await?,
            Engine::Lite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await?,
        })
    }

    /// True if the database holds nothing of anyone: no table, view or sequence.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(match self.engine() {
            Engine::Pg(pool) => {
                let sql = "select not exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                     where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
                     and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f'))";
                sqlx::query_scalar(sql).fetch_one(pool).await?
            }
            Engine::Lite(pool) => sqlx::query_scalar("select count(*) = 0 from sqlite_master").fetch_one(pool).await?,
        })
    }

    /// Returns where the SQLite file of a data folder lies.
    #[must_use]
    pub fn lite_file(data: &Path) -> PathBuf {
        data.join(super::db::FILE)
    }
}
