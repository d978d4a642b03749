//! Cards over HTTP.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Card, Status};
use super::steps;
use crate::access::{OfficeCode, Officer};
use crate::app::App;
use crate::http::{Answer, Problem, Read, Write};

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(hand_over))
        .routes(routes!(read))
        .routes(routes!(report_loss))
        .routes(routes!(status))
}

/// The citizen came for the card.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HandOver {
    /// The number of the appointment slip.
    #[serde(default)]
    slip: String,
}

/// The citizen has the card.
#[derive(Debug, Serialize, ToSchema)]
struct HandedOver {
    /// `active`
    status: &'static str,
    /// Cards that it replaced.
    revoked: Vec<String>,
}

/// A card is lost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Loss {
    /// `holder`, or who else.
    reported_by: String,
}

/// A card.
#[derive(Debug, Serialize, ToSchema)]
struct CardView {
    /// Identifier.
    id: String,
    /// `personalized`, `active` or `revoked`.
    status: &'static str,
    /// Why it is revoked.
    reason: Option<&'static str>,
    /// Whose.
    person_id: String,
    /// What it was issued for.
    application_id: String,
    /// Its chip.
    #[schema(value_type = String)]
    serial: crypto::identity::CardSerial,
    /// Fingerprint of EF.SOD (SHA-256 of its signed hash table), hex.
    sod_sha256: String,
    /// Where it is handed over.
    office: OfficeCode,
    /// Day of issue.
    issued: String,
    /// Day of expiry; none: without limit.
    expires: Option<String>,
}

impl From<Card> for CardView {
    fn from(card: Card) -> Self {
        let reason = match &card.status {
            Status::Revoked { reason, .. } => Some(reason.word()),
            Status::Personalized | Status::Active { .. } => None,
        };
        Self {
            id: card.id,
            status: card.status.word(),
            reason,
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

/// What a document is to a kiosk.
#[derive(Debug, Serialize, ToSchema)]
struct StatusView {
    /// `active`, `personalized`, `revoked` or `unknown`.
    status: String,
    /// As of when, RFC 3339.
    as_of: String,
}

/// Hands a card over; the old one is revoked with it.
#[utoipa::path(post, path = "/api/cards/{id}/hand-over", tag = "cards", request_body = HandOver,
    responses((status = 200, body = HandedOver)))]
async fn hand_over(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<String>,
    Write { stamp, body }: Write<HandOver>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        let revoked = steps::hand_over(tx, &app, &officer, &id, &body.slip).await?;
        Ok(HandedOver { status: "active", revoked })
    })
    .await
}

/// A card, as it stands.
#[utoipa::path(get, path = "/api/cards/{id}", tag = "cards", responses((status = 200, body = CardView)))]
async fn read(State(app): State<App>, officer: Officer, Path(id): Path<String>) -> Read<CardView> {
    let mut tx = app.begin().await?;
    let card = steps::read(&mut tx, &app, &officer, &id).await?;
    tx.commit().await?;
    Ok(Json(card.into()))
}

/// A card is reported lost, and revoked.
#[utoipa::path(post, path = "/api/cards/{id}/loss", tag = "cards", request_body = Loss,
    responses((status = 200, body = CardView)))]
async fn report_loss(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<String>,
    Write { stamp, body }: Write<Loss>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        Ok(CardView::from(steps::report_loss(tx, &app, &officer, &id, &body.reported_by).await?))
    })
    .await
}

/// What a document is, by the fingerprint of its EF.SOD: for kiosks that are online.
#[utoipa::path(get, path = "/api/card-status/{sod_sha256}", tag = "cards",
    responses((status = 200, body = StatusView)))]
async fn status(State(app): State<App>, Path(sod_sha256): Path<String>) -> Read<StatusView> {
    let mut hash = [0; 32];
    hex::decode_to_slice(&sod_sha256, &mut hash).map_err(|_| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "hash-malformed",
            "Send the SHA-256 of the signed hash table in EF.SOD as 64 hexadecimal digits.",
        )
    })?;
    let mut tx = app.begin_read().await?;
    let status = steps::status(&mut tx, &hash).await?;
    Ok(Json(StatusView { status, as_of: app.now().format(&Rfc3339).unwrap_or_default() }))
}
