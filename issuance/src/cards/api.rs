//! Cards over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::model::{Card, Revocation, Status, StatusName};
use super::steps::{self, Report};
use super::{Settings, lists};
use crate::ground::ids::{ApplicationId, CardId, PersonId};
use crate::ground::text::{MOST_OF_REASON, Words};
use crate::ground::{OfficeCode, Officer, Permission};
use crate::web::{Answered, Desk, Looked, Named, Nothing, Right, Routes, Write};

/// The routes of this office. The reading of a card is a route of `applications`, since it names a case.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Settings: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::ReportLoss), routes!(report_loss))
        .add(Right::Officer(Permission::ReportLoss), routes!(propose_undo))
        .add(Right::Officer(Permission::ReportLoss), routes!(undo))
        .add(Right::Anyone, routes!(status))
        .merge(lists::routes())
}

/// A card is lost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reported_by": "holder", "grounds": "left on a bus"}))]
struct Loss {
    /// `holder`, or another word, at most 100 characters.
    #[schema(value_type = String)]
    reported_by: Words<100>,
    /// What was told at the counter, without names: 1 to 400 characters.
    #[schema(value_type = String)]
    grounds: Words<MOST_OF_REASON>,
}

/// A report of loss was wrong.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Undoing {
    /// Why, without names: 1 to 400 characters.
    #[schema(value_type = String)]
    grounds: Words<MOST_OF_REASON>,
}

/// A card.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardView {
    /// Identifier.
    id: CardId,
    /// What it is now.
    #[schema(value_type = StatusName)]
    status: &'static str,
    /// Why it is revoked.
    #[schema(value_type = Option<Revocation>)]
    reason: Option<&'static str>,
    /// Suspended: the report of loss can be undone until then.
    #[serde(with = "time::serde::rfc3339::option")]
    suspended_until: Option<OffsetDateTime>,
    /// The holder.
    person_id: PersonId,
    /// What it was issued for.
    application_id: ApplicationId,
    /// Its chip.
    #[schema(value_type = String, pattern = "^[0-9A-F]{20}$")]
    serial: crypto::identity::CardSerial,
    /// Fingerprint of EF.SOD (SHA-256 of its signed hash table), hex.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    sod_sha256: String,
    /// The office that hands it over.
    office: OfficeCode,
    /// Day of issue.
    #[schema(format = Date)]
    issued: String,
    /// Day of expiry; none: without limit.
    #[schema(format = Date)]
    expires: Option<String>,
    /// True for a card whose holder must change it: what is written on it is no longer what the register holds.
    must_change: bool,
}

impl From<Card> for CardView {
    fn from(card: Card) -> Self {
        let (reason, suspended_until) = match &card.status {
            Status::Revoked { reason, .. } => (Some(reason.word()), None),
            Status::Suspended { loss, .. } => (None, Some(loss.until)),
            Status::Personalized | Status::Active { .. } => (None, None),
        };
        Self {
            id: card.id,
            status: card.status.word(),
            reason,
            suspended_until,
            must_change: card.must_change,
            person_id: card.person,
            application_id: card.application,
            serial: card.serial,
            sod_sha256: hex::encode(card.sod_sha256),
            office: card.office,
            issued: card.issued.to_string(),
            expires: card.expires.map(|day| day.to_string()),
        }
    }
}

/// A card that was reported lost. Any counter of the country takes such a report, so the answer tells neither whose
/// card it is nor what is printed on it.
#[derive(Debug, Serialize, ToSchema)]
struct LostView {
    /// Identifier.
    #[schema(value_type = String)]
    id: CardId,
    /// `suspended`.
    status: &'static str,
    /// The report can be undone until then.
    #[serde(with = "time::serde::rfc3339::option")]
    suspended_until: Option<OffsetDateTime>,
    /// The office of the card, where the report can be undone.
    office: OfficeCode,
}

impl From<Card> for LostView {
    fn from(card: Card) -> Self {
        let CardView { id, status, suspended_until, office, .. } = CardView::from(card);
        Self { id, status, suspended_until, office }
    }
}

/// What a document is to a kiosk.
#[derive(Debug, Serialize, ToSchema)]
struct StatusView {
    /// `active`, `personalized`, `suspended`, `revoked` or `unknown`.
    status: String,
    /// The moment of the answer.
    #[serde(with = "time::serde::rfc3339")]
    as_of: OffsetDateTime,
}

/// A card is reported lost: kiosks refuse it from now on, and after a term it is revoked for good.
#[utoipa::path(post, path = "/api/v1/cards/{id}/loss", tag = "cards", request_body = Loss,
    responses((status = 200, body = LostView)))]
async fn report_loss(
    State(desk): State<Desk>,
    State(settings): State<Settings>,
    officer: Officer,
    Named(id): Named<CardId>,
    Write { stamp, body }: Write<Loss>,
) -> Answered {
    let by_holder = body.reported_by.as_str() == "holder";
    let report = Report { by_holder, grounds: body.grounds.as_str(), term: settings.loss_term };
    desk.write(officer, stamp, async |deed| steps::report_loss(deed, id, report).await.map(LostView::from)).await
}

/// A first officer wants a report of loss undone: the card was found, or another one was meant.
#[utoipa::path(post, path = "/api/v1/cards/{id}/loss/undoing", tag = "cards", request_body = Undoing,
    responses((status = 200, body = CardView)))]
async fn propose_undo(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardId>,
    Write { stamp, body }: Write<Undoing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        steps::propose_undo(deed, id, body.grounds.as_str()).await.map(CardView::from)
    })
    .await
}

/// A second officer, who did not take the report, agrees: the card counts again.
#[utoipa::path(post, path = "/api/v1/cards/{id}/loss/undoing/confirmation", tag = "cards", request_body = Nothing,
    responses((status = 200, body = CardView)))]
async fn undo(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| steps::undo_loss(deed, id).await.map(CardView::from)).await
}

/// What a document is, by the fingerprint of its EF.SOD: for kiosks that are online.
#[utoipa::path(get, path = "/api/v1/card-status/{sod_sha256}", tag = "cards",
    responses((status = 200, body = StatusView)))]
async fn status(State(desk): State<Desk>, Named(sod_sha256): Named<String>) -> Looked<StatusView> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let status = steps::status(&mut tx, &sod_sha256).await?;
    Ok(Json(StatusView { status, as_of: desk.deeds().source().now() }))
}
