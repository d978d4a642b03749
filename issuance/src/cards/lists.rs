//! Cards, listed.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::CardError;
use super::model::StatusName;
use super::store::lists::{self as store, Wanted};
use crate::deed::{Action, Deed, Object, Occasion};
use crate::ground::ids::{ApplicationId, CardId, PersonId};
use crate::ground::text::Words;
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::store::{Record, StoreError};
use crate::web::{Desk, Listing, Looked, OccasionAsked, Page, PageAsked, Problem, Right, Routes};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new().add(Right::Officer(Permission::ReadCard), routes!(list))
}

/// Which cards.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The office that hands them over; another one than the officer's own is for the national office. With `serial` or
    /// `person_id` the national office need not name one.
    office: Option<OfficeCode>,
    /// In this state only.
    status: Option<StatusName>,
    /// The one on this chip.
    #[param(value_type = Option<String>, pattern = "^[0-9A-F]{20}$")]
    serial: Option<CardSerial>,
    /// Those of this person. The reading is a record about the person.
    #[param(value_type = Option<PersonId>)]
    person_id: Option<PersonId>,
    /// With `person_id`: what for, as where a person is read.
    #[param(value_type = Option<String>)]
    purpose: Option<Words<20>>,
    /// With `person_id`: the application for which it is read.
    #[param(value_type = Option<ApplicationId>)]
    case: Option<ApplicationId>,
}

/// A card in a list: without name or identifier of the holder.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardItem {
    /// Identifier.
    pub(crate) id: CardId,
    /// What it is now.
    #[schema(value_type = StatusName)]
    pub(crate) status: String,
    /// Its chip.
    #[schema(pattern = "^[0-9A-F]{20}$")]
    pub(crate) serial: String,
    /// The office that hands it over.
    #[schema(value_type = OfficeCode)]
    pub(crate) office: String,
    /// Day of issue.
    #[schema(format = Date)]
    pub(crate) issued: String,
    /// Day of expiry; none: without limit.
    #[schema(format = Date)]
    pub(crate) expires: Option<String>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    pub(crate) tampered: bool,
}

/// Cards, in the order of their issue: of the officer's office, in a state, of a person, or on a chip.
#[utoipa::path(get, path = "/api/v1/cards", tag = "cards", params(PageAsked, Asked),
    responses((status = 200, body = Page<CardItem>)))]
async fn list(State(desk): State<Desk>, officer: Officer, listing: Listing<Asked, CardId>) -> Looked<Page<CardItem>> {
    let (most, limit) = (listing.most(), listing.limit);
    let Listing { filter, after, .. } = listing;
    let Asked { office, status, serial, person_id, purpose, case } = filter;
    let (wants_own, own) = (office.is_none(), office.unwrap_or_else(|| officer.office.clone()));
    officer.may_act_for(&own)?;
    if person_id.is_none() && (purpose.is_some() || case.is_some()) || person_id.is_some() && serial.is_some() {
        return Err(Problem::new(ProblemCode::QueryMalformed).detail("`person_id` stands alone, with its purpose"));
    }
    // Of one person or one chip there are few: what the national office need not name is every office.
    let seen = if wants_own { &officer.office } else { &own };
    let any = status.map_or("", StatusName::word);
    let wanted = match (serial, person_id, status) {
        (Some(serial), ..) => Wanted::Serial(serial, seen, any),
        (None, Some(person), _) => Wanted::Person(person, seen, any),
        (None, None, Some(status)) => Wanted::State(&own, status.word()),
        (None, None, None) => Wanted::Office(&own),
    };
    let after = after.unwrap_or(Id::nil());
    let rows = if let Some(person) = person_id {
        let occasion = OccasionAsked { purpose, case }.of(&officer)?;
        let read = async |deed: &mut Deed<Officer>| {
            let rows = store::cards(deed.tx(), wanted, after, most).await?;
            deed.record_reading(Action::CardsListed, Object::Person(person), person, &own, occasion).await?;
            Ok::<_, CardError>(rows)
        };
        desk.look(officer.clone(), read).await?.0
    } else {
        store::cards(&mut desk.deeds().db().begin_read().await?, wanted, after, most).await?
    };
    Ok(Json(Page::judged(&rows, limit, item)?))
}

/// Returns the cards of a person that an officer's office sees, in the order of their issue. The reading is a record
/// about the person.
///
/// # Errors
/// [`CardError::Store`]
pub(crate) async fn of_person(
    deed: &mut Deed<Officer>,
    person: PersonId,
    occasion: Occasion,
) -> Result<Vec<CardItem>, CardError> {
    let office = deed.actor().office.clone();
    let wanted = Wanted::Person(person, &office, "");
    let rows = store::cards(deed.tx(), wanted, Id::nil(), MOST_OF_PERSON.into()).await?;
    deed.record_reading(Action::CardsListed, Object::Person(person), person, &office, occasion).await?;
    Ok(Page::judged(&rows, MOST_OF_PERSON, item)?.items)
}

/// Returns the card on a chip, its holder and what it was issued for, if the officer's office sees it. The reading is a
/// record about the holder.
///
/// # Errors
/// [`CardError::Store`]
pub(crate) async fn on_chip(
    deed: &mut Deed<Officer>,
    serial: CardSerial,
    occasion: Occasion,
) -> Result<Option<(PersonId, ApplicationId)>, CardError> {
    let office = deed.actor().office.clone();
    let rows = store::cards(deed.tx(), Wanted::Serial(serial, &office, ""), Id::nil(), 1).await?;
    let Some((row, true)) = rows.first() else {
        deed.record(Action::CardsListed, Object::Chip(serial), None, occasion.purpose).await?;
        return Ok(None);
    };
    let (id, person, application) = (Id::of(row, "id")?, Id::of(row, "person_id")?, Id::of(row, "application_id")?);
    let (of_card, occasion) = (row.parsed("office")?, Occasion { case: Some(application), ..occasion });
    deed.record_reading(Action::CardRead, Object::Card(id), person, &of_card, occasion).await?;
    Ok(Some((person, application)))
}

/// A person has fewer cards.
const MOST_OF_PERSON: u16 = 200;

fn item((row, holds): &(Record, bool)) -> Result<(CardId, CardItem), StoreError> {
    let id = Id::of(row, "id")?;
    let item = CardItem {
        id,
        status: row.get("status")?,
        serial: row.get("serial")?,
        office: row.get("office")?,
        issued: row.get::<time::Date>("issued")?.to_string(),
        expires: row.get::<Option<time::Date>>("expires")?.map(|day| day.to_string()),
        tampered: !holds,
    };
    Ok((id, item))
}
