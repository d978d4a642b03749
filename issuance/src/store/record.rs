//! A row, read by the names of its columns.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::StoreError;

/// A row as the driver gave it.
pub(super) enum Row {
    Pg(PgRow),
    Lite(SqliteRow),
}

/// One row. A column that does not parse is [`StoreError::Inconsistent`] with table, column and the row's `id`.
pub struct Record {
    row: Row,
    sql: &'static str,
}

/// Shows nothing of the row.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record of {}", self.table())
    }
}

impl Record {
    pub(super) fn new(row: Row, sql: &'static str) -> Self {
        Self { row, sql }
    }

    /// The column as one of the stored types: `i64`, `bool`, `String`, `Vec<u8>`, [`OffsetDateTime`], or `Option` of them.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn get<T: Column>(&self, column: &str) -> Result<T, StoreError> {
        T::read(self, column)
    }

    /// A text column as what it means.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, StoreError> {
        self.get::<String>(column)?.parse().map_err(|_| self.inconsistent(column))
    }

    /// A text column as what it means, if it is there.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn parsed_optional<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        self.get::<Option<String>>(column)?.map(|text| text.parse()).transpose().map_err(|_| self.inconsistent(column))
    }

    /// A text column that holds JSON.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.get::<String>(column)?).map_err(|_| self.inconsistent(column))
    }

    /// A number column as a smaller number.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        T::try_from(self.get::<i64>(column)?).map_err(|_| self.inconsistent(column))
    }

    /// A byte column of known length.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn array<const N: usize>(&self, column: &str) -> Result<[u8; N], StoreError> {
        self.get::<Vec<u8>>(column)?.try_into().map_err(|_| self.inconsistent(column))
    }

    /// The error for a column that an office could not make sense of.
    #[must_use]
    pub fn inconsistent(&self, column: &str) -> StoreError {
        let id = match &self.row {
            Row::Pg(row) => row.try_get::<String, _>("id").ok(),
            Row::Lite(row) => row.try_get::<String, _>("id").ok(),
        };
        StoreError::Inconsistent {
            table: self.table(),
            column: column.to_owned(),
            id: id.unwrap_or_else(|| "?".to_owned()),
        }
    }

    /// The first table that the statement names.
    fn table(&self) -> String {
        let mut words = self.sql.split_whitespace();
        while let Some(word) = words.next() {
            if ["from", "into", "update"].iter().any(|verb| word.eq_ignore_ascii_case(verb)) {
                return words.next().unwrap_or("?").trim_end_matches(['(', ',', ';']).to_owned();
            }
        }
        "?".to_owned()
    }
}

/// What a column can be read as.
pub trait Column: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    fn read(record: &Record, column: &str) -> Result<Self, StoreError>;
}

macro_rules! columns {
    ($($stored:ty as $meant:ty: $value:ident => $into:expr;)*) => { $(
        impl Column for Option<$meant> {
            fn read(record: &Record, column: &str) -> Result<Self, StoreError> {
                let value: Option<$stored> = match &record.row {
                    Row::Pg(row) => row.try_get(column),
                    Row::Lite(row) => row.try_get(column),
                }
                .map_err(|_| record.inconsistent(column))?;
                value.map(|$value| $into).transpose().map_err(|()| record.inconsistent(column))
            }
        }
        impl Column for $meant {
            fn read(record: &Record, column: &str) -> Result<Self, StoreError> {
                Option::<$meant>::read(record, column)?.ok_or_else(|| record.inconsistent(column))
            }
        }
    )* };
}

columns! {
    i64 as i64: n => Ok::<_, ()>(n);
    String as String: text => Ok::<_, ()>(text);
    Vec<u8> as Vec<u8>: bytes => Ok::<_, ()>(bytes);
    i64 as bool: n => match n { 0 => Ok(false), 1 => Ok(true), _ => Err(()) };
    i64 as OffsetDateTime: n => OffsetDateTime::from_unix_timestamp_nanos(i128::from(n) * 1_000).map_err(|_| ());
}
