//! Elliptic curves: points, keys, agreement and the generic mapping of PACE.
//!
//! BSI TR-03111 (v2.10) §4.2 to §4.4 for keys and agreement; Doc 9303-11 (8th ed.) §4.4.3.3.1 for the mapping.

use std::collections::HashSet;
use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::signature::{EcdsaVerificationAlgorithm, UnparsedPublicKey};
use const_oid::ObjectIdentifier;
use ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use elliptic_curve::ops::Reduce;
use elliptic_curve::sec1::ToSec1Point;
use elliptic_curve::{Generate, Group};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Hash, SignatureError};

/// A curve of prime order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Curve {
    /// NIST P-256 (secp256r1).
    P256,
    /// NIST P-384 (secp384r1).
    P384,
    /// NIST P-521 (secp521r1).
    P521,
    /// brainpoolP256r1, RFC 5639 §3.4.
    BrainpoolP256r1,
    /// brainpoolP384r1, RFC 5639 §3.6.
    BrainpoolP384r1,
}

impl Curve {
    /// All variants.
    pub const ALL: [Self; 5] = [Self::P256, Self::P384, Self::P521, Self::BrainpoolP256r1, Self::BrainpoolP384r1];

    /// Returns the object identifier as a named curve (RFC 5480 §2.1.1.1, RFC 5639 §4.1).
    pub fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
            Self::BrainpoolP256r1 => "1.3.36.3.3.2.8.1.1.7",
            Self::BrainpoolP384r1 => "1.3.36.3.3.2.8.1.1.11",
        })
    }

    /// Returns the curve with this object identifier, if it is supported.
    pub fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.oid() == oid)
    }

    /// Returns the number among the standardized domain parameters (Doc 9303-11 (8th ed.) §9.5.1, table 7).
    pub fn parameter_id(self) -> u8 {
        match self {
            Self::P256 => 12,
            Self::BrainpoolP256r1 => 13,
            Self::P384 => 15,
            Self::BrainpoolP384r1 => 16,
            Self::P521 => 18,
        }
    }

    /// Returns the curve with this number among the standardized domain parameters, if it is supported.
    pub fn from_parameter_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.parameter_id() == id)
    }

    /// Returns the length of a coordinate, and of a scalar, in bytes.
    pub fn field_len(self) -> usize {
        match self {
            Self::P256 | Self::BrainpoolP256r1 => 32,
            Self::P384 | Self::BrainpoolP384r1 => 48,
            Self::P521 => 66,
        }
    }

    /// Returns the hash function as strong as the curve (TR-03116-2 §4, table of hash and curve), used
    /// when signing by default.
    pub fn usual_hash(self) -> Hash {
        match self {
            Self::P256 | Self::BrainpoolP256r1 => Hash::Sha256,
            Self::P384 | Self::BrainpoolP384r1 => Hash::Sha384,
            Self::P521 => Hash::Sha512,
        }
    }
}

/// Runs the body with `$lib` naming the library type of the curve, once per curve: monomorphic, so no trait bounds.
macro_rules! on_curve {
    ($curve:expr, $lib:ident => $body:expr) => {
        match $curve {
            Curve::P256 => {
                type $lib = p256::NistP256;
                $body
            }
            Curve::P384 => {
                type $lib = p384::NistP384;
                $body
            }
            Curve::P521 => {
                type $lib = p521::NistP521;
                $body
            }
            Curve::BrainpoolP256r1 => {
                type $lib = bp256::BrainpoolP256r1;
                $body
            }
            Curve::BrainpoolP384r1 => {
                type $lib = bp384::BrainpoolP384r1;
                $body
            }
        }
    };
}

/// The library's secret key of a [`PrivateKey`].
macro_rules! secret {
    ($key:expr, $lib:ident) => {
        elliptic_curve::SecretKey::<$lib>::from_slice(&$key.scalar).expect("checked when the key was made")
    };
}

/// The library's projective point of an uncompressed point that was validated before.
macro_rules! point {
    ($point:expr, $lib:ident) => {
        elliptic_curve::PublicKey::<$lib>::from_sec1_bytes(&$point)
            .expect("checked when the point was read")
            .to_projective()
    };
}

/// A big-endian integer of the field's length, modulo the group order.
macro_rules! reduced {
    ($bytes:expr, $lib:ident) => {{
        let field = elliptic_curve::FieldBytes::<$lib>::try_from(&$bytes[..]).expect("padded to the field length");
        <elliptic_curve::Scalar<$lib> as Reduce<elliptic_curve::FieldBytes<$lib>>>::reduce(&field)
    }};
}

