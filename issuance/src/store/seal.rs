//! A keyed MAC per row, so that a change that did not come from this service is found when the row is read.
//!
//! The MAC (HMAC-SHA-256 under a key that is not in the database) is over table, version and every column that holds
//! something. The futures of the statements are boxed: these verbs stand in the middle of long ones. The version
//! counts the changes of the row. What a row alone cannot tell: that it was deleted, or that it is an older state
//! of itself, put back whole.

use std::fmt;

use aws_lc_rs::hmac;
use futures_util::TryStreamExt as _;
use serde_json::Value;

use super::argument::{Argument, day, microseconds};
use super::{Record, Sql, StoreError, Tx};

/// The key of the MACs.
#[derive(Clone)]
pub struct RowKey(hmac::Key);

/// Shows no key.
impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowKey")
    }
}

impl RowKey {
    /// From 32 bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Returns the MAC of these parts, of which the first says what they are: for what is no whole row.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut message = Vec::new();
        for part in parts {
            put(&mut message, part);
        }
        hmac::sign(&self.0, &message).as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
    }
}

/// The type of a column under a MAC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `bytea`
    Bytes,
    /// `date`
    Day,
    /// `bigint`
    Integer,
    /// `jsonb`
    Json,
    /// `timestamptz`
    Moment,
    /// `text`
    Text,
    /// `boolean`
    Truth,
    /// `uuid`
    Uuid,
}

/// A table whose rows carry a MAC, in the columns `version` and `mac`. Each statement names all columns.
#[derive(Clone, Copy, Debug)]
pub struct Sealed {
    /// Its name.
    pub table: &'static str,
    /// The columns under the MAC, the key's first.
    pub columns: &'static [(&'static str, Kind)],
    /// So many of the columns are the key.
    pub keys: usize,
    /// The row with the key `$1`, `$2`, …
    pub one: Sql,
    /// All rows.
    pub all: Sql,
    /// Sets `version` to `$1` and `mac` to `$2` in the row with the key `$3`, `$4`, …
    pub set: Sql,
}

impl Sealed {
    /// Refuses a row whose MAC is not over what it holds.
    ///
    /// # Errors
    /// [`StoreError::Tampered`]
    pub(super) fn verify(&self, key: Option<&RowKey>, row: &Record) -> Result<(), StoreError> {
        let mac: Option<Vec<u8>> = row.get("mac").unwrap_or_default();
        let right = match (key, mac, self.message(row)) {
            (Some(RowKey(key)), Some(mac), Ok((message, _))) => hmac::verify(key, &message, &mac).is_ok(),
            _ => false,
        };
        if right { Ok(()) } else { Err(self.tampered(row)) }
    }

    fn tampered(&self, row: &Record) -> StoreError {
        let parts = self.key(row).unwrap_or_default().into_iter().map(|part| match part {
            Argument::Integer(part) => part.map(|part| part.to_string()),
            Argument::Text(part) => part,
            Argument::Uuid(part) => part.map(|part| part.to_string()),
            _ => None,
        });
        let id: Option<Vec<String>> = parts.collect();
        let id = id.filter(|parts| !parts.is_empty()).map(|parts| parts.join(" "));
        StoreError::Tampered { table: self.table, id: id.unwrap_or_else(|| "?".to_owned()) }
    }

    fn key(&self, row: &Record) -> Result<Vec<Argument>, StoreError> {
        self.columns[..self.keys].iter().map(|(column, kind)| argument(row, column, *kind)).collect()
    }

    /// What the MAC is over, and the version. Each part has its length before it.
    fn message(&self, row: &Record) -> Result<(Vec<u8>, i64), StoreError> {
        let version = row.get::<Option<i64>>("version")?.unwrap_or(0);
        let mut message = Vec::new();
        put(&mut message, self.table.as_bytes());
        put(&mut message, &version.to_be_bytes());
        for (column, kind) in self.columns {
            // A column that holds nothing is left out: one that a later version adds changes no MAC.
            if let Some(bytes) = bytes(argument(row, column, *kind)?) {
                put(&mut message, column.as_bytes());
                put(&mut message, &bytes);
            }
        }
        Ok((message, version))
    }

