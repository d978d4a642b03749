//! Finds people who were declared twice: candidate keys in an ordinary index, judged in Rust, with the reasons shown
//! (docs/duplicates.md).

pub mod file;
pub mod keys;
pub mod memory;
pub mod score;
pub mod steps;
pub mod traits;
mod words;

use traits::{Traits, Written};

use super::model::{Declaration, DeclaredPlace, DeclaredRelative, Person, Place, Relative};

impl From<&Person> for Traits {
    fn from(person: &Person) -> Self {
        let birth = person.birth.to_string();
        let provinces = [&person.birth_registration, &person.place_of_origin].map(|place| place.province.to_string());
        let commune = |place: &'_ Place| place.commune.clone().unwrap_or_default();
        let communes = [&person.birth_registration, &person.place_of_origin].map(commune);
        let lives_in = person.permanent_residence.as_ref().map(commune).unwrap_or_default();
        let parents = [&person.father, &person.mother].map(|parent| named(parent.as_ref()));
        Self::read(&Written {
            canonical: true,
            full_name: person.full_name.as_str(),
            birth_date: &birth,
            sex: if person.sex.letter() == 'M' { "M" } else { "F" },
            born_in: (&provinces[0], &communes[0]),
            origin: (&provinces[1], &communes[1]),
            lives_in: &lives_in,
            father: (parents[0].0, &parents[0].1),
            mother: (parents[1].0, &parents[1].1),
            spouse: person.spouse.as_ref().map_or("", |spouse| spouse.full_name.as_str()),
            old_number: person.old_id_number.as_deref().unwrap_or_default(),
            household: person.household_book_number.as_deref().unwrap_or_default(),
        })
    }
}

fn named(relative: Option<&Relative>) -> (&str, String) {
    let number = relative.and_then(|relative| relative.personal_number);
    let number = number.map(|number| number.as_str().to_owned()).unwrap_or_default();
    (relative.map_or("", |relative| relative.full_name.as_str()), number)
}

/// Of a declaration that nothing was checked of, as it stands in a file.
impl From<&Declaration> for Traits {
    fn from(declared: &Declaration) -> Self {
        let place = |place: &DeclaredPlace| (place.province.clone(), place.commune.clone());
        let relative = |relative: &Option<DeclaredRelative>| {
            relative.as_ref().map(|one| (one.full_name.clone(), one.personal_number.clone())).unwrap_or_default()
        };
        let (born_in, origin) = (place(&declared.birth_registration), place(&declared.place_of_origin));
        let lives_in = declared.permanent_residence.as_ref().map(|place| place.commune.clone()).unwrap_or_default();
        let (father, mother, spouse) =
            (relative(&declared.father), relative(&declared.mother), relative(&declared.spouse));
        Self::read(&Written {
            canonical: false,
            full_name: &declared.full_name,
            birth_date: &declared.birth_date,
            sex: &declared.sex,
            born_in: (&born_in.0, &born_in.1),
            origin: (&origin.0, &origin.1),
            lives_in: &lives_in,
            father: (&father.0, &father.1),
            mother: (&mother.0, &mother.1),
            spouse: &spouse.0,
            old_number: &declared.old_id_number,
            household: &declared.household_book_number,
        })
    }
}
