//! Rows out of a file, one after the other and in constant memory: CSV (RFC 4180) and NDJSON.
//!
//! A row that cannot be read says where and why, and the next row is read all the same. Only a file that ends in the
//! middle of a row ends the reading.

use std::io::{self, BufRead};
use std::ops::Range;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::super::model::Finding;
use super::super::rules::{self, Rule};

/// Longest row, bytes.
pub const MOST_ROW: usize = 1024 * 1024;
/// So many lines a row has at most: a field with more line breaks begins with a mark that is not closed.
const MOST_LINES: usize = 20;
/// U+FEFF in UTF-8.
const MARK: &[u8] = &[0xef, 0xbb, 0xbf];
/// Longest field, bytes.
pub const MOST_FIELD: usize = 8 * 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// The word, as stored and given.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Position {
    /// Line, from 1.
    pub line: u64,
    /// Bytes before it.
    pub byte: u64,
}

/// A row as it was read.
#[derive(Debug)]
pub struct RawRow {
    /// Where it begins.
    pub at: Position,
    /// What is wrong with its bytes.
    pub faults: Vec<Finding>,
    /// Its text, or what could be read of it.
    text: String,
    /// Its fields in the text; of NDJSON the whole line.
    fields: Vec<Range<usize>>,
}

impl RawRow {
    /// Returns how many fields there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.fields.len()
    }

    /// Returns a field; empty where there is none.
    #[must_use]
    pub fn field(&self, number: usize) -> &str {
        self.fields.get(number).map_or("", |range| &self.text[range.clone()])
    }
}

/// Where the reading stands in a row of CSV.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Quoting {
    /// Before the first byte of a field.
    FieldStart,
    /// In a field without quotation marks.
    Plain,
    /// Between quotation marks.
    Quoted,
    /// After a quotation mark in a quoted field: its end, or half of an escaped one.
    Closing,
}

impl Quoting {
    /// After one more byte.
    const fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Quoted, b'"') => Self::Closing,
            (Self::FieldStart | Self::Closing, b'"') | (Self::Quoted, _) => Self::Quoted,
            (_, b',') => Self::FieldStart,
            _ => Self::Plain,
        }
    }
}

/// Rows of a file, from a position on.
#[derive(Debug)]
pub struct Rows<R> {
    input: R,
    format: Format,
    at: Position,
    /// Of all bytes before the position.
    digest: Sha256,
    /// Bytes that come again before those of the input: lines behind a quotation mark that is not closed.
    again: Vec<u8>,
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
         rows before are taken, and the import goes on there with the whole file", .0.line, .0.byte
    )]
    Cut(Position),
}

impl<R: BufRead> Rows<R> {
    /// Rows of an input that stands at `at`; `digest` is of the bytes before.
    pub fn new(input: R, format: Format, at: Position, digest: Sha256) -> Self {
        Self { input, format, at, digest, again: Vec::new() }
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
        self.skip_mark()?;
        loop {
            let (began, digest) = (self.at, self.digest.clone());
            let mut bytes = Vec::new();
            let (mut length, mut lines, mut quoting) = (0, 0, Quoting::FieldStart);
            loop {
                let (read, ended) = self.take_line(&mut bytes, &mut quoting)?;
                length += read;
                lines += 1;
                // A mark that is not closed would swallow the declarations behind it: its line alone is a fault, and
                // the lines behind it are read by themselves.
                if ended && quoting == Quoting::Quoted && lines > MOST_LINES && length == bytes.len() {
                    let first = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
                    let behind = bytes.split_off(first);
                    self.again.splice(0..0, behind);
                    (self.at, self.digest) = (began, digest);
                    self.at.byte += first as u64;
                    self.at.line += 1;
                    self.digest.update(&bytes);
                    return Ok(Some(self.unclosed(began, bytes)));
                }
                match ended {
                    false if length == 0 => return Ok(None),
                    false => {
                        // What was read of the row comes again.
                        (self.at, self.digest) = (began, digest);
                        return Err(ReadError::Cut(began));
                    }
                    true if quoting == Quoting::Quoted => {}
                    true => break,
                }
            }
            if length > MOST_ROW {
                let says = format!("{}: {length} bytes, and at most {MOST_ROW} are read", began.named());
                let faults = vec![Finding::new(rules::ROW_TOO_LONG, "", says)];
                return Ok(Some(RawRow { at: began, faults, text: String::new(), fields: vec![] }));
            }
            while matches!(bytes.last(), Some(b'\n' | b'\r')) {
                bytes.pop();
            }
            if !bytes.is_empty() {
                return Ok(Some(self.row(began, bytes)));
            }
        }
    }

