//! Rows out of a file, one after the other and in constant memory: CSV (RFC 4180) and NDJSON.
//!
//! A row that cannot be read says where and why, and the next row is read all the same. Only a file that ends in the
//! middle of a row ends the reading.

use std::io::{self, BufRead};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::super::model::Finding;
use super::super::rules;

/// Longest row, bytes.
pub const MOST_ROW: usize = 1024 * 1024;
/// Longest field, bytes.
pub const MOST_FIELD: usize = 8 * 1024;

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Position {
    /// Line, from 1: of a row with line breaks in quotation marks the first.
    pub line: u64,
    /// Bytes before it.
    pub byte: u64,
}

/// A row as it was read.
#[derive(Debug)]
pub struct RawRow {
    /// Where it begins.
    pub at: Position,
    /// Its fields in UTF-8; of NDJSON the whole line. Of a row that cannot be read, what could be.
    pub fields: Vec<String>,
    /// What is wrong with its bytes.
    pub faults: Vec<Finding>,
}

/// Rows of a file, from a position on.
#[derive(Debug)]
pub struct Rows<R> {
    input: R,
    /// CSV, or lines.
    quoted: bool,
    at: Position,
    /// Of all bytes before the position.
    digest: Sha256,
    /// The bytes of the row under way, as far as they are kept.
    bytes: Vec<u8>,
    /// Where each field ends in `bytes`.
    ends: Vec<usize>,
}

/// Why the reading ends before the file does.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The disk.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It was cut.
    #[error(
        "the file ends inside the row that begins at line {}, byte {}: it was cut, or a quotation mark is not closed; the \
         rows before it are taken, and the import goes on there with the whole file", .0.line, .0.byte
    )]
    Cut(Position),
}

impl<R: BufRead> Rows<R> {
    /// Rows of an input that stands at `at`; `digest` is of the bytes before.
    pub fn new(input: R, quoted: bool, at: Position, digest: Sha256) -> Self {
        Self { input, quoted, at, digest, bytes: Vec::new(), ends: Vec::new() }
    }

    /// Where the next row begins.
    pub fn position(&self) -> Position {
        self.at
    }

    /// SHA-256 of all bytes before [`position`](Self::position).
    pub fn digest(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }

    /// Returns the next row; `None` at the end. Empty lines are passed over.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn next_row(&mut self) -> Result<Option<RawRow>, ReadError> {
        loop {
            let began = self.at;
            let Some(mut faults) = self.take()? else { return Ok(None) };
            if self.bytes.is_empty() && self.ends.len() == 1 && faults.is_empty() {
                continue;
            }
            let mut fields = Vec::with_capacity(self.ends.len());
            let mut start = 0;
            for end in &self.ends {
                let bytes = &self.bytes[start..*end];
                start = *end;
                if self.quoted && bytes.len() > MOST_FIELD && faults.is_empty() {
                    let says = format!("field {} is longer than {MOST_FIELD} bytes", fields.len() + 1);
                    faults.push(Finding::new(rules::FIELD_TOO_LONG, "", says));
                }
                if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
                    faults.push(Finding::new(rules::BYTE_NUL, "", self.placed(&began, bytes, at, "a NUL byte")));
                }
                match std::str::from_utf8(bytes) {
                    Ok(text) => fields.push(text.replace('\0', "\u{fffd}")),
                    Err(error) => {
                        let at = error.valid_up_to();
                        let says = format!("the byte 0x{:02X}, {}", bytes[at], encoding_of(&bytes[at..]));
                        faults.push(Finding::new(rules::BYTES_NOT_UTF8, "", self.placed(&began, bytes, at, &says)));
                        fields.push(String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}"));
                    }
                }
            }
            return Ok(Some(RawRow { at: began, fields, faults }));
        }
    }

    /// Says where in the row a byte of a field stands. Quotation marks are gone from the field: the row's own place is
    /// exact, that of the byte is found again by it.
    fn placed(&self, began: &Position, field: &[u8], at: usize, what: &str) -> String {
        let number = self.ends.iter().position(|end| std::ptr::eq(&raw const self.bytes[..*end], &raw const self.bytes[..*end]) && {
            let start = field.as_ptr() as usize - self.bytes.as_ptr() as usize;
            start < *end || (start == *end && field.is_empty())
        });
        let number = number.map_or(1, |number| number + 1);
        format!("{what}, byte {} of field {number} of the row at line {}, byte {}", at + 1, began.line, began.byte)
    }
}
