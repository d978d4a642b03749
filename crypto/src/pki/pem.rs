//! Keys and certificates in text: RFC 7468, read as people and other systems write it.
//!
//! Reads both line ends, a byte order mark, UTF-16 (Windows), spaces around lines, lines of any length, and text around
//! the blocks. The content is not looked at.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;
use zeroize::Zeroizing;

/// One block of such a text.
pub struct Block {
    /// The words after `BEGIN`: `CERTIFICATE`, `PRIVATE KEY`, …
    pub label: String,
    /// Whether headers say that the content is encrypted (RFC 1421, still written by OpenSSL's older commands).
    pub encrypted: bool,
    /// The bytes, DER as a rule.
    pub content: Zeroizing<Vec<u8>>,
}

/// Shows no content: it may be a key.
impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({}, {} bytes)", self.label, self.content.len())
    }
}

/// Error when reading such a text.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum PemError {
    /// A block is not Base64; holds its label.
    #[error("the block `{0}` is damaged: it is not Base64")]
    Damaged(String),
    /// A block has no end; holds its label.
    #[error("the block `{0}` has no end: the text is cut off")]
    NoEnd(String),
}

/// Returns the text of a file: UTF-8 or, with its byte order mark, UTF-16; without the mark. What is
/// neither is replaced by U+FFFD.
pub fn text(bytes: &[u8]) -> Zeroizing<String> {
    let utf_16 = |from: fn([u8; 2]) -> u16| {
        let units = bytes[2..].as_chunks::<2>().0.iter().map(|pair| from(*pair));
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    Zeroizing::new(match bytes {
        [0xff, 0xfe, ..] => utf_16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf_16(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).into_owned(),
    })
}

/// Returns the blocks of a text in their order; none if it has no line that begins one.
///
/// # Errors
/// [`PemError`] of the first block that cannot be read.
pub fn blocks(text: &str) -> Result<Vec<Block>, PemError> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().flat_map(|line| line.split('\r')).map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = marked(line, "-----BEGIN ") else { continue };
        let mut encrypted = false;
        let mut content = Zeroizing::new(String::new());
        loop {
            let line = lines.next().ok_or_else(|| PemError::NoEnd(label.to_owned()))?;
            if marked(line, "-----END ").is_some() {
                break;
            }
            if marked(line, "-----BEGIN ").is_some() {
                return Err(PemError::NoEnd(label.to_owned()));
            }
            match line.split_once(':') {
                Some((_, value)) => encrypted |= value.contains("ENCRYPTED"),
                None => content.extend(line.chars().filter(|c| !c.is_whitespace())),
            }
        }
        let content = match LENIENT.decode(content.as_bytes()) {
            Ok(bytes) => Zeroizing::new(bytes),
            // The headers may hold a line that is no pair, and the content is of no use without the passphrase.
            Err(_) if encrypted => Zeroizing::default(),
            Err(_) => return Err(PemError::Damaged(label.to_owned())),
        };
        blocks.push(Block { label: label.to_owned(), encrypted, content });
    }
    Ok(blocks)
}

/// Writes one block, with lines of 64 characters.
pub fn write(label: &str, content: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(LENIENT.encode(content));
    let mut text = Zeroizing::new(format!("-----BEGIN {label}-----\n"));
    for line in base64.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

/// Returns the label of a line that begins or ends a block.
fn marked<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.strip_prefix(mark)?.strip_suffix("-----")
}

/// Base64 with or without its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<u8> {
        (0..=255).collect()
    }

    fn read(text: &str) -> Vec<(String, Vec<u8>)> {
        blocks(text).unwrap().into_iter().map(|block| (block.label, block.content.to_vec())).collect()
    }

    #[test]
    fn what_is_written_is_read_in_every_shape_that_people_give_it() {
        let written = write("CERTIFICATE", &bytes());
        let expected = vec![("CERTIFICATE".to_owned(), bytes())];
        let unwrapped: String = written.lines().filter(|line| !line.starts_with('-')).collect();
        for shape in [
            written.to_string(),
            written.replace('\n', "\r\n"),
            written.replace('\n', "\r"),
            format!("Bag Attributes\n    friendlyName: counter 1\nsubject=CN = x\n{}and more\n", *written),
            written.replace('\n', "\t\n  "),
            written.trim_end().to_owned(),
            format!("-----BEGIN CERTIFICATE-----\n{unwrapped}\n-----END CERTIFICATE-----"),
            written.replace('=', ""),
        ] {
            assert_eq!(read(&shape), expected, "{shape}");
        }
        assert_eq!(read(&format!("{}{}", *written, *write("PRIVATE KEY", b"key"))).len(), 2);
        assert_eq!(read("no block at all"), []);
    }

    #[test]
    fn the_marks_of_windows_are_no_part_of_the_text() {
        let utf_16: Vec<u16> = "-----BEGIN".encode_utf16().collect();
        let little =
            [&[0xff, 0xfe][..], &utf_16.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>()].concat();
        let big = [&[0xfe, 0xff][..], &utf_16.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<_>>()].concat();
        for file in [&b"-----BEGIN"[..], b"\xef\xbb\xbf-----BEGIN", &little, &big] {
            assert_eq!(*text(file), "-----BEGIN");
        }
        assert_eq!(*text(&[]), "");
    }

    #[test]
    fn a_block_that_is_cut_or_damaged_is_named() {
        let written = write("CERTIFICATE", &bytes());
        let cut = &written[..written.len() - 30];
        assert_eq!(blocks(cut).unwrap_err(), PemError::NoEnd("CERTIFICATE".to_owned()));
        let twice = format!("{cut}\n{}", *written);
        assert_eq!(blocks(&twice).unwrap_err(), PemError::NoEnd("CERTIFICATE".to_owned()));
        let damaged = written.replace("AAEC", "A*EC");
        assert_eq!(blocks(&damaged).unwrap_err(), PemError::Damaged("CERTIFICATE".to_owned()));
    }

    #[test]
    fn an_encrypted_key_of_the_old_form_is_recognised() {
        let text = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAEC\n-----END EC PRIVATE KEY-----\n";
        assert!(blocks(text).unwrap()[0].encrypted);
        assert!(!blocks(&write("EC PRIVATE KEY", b"key")).unwrap()[0].encrypted);
    }
}
