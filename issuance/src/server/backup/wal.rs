//! The log that SQLite writes ahead, judged by SQLite's own checksums: only whole transactions are copied, in pieces.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::Progress;
use crate::store::Db;

/// How far the log was copied.
#[derive(Clone, Debug)]
pub(super) struct Position {
    header: [u8; HEADER],
    /// Behind the last whole transaction.
    pub at: u64,
    /// SQLite's checksum there.
    sums: (u32, u32),
}

impl Position {
    /// Finds the end of the last whole transaction of the log, from its beginning.
    pub(super) fn at_beginning(wal: &Path, progress: &Progress) -> io::Result<Self> {
        let mut header = [0; HEADER];
        File::open(wal)?.read_exact(&mut header)?;
        let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let begin = Self { header, at: HEADER as u64, sums: (number(24), number(28)) };
        if begin.page().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no write-ahead log of SQLite"));
        }
        begin.next(wal, progress)?.ok_or_else(|| io::Error::other("the log was begun anew"))
    }

    /// Finds the end of the last whole transaction that came since. `None` where SQLite began its log anew. However
    /// much came, one frame of it is in memory.
    pub(super) fn next(&self, wal: &Path, progress: &Progress) -> io::Result<Option<Self>> {
        let mut file = match File::open(wal) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut header = [0; HEADER];
        if file.read_exact_at(&mut header, 0).is_err() || header != self.header {
            return Ok(None);
        }
        let page = self.page().ok_or_else(|| io::Error::other("the log has no size of pages"))?;
        let big = self.header[3] & 1 == 1;
        file.seek(SeekFrom::Start(self.at))?;
        let (mut file, mut frame) = (BufReader::with_capacity(PIECE, file), vec![0; FRAME + page]);
        let (mut at, mut sums, mut whole) = (self.at, self.sums, (self.at, self.sums));
        loop {
            match file.read_exact(&mut frame) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                read => read?,
            }
            // Behind the last transaction lie frames of an earlier log.
            if frame[8..16] != self.header[16..24] {
                break;
            }
            sums = summed(summed(sums, &frame[..8], big), &frame[FRAME..], big);
            if [sums.0.to_be_bytes(), sums.1.to_be_bytes()].concat() != frame[16..24] {
                break;
            }
            at += frame.len() as u64;
            // The last frame of a transaction says how many pages the database has then.
            if frame[4..8] != [0; 4] {
                whole = (at, sums);
            }
            progress.passed("reading the log", frame.len() as u64)?;
        }
        Ok(Some(Self { header, at: whole.0, sums: whole.1 }))
    }

    /// Returns the size of a page, if the header says one.
    fn page(&self) -> Option<usize> {
        let number = |at: usize| u32::from_be_bytes(self.header[at..at + 4].try_into().expect("four bytes"));
        let page = number(8) as usize;
        ((number(0) | 1) == 0x377f_0683 && page.is_power_of_two() && (512..=65_536).contains(&page)).then_some(page)
    }
}

/// Returns the bytes of the log between two positions, to be read in pieces: what is whole is never written again.
pub(super) fn between(wal: &Path, from: u64, to: u64) -> io::Result<impl Read + use<>> {
    let mut file = File::open(wal)?;
    file.seek(SeekFrom::Start(from))?;
    Ok(file.take(to.saturating_sub(from)))
}

/// The checksum of SQLite's log, over pairs of words.
fn summed((mut one, mut two): (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    let word = |word: &[u8]| {
        let word = word.try_into().expect("four bytes");
        if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    };
    for pair in bytes.chunks_exact(8) {
        one = one.wrapping_add(word(&pair[..4])).wrapping_add(two);
        two = two.wrapping_add(word(&pair[4..])).wrapping_add(one);
    }
    (one, two)
}

/// The log beside a database.
pub(super) fn wal_of(data: &Path) -> PathBuf {
    let mut name = Db::lite_file(data).into_os_string();
    name.push("-wal");
    name.into()
}

/// The header of the log, and that of a frame (<https://sqlite.org/fileformat2.html#walformat>).
const HEADER: usize = 32;
const FRAME: usize = 24;
const PIECE: usize = 64 * 1024;
