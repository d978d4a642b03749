//! Block ciphers in CBC mode, MACs and padding: Doc 9303-11 (8th ed.) §9.8.6, ISO/IEC 9797-1:2011, NIST SP 800-38B.

use aes::{Aes128, Aes192, Aes256};
use cbc::{Decryptor, Encryptor};
use cipher::block_padding::NoPadding;
use cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use cmac::{Cmac, KeyInit, Mac};
use des::TdesEde2;

/// A cipher with its MAC, as PACE, chip authentication and secure messaging pair them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Cipher {
    /// Two-key triple DES in CBC mode with the retail MAC. Foreign documents and BAC only.
    TripleDes,
    /// AES-128 in CBC mode with CMAC.
    Aes128,
    /// AES-192 in CBC mode with CMAC.
    Aes192,
    /// AES-256 in CBC mode with CMAC.
    Aes256,
}

/// Length in bytes of every MAC and authentication token of Doc 9303-11.
pub const MAC_LEN: usize = 8;

impl Cipher {
    /// All variants.
    pub const ALL: [Self; 4] = [Self::TripleDes, Self::Aes128, Self::Aes192, Self::Aes256];

    /// Returns the length of a key in bytes.
    pub fn key_len(self) -> usize {
        match self {
            Self::TripleDes | Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Returns the length of a block in bytes.
    pub fn block_len(self) -> usize {
        if self == Self::TripleDes { 8 } else { 16 }
    }

    /// Encrypts whole blocks in CBC mode.
    ///
    /// # Panics
    /// If the key, the initialisation vector or the data have a length that this cipher does not allow.
    pub fn cbc_encrypt(self, key: &[u8], iv: &[u8], blocks: &[u8]) -> Vec<u8> {
        assert!(blocks.len().is_multiple_of(self.block_len()), "CBC without padding takes whole blocks");
        fn run<M: KeyIvInit + BlockModeEncrypt>(key: &[u8], iv: &[u8], blocks: &[u8]) -> Vec<u8> {
            M::new_from_slices(key, iv)
                .expect("key and IV are as long as the cipher's")
                .encrypt_padded_vec::<NoPadding>(blocks)
        }
        match self {
            Self::TripleDes => run::<Encryptor<TdesEde2>>(key, iv, blocks),
            Self::Aes128 => run::<Encryptor<Aes128>>(key, iv, blocks),
            Self::Aes192 => run::<Encryptor<Aes192>>(key, iv, blocks),
            Self::Aes256 => run::<Encryptor<Aes256>>(key, iv, blocks),
        }
    }

    /// Decrypts in CBC mode; `None` unless `blocks` are whole blocks.
    ///
    /// # Panics
    /// If the key or the initialisation vector have a length that this cipher does not allow.
    pub fn cbc_decrypt(self, key: &[u8], iv: &[u8], blocks: &[u8]) -> Option<Vec<u8>> {
        fn run<M: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], blocks: &[u8]) -> Option<Vec<u8>> {
            let mode = M::new_from_slices(key, iv).expect("key and IV are as long as the cipher's");
            mode.decrypt_padded_vec::<NoPadding>(blocks).ok()
        }
        match self {
            Self::TripleDes => run::<Decryptor<TdesEde2>>(key, iv, blocks),
            Self::Aes128 => run::<Decryptor<Aes128>>(key, iv, blocks),
            Self::Aes192 => run::<Decryptor<Aes192>>(key, iv, blocks),
            Self::Aes256 => run::<Decryptor<Aes256>>(key, iv, blocks),
        }
    }

    /// Encrypts whole blocks under an all-zero initialisation vector.
    ///
    /// # Panics
    /// As [`Cipher::cbc_encrypt`].
    pub fn cbc_encrypt_zero_iv(self, key: &[u8], blocks: &[u8]) -> Vec<u8> {
        self.cbc_encrypt(key, &[0; 16][..self.block_len()], blocks)
    }

    /// Decrypts under an all-zero initialisation vector; `None` unless `blocks` are whole blocks.
    ///
    /// # Panics
    /// As [`Cipher::cbc_decrypt`].
    pub fn cbc_decrypt_zero_iv(self, key: &[u8], blocks: &[u8]) -> Option<Vec<u8>> {
        self.cbc_decrypt(key, &[0; 16][..self.block_len()], blocks)
    }

    /// Returns the MAC of `message`: for triple DES the retail MAC (ISO/IEC 9797-1 MAC algorithm 3) after padding
    /// method 2, for AES the CMAC cut to eight bytes. Secure messaging pads **before** the CMAC too: see
    /// [`Cipher::mac_of_padded`].
    ///
    /// # Panics
    /// If the key has a length that this cipher does not allow.
    pub fn mac(self, key: &[u8], message: &[u8]) -> [u8; MAC_LEN] {
        match self {
            Self::TripleDes => self.mac_of_padded(key, &pad(message, 8)),
            _ => self.mac_of_padded(key, message),
        }
    }

