//! Finding people: by number, by the number of the old card, by name with or without tones.

use crypto::identity::{Date, FullName, PersonalNumber, folded_name};
use serde::Deserialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::model::Registered;
use super::store::search::{self as store, Names};
use crate::deed::{Action, Deed, Entry, Object, Occasion};
use crate::ground::text::Words;
use crate::ground::{OfficeCode, Officer};
use crate::store::StoreError;

/// By what a person is sought: a number, the number of an old card, or a name.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"full_name": "nguyen thi mau", "birth_date": "1999"}))]
pub struct Sought {
    /// The number for life, twelve digits. Finds persons of every office, those of other offices without what the
    /// register holds of them.
    #[schema(value_type = String)]
    pub personal_number: Words<20>,
    /// The number of the old card. As `personal_number`.
    #[schema(value_type = String)]
    pub old_id_number: Words<20>,
    /// The name, with or without tones, or the beginning of it: of persons whom the officer's office registered, for
    /// the national office of all.
    #[schema(value_type = String)]
    pub full_name: Words<200>,
    /// With a name: date of birth or the year alone.
    #[schema(value_type = String)]
    pub birth_date: Words<20>,
    /// True for names that begin with `full_name`.
    pub beginning: bool,
}

/// How well a person fits.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Fit {
    /// The number, or the name with its tones and the date.
    Exact,
    /// The name with other tones or none, or a date of which only the year is known.
    WithoutTones,
    /// The beginning of the name.
    Beginning,
}

/// A person who was found.
#[derive(Debug)]
pub struct Found {
    /// The person.
    pub registered: Registered,
    /// How well.
    pub fit: Fit,
    /// True if the officer's office may read the person without a claim of the citizen.
    pub readable: bool,
}

/// Finds persons, best fit first, and records each of them. Returns whether there are more than are told.
///
/// # Errors
/// [`SearchError`]
pub async fn find(
    deed: &mut Deed<Officer>,
    sought: &Sought,
    occasion: Occasion,
) -> Result<(Vec<Found>, bool), SearchError> {
    let (number, old) = (sought.personal_number.as_str(), sought.old_id_number.as_str());
    let name = sought.full_name.as_str();
    let asked = [number, old, name].iter().filter(|text| !text.is_empty()).count();
    if asked != 1 || (name.is_empty() && (sought.beginning || !sought.birth_date.as_str().is_empty())) {
        return Err(SearchError::Unfit("name one of `personal_number`, `old_id_number` and `full_name`"));
    }
    let mut cut = false;
    let mut found = if !number.is_empty() {
        let number: PersonalNumber = number.parse().map_err(|_| SearchError::Unfit("twelve digits"))?;
        let one = store::by_number(deed.tx(), &number).await?;
        one.into_iter().map(|registered| (registered, Fit::Exact)).collect()
    } else if !old.is_empty() {
        let some = store::by_old_number(deed.tx(), old, MOST + 1).await?;
        some.into_iter().map(|registered| (registered, Fit::Exact)).collect()
    } else {
        let (some, more) = by_name(deed, sought).await?;
        cut = more;
        some
    };
    found.sort_by_key(|(_, fit)| *fit);
    let more = cut || found.len() > SHOWN;
    found.truncate(SHOWN);
    let own = deed.actor().clone();
    let mut all = Vec::new();
    for (registered, fit) in found {
        let readable = own.may_act_for(&registered.office).is_ok();
        deed.saw(registered.id);
        deed.settle(registered.id, &registered.office).await?;
        let (object, person) = (Object::Person(registered.id), registered.id);
        deed.record_reading(Action::PersonFound, object, person, &registered.office, occasion).await?;
        all.push(Found { registered, fit, readable });
    }
    let question = Object::Asked(format!("persons/{}", if name.is_empty() { "number" } else { "name" }));
    deed.enter(Entry::new(Action::PersonsSought, question, occasion.purpose)).await?;
    Ok((all, more))
}

/// Returns persons with such a name, and whether there are more than were looked at.
async fn by_name(deed: &mut Deed<Officer>, sought: &Sought) -> Result<(Vec<(Registered, Fit)>, bool), SearchError> {
    let (name, date) = (sought.full_name.as_str(), sought.birth_date.as_str());
    let folded = folded_name(name);
    if folded.chars().count() < SHORTEST {
        return Err(SearchError::Unfit("a name has at least two letters"));
    }
    let born: Option<Date> = match date {
        "" => None,
        date => Some(date.parse().map_err(|_| SearchError::Unfit("`birth_date` is a date or a year"))?),
    };
    let national = deed.actor().office == OfficeCode::national();
    let office = (!national).then(|| deed.actor().office.clone());
    let names = if sought.beginning { Names::beginning(&folded) } else { Names::one(&folded) };
    let rows = store::by_name(deed.tx(), office.as_ref(), &names, born.map(Date::year), MOST + 1).await?;
    let cut = i64::try_from(rows.len()).is_ok_and(|rows| rows > MOST);
    // A name that many have says nothing: a page of strangers is what no officer needs to see.
    if rows.len() > SHOWN && born.is_none() {
        return Err(SearchError::TooBroad);
    }
    let exact: Option<FullName> = name.parse().ok();
    let fits = rows.into_iter().filter_map(|registered| {
        let person = &registered.person;
        // What one of the two leaves open is no difference; what the register leaves open is no match either.
        if born.is_some_and(|born| !born.may_be(person.birth)) {
            return None;
        }
        let same_day = born.is_none_or(|born| person.birth.is_within(born));
        let lower = |name: &FullName| name.as_str().to_lowercase();
        let fit = if folded_name(person.full_name.as_str()) != folded {
            Fit::Beginning
        } else if same_day && exact.as_ref().is_some_and(|exact| lower(exact) == lower(&person.full_name)) {
            Fit::Exact
        } else {
            Fit::WithoutTones
        };
        Some((registered, fit))
    });
    Ok((fits.collect(), cut))
}

/// So many persons are told at once.
const SHOWN: usize = 50;
/// So many rows are looked at, to rank them.
const MOST: i64 = 500;
const SHORTEST: usize = 2;

/// Why nothing is sought.
#[derive(Debug, Error)]
pub enum SearchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many persons have the name.
    #[error("more than {SHOWN} persons fit")]
    TooBroad,
    /// The question is none.
    #[error("{0}")]
    Unfit(&'static str),
}