/// The library's signature over a digest.
macro_rules! sign {
    ($key:expr, $lib:ident, $digest:expr) => {{
        let signature: ecdsa::Signature<$lib> = ecdsa::SigningKey::<$lib>::from_slice(&$key.scalar)
            .expect("checked when the key was made")
            .sign_prehash($digest)
            .expect("a digest of any length is reduced, never refused");
        signature
    }};
}

/// Returns whether the library's signature, which is in range, belongs to this key and message. Public values
/// only, so the fastest code may do it: aws-lc-rs takes a fifth of the time on P-256, and it dominates issuing
/// and inspecting a document.
macro_rules! verified {
    ($key:expr, $lib:ident, $hash:expr, $message:expr, $signature:expr) => {
        match quick($key.curve, $hash) {
            Some(algorithm) => UnparsedPublicKey::new(algorithm, &$key.point)
                .verify($message, $signature.to_der().as_bytes())
                .map_err(|_| SignatureError::Mismatch),
            None => ecdsa::VerifyingKey::<$lib>::from_sec1_bytes(&$key.point)
                .map_err(|_| SignatureError::Malformed)?
                .verify_prehash(&$hash.digest($message), &$signature)
                .map_err(|_| SignatureError::Mismatch),
        }
    };
}

/// Returns the algorithm of aws-lc-rs, if it has one: NIST curves with the hash functions that are still in use.
fn quick(curve: Curve, hash: Hash) -> Option<&'static EcdsaVerificationAlgorithm> {
    use aws_lc_rs::signature as by;
    Some(match (curve, hash) {
        (Curve::P256, Hash::Sha256) => &by::ECDSA_P256_SHA256_ASN1,
        (Curve::P256, Hash::Sha384) => &by::ECDSA_P256_SHA384_ASN1,
        (Curve::P256, Hash::Sha512) => &by::ECDSA_P256_SHA512_ASN1,
        (Curve::P384, Hash::Sha256) => &by::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, Hash::Sha384) => &by::ECDSA_P384_SHA384_ASN1,
        (Curve::P384, Hash::Sha512) => &by::ECDSA_P384_SHA512_ASN1,
        (Curve::P521, Hash::Sha256) => &by::ECDSA_P521_SHA256_ASN1,
        (Curve::P521, Hash::Sha384) => &by::ECDSA_P521_SHA384_ASN1,
        (Curve::P521, Hash::Sha512) => &by::ECDSA_P521_SHA512_ASN1,
        _ => return None,
    })
}

/// Error when reading a key or a point.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum EcError {
    /// The mapping resulted in the point at infinity; begin again with other random numbers.
    #[error("the mapped generator is the point at infinity")]
    MappedToInfinity,
    /// Two keys, or a key and a generator, are of different curves.
    #[error("the keys are of different curves")]
    OtherCurve,
    /// Not `04 || X || Y` of the right length, not on the curve, or the point at infinity.
    #[error("these {length} bytes are not a point of {curve:?}")]
    Point {
        /// The curve expected.
        curve: Curve,
        /// Length of the given bytes.
        length: usize,
    },
    /// A private key that is zero, not below the group order, or too long.
    #[error("the private key is not between 1 and the order of {curve:?}")]
    Scalar {
        /// The curve expected.
        curve: Curve,
    },
    /// A public key whose private half is found by trying: a small multiple of the base point, or its negative.
    #[error("the public key is a small multiple of the base point of {curve:?}")]
    Weak {
        /// The curve expected.
        curve: Curve,
    },
}

/// A point on the curve other than infinity.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct PublicKey {
    curve: Curve,
    point: Vec<u8>,
}

impl PublicKey {
    /// Reads an uncompressed point `04 || X || Y` (TR-03111 §3.2.1) and checks that it lies on the curve.
    ///
    /// Every curve here has cofactor 1, so a point on it is never of small order. Off the curve is every point of
    /// another curve, among them those of small order by which a private key is found (invalid-curve attack).
    ///
    /// # Errors
    /// [`EcError::Point`]; [`EcError::Weak`] for `kG` and `-kG` with `k` up to 64.
    pub fn from_sec1(curve: Curve, bytes: &[u8]) -> Result<Self, EcError> {
        let wrong = EcError::Point { curve, length: bytes.len() };
        if bytes.len() != 1 + 2 * curve.field_len() || bytes[0] != 0x04 {
            return Err(wrong); // compressed and hybrid forms are not used by cards
        }
        on_curve!(curve, C => elliptic_curve::PublicKey::<C>::from_sec1_bytes(bytes).map(drop).map_err(|_| wrong)?);
        if small_multiples(curve).contains(&bytes[1..=curve.field_len()]) {
            return Err(EcError::Weak { curve });
        }
        Ok(Self { curve, point: bytes.to_vec() })
    }

