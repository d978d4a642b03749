//! Applications over HTTP.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Application, Kind, Slip, Stage};
use super::portrait::Crop;
use super::steps::{self, CounterError, Request};
use crate::access::{OfficeCode, Officer, Permission};
use crate::app::App;
use crate::http::{Answer, Problem, Read, Write};

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(read))
        .routes(routes!(capture))
        .routes(routes!(approve))
        .routes(routes!(refuse))
        .routes(routes!(cancel))
}

/// What a citizen asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Registration {
    /// The register's id of the person.
    person_id: String,
    /// `first`, `change` or `reissue`.
    kind: String,
    /// For a change `age-reached`, `damaged`, `name-or-features-changed`, `sex-or-origin-redetermined`, `error-on-card` or
    /// `on-request`; for a re-issue `lost` or `nationality-regained`.
    reason: Option<String>,
    /// The office where the card will be handed over.
    office: OfficeCode,
    /// The fee is waived (Circular 59/2019/TT-BTC, Art. 5(1)).
    #[serde(default)]
    fee_exempt: bool,
}

/// What the counter took.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Captured {
    /// A photograph: JPEG in base64.
    portrait: String,
    /// Head and shoulders in it; without, the middle.
    crop: Option<Crop>,
    /// Identifying features.
    features: String,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// In words that the citizen will read.
    reason: String,
}

/// Nothing to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// An application as it stands.
#[derive(Debug, Serialize, ToSchema)]
struct ApplicationView {
    /// Identifier.
    id: String,
    /// `registered`, `captured`, `approved`, `refused`, `in-production`, `personalized`, `handed-over` or `cancelled`.
    stage: &'static str,
    /// Whose.
    person_id: String,
    /// What is applied for, and why.
    #[schema(value_type = Object)]
    kind: Kind,
    /// Where.
    office: OfficeCode,
    /// What the citizen brings to fetch the card; shown to who prints it, and not to who asks for it at hand-over.
    slip: Option<Slip>,
    /// The fee, in đồng.
    fee_dong: u32,
    /// When it was opened.
    registered_at: String,
    /// The chip that it is being written on.
    #[schema(value_type = Option<String>)]
    chip: Option<crypto::identity::CardSerial>,
    /// The card that it became.
    card_id: Option<String>,
    /// Identifying features.
    features: Option<String>,
    /// The portrait as it goes on the chip, base64; only when read.
    portrait: Option<String>,
    /// Why it was refused or cancelled.
    reason: Option<String>,
    /// Until when the citizen may complain about a refusal.
    appeal_until: Option<String>,
}

impl ApplicationView {
    fn new(application: Application, portrait: Option<String>, officer: &Officer) -> Self {
        let (mut features, mut card_id, mut why, mut until) = (None, None, None, None);
        let (stage, chip) = (application.stage.name(), application.stage.chip());
        match application.stage {
            Stage::Registered => {}
            Stage::Captured { capture } | Stage::Approved { capture, .. } | Stage::InProduction { capture, .. } => {
                features = Some(capture.features);
            }
            Stage::Refused { capture, reason, appeal_until, .. } => {
                (features, why, until) = (Some(capture.features), Some(reason), Some(appeal_until.to_string()));
            }
            Stage::Personalized { capture, card, .. } => (features, card_id) = (Some(capture.features), Some(card)),
            Stage::HandedOver { card, .. } => card_id = Some(card),
            Stage::Cancelled { reason, .. } => why = Some(reason),
        }
        Self {
            id: application.id,
            stage,
            person_id: application.person,
            kind: application.kind,
            office: application.office,
            slip: officer.may(Permission::Apply).then_some(application.slip),
            fee_dong: application.fee,
            registered_at: application.registered.at.format(&Rfc3339).unwrap_or_default(),
            chip,
            card_id,
            features,
            portrait,
            reason: why,
            appeal_until: until,
        }
    }
}

/// Opens an application.
#[utoipa::path(post, path = "/api/applications", tag = "applications", request_body = Registration,
    responses((status = 200, body = ApplicationView)))]
async fn register(
    State(app): State<App>,
    officer: Officer,
    Write { stamp, body }: Write<Registration>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        let kind = Kind::parse(&body.kind, body.reason.as_deref()).map_err(CounterError::from)?;
        let request = Request { person: &body.person_id, kind, office: &body.office, exempt: body.fee_exempt };
        Ok(ApplicationView::new(steps::register(tx, &app, &officer, request).await?, None, &officer))
    })
    .await
}

/// An application as it stands, with the portrait that was taken.
#[utoipa::path(get, path = "/api/applications/{id}", tag = "applications",
    responses((status = 200, body = ApplicationView)))]
async fn read(State(app): State<App>, officer: Officer, Path(id): Path<String>) -> Read<ApplicationView> {
    let mut tx = app.begin().await?;
    let (application, portrait) = steps::read(&mut tx, &app, &officer, &id).await?;
    tx.commit().await?;
    Ok(Json(ApplicationView::new(application, portrait, &officer)))
}

/// Takes portrait and features; again while nobody has decided.
#[utoipa::path(post, path = "/api/applications/{id}/capture", tag = "applications", request_body = Captured,
    responses((status = 200, body = ApplicationView)))]
async fn capture(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<String>,
    Write { stamp, body }: Write<Captured>,
) -> Result<Answer, Problem> {
    let portrait = steps::develop(&app, &body.portrait, body.crop).await?;
    app.write(&officer, stamp, async |tx| {
        let application = steps::capture(tx, &app, &officer, &id, portrait, &body.features).await?;
        Ok(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// A second officer agrees.
#[utoipa::path(post, path = "/api/applications/{id}/approval", tag = "applications", request_body = Nothing,
    responses((status = 200, body = ApplicationView)))]
async fn approve(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<String>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        Ok(ApplicationView::new(steps::approve(tx, &app, &officer, &id).await?, None, &officer))
    })
    .await
}

/// A second officer disagrees.
#[utoipa::path(post, path = "/api/applications/{id}/refusal", tag = "applications", request_body = Reason,
    responses((status = 200, body = ApplicationView)))]
async fn refuse(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<String>,
    Write { stamp, body }: Write<Reason>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        Ok(ApplicationView::new(steps::refuse(tx, &app, &officer, &id, &body.reason).await?, None, &officer))
    })
    .await
}

/// Ends an application before there is a card.
#[utoipa::path(post, path = "/api/applications/{id}/cancellation", tag = "applications", request_body = Reason,
    responses((status = 200, body = ApplicationView)))]
async fn cancel(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<String>,
    Write { stamp, body }: Write<Reason>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        Ok(ApplicationView::new(steps::cancel(tx, &app, &officer, &id, &body.reason).await?, None, &officer))
    })
    .await
}
