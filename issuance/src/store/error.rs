//! Why the store could not do what an office asked.

use thiserror::Error;

/// Why the store could not do what an office asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database is busy: another transaction holds on too long, or there are too many. It may work soon.
    #[error("database busy: {0}")]
    Busy(String),
    /// The database refused.
    #[error("database: {0}")]
    Database(sqlx::Error),
    /// A unique constraint holds: the row is there already.
    #[error("already there: {constraint}")]
    Duplicate {
        /// Constraint (PostgreSQL) or columns (SQLite), as the database names them.
        constraint: String,
    },
    /// There is no room left where the database writes.
    #[error("storage full: {0}")]
    Full(String),
    /// Another session of the database holds a lock for longer than is waited. It may work when that one has ended.
    #[error("another session holds a lock: {0}")]
    Locked(String),
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
            // Before the deadline of the pool no connection became free: they all wait for the same thing.
            sqlx::Error::PoolTimedOut => Self::Busy(error.to_string()),
            sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => {
                Self::Unreachable(error.to_string())
            }
            sqlx::Error::Database(source) => match passing(source.as_ref()) {
                Some(Passing::Busy) => Self::Busy(error.to_string()),
                Some(Passing::Locked) => Self::Locked(error.to_string()),
                Some(Passing::Full) => Self::Full(error.to_string()),
                Some(Passing::Lost) => Self::Unreachable(error.to_string()),
                None => Self::Database(error),
            },
            _ => Self::Database(error),
        }
    }
}

/// A trouble of the database that passes, and is no fault of the statement.
enum Passing {
    Busy,
    Full,
    Locked,
    Lost,
}

/// Returns which trouble the database's code names: an SQLSTATE of PostgreSQL (Appendix A of its manual) has five
/// characters, a result code of SQLite is a number whose low byte is the primary code (`sqlite3.h`).
fn passing(error: &dyn sqlx::error::DatabaseError) -> Option<Passing> {
    let code = error.code()?;
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return match code.parse::<u32>().ok()? & 0xff {
            5 | 6 => Some(Passing::Busy), // SQLITE_BUSY, SQLITE_LOCKED
            13 => Some(Passing::Full),    // SQLITE_FULL
            // SQLITE_IOERR, also for a side file that finds no room, and SQLITE_CANTOPEN
            10 | 14 => Some(Passing::Lost),
            _ => None,
        };
    }
    match &*code {
        "53100" => Some(Passing::Full),
        "55P03" => Some(Passing::Locked),
        // Serialization failure, deadlock, cancelled; the rest of class 53 is out of something.
        "40001" | "40P01" | "57014" => Some(Passing::Busy),
        code if code.starts_with("53") => Some(Passing::Busy),
        // Shut down, crashed, starting up; lost on the way; an error of the server's disk.
        "57P01" | "57P02" | "57P03" | "57P04" | "58030" => Some(Passing::Lost),
        code if code.starts_with("08") => Some(Passing::Lost),
        _ => None,
    }
}