    /// Returns the curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Returns the point as `04 || X || Y`.
    pub fn to_sec1(&self) -> &[u8] {
        &self.point
    }

    /// Returns the x-coordinate, [`Curve::field_len`] bytes.
    pub fn x(&self) -> &[u8] {
        &self.point[1..=self.curve.field_len()]
    }

    /// Verifies an ECDSA signature (TR-03111 §4.2.1) given as `r || s`.
    pub(super) fn verify_plain(&self, hash: Hash, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        on_curve!(self.curve, C => {
            let signature = ecdsa::Signature::<C>::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
            verified!(self, C, hash, message, signature)
        })
    }

    /// Verifies an ECDSA signature given as DER `SEQUENCE { r, s }`.
    pub(super) fn verify_der(&self, hash: Hash, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        on_curve!(self.curve, C => {
            let signature = ecdsa::Signature::<C>::from_der(signature).map_err(|_| SignatureError::Malformed)?;
            verified!(self, C, hash, message, signature)
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.curve, hex::encode(&self.point))
    }
}

/// A secret scalar. Wiped when dropped, never cloned, never shown.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PrivateKey {
    #[zeroize(skip)]
    curve: Curve,
    scalar: Vec<u8>,
}

impl PrivateKey {
    /// Returns a fresh key, uniform between 1 and the group order.
    pub fn generate(curve: Curve, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let scalar = on_curve!(curve, C => elliptic_curve::SecretKey::<C>::generate_from_rng(rng).to_bytes().to_vec());
        Self { curve, scalar }
    }

    /// Returns the key with this big-endian value; leading zeros may be there or not.
    ///
    /// # Errors
    /// [`EcError::Scalar`].
    pub fn from_bytes(curve: Curve, bytes: &[u8]) -> Result<Self, EcError> {
        let wrong = EcError::Scalar { curve };
        let length = curve.field_len();
        let (zeros, digits) = bytes.split_at(bytes.len().saturating_sub(length));
        if zeros.iter().any(|b| *b != 0) {
            return Err(wrong);
        }
        let mut scalar = Zeroizing::new(vec![0; length]);
        scalar[length - digits.len()..].copy_from_slice(digits);
        on_curve!(curve, C => elliptic_curve::SecretKey::<C>::from_slice(&scalar).map(drop).map_err(|_| wrong)?);
        Ok(Self { curve, scalar: scalar.to_vec() })
    }

    /// Returns the curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Returns the big-endian value, [`Curve::field_len`] bytes.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.scalar.clone())
    }

    /// Returns the public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        let point = on_curve!(self.curve, C => {
            secret!(self, C).public_key().to_sec1_point(false).to_bytes().to_vec()
        });
        PublicKey { curve: self.curve, point }
    }

    /// Agrees on a secret (Diffie-Hellman): returns the x-coordinate of the shared point (TR-03111 §4.3.1).
    ///
    /// # Errors
    /// [`EcError::OtherCurve`].
    pub fn agree(&self, peer: &PublicKey) -> Result<Zeroizing<Vec<u8>>, EcError> {
        let shared = self.multiply(peer)?;
        Ok(Zeroizing::new(shared.x().to_vec()))
    }

    /// Signs `message` with ECDSA, result in DER (deterministic, RFC 6979).
    pub fn sign_der(&self, hash: Hash, message: &[u8]) -> Vec<u8> {
        let digest = hash.digest(message);
        on_curve!(self.curve, C => sign!(self, C, &digest).to_der().as_bytes().to_vec())
    }

    /// Signs `message` with ECDSA, result `r || s` (TR-03111 §5.2.1), deterministic (RFC 6979).
    pub fn sign_plain(&self, hash: Hash, message: &[u8]) -> Vec<u8> {
        let digest = hash.digest(message);
        on_curve!(self.curve, C => sign!(self, C, &digest).to_vec())
    }

    /// Returns the point `self * peer`, which on a curve of prime order is never infinity.
    fn multiply(&self, peer: &PublicKey) -> Result<PublicKey, EcError> {
        if self.curve != peer.curve {
            return Err(EcError::OtherCurve);
        }
        let point = on_curve!(self.curve, C => {
            let product = point!(peer.point, C) * *secret!(self, C).to_nonzero_scalar();
            product.to_affine().to_sec1_point(false).to_bytes().to_vec()
        });
        Ok(PublicKey { curve: self.curve, point })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?}, …)", self.curve)
    }
}