    /// Passes over the mark of UTF-8 that a file may begin with (U+FEFF): a field in quotation marks may follow.
    fn skip_mark(&mut self) -> io::Result<()> {
        if self.at.byte == 0 && self.input.fill_buf()?.starts_with(MARK) {
            self.digest.update(MARK);
            self.input.consume(MARK.len());
            self.at.byte += MARK.len() as u64;
        }
        Ok(())
    }

    /// Makes a row of the line in which a quotation mark is not closed.
    fn unclosed(&self, began: Position, mut line: Vec<u8>) -> RawRow {
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        let mut row = self.row(began, line);
        if row.faults.is_empty() {
            let says = format!("a quotation mark is not closed within {MOST_LINES} lines");
            row.faults.push(Finding::new(rules::QUOTE_MISPLACED, "", format!("{}: {says}", began.named())));
        }
        row
    }

    /// Appends the rest of a line to what is kept of the row. Returns how many bytes it has, and whether it ended.
    fn take_line(&mut self, kept: &mut Vec<u8>, quoting: &mut Quoting) -> Result<(usize, bool), ReadError> {
        let mut length = 0;
        loop {
            let is_again = !self.again.is_empty();
            let buffer = if is_again { &self.again[..] } else { self.input.fill_buf()? };
            if buffer.is_empty() {
                return Ok((length, false));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = &buffer[..end.map_or(buffer.len(), |end| end + 1)];
            self.digest.update(piece);
            if self.format == Format::Csv && (*quoting != Quoting::FieldStart || piece.contains(&b'"')) {
                *quoting = piece.iter().fold(*quoting, |quoting, byte| quoting.after(*byte));
            } else if self.format == Format::Csv {
                // A long line comes in pieces: the next one does not begin a field.
                *quoting = if piece.ends_with(b",") { Quoting::FieldStart } else { Quoting::Plain };
            }
            // One more than allowed tells that there is more.
            let room = (MOST_ROW + 1).saturating_sub(kept.len());
            kept.extend_from_slice(&piece[..piece.len().min(room)]);
            let taken = piece.len();
            length += taken;
            self.at.byte += taken as u64;
            let ended = end.is_some();
            if is_again {
                self.again.drain(..taken);
            } else {
                self.input.consume(taken);
            }
            if ended {
                self.at.line += 1;
                return Ok((length, true));
            }
        }
    }

    /// Makes a row of its bytes.
    fn row(&self, began: Position, bytes: Vec<u8>) -> RawRow {
        let mut faults = Vec::new();
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            faults.push(fault(rules::BYTE_NUL, began, &bytes, at, "a NUL byte"));
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
                let says = format!("0x{:02X}, {}", bytes[at], encoding_of(bytes, at));
                faults.push(fault(rules::BYTES_NOT_UTF8, began, bytes, at, &says));
                String::from_utf8_lossy(bytes).into_owned()
            }
        };
        let text = if faults.is_empty() { text } else { text.replace('\0', "\u{fffd}") };
        let row = match self.format {
            Format::Ndjson => RawRow { at: began, faults, fields: std::iter::once(0..text.len()).collect(), text },
            Format::Csv if !text.contains('"') => {
                let (mut fields, mut start) = (Vec::with_capacity(64), 0);
                for (at, _) in text.match_indices(',') {
                    fields.push(start..at);
                    start = at + 1;
                }
                fields.push(start..text.len());
                RawRow { at: began, faults, fields, text }
            }
            Format::Csv => unquoted(began, &text, faults),
        };
        limited(row, self.format)
    }
}

/// Notes a field that is too long, unless something else is wrong with the row.
fn limited(mut row: RawRow, format: Format) -> RawRow {
    let long = row.fields.iter().position(|field| field.len() > MOST_FIELD).filter(|_| format == Format::Csv);
    if let (Some(number), true) = (long, row.faults.is_empty()) {
        let length = row.fields[number].len();
        let says =
            format!("{}: field {} has {length} bytes, at most {MOST_FIELD} are read", row.at.named(), number + 1);
        row.faults.push(Finding::new(rules::FIELD_TOO_LONG, "", says));
    }
    row
}

