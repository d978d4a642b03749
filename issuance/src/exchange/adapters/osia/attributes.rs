//! The names of OSIA for what an agreement calls a field, and the values of both.

use std::collections::BTreeSet;

use crypto::identity::{Date, FullName};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, json};

use super::super::super::model::Field;
use super::Code;

/// An attribute: its name in OSIA, the field of the agreement, and what of the field it is.
pub(super) struct Attribute {
    /// Name.
    pub name: &'static str,
    /// The field that an agreement names.
    pub field: Field,
    of: Of,
}

/// What of a field an attribute is.
#[derive(Clone, Copy)]
enum Of {
    /// The text as it stands.
    Whole,
    /// The family name: the first word.
    Family,
    /// Middle and given names.
    Given,
    /// The day in the order of ISO 8601.
    Day,
    /// The text of this member.
    Member(&'static str),
}

const fn of(name: &'static str, field: Field, of: Of) -> Attribute {
    Attribute { name, field, of }
}

/// All attributes. `firstName` is all that follows the family name, as in the machine-readable zone of the card.
pub(super) const ATTRIBUTES: &[Attribute] = &[
    of("uin", Field::PersonalNumber, Of::Whole),
    of("fullName", Field::FullName, Of::Whole),
    of("lastName", Field::FullName, Of::Family),
    of("firstName", Field::FullName, Of::Given),
    of("dateOfBirth", Field::BirthDate, Of::Day),
    of("gender", Field::Sex, Of::Whole),
    of("nationality", Field::Nationality, Of::Whole),
    of("ethnicGroup", Field::EthnicGroup, Of::Whole),
    of("religion", Field::Religion, Of::Whole),
    of("bloodGroup", Field::BloodGroup, Of::Whole),
    of("maritalStatus", Field::MaritalStatus, Of::Whole),
    of("placeOfBirth", Field::BirthRegistration, Of::Member("in_words")),
    of("placeOfOrigin", Field::PlaceOfOrigin, Of::Member("in_words")),
    of("permanentAddress", Field::PermanentResidence, Of::Member("in_words")),
    of("temporaryAddress", Field::TemporaryResidence, Of::Member("in_words")),
    of("currentAddress", Field::CurrentResidence, Of::Member("in_words")),
    of("fatherName", Field::Father, Of::Member("full_name")),
    of("motherName", Field::Mother, Of::Member("full_name")),
    of("spouseName", Field::Spouse, Of::Member("full_name")),
    of("representativeName", Field::Representative, Of::Member("full_name")),
    of("headOfHouseholdName", Field::HeadOfHousehold, Of::Member("full_name")),
    of("relationToHead", Field::RelationToHead, Of::Whole),
    of("householdBookNumber", Field::HouseholdBookNumber, Of::Whole),
    of("oldIdNumber", Field::OldIdNumber, Of::Whole),
    of("vitalStatus", Field::Life, Of::Member("state")),
    of("cardStatus", Field::CardStatus, Of::Whole),
    of("cardIssued", Field::CardIssued, Of::Day),
    of("cardExpires", Field::CardExpires, Of::Day),
];

/// Returns the attribute of this name.
pub(super) fn named(name: &str) -> Option<&'static Attribute> {
    ATTRIBUTES.iter().find(|attribute| attribute.name == name)
}

/// Returns the fields of the attributes that are known among these names.
pub(super) fn fields(names: &[String]) -> BTreeSet<Field> {
    names.iter().filter_map(|name| named(name)).map(|attribute| attribute.field).collect()
}

/// Writes what a record tells under these names. An attribute that is unknown, or without a value, is an error in its
/// place, as OSIA has it.
pub(super) fn written(names: &[String], record: &Value) -> Map<String, Value> {
    let value = |name: &String| match named(name) {
        Some(attribute) => attribute.value(&record[attribute.field.word()]),
        None => json!({"code": Code::AttributeUnknown as i32, "message": "Unknown attribute name"}),
    };
    names.iter().map(|name| (name.clone(), value(name))).collect()
}

impl Attribute {
    fn value(&self, told: &Value) -> Value {
        let text = match self.of {
            Of::Whole => told.as_str().map(str::to_owned),
            Of::Member(member) => told[member].as_str().map(str::to_owned),
            Of::Day => told.as_str().map(|text| text.parse().map_or_else(|_| text.to_owned(), iso)),
            Of::Family => name_of(told).map(|name| name.family().to_owned()),
            Of::Given => name_of(told).map(|name| name.middle_and_given().to_owned()),
        };
        match text.filter(|text| !text.is_empty()) {
            Some(text) => Value::String(text),
            None => json!({"code": Code::NoValue as i32, "message": "The register has no value"}),
        }
    }
}

fn name_of(told: &Value) -> Option<FullName> {
    told.as_str()?.parse().ok()
}

