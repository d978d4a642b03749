//! Secure Channel Protocol '03', S8 mode: GlobalPlatform Card Specification v2.3, Amendment D v1.2.
//!
//! AES-128, -192 and -256; command MAC and encryption, response MAC and encryption; the card challenge is pseudo-random
//! (`i` = `70`), so that a host with the card's static keys and its sequence counter can compute a whole session
//! in advance. [`terminal`] and [`chip`] are the two ends; neither does any I/O.
//!
//! ```
//! use crypto::apdu::{Command, Response};
//! use crypto::identity::CardSerial;
//! use crypto::scp03::{ISSUER_SECURITY_DOMAIN as AID, MasterKey, SecurityLevel, chip, terminal::Prediction};
//!
//! let serial = CardSerial([7; 10]);
//! let keys = MasterKey::from_bytes(&[1; 16])?.diversify(&serial, 3);
//! // The host computes the session without the card; the card's last sequence counter is 41.
//! let mut host = Prediction::new(&keys, 3, &serial, 42, rand::random(), &AID, SecurityLevel::FULL);
//! let request = chip::Request::read(&host.initialize_update, 3, 41).expect("a good command");
//! let (opening, answer) = request.answer(&keys, &serial, &AID);
//! assert_eq!(answer, host.answer);
//! let mut card = opening.accept(&host.external_authenticate).expect("the same keys");
//!
//! let command = Command::new(0xe2, 0, 0).class(0x80).data([1, 2, 3]).expecting(256);
//! let wrapped = host.session.wrap(&command);
//! assert_eq!(card.open(&wrapped).expect("an intact command").data, [1, 2, 3]);
//! let sealed = card.seal(Response::success([4]));
//! assert_eq!(host.session.unwrap(sealed)?.data, [4]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Rules that are easy to get wrong, as the published sessions show them
//!
//! * Key derivation: SP 800-108 in counter mode with CMAC. Label: eleven zero bytes and the derivation constant; `00`;
//!   L in bits; i; context: host challenge and card challenge. The card challenge itself: constant `02`, static
//!   Key-ENC, context: sequence counter (3 bytes) and the AID of the security domain.
//! * The MAC chaining value begins as 16 zero bytes, and EXTERNAL AUTHENTICATE is the first link. Sixteen bytes are
//!   carried on, eight are sent.
//! * The C-MAC covers the chaining value, the header with the secure-messaging bit set, Lc **counting the MAC**, and
//!   the data **after** encryption. Le is never covered.
//! * Extended length: the Lc that is covered has the form of the command as sent, `00 hi lo` if the sealed command has
//!   more than 255 data bytes or wants more than 256 response bytes.
//! * The encryption counter is 1 for the first command after EXTERNAL AUTHENTICATE and counts **every** command, those
//!   without data (to which nothing is encrypted) too. ICV: the counter as a block, encrypted under S-ENC.
//! * The answer is encrypted under the same counter with the first byte `80`; then MACed over the chaining value of its
//!   command, the encrypted data and the status. The answer's MAC does not enter the chain.
//! * An error status (anything but `9000`, `62xx`, `63xx`) travels alone, unprotected; data are dropped.
//! * Neither the answer to INITIALIZE UPDATE nor that to EXTERNAL AUTHENTICATE carries a MAC.

use std::fmt;

pub use keys::{KeyError, KeySet, MasterKey, check_value};

pub mod chip;
pub mod terminal;

mod aes_key;
mod keys;
mod session;
#[cfg(test)]
mod tests;

/// AID of the issuer security domain (GPCS v2.3 Annex H: the default AID).
pub const ISSUER_SECURITY_DOMAIN: [u8; 8] = [0xa0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

/// Largest value of the three-byte sequence counter; a chip that has reached it opens no further session.
pub const LAST_SEQUENCE_COUNTER: u32 = 0x00ff_ffff;

/// Protocol identifier and parameter `i` in the answer to INITIALIZE UPDATE: SCP03, pseudo-random card challenge, R-MAC
/// and R-ENC supported, S8 mode (Amendment D v1.2 §5.1).
pub const PROTOCOL: [u8; 2] = [0x03, 0x70];

/// What a session protects (Amendment D v1.2 §7.1.2.1, P1 of EXTERNAL AUTHENTICATE).
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct SecurityLevel(u8);

impl SecurityLevel {
    /// `01`: commands carry a MAC.
    pub const C_MAC: Self = Self(0x01);
    /// `03`: commands are encrypted and carry a MAC.
    pub const C_ENC_C_MAC: Self = Self(0x03);
    /// `11`: commands and answers carry a MAC.
    pub const C_MAC_R_MAC: Self = Self(0x11);
    /// `13`: commands are encrypted; commands and answers carry a MAC.
    pub const C_ENC_C_MAC_R_MAC: Self = Self(0x13);
    /// `33`: commands and answers are encrypted and carry a MAC. The only level that personalization uses.
    pub const FULL: Self = Self(0x33);
    /// All variants.
    pub const ALL: [Self; 5] = [Self::C_MAC, Self::C_ENC_C_MAC, Self::C_MAC_R_MAC, Self::C_ENC_C_MAC_R_MAC, Self::FULL];

    /// Returns the level with this byte, if the specification has it. `00` (authentication alone) is not taken here.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.0 == byte)
    }

    /// P1 of EXTERNAL AUTHENTICATE.
    pub fn byte(self) -> u8 {
        self.0
    }

    fn encrypts_commands(self) -> bool {
        self.0 & 0x02 != 0
    }

    fn macs_responses(self) -> bool {
        self.0 & 0x10 != 0
    }

    fn encrypts_responses(self) -> bool {
        self.0 & 0x20 != 0
    }
}

impl fmt::Debug for SecurityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecurityLevel({:02X})", self.0)
    }
}

/// Returns the most plaintext bytes that one command can carry under C-ENC and C-MAC, when the whole command APDU, with
/// an Le field, may have at most `max_command` bytes (the first integer of DO `7F66` in EF.ATR/INFO). 239 as soon as a
/// whole short command fits; 0 if not even an empty protected block does.
///
/// Padding takes at least one byte, the MAC eight; an extended command needs three bytes more for its lengths.
pub fn largest_plaintext(max_command: usize) -> usize {
    let sealed_in = |overhead: usize, limit: usize| max_command.saturating_sub(overhead).min(limit);
    let plain = |data: usize| (data.saturating_sub(MAC_LENGTH) / BLOCK * BLOCK).saturating_sub(1);
    // header, Lc of one byte, Le of one byte; header, Lc of three bytes, Le of two bytes
    plain(sealed_in(4 + 1 + 1, 255)).max(plain(sealed_in(4 + 3 + 2, 0xffff)))
}

/// Returns the most data bytes that one answer can carry under R-ENC and R-MAC, when the whole response APDU may have
/// at most `max_response` bytes (the second integer of DO `7F66` in EF.ATR/INFO).
pub fn largest_answer(max_response: usize) -> usize {
    (max_response.min(65_536 + 2).saturating_sub(2 + MAC_LENGTH) / BLOCK * BLOCK).saturating_sub(1)
}

/// Bytes of a C-MAC or R-MAC in S8 mode.
const MAC_LENGTH: usize = 8;
/// Bytes of an AES block.
const BLOCK: usize = 16;