/// Takes the quotation marks off the fields of a row.
fn unquoted(began: Position, row: &str, mut faults: Vec<Finding>) -> RawRow {
    let (mut text, mut fields, mut start) = (String::with_capacity(row.len()), Vec::with_capacity(64), 0);
    let mut quoting = Quoting::FieldStart;
    for (at, c) in row.char_indices() {
        let before = quoting;
        quoting = quoting.after(u8::try_from(c).unwrap_or(b'x'));
        let misplaced =
            (before == Quoting::Plain && c == '"') || (before == Quoting::Closing && quoting == Quoting::Plain);
        if misplaced && faults.is_empty() {
            let says =
                "a quotation mark stands inside a field: a field with one is put in quotation marks and doubles it";
            faults.push(fault(rules::QUOTE_MISPLACED, began, row.as_bytes(), at, says));
        }
        match (before, c) {
            (Quoting::FieldStart | Quoting::Quoted, '"') => {}
            // The second half of an escaped one.
            (Quoting::Closing, '"') => text.push('"'),
            (Quoting::Quoted, c) => text.push(c),
            (_, ',') => {
                fields.push(start..text.len());
                start = text.len();
            }
            (_, c) => text.push(c),
        }
    }
    fields.push(start..text.len());
    RawRow { at: began, faults, text, fields }
}

