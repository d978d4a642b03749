//! Computations shared by both roles: §4.4.3.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Suite;
use crate::sm::Keys;
use crate::suite::cipher::MAC_LEN;
use crate::suite::{EcError, PrivateKey, PublicKey};
use crate::{kdf, tlv};

/// Data objects of the dynamic authentication data (§4.4.5, table 4): terminal's, then chip's.
pub(super) mod object {
    pub const NONCE: u32 = 0x80;
    pub const TERMINAL_MAPPING: u32 = 0x81;
    pub const CHIP_MAPPING: u32 = 0x82;
    pub const TERMINAL_EPHEMERAL: u32 = 0x83;
    pub const CHIP_EPHEMERAL: u32 = 0x84;
    pub const TERMINAL_TOKEN: u32 = 0x85;
    pub const CHIP_TOKEN: u32 = 0x86;
}

/// Returns `z = E(Kπ, s)` (§4.4.3.3).
pub(super) fn hide_nonce(suite: Suite, password: &[u8], nonce: &[u8]) -> Vec<u8> {
    suite.cipher.cbc_encrypt_zero_iv(&kdf::password_key(suite.cipher, password), nonce)
}

/// Returns `s = D(Kπ, z)`; `None` unless it is whole blocks and short enough for the curve.
pub(super) fn uncover_nonce(suite: Suite, password: &[u8], hidden: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if hidden.is_empty() || hidden.len() > suite.curve.field_len() {
        return None;
    }
    suite.cipher.cbc_decrypt_zero_iv(&kdf::password_key(suite.cipher, password), hidden).map(Zeroizing::new)
}

/// Returns the session keys of the agreement on the mapped generator (§9.6, §9.7.4).
pub(super) fn session_keys(suite: Suite, own: &PrivateKey, peer: &PublicKey) -> Result<Keys, EcError> {
    Ok(Keys::derive(suite.cipher, &own.agree(peer)?))
}

/// Returns the token over the receiver's ephemeral public key (§4.4.3.4, §9.4.4).
pub(super) fn token(suite: Suite, keys: &Keys, receiver: &PublicKey) -> [u8; MAC_LEN] {
    let protocol = tlv::encode(0x06, suite.protocol().oid().as_bytes());
    let point = tlv::encode(0x86, receiver.to_sec1());
    keys.mac(&tlv::encode_all(0x7f49, &[&protocol, &point]))
}

/// Returns whether a token is the one expected, in constant time.
pub(super) fn is_token(expected: [u8; MAC_LEN], received: &[u8]) -> bool {
    expected.as_slice().ct_eq(received).into()
}
