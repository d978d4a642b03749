//! Distinguished names (RFC 5280 §4.1.2.4) and the issuing State in certificates (Doc 9303-12 (8th ed.) §7.1.1.1,
//! §7.1.1.2).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::der::{self, DerError, PRINTABLE_STRING, SEQUENCE, SET, UTF8_STRING, Within};
use super::oid::{self, Oid};
use crate::tlv::{self, Tlv};

/// Error of a text that cannot be part of a name.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum NameError {
    /// The country code has not two upper-case letters (ISO 3166-1 alpha-2), or the code in the MRZ not one to three.
    #[error("{text:?} is no country code: two upper-case letters, and one to three for the code in the MRZ")]
    CountryCode {
        /// The given text.
        text: String,
    },
    /// The text is empty, longer than the upper bounds of RFC 5280 appendix A (64 characters),
    /// or has control characters.
    #[error("{text:?} cannot be a name attribute: one to 64 characters, none of them a control character")]
    Attribute {
        /// The given text.
        text: String,
    },
}

/// The issuing State by both its codes: two letters in names (`VN`), and as the MRZ has it in
/// alternative names (`VNM`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Country {
    in_names: String,
    in_mrz: String,
}

impl Country {
    /// Creates it from the two-letter code and the code in the MRZ (one letter for Germany, three
    /// for others; Doc 9303-3 §5).
    ///
    /// # Errors
    /// [`NameError::CountryCode`].
    pub fn new(in_names: &str, in_mrz: &str) -> Result<Self, NameError> {
        for (text, lengths) in [(in_names, 2..=2), (in_mrz, 1..=3)] {
            if !lengths.contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_uppercase()) {
                return Err(NameError::CountryCode { text: text.to_owned() });
            }
        }
        Ok(Self { in_names: in_names.to_owned(), in_mrz: in_mrz.to_owned() })
    }

    /// Returns the two-letter code.
    pub fn in_names(&self) -> &str {
        &self.in_names
    }

    /// Returns the code in the MRZ.
    pub fn in_mrz(&self) -> &str {
        &self.in_mrz
    }
}

/// Writes `VN/VNM`.
impl FromStr for Country {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (in_names, in_mrz) = text.split_once('/').ok_or(NameError::CountryCode { text: text.to_owned() })?;
        Self::new(in_names, in_mrz)
    }
}

/// A distinguished name. Two names are equal (`==`) if their bytes are; see [`Name::matches`] for
/// the comparison of RFC 5280.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Name {
    der: Vec<u8>,
    attributes: Vec<(Oid, String)>,
}

impl Name {
    /// Creates a name of `C`, `O`, optionally `OU`, and `CN`, in this order (Doc 9303-12 (8th ed.) §7.1.1.1.1: country
    /// and common name are required).
    ///
    /// # Errors
    /// [`NameError::Attribute`].
    pub fn new(
        country: &Country,
        organization: &str,
        unit: Option<&str>,
        common_name: &str,
    ) -> Result<Self, NameError> {
        let mut attributes = vec![(oid::COUNTRY_NAME, country.in_names()), (oid::ORGANIZATION_NAME, organization)];
        attributes.extend(unit.map(|unit| (oid::ORGANIZATIONAL_UNIT_NAME, unit)));
        attributes.push((oid::COMMON_NAME, common_name));
        Self::of_attributes(&attributes)
    }

    /// Returns the directory name with the code in the MRZ that alternative names carry (§7.1.1.2).
    pub(crate) fn locality(country: &Country) -> Self {
        Self::of_attributes(&[(oid::LOCALITY_NAME, country.in_mrz())]).expect("a country code is a fine attribute")
    }

    fn of_attributes(attributes: &[(Oid, &str)]) -> Result<Self, NameError> {
        let mut encoded = Vec::new();
        for (kind, text) in attributes {
            if text.is_empty() || text.chars().count() > 64 || text.chars().any(char::is_control) {
                return Err(NameError::Attribute { text: (*text).to_owned() });
            }
            // Table 5: countryName (and serialNumber) shall be PrintableString. Localities are country codes here.
            let tag = match *kind == oid::COUNTRY_NAME || *kind == oid::LOCALITY_NAME {
                true => PRINTABLE_STRING,
                false => UTF8_STRING,
            };
            let attribute = der::sequence(&[&der::oid(kind), &tlv::encode(tag, text.as_bytes())]);
            encoded.extend(der::set_of(vec![attribute]));
        }
        let attributes = attributes.iter().map(|(kind, text)| (kind.clone(), (*text).to_owned())).collect();
        Ok(Self { der: tlv::encode(SEQUENCE, &encoded), attributes })
    }

