//! What changed of the persons whom a partner follows: told in the order in which it became true, without data.
//!
//! An office that changes something notes it in its own transaction. One at a time takes the notes and gives each a
//! place in the feeds of those who follow the person; so a place is given after its change is true, and no change that
//! becomes true later stands before one that a partner has read. A cursor names the last notice that was read.

pub(super) mod api;
mod sequence;
pub(super) mod tell;

use std::collections::BTreeSet;

pub use sequence::{erase_notices, place_changes};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::Field;

/// What kind of thing changed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Whether the person has a card that counts.
    Card,
    /// Marital status, or the spouse.
    CivilStatus,
    /// Father, mother or legal representative.
    Kin,
    /// Death, a court's declaration, or its end.
    Life,
    /// The name at birth.
    Name,
    /// The number for life, or that of the old card.
    Number,
    /// Date of birth, sex, nationality or another particular.
    Particulars,
    /// The record: it was merged into another one, stands on its own again, or lost what was another person's.
    Record,
    /// Where the person lives, or with whom.
    Residence,
}

impl Kind {
    /// The word, as answered.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::CivilStatus => "civil-status",
            Self::Kin => "kin",
            Self::Life => "life",
            Self::Name => "name",
            Self::Number => "number",
            Self::Particulars => "particulars",
            Self::Record => "record",
            Self::Residence => "residence",
        }
    }
}

/// What an agreement that allows to follow may name: a change of another field is not told.
const fn kind_of(field: Field) -> Kind {
    use Field as F;
    match field {
        F::CardExpires | F::CardIssued | F::CardStatus => Kind::Card,
        F::MaritalStatus | F::Spouse => Kind::CivilStatus,
        F::Father | F::Mother | F::Representative => Kind::Kin,
        F::Life => Kind::Life,
        F::FullName => Kind::Name,
        F::OldIdNumber | F::PersonalNumber => Kind::Number,
        F::BirthDate
        | F::BirthRegistration
        | F::BloodGroup
        | F::EthnicGroup
        | F::Nationality
        | F::PlaceOfOrigin
        | F::Religion
        | F::Sex => Kind::Particulars,
        F::CurrentResidence
        | F::HeadOfHousehold
        | F::HouseholdBookNumber
        | F::PermanentResidence
        | F::RelationToHead
        | F::TemporaryResidence => Kind::Residence,
    }
}

/// Returns what of a change is told under a field mask: of a field outside it, nothing.
pub(super) fn kinds(changed: &str, mask: &BTreeSet<Field>) -> BTreeSet<Kind> {
    let kind = |name: &str| match name {
        "record" => Some(Kind::Record),
        "died" | "missing_since" => mask.contains(&Field::Life).then_some(Kind::Life),
        // Issue and expiry of the card that counts change with it.
        "card_status" => mask.iter().map(|field| kind_of(*field)).find(|kind| *kind == Kind::Card),
        other => other.parse().ok().filter(|field| mask.contains(field)).map(kind_of),
    };
    changed.split(',').filter_map(kind).collect()
}

/// Where a partner stands in a feed: place and tag of the last notice that it read, as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Cursor {
    pub(super) place: i64,
    pub(super) tag: [u8; 8],
}

impl Cursor {
    pub(super) fn text(self) -> String {
        format!("{:016x}{}", self.place, hex::encode(self.tag))
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|sign| matches!(sign, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let place = i64::from_str_radix(text.get(..16)?, 16).ok()?;
        let mut tag = [0; 8];
        hex::decode_to_slice(text.get(16..)?, &mut tag).ok()?;
        Some(Self { place, tag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_change_only_what_the_mask_names_is_told() {
        let mask = |fields: &[Field]| fields.iter().copied().collect::<BTreeSet<_>>();
        let told = |changed: &str, fields: &[Field]| {
            kinds(changed, &mask(fields)).into_iter().map(Kind::word).collect::<Vec<_>>()
        };
        assert_eq!(told("died", &[Field::Life]), ["life"]);
        assert_eq!(told("missing_since", &[Field::Life]), ["life"]);
        assert_eq!(told("died", &[Field::FullName]), [""; 0]);
        assert_eq!(told("full_name,religion,spouse", &[Field::FullName, Field::Spouse]), ["civil-status", "name"]);
        assert_eq!(told("religion", &[Field::BirthDate]), [""; 0], "another particular");
        assert_eq!(told("card_status", &[Field::CardExpires]), ["card"]);
        assert_eq!(told("card_status", &[Field::PersonalNumber]), [""; 0]);
        assert_eq!(
            told("record,full_name", &[Field::Life]),
            ["record"],
            "that the record is another one is told always"
        );
        assert_eq!(told("no_such_field", Field::ALL), [""; 0]);
        // Each field of an agreement has changes that it lets through.
        for field in
            Field::ALL.iter().filter(|field| !matches!(field, Field::Life | Field::CardExpires | Field::CardIssued))
        {
            assert_eq!(told(field.word(), &[*field]), [kind_of(*field).word()]);
            let others = mask(Field::ALL).into_iter().filter(|other| other != field);
            let others: Vec<_> = others.filter(|other| kind_of(*other) != Kind::Card).collect();
            assert_eq!(told(field.word(), &others), [""; 0], "{field}");
        }
    }

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let cursor = Cursor { place: 17, tag: [1, 2, 3, 4, 5, 6, 7, 255] };
        assert_eq!(cursor.text(), "000000000000001101020304050607ff");
        assert_eq!(Cursor::read(&cursor.text()), Some(cursor));
        for other in [
            "",
            "17",
            "+00000000000001101020304050607ff",
            "ffffffffffffffff01020304050607ff",
            "00000000000000110102030405060\u{a0}7",
        ] {
            assert_eq!(Cursor::read(other), None, "{other}");
        }
    }
}
