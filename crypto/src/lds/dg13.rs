//! Data group 13: what is printed on the citizen card, in Vietnamese.
//!
//! Doc 9303-10 (8th ed.) §4.7.13 leaves the content to the issuer, and Viet Nam has published no layout. This one is
//! what published reader software expects of cards in circulation.

use std::fmt;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use crate::identity::{Date, FullName, PersonalNumber, Sex};
use crate::tlv::{self, Reader, Tlv, TlvError};

/// The sixteen fields as texts, each optional. For a new card it is made from [`Particulars`].
///
/// ```text
/// 6D { SEQUENCE { INTEGER 1, OBJECT IDENTIFIER 1.0.10646.1.0.8 (UTF-8),
///                 SET { SEQUENCE { INTEGER 1, PrintableString }, SEQUENCE { INTEGER 2, UTF8String }, … } } }
/// ```
///
/// Fields 1, 3, 11, 15 and 16 are PrintableString, the others UTF8String; 13 has a SEQUENCE for each
/// parent, 14 one for the spouse.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Dg13 {
    /// 1: personal number.
    pub number: Option<String>,
    /// 2: full name.
    pub name: Option<String>,
    /// 3: date of birth, `dd/MM/yyyy`, `MM/yyyy` or `yyyy`.
    pub birth: Option<String>,
    /// 4: sex, `Nam` or `Nữ`.
    pub sex: Option<String>,
    /// 5: nationality.
    pub nationality: Option<String>,
    /// 6: ethnicity.
    pub ethnicity: Option<String>,
    /// 7: religion.
    pub religion: Option<String>,
    /// 8: place of origin.
    pub origin: Option<String>,
    /// 9: place of residence.
    pub residence: Option<String>,
    /// 10: personal identification features.
    pub features: Option<String>,
    /// 11: date of issue, `dd/MM/yyyy`.
    pub issued: Option<String>,
    /// 12: date of expiry, `dd/MM/yyyy`, or [`NO_EXPIRY`].
    pub expiry: Option<String>,
    /// 13, first: father.
    pub father: Option<String>,
    /// 13, second: mother.
    pub mother: Option<String>,
    /// 14: spouse.
    pub spouse: Option<String>,
    /// 15: number of the nine-digit identity card before this one.
    pub old_number: Option<String>,
    /// 16: sixteen characters of unknown meaning on cards in circulation.
    pub mark: Option<String>,
}

/// Text in field 12 and on the front of a card without expiry.
pub const NO_EXPIRY: &str = "Không thời hạn";

/// The particulars of a new card, checked by their types.
#[derive(Clone, Debug)]
pub struct Particulars {
    /// Personal number.
    pub number: PersonalNumber,
    /// Full name.
    pub name: FullName,
    /// Date of birth.
    pub birth: Date,
    /// Sex.
    pub sex: Sex,
    /// Nationality: `Việt Nam`.
    pub nationality: String,
    /// Ethnicity, by name.
    pub ethnicity: String,
    /// Religion, by name; `Không` for none.
    pub religion: String,
    /// Place of origin, from commune to province.
    pub origin: String,
    /// Place of residence, whole address.
    pub residence: String,
    /// Personal identification features, as the officer described them.
    pub features: String,
    /// Date of issue.
    pub issued: time::Date,
    /// Date of expiry, `None` if the card never expires.
    pub expiry: Option<time::Date>,
    /// Father, if known.
    pub father: Option<FullName>,
    /// Mother, if known.
    pub mother: Option<FullName>,
    /// Husband or wife, if any.
    pub spouse: Option<FullName>,
    /// Nine digits of the old identity card, if there was one.
    pub old_number: Option<String>,
    /// Field 16: 16 characters, if the issuer uses it.
    pub mark: Option<String>,
}

impl Dg13 {
    /// Longest text of a field, in bytes of UTF-8.
    pub const MAX_TEXT: usize = 400;