    /// Returns the MAC of a message that was padded to whole blocks before.
    ///
    /// # Panics
    /// If the key has a length that this cipher does not allow, or, for triple DES, the message is not whole blocks.
    pub fn mac_of_padded(self, key: &[u8], padded: &[u8]) -> [u8; MAC_LEN] {
        match self {
            Self::TripleDes => retail_mac(key, padded),
            _ => aes_cmac(key, padded)[..MAC_LEN].try_into().expect("16 bytes begin with 8"),
        }
    }
}

/// Returns the AES-CMAC (NIST SP 800-38B), all sixteen bytes; the key length chooses the cipher.
///
/// # Panics
/// If the key is not 16, 24 or 32 bytes long.
pub fn aes_cmac(key: &[u8], message: &[u8]) -> [u8; 16] {
    fn run<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> [u8; 16] {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("the key length was matched");
        mac.update(message);
        mac.finalize().into_bytes().as_slice().try_into().expect("an AES block has 16 bytes")
    }
    match key.len() {
        16 => run::<Cmac<Aes128>>(key, message),
        24 => run::<Cmac<Aes192>>(key, message),
        _ => run::<Cmac<Aes256>>(key, message),
    }
}

/// Pads by method 2 of ISO/IEC 9797-1, which is that of ISO/IEC 7816-4: `80`, then zeros up to the block.
pub fn pad(data: &[u8], block_len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + block_len);
    out.extend_from_slice(data);
    out.push(0x80);
    out.resize(out.len().next_multiple_of(block_len), 0);
    out
}

/// Returns the data before the padding, or `None` if there is no padding. The caller checks for whole blocks.
pub fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|b| *b != 0)?;
    (padded[end] == 0x80).then(|| &padded[..end])
}

/// Returns the MAC by ISO/IEC 9797-1 algorithm 3 on DES: CBC with the first key half, the last block
/// finished with triple DES.
fn retail_mac(key: &[u8], padded: &[u8]) -> [u8; MAC_LEN] {
    let half = <&[u8; 8]>::try_from(&key[..8]).expect("two-key triple DES has 16 bytes");
    let single = Cipher::TripleDes; // EDE2 under K1 || K1 is single DES under K1
    let doubled = zeroize::Zeroizing::new([*half, *half].concat());
    let chained = single.cbc_encrypt_zero_iv(&doubled, padded);
    let last = &chained[chained.len() - 8..];
    let other = zeroize::Zeroizing::new([&key[8..16], &key[8..16]].concat());
    let between = single.cbc_decrypt_zero_iv(&other, last).expect("one block");
    single.cbc_encrypt_zero_iv(&doubled, &between).try_into().expect("one block")
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cmac_of_sp_800_38b() {
        // NIST SP 800-38B appendix D.1 and D.3, example 2: one block.
        let block = hex!("6bc1bee22e409f96e93d7e117393172a");
        let key128 = hex!("2b7e151628aed2a6abf7158809cf4f3c");
        let key256 = hex!("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        assert_eq!(aes_cmac(&key128, &block), hex!("070a16b46b4d4144f79bdd9dd04a287c"));
        assert_eq!(aes_cmac(&key256, &block), hex!("28a7023f452e8f82bd4bf28d8c37c35c"));
        assert_eq!(Cipher::Aes128.mac(&key128, &block), hex!("070a16b46b4d4144"));
    }

    #[test]
    fn retail_mac_of_appendix_d3() {
        // Doc 9303-11 (8th ed.) appendix D.3: M_IFD.
        let key = hex!("7962D9ECE03D1ACD4C76089DCE131543");
        let cryptogram = hex!("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F2");
        assert_eq!(Cipher::TripleDes.mac(&key, &cryptogram), hex!("5F1448EEA8AD90A7"));
    }

    #[test]
    fn half_blocks_are_not_decrypted() {
        for cipher in Cipher::ALL {
            let key = vec![1; cipher.key_len()];
            assert_eq!(cipher.cbc_decrypt_zero_iv(&key, &vec![2; cipher.block_len() + 1]), None);
        }
    }

    proptest! {
        #[test]
        fn padding_comes_off_as_it_went_on(data: Vec<u8>) {
            for block in [8, 16] {
                let padded = pad(&data, block);
                prop_assert!(padded.len().is_multiple_of(block) && padded.len() > data.len());
                prop_assert_eq!(unpad(&padded), Some(&data[..]));
            }
        }

        #[test]
        fn any_bytes_are_unpadded_or_refused(data: Vec<u8>) {
            if let Some(inner) = unpad(&data) {
                prop_assert_eq!(data[inner.len()], 0x80);
            }
        }

        #[test]
        fn what_was_encrypted_is_decrypted(key in prop::array::uniform32(any::<u8>()), blocks in 0usize..5) {
            for cipher in Cipher::ALL {
                let key = &key[..cipher.key_len()];
                let plain = vec![7; blocks * cipher.block_len()];
                let secret = cipher.cbc_encrypt_zero_iv(key, &plain);
                prop_assert_eq!(cipher.cbc_decrypt_zero_iv(key, &secret), Some(plain));
            }
        }
    }
}
