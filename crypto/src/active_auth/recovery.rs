//! ISO/IEC 9796-2:2010 digital signature scheme 1 with partial recovery, which RSA chips use
//! (§6.1.2.2). Verification only.
//!
//! The signature hides `6A || M1 || H(M1 || M2) || trailer`, M2 being the challenge. Only public values are computed
//! here, so nothing needs to run in constant time.

use elliptic_curve::bigint::modular::{FixedMontyForm, FixedMontyParams};
use elliptic_curve::bigint::{Odd, U64, U4096};

use crate::suite::{Hash, SignatureError};
use crate::tlv::Tlv;

/// Verifies the chip's signature; `public` is the DER of an `RSAPublicKey`.
pub(super) fn verify(public: &[u8], challenge: [u8; 8], signature: &[u8]) -> Result<(), SignatureError> {
    let key = RsaKey::parse(public).ok_or(SignatureError::OtherKey)?;
    if signature.len() != key.length {
        return Err(SignatureError::Malformed);
    }
    let signature = integer(signature).filter(|s| *s < *key.modulus).ok_or(SignatureError::Malformed)?;
    let opened = key.power(&signature);
    // The chip signs with the representative itself, or with the smaller of it and its complement
    // (ISO/IEC 9796-2 B.6, B.4).
    let candidates = [opened, key.modulus.wrapping_sub(&opened)];
    candidates
        .into_iter()
        .map(|candidate| check(&candidate.to_be_bytes().as_ref()[U4096::BYTES - key.length..], challenge))
        .find(Result::is_ok)
        .unwrap_or(Err(SignatureError::Mismatch))
}

/// Whether the representative is well formed and its digest is that of the recovered part and the challenge.
fn check(representative: &[u8], challenge: [u8; 8]) -> Result<(), SignatureError> {
    let (hash, trailer) = match representative {
        [.., 0xbc] => (Hash::Sha1, 1),
        [.., hash @ (0x33 | 0x34 | 0x35 | 0x36 | 0x38), 0xcc] => (
            match hash {
                0x33 => Hash::Sha1,
                0x34 => Hash::Sha256,
                0x35 => Hash::Sha512,
                0x36 => Hash::Sha384,
                _ => Hash::Sha224,
            },
            2,
        ),
        _ => return Err(SignatureError::Mismatch),
    };
    let body = match representative {
        [0x6a, body @ ..] => body,
        // A recovered part shorter than what fits is padded by nibbles B, closed by A.
        [0x6b, rest @ ..] => {
            let filler = rest.iter().take_while(|byte| **byte == 0xbb).count();
            match &rest[filler..] {
                [0xba, body @ ..] => body,
                _ => return Err(SignatureError::Mismatch),
            }
        }
        _ => return Err(SignatureError::Mismatch),
    };
    let body = &body[..body.len().checked_sub(trailer).ok_or(SignatureError::Mismatch)?];
    let recovered = body.len().checked_sub(hash.output_len()).ok_or(SignatureError::Mismatch)?;
    let (recovered, digest) = body.split_at(recovered);
    let expected = hash.digest(&[recovered, &challenge].concat());
    if expected == digest { Ok(()) } else { Err(SignatureError::Mismatch) }
}

/// Modulus and exponent of an RSA key.
struct RsaKey {
    modulus: Odd<U4096>,
    exponent: U64,
    /// Length of the modulus in bytes.
    length: usize,
}

impl RsaKey {
    /// `SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017 appendix A.1.1): 1024 to 4096 bits in whole
    /// bytes, an odd exponent of 3 or more and at most 64 bits.
    fn parse(der: &[u8]) -> Option<Self> {
        let mut numbers = Tlv::expect(0x30, der).ok()?.children();
        let modulus = unsigned(numbers.expect(0x02).ok()?.value);
        let exponent = unsigned(numbers.expect(0x02).ok()?.value);
        numbers.finish().ok()?;
        let length = modulus.len();
        if !(128..=U4096::BYTES).contains(&length) || modulus[0] & 0x80 == 0 || exponent.len() > 8 {
            return None;
        }
        let mut padded = [0; 8];
        padded[8 - exponent.len()..].copy_from_slice(exponent);
        let value = u64::from_be_bytes(padded);
        if value < 3 || value & 1 == 0 {
            return None;
        }
        let modulus = Option::from(Odd::new(integer(modulus)?))?;
        Some(Self { modulus, exponent: U64::from_u64(value), length })
    }

    /// Returns `base` to the public exponent, modulo the modulus.
    fn power(&self, base: &U4096) -> U4096 {
        let field = FixedMontyParams::new_vartime(self.modulus);
        FixedMontyForm::new(base, &field).pow_vartime(&self.exponent).retrieve()
    }
}

/// Returns the digits of a DER INTEGER without its sign byte.
fn unsigned(value: &[u8]) -> &[u8] {
    match value {
        [0, rest @ ..] => rest,
        _ => value,
    }
}

