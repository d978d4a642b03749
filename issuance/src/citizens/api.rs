//! The citizen's own matters over HTTP.

use axum::Json;
use axum::extract::{ConnectInfo, FromRef, State};
use axum::http::{HeaderMap, StatusCode};
use crypto::log_in::protocol::{Answer, Begin, SESSION_HEADER, Wanted};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use zeroize::Zeroizing;

use super::codes::{self, Chosen};
use super::steps::{self, Count};
use super::{CitizenError, Citizens, log_in, objections_api, own};
use crate::applications::OwnApplication;
use crate::cards::model::{Card, Status, StatusName};
use crate::exchange::{Exchange, LooksView};
use crate::ground::actor::Citizen;
use crate::ground::ids::{CardId, EntryId, LogInId};
use crate::ground::{OfficeCode, Officer, Permission};
use crate::population::model::{Person, Registered};
use crate::web::{Answered, Body, Desk, Looked, Named, Nothing, Parameters, Peer, Problem, Right, Routes, Write};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Citizens: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new()
        .add(Right::Anyone, routes!(begin))
        .add(Right::Anyone, routes!(go_on))
        .add(Right::Citizen, routes!(card))
        .add(Right::Citizen, routes!(count_looks))
        .add(Right::Citizen, routes!(lock))
        .add(Right::Citizen, routes!(end))
        .add(Right::Citizen, routes!(show_code))
        .add(Right::Citizen, routes!(record))
        .add(Right::Citizen, routes!(looks))
        .add(Right::Citizen, routes!(applications))
        .add(Right::Officer(Permission::HandOver), routes!(set_code))
        .merge(objections_api::routes())
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
    let wanted = Box::pin(log_in::begin(&citizens, desk.deeds(), peer.origin, body.into())).await?;
    Ok(Json(wanted))
}

/// Brings the chip's answer to the last command, with the `ticket` that came with it, and gets the next one. Once the
/// chip proved itself, the answer holds the session, whose token is told this once; from then on the steps bring the
/// token and show that the card is still at the reader. Without an answer in time the session ends.
#[utoipa::path(post, path = "/api/v1/citizen/log-ins/{id}/steps", tag = "citizens", request_body = Object,
    params(("id" = String, Path)), responses((status = 200, body = Object)))]
async fn go_on(
    State(desk): State<Desk>,
    State(citizens): State<Citizens>,
    Named(id): Named<LogInId>,
    headers: HeaderMap,
    Body(body): Body<Answer>,
) -> Looked<Wanted> {
    let token = headers.get(SESSION_HEADER).map(|value| value.to_str().unwrap_or_default());
    let wanted = Box::pin(log_in::go_on(&citizens, desk.deeds(), token, id, body)).await?;
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

/// Locks the citizen's own card, as a report of loss does. The session ends with it; two officers can
/// undo it within the term.
#[utoipa::path(post, path = "/api/v1/citizen/card/lock", tag = "citizens", request_body = Nothing,
    responses((status = 200, body = OwnCardView)))]
async fn lock(
    State(desk): State<Desk>,
    State(citizens): State<Citizens>,
    citizen: Citizen,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    let card = citizen.card;
    let verb = async |deed: &mut crate::deed::Deed<Citizen>| steps::lock(deed, &citizens).await.map(OwnCardView::from);
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

/// The code that the citizen chose.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "280519"}))]
struct CitizenCode {
    /// 6 to 12 digits: no row, no repetition, and nothing that stands on the card.
    code: String,
}

/// Shows nothing of it.
impl std::fmt::Debug for CitizenCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CitizenCode(…)")
    }
}

/// What came of a code.
#[derive(Debug, Serialize, ToSchema)]
struct CodeView {
    /// `set` at the counter, `shown` by the citizen.
    code: &'static str,
}

/// Sets the code that the citizen chose, none that stands on the card, at the counter with the card in hand; in place
/// of an earlier one, whose wrong tries are forgotten. The citizen is told in writing.
#[utoipa::path(post, path = "/api/v1/cards/{id}/citizen-code", tag = "citizens", request_body = CitizenCode,
    params(("id" = String, Path)), responses((status = 200, body = CodeView)))]
