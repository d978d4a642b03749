//! The citizen's own matters over HTTP.

use axum::Json;
use axum::extract::{ConnectInfo, FromRef, State};
use axum::http::{HeaderMap, StatusCode};
use crypto::log_in::protocol::{Answer, Begin, SESSION_HEADER, Wanted};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::steps::{self, Count};
use super::{CitizenError, Citizens, log_in};
use crate::cards::model::{Card, Status, StatusName};
use crate::ground::OfficeCode;
use crate::ground::actor::Citizen;
use crate::ground::ids::LogInId;
use crate::web::{Answered, Body, Desk, Looked, Named, Nothing, Peer, Problem, Right, Routes, Write};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Citizens: FromRef<S>,
{
    Routes::new()
        .add(Right::Anyone, routes!(begin))
        .add(Right::Anyone, routes!(go_on))
        .add(Right::Citizen, routes!(card))
        .add(Right::Citizen, routes!(count_looks))
        .add(Right::Citizen, routes!(lock))
        .add(Right::Citizen, routes!(end))
}

/// Begins a log-in: what the agent read of the card, after PACE with the CAN. The answer is the first command for the
/// chip. No idempotency key: each log-in has a key of its own, and is told to the holder.
#[utoipa::path(post, path = "/api/v1/citizen/log-ins", tag = "citizens", request_body = Object,
    responses((status = 200, body = Object)))]
async fn begin(
    State(desk): State<Desk>,
    State(citizens): State<Citizens>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Body(body): Body<Begin>,
) -> Looked<Wanted> {
    let wanted = Box::pin(log_in::begin(&citizens, desk.deeds(), peer, body.into())).await?;
    Ok(Json(wanted))
}

/// Brings the chip's answer to the last command, and gets the next one. Once the chip proved itself, the answer holds
/// the session, whose token is told this once; from then on the steps bring the token and show that the card is still
/// at the reader. Without an answer in time the session ends.
#[utoipa::path(post, path = "/api/v1/citizen/log-ins/{id}/steps", tag = "citizens", request_body = Object,
    params(("id" = String, Path)), responses((status = 200, body = Object)))]
async fn go_on(
    State(desk): State<Desk>,
    State(citizens): State<Citizens>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Named(id): Named<LogInId>,
    headers: HeaderMap,
    Body(body): Body<Answer>,
) -> Looked<Wanted> {
    let token = headers.get(SESSION_HEADER).map(|value| value.to_str().unwrap_or_default());
    let wanted = Box::pin(log_in::go_on(&citizens, desk.deeds(), (&peer, token), id, body)).await?;
    Ok(Json(wanted))
}

/// The citizen's own card.
#[derive(Debug, Serialize, ToSchema)]
struct OwnCardView {
    /// What it is now.
    #[schema(value_type = StatusName)]
    status: &'static str,
    /// Day of issue.
    #[schema(format = Date)]
    issued: String,
    /// Day of expiry; none: without limit.
    #[schema(format = Date)]
    expires: Option<String>,
    /// True if it must be changed: what is written on it is no longer what the register holds.
    must_change: bool,
    /// The office that handed it over.
    office: OfficeCode,
    /// Locked: two officers can undo it until then.
    #[serde(with = "time::serde::rfc3339::option")]
    locked_until: Option<OffsetDateTime>,
}

impl From<Card> for OwnCardView {
    fn from(card: Card) -> Self {
        let locked_until = match &card.status {
            Status::Suspended { loss, .. } => Some(loss.until),
            Status::Personalized | Status::Active { .. } | Status::Revoked { .. } => None,
        };
        Self {
            status: card.status.word(),
            issued: card.issued.to_string(),
            expires: card.expires.map(|day| day.to_string()),
            must_change: card.must_change,
            office: card.office,
            locked_until,
        }
    }
}

/// What the citizen's own card is, and until when.
#[utoipa::path(get, path = "/api/v1/citizen/card", tag = "citizens", responses((status = 200, body = OwnCardView)))]
async fn card(State(desk): State<Desk>, citizen: Citizen) -> Looked<OwnCardView> {
    desk.look(citizen, async |deed| steps::card(deed).await.map(OwnCardView::from)).await
}

/// Locks the citizen's own card, as a report of loss does. The session ends with it; two officers can undo it within the
/// term.
#[utoipa::path(post, path = "/api/v1/citizen/card/lock", tag = "citizens", request_body = Nothing,
    responses((status = 200, body = OwnCardView)))]
async fn lock(
    State(desk): State<Desk>,
    State(citizens): State<Citizens>,
    citizen: Citizen,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    let card = citizen.card;
    let verb = async |deed: &mut crate::deed::Deed<Citizen>| {
        steps::lock(deed, &citizens).await.map(OwnCardView::from)
    };
    let answer = desk.write(citizen, stamp, verb).await?;
    citizens.sessions.end_of_card(card);
    Ok(answer)
}

/// How often the citizen's data were looked at.
#[derive(Debug, Serialize, ToSchema)]
struct CountView {
    /// So often, what is told later included.
    looks: usize,
    /// True if there were more than are counted.
    more: bool,
}

/// How often the citizen's data were looked at, by any officer, authority, or the citizen.
#[utoipa::path(get, path = "/api/v1/citizen/looks/count", tag = "citizens",
    responses((status = 200, body = CountView)))]
async fn count_looks(State(desk): State<Desk>, citizen: Citizen) -> Looked<CountView> {
    let shown = |Count { looks, more }| CountView { looks, more };
    desk.look(citizen, async |deed| Ok::<_, CitizenError>(shown(steps::count_looks(deed).await?))).await
}

/// Ends the session: the card was taken away.
#[utoipa::path(delete, path = "/api/v1/citizen/session", tag = "citizens", responses((status = 204)))]
async fn end(State(citizens): State<Citizens>, citizen: Citizen) -> Result<StatusCode, Problem> {
    citizens.sessions.end(&citizen.session);
    Ok(StatusCode::NO_CONTENT)
}
