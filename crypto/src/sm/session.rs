//! State of a channel that both ends share: keys, counter, encryption, MAC.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Keys;
use crate::suite::Cipher;
use crate::suite::cipher::{MAC_LEN, pad, unpad};
use crate::tlv;

/// Keys and send sequence counter of one channel.
pub(super) struct ChannelState {
    keys: Keys,
    /// Send sequence counter, as long as a block of the cipher; only the low 64 bits for triple DES.
    counter: u128,
}

impl ChannelState {
    pub(super) fn new(keys: Keys, counter: u128) -> Self {
        Self { keys, counter }
    }

    /// Counts one message (§9.8.2).
    pub(super) fn count(&mut self) {
        self.counter = self.counter.wrapping_add(1);
    }

    /// Returns the object with `data` encrypted: 87 with its padding indicator, or 85 for odd
    /// instructions. Empty for no data.
    pub(super) fn encrypt(&self, data: &[u8], odd: bool) -> Vec<u8> {
        if data.is_empty() {
            return Vec::new();
        }
        let padded = Zeroizing::new(pad(data, self.keys.cipher.block_len()));
        let hidden = self.keys.cipher.cbc_encrypt(&self.keys.encryption, &self.vector(), &padded);
        if odd {
            tlv::encode(ODD_CRYPTOGRAM, &hidden)
        } else {
            tlv::encode(CRYPTOGRAM, &[&[PADDED], &hidden[..]].concat())
        }
    }

    /// Returns the data in the value of an object 87 or 85; `None` if it was not made by [`ChannelState::encrypt`].
    pub(super) fn decrypt(&self, tag: u32, value: &[u8]) -> Option<Vec<u8>> {
        let ((CRYPTOGRAM, [PADDED, hidden @ ..]) | (ODD_CRYPTOGRAM, hidden)) = (tag, value) else { return None };
        let padded = Zeroizing::new(self.keys.cipher.cbc_decrypt(&self.keys.encryption, &self.vector(), hidden)?);
        let data = unpad(&padded)?;
        // A whole block of zeros before the padding would be a second encoding of the same data.
        (data.len() + self.keys.cipher.block_len() >= padded.len() && !data.is_empty()).then(|| data.to_vec())
    }

    /// Returns the MAC over the counter, a padded command header (empty for responses) and the data objects (§9.8.4).
    pub(super) fn mac(&self, header: &[u8], objects: &[u8]) -> [u8; MAC_LEN] {
        let block = self.keys.cipher.block_len();
        let mut message = self.block();
        if !header.is_empty() {
            message.extend(pad(header, block));
        }
        message.extend_from_slice(objects);
        // Without data objects the padded header ends the message, and nothing is padded twice.
        let padded = if objects.is_empty() { message } else { pad(&message, block) };
        self.keys.cipher.mac_of_padded(&self.keys.authentication, &padded)
    }

    /// Returns whether this is the MAC, in constant time.
    pub(super) fn verifies(&self, header: &[u8], objects: &[u8], mac: &[u8]) -> bool {
        self.mac(header, objects).as_slice().ct_eq(mac).into()
    }

    /// Returns the initialisation vector (§9.8.6.1, §9.8.7.1).
    fn vector(&self) -> Vec<u8> {
        match self.keys.cipher {
            Cipher::TripleDes => vec![0; 8],
            cipher => cipher.cbc_encrypt_zero_iv(&self.keys.encryption, &self.block()),
        }
    }

    /// Returns the counter as one block.
    fn block(&self) -> Vec<u8> {
        let bytes = self.counter.to_be_bytes();
        bytes[bytes.len() - self.keys.cipher.block_len()..].to_vec()
    }
}

/// Shows the counter only.
impl fmt::Debug for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({:?}, counter {:X})", self.keys.cipher, self.counter)
    }
}

/// Cryptogram with a padding indicator.
pub(super) const CRYPTOGRAM: u32 = 0x87;
/// Cryptogram of an odd instruction: data objects inside, no padding indicator.
pub(super) const ODD_CRYPTOGRAM: u32 = 0x85;
/// Expected length.
pub(super) const EXPECTED: u32 = 0x97;
/// Status word.
pub(super) const STATUS: u32 = 0x99;
/// Cryptographic checksum.
pub(super) const MAC: u32 = 0x8e;

/// Padding indicator: padding method 2 of ISO/IEC 9797-1.
const PADDED: u8 = 0x01;
