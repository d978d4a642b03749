//! A transaction, and the statements in it.

use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr, SqlStr, Sqlite, Transaction};
use time::OffsetDateTime;

use super::{Record, StoreError};

/// One transaction. Dropped without [`commit`](Tx::commit), it never happened.
#[derive(Debug)]
pub enum Tx {
    /// On PostgreSQL (READ COMMITTED: lock what you decide on with [`one_locked`](Tx::one_locked)).
    Pg(Transaction<'static, Postgres>),
    /// On SQLite (the only writer).
    Lite(Transaction<'static, Sqlite>),
}

/// What stands for `$1`, `$2`, … Made by [`args!`](crate::args).
#[derive(Clone, Debug)]
pub enum Argument {
    /// `BIGINT`
    Integer(Option<i64>),
    /// `TEXT`
    Text(Option<String>),
    /// `BYTEA`
    Bytes(Option<Vec<u8>>),
}

/// The arguments of a statement: anything that is [`Into<Argument>`]: `i64`, `u32`, `bool`, `&str`, `String`, `&[u8]`,
/// `Vec<u8>`, [`OffsetDateTime`], and `Option` of them.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Argument::from($value)),*] };
}

/// One text, two drivers: binds the arguments and runs `$verb` on the connection of either.
macro_rules! on {
    ($tx:expr, $sql:expr, $arguments:expr, $row:ident, $verb:ident) => {
        match $tx {
            Tx::Pg(tx) => {
                let mut query = sqlx::query::<Postgres>($sql);
                for argument in $arguments {
                    query = match argument {
                        Argument::Integer(value) => query.bind(value),
                        Argument::Text(value) => query.bind(value),
                        Argument::Bytes(value) => query.bind(value),
                    };
                }
                on!(@result $row, Pg, query.$verb(&mut **tx).await?)
            }
            Tx::Lite(tx) => {
                let mut query = sqlx::query::<Sqlite>($sql);
                for argument in $arguments {
                    query = match argument {
                        Argument::Integer(value) => query.bind(value),
                        Argument::Text(value) => query.bind(value),
                        Argument::Bytes(value) => query.bind(value),
                    };
                }
                on!(@result $row, Lite, query.$verb(&mut **tx).await?)
            }
        }
    };
    (@result count, $side:ident, $done:expr) => { $done.rows_affected() };
    (@result option, $side:ident, $done:expr) => { $done.map(Row::$side) };
    (@result list, $side:ident, $done:expr) => { $done.into_iter().map(Row::$side).collect::<Vec<_>>() };
}

use super::record::Row;

impl Tx {
    /// Runs a statement; gives the number of rows it touched.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if a unique constraint holds, [`StoreError::Database`] otherwise.
    pub async fn run(&mut self, sql: &'static str, arguments: Vec<Argument>) -> Result<u64, StoreError> {
        Ok(on!(self, sql, arguments, count, execute))
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn one(&mut self, sql: &'static str, arguments: Vec<Argument>) -> Result<Option<Record>, StoreError> {
        self.one_of(sql.into_sql_str(), sql, arguments).await
    }

    /// The first row, kept from other writers until this transaction ends: `select … for update` on PostgreSQL; on SQLite
    /// the transaction is the only writer anyway.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn one_locked(
        &mut self,
        sql: &'static str,
        arguments: Vec<Argument>,
    ) -> Result<Option<Record>, StoreError> {
        self.one_of(self.suffixed(sql, "for update"), sql, arguments).await
    }

    /// As [`one_locked`](Self::one_locked), but passes over rows that another transaction holds: how a worker claims the
    /// next piece of a queue (`… order by … limit 1`).
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn claim(&mut self, sql: &'static str, arguments: Vec<Argument>) -> Result<Option<Record>, StoreError> {
        self.one_of(self.suffixed(sql, "for update skip locked"), sql, arguments).await
    }

    /// All rows.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn all(&mut self, sql: &'static str, arguments: Vec<Argument>) -> Result<Vec<Record>, StoreError> {
        let rows = on!(self, sql, arguments, list, fetch_all);
        Ok(rows.into_iter().map(|row| Record::new(row, sql)).collect())
    }

    /// Makes everything true at once.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then nothing happened.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Pg(tx) => tx.commit().await?,
            Self::Lite(tx) => tx.commit().await?,
        }
        Ok(())
    }

    async fn one_of(
        &mut self,
        text: SqlStr,
        sql: &'static str,
        arguments: Vec<Argument>,
    ) -> Result<Option<Record>, StoreError> {
        let row = on!(self, text, arguments, option, fetch_optional);
        Ok(row.map(|row| Record::new(row, sql)))
    }

    fn suffixed(&self, sql: &'static str, lock: &'static str) -> SqlStr {
        match self {
            Self::Pg(_) => AssertSqlSafe(format!("{sql} {lock}")).into_sql_str(),
            Self::Lite(_) => sql.into_sql_str(),
        }
    }
}

macro_rules! arguments {
    ($($from:ty => $side:ident, $value:ident => $into:expr;)*) => { $(
        impl From<$from> for Argument {
            fn from($value: $from) -> Self { Self::$side(Some($into)) }
        }
        impl From<Option<$from>> for Argument {
            fn from(value: Option<$from>) -> Self { Self::$side(value.map(|$value| $into)) }
        }
    )* };
}

arguments! {
    i64 => Integer, n => n;
    i32 => Integer, n => n.into();
    u32 => Integer, n => n.into();
    u16 => Integer, n => n.into();
    u8 => Integer, n => n.into();
    bool => Integer, truth => truth.into();
    OffsetDateTime => Integer, at => microseconds(at);
    &str => Text, text => text.to_owned();
    &String => Text, text => text.clone();
    String => Text, text => text;
    &[u8] => Bytes, bytes => bytes.to_vec();
    &Vec<u8> => Bytes, bytes => bytes.clone();
    Vec<u8> => Bytes, bytes => bytes;
    [u8; 32] => Bytes, bytes => bytes.to_vec();
    &[u8; 32] => Bytes, bytes => bytes.to_vec();
}

/// A moment as it is stored: microseconds since 1970, so that both databases keep the same.
pub(super) fn microseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}
