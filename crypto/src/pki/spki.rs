//! SubjectPublicKeyInfo: RFC 5480 §2 and, with the domain parameters spelled out, RFC 3279 §2.3.5 as Doc 9303-12
//! (8th ed.) §4.1.6.3 demands.
//!
//! ```text
//! ECParameters ::= SEQUENCE {
//!     version INTEGER { ecpVer1(1) }, fieldID SEQUENCE { fieldType OBJECT IDENTIFIER, p INTEGER },
//!     curve SEQUENCE { a OCTET STRING, b OCTET STRING, seed BIT STRING OPTIONAL },
//!     base OCTET STRING, order INTEGER, cofactor INTEGER OPTIONAL }
//! ```

use thiserror::Error;

use super::algorithm;
use super::der::{self, DerError, Within, value};
use super::oid::{self, Oid};
use crate::suite::{Curve, EcError, Hash, PublicKey, VerifyingKey};
use crate::tlv::{Reader, Tlv};

/// Form in which a key names its curve.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CurveForm {
    /// All domain parameters, the cofactor included, as Doc 9303-12 demands of CSCA and signer certificates.
    Explicit,
    /// Only the curve's object identifier (RFC 5480), as most software outside travel documents expects.
    Named,
}

/// Error when reading a SubjectPublicKeyInfo.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum SpkiError {
    /// The bytes are not a SubjectPublicKeyInfo.
    #[error(transparent)]
    Der(#[from] DerError),
    /// The key is neither of an elliptic curve nor RSA.
    #[error("keys of algorithm {algorithm} are not supported")]
    Algorithm {
        /// The algorithm.
        algorithm: Oid,
    },
    /// The named curve is not supported.
    #[error("curve {curve} is not supported")]
    Curve {
        /// The curve.
        curve: Oid,
    },
    /// The explicit parameters are not exactly those of a supported curve. They are never computed with: an attacker
    /// who chooses the generator can forge signatures (CVE-2020-0601).
    #[error("the explicit curve parameters are those of no supported curve")]
    Parameters,
    /// The point is not on its curve.
    #[error(transparent)]
    Point(#[from] EcError),
}

impl SpkiError {
    /// Returns whether this crate does not support the algorithm, the curve or the parameters.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Algorithm { .. } | Self::Curve { .. } | Self::Parameters)
    }
}

/// Encodes a key. The form concerns elliptic curves only.
pub fn encode(key: &VerifyingKey, form: CurveForm) -> Vec<u8> {
    match key {
        VerifyingKey::Ec(key) => {
            let parameters = match form {
                CurveForm::Explicit => explicit_parameters(key.curve()),
                CurveForm::Named => der::oid(&curve_oid(key.curve())),
            };
            let algorithm = der::sequence(&[&der::oid(&oid::EC_PUBLIC_KEY), &parameters]);
            der::sequence(&[&algorithm, &der::bit_string(key.to_sec1())])
        }
        VerifyingKey::Rsa(key) => {
            let algorithm = der::sequence(&[&der::oid(&oid::RSA_ENCRYPTION), &der::null()]);
            der::sequence(&[&algorithm, &der::bit_string(key)])
        }
    }
}

/// Reads a key in either form.
///
/// # Errors
/// [`SpkiError`]; a curve or algorithm that is not supported is told apart from bytes that are no key.
pub fn parse(bytes: &[u8]) -> Result<VerifyingKey, SpkiError> {
    let (algorithm, parameters, key) = split(bytes)?;
    match algorithm {
        kind if kind == oid::EC_PUBLIC_KEY => {
            let (curve, _) = curve_of(parameters)?;
            Ok(VerifyingKey::Ec(PublicKey::from_sec1(curve, key)?))
        }
        // An RSASSA-PSS key may restrict its own parameters (RFC 4055 §1.2); the signature's
        // parameters are checked instead.
        kind if kind == oid::RSA_ENCRYPTION || kind == oid::RSASSA_PSS => Ok(VerifyingKey::Rsa(key.to_vec())),
        algorithm => Err(SpkiError::Algorithm { algorithm }),
    }
}

/// Returns the form in which a key names its curve; `None` for RSA.
///
/// # Errors
/// [`SpkiError`] as [`parse`], but the point is not looked at.
pub fn form(bytes: &[u8]) -> Result<Option<CurveForm>, SpkiError> {
    match split(bytes)? {
        (kind, parameters, _) if kind == oid::EC_PUBLIC_KEY => Ok(Some(curve_of(parameters)?.1)),
        _ => Ok(None),
    }
}