    /// As [`message`](Self::message), for the first version of a row with these values.
    fn first(&self, values: &[Argument]) -> Vec<u8> {
        let mut message = Vec::new();
        put(&mut message, self.table.as_bytes());
        put(&mut message, &1_i64.to_be_bytes());
        for ((column, _), value) in self.columns.iter().zip(values) {
            if let Some(bytes) = bytes(value.clone()) {
                put(&mut message, column.as_bytes());
                put(&mut message, &bytes);
            }
        }
        message
    }

    /// As [`message`](Self::message), for the next version of the row.
    fn next(&self, key: &RowKey, row: &Record) -> Result<(i64, Vec<u8>), StoreError> {
        let (message, version) = self.message(row)?;
        let (at, next) = (4 + self.table.len() + 4, version + 1);
        let mut message = message;
        message[at..at + 8].copy_from_slice(&next.to_be_bytes());
        Ok((next, hmac::sign(&key.0, &message).as_ref().to_vec()))
    }
}

impl Tx {
    /// Returns the row of a sealed table, verified.
    ///
    /// # Errors
    /// [`StoreError::Tampered`]
    pub async fn sealed(&mut self, table: &Sealed, id: impl Key) -> Result<Option<Record>, StoreError> {
        let row = Box::pin(self.one(table.one, id.parts())).await?;
        self.verified(table, row)
    }

    /// Returns what a statement finds: a row that has beside it a row of a sealed table, in the columns that begin with
    /// `prefix`. The row beside is none where its key is, and judged for itself: what the first
    /// one says may come first.
    ///
    /// One question and one answer instead of two: on PostgreSQL they are most of what a small verb costs.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn one_with(
        &mut self,
        (beside, prefix): (&Sealed, &'static str),
        sql: Sql,
        arguments: Vec<Argument>,
    ) -> Result<Option<(Record, Result<Option<Record>, StoreError>)>, StoreError> {
        let Some(row) = Box::pin(self.one(sql, arguments)).await? else { return Ok(None) };
        let part = row.part(beside.table, prefix);
        let there = beside.key(&part)?.into_iter().all(|key| bytes(key).is_some());
        let judged = self.verified(beside, there.then_some(part));
        Ok(Some((row, judged)))
    }

    /// As [`one_with`](Self::one_with), for a row that is of a sealed table too, and verified.
    ///
    /// # Errors
    /// [`StoreError::Tampered`]
    pub async fn sealed_with(
        &mut self,
        table: &Sealed,
        beside: (&Sealed, &'static str),
        sql: Sql,
        arguments: Vec<Argument>,
    ) -> Result<Option<(Record, Result<Option<Record>, StoreError>)>, StoreError> {
        let found = self.one_with(beside, sql, arguments).await?;
        if let Some((row, _)) = &found {
            table.verify(self.row_key(), row)?;
        }
        Ok(found)
    }

    /// As [`sealed`](Self::sealed), kept from other writers until this transaction ends.
    ///
    /// # Errors
    /// [`StoreError::Tampered`]
    pub async fn sealed_locked(&mut self, table: &Sealed, id: impl Key) -> Result<Option<Record>, StoreError> {
        let row = Box::pin(self.one_locked(table.one, id.parts())).await?;
        self.verified(table, row)
    }

    /// Returns the rows that a statement finds, verified. It selects all columns of the sealed table.
    ///
    /// # Errors
    /// [`StoreError::Tampered`]
    pub async fn all_sealed(
        &mut self,
        table: &Sealed,
        sql: Sql,
        arguments: Vec<Argument>,
    ) -> Result<Vec<Record>, StoreError> {
        let rows = Box::pin(self.all(sql, arguments)).await?;
        rows.iter().try_for_each(|row| table.verify(self.row_key(), row))?;
        Ok(rows)
    }

    /// As [`all_sealed`](Self::all_sealed), each row with whether its MAC holds: a list shows also the row that must
    /// not be believed, or one changed row would hide all others.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn all_judged(
        &mut self,
        table: &Sealed,
        sql: Sql,
        arguments: Vec<Argument>,
    ) -> Result<Vec<(Record, bool)>, StoreError> {
        let rows = Box::pin(self.all(sql, arguments)).await?;
        let judged = rows.into_iter().map(|row| {
            let holds = table.verify(self.row_key(), &row).is_ok();
            (row, holds)
        });
        Ok(judged.collect())
    }

