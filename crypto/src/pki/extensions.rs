//! Certificate extensions: RFC 5280 §4.2.1, and those of Doc 9303-12 (8th ed.) §7.1.1, table 6.

use time::OffsetDateTime;

use super::der::{self, DerError, Within, value};
use super::name::{Country, Name};
use super::oid::{self, Oid};
use crate::tlv::{self, Reader, Tlv};

/// Key usage (RFC 5280 §4.2.1.3). Bit `n` of the number is bit `n` of the standard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyUsage(pub u16);

impl KeyUsage {
    /// `digitalSignature`, the only usage of a document signer or list signer.
    pub const DIGITAL_SIGNATURE: Self = Self(1);
    /// `keyCertSign`.
    pub const CERTIFICATE_SIGN: Self = Self(1 << 5);
    /// `cRLSign`.
    pub const CRL_SIGN: Self = Self(1 << 6);
    /// The usages of a CSCA.
    pub const AUTHORITY: Self = Self(1 << 5 | 1 << 6);

    /// Returns whether all bits of `other` are set.
    pub fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn parse(bytes: &[u8]) -> Result<Self, DerError> {
        let string = Tlv::expect(der::BIT_STRING, bytes).within("keyUsage")?;
        let octets = match string.value {
            [0..=7, octets @ ..] if octets.len() <= 2 => octets,
            _ => return Err(DerError::Value { what: "keyUsage" }),
        };
        let bit = |n: usize| octets.get(n / 8).is_some_and(|octet| octet & (0x80 >> (n % 8)) != 0);
        Ok(Self((0..16).filter(|n| bit(*n)).fold(0, |bits, n| bits | 1 << n)))
    }

    /// Encodes the named bit list: trailing zero bits are left out (X.690 §11.2.2).
    fn encode(self) -> Vec<u8> {
        let octets = self.0.reverse_bits().to_be_bytes();
        let count = 2 - octets.iter().rev().take_while(|octet| **octet == 0).count();
        let unused =
            octets[..count].last().map_or(0, |last| u8::try_from(last.trailing_zeros()).expect("at most eight"));
        tlv::encode(der::BIT_STRING, &[&[unused], &octets[..count]].concat())
    }
}

/// Basic constraints (RFC 5280 §4.2.1.9).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BasicConstraints {
    /// `cA`: whether the subject is an authority.
    pub authority: bool,
    /// `pathLenConstraint`: how many authorities may stand below. Doc 9303-12 demands 0.
    pub path_length: Option<u64>,
}

/// One extension as read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RawExtension {
    pub(crate) kind: Oid,
    pub(crate) critical: bool,
    pub(crate) value: Vec<u8>,
}

/// The extensions of a certificate; those used in the eMRTD PKI are parsed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Extensions {
    pub(crate) all: Vec<RawExtension>,
    /// `keyIdentifier` of the authority key identifier.
    pub authority_key_identifier: Option<Vec<u8>>,
    /// Subject key identifier.
    pub subject_key_identifier: Option<Vec<u8>>,
    /// Key usage.
    pub key_usage: Option<KeyUsage>,
    /// Basic constraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// Private key usage period: not before, not after (RFC 3280 §4.2.1.4).
    pub private_key_usage: Option<(Option<OffsetDateTime>, Option<OffsetDateTime>)>,
    /// Extended key usages; empty if there is no such extension.
    pub extended_key_usage: Vec<Oid>,
    /// Document types this signer may sign, as the MRZ begins: `P`, `ID` (Doc 9303-12 (8th ed.) §7.1.1.6).
    pub document_types: Option<Vec<String>>,
    /// URIs of the CRL.
    pub crl_distribution_points: Vec<String>,
    /// The code in the MRZ of the subject alternative name (§7.1.1.2).
    pub subject_country: Option<String>,
    /// The code in the MRZ of a region, beside it in the subject alternative name (`HKG` with `CHN`).
    pub subject_region: Option<String>,
    /// The code in the MRZ of the issuer alternative name.
    pub issuer_country: Option<String>,
}

