//! Reading a person or a card for a case: the case that an officer names is an application, so these routes stand above
//! the offices whose rows they read.

use axum::extract::{FromRef, State};
use crypto::identity::{FullName, PersonalNumber};
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{Counter, CounterError, steps};
use crate::cards::{self, CardView};
use crate::deed::{Deed, Occasion};
use crate::ground::ids::{CardId, PersonId};
use crate::ground::{OfficeCode, Officer, Permission};
use crate::population::model::{Claim, Registered};
use crate::population::search::{BirthFit, By, Fit, Found, SearchError, Sought};
use crate::population::{self, PersonDuplicates, PersonHistory, PersonView};
use crate::web::{Answered, Body, Desk, Looked, Named, OccasionAsked, Problem, Right, Routes, Write};

/// Reads a person as [`population::steps::read`] does, for a case that exists and is the person's.
///
/// # Errors
/// [`CounterError::Case`], [`CounterError::Person`]
pub async fn person(deed: &mut Deed<Officer>, id: PersonId, occasion: Occasion) -> Result<Registered, CounterError> {
    let registered = population::steps::read(deed, id, occasion).await?;
    if let Some(case) = occasion.case {
        steps::case_fits(deed, id, case).await?;
    }
    Ok(registered)
}

/// Reads a person as [`population::steps::read_by_claim`] does, for a case that exists and is the person's.
///
/// # Errors
/// [`CounterError::Case`], [`CounterError::Person`]
pub async fn person_by_claim(
    deed: &mut Deed<Officer>,
    id: PersonId,
    claim: &Claim,
    occasion: Occasion,
) -> Result<Registered, CounterError> {
    let in_hand = steps::issued_of(&cards::store::cards_of(deed, id).await?);
    let registered = population::steps::read_by_claim(deed, id, claim, &in_hand, occasion).await?;
    if let Some(case) = occasion.case {
        steps::case_fits(deed, id, case).await?;
    }
    Ok(registered)
}

/// Reads a card as [`cards::steps::read`] does, for a case that exists and is the holder's.
///
/// # Errors
/// [`CounterError::Card`], [`CounterError::Case`]
pub async fn card(
    deed: &mut Deed<Officer>,
    id: CardId,
    occasion: Occasion,
) -> Result<cards::model::Card, CounterError> {
    let card = cards::steps::read(deed, id, occasion).await?;
    if let Some(case) = occasion.case {
        steps::case_fits(deed, card.person, case).await?;
    }
    Ok(card)
}

/// The routes of reading.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::ReadCard), routes!(read_card))
        .add(Right::Officer(Permission::ReadPerson), routes!(read_person))
        .add(Right::Officer(Permission::ReadPerson), routes!(read_history))
        .add(Right::Officer(Permission::ReadPerson), routes!(read_duplicates))
        .add(Right::Officer(Permission::ReadPerson), routes!(search))
        .add(Right::Officer(Permission::ReadPerson), routes!(read_person_by_claim))
}

/// A person, as registered.
#[utoipa::path(get, path = "/api/v1/persons/{id}", tag = "population", params(OccasionAsked),
    responses((status = 200, body = PersonView)))]
async fn read_person(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<PersonId>,
    occasion: Occasion,
) -> Looked<PersonView> {
    desk.look(officer, async |deed| {
        let registered = person(deed, id, occasion).await?;
        Ok::<_, CounterError>(PersonView::of(registered, &counter.register, deed.today()))
    })
    .await
}

/// What happened to a person in the register, event by event, each with its evidence.
#[utoipa::path(get, path = "/api/v1/persons/{id}/history", tag = "population", params(OccasionAsked),
    responses((status = 200, body = PersonHistory)))]
async fn read_history(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    occasion: Occasion,
) -> Looked<PersonHistory> {
    desk.look(officer, async |deed| {
        if let Some(case) = occasion.case {
            steps::case_fits(deed, id, case).await?;
        }
        Ok::<_, CounterError>(population::change::history(deed, id, occasion).await?.into())
    })
    .await
}

/// Persons who may be one with a person, with what speaks for it and against it. Each of them is a record of the
/// trail.
#[utoipa::path(get, path = "/api/v1/persons/{id}/duplicates", tag = "population", params(OccasionAsked),
    responses((status = 200, body = PersonDuplicates)))]
async fn read_duplicates(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    occasion: Occasion,
) -> Looked<PersonDuplicates> {
    desk.look(officer, async |deed| {
        if let Some(case) = occasion.case {
            steps::case_fits(deed, id, case).await?;
        }
        Ok::<_, CounterError>(population::duplicates::steps::of_person(deed, id, occasion).await?.into())
    })
    .await
}

/// Who was found.
#[derive(Debug, Serialize, ToSchema)]
struct FoundPersons {
    /// Best fit first, at most fifty.
    items: Vec<FoundPerson>,
    /// True if more than those fit.
    more: bool,
}

