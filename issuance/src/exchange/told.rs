//! What an answer holds of a person: built from the mask of the agreement, so that a field outside it has no way in.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::Date;

use super::model::Field;
use crate::cards::model::{Card, StatusName};
use crate::population::model::{Person, Place, Registered, Relative};
use crate::population::reference::Reference;

/// What of a person is told. It is made by [`Told::of`] alone, which takes the mask; nothing can be added to it.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Told(Map<String, Value>);

/// Shows nothing: it is personal data.
impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told(…)")
    }
}

/// A person with all that may be told of one. It cannot be serialised.
pub(super) struct Particulars<'a> {
    /// The record.
    pub registered: &'a Registered,
    /// The cards of the person; read where a field of the mask asks for one.
    pub cards: &'a [Card],
    /// The tables of places.
    pub reference: &'a Reference,
    /// The day on which it is told.
    pub today: Date,
}

impl Told {
    /// Returns what these fields hold. A field without a value is null, so that what is unknown is told from what is
    /// not agreed.
    pub(super) fn of(particulars: &Particulars<'_>, mask: &BTreeSet<Field>) -> Self {
        Self(mask.iter().map(|field| (field.word().to_owned(), particulars.value(*field))).collect())
    }

    /// Returns what these fields hold of a relative of whom the register has no record: what the declaration says.
    pub(super) fn of_relative(relative: &Relative, mask: &BTreeSet<Field>) -> Self {
        let value = |field: &Field| match field {
            Field::FullName => json!(relative.full_name),
            Field::Nationality => json!(relative.nationality),
            Field::OldIdNumber => json!(relative.old_id_number),
            Field::PersonalNumber => json!(relative.personal_number),
            _ => Value::Null,
        };
        Self(mask.iter().map(|field| (field.word().to_owned(), value(field))).collect())
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

impl Particulars<'_> {
    fn value(&self, field: Field) -> Value {
        let Registered { person, personal_number, .. } = self.registered;
        match field {
            Field::BirthDate => json!(person.birth),
            Field::BirthRegistration => self.place(&person.birth_registration),
            Field::BloodGroup => json!(person.blood_group),
            Field::CardExpires => json!(self.card().and_then(|card| card.expires)),
            Field::CardIssued => json!(self.card().map(|card| card.issued)),
            Field::CardStatus => json!(self.card_status()),
            Field::CurrentResidence => self.some_place(person.current_residence.as_ref()),
            Field::EthnicGroup => json!(person.ethnic_group),
            Field::Father => relative(person.father.as_ref()),
            Field::FullName => json!(person.full_name),
            Field::HeadOfHousehold => relative(person.head_of_household.as_ref()),
            Field::HouseholdBookNumber => json!(person.household_book_number),
            Field::Life => life(person),
            Field::MaritalStatus => json!(person.marital_status),
            Field::Mother => relative(person.mother.as_ref()),
            Field::Nationality => json!(person.nationality),
            Field::OldIdNumber => json!(person.old_id_number),
            Field::PermanentResidence => self.some_place(person.permanent_residence.as_ref()),
            Field::PersonalNumber => json!(personal_number),
            Field::PlaceOfOrigin => self.place(&person.place_of_origin),
            Field::RelationToHead => json!(person.relation_to_head),
            Field::Religion => json!(person.religion),
            Field::Representative => relative(person.representative.as_ref()),
            Field::Sex => json!(person.sex),
            Field::Spouse => relative(person.spouse.as_ref()),
            Field::TemporaryResidence => self.some_place(person.temporary_residence.as_ref()),
        }
    }

    /// The card that counts: the newest in the citizen's hand, or one whose loss is reported and may be undone.
    fn card(&self) -> Option<&Card> {
        let held = |card: &&Card| matches!(card.status.which(), StatusName::Active | StatusName::Suspended);
        self.cards.iter().filter(held).max_by_key(|card| (card.status.is_active(), card.issued))
    }

    fn card_status(&self) -> &'static str {
        match self.card() {
            Some(card) if card.expires.is_some_and(|last| last < self.today) => "none",
            Some(card) if card.status.is_active() => "valid",
            Some(_) => "suspended",
            None => "none",
        }
    }

    fn some_place(&self, place: Option<&Place>) -> Value {
        place.map_or(Value::Null, |place| self.place(place))
    }

    fn place(&self, place: &Place) -> Value {
        json!({
            "province": place.province,
            "district": place.district,
            "commune": place.commune,
            "detail": place.detail,
            "in_words": place.in_words(self.reference, self.today),
        })
    }
}

/// A relative as the person's own declaration names one: the name, and no number. Numbers of relatives are told by the
/// service that is about them.
fn relative(relative: Option<&Relative>) -> Value {
    relative
        .map_or(Value::Null, |relative| json!({ "full_name": relative.full_name, "nationality": relative.nationality }))
}

fn life(person: &Person) -> Value {
    let (state, since) = match (person.died, person.missing_since) {
        (Some(day), _) => ("dead", Some(day)),
        (None, Some(day)) => ("missing", Some(day)),
        (None, None) => ("living", None),
    };
    json!({ "state": state, "since": since })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::subject::DECOY;
    use crate::ground::{Id, OfficeCode};

    #[test]
    fn of_every_mask_of_one_field_exactly_that_field_comes() {
        let registered = Registered {
            id: Id::nil(),
            office: OfficeCode::national(),
            person: serde_json::from_str(DECOY).unwrap(),
            findings: vec![],
            personal_number: None,
            merged_into: None,
        };
        let register = crate::population::Register::open(&crate::population::Settings::default()).unwrap();
        let today = time::macros::date!(2026 - 11 - 27);
        let particulars = Particulars { registered: &registered, cards: &[], reference: register.reference(), today };
        for field in Field::ALL {
            let told = Told::of(&particulars, &[*field].into());
            assert_eq!(told.names(), [field.word()]);
            let relative = registered.person.mother.as_ref().unwrap();
            assert_eq!(Told::of_relative(relative, &[*field].into()).names(), [field.word()]);
        }
        assert!(Told::of(&particulars, &BTreeSet::new()).names().is_empty());
        let all = Told::of(&particulars, &Field::ALL.iter().copied().collect());
        assert_eq!(all.names().len(), Field::ALL.len());
        // A relative's number is not told with the person.
        assert!(!serde_json::to_string(&all).unwrap().contains("000099"), "{all:?}");
    }
}