    /// Reads a Name and keeps its bytes.
    ///
    /// # Errors
    /// [`DerError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DerError> {
        let mut attributes = Vec::new();
        let mut sets = Tlv::expect(SEQUENCE, bytes).within("Name")?.children();
        while !sets.is_empty() {
            let mut set = sets.expect(SET).within("RelativeDistinguishedName")?.children();
            while !set.is_empty() {
                let mut attribute = set.expect(SEQUENCE).within("AttributeTypeAndValue")?.children();
                let kind = der::read_oid(&mut attribute, "attribute type")?;
                let text = attribute.read().within("attribute value")?;
                attribute.finish().within("AttributeTypeAndValue")?;
                attributes.push((kind, text_of(&text)));
            }
        }
        Ok(Self { der: bytes.to_vec(), attributes })
    }

    /// Returns the bytes as they were read or built.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns `countryName` in upper case, if there is one.
    pub fn country(&self) -> Option<String> {
        self.attribute(&oid::COUNTRY_NAME).map(str::to_ascii_uppercase)
    }

    /// Returns `commonName`, if there is one.
    pub fn common_name(&self) -> Option<&str> {
        self.attribute(&oid::COMMON_NAME)
    }

    pub(crate) fn attribute(&self, kind: &Oid) -> Option<&str> {
        self.attributes.iter().find(|(found, _)| found == kind).map(|(_, text)| text.as_str())
    }

    /// Returns the comparison of RFC 5280 §7.1: same attributes in the same order, whatever the string
    /// type, case and run of spaces.
    pub fn matches(&self, other: &Self) -> bool {
        let fold = |name: &Self| -> Vec<(Oid, String)> {
            let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            name.attributes.iter().map(|(kind, text)| (kind.clone(), folded(text))).collect()
        };
        self.der == other.der || fold(self) == fold(other)
    }

    /// Returns whether both hold the same attributes, byte for byte, in whatever order: some States write the issuer of
    /// a signer identifier in reverse.
    pub(crate) fn permutes(&self, other: &Self) -> bool {
        let sorted = |name: &Self| {
            let mut sets = Vec::new();
            let mut reader = Tlv::expect(SEQUENCE, &name.der).map_or(tlv::Reader::new(&[]), |tlv| tlv.children());
            while let Ok(set) = reader.read() {
                sets.push(set.raw.to_vec());
            }
            sets.sort();
            sets
        };
        self.der == other.der || sorted(self) == sorted(other)
    }
}

/// Writes `C=UT, O=…, CN=…`, in the order of the certificate.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (kind, text)) in self.attributes.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let label = match kind {
                k if *k == oid::COMMON_NAME => "CN".to_owned(),
                k if *k == oid::COUNTRY_NAME => "C".to_owned(),
                k if *k == oid::LOCALITY_NAME => "L".to_owned(),
                k if *k == oid::ORGANIZATION_NAME => "O".to_owned(),
                k if *k == oid::ORGANIZATIONAL_UNIT_NAME => "OU".to_owned(),
                k if *k == oid::SERIAL_NUMBER => "serialNumber".to_owned(),
                other => other.to_string(),
            };
            write!(f, "{comma}{label}={text}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// Returns the text of any DirectoryString or IA5String. Lenient: invalid UTF-8 becomes replacement characters.
fn text_of(tlv: &Tlv) -> String {
    const BMP_STRING: u32 = 0x1e;
    match tlv.tag.0 {
        BMP_STRING => {
            let units = tlv.value.chunks(2).map(|pair| pair.iter().fold(0u16, |n, b| n << 8 | u16::from(*b)));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        _ => String::from_utf8_lossy(tlv.value).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utopia() -> Country {
        Country::new("UT", "UTO").expect("codes")
    }

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let name = Name::new(&utopia(), "Bộ Công an", Some("C06"), "CSCA").expect("name");
        let read = Name::parse(name.der()).expect("read");
        assert_eq!(read, name);
        assert_eq!(read.to_string(), "C=UT, O=Bộ Công an, OU=C06, CN=CSCA");
        assert_eq!(read.country().as_deref(), Some("UT"));
    }

    #[test]
    fn matching_ignores_case_spaces_and_string_type_but_not_order() {
        let a = Name::new(&utopia(), "State  Office", None, "CSCA").expect("name");
        let b = Name::new(&utopia(), "STATE Office", None, "csca").expect("name");
        assert!(a.matches(&b) && !a.permutes(&b));
        let reversed = Name::of_attributes(&[
            (oid::COMMON_NAME, "CSCA"),
            (oid::ORGANIZATION_NAME, "State  Office"),
            (oid::COUNTRY_NAME, "UT"),
        ])
        .expect("name");
        assert!(!a.matches(&reversed) && a.permutes(&reversed));
    }

    #[test]
    fn codes_and_attributes_that_do_not_fit_are_refused() {
        for (two, mrz) in [("ut", "UTO"), ("UTO", "UTO"), ("UT", ""), ("UT", "UT0")] {
            assert!(Country::new(two, mrz).is_err(), "{two}/{mrz}");
        }
        assert!(Country::from_str("VN/VNM").is_ok());
        assert!(Name::new(&utopia(), "", None, "x").is_err());
        assert!(Name::new(&utopia(), "a\nb", None, "x").is_err());
    }
}