/// Returns a big-endian number of at most 512 bytes.
fn integer(bytes: &[u8]) -> Option<U4096> {
    let mut padded = [0; U4096::BYTES];
    let start = padded.len().checked_sub(bytes.len())?;
    padded[start..].copy_from_slice(bytes);
    Some(U4096::from_be_slice(&padded))
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;
    use crate::tlv;

    const CHALLENGE: [u8; 8] = hex!("F173589974BF40C6");

    /// Doc 9303-11 (8th ed.) appendix F: the representative. The standard prints no public key, so that raising to the
    /// exponent is tested with another key.
    #[test]
    fn worked_example_of_appendix_f() {
        let mut representative = hex!(
            "6A9D2784A67F8E7C659973EA1AEA25D95B6C8F91E5002F369F0FBDCE8A3CEC1991B543F1696546C5524CF23A5303CD6C98599F40B79F377B5F3A14"
            "06B3B4D8F96784D23AA88DB7E1032A405E69325FA91A6E86F5C71AEA978264C4A207446DAD4E7292E2DCDA3024B47DA8C063AA1E6D22FBD976AB0F"
            "E73D94D2D9C6D88127BC"
        );
        assert_eq!(check(&representative, CHALLENGE), Ok(()));
        assert_eq!(check(&representative, [0; 8]), Err(SignatureError::Mismatch));
        for bit in 0..representative.len() * 8 {
            representative[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check(&representative, CHALLENGE), Err(SignatureError::Mismatch), "bit {bit}");
            representative[bit / 8] ^= 1 << (bit % 8);
        }
    }

    /// A key of 1280 bits made for this test.
    const MODULUS: [u8; 160] = hex!(
        "ad998869cfb977ce8d73a63dafde3f6d057f568c6e51b53057b5cb4a15925ac0daa006a7028443e8e9256d6852fb103a1fbd2358a89776"
        "2eb05319afe158876539a59e291258a898217a4923154450861830702843ac0dce63f309ef8de310f62f7a7c1ddb34e3db70790cbd4958"
        "03d574731968b7dec196fa7998df1817492e825b026b37e0c0bba07ecb23b7bc49ed98346641fe13014289a06d21aa89ba29"
    );
    const PRIVATE_EXPONENT: [u8; 160] = hex!(
        "ac6c734e4d50b48b867958a3aa7b3f5a047cceb4da99f331d9dc29d72287e3f5eaefc8cbb6b7325032c9c6da38993f2bcbfc6b10131ba4"
        "f9888e7153fca9968956f1859edba70d8554b305d37fbb039218585ffa6273a87a5f0d3ef71003746a7bce7dc401dfb1fd8e00de68faf2"
        "574d0db7e3197b7390f540c69c54c4a0381781e4035c42d4f052770c922e358420243b193a60fed6efaf00cc2e2d50a4e981"
    );

    fn public() -> Vec<u8> {
        let modulus = tlv::encode(0x02, &[&[0][..], &MODULUS].concat());
        tlv::encode_all(0x30, &[&modulus, &tlv::encode(0x02, &[1, 0, 1])])
    }

    /// Signs as a chip does.
    fn sign(hash: Hash, trailer: &[u8], short_by: usize) -> U4096 {
        let recovered = vec![0x5a; 160 - 1 - short_by - hash.output_len() - trailer.len()];
        let digest = hash.digest(&[&recovered[..], &CHALLENGE].concat());
        let head = match short_by {
            0 => vec![0x6a],
            n => [&[0x6b][..], &vec![0xbb; n - 1], &[0xba]].concat(),
        };
        let representative = integer(&[head, recovered, digest, trailer.to_vec()].concat()).unwrap();
        let modulus: Odd<U4096> = Option::from(Odd::new(integer(&MODULUS).unwrap())).unwrap();
        let field = FixedMontyParams::new_vartime(modulus);
        FixedMontyForm::new(&representative, &field).pow_vartime(&integer(&PRIVATE_EXPONENT).unwrap()).retrieve()
    }

    fn bytes(signature: &U4096) -> Vec<u8> {
        signature.to_be_bytes().as_ref()[U4096::BYTES - 160..].to_vec()
    }

    #[test]
    fn signatures_with_every_hash_are_verified() {
        for (hash, trailer) in [
            (Hash::Sha1, &[0xbc][..]),
            (Hash::Sha224, &[0x38, 0xcc]),
            (Hash::Sha256, &[0x34, 0xcc]),
            (Hash::Sha384, &[0x36, 0xcc]),
            (Hash::Sha512, &[0x35, 0xcc]),
        ] {
            for short_by in [0, 1, 3] {
                let signature = sign(hash, trailer, short_by);
                assert_eq!(verify(&public(), CHALLENGE, &bytes(&signature)), Ok(()));
                let complement = integer(&MODULUS).unwrap().wrapping_sub(&signature);
                assert_eq!(verify(&public(), CHALLENGE, &bytes(&complement)), Ok(()));
                assert_eq!(verify(&public(), [1; 8], &bytes(&signature)), Err(SignatureError::Mismatch));
            }
        }
    }

    #[test]
    fn forged_signatures_and_strange_keys_are_refused() {
        let signature = bytes(&sign(Hash::Sha256, &[0x34, 0xcc], 0));
        for bit in (0..160 * 8).step_by(37) {
            let mut forged = signature.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&public(), CHALLENGE, &forged).is_err(), "bit {bit}");
        }
        assert_eq!(verify(&public(), CHALLENGE, &signature[1..]), Err(SignatureError::Malformed));
        assert_eq!(verify(&public(), CHALLENGE, &[0xff; 160]), Err(SignatureError::Malformed));
        // an exponent of one would let every signature through
        let modulus = tlv::encode(0x02, &[&[0][..], &MODULUS].concat());
        let weak = tlv::encode_all(0x30, &[&modulus, &tlv::encode(0x02, &[1])]);
        assert_eq!(verify(&weak, CHALLENGE, &signature), Err(SignatureError::OtherKey));
        assert_eq!(verify(&[], CHALLENGE, &signature), Err(SignatureError::OtherKey));
    }

    proptest::proptest! {
        #[test]
        fn no_representative_makes_it_panic(bytes: Vec<u8>, challenge: [u8; 8]) {
            proptest::prop_assert!(check(&bytes, challenge).is_err());
        }
    }
}