    /// Returns the fields of a new card; texts in NFC, empty ones stay empty strings.
    ///
    /// # Errors
    /// [`Dg13Error::Text`] naming a text that is too long or has control characters, [`Dg13Error::OldNumber`],
    /// [`Dg13Error::Mark`].
    pub fn new(particulars: &Particulars) -> Result<Self, Dg13Error> {
        let from = particulars;
        let text = |field: u8, text: &str| -> Result<Option<String>, Dg13Error> {
            let text: String = text.trim().nfc().collect();
            if text.len() > Self::MAX_TEXT || text.chars().any(char::is_control) {
                return Err(Dg13Error::Text { field });
            }
            Ok(Some(text))
        };
        let nine_digits = |number: &String| number.len() == 9 && number.bytes().all(|b| b.is_ascii_digit());
        if from.old_number.as_ref().is_some_and(|number| !nine_digits(number)) {
            return Err(Dg13Error::OldNumber);
        }
        let sixteen = |mark: &String| mark.len() == 16 && mark.bytes().all(|b| b.is_ascii_alphanumeric());
        if from.mark.as_ref().is_some_and(|mark| !sixteen(mark)) {
            return Err(Dg13Error::Mark);
        }
        let day = |date: time::Date| Date::Full(date).to_string();
        Ok(Self {
            number: Some(from.number.to_string()),
            name: Some(from.name.to_string()),
            birth: Some(from.birth.to_string()),
            sex: Some(from.sex.vietnamese().to_owned()),
            nationality: text(5, &from.nationality)?,
            ethnicity: text(6, &from.ethnicity)?,
            religion: text(7, &from.religion)?,
            origin: text(8, &from.origin)?,
            residence: text(9, &from.residence)?,
            features: text(10, &from.features)?,
            issued: Some(day(from.issued)),
            expiry: Some(from.expiry.map_or_else(|| NO_EXPIRY.to_owned(), day)),
            father: from.father.as_ref().map(FullName::to_string),
            mother: from.mother.as_ref().map(FullName::to_string),
            spouse: from.spouse.as_ref().map(FullName::to_string),
            old_number: from.old_number.clone(),
            mark: from.mark.clone(),
        })
    }

    /// Returns the file. A missing field is left out, except that 13 and 14 are always there, empty if nothing is
    /// known; of one unknown parent there is an empty string.
    pub fn encode(&self) -> Vec<u8> {
        let texts = [
            (1, &self.number),
            (2, &self.name),
            (3, &self.birth),
            (4, &self.sex),
            (5, &self.nationality),
            (6, &self.ethnicity),
            (7, &self.religion),
            (8, &self.origin),
            (9, &self.residence),
            (10, &self.features),
            (11, &self.issued),
            (12, &self.expiry),
        ];
        let person = |name: &str| tlv::encode(SEQUENCE, &tlv::encode(UTF8_STRING, name.as_bytes()));
        let parents = match (&self.father, &self.mother) {
            (None, None) => vec![],
            (father, mother) => [father, mother].map(|parent| person(parent.as_deref().unwrap_or_default())).concat(),
        };
        let spouse = self.spouse.as_deref().map(person).unwrap_or_default();
        let family = [field(13, &parents), field(14, &spouse)];
        let last = [(15, &self.old_number), (16, &self.mark)];

        // Ordered by number, which is not DER SET order: readers expect 1, 2, 3.
        let fields: Vec<Vec<u8>> = texts
            .into_iter()
            .filter_map(text_field)
            .chain(family)
            .chain(last.into_iter().filter_map(text_field))
            .collect();
        let body = tlv::encode_all(
            SEQUENCE,
            &[&tlv::encode_integer(&[1]), &tlv::encode(0x06, &ID_UTF8), &tlv::encode(SET, &fields.concat())],
        );
        tlv::encode(0x6d, &body)
    }

