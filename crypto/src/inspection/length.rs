//! The least number of READ BINARY commands for a set of files.

use crate::apdu::EXTENDED_NE;
use crate::sm;
use crate::suite::Cipher;

/// Returns the most plaintext bytes that one response APDU of at most `max_response` bytes (status word included)
/// carries: a short one 256 in the clear, 223 under AES, 231 under triple DES.
pub fn most_plaintext(channel: Option<Cipher>, max_response: usize) -> usize {
    let body = max_response.saturating_sub(2).clamp(1, EXTENDED_NE);
    channel.map_or(body, |cipher| sm::response_capacity(cipher, body)).max(1)
}

/// Returns the least number of READ BINARY commands that read files of these lengths, when one response carries `most`
/// bytes of plaintext. A reader attains it if it opens each file by short identifier, asks for `most` bytes at once and
/// learns the file's length from what it got.
///
/// # Panics
/// If `most` is zero.
pub fn minimum_reads(lengths: impl IntoIterator<Item = usize>, most: usize) -> usize {
    lengths.into_iter().map(|length| length.div_ceil(most).max(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_response_carries_223_bytes_under_aes_and_231_under_triple_des() {
        for aes in [Cipher::Aes128, Cipher::Aes192, Cipher::Aes256] {
            assert_eq!(most_plaintext(Some(aes), 258), 223);
        }
        assert_eq!(most_plaintext(Some(Cipher::TripleDes), 258), 231);
        assert_eq!(most_plaintext(None, 258), 256);
    }

    #[test]
    fn the_minimum_counts_each_file_at_least_once() {
        assert_eq!(minimum_reads([0, 1, 223, 224, 17_600], 223), 1 + 1 + 1 + 2 + 79);
        assert_eq!(minimum_reads([17_600], 65_000), 1);
    }
}
