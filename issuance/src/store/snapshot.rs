//! What a backup asks of the database: a copy at one moment, the version of its tables, whether it is empty.

use std::path::{Path, PathBuf};

use super::db::Engine;
use super::{Db, StoreError};
use crate::sql;

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

    /// Returns the version of the last migration that the database took; none if it took none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn schema(&self) -> Result<Option<i64>, StoreError> {
        if !self.has_table("_sqlx_migrations").await? {
            return Ok(None);
        }
        let sql = sql!("select max(version) as version from _sqlx_migrations where success");
        let row = self.begin_read().await?.one(sql, crate::args![]).await?;
        row.map_or(Ok(None), |row| row.get("version"))
    }

    /// True if the database holds nothing of anyone: no table, view or sequence.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        let sql = sql!(
            pg "select not exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
                    and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')) as empty",
            lite "select count(*) = 0 as empty from sqlite_master",
        );
        let row = self.begin_read().await?.one(sql, crate::args![]).await?;
        row.map_or(Ok(true), |row| row.get("empty"))
    }

    /// Returns where the SQLite file of a data folder lies.
    #[must_use]
    pub fn lite_file(data: &Path) -> PathBuf {
        data.join(super::db::FILE)
    }
}