impl Extensions {
    /// Reads a SEQUENCE OF Extension.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DerError> {
        let mut found = Self { all: raw(bytes)?, ..Self::default() };
        for extension in found.all.clone() {
            let bytes = &extension.value[..];
            match extension.kind {
                k if k == oid::AUTHORITY_KEY_IDENTIFIER => found.authority_key_identifier = authority_key(bytes)?,
                k if k == oid::SUBJECT_KEY_IDENTIFIER => {
                    let tlv = Tlv::expect(der::OCTET_STRING, bytes).within("subjectKeyIdentifier")?;
                    found.subject_key_identifier = Some(tlv.value.to_vec());
                }
                k if k == oid::KEY_USAGE => found.key_usage = Some(KeyUsage::parse(bytes)?),
                k if k == oid::BASIC_CONSTRAINTS => found.basic_constraints = Some(basic_constraints(bytes)?),
                k if k == oid::PRIVATE_KEY_USAGE_PERIOD => found.private_key_usage = Some(usage_period(bytes)?),
                k if k == oid::EXTENDED_KEY_USAGE => found.extended_key_usage = key_purposes(bytes)?,
                // The next four decide no trust by themselves, so certificates that write them wrongly stay readable.
                k if k == oid::DOCUMENT_TYPE_LIST => found.document_types = document_types(bytes).ok(),
                k if k == oid::CRL_DISTRIBUTION_POINTS => {
                    found.crl_distribution_points = distribution_points(bytes).unwrap_or_default();
                }
                k if k == oid::SUBJECT_ALT_NAME => {
                    let directory = directory_name(bytes).ok().flatten();
                    let part = |kind: &Oid| directory.as_ref().and_then(|name| name.attribute(kind)).map(str::to_owned);
                    found.subject_country = part(&oid::LOCALITY_NAME);
                    found.subject_region = part(&oid::STATE_OR_PROVINCE_NAME);
                }
                k if k == oid::ISSUER_ALT_NAME => {
                    let directory = directory_name(bytes).ok().flatten();
                    found.issuer_country =
                        directory.and_then(|name| name.attribute(&oid::LOCALITY_NAME).map(str::to_owned));
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Returns the first critical extension that this project does not process, if any.
    pub fn unknown_critical(&self) -> Option<&Oid> {
        self.all.iter().filter(|extension| extension.critical).map(|e| &e.kind).find(|kind| !PROCESSED.contains(kind))
    }

    pub(crate) fn find(&self, kind: &Oid) -> Option<&RawExtension> {
        self.all.iter().find(|extension| extension.kind == *kind)
    }
}

/// The critical extensions that are processed. Any policy is accepted (RFC 5280 §6.1.1 (c): any-policy).
const PROCESSED: [Oid; 12] = [
    oid::AUTHORITY_KEY_IDENTIFIER,
    oid::BASIC_CONSTRAINTS,
    oid::CERTIFICATE_POLICIES,
    oid::CRL_DISTRIBUTION_POINTS,
    oid::DOCUMENT_TYPE_LIST,
    oid::EXTENDED_KEY_USAGE,
    oid::ISSUER_ALT_NAME,
    oid::KEY_USAGE,
    oid::NAME_CHANGE,
    oid::PRIVATE_KEY_USAGE_PERIOD,
    oid::SUBJECT_ALT_NAME,
    oid::SUBJECT_KEY_IDENTIFIER,
];

/// Reads a SEQUENCE OF Extension without parsing the values; refuses an extension that appears twice.
pub(crate) fn raw(bytes: &[u8]) -> Result<Vec<RawExtension>, DerError> {
    let mut all: Vec<RawExtension> = Vec::new();
    let mut list = Tlv::expect(der::SEQUENCE, bytes).within("Extensions")?.children();
    while !list.is_empty() {
        let mut fields = list.expect(der::SEQUENCE).within("Extension")?.children();
        let kind = der::read_oid(&mut fields, "extension identifier")?;
        let critical = match fields.optional(der::BOOLEAN).within("Extension")? {
            Some(tlv) => value("critical", der::boolean(tlv.value))?,
            None => false,
        };
        let octets = fields.expect(der::OCTET_STRING).within("Extension")?;
        fields.finish().within("Extension")?;
        if all.iter().any(|extension| extension.kind == kind) {
            return Err(DerError::Value { what: "an extension that appears twice" });
        }
        all.push(RawExtension { kind, critical, value: octets.value.to_vec() });
    }
    Ok(all)
}

/// Reads the `keyIdentifier` of an AuthorityKeyIdentifier.
pub(crate) fn authority_key(bytes: &[u8]) -> Result<Option<Vec<u8>>, DerError> {
    let fields = Tlv::expect(der::SEQUENCE, bytes).within("authorityKeyIdentifier")?;
    let identifier = tlv::find(fields.value, 0x80).within("authorityKeyIdentifier")?;
    Ok(identifier.map(|tlv| tlv.value.to_vec()))
}

fn basic_constraints(bytes: &[u8]) -> Result<BasicConstraints, DerError> {
    let mut fields = Tlv::expect(der::SEQUENCE, bytes).within("basicConstraints")?.children();
    let authority = match fields.optional(der::BOOLEAN).within("basicConstraints")? {
        Some(tlv) => value("cA", der::boolean(tlv.value))?,
        None => false,
    };
    let path_length = match fields.optional(der::INTEGER).within("basicConstraints")? {
        Some(tlv) => Some(value("pathLenConstraint", der::small(&tlv))?),
        None => None,
    };
    fields.finish().within("basicConstraints")?;
    Ok(BasicConstraints { authority, path_length })
}

type Period = (Option<OffsetDateTime>, Option<OffsetDateTime>);

fn usage_period(bytes: &[u8]) -> Result<Period, DerError> {
    let mut fields = Tlv::expect(der::SEQUENCE, bytes).within("privateKeyUsagePeriod")?.children();
    let mut end = |tag: u32| -> Result<Option<OffsetDateTime>, DerError> {
        match fields.optional(tag).within("privateKeyUsagePeriod")? {
            Some(tlv) => Ok(Some(value("privateKeyUsagePeriod", der::generalized_time(tlv.value))?)),
            None => Ok(None),
        }
    };
    Ok((end(0x80)?, end(0x81)?))
}

fn key_purposes(bytes: &[u8]) -> Result<Vec<Oid>, DerError> {
    let mut list = Tlv::expect(der::SEQUENCE, bytes).within("extKeyUsage")?.children();
    let mut purposes = Vec::new();
    while !list.is_empty() {
        purposes.push(der::read_oid(&mut list, "extKeyUsage")?);
    }
    Ok(purposes)
}

fn document_types(bytes: &[u8]) -> Result<Vec<String>, DerError> {
    let mut fields = Tlv::expect(der::SEQUENCE, bytes).within("documentTypeList")?.children();
    fields.expect(der::INTEGER).within("documentTypeList")?;
    let mut types = fields.expect(der::SET).within("documentTypeList")?.children();
    let mut list = Vec::new();
    while !types.is_empty() {
        let text = types.read().within("documentTypeList")?;
        list.push(String::from_utf8_lossy(text.value).into_owned());
    }
    Ok(list)
}

/// Reads the URIs of the full names of all distribution points.
fn distribution_points(bytes: &[u8]) -> Result<Vec<String>, DerError> {
    let within = "cRLDistributionPoints";
    let mut uris = Vec::new();
    let mut points = Tlv::expect(der::SEQUENCE, bytes).within(within)?.children();
    while !points.is_empty() {
        let point = points.expect(der::SEQUENCE).within(within)?;
        let Some(name) = tlv::find(point.value, 0xa0).within(within)? else { continue };
        let Some(full) = tlv::find(name.value, 0xa0).within(within)? else { continue };
        let mut names = full.children();
        while !names.is_empty() {
            let name = names.read().within(within)?;
            if name.tag.0 == URI {
                uris.push(String::from_utf8_lossy(name.value).into_owned());
            }
        }
    }
    Ok(uris)
}

/// Reads the directory name of an alternative name, which holds the codes in the MRZ.
fn directory_name(bytes: &[u8]) -> Result<Option<Name>, DerError> {
    let within = "alternative name";
    let names = Tlv::expect(der::SEQUENCE, bytes).within(within)?;
    let Some(directory) = tlv::find(names.value, DIRECTORY_NAME).within(within)? else { return Ok(None) };
    Ok(Some(Name::parse(directory.value)?))
}

const URI: u32 = 0x86;
const DIRECTORY_NAME: u32 = 0xa4;

// --- writing
// -----------------------------------------------------------------------------------------------------------

/// Encodes one Extension; `critical` is left out when false, because it is the default (table 5).
pub(crate) fn extension(kind: &Oid, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    der::sequence(&[&der::oid(kind), flag, &der::octets(value)])
}

pub(crate) fn write_authority_key(identifier: &[u8]) -> Vec<u8> {
    let value = der::sequence(&[&tlv::encode(0x80, identifier)]);
    extension(&oid::AUTHORITY_KEY_IDENTIFIER, false, &value)
}

pub(crate) fn write_subject_key(identifier: &[u8]) -> Vec<u8> {
    extension(&oid::SUBJECT_KEY_IDENTIFIER, false, &der::octets(identifier))
}

pub(crate) fn write_key_usage(usage: KeyUsage) -> Vec<u8> {
    extension(&oid::KEY_USAGE, true, &usage.encode())
}

/// Returns an authority with path length 0.
pub(crate) fn write_basic_constraints() -> Vec<u8> {
    extension(&oid::BASIC_CONSTRAINTS, true, &der::sequence(&[&[0x01, 0x01, 0xff], &der::integer(&[0])]))
}

pub(crate) fn write_usage_period(not_before: OffsetDateTime, not_after: OffsetDateTime) -> Vec<u8> {
    let [from, to] = [not_before, not_after].map(der::generalized_text);
    let value = der::sequence(&[&tlv::encode(0x80, from.as_bytes()), &tlv::encode(0x81, to.as_bytes())]);
    extension(&oid::PRIVATE_KEY_USAGE_PERIOD, false, &value)
}

/// Encodes the directory name with the country, and a contact URI or mail address if there is one (§7.1.1.2).
pub(crate) fn write_alt_name(kind: &Oid, country: &Country, contact: Option<&str>) -> Vec<u8> {
    const MAIL: u32 = 0x81;
    let contact = contact.map(|text| tlv::encode(if text.contains("://") { URI } else { MAIL }, text.as_bytes()));
    let directory = tlv::encode(DIRECTORY_NAME, Name::locality(country).der());
    extension(kind, false, &der::sequence(&[&contact.unwrap_or_default(), &directory]))
}

pub(crate) fn write_distribution_points(uris: &[String]) -> Vec<u8> {
    let point = |uri: &String| {
        let full = der::context(0, &tlv::encode(URI, uri.as_bytes()));
        der::sequence(&[&der::context(0, &full)])
    };
    let points: Vec<Vec<u8>> = uris.iter().map(point).collect();
    extension(&oid::CRL_DISTRIBUTION_POINTS, false, &tlv::encode(der::SEQUENCE, &points.concat()))
}

pub(crate) fn write_document_types(types: &[String]) -> Vec<u8> {
    let list = types.iter().map(|text| tlv::encode(der::PRINTABLE_STRING, text.as_bytes())).collect();
    let value = der::sequence(&[&der::integer(&[0]), &der::set_of(list)]);
    extension(&oid::DOCUMENT_TYPE_LIST, false, &value)
}

pub(crate) fn write_key_purpose(purpose: &Oid) -> Vec<u8> {
    extension(&oid::EXTENDED_KEY_USAGE, true, &der::sequence(&[&der::oid(purpose)]))
}

/// Encodes the CRLNumber or another non-negative integer of a CRL.
pub(crate) fn write_crl_number(number: u64) -> Vec<u8> {
    extension(&oid::CRL_NUMBER, false, &der::integer(&number.to_be_bytes()))
}

/// Returns a reader over the optional explicitly tagged extensions that end a TBSCertificate
/// (`a3`) or TBSCertList (`a0`).
pub(crate) fn tagged<'a>(fields: &mut Reader<'a>, tag: u32) -> Result<Option<&'a [u8]>, DerError> {
    Ok(fields.optional(tag).within("extensions")?.map(|tlv| tlv.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_usages_are_named_bit_lists() {
        for (usage, encoded) in [
            (KeyUsage::DIGITAL_SIGNATURE, &[3, 2, 7, 0x80][..]),
            (KeyUsage::AUTHORITY, &[3, 2, 1, 6]),
            (KeyUsage(1 << 8), &[3, 3, 7, 0, 0x80]),
            (KeyUsage(0), &[3, 1, 0]),
        ] {
            assert_eq!(usage.encode(), encoded);
            assert_eq!(KeyUsage::parse(encoded), Ok(usage));
        }
    }

    #[test]
    fn an_extension_that_appears_twice_is_refused() {
        let one = write_key_usage(KeyUsage::AUTHORITY);
        assert!(Extensions::parse(&der::sequence(&[&one])).is_ok());
        assert!(Extensions::parse(&der::sequence(&[&one, &one])).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_value_makes_the_reader_panic(kind in 0usize..12, critical: bool, bytes: Vec<u8>) {
            let list = der::sequence(&[&extension(&PROCESSED[kind], critical, &bytes)]);
            let _ = Extensions::parse(&list);
        }
    }
}
