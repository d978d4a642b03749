//! Stock and stations over HTTP.

use axum::Json;
use axum::extract::{Path, State};
use crypto::identity::CardSerial;
use crypto::perso::{Order, Presentation, Receipt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::ProductionError;
use super::intake::{self, IntakeOutcome};
use super::model::Chip;
use super::personalization::{self, PersonalizationOutcome, Proof};
use super::steps::{self, Delivery};
use crate::access::{Officer, Station, StationId};
use crate::app::App;
use crate::http::{Answer, Problem, Read, Write};

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(deliver))
        .routes(routes!(give_custody))
        .routes(routes!(read))
        .routes(routes!(write_off))
        .routes(routes!(order_intake))
        .routes(routes!(receive_intake))
        .routes(routes!(order_personalization))
        .routes(routes!(receive_personalization))
        .routes(routes!(spoil))
}

/// A delivery note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeliveryNote {
    /// Who made the chips.
    manufacturer: String,
    /// The manufacturer's batch.
    batch: String,
    /// Under which transport master key they come.
    transport_key_id: String,
    /// All serials, 20 hexadecimal digits each.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
}

/// The delivery is in the ledger.
#[derive(Debug, Serialize, ToSchema)]
struct Received {
    /// Its id.
    id: String,
    /// How many blanks.
    count: usize,
}

/// Blanks for a station.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Custody {
    /// Which.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
    /// Whose.
    station_id: StationId,
}

/// The blanks are the station's to answer for.
#[derive(Debug, Serialize, ToSchema)]
struct Given {
    /// The station.
    station_id: StationId,
    /// How many blanks.
    count: usize,
}

/// A chip of the ledger.
#[derive(Debug, Serialize, ToSchema)]
struct ChipView {
    /// Its serial.
    #[schema(value_type = String)]
    serial: CardSerial,
    /// `delivered`, `initialised`, `bound`, `personalized` or `spoiled`.
    state: &'static str,
    /// The delivery that it came with.
    delivery_id: String,
    /// The office that has it.
    office: String,
    /// The station that holds it.
    station_id: Option<StationId>,
    /// The application that it is or was bound to.
    application_id: Option<String>,
}

impl From<Chip> for ChipView {
    fn from(chip: Chip) -> Self {
        Self {
            serial: chip.serial,
            state: chip.state.name(),
            delivery_id: chip.delivery,
            office: chip.office.to_string(),
            station_id: chip.custody,
            application_id: chip.state.application().map(str::to_owned),
        }
    }
}

/// Why a chip is written off, and who saw it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WriteOff {
    /// What happened.
    reason: String,
    /// Who saw it.
    witness: String,
}

/// Why a station gives a chip up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Spoiled {
    /// What happened.
    reason: String,
    /// What shows it.
    evidence: String,
}

/// What a station read from a chip.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Presented {
    /// In the clear, believed by nobody.
    #[schema(value_type = Object)]
    presentation: Presentation,
}

/// An order of intake.
#[derive(Serialize, ToSchema)]
struct IntakeOrder {
    /// To be played as it is.
    #[schema(value_type = Object)]
    order: Order,
}

/// What the chip answered to an order of intake.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IntakeReceipt {
    /// All answers.
    #[schema(value_type = Object)]
    receipt: Receipt,
}

/// What came of a receipt.
#[derive(Debug, Serialize, ToSchema)]
struct OutcomeView {
    /// `initialised`, `personalized` or `incomplete`.
    outcome: &'static str,
    /// The card.
    card_id: Option<String>,
    /// When incomplete: `present` (present the chip again) or `active-authentication` (let it sign the challenge).
    next: Option<&'static str>,
}

/// An order of personalization.
#[derive(Serialize, ToSchema)]
struct PersonalizationOrder {
    /// To be played as it is.
    #[schema(value_type = Object)]
    order: Order,
    /// For the reading afterwards.
    read_back: ReadBack,
    /// The application that the chip is bound to.
    application_id: String,
}

/// What the station needs to read the card back.
#[derive(Serialize, ToSchema)]
struct ReadBack {
    /// Card access number, six digits.
    can: String,
    /// Eight bytes, hex.
    challenge: String,
}

/// What the chip answered to an order of personalization, and its signature.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PersonalizationReceipt {
    /// All answers.
    #[schema(value_type = Object)]
    receipt: Receipt,
    /// The chip's signature over the order's challenge.
    active_authentication: Option<ActiveAuthentication>,
}

/// Active authentication, Doc 9303-11 §6.1.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ActiveAuthentication {
    /// Eight bytes, hex.
    #[serde(with = "hex::serde")]
    #[schema(value_type = String)]
    challenge: Vec<u8>,
    /// `r || s`, hex.
    #[serde(with = "hex::serde")]
    #[schema(value_type = String)]
    signature: Vec<u8>,
}

/// Enters a delivery of blanks.
#[utoipa::path(post, path = "/api/stock/deliveries", tag = "production", request_body = DeliveryNote,
    responses((status = 200, body = Received)))]
async fn deliver(
    State(app): State<App>,
    officer: Officer,
    Write { stamp, body }: Write<DeliveryNote>,
) -> Result<Answer, Problem> {
    let DeliveryNote { manufacturer, batch, transport_key_id, serials } = &body;
    app.write(&officer, stamp, async |tx| {
        let id =
            steps::deliver(tx, &app, &officer, Delivery { manufacturer, batch, transport_key_id, serials }).await?;
        Ok(Received { id, count: serials.len() })
    })
    .await
}

/// Gives blanks into the custody of a station.
#[utoipa::path(post, path = "/api/stock/custody", tag = "production", request_body = Custody,
    responses((status = 200, body = Given)))]