/// How many line breaks there are.
#[expect(clippy::naive_bytecount, reason = "no file is so large that a crate for it is worth its keep")]
pub(super) fn line_breaks(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// A fault at one byte of a row, with its exact place.
fn fault(rule: Rule, began: Position, row: &[u8], at: usize, what: &str) -> Finding {
    let place = Position { line: began.line + line_breaks(&row[..at]), byte: began.byte + at as u64 };
    Finding::new(rule, "", format!("{}: {what}", place.named()))
}

impl Position {
    /// The place, for people.
    #[must_use]
    pub fn named(&self) -> String {
        format!("line {}, byte {}", self.line, self.byte)
    }
}

/// Says as what bytes that are not UTF-8 were likely written.
pub(super) fn encoding_of(bytes: &[u8], at: usize) -> &'static str {
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let half = bytes[at..].iter().take(4).filter(|byte| **byte & 0xc0 == 0x80).count() > 0 && bytes[at] >= 0xc2;
    if utf16 {
        "as in UTF-16: save the file as UTF-8"
    } else if half {
        "a character of UTF-8 that is cut"
    } else {
        "as in Latin-1, Windows-1258 or TCVN3: save the file as UTF-8"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8], format: Format) -> (Vec<RawRow>, Option<ReadError>) {
        // A buffer of seven bytes: every row comes in pieces.
        let input = io::BufReader::with_capacity(7, text);
        let mut rows = Rows::new(input, format, Position { line: 1, byte: 0 }, Sha256::new());
        let mut read = vec![];
        loop {
            match rows.next_row() {
                Ok(Some(row)) => read.push(row),
                Ok(None) => {
                    assert_eq!(rows.digest(), <[u8; 32]>::from(Sha256::digest(text)));
                    assert_eq!(rows.position().byte, text.len() as u64);
                    return (read, None);
                }
                Err(error) => return (read, Some(error)),
            }
        }
    }

    fn fields(row: &RawRow) -> Vec<&str> {
        (0..row.count()).map(|number| row.field(number)).collect()
    }

    fn said(row: &RawRow) -> String {
        row.faults.iter().map(|fault| format!("{} {}", fault.code, fault.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn quotation_marks_hold_commas_line_breaks_and_themselves() {
        let text = "a,b\r\n\"x, y\",\"one\r\ntwo\"\n\n\"say \"\"hi\"\"\",\n".as_bytes();
        let (rows, error) = rows(text, Format::Csv);
        assert!(error.is_none());
        let all: Vec<_> = rows.iter().map(fields).collect();
        assert_eq!(all, [vec!["a", "b"], vec!["x, y", "one\r\ntwo"], vec!["say \"hi\"", ""]]);
        let lines: Vec<_> = rows.iter().map(|row| (row.at.line, row.at.byte)).collect();
        assert_eq!(lines, [(1, 0), (2, 5), (5, 24)]);
        assert!(rows.iter().all(|row| row.faults.is_empty()));
    }

    #[test]
    fn a_file_may_begin_with_the_mark_of_utf_8_and_a_field_in_quotation_marks() {
        let (rows, error) = rows("\u{feff}\"a\",\"b\nc\"\n1,2\n".as_bytes(), Format::Csv);
        assert!(error.is_none() && rows.iter().all(|row| row.faults.is_empty()));
        assert_eq!(rows.iter().map(fields).collect::<Vec<_>>(), [vec!["a", "b\nc"], vec!["1", "2"]]);
        assert_eq!((rows[0].at.byte, rows[1].at.byte, rows[1].at.line), (3, 13, 3));
    }

    #[test]
    fn a_row_that_cannot_be_read_tells_the_byte_and_the_next_one_is_read() {
        let (rows, error) = rows(b"a,b\nNguy\xean,x\nb\0c,y\nab\"c,z\n\"q\"r,z\nlast,w\n", Format::Csv);
        assert!(error.is_none());
        let said: Vec<_> = rows.iter().map(said).collect();
        assert!(said[1].starts_with("bytes-not-utf8 line 2, byte 8: 0xEA, as in Latin-1"), "{}", said[1]);
        assert!(said[2].starts_with("byte-nul line 3, byte 14: a NUL byte"), "{}", said[2]);
        assert!(said[3].starts_with("quote-misplaced line 4, byte 21"), "{}", said[3]);
        assert!(said[4].starts_with("quote-misplaced line 5, byte 29"), "{}", said[4]);
        assert_eq!((said[5].as_str(), fields(&rows[5])), ("", vec!["last", "w"]));
    }

    #[test]
    fn what_is_too_long_is_passed_over_and_named() {
        let mut text = b"a,b\nx,\"".to_vec();
        text.extend(vec![b'y'; 10 * 1024 * 1024]);
        text.extend_from_slice(b"\nstill the field\"\nnext,row\n");
        let (rows, error) = rows(&text, Format::Csv);
        assert!(error.is_none() && rows.len() == 3);
        assert!(said(&rows[1]).starts_with("row-too-long line 2, byte 4: 10485"), "{}", said(&rows[1]));
        assert_eq!((rows[2].at.line, fields(&rows[2])), (4, vec!["next", "row"]));
        let field = format!("a,{}\n", "y".repeat(MOST_FIELD + 1));
        let (rows, _) = self::rows(field.as_bytes(), Format::Csv);
        assert!(said(&rows[0]).contains("field 2 has 8193 bytes"), "{}", said(&rows[0]));
    }

    #[test]
    fn a_file_that_ends_in_a_row_says_where_the_row_begins() {
        for text in ["a,b\nc,d\ne,f", "a,b\nc,d\ne,\"f\n"] {
            let (rows, error) = rows(text.as_bytes(), Format::Csv);
            assert_eq!(rows.len(), 2);
            let at = Position { line: 3, byte: 8 };
            assert!(matches!(error, Some(ReadError::Cut(cut)) if cut == at), "{error:?}");
        }
    }

    #[test]
    fn a_mark_that_is_not_closed_takes_its_own_line_and_no_other() {
        let many = |count: usize| (0..count).map(|n| format!("p{n},q\n")).collect::<Vec<_>>().concat();
        // Closed by another stray mark far behind: all between are read.
        let text = format!("a,b\n{}x,\"open\n{}y,\"late\n{}", many(2), many(60), many(30));
        let (rows, error) = rows(text.as_bytes(), Format::Csv);
        assert!(error.is_none());
        assert_eq!(rows.len(), 1 + 2 + 1 + 60 + 1 + 30);
        let faulty: Vec<_> = rows.iter().filter(|row| !row.faults.is_empty()).map(|row| row.at.line).collect();
        assert_eq!(faulty, [4, 65]);
        assert!(said(&rows[3]).starts_with("quote-misplaced line 4, byte "), "{}", said(&rows[3]));
        assert_eq!(fields(&rows[4]), ["p0", "q"]);
    }

    #[test]
    fn a_line_of_json_is_one_field() {
        let (rows, error) = rows(b"{\"a\": \"x,y\"}\n\n{\"b\":1}\n", Format::Ndjson);
        assert!(error.is_none());
        assert_eq!(rows.iter().map(fields).collect::<Vec<_>>(), [vec!["{\"a\": \"x,y\"}"], vec!["{\"b\":1}"]]);
        assert_eq!(rows[1].at.line, 3);
    }
}
