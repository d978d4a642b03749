//! AES with a key of any of the three lengths, and the computations of SCP03.

use std::fmt;

use aes::{Aes128, Aes192, Aes256};
use cipher::block_padding::{Iso7816, NoPadding};
use cipher::{Array, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit};
use cmac::{Cmac, Mac};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{BLOCK, KeyError};

/// An AES-128, -192 or -256 key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct AesKey(Vec<u8>);

/// Runs the same expression with the cipher that fits the key's length.
macro_rules! with_cipher {
    ($key:expr, $cipher:ident => $body:expr) => {
        match $key.0.len() {
            16 => {
                type $cipher = Aes128;
                $body
            }
            24 => {
                type $cipher = Aes192;
                $body
            }
            _ => {
                type $cipher = Aes256;
                $body
            }
        }
    };
}

const LENGTH: &str = "an AesKey has 16, 24 or 32 bytes";

impl AesKey {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes.len() {
            16 | 24 | 32 => Ok(Self(bytes.to_vec())),
            length => Err(KeyError::Length { length }),
        }
    }

    /// Returns the length of the key: 16, 24 or 32 bytes.
    pub(super) fn length(&self) -> usize {
        self.0.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns AES-CMAC (RFC 4493, SP 800-38B) over the concatenation.
    pub(super) fn cmac(&self, parts: &[&[u8]]) -> [u8; BLOCK] {
        with_cipher!(self, Aes => {
            let mut mac = <Cmac<Aes> as KeyInit>::new_from_slice(&self.0).expect(LENGTH);
            for part in parts {
                mac.update(part);
            }
            mac.finalize().into_bytes().into()
        })
    }

    pub(super) fn encrypt_block(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = Array(block);
        with_cipher!(self, Aes => Aes::new_from_slice(&self.0).expect(LENGTH).encrypt_block(&mut block));
        block.0
    }

    /// Encrypts in CBC mode with ISO/IEC 7816-4 padding, which is always added.
    pub(super) fn seal(&self, icv: &[u8; BLOCK], plain: &[u8]) -> Vec<u8> {
        with_cipher!(self, Aes => cbc::Encryptor::<Aes>::new_from_slices(&self.0, icv)
            .expect(LENGTH).encrypt_padded_vec::<Iso7816>(plain))
    }

    /// Returns the inverse of [`AesKey::seal`]; `None` for a wrong length or padding.
    pub(super) fn open(&self, icv: &[u8; BLOCK], sealed: &[u8]) -> Option<Vec<u8>> {
        with_cipher!(self, Aes => cbc::Decryptor::<Aes>::new_from_slices(&self.0, icv)
            .expect(LENGTH).decrypt_padded_vec::<Iso7816>(sealed).ok())
    }

    /// Encrypts in CBC mode with a zero ICV over whole blocks, as PUT KEY carries a key under Key-DEK
    /// (Amendment D v1.2 §7.2).
    pub(super) fn wrap(&self, key: &[u8]) -> Vec<u8> {
        let mut blocks = Zeroizing::new(key.to_vec());
        blocks.resize(key.len().next_multiple_of(BLOCK), 0);
        with_cipher!(self, Aes => cbc::Encryptor::<Aes>::new_from_slices(&self.0, &[0; BLOCK])
            .expect(LENGTH).encrypt_padded_vec::<NoPadding>(&blocks))
    }

    /// Returns the inverse of [`AesKey::wrap`], padding included; `None` if these are not whole blocks.
    pub(super) fn unwrap(&self, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        with_cipher!(self, Aes => cbc::Decryptor::<Aes>::new_from_slices(&self.0, &[0; BLOCK])
            .expect(LENGTH).decrypt_padded_vec::<NoPadding>(wrapped).ok().map(Zeroizing::new))
    }

    /// Derives key material by SP 800-108 in counter mode with CMAC, as Amendment D v1.2 §4.1.5 lays it out: label and
    /// constant (12 bytes), `00`, L in bits (2 bytes), i (1 byte), context.
    pub(super) fn derive(&self, label: &[u8; 12], context: &[&[u8]], length: usize) -> Zeroizing<Vec<u8>> {
        let bits = u16::try_from(length * 8).expect("at most 32 bytes are derived").to_be_bytes();
        let blocks = u8::try_from(length.div_ceil(BLOCK)).expect("at most two blocks");
        let mut out = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(BLOCK)));
        for i in 1..=blocks {
            let counter = [i];
            let mut parts: Vec<&[u8]> = vec![label, &[0], &bits, &counter];
            parts.extend_from_slice(context);
            let mut block = Zeroizing::new(self.cmac(&parts));
            out.extend_from_slice(&block[..]);
            block.zeroize();
        }
        out.truncate(length);
        out
    }
}

/// Shows the length only.
impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AesKey({} bits)", self.0.len() * 8)
    }
}
