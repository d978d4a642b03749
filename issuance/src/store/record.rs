//! A row, read by the names of its columns.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{Sql, StoreError};

/// A row as the driver returned it.
pub(super) enum Row {
    Pg(PgRow),
    Lite(SqliteRow),
}

/// One row. A column that does not parse is [`StoreError::Inconsistent`] with table, column and the row's `id`.
pub struct Record {
    row: Arc<Row>,
    sql: Sql,
    /// Table and beginning of the columns' names, if this is a part of a row.
    part: Option<(&'static str, &'static str)>,
}

/// Shows nothing of the row.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record of {}", self.table())
    }
}

impl Record {
    pub(super) fn new(row: Row, sql: Sql) -> Self {
        Self { row: Arc::new(row), sql, part: None }
    }

    /// Returns the part of a row that is a row of this table: the columns whose names begin with `prefix`.
    pub(super) fn part(&self, table: &'static str, prefix: &'static str) -> Self {
        Self { row: Arc::clone(&self.row), sql: self.sql, part: Some((table, prefix)) }
    }

    /// Returns the name of a column in the row as a whole.
    fn named<'a>(&self, column: &'a str) -> Cow<'a, str> {
        match self.part {
            Some((_, prefix)) => Cow::Owned(format!("{prefix}{column}")),
            None => Cow::Borrowed(column),
        }
    }

    /// Returns the column as one of the stored types: `i64`, `bool`, `String`, `Vec<u8>`, [`OffsetDateTime`], [`Date`],
    /// [`Uuid`], [`serde_json::Value`], or `Option` of them.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn get<T: Column>(&self, column: &str) -> Result<T, StoreError> {
        T::read(self, column)
    }

    /// Returns a text column as what it means.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, StoreError> {
        self.get::<String>(column)?.parse().map_err(|_| self.inconsistent(column))
    }

    /// Returns a text column as what it means, if it is there.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn parsed_optional<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        self.get::<Option<String>>(column)?.map(|text| text.parse()).transpose().map_err(|_| self.inconsistent(column))
    }

    /// Returns a JSON column as what it means.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn json<T: DeserializeOwned + 'static>(&self, column: &str) -> Result<T, StoreError> {
        let name = self.named(column);
        // Without a tree of values in between: it costs more than the rest.
        let meant = match &*self.row {
            Row::Pg(row) => row.try_get::<Json<T>, _>(&*name).ok().map(|json| json.0),
            Row::Lite(row) => row.try_get::<&str, _>(&*name).ok().and_then(|text| serde_json::from_str(text).ok()),
        };
        meant.ok_or_else(|| self.inconsistent(column))
    }

    /// Returns an integer column as a smaller number.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        T::try_from(self.get::<i64>(column)?).map_err(|_| self.inconsistent(column))
    }

    /// Returns a byte column of known length.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn array<const N: usize>(&self, column: &str) -> Result<[u8; N], StoreError> {
        self.get::<Vec<u8>>(column)?.try_into().map_err(|_| self.inconsistent(column))
    }

    /// Returns the error for a column whose content has no meaning.
    #[must_use]
    pub fn inconsistent(&self, column: &str) -> StoreError {
        StoreError::Inconsistent { table: self.table(), column: column.to_owned(), id: self.name() }
    }

    /// Returns the column `id` as text, whatever it holds; `?` where it holds none.
    #[must_use]
    pub fn name(&self) -> String {
        let key = self.named("id");
        let id = match &*self.row {
            Row::Pg(row) => row.try_get::<Uuid, _>(&*key).map(|id| id.to_string()).ok(),
            Row::Lite(_) => None,
        };
        let id = id.or_else(|| match &*self.row {
            Row::Pg(row) => row.try_get::<String, _>(&*key).ok(),
            Row::Lite(row) => row.try_get::<String, _>(&*key).ok(),
        });
        id.unwrap_or_else(|| "?".to_owned())
    }

    /// The first table that the statement names.
    fn table(&self) -> String {
        if let Some((table, _)) = self.part {
            return table.to_owned();
        }
        let mut words = self.sql.lite().split_whitespace();
        while let Some(word) = words.next() {
            if ["from", "into", "update"].iter().any(|verb| word.eq_ignore_ascii_case(verb)) {
                return words.next().unwrap_or("?").trim_end_matches(['(', ',', ';']).to_owned();
            }
        }
        "?".to_owned()
    }
}

/// A type that a column can be read as.
pub trait Column: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    fn read(record: &Record, column: &str) -> Result<Self, StoreError>;
}

macro_rules! columns {
    ($($meant:ty: pg $pg:ty => $of_pg:expr, lite $lite:ty => $of_lite:expr;)*) => { $(
        impl Column for Option<$meant> {
            fn read(record: &Record, column: &str) -> Result<Self, StoreError> {
                let name = record.named(column);
                match &*record.row {
                    Row::Pg(row) => {
                        let value: Option<$pg> = row.try_get(&*name).map_err(|_| record.inconsistent(column))?;
                        value.map($of_pg).transpose()
                    }
                    Row::Lite(row) => {
                        let value: Option<$lite> = row.try_get(&*name).map_err(|_| record.inconsistent(column))?;
                        value.map($of_lite).transpose()
                    }
                }
                .map_err(|()| record.inconsistent(column))
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
    i64: pg i64 => Ok::<_, ()>, lite i64 => Ok::<_, ()>;
    String: pg String => Ok::<_, ()>, lite String => Ok::<_, ()>;
    Vec<u8>: pg Vec<u8> => Ok::<_, ()>, lite Vec<u8> => Ok::<_, ()>;
    bool: pg bool => Ok::<_, ()>, lite i64 => truth;
    OffsetDateTime: pg OffsetDateTime => Ok::<_, ()>, lite i64 => moment;
    Date: pg Date => Ok::<_, ()>, lite String => |text: String| day(&text);
    Uuid: pg Uuid => Ok::<_, ()>, lite String => |text: String| text.parse().map_err(|_| ());
    serde_json::Value: pg serde_json::Value => Ok::<_, ()>,
        lite String => |text: String| serde_json::from_str(&text).map_err(|_| ());
}

/// Returns the sums of the column `n` by the column `state`, without those that are zero.
///
/// # Errors
/// [`StoreError::Inconsistent`]
pub fn sums(rows: &[Record]) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut sums = BTreeMap::new();
    for row in rows {
        *sums.entry(row.get("state")?).or_default() += row.get::<i64>("n")?;
    }
    sums.retain(|_, n| *n != 0);
    Ok(sums)
}

fn truth(n: i64) -> Result<bool, ()> {
    match n {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(()),
    }
}

fn moment(microseconds: i64) -> Result<OffsetDateTime, ()> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1_000).map_err(|_| ())
}

/// `yyyy-MM-dd`.
fn day(text: &str) -> Result<Date, ()> {
    let mut parts = text.splitn(3, '-');
    let mut part = || parts.next().and_then(|digits| digits.parse::<u16>().ok()).ok_or(());
    let (year, month, day) = (part()?, part()?, part()?);
    let month = u8::try_from(month).ok().and_then(|month| time::Month::try_from(month).ok()).ok_or(())?;
    Date::from_calendar_date(year.into(), month, u8::try_from(day).map_err(|_| ())?).map_err(|_| ())
}
