//! A file of declarations, read to be judged and not to be entered: CSV with a header, or NDJSON.

use std::io::{self, BufRead};

use serde_json::{Map, Value};
use thiserror::Error;

use super::traits::Traits;
use crate::population::model::Declaration;

/// Reads a file. Returns each declaration's traits with the number of the line on which it begins; the header of a CSV
/// file is line 1.
///
/// # Errors
/// [`FileError`]
pub fn read(mut from: impl BufRead) -> Result<Vec<(u64, Traits)>, FileError> {
    let begins = from.fill_buf()?;
    let bom = begins.starts_with(&[0xef, 0xbb, 0xbf]);
    if bom {
        from.consume(3);
    }
    let json = from.fill_buf()?.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if json { read_json(from) } else { read_csv(from) }
}

fn read_json(from: impl BufRead) -> Result<Vec<(u64, Traits)>, FileError> {
    let mut all = vec![];
    for (line, text) in (1..).zip(from.lines()) {
        let text =
            text.map_err(|e| if e.kind() == io::ErrorKind::InvalidData { FileError::Text(line) } else { e.into() })?;
        if text.trim().is_empty() {
            continue;
        }
        let value: Map<String, Value> = serde_json::from_str(&text).map_err(|_| FileError::Json(line))?;
        all.push((line, traits(value).ok_or(FileError::Fields(line))?));
    }
    Ok(all)
}

fn read_csv(mut from: impl BufRead) -> Result<Vec<(u64, Traits)>, FileError> {
    let (mut all, mut line) = (vec![], 1);
    let (header, lines) = record(&mut from, line)?.ok_or(FileError::Empty)?;
    line += lines;
    while let Some((fields, lines)) = record(&mut from, line)? {
        let blank = fields.iter().all(String::is_empty);
        if !blank && fields.len() != header.len() {
            return Err(FileError::Columns { line, found: fields.len(), wanted: header.len() });
        }
        if !blank {
            let mut value = Map::new();
            for (name, field) in header.iter().zip(fields).filter(|(_, field)| !field.is_empty()) {
                put(&mut value, name.trim(), field);
            }
            all.push((line, traits(value).ok_or(FileError::Fields(line))?));
        }
        line += lines;
    }
    Ok(all)
}

/// Puts a field where its pointer says: `father.full_name`.
fn put(value: &mut Map<String, Value>, name: &str, field: String) {
    match name.split_once('.') {
        None => drop(value.insert(name.to_owned(), Value::String(field))),
        Some((outer, inner)) => {
            let outer = value.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(outer) = outer {
                outer.insert(inner.to_owned(), Value::String(field));
            }
        }
    }
}

/// Returns the traits of a declaration; `None` if it has fields that no declaration has.
fn traits(mut value: Map<String, Value>) -> Option<Traits> {
    for of_file in ["form", "declared_on", "personal_number"] {
        value.remove(of_file);
    }
    let declaration: Declaration = serde_json::from_value(Value::Object(value)).ok()?;
    Some(Traits::from(&declaration))
}

/// Returns the next record of CSV (RFC 4180) with the number of lines that it takes.
fn record(from: &mut impl BufRead, line: u64) -> Result<Option<(Vec<String>, u64)>, FileError> {
    let (mut text, mut lines, mut open) = (Vec::new(), 0, false);
    loop {
        let before = text.len();
        if from.read_until(b'\n', &mut text)? == 0 {
            break;
        }
        lines += 1;
        if text.len() > MOST_BYTES {
            return Err(FileError::Long(line));
        }
        // Of a record that is whole, every quote has its partner.
        open = text[before..].iter().fold(open, |open, byte| open ^ (*byte == b'"'));
        if !open {
            break;
        }
    }
    if text.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8(text).map_err(|_| FileError::Text(line))?;
    let (mut fields, mut field, mut quoted) = (vec![], String::new(), false);
    let mut letters = text.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    if quoted {
        return Err(FileError::Quotes(line));
    }
    fields.push(field);
    Ok(Some((fields, lines)))
}

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// Other fields than the header names.
    #[error("line {line} has {found} fields, the header {wanted}")]
    Columns {
        /// The line.
        line: u64,
        /// So many.
        found: usize,
        /// So many columns.
        wanted: usize,
    },
    /// Nothing in it.
    #[error("the file is empty: a header, or lines of JSON, are expected")]
    Empty,
    /// A field that no declaration has.
    #[error("line {0} has a field that no declaration has, or one that is no text")]
    Fields(u64),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No JSON.
    #[error("line {0} is no JSON object")]
    Json(u64),
    /// No end.
    #[error("the record that begins on line {0} is longer than {MOST_BYTES} bytes")]
    Long(u64),
    /// A quote without an end.
    #[error("a quote on line {0} is not closed")]
    Quotes(u64),
    /// Bytes of another encoding.
    #[error("line {0} is not UTF-8")]
    Text(u64),
}

/// No declaration is longer.
const MOST_BYTES: usize = 1 << 20;