/// A base point: that of the curve, or the one that PACE's generic mapping agrees on.
#[derive(Clone, Eq, PartialEq)]
pub struct Generator(PublicKey);

impl Generator {
    /// Returns the base point G of the curve itself.
    pub fn standard(curve: Curve) -> Self {
        Self(PublicKey { curve, point: curve.domain().base_point.to_vec() })
    }

    /// Returns the generic mapping: `s * G + own * peer` (Doc 9303-11 (8th ed.) §4.4.3.3.1), `s` being the nonce read
    /// as a big-endian integer of at most [`Curve::field_len`] bytes.
    ///
    /// # Errors
    /// [`EcError::OtherCurve`], [`EcError::MappedToInfinity`], [`EcError::Scalar`] for a nonce that is too long.
    pub fn map(nonce: &[u8], own: &PrivateKey, peer: &PublicKey) -> Result<Self, EcError> {
        let curve = own.curve;
        let length = curve.field_len();
        let hidden = own.multiply(peer)?;
        if nonce.len() > length {
            return Err(EcError::Scalar { curve });
        }
        let mut padded = Zeroizing::new(vec![0; length]);
        padded[length - nonce.len()..].copy_from_slice(nonce);
        let point = on_curve!(curve, C => {
            let s = reduced!(padded, C);
            let mapped = elliptic_curve::ProjectivePoint::<C>::mul_by_generator(&s) + point!(hidden.point, C);
            if bool::from(mapped.is_identity()) {
                return Err(EcError::MappedToInfinity);
            }
            mapped.to_affine().to_sec1_point(false).to_bytes().to_vec()
        });
        Ok(Self(PublicKey { curve, point }))
    }

    /// Returns the public key of `key` with respect to this base point.
    ///
    /// # Errors
    /// [`EcError::OtherCurve`].
    pub fn public(&self, key: &PrivateKey) -> Result<PublicKey, EcError> {
        key.multiply(&self.0)
    }

    /// Returns the point, uncompressed.
    pub fn to_sec1(&self) -> &[u8] {
        self.0.to_sec1()
    }
}

/// A mapped generator is secret until PACE is over: only its curve is shown.
impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generator({:?}, …)", self.0.curve)
    }
}

/// Returns the x-coordinates of the small multiples of the base point; `kG` and `-kG` share theirs. Computed at the
/// first use of the curve.
fn small_multiples(curve: Curve) -> &'static HashSet<Vec<u8>> {
    static TABLES: [OnceLock<HashSet<Vec<u8>>>; Curve::ALL.len()] = [const { OnceLock::new() }; Curve::ALL.len()];
    TABLES[curve as usize].get_or_init(|| {
        on_curve!(curve, C => {
            let base = elliptic_curve::ProjectivePoint::<C>::generator();
            let multiples = std::iter::successors(Some(base), |point| Some(*point + base)).take(GUESSED);
            multiples.map(|point| point.to_affine().to_sec1_point(false).to_bytes()[1..=curve.field_len()].to_vec()).collect()
        })
    })
}

