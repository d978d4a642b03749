//! EF.ATR/INFO: Doc 9303-10 (8th ed.) §3.11.1, table 29; ISO/IEC 7816-4:2013 §12.7.1.

use thiserror::Error;

use crate::tlv::{self, Tlv, TlvError};

/// How long commands and responses may be, in bytes of the whole APDU.
///
/// ```text
/// 47 card capabilities (3 bytes), 7F66 { 02 longest command, 02 longest response }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AtrInfo {
    /// Longest command APDU the chip takes.
    pub max_command: usize,
    /// Longest response APDU the chip gives.
    pub max_response: usize,
}

impl AtrInfo {
    /// The lengths that every card supports: a short command of 261 bytes, a response of 258.
    pub const SHORT: Self = Self { max_command: 261, max_response: 258 };

    /// Returns the file. Capabilities: selection by DF name and by short identifier, data units of one byte, and
    /// extended lengths if the numbers need them.
    pub fn encode(&self) -> Vec<u8> {
        let extended = *self != Self::SHORT;
        let capabilities = [0x84, 0x01, if extended { 0x60 } else { 0x20 }];
        let lengths = [self.max_command, self.max_response]
            .map(|length| tlv::encode_integer(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()));
        [tlv::encode(0x47, &capabilities), tlv::encode(0x7f66, &lengths.concat())].concat()
    }

    /// Reads the file. Returns `None` if it does not say how long APDUs may be. Other objects are skipped.
    ///
    /// # Errors
    /// [`AtrInfoError`].
    pub fn parse(file: &[u8]) -> Result<Option<Self>, AtrInfoError> {
        let Some(lengths) = tlv::find(file, 0x7f66)? else { return Ok(None) };
        let mut lengths = lengths.children();
        let (command, response) = (lengths.expect(0x02)?, lengths.expect(0x02)?);
        Ok(Some(Self { max_command: value(&command)?, max_response: value(&response)? }))
    }
}

/// Reads an INTEGER as unsigned: some cards leave out the leading zero.
fn value(integer: &Tlv<'_>) -> Result<usize, AtrInfoError> {
    let significant = &integer.value[integer.value.iter().take_while(|b| **b == 0).count()..];
    if significant.is_empty() || significant.len() > 4 {
        return Err(AtrInfoError::Length);
    }
    Ok(significant.iter().fold(0, |n, b| n << 8 | usize::from(*b)))
}

/// Error when reading EF.ATR/INFO.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum AtrInfoError {
    /// A length of zero or beyond 32 bits.
    #[error("EF.ATR/INFO gives a length that no APDU has")]
    Length,
    /// The data objects are malformed.
    #[error("EF.ATR/INFO: {0}")]
    Tlv(#[from] TlvError),
}