    /// Returns all rows of a sealed table, each with whether its MAC holds: to show which one does not.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn judged_rows(&mut self, table: &Sealed) -> Result<Vec<(Record, bool)>, StoreError> {
        self.all_judged(table, table.all, Vec::new()).await
    }

    /// Gives a row that was just inserted its MAC.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn seal(&mut self, table: &Sealed, id: impl Key) -> Result<(), StoreError> {
        let id = id.parts();
        let row = Box::pin(self.one_locked(table.one, id.clone())).await?;
        let row = row.ok_or_else(|| StoreError::inconsistent(table.table, "id", format!("{id:?}")))?;
        let key = self.row_key().ok_or_else(|| table.tampered(&row))?;
        let (version, mac) = table.next(key, &row)?;
        let arguments = [Argument::from(version), Argument::from(mac)].into_iter().chain(id).collect();
        Box::pin(self.run(table.set, arguments)).await?;
        Ok(())
    }

    /// Inserts a row of a sealed table together with its MAC, in one statement: one that takes the columns under the
    /// MAC in their order, then the version and the MAC.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn insert_sealed(&mut self, table: &Sealed, sql: Sql, values: Vec<Argument>) -> Result<(), StoreError> {
        let RowKey(key) = self.row_key().ok_or_else(|| StoreError::inconsistent(table.table, "mac", "?"))?;
        let mac = hmac::sign(key, &table.first(&values)).as_ref().to_vec();
        let values = values.into_iter().chain([Argument::from(1_i64), Argument::from(mac)]).collect();
        Box::pin(self.run(sql, values)).await?;
        Ok(())
    }

    /// Changes a row of a sealed table: verifies it, runs the statement, and gives it the MAC of what it holds then.
    /// Returns the number of rows that the statement touched.
    ///
    /// # Errors
    /// [`StoreError::Tampered`]: then nothing is changed.
    pub async fn change(
        &mut self,
        table: &Sealed,
        id: impl Key,
        sql: Sql,
        arguments: Vec<Argument>,
    ) -> Result<u64, StoreError> {
        let id = id.parts();
        let there = self.sealed_locked(table, id.clone()).await?.is_some();
        let touched = Box::pin(self.run(sql, arguments)).await?;
        if there {
            self.seal(table, id).await?;
        }
        Ok(touched)
    }

    /// Walks all rows of a sealed table. Returns how many there are, and the keys of those that were changed by another
    /// hand.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn walk(&mut self, table: &Sealed) -> Result<(u64, Vec<String>), StoreError> {
        let key = self.row_key().cloned();
        let (mut rows, mut faults) = (0, Vec::new());
        let mut stream = self.stream(table.all, Vec::new());
        while let Some(row) = stream.try_next().await? {
            rows += 1;
            match table.verify(key.as_ref(), &row) {
                Err(StoreError::Tampered { id, .. }) => faults.push(id),
                other => other?,
            }
        }
        Ok((rows, faults))
    }

    /// Gives their MAC to the rows that never had one: once, when a database of a version without MACs is opened.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn seal_rows_of_before(&mut self, table: &Sealed) -> Result<(), StoreError> {
        let mut bare = Vec::new();
        let mut stream = self.stream(table.all, Vec::new());
        while let Some(row) = stream.try_next().await? {
            if row.get::<Option<Vec<u8>>>("mac")?.is_none() {
                bare.push(table.key(&row)?);
            }
        }
        drop(stream);
        for id in bare {
            self.seal(table, id).await?;
        }
        Ok(())
    }

    /// As [`change`](Self::change) for every row that `found` selects, all columns of the sealed table, with a
    /// statement that takes a row's key first and then these arguments.
    ///
    /// # Errors
    /// [`StoreError::Tampered`]: then the transaction must not be committed.
    pub async fn change_found(
        &mut self,
        table: &Sealed,
        found: (Sql, Vec<Argument>),
        sql: Sql,
        arguments: Vec<Argument>,
    ) -> Result<(), StoreError> {
        for row in self.all_sealed(table, found.0, found.1).await? {
            let id = table.key(&row)?;
            let with_key = id.iter().cloned().chain(arguments.iter().cloned()).collect();
            self.change(table, id, sql, with_key).await?;
        }
        Ok(())
    }

    fn verified(&self, table: &Sealed, row: Option<Record>) -> Result<Option<Record>, StoreError> {
        if let Some(row) = &row {
            table.verify(self.row_key(), row)?;
        }
        Ok(row)
    }
}

