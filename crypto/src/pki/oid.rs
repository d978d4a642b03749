//! Object identifiers, with those of Doc 9303, RFC 5280, RFC 5652 and their algorithms.

use std::borrow::Cow;
use std::fmt;

/// An object identifier, kept as its DER content octets (ITU-T X.690 §8.19): arcs of any size, no re-encoding.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Oid(Cow<'static, [u8]>);

impl Oid {
    /// Returns a constant, from the content octets.
    pub const fn of(content: &'static [u8]) -> Self {
        Self(Cow::Borrowed(content))
    }

    /// Returns the content octets, without tag and length.
    pub fn content(&self) -> &[u8] {
        &self.0
    }

    /// Creates it from content octets; `None` if they are no object identifier.
    pub fn from_content(content: &[u8]) -> Option<Self> {
        let ends = content.last().is_some_and(|last| last & 0x80 == 0);
        let shortest = content.first() != Some(&0x80) && !content.windows(2).any(|w| w[0] & 0x80 == 0 && w[1] == 0x80);
        (ends && shortest).then(|| Self(Cow::Owned(content.to_vec())))
    }
}

/// Writes dotted decimal. An arc beyond 128 bits is written as `…`.
impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arc = Some(0u128);
        let mut first = true;
        for byte in self.0.iter() {
            arc = arc.filter(|n| n >> 121 == 0).map(|n| n << 7 | u128::from(byte & 0x7f));
            if byte & 0x80 != 0 {
                continue;
            }
            match (arc, first) {
                (Some(n), true) if n < 80 => write!(f, "{}.{}", n / 40, n % 40)?,
                (Some(n), true) => write!(f, "2.{}", n - 80)?,
                (Some(n), false) => write!(f, ".{n}")?,
                (None, _) => f.write_str(".…")?,
            }
            (arc, first) = (Some(0), false);
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! oids {
    ($($(#[$doc:meta])* $name:ident = $content:expr;)*) => { $($(#[$doc])* pub(crate) const $name: Oid = Oid::of($content);)* };
}

oids! {
    // Names, RFC 5280 appendix A.1
    COMMON_NAME = &[0x55, 4, 3];
    COUNTRY_NAME = &[0x55, 4, 6];
    LOCALITY_NAME = &[0x55, 4, 7];
    STATE_OR_PROVINCE_NAME = &[0x55, 4, 8];
    ORGANIZATION_NAME = &[0x55, 4, 10];
    ORGANIZATIONAL_UNIT_NAME = &[0x55, 4, 11];
    SERIAL_NUMBER = &[0x55, 4, 5];
    // Extensions, RFC 5280 §4.2 and §5.2
    AUTHORITY_KEY_IDENTIFIER = &[0x55, 0x1d, 35];
    BASIC_CONSTRAINTS = &[0x55, 0x1d, 19];
    CERTIFICATE_POLICIES = &[0x55, 0x1d, 32];
    CRL_DISTRIBUTION_POINTS = &[0x55, 0x1d, 31];
    CRL_NUMBER = &[0x55, 0x1d, 20];
    EXTENDED_KEY_USAGE = &[0x55, 0x1d, 37];
    ISSUER_ALT_NAME = &[0x55, 0x1d, 18];
    KEY_USAGE = &[0x55, 0x1d, 15];
    PRIVATE_KEY_USAGE_PERIOD = &[0x55, 0x1d, 16];
    SUBJECT_ALT_NAME = &[0x55, 0x1d, 17];
    SUBJECT_KEY_IDENTIFIER = &[0x55, 0x1d, 14];
    // 2.23.136.1.1: Doc 9303-10 §4.6.2.3, Doc 9303-12 §7.1.1 and §9.2
    /// id-icao-mrtd-security-ldsSecurityObject.
    LDS_SECURITY_OBJECT = &[0x67, 0x81, 8, 1, 1, 1];
    /// id-icao-cscaMasterList.
    MASTER_LIST = &[0x67, 0x81, 8, 1, 1, 2];
    /// id-icao-cscaMasterListSigningKey.
    MASTER_LIST_SIGNING_KEY = &[0x67, 0x81, 8, 1, 1, 3];
    /// id-icao-mrtd-security-extensions-nameChange.
    NAME_CHANGE = &[0x67, 0x81, 8, 1, 1, 6, 1];
    /// id-icao-mrtd-security-extensions-documentTypeList.
    DOCUMENT_TYPE_LIST = &[0x67, 0x81, 8, 1, 1, 6, 2];
    /// id-icao-DeviationListSigningKey.
    DEVIATION_LIST_SIGNING_KEY = &[0x67, 0x81, 8, 1, 1, 8];
    // CMS, RFC 5652
    SIGNED_DATA = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    CONTENT_TYPE = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
    MESSAGE_DIGEST = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
    SIGNING_TIME = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 5];
    // Keys and signatures: RFC 3279, 4055, 5480, 5758
    EC_PUBLIC_KEY = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    PRIME_FIELD = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 1, 1];
    RSA_ENCRYPTION = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    RSASSA_PSS = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
    MGF1 = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
    SHA1_WITH_RSA = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
    SHA256_WITH_RSA = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    SHA384_WITH_RSA = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
    SHA512_WITH_RSA = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
    SHA224_WITH_RSA = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14];
    ECDSA_WITH_SHA1 = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
    ECDSA_WITH_SHA224 = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1];
    ECDSA_WITH_SHA256 = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    ECDSA_WITH_SHA384 = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    ECDSA_WITH_SHA512 = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
    SHA1 = &[0x2b, 0x0e, 3, 2, 0x1a];
    SHA224 = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4];
    SHA256 = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    SHA384 = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
    SHA512 = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
    /// The content type of trust bundles: 2.25 and a random UUID (ITU-T X.667 §6), which needs no registration.
    /// UUID 8c5d1f0e-3b7a-4e62-9d41-6af02c97e5b3.
    TRUST_BUNDLE = &[
        0x69, 0x82, 0x98, 0xdd, 0x8f, 0xc3, 0xc7, 0xb7, 0xd2, 0xb9, 0xc5, 0x9d, 0xa0, 0xda, 0xde, 0x82, 0xe4, 0xdf, 0xcb, 0x33,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_read_as_they_are_printed_in_the_standards() {
        assert_eq!(LDS_SECURITY_OBJECT.to_string(), "2.23.136.1.1.1");
        assert_eq!(DOCUMENT_TYPE_LIST.to_string(), "2.23.136.1.1.6.2");
        assert_eq!(SHA256.to_string(), "2.16.840.1.101.3.4.2.1");
        assert_eq!(RSASSA_PSS.to_string(), "1.2.840.113549.1.1.10");
        assert_eq!(ECDSA_WITH_SHA384.to_string(), "1.2.840.10045.4.3.3");
        let uuid = 0x8c5d1f0e_3b7a_4e62_9d41_6af02c97e5b3u128;
        assert_eq!(TRUST_BUNDLE.to_string(), format!("2.25.{uuid}"));
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for content in [&[][..], &[0x80, 1], &[0x2a, 0x86], &[0x2a, 0x80, 1]] {
            assert_eq!(Oid::from_content(content), None, "{content:02x?}");
        }
    }
}