async fn give_custody(
    State(app): State<App>,
    officer: Officer,
    Write { stamp, body }: Write<Custody>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        steps::give_custody(tx, &app, &officer, &body.serials, &body.station_id).await?;
        Ok(Given { station_id: body.station_id, count: body.serials.len() })
    })
    .await
}

/// A chip of the ledger.
#[utoipa::path(get, path = "/api/stock/{serial}", tag = "production", responses((status = 200, body = ChipView)))]
async fn read(State(app): State<App>, officer: Officer, Path(serial): Path<String>) -> Read<ChipView> {
    let mut tx = app.begin_read().await?;
    Ok(Json(steps::read(&mut tx, &officer, &known(&serial)?).await?.into()))
}

/// Writes a chip off.
#[utoipa::path(post, path = "/api/stock/{serial}/write-off", tag = "production", request_body = WriteOff,
    responses((status = 200, body = ChipView)))]
async fn write_off(
    State(app): State<App>,
    officer: Officer,
    Path(serial): Path<String>,
    Write { stamp, body }: Write<WriteOff>,
) -> Result<Answer, Problem> {
    let serial = known(&serial)?;
    app.write(&officer, stamp, async |tx| {
        let chip = steps::write_off(tx, &app, &officer, &serial, &body.reason, &body.witness).await?;
        Ok(ChipView::from(chip))
    })
    .await
}

/// A station gives a chip up.
#[utoipa::path(post, path = "/api/station/chips/{serial}/spoiled", tag = "production", request_body = Spoiled,
    responses((status = 200, body = ChipView)))]
async fn spoil(
    State(app): State<App>,
    station: Station,
    Path(serial): Path<String>,
    Write { stamp, body }: Write<Spoiled>,
) -> Result<Answer, Problem> {
    let serial = known(&serial)?;
    app.write(&station, stamp, async |tx| {
        let chip = steps::spoil(tx, &app, &station, &serial, &body.reason, &body.evidence).await?;
        Ok(ChipView::from(chip))
    })
    .await
}

/// An order that initialises a blank.
#[utoipa::path(post, path = "/api/station/intake/orders", tag = "production", request_body = Presented,
    responses((status = 200, body = IntakeOrder)))]
async fn order_intake(
    State(app): State<App>,
    station: Station,
    Write { stamp, body }: Write<Presented>,
) -> Result<Answer, Problem> {
    app.write(&station, stamp, async |tx| {
        Ok(IntakeOrder { order: intake::order(tx, &app, &station, &body.presentation).await? })
    })
    .await
}

/// What a blank answered.
#[utoipa::path(post, path = "/api/station/intake/receipts", tag = "production", request_body = IntakeReceipt,
    responses((status = 200, body = OutcomeView)))]
async fn receive_intake(
    State(app): State<App>,
    station: Station,
    Write { stamp, body }: Write<IntakeReceipt>,
) -> Result<Answer, Problem> {
    let answer = app
        .write(&station, stamp, async |tx| Ok(intake::receipt(tx, &app, &station, &body.receipt).await?.into_view()))
        .await;
    steps::remember_refusal(&app, &station, &body.receipt.order, answer).await
}

/// An order that personalizes an initialised chip, or asks for its report.
#[utoipa::path(post, path = "/api/station/personalization/orders", tag = "production", request_body = Presented,
    responses((status = 200, body = PersonalizationOrder)))]
async fn order_personalization(
    State(app): State<App>,
    station: Station,
    Write { stamp, body }: Write<Presented>,
) -> Result<Answer, Problem> {
    if let Some(answer) = app.answered(&station, &stamp).await? {
        return Ok(answer);
    }
    personalization::prepare(&app, &station, &body.presentation).await?;
    app.write(&station, stamp, async |tx| {
        let ordered = personalization::order(tx, &app, &station, &body.presentation).await?;
        let read_back = ReadBack { can: ordered.can.to_string(), challenge: hex::encode(ordered.challenge) };
        Ok(PersonalizationOrder { order: ordered.order, read_back, application_id: ordered.application })
    })
    .await
}

/// What a chip answered, and its signature.
#[utoipa::path(post, path = "/api/station/personalization/receipts", tag = "production",
    request_body = PersonalizationReceipt, responses((status = 200, body = OutcomeView)))]
async fn receive_personalization(
    State(app): State<App>,
    station: Station,
    Write { stamp, body }: Write<PersonalizationReceipt>,
) -> Result<Answer, Problem> {
    let proof = body.active_authentication.as_ref();
    let proof = proof.map(|proof| Proof { challenge: &proof.challenge, signature: &proof.signature });
    let answer = app
        .write(&station, stamp, async |tx| {
            Ok(personalization::receipt(tx, &app, &station, &body.receipt, proof).await?.into_view())
        })
        .await;
    steps::remember_refusal(&app, &station, &body.receipt.order, answer).await
}

impl IntakeOutcome {
    fn into_view(self) -> OutcomeView {
        match self {
            Self::Incomplete => OutcomeView { outcome: "incomplete", card_id: None, next: Some("present") },
            Self::Initialised => OutcomeView { outcome: "initialised", card_id: None, next: None },
        }
    }
}

impl PersonalizationOutcome {
    fn into_view(self) -> OutcomeView {
        match self {
            Self::Incomplete { next } => OutcomeView { outcome: "incomplete", card_id: None, next: Some(next) },
            Self::Personalized { card } => OutcomeView { outcome: "personalized", card_id: Some(card), next: None },
        }
    }
}

/// A path that holds no serial names no chip.
fn known(serial: &str) -> Result<CardSerial, ProductionError> {
    serial.parse().map_err(|_| ProductionError::ChipUnknown)
}