/// A person who was found. Of another office's, only that there is one: the citizen's claim opens the rest
/// (`POST /api/v1/persons/{id}/reading`).
#[derive(Debug, Serialize, ToSchema)]
struct FoundPerson {
    /// The register's own id.
    person_id: PersonId,
    /// The office that registered the person.
    office: OfficeCode,
    /// By what the person was found: `personal-number`, `replaced` (a number that was cancelled; today's is
    /// `personal_number`), `merged` (a number that was cancelled by a merge: this is the record that lives on),
    /// `old-number`, `name`, `parents` or `residence`.
    found_by: &'static str,
    /// How well it fits, best first: `exact` (names with their tones), `without-tones`, `beginning`, `word-order`,
    /// `some-words` (all that was asked, among other words) or `one-letter`.
    fit: &'static str,
    /// How far the date of birth agrees, best first: `day`, `year` (the year, no day was asked for), `year-only` (the
    /// register knows no day); null if none was asked for.
    birth_fit: Option<&'static str>,
    /// Name at birth.
    #[schema(value_type = Option<String>)]
    full_name: Option<FullName>,
    /// Date of birth, as on the card.
    birth_date: Option<String>,
    /// `M` or `F`.
    sex: Option<String>,
    /// The number for life, once established.
    #[schema(value_type = Option<String>)]
    personal_number: Option<PersonalNumber>,
}

impl From<Found> for FoundPerson {
    fn from(found: Found) -> Self {
        let Found { registered, by, fit, birth, readable } = found;
        let found_by = match by {
            By::Number => "personal-number",
            By::Replaced => "replaced",
            By::Merged => "merged",
            By::OldNumber => "old-number",
            By::Name => "name",
            By::Parents => "parents",
            By::Residence => "residence",
        };
        let fit = match fit {
            Fit::Exact => "exact",
            Fit::WithoutTones => "without-tones",
            Fit::Beginning => "beginning",
            Fit::WordOrder => "word-order",
            Fit::SomeWords => "some-words",
            Fit::OneLetter => "one-letter",
        };
        let birth_fit = birth.map(|birth| match birth {
            BirthFit::Day => "day",
            BirthFit::Year => "year",
            BirthFit::YearOnly => "year-only",
        });
        let person = readable.then_some(&registered.person);
        Self {
            person_id: registered.id,
            office: registered.office.clone(),
            found_by,
            fit,
            birth_fit,
            full_name: person.map(|person| person.full_name.clone()),
            birth_date: person.map(|person| person.birth.to_string()),
            sex: person.map(|person| person.sex.letter().to_string()),
            personal_number: registered.personal_number.filter(|_| readable),
        }
    }
}

/// Persons, by number, by the number of the old card, or by name, parents and place. A question and no write: what is
/// asked for is personal, and so it stands in no address. Each person who is found is a record of the trail.
#[utoipa::path(post, path = "/api/v1/persons/search", tag = "population", operation_id = "search_persons",
    params(OccasionAsked), request_body = Sought, responses((status = 200, body = FoundPersons)))]
async fn search(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    occasion: Occasion,
    Body(sought): Body<Sought>,
) -> Looked<FoundPersons> {
    // Whom a case is about is what a search would tell.
    if occasion.case.is_some() {
        return Err(Problem::new(ProblemCode::QueryMalformed).detail("a search has a purpose, and no case"));
    }
    desk.look(officer, async |deed| {
        let (found, more) = steps::search(deed, &counter.register, &sought, occasion).await?;
        Ok::<_, SearchError>(FoundPersons { items: found.into_iter().map(FoundPerson::from).collect(), more })
    })
    .await
}

/// The citizen is at the counter of an office that neither registered the citizen nor has a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Shown {
    /// What the citizen tells or shows.
    claim: Claim,
}

/// A person, as registered, shown once to an officer of any office by a claim of the citizen: no right to read again
/// follows from it.
#[utoipa::path(post, path = "/api/v1/persons/{id}/reading", tag = "population", params(OccasionAsked),
    request_body = Shown, responses((status = 200, body = PersonView)))]
async fn read_person_by_claim(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<PersonId>,
    occasion: Occasion,
    Write { stamp, body }: Write<Shown>,
) -> Answered {
    population::claimed(&desk, &officer, id, async || {
        desk.write(officer.clone(), stamp, async |deed| {
            let registered = person_by_claim(deed, id, &body.claim, occasion).await?;
            Ok::<_, CounterError>(PersonView::of(registered, &counter.register, deed.today()))
        })
        .await
    })
    .await
}

/// A card, as it stands.
#[utoipa::path(get, path = "/api/v1/cards/{id}", tag = "cards", params(OccasionAsked),
    responses((status = 200, body = CardView)))]
async fn read_card(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardId>,
    occasion: Occasion,
) -> Looked<CardView> {
    desk.look(officer, async |deed| card(deed, id, occasion).await.map(CardView::from)).await
}