/// Returns the key identifier of a key: SHA-1 of the octets of `subjectPublicKey` (RFC 5280 §4.2.1.2, method (1)).
pub(super) fn identifier_of(spki: &[u8]) -> Option<Vec<u8>> {
    key_octets(spki).ok().map(|octets| Hash::Sha1.digest(octets))
}

/// Returns the octets of `subjectPublicKey`.
fn key_octets(bytes: &[u8]) -> Result<&[u8], DerError> {
    split(bytes).map(|(_, _, key)| key)
}

fn split(bytes: &[u8]) -> Result<(Oid, &[u8], &[u8]), DerError> {
    let within = "SubjectPublicKeyInfo";
    let mut fields = Tlv::expect(der::SEQUENCE, bytes).within(within)?.children();
    let (algorithm, parameters) = algorithm::split(&fields.expect(der::SEQUENCE).within(within)?)?;
    let key = fields.expect(der::BIT_STRING).within(within)?;
    fields.finish().within(within)?;
    Ok((algorithm, parameters, value("subjectPublicKey", der::bits(&key))?))
}

fn curve_of(parameters: &[u8]) -> Result<(Curve, CurveForm), SpkiError> {
    let tlv = Reader::new(parameters).read().within("EC parameters")?;
    match tlv.tag.0 {
        der::OBJECT_IDENTIFIER => {
            let curve = value("namedCurve", Oid::from_content(tlv.value))?;
            let known = Curve::ALL.into_iter().find(|known| curve_oid(*known) == curve);
            Ok((known.ok_or(SpkiError::Curve { curve })?, CurveForm::Named))
        }
        der::SEQUENCE => Ok((recognise(&tlv)?, CurveForm::Explicit)),
        _ => Err(DerError::Value { what: "EC parameters" }.into()),
    }
}

/// Returns the supported curve that has all of these parameters.
fn recognise(parameters: &Tlv) -> Result<Curve, SpkiError> {
    let within = "ECParameters";
    let mut fields = parameters.children();
    let version = fields.expect(der::INTEGER).within(within)?;
    value("ecpVer", der::small(&version).filter(|n| (1..=3).contains(n)))?; // SEC 1 (v2.0) C.2 has three
    let mut field = fields.expect(der::SEQUENCE).within(within)?.children();
    if der::read_oid(&mut field, "fieldType")? != oid::PRIME_FIELD {
        return Err(SpkiError::Parameters);
    }
    let prime = field.expect(der::INTEGER).within(within)?.value;
    field.finish().within(within)?;
    let mut coefficients = fields.expect(der::SEQUENCE).within(within)?.children();
    let a = coefficients.expect(der::OCTET_STRING).within(within)?.value;
    let b = coefficients.expect(der::OCTET_STRING).within(within)?.value;
    coefficients.optional(der::BIT_STRING).within(within)?; // the seed of a and b is not needed
    coefficients.finish().within(within)?;
    let base = fields.expect(der::OCTET_STRING).within(within)?.value;
    let order = fields.expect(der::INTEGER).within(within)?.value;
    let cofactor = fields.optional(der::INTEGER).within(within)?.map(|tlv| tlv.value);
    fields.finish().within(within)?;
    // Coefficients are field elements of full length (X9.62 §4.3.3), but some certificates cut their leading zeros.
    fn number(bytes: &[u8]) -> &[u8] {
        &bytes[bytes.iter().take_while(|b| **b == 0).count()..]
    }
    let same = |curve: &Curve| {
        let known = curve.domain();
        let length = curve.field_len();
        let compressed = [&[2 | known.base_point[2 * length] & 1], &known.base_point[1..=length]].concat();
        number(prime) == number(known.prime)
            && number(a) == number(known.a)
            && number(b) == number(known.b)
            && (base == known.base_point || base == compressed)
            && number(order) == number(known.order)
            && cofactor.is_none_or(|cofactor| number(cofactor) == [known.cofactor])
    };
    Curve::ALL.into_iter().find(same).ok_or(SpkiError::Parameters)
}

fn explicit_parameters(curve: Curve) -> Vec<u8> {
    let known = curve.domain();
    let field = der::sequence(&[&der::oid(&oid::PRIME_FIELD), &der::integer(known.prime)]);
    let coefficients = der::sequence(&[&der::octets(known.a), &der::octets(known.b)]);
    der::sequence(&[
        &der::integer(&[1]),
        &field,
        &coefficients,
        &der::octets(known.base_point),
        &der::integer(known.order),
        &der::integer(&[known.cofactor]),
    ])
}

fn curve_oid(curve: Curve) -> Oid {
    Oid::from_content(curve.oid().as_bytes()).expect("a curve's identifier is one")
}
