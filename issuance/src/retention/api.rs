//! Legal holds over HTTP.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::steps::{self, HoldError};
use crate::deed::{Action, Object, Purpose};
use crate::ground::ids::{ApplicationId, HoldId, OfficerId, PersonId};
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Id, Officer, Permission};
use crate::holds::{Hold, HoldState, Named as HoldOn, store};
use crate::web::{Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Right, Routes, Write};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Hold), routes!(list_holds))
        .add(Right::Officer(Permission::Hold), routes!(propose_hold))
        .add(Right::Officer(Permission::Hold), routes!(confirm_hold))
        .add(Right::Officer(Permission::Hold), routes!(propose_release))
        .add(Right::Officer(Permission::Hold), routes!(confirm_release))
        .add(Right::Officer(Permission::Hold), routes!(withdraw_release))
}

/// What is not to be erased.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "application", "id": "0197a3f0-1234-7abc-8def-0123456789ab",
    "grounds": "Complaint 12/2026, pending."}))]
struct HoldBody {
    /// What the identifier names.
    kind: HoldOn,
    /// Identifier of the person, application or card.
    #[schema(value_type = HoldId)]
    id: Uuid,
    /// For the audit trail and those who read the hold, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    grounds: SomeWords<MOST_OF_REASON>,
}

/// Why a hold is to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"grounds": "Complaint 12/2026 was decided."}))]
struct ReleaseBody {
    /// For the audit trail and those who read the hold, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    grounds: SomeWords<MOST_OF_REASON>,
}

/// A legal hold.
#[derive(Debug, Serialize, ToSchema)]
struct HoldView {
    /// Identifier.
    id: HoldId,
    /// What it names.
    kind: HoldOn,
    /// Identifier of what it names.
    #[schema(value_type = HoldId)]
    object_id: Uuid,
    /// The person whose data it keeps.
    person_id: PersonId,
    /// The one application that it keeps; null: everything of the person.
    application_id: Option<ApplicationId>,
    /// The grounds, in the words of the officer who proposed it.
    grounds: String,
    /// How far it is.
    state: HoldState,
    /// The officer who wants it.
    proposed_by: OfficerId,
    /// When it was proposed.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
    /// The second officer.
    confirmed_by: Option<OfficerId>,
    /// Why it is to end.
    release_grounds: Option<String>,
    /// The officer who wants it to end.
    release_proposed_by: Option<OfficerId>,
    /// The second officer.
    released_by: Option<OfficerId>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    released_at: Option<OffsetDateTime>,
    /// True for a record that was changed by another hand: nothing of the person is erased while it is there.
    tampered: bool,
}

impl HoldView {
    fn new(hold: Hold, now: OffsetDateTime, tampered: bool) -> Self {
        Self {
            state: hold.state(now),
            id: hold.id,
            kind: hold.named,
            object_id: hold.object,
            person_id: hold.person,
            application_id: hold.application,
            grounds: hold.grounds,
            proposed_by: hold.proposed.by,
            proposed_at: hold.proposed.at,
            confirmed_by: hold.confirmed.map(|confirmed| confirmed.by),
            release_grounds: hold.release_grounds,
            release_proposed_by: hold.release_proposed.map(|proposed| proposed.by),
            released_by: hold.released.as_ref().map(|released| released.by),
            released_at: hold.released.map(|released| released.at),
            tampered,
        }
    }
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct All {}

/// The legal holds, in the order of their proposal, those that ended among them. For officers of the national office;
/// the reading is a record of the trail.
#[utoipa::path(get, path = "/api/v1/legal-holds", tag = "retention", params(PageAsked),
    responses((status = 200, body = Page<HoldView>)))]
async fn list_holds(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<All, HoldId>,
) -> Looked<Page<HoldView>> {
    desk.look(officer, async |deed| {
        steps::at_national_office(deed)?;
        let (after, now) = (listing.after.unwrap_or(Id::nil()), deed.at());
        let rows = store::list(deed.tx(), after, listing.most()).await?;
        let item = |(row, holds): &(_, bool)| {
            let hold = store::read(row)?;
            Ok((hold.id, HoldView::new(hold, now, !holds)))
        };
        let object = Object::Asked("legal-holds".to_owned());
        deed.record(Action::LegalHoldsListed, object, None, Purpose::Retention).await?;
        Ok::<_, HoldError>(Page::judged(&rows, listing.limit, item)?)
    })
    .await
}

/// Proposes a legal hold: what it names is not erased from now on, for a week unless a second officer confirms it.
#[utoipa::path(post, path = "/api/v1/legal-holds", tag = "retention", request_body = HoldBody,
    responses((status = 200, body = HoldView)))]
async fn propose_hold(State(desk): State<Desk>, officer: Officer, Write { stamp, body }: Write<HoldBody>) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let hold = steps::propose(deed, body.kind, body.id, body.grounds.as_str()).await?;
        Ok::<_, HoldError>(HoldView::new(hold, deed.at(), false))
    })
    .await
}

/// Confirms a legal hold that another officer proposed.
#[utoipa::path(post, path = "/api/v1/legal-holds/{id}/confirmation", tag = "retention", request_body = Nothing,
    params(("id" = String, Path)), responses((status = 200, body = HoldView)))]
async fn confirm_hold(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<HoldId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let hold = steps::confirm(deed, id).await?;
        Ok::<_, HoldError>(HoldView::new(hold, deed.at(), false))
    })
    .await
}

/// Proposes the end of a legal hold; it stands until a second officer agrees.
#[utoipa::path(post, path = "/api/v1/legal-holds/{id}/release", tag = "retention", request_body = ReleaseBody,
    params(("id" = String, Path)), responses((status = 200, body = HoldView)))]
async fn propose_release(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<HoldId>,
    Write { stamp, body }: Write<ReleaseBody>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let hold = steps::propose_release(deed, id, body.grounds.as_str()).await?;
        Ok::<_, HoldError>(HoldView::new(hold, deed.at(), false))
    })
    .await
}

/// Takes back the proposal that a legal hold ends, or turns down another officer's. The hold stands as before.
#[utoipa::path(post, path = "/api/v1/legal-holds/{id}/release/withdrawal", tag = "retention", request_body = Nothing,
    params(("id" = String, Path)), responses((status = 200, body = HoldView)))]
async fn withdraw_release(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<HoldId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let hold = steps::withdraw_release(deed, id).await?;
        Ok::<_, HoldError>(HoldView::new(hold, deed.at(), false))
    })
    .await
}

/// Ends a legal hold, as another officer proposed.
#[utoipa::path(post, path = "/api/v1/legal-holds/{id}/release/confirmation", tag = "retention", request_body = Nothing,
    params(("id" = String, Path)), responses((status = 200, body = HoldView)))]
async fn confirm_release(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<HoldId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let hold = steps::release(deed, id).await?;
        Ok::<_, HoldError>(HoldView::new(hold, deed.at(), false))
    })
    .await
}
