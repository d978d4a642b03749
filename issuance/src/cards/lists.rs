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
use crate::deed::{Action, Deed, Object};
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
struct CardItem {
    /// Identifier.
    id: CardId,
    /// What it is now.
    #[schema(value_type = StatusName)]
    status: String,
    /// Its chip.
    #[schema(pattern = "^[0-9A-F]{20}$")]
    serial: String,
    /// The office that hands it over.
    #[schema(value_type = OfficeCode)]
    office: String,
    /// Day of issue.
    #[schema(format = Date)]
    issued: String,
    /// Day of expiry; none: without limit.
    #[schema(format = Date)]
    expires: Option<String>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
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
