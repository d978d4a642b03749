//! Routes of looks in emergencies.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::emergencies::{self, Emergency, EmergencyLook, Justification, MOST_OF_REMARKS};
use super::{Exchange, ExchangeError};
use crate::ground::ids::{EmergencyLookId, OfficerId, PersonId};
use crate::ground::text::{SomeWords, Words};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::population::PersonView;
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::BreakGlass), routes!(open_emergency_look))
        .add(Right::Officer(Permission::BreakGlass), routes!(read_in_emergency))
        .add(Right::Officer(Permission::Withhold), routes!(list_emergency_looks))
        .add(Right::Officer(Permission::Withhold), routes!(read_emergency_look))
        .add(Right::Officer(Permission::Withhold), routes!(review_emergency_look))
}

/// What the emergency is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"personal_number": "000090000001", "reason": "unconscious after an accident, kin to be told",
    "case": "115-2026-0042"}))]
struct EmergencyBody {
    /// The number for life of the person.
    #[schema(value_type = String)]
    personal_number: Words<20>,
    /// What the emergency is, in the officer's words.
    #[schema(value_type = String)]
    reason: SomeWords<500>,
    /// Number of the incident or case.
    #[schema(value_type = String)]
    case: SomeWords<100>,
}

/// A look in an emergency.
#[derive(Serialize, ToSchema)]
struct EmergencyLookView {
    /// Identifier.
    id: EmergencyLookId,
    /// Who looked.
    officer_id: OfficerId,
    /// The office of that officer.
    office: OfficeCode,
    /// The person; null where no person has the number.
    person_id: Option<PersonId>,
    /// What the emergency is.
    reason: String,
    /// Number of the incident or case.
    case: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    opened_at: OffsetDateTime,
    /// Until then the officer may read the person.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    /// Until then it is reviewed.
    #[serde(with = "time::serde::rfc3339")]
    due: OffsetDateTime,
    /// Who reviewed it.
    reviewed_by: Option<OfficerId>,
    /// Whether it was justified.
    verdict: Option<Justification>,
    /// What the reviewer says.
    remarks: Option<String>,
    /// True if the row is not as this service wrote it.
    tampered: bool,
}

impl EmergencyLookView {
    fn of(look: EmergencyLook, tampered: bool) -> Self {
        let EmergencyLook { id, officer, office, person, reason, case, opened_at, until, due, review } = look;
        let (reviewed_by, verdict, remarks) = match review {
            Some(review) => (Some(review.by.by), Some(review.verdict), Some(review.remarks)),
            None => (None, None, None),
        };
        Self {
            id,
            officer_id: officer,
            office,
            person_id: person,
            reason,
            case,
            opened_at,
            until,
            due,
            reviewed_by,
            verdict,
            remarks,
            tampered,
        }
    }
}

/// Opens a person to the officer for an hour, in an emergency: one of whom the office has no case. It is told of in the
/// log at once, the citizen sees it, and another officer of the national office judges it.
#[utoipa::path(post, path = "/api/v1/emergency-looks", tag = "exchange", request_body = EmergencyBody,
    responses((status = 200, body = EmergencyLookView)))]
async fn open_emergency_look(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    officer: Officer,
    Write { stamp, body }: Write<EmergencyBody>,
) -> Answered {
    let _turn = emergencies::turn(&exchange, officer.id).await;
    let EmergencyBody { personal_number, reason, case } = body;
    let number = personal_number.as_str().parse().ok();
    let emergency = Emergency { number, reason: reason.as_str().to_owned(), case: case.as_str().to_owned() };
    desk.write(officer, stamp, async |deed| {
        let look = emergencies::open(deed, &exchange, emergency).await?;
        Ok::<_, ExchangeError>(EmergencyLookView::of(look, false))
    })
    .await
}

/// Reads the person of a look in an emergency: the officer who opened it, while its time lasts.
#[utoipa::path(get, path = "/api/v1/emergency-looks/{id}/person", tag = "exchange", params(("id" = String, Path)),
    responses((status = 200, body = PersonView)))]
async fn read_in_emergency(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    officer: Officer,
    Named(id): Named<EmergencyLookId>,
) -> Looked<PersonView> {
    desk.look(officer, async |deed| {
        let registered = emergencies::read(deed, id).await?;
        Ok::<_, ExchangeError>(PersonView::of(registered, &exchange.register, deed.today()))
    })
    .await
}

/// No choice: all that wait.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllWaiting {}

/// Lists the looks in emergencies that wait for a review, the oldest first.
#[utoipa::path(get, path = "/api/v1/emergency-looks", tag = "exchange", params(PageAsked),
    responses((status = 200, body = Page<EmergencyLookView>)))]
async fn list_emergency_looks(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<AllWaiting, EmergencyLookId>,
) -> Looked<Page<EmergencyLookView>> {
    let (after, most, limit) = (listing.after.unwrap_or(Id::nil()), listing.most(), listing.limit);
    desk.look(officer, async |deed| {
        let rows = emergencies::waiting(deed, after, most).await?;
        let item = |(look, holds): (EmergencyLook, bool)| (look.id, EmergencyLookView::of(look, !holds));
        Ok::<_, ExchangeError>(Page::of(rows.into_iter().map(item).collect(), limit))
    })
    .await
}

/// Reads a look in an emergency, also one that is judged.
#[utoipa::path(get, path = "/api/v1/emergency-looks/{id}", tag = "exchange", params(("id" = String, Path)),
    responses((status = 200, body = EmergencyLookView)))]
async fn read_emergency_look(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<EmergencyLookId>,
) -> Looked<EmergencyLookView> {
    desk.look(officer, async |deed| {
        let look = emergencies::look(deed, id).await?;
        Ok::<_, ExchangeError>(EmergencyLookView::of(look, false))
    })
    .await
}

/// What a review found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"verdict": "justified", "remarks": "the hospital confirms it"}))]
struct ReviewBody {
    /// Whether the look was justified.
    verdict: Justification,
    /// What speaks for it.
    #[schema(value_type = String)]
    remarks: SomeWords<MOST_OF_REMARKS>,
}

/// Judges a look in an emergency: another officer than the one who looked.
#[utoipa::path(post, path = "/api/v1/emergency-looks/{id}/review", tag = "exchange", request_body = ReviewBody,
    params(("id" = String, Path)), responses((status = 200, body = EmergencyLookView)))]
async fn review_emergency_look(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<EmergencyLookId>,
    Write { stamp, body: ReviewBody { verdict, remarks } }: Write<ReviewBody>,
) -> Answered {
    let found = (verdict, remarks.as_str().to_owned());
    desk.write(officer, stamp, async |deed| {
        let look = emergencies::review(deed, id, found).await?;
        Ok::<_, ExchangeError>(EmergencyLookView::of(look, false))
    })
    .await
}
