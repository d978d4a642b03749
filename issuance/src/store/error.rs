//! Why the store could not do what an office asked.

use thiserror::Error;

/// Why the store could not do what an office asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database refused.
    #[error("database: {0}")]
    Database(sqlx::Error),
    /// A unique constraint holds: the row is there already.
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
    /// A row was changed by another hand than this service's: its MAC is not over what it holds.
    #[error("row {id} of {table} was changed outside the service")]
    Tampered {
        /// Table.
        table: &'static str,
        /// The row's key, or `?`.
        id: String,
    },
    /// A table could not be made or changed.
    #[error("migration: {0}")]
    Migration(String),
    /// No connection.
    #[error("database unreachable: {0}")]
    Unreachable(String),
}

impl StoreError {
    /// The error for a row that points to another one which is not there.
    #[must_use]
    pub fn inconsistent(table: &str, column: &str, id: impl std::fmt::Display) -> Self {
        Self::Inconsistent { table: table.to_owned(), column: column.to_owned(), id: id.to_string() }
    }
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
