//! A file of declarations, read as an import reads it, to be judged and not to be entered.

use std::io::{self, BufRead};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::traits::Traits;
use crate::population::import::{Columns, Format, HeaderError, Position, ReadError, Rows, of_json};

/// Reads a file: CSV with a header, or NDJSON. Returns each declaration's traits with the number of the line on which
/// it begins; the header of a CSV file is line 1.
///
/// # Errors
/// [`FileError`]
pub fn read(from: impl BufRead) -> Result<Vec<(u64, Traits)>, FileError> {
    // The last line may end with the file: nothing of it enters the register.
    let mut from = from.chain(&b"\n"[..]);
    let begins = from.fill_buf()?;
    let begins = begins.strip_prefix("\u{feff}".as_bytes()).unwrap_or(begins);
    let json = begins.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let format = if json { Format::Ndjson } else { Format::Csv };
    let mut rows = Rows::new(from, format, Position { line: 1, byte: 0 }, Sha256::new());
    let columns = if json { None } else { Some(Columns::of_header(rows.next_row().map_err(of_reading)?.as_ref())?) };
    let mut all = vec![];
    while let Some(mut row) = rows.next_row().map_err(of_reading)? {
        let declared = match &columns {
            Some(columns) => columns.declared(&mut row),
            None => of_json(&mut row),
        };
        if let Some(fault) = row.faults.first() {
            return Err(FileError::Row(fault.message.clone()));
        }
        all.push((row.at.line, Traits::from(&declared.declaration)));
    }
    Ok(all)
}

fn of_reading(error: ReadError) -> FileError {
    match error {
        ReadError::Io(error) => error.into(),
        ReadError::Cut(at) => FileError::Open(at.line),
    }
}

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The first line.
    #[error("line 1: {0}")]
    Header(#[from] HeaderError),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A quotation mark without a partner.
    #[error("a quotation mark in the row that begins at line {0} is not closed")]
    Open(u64),
    /// A row that is no declaration; the message names its place.
    #[error("{0}")]
    Row(String),
}