    /// Reads the file: fields in any order, either kind of string, absent, empty or unknown ones, and the
    /// parents side by side or in a SEQUENCE of their own. Of a repeated field the first counts; an empty string
    /// counts as absent in 13 and 14.
    ///
    /// # Errors
    /// [`Dg13Error::Tlv`] if the file has another form, [`Dg13Error::Text`] naming a field that is not UTF-8.
    pub fn parse(file: &[u8]) -> Result<Self, Dg13Error> {
        let mut fields = Tlv::expect(0x6d, file)?.child(SEQUENCE)?.child(SET)?.children();
        let mut dg13 = Self::default();
        while !fields.is_empty() {
            let entry = fields.read()?;
            let mut content = entry.children();
            let Ok(number) = content.expect(INTEGER) else { continue };
            let [number] = number.value[..] else { continue };
            let mut texts = vec![];
            collect_texts(content.rest(), number, 0, &mut texts)?;
            let mut texts = texts.into_iter();
            let known = |text: Option<String>| text.filter(|t| !t.is_empty());
            match number {
                13 if dg13.father.is_none() && dg13.mother.is_none() => {
                    (dg13.father, dg13.mother) = (known(texts.next()), known(texts.next()));
                }
                14 => dg13.spouse = dg13.spouse.or(known(texts.next())),
                _ => {
                    if let Some(place) = dg13.text_mut(number) {
                        *place = place.take().or(texts.next());
                    }
                }
            }
        }
        Ok(dg13)
    }

    fn text_mut(&mut self, number: u8) -> Option<&mut Option<String>> {
        match number {
            1 => Some(&mut self.number),
            2 => Some(&mut self.name),
            3 => Some(&mut self.birth),
            4 => Some(&mut self.sex),
            5 => Some(&mut self.nationality),
            6 => Some(&mut self.ethnicity),
            7 => Some(&mut self.religion),
            8 => Some(&mut self.origin),
            9 => Some(&mut self.residence),
            10 => Some(&mut self.features),
            11 => Some(&mut self.issued),
            12 => Some(&mut self.expiry),
            15 => Some(&mut self.old_number),
            16 => Some(&mut self.mark),
            _ => None,
        }
    }
}

/// Shows nothing.
impl fmt::Debug for Dg13 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dg13(…)")
    }
}

fn text_field((number, text): (u8, &Option<String>)) -> Option<Vec<u8>> {
    let text = text.as_ref()?;
    let kind = if matches!(number, 1 | 3 | 11 | 15 | 16) { PRINTABLE_STRING } else { UTF8_STRING };
    Some(field(number, &tlv::encode(kind, text.as_bytes())))
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    tlv::encode_all(SEQUENCE, &[&tlv::encode_integer(&[number]), content])
}

/// Collects the strings of a field in their order, from nested SEQUENCEs too.
fn collect_texts(content: &[u8], field: u8, depth: usize, texts: &mut Vec<String>) -> Result<(), Dg13Error> {
    let mut objects = Reader::new(content);
    while !objects.is_empty() {
        let object = objects.read()?;
        match object.tag.is_constructed() {
            true if depth < 3 => collect_texts(object.value, field, depth + 1, texts)?,
            true => {}
            false => {
                let text = std::str::from_utf8(object.value).map_err(|_| Dg13Error::Text { field })?;
                texts.push(text.to_owned());
            }
        }
    }
    Ok(())
}

/// Error when reading or composing DG13.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Dg13Error {
    /// Field 16 is not 16 letters or digits.
    #[error("field 16 of DG13 has exactly 16 letters or digits")]
    Mark,
    /// The old number has not nine digits.
    #[error("the number of the old identity card has nine digits")]
    OldNumber,
    /// A text that cannot be written, or is not UTF-8.
    #[error("field {field} of DG13 is too long, has control characters or is not UTF-8")]
    Text {
        /// Number of the field.
        field: u8,
    },
    /// The data objects are malformed.
    #[error("DG13: {0}")]
    Tlv(#[from] TlvError),
}

/// 1.0.10646.1.0.8: ISO/IEC 10646 in UTF-8.
const ID_UTF8: [u8; 6] = [0x28, 0xd3, 0x16, 0x01, 0x00, 0x08];
const INTEGER: u32 = 0x02;
const PRINTABLE_STRING: u32 = 0x13;
const SEQUENCE: u32 = 0x30;
const SET: u32 = 0x31;
const UTF8_STRING: u32 = 0x0c;