/// So many private keys, from 1 up, are taken for guessed.
const GUESSED: usize = 64;

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    use super::*;
    use crate::suite::{SignatureAlgorithm, VerifyingKey};

    fn keys(curve: Curve, seed: u64) -> PrivateKey {
        PrivateKey::generate(curve, &mut ChaCha20Rng::seed_from_u64(seed))
    }

    #[test]
    fn both_sides_agree_and_sign_on_every_curve() {
        for curve in Curve::ALL {
            let (a, b) = (keys(curve, 1), keys(curve, 2));
            let shared = a.agree(&b.public()).unwrap();
            assert_eq!(shared, b.agree(&a.public()).unwrap());
            assert_eq!(shared.len(), curve.field_len());

            let key = VerifyingKey::from(a.public());
            for hash in [Hash::Sha1, curve.usual_hash()] {
                let (plain, der) = (a.sign_plain(hash, b"citizen"), a.sign_der(hash, b"citizen"));
                assert_eq!(plain.len(), 2 * curve.field_len());
                assert_eq!(key.verify_plain(hash, b"citizen", &plain), Ok(()));
                assert_eq!(key.verify(SignatureAlgorithm::Ecdsa(hash), b"citizen", &der), Ok(()));
                assert_eq!(key.verify_plain(hash, b"citizem", &plain), Err(SignatureError::Mismatch));
            }
        }
    }

    #[test]
    fn aws_lc_verifies_what_we_sign_with_any_hash() {
        use aws_lc_rs::signature::{self as other, UnparsedPublicKey};
        let p256 = keys(Curve::P256, 3);
        let signature = p256.sign_der(Hash::Sha512, b"m");
        UnparsedPublicKey::new(&other::ECDSA_P256_SHA512_ASN1, p256.public().to_sec1())
            .verify(b"m", &signature)
            .unwrap();
        let p384 = keys(Curve::P384, 4);
        let signature = p384.sign_der(Hash::Sha256, b"m");
        UnparsedPublicKey::new(&other::ECDSA_P384_SHA256_ASN1, p384.public().to_sec1())
            .verify(b"m", &signature)
            .unwrap();
        let p521 = keys(Curve::P521, 5);
        let signature = p521.sign_der(Hash::Sha224, b"m");
        UnparsedPublicKey::new(&other::ECDSA_P521_SHA224_ASN1, p521.public().to_sec1())
            .verify(b"m", &signature)
            .unwrap();
    }

    #[test]
    fn the_domain_parameters_are_those_of_the_arithmetic() {
        for curve in Curve::ALL {
            let domain = curve.domain();
            let mut one = vec![0; curve.field_len()];
            one[curve.field_len() - 1] = 1;
            let unit = PrivateKey::from_bytes(curve, &[1]).unwrap();
            assert_eq!(unit.to_bytes().as_slice(), one);
            assert_eq!(unit.public().to_sec1(), domain.base_point);
            assert_eq!(Generator::standard(curve).public(&unit).unwrap().to_sec1(), domain.base_point);
            // n - 1 is the largest scalar, and (n - 1) G is -G: same x
            let mut last = domain.order.to_vec();
            assert!(PrivateKey::from_bytes(curve, &last).is_err());
            *last.last_mut().unwrap() -= 1;
            let largest = PrivateKey::from_bytes(curve, &last).unwrap();
            assert_eq!(largest.public().x(), unit.public().x());
            assert_ne!(largest.public(), unit.public());
            for constant in [domain.prime, domain.a, domain.b, domain.order] {
                assert_eq!(constant.len(), curve.field_len());
            }
        }
    }

    #[test]
    fn bad_points_are_refused() {
        for curve in Curve::ALL {
            let good = keys(curve, 6).public().to_sec1().to_vec();
            let mut off = good.clone();
            *off.last_mut().unwrap() ^= 1;
            let mut hybrid = good.clone();
            hybrid[0] = 0x06;
            let mut compressed = good[..=curve.field_len()].to_vec();
            compressed[0] = 0x02;
            let zero = [&[4][..], &vec![0; 2 * curve.field_len()]].concat();
            let huge = [&[4][..], &vec![0xff; 2 * curve.field_len()]].concat();
            let longer = [&good[..], &[0]].concat();
            for point in [&off[..], &hybrid, &compressed, &zero, &huge, &longer, &good[..good.len() - 1], &[0], &[]] {
                assert_eq!(PublicKey::from_sec1(curve, point), Err(EcError::Point { curve, length: point.len() }));
            }
        }
    }

    #[test]
    fn the_point_at_infinity_is_no_key() {
        for curve in Curve::ALL {
            let length = curve.field_len();
            for infinity in [vec![0], vec![0; 1 + 2 * length], [vec![4], vec![0; 2 * length]].concat()] {
                assert!(PublicKey::from_sec1(curve, &infinity).is_err(), "{curve:?}");
            }
        }
    }

    /// With cofactor 1 and a prime order there is no point of small order on the curve. A point with `y = 0` has order
    /// two on the curve on which it lies, which is another one; so have the neighbours of a good point another `b`.
    #[test]
    fn points_of_small_order_and_of_other_curves_are_no_keys() {
        for curve in Curve::ALL {
            assert_eq!(curve.domain().cofactor, 1);
            let length = curve.field_len();
            let good = keys(curve, 6).public();
            for x in 0..=255 {
                let mut order_two = [vec![4], vec![0; 2 * length]].concat();
                order_two[length] = x;
                assert!(PublicKey::from_sec1(curve, &order_two).is_err(), "{curve:?} ({x}, 0)");
                let mut other_curve = good.to_sec1().to_vec();
                let last = other_curve.last_mut().unwrap();
                if *last != x {
                    *last = x;
                    assert!(PublicKey::from_sec1(curve, &other_curve).is_err(), "{curve:?} other b");
                }
            }
        }
    }

    /// One point has one spelling: a coordinate that is not below the prime is refused, also where it fits the length.
    #[test]
    fn coordinates_are_below_the_prime() {
        for curve in [Curve::P521, Curve::BrainpoolP256r1, Curve::BrainpoolP384r1] {
            let (length, prime) = (curve.field_len(), curve.domain().prime);
            let respelt = (0..200).find_map(|seed| {
                let key = keys(curve, seed).public();
                let mut carry = 0;
                let mut x = key.x().to_vec();
                for (digit, add) in x.iter_mut().zip(prime).rev() {
                    let sum = u16::from(*digit) + u16::from(*add) + carry;
                    (*digit, carry) = ((sum & 0xff) as u8, sum >> 8);
                }
                let spelt = [&[4][..], &x, &key.to_sec1()[1 + length..]].concat();
                (carry == 0).then_some(spelt)
            });
            let respelt = respelt.expect("some x is small enough for x + p to fit");
            assert!(PublicKey::from_sec1(curve, &respelt).is_err(), "{curve:?}");
        }
    }

    #[test]
    fn keys_that_are_found_by_trying_are_weak() {
        for curve in Curve::ALL {
            let small = |d: u8| PrivateKey::from_bytes(curve, &[d]).unwrap().public().to_sec1().to_vec();
            for d in [1, 2, 3, 63, 64] {
                assert_eq!(PublicKey::from_sec1(curve, &small(d)), Err(EcError::Weak { curve }), "{curve:?} {d}");
            }
            assert!(PublicKey::from_sec1(curve, &small(65)).is_ok(), "{curve:?}");
            // n - 1, whose public key is -G.
            let mut last = curve.domain().order.to_vec();
            *last.last_mut().unwrap() -= 1;
            let negative = PrivateKey::from_bytes(curve, &last).unwrap().public();
            assert_eq!(PublicKey::from_sec1(curve, negative.to_sec1()), Err(EcError::Weak { curve }), "{curve:?}");
        }
    }

    #[test]
    fn the_mapping_of_appendix_g1() {
        // Doc 9303-11 (8th ed.) appendix G.1.
        let curve = Curve::BrainpoolP256r1;
        let own = hex_literal::hex!("7F4EF07B9EA82FD78AD689B38D0BC78CF21F249D953BC46F4C6E19259C010F99");
        let own = PrivateKey::from_bytes(curve, &own).unwrap();
        let peer = hex_literal::hex!("04 824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F57"
            "30D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C54");
        let peer = PublicKey::from_sec1(curve, &peer).unwrap();
        let nonce = hex_literal::hex!("3F00C4D39D153F2B2A214A078D899B22");
        let mapped = Generator::map(&nonce, &own, &peer).unwrap();
        assert_eq!(
            mapped.to_sec1(),
            hex_literal::hex!("04 8CED63C91426D4F0EB1435E7CB1D74A46723A0AF21C89634F65A9AE87A9265E2"
                "8C879506743F8611AC33645C5B985C80B5F09A0B83407C1B6A4D857AE76FE522")
        );
    }

    #[test]
    fn keys_of_different_curves_do_not_agree() {
        let (a, b) = (keys(Curve::P256, 7), keys(Curve::BrainpoolP256r1, 8));
        assert_eq!(a.agree(&b.public()), Err(EcError::OtherCurve));
        assert_eq!(Generator::map(&[1; 16], &a, &b.public()), Err(EcError::OtherCurve));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_point_a_signature_or_refused(bytes: Vec<u8>) {
            for curve in Curve::ALL {
                let _ = PublicKey::from_sec1(curve, &bytes);
                let _ = PrivateKey::from_bytes(curve, &bytes);
            }
        }
    }
}
