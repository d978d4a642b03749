//! Data about the holder, parsed once into types that are then trusted.
//!
//! Every type here has one text form (`Display` and `FromStr`, and the same string in serde). `Debug` of personal data
//! shows nothing. This module has no table of provinces or communes (the issuing office keeps those, they change by
//! decree), and it does not decide whether a person may have a card.

mod card;
pub mod civil_time;
mod date;
mod name;
mod personal_number;
pub mod validity;

pub use card::{Can, CanError, CardSerial, CardSerialError, DocumentNumber, DocumentNumberError};
pub use date::{Date, DateError};
pub use name::{FullName, FullNameError, canonical_spelling, folded_name};
pub use personal_number::{PersonalNumber, PersonalNumberError, ProvinceCode, ProvinceCodeError, Sex, SexError};

/// Implements serde for a type by its text form and its parser.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;

#[cfg(test)]
mod tests;