async fn set_code(
    State(desk): State<Desk>,
    State(citizens): State<Citizens>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    officer: Officer,
    Named(id): Named<CardId>,
    Write { stamp, body }: Write<CitizenCode>,
) -> Answered {
    let chosen = Chosen::of(&Zeroizing::new(body.code))?;
    // Hashed before the deed, which waits for no turn.
    let hash = codes::hash(&citizens, desk.deeds(), (peer.origin, id), &chosen).await?;
    let set = async |deed: &mut crate::deed::Deed<Officer>| codes::set(deed, id, (&chosen, hash)).await;
    let answer = desk.write(officer, stamp, async |deed| set(deed).await.map(|()| CodeView { code: "set" })).await?;
    citizens.sessions.code_changed(id);
    Ok(answer)
}

/// Shows the code of the card. Each wrong one makes the wait for the next longer, and after ten a new one is set at the
/// counter. Not repeated under its idempotency key: each try counts.
#[utoipa::path(post, path = "/api/v1/citizen/code", tag = "citizens", request_body = CitizenCode,
    responses((status = 200, body = CodeView)))]
async fn show_code(
    State(desk): State<Desk>,
    State(citizens): State<Citizens>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    citizen: Citizen,
    Write { stamp: _, body }: Write<CitizenCode>,
) -> Looked<CodeView> {
    let code = Zeroizing::new(body.code);
    Box::pin(codes::show(&citizens, desk.deeds(), (citizen, peer.origin), &code)).await?;
    Ok(Json(CodeView { code: "shown" }))
}

/// What the register holds of the citizen.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnRecordView {
    /// The number for life, once established.
    #[schema(value_type = Option<String>)]
    personal_number: Option<crypto::identity::PersonalNumber>,
    /// The fields of Law 59/2014, Art. 9(1).
    #[schema(value_type = Object)]
    person: Person,
    /// The office that registered the citizen.
    office: OfficeCode,
}

impl From<Registered> for OwnRecordView {
    fn from(registered: Registered) -> Self {
        let Registered { personal_number, person, office, .. } = registered;
        Self { personal_number, person, office }
    }
}

/// What the register holds of the citizen. Needs the code.
#[utoipa::path(get, path = "/api/v1/citizen/record", tag = "citizens",
    responses((status = 200, body = OwnRecordView)))]
async fn record(State(desk): State<Desk>, citizen: Citizen) -> Looked<OwnRecordView> {
    desk.look(citizen, async |deed| own::record(deed).await.map(OwnRecordView::from)).await
}

/// Which looks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OwnBefore {
    /// Those before this one: `before` of the page that came last.
    #[param(value_type = Option<EntryId>)]
    before: Option<EntryId>,
}

/// Who looked at the citizen's data, the newest first. Needs the code.
#[utoipa::path(get, path = "/api/v1/citizen/looks", tag = "citizens", params(OwnBefore),
    responses((status = 200, body = LooksView)))]
async fn looks(
    State(desk): State<Desk>,
    citizen: Citizen,
    Parameters(OwnBefore { before }): Parameters<OwnBefore>,
) -> Looked<LooksView> {
    desk.look(citizen, async |deed| own::looks(deed, before).await.map(LooksView::from)).await
}

/// What the citizen applied for.
#[derive(Debug, Serialize, ToSchema)]
struct OwnApplicationsView {
    /// The oldest first.
    applications: Vec<OwnApplication>,
}

/// What the citizen applied for, and where it stands. Needs the code.
#[utoipa::path(get, path = "/api/v1/citizen/applications", tag = "citizens",
    responses((status = 200, body = OwnApplicationsView)))]
async fn applications(State(desk): State<Desk>, citizen: Citizen) -> Looked<OwnApplicationsView> {
    desk.look(citizen, async |deed| {
        own::applications(deed).await.map(|applications| OwnApplicationsView { applications })
    })
    .await
}

/// Ends the session: the card was taken away.
#[utoipa::path(delete, path = "/api/v1/citizen/session", tag = "citizens", responses((status = 204)))]
async fn end(State(citizens): State<Citizens>, citizen: Citizen) -> Result<StatusCode, Problem> {
    citizens.sessions.end(&citizen.session);
    Ok(StatusCode::NO_CONTENT)
}