/// The key of a row of a sealed table: a value, or a pair of them.
pub trait Key {
    /// Returns it as the arguments of a statement.
    fn parts(self) -> Vec<Argument>;
}

impl<T: Into<Argument>> Key for T {
    fn parts(self) -> Vec<Argument> {
        vec![self.into()]
    }
}

impl<A: Into<Argument>, B: Into<Argument>> Key for (A, B) {
    fn parts(self) -> Vec<Argument> {
        vec![self.0.into(), self.1.into()]
    }
}

impl Key for Vec<Argument> {
    fn parts(self) -> Vec<Argument> {
        self
    }
}

fn argument(row: &Record, column: &str, kind: Kind) -> Result<Argument, StoreError> {
    Ok(match kind {
        Kind::Bytes => Argument::Bytes(row.get(column)?),
        Kind::Day => Argument::Day(row.get(column)?),
        Kind::Integer => Argument::Integer(row.get(column)?),
        Kind::Json => Argument::Json(row.get(column)?),
        Kind::Moment => Argument::Moment(row.get(column)?),
        Kind::Text => Argument::Text(row.get(column)?),
        Kind::Truth => Argument::Truth(row.get(column)?),
        Kind::Uuid => Argument::Uuid(row.get(column)?),
    })
}

/// A value in one form, the same on both databases; nothing for a column without a value.
fn bytes(argument: Argument) -> Option<Vec<u8>> {
    match argument {
        Argument::Bytes(value) => value,
        Argument::Day(value) => value.map(|value| day(value).into_bytes()),
        Argument::Integer(value) => value.map(|value| value.to_be_bytes().to_vec()),
        Argument::Json(value) => value.map(|value| {
            let mut text = String::new();
            canonical(&value, &mut text);
            text.into_bytes()
        }),
        Argument::Moment(value) => value.map(|value| microseconds(value).to_be_bytes().to_vec()),
        Argument::Text(value) => value.map(String::into_bytes),
        // False holds nothing: it is the default of a column that a later version adds.
        Argument::Truth(value) => value.filter(|value| *value).map(|value| vec![value.into()]),
        Argument::Uuid(value) => value.map(|value| value.as_bytes().to_vec()),
        Argument::Texts(_) | Argument::Uuids(_) => None,
    }
}

/// JSON with its keys in the order of their bytes: `jsonb` keeps no order.
fn canonical(value: &Value, into: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            into.push('{');
            for (name, field) in fields {
                into.push_str(&Value::from(name.as_str()).to_string());
                into.push(':');
                canonical(field, into);
                into.push(',');
            }
            into.push('}');
        }
        Value::Array(items) => {
            into.push('[');
            for item in items {
                canonical(item, into);
                into.push(',');
            }
            into.push(']');
        }
        other => into.push_str(&other.to_string()),
    }
}

/// Four bytes of length, then the bytes.
fn put(message: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(part);
}