/// A date in the order of ISO 8601, as far as it is known.
fn iso(date: Date) -> String {
    match (date.full(), date.month()) {
        (Some(day), _) => format!("{:04}-{:02}-{:02}", date.year(), u8::from(day.month()), day.day()),
        (None, Some(month)) => format!("{:04}-{:02}", date.year(), u8::from(month)),
        (None, None) => format!("{:04}", date.year()),
    }
}

/// A set of attributes with their values, each in its place. A name that stands twice is refused: of two values one
/// would be lost without a word.
pub(super) struct Given(pub Vec<(String, String)>);

/// Shows nothing: it is personal data.
impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given(…)")
    }
}

impl Given {
    /// Returns the value of this name, if there is one.
    pub fn some(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the full name: that of `fullName`, or family name and given names together.
    ///
    /// # Errors
    /// What is missing.
    pub fn full_name(&self) -> Result<Option<String>, &'static str> {
        match (self.some("fullName"), self.some("lastName"), self.some("firstName")) {
            (Some(full), None, None) => Ok(Some(full.to_owned())),
            (None, Some(family), Some(given)) => Ok(Some(format!("{family} {given}"))),
            (None, None, None) => Ok(None),
            (Some(_), ..) => Err("fullName stands for lastName and firstName together"),
            (None, ..) => Err("lastName and firstName go together"),
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Given;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("attributes with their values")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Given, M::Error> {
                let mut pairs: Vec<(String, String)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let value = plain(&value).ok_or_else(|| de::Error::custom("a value is no text or number"))?;
                    if pairs.iter().any(|(known, _)| *known == name) {
                        return Err(de::Error::custom("an attribute stands twice"));
                    }
                    if pairs.len() == MOST {
                        return Err(de::Error::custom("too many attributes"));
                    }
                    pairs.push((name, value));
                }
                Ok(Given(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

/// A request names at most so many attributes.
pub(super) const MOST: usize = 100;

/// A value as OSIA allows it: text, number or truth value.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_has_one_name_and_every_field_an_attribute() {
        let names: BTreeSet<_> = ATTRIBUTES.iter().map(|attribute| attribute.name).collect();
        assert_eq!(names.len(), ATTRIBUTES.len());
        let fields: BTreeSet<_> = ATTRIBUTES.iter().map(|attribute| attribute.field).collect();
        assert_eq!(fields, Field::ALL.iter().copied().collect());
    }

    #[test]
    fn values_are_written_as_osia_has_them() {
        let record = json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "17/05/1990", "sex": "F", "religion": null,
            "life": {"state": "living", "since": null}, "permanent_residence": {"in_words": "Số 1"}});
        let names = [
            "lastName",
            "firstName",
            "fullName",
            "dateOfBirth",
            "gender",
            "religion",
            "vitalStatus",
            "permanentAddress",
            "dob",
        ]
        .map(str::to_owned);
        let no_value = json!({"code": 1024, "message": "The register has no value"});
        let expected = json!({"lastName": "Nguyễn", "firstName": "Thị Mẫu", "fullName": "Nguyễn Thị Mẫu",
            "dateOfBirth": "1990-05-17", "gender": "F", "religion": no_value, "vitalStatus": "living",
            "permanentAddress": "Số 1", "dob": {"code": 1023, "message": "Unknown attribute name"}});
        assert_eq!(Value::Object(written(&names, &record)), expected);
        for (date, written) in [("1990", "1990"), ("05/1990", "1990-05"), ("17/05/1990", "1990-05-17")] {
            assert_eq!(date.parse().map(iso).unwrap(), written);
        }
    }

    #[test]
    fn a_name_that_stands_twice_or_a_value_of_more_than_one_is_refused() {
        let read = |text: &str| serde_json::from_str::<Given>(text);
        let given = read(r#"{"firstName": "A", "year": 1990, "known": true}"#).unwrap();
        assert_eq!((given.some("year"), given.some("known"), given.some("x")), (Some("1990"), Some("true"), None));
        for other in [r#"{"a": "1", "a": "2"}"#, r#"{"a": null}"#, r#"{"a": ["1"]}"#, r#"{"a": {}}"#, "[]", "1", "null"]
        {
            assert!(read(other).is_err(), "{other}");
        }
        let many = (0..=MOST).map(|n| format!("\"a{n}\": 1")).collect::<Vec<_>>().join(",");
        assert!(read(&format!("{{{many}}}")).is_err());
        let name = |text: &str| read(text).unwrap().full_name();
        assert_eq!(name(r#"{"lastName": "Nguyễn", "firstName": "Thị Mẫu"}"#), Ok(Some("Nguyễn Thị Mẫu".to_owned())));
        assert!(name(r#"{"lastName": "Nguyễn"}"#).is_err() && name(r#"{"lastName": "A", "fullName": "A B"}"#).is_err());
    }
}
