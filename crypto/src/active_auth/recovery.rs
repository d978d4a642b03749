//! ISO/IEC 9796-2 digital signature scheme 1, partial recovery: what RSA chips sign with (§6.1.2.2).

use crate::suite::SignatureError;

/// Not yet.
pub(super) fn verify(_public: &[u8], _challenge: &[u8; 8], _signature: &[u8]) -> Result<(), SignatureError> {
    Err(SignatureError::Malformed)
}
