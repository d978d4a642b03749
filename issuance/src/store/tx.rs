//! A transaction, and the statements in it.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, SqlSafeStr, SqlStr, Sqlite, SqliteConnection, Transaction};

use super::argument::{Argument, day, microseconds};
use super::record::Row;
use super::{Record, RowKey, Sql, StoreError};

/// One transaction. Dropped without [`commit`](Tx::commit), it never happened.
#[derive(Debug)]
pub struct Tx(Side, Option<RowKey>);

/// The driver's own transaction.
#[derive(Debug)]
enum Side {
    /// On PostgreSQL (READ COMMITTED: lock what you decide on with [`Tx::one_locked`]).
    Pg(Transaction<'static, Postgres>),
    /// On SQLite (the only writer).
    Lite(Transaction<'static, Sqlite>),
}

/// Binds the arguments to a query of PostgreSQL, each in its column's own type.
macro_rules! bind_pg {
    ($sql:expr, $arguments:expr) => {{
        let mut query = sqlx::query::<Postgres>($sql);
        for argument in $arguments {
            query = match argument {
                Argument::Bytes(value) => query.bind(value),
                Argument::Day(value) => query.bind(value),
                Argument::Integer(value) => query.bind(value),
                Argument::Json(value) => query.bind(value),
                Argument::Moment(value) => query.bind(value),
                Argument::Text(value) => query.bind(value),
                Argument::Texts(value) => query.bind(value),
                Argument::Truth(value) => query.bind(value),
                Argument::Uuid(value) => query.bind(value),
                Argument::Uuids(value) => query.bind(value),
            };
        }
        query
    }};
}

/// Binds the arguments to a query of SQLite, in the forms that it has.
macro_rules! bind_lite {
    ($sql:expr, $arguments:expr) => {{
        let mut query = sqlx::query::<Sqlite>($sql);
        for argument in $arguments {
            query = match argument {
                Argument::Bytes(value) => query.bind(value),
                Argument::Day(value) => query.bind(value.map(day)),
                Argument::Integer(value) => query.bind(value),
                Argument::Json(value) => query.bind(value.map(|json| json.to_string())),
                Argument::Moment(value) => query.bind(value.map(microseconds)),
                Argument::Text(value) => query.bind(value),
                Argument::Texts(value) => query.bind(serde_json::json!(value).to_string()),
                Argument::Truth(value) => query.bind(value),
                Argument::Uuid(value) => query.bind(value.map(|id| id.to_string())),
                Argument::Uuids(value) => query.bind(serde_json::json!(value).to_string()),
            };
        }
        query
    }};
}

impl Tx {
    pub(super) fn of_pg(tx: Transaction<'static, Postgres>, key: Option<RowKey>) -> Self {
        Self(Side::Pg(tx), key)
    }

    pub(super) fn of_lite(tx: Transaction<'static, Sqlite>, key: Option<RowKey>) -> Self {
        Self(Side::Lite(tx), key)
    }

    pub(super) fn row_key(&self) -> Option<&RowKey> {
        self.1.as_ref()
    }

    /// Runs a statement. Returns the number of rows that it touched.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if a unique constraint holds, [`StoreError::Database`] otherwise.
    pub async fn run(&mut self, sql: Sql, arguments: Vec<Argument>) -> Result<u64, StoreError> {
        Ok(match &mut self.0 {
            Side::Pg(tx) => bind_pg!(sql.pg(), arguments).execute(&mut **tx).await?.rows_affected(),
            Side::Lite(tx) => bind_lite!(sql.lite(), arguments).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// Returns the first row, if there is one.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn one(&mut self, sql: Sql, arguments: Vec<Argument>) -> Result<Option<Record>, StoreError> {
        self.first(sql, "", arguments).await
    }

    /// Returns the first row and keeps it from other writers until this transaction ends: `select … for update` on
    /// PostgreSQL; on SQLite a writing transaction is the only writer anyway.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn one_locked(&mut self, sql: Sql, arguments: Vec<Argument>) -> Result<Option<Record>, StoreError> {
        self.first(sql, " for update", arguments).await
    }

    /// As [`one_locked`](Self::one_locked), but passes over rows that another transaction holds: how a worker claims
    /// the next piece of a queue (`… order by … limit 1`).
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn claim(&mut self, sql: Sql, arguments: Vec<Argument>) -> Result<Option<Record>, StoreError> {
        self.first(sql, " for update skip locked", arguments).await
    }

    /// Returns all rows.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn all(&mut self, sql: Sql, arguments: Vec<Argument>) -> Result<Vec<Record>, StoreError> {
        Ok(match &mut self.0 {
            Side::Pg(tx) => {
                let rows = bind_pg!(sql.pg(), arguments).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|row| Record::new(Row::Pg(row), sql)).collect()
            }
            Side::Lite(tx) => {
                let rows = bind_lite!(sql.lite(), arguments).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|row| Record::new(Row::Lite(row), sql)).collect()
            }
        })
    }

    /// Returns the rows one after the other as the database sends them, so that a long list
    /// never lies in memory at once.
    pub fn stream(
        &mut self,
        sql: Sql,
        arguments: Vec<Argument>,
    ) -> Pin<Box<dyn Stream<Item = Result<Record, StoreError>> + Send + '_>> {
        match &mut self.0 {
            Side::Pg(tx) => {
                let rows = bind_pg!(sql.pg(), arguments).fetch(&mut **tx);
                Box::pin(rows.map(move |row| Ok(Record::new(Row::Pg(row?), sql))))
            }
            Side::Lite(tx) => {
                let rows = bind_lite!(sql.lite(), arguments).fetch(&mut **tx);
                Box::pin(rows.map(move |row| Ok(Record::new(Row::Lite(row?), sql))))
            }
        }
    }

    /// The driver of PostgreSQL, for what only it has (`COPY`, `LISTEN`); `None` on SQLite. For
    /// an office's `store/pg.rs`.
    pub fn pg(&mut self) -> Option<&mut PgConnection> {
        match &mut self.0 {
            Side::Pg(tx) => Some(&mut *tx),
            Side::Lite(_) => None,
        }
    }

    /// The driver of SQLite; `None` on PostgreSQL. For an office's `store/lite.rs`.
    pub fn lite(&mut self) -> Option<&mut SqliteConnection> {
        match &mut self.0 {
            Side::Pg(_) => None,
            Side::Lite(tx) => Some(&mut *tx),
        }
    }

    /// Makes everything true at once.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then nothing happened.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.0 {
            Side::Pg(tx) => tx.commit().await?,
            Side::Lite(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// The first row of a statement; on PostgreSQL with `lock` at its end.
    async fn first(
        &mut self,
        sql: Sql,
        lock: &'static str,
        arguments: Vec<Argument>,
    ) -> Result<Option<Record>, StoreError> {
        let row = match &mut self.0 {
            Side::Pg(tx) => {
                let row = bind_pg!(locked(sql.pg(), lock), arguments).fetch_optional(&mut **tx).await?;
                row.map(Row::Pg)
            }
            Side::Lite(tx) => bind_lite!(sql.lite(), arguments).fetch_optional(&mut **tx).await?.map(Row::Lite),
        };
        Ok(row.map(|row| Record::new(row, sql)))
    }
}

/// Two constants of this program, joined.
fn locked(sql: &'static str, lock: &'static str) -> SqlStr {
    if lock.is_empty() { sql.into_sql_str() } else { AssertSqlSafe(format!("{sql}{lock}")).into_sql_str() }
}
