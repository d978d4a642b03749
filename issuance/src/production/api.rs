//! Stock and stations over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use crypto::perso::problem::ProblemCode;
use crypto::perso::protocol::{
    IntakeOrder, IntakeReceipt, Next, Outcome, PersonalizationOrder, PersonalizationReceipt, Presented, PresentedFor,
    ReadBack, Spoiled,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::intake::{self, IntakeOutcome};
use super::model::{Chip, ChipStateName};
use super::personalization::{self, PersonalizationOutcome, Proof, Wish};
use super::steps::{self, Delivery};
use super::{
    Production, ProductionError, batches_api, boxes_api, card_batches_api, cases_api, dissolutions_api, ends_api,
    findings, ledger_api, lists, print_jobs_api, recalls_api, wire, withdrawal,
};
use crate::applications::ApplicationView;
use crate::applications::model::Slip;
use crate::ground::ids::{ApplicationId, CardBatchId, CaseId, DeliveryId, OfficerId, StationId};
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::ground::{OfficeCode, Officer, Permission, Station};
use crate::web::{Answered, Desk, Looked, Named, Nothing, Problem, Right, Routes, Write};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Production: FromRef<S>,
{
    let keeps_stock = Right::Officer(Permission::Stock);
    Routes::new()
        .add(keeps_stock, routes!(deliver))
        .add(keeps_stock, routes!(give_custody))
        .add(Right::Officer(Permission::ReadStock), routes!(read))
        .add(keeps_stock, routes!(write_off))
        .add(Right::SignedIn, routes!(read_write_off))
        .add(Right::SignedIn, routes!(confirm_write_off))
        .add(Right::Officer(Permission::Apply), routes!(cancel))
        .add(keeps_stock, routes!(give_up))
        .add(Right::Station, routes!(order_intake))
        .add(Right::Station, routes!(receive_intake))
        .add(Right::Station, routes!(order_personalization))
        .add(Right::Station, routes!(receive_personalization))
        .add(Right::Station, routes!(spoil))
        .merge(batches_api::routes())
        .merge(boxes_api::routes())
        .merge(card_batches_api::routes())
        .merge(cases_api::routes())
        .merge(dissolutions_api::routes())
        .merge(ends_api::routes())
        .merge(findings::routes())
        .merge(ledger_api::routes())
        .merge(lists::routes())
        .merge(print_jobs_api::routes())
        .merge(recalls_api::routes())
}

/// A delivery note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeliveryNote {
    /// Who made the chips.
    #[schema(value_type = String)]
    manufacturer: Words<100>,
    /// The manufacturer's batch.
    #[schema(value_type = String)]
    batch: Words<100>,
    /// Under which transport master key they come.
    #[schema(value_type = String)]
    transport_key_id: Words<64>,
    /// The software on the chips, as the manufacturer names it: chips can be recalled by it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    firmware: Option<Words<100>>,
    /// All serials, 20 hexadecimal digits each; at most 10,000.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
}

/// The delivery is in the ledger.
#[derive(Debug, Serialize, ToSchema)]
struct Received {
    /// Its id.
    id: DeliveryId,
    /// How many blanks.
    count: usize,
}

/// Blanks for a station.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Custody {
    /// Their serials, 20 hexadecimal digits each; at most 1,000.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
    /// The station that gets them.
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
pub(super) struct ChipView {
    /// Its serial.
    #[schema(value_type = String, pattern = "^[0-9A-F]{20}$")]
    serial: CardSerial,
    /// What it is.
    #[schema(value_type = ChipStateName)]
    state: &'static str,
    /// The delivery that it came with.
    delivery_id: DeliveryId,
    /// The office that has it.
    office: OfficeCode,
    /// The station that holds it.
    station_id: Option<StationId>,
    /// The application that it is or was bound to.
    application_id: Option<ApplicationId>,
    /// The officer whose confirmation a write-off waits for.
    awaits_witness: Option<OfficerId>,
    /// The case that waits for another officer; in the answer to the finding of a lost chip.
    case_id: Option<CaseId>,
}

impl ChipView {
    fn awaiting(self, witness: Option<OfficerId>) -> Self {
        Self { awaits_witness: witness, ..self }
    }

    pub(super) fn about(self, case: CaseId) -> Self {
        Self { case_id: Some(case), ..self }
    }
}

impl From<Chip> for ChipView {
    fn from(chip: Chip) -> Self {
        Self {
            serial: chip.serial,
            state: chip.state.name(),
            delivery_id: chip.delivery,
            office: chip.office,
            station_id: chip.custody,
            application_id: chip.state.application(),
            awaits_witness: None,
            case_id: None,
        }
    }
}

/// Why a chip is written off, and the witness.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WriteOff {
    /// What happened.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
    /// Identifier of the officer who saw it: another one in service of the chip's office.
    witness: OfficerId,
}

/// A write-off that waits for its witness, as the witness reads it.
#[derive(Debug, Serialize, ToSchema)]
struct WriteOffView {
    /// The chip.
    #[schema(value_type = String, pattern = "^[0-9A-F]{20}$")]
    serial: CardSerial,
    /// What it is.
    #[schema(value_type = ChipStateName)]
    state: &'static str,
    /// The office that has it.
    office: OfficeCode,
    /// Why it is to be written off: what the witness confirms.
    reason: String,
    /// The officer who proposes it.
    proposed_by: OfficerId,
    /// The moment of the proposal.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
    /// Until when it can be confirmed.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
}

/// What the witness of a write-off saw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Witnessed {
    /// The reason, as it was proposed.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// Why an application ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CancellationReason {
    /// In words that the citizen will read, at most 400 characters.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// Enters a delivery of blanks.
#[utoipa::path(post, path = "/api/v1/stock/deliveries", tag = "production", request_body = DeliveryNote,
    responses((status = 201, body = Received, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn deliver(
    State(desk): State<Desk>,
    State(production): State<Production>,
    officer: Officer,
    Write { stamp, body }: Write<DeliveryNote>,
) -> Answered {
    let DeliveryNote { manufacturer, batch, transport_key_id, firmware, serials } = &body;
    let (manufacturer, batch) = (manufacturer.as_str(), batch.as_str());
    let firmware = firmware.as_ref().map(Words::as_str);
    let delivery = Delivery { manufacturer, batch, transport_key_id: transport_key_id.as_str(), firmware, serials };
    desk.write(officer, stamp, async |deed| {
        steps::deliver(deed, &production, delivery).await.map(|id| Received { id, count: serials.len() })
    })
    .await
    .map(|made| made.created("/api/v1/stock?delivery_id=", "id"))
}

/// Gives blanks into the custody of a station of their office.
#[utoipa::path(post, path = "/api/v1/stock/custody", tag = "production", request_body = Custody,
    responses((status = 200, body = Given)))]
async fn give_custody(State(desk): State<Desk>, officer: Officer, Write { stamp, body }: Write<Custody>) -> Answered {
    let Custody { serials, station_id } = body;
    desk.write(officer, stamp, async |deed| {
        steps::give_custody(deed, &serials, station_id).await.map(|()| Given { station_id, count: serials.len() })
    })
    .await
}

/// A chip of the ledger.
#[utoipa::path(get, path = "/api/v1/stock/{serial}", tag = "production", responses((status = 200, body = ChipView)))]
async fn read(State(desk): State<Desk>, officer: Officer, Named(serial): Named<String>) -> Looked<ChipView> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let chip = steps::read(&mut tx, &officer, &known(&serial)?).await?;
    let now = desk.deeds().source().now();
    let witness = withdrawal::awaited_witness(&mut tx, &chip.serial, now).await?;
    Ok(Json(ChipView::from(chip).awaiting(witness)))
}

/// Proposes that a chip is written off: it is, once the witness confirms it.
#[utoipa::path(post, path = "/api/v1/stock/{serial}/write-off", tag = "production", request_body = WriteOff,
    responses((status = 200, body = ChipView)))]
async fn write_off(
    State(desk): State<Desk>,
    officer: Officer,
    Named(serial): Named<String>,
    Write { stamp, body }: Write<WriteOff>,
) -> Answered {
    let serial = known(&serial)?;
    desk.write(officer, stamp, async |deed| {
        let chip = withdrawal::write_off(deed, &serial, body.reason.as_str(), body.witness).await?;
        Ok::<_, ProductionError>(ChipView::from(chip).awaiting(Some(body.witness)))
    })
    .await
}

/// What a write-off says, for the witness whom it names, whatever the roles: the chip and the reason, and
/// nothing else of the stock.
#[utoipa::path(get, path = "/api/v1/stock/{serial}/write-off", tag = "production",
    responses((status = 200, body = WriteOffView)))]
async fn read_write_off(
    State(desk): State<Desk>,
    officer: Officer,
    Named(serial): Named<String>,
) -> Looked<WriteOffView> {
    let serial = known(&serial)?;
    let (mut tx, now) = (desk.deeds().db().begin_read().await?, desk.deeds().source().now());
    let (chip, write_off) = withdrawal::read_write_off(&mut tx, &officer, &serial, now).await?;
    Ok(Json(WriteOffView {
        serial: chip.serial,
        state: chip.state.name(),
        office: chip.office,
        reason: write_off.reason,
        proposed_by: write_off.proposed.by,
        proposed_at: write_off.proposed.at,
        until: write_off.until,
    }))
}

/// The witness whom a write-off names confirms it: the chip is written off. For that officer, whatever the roles, for a
/// week. The witness says the reason, as it was proposed.
#[utoipa::path(post, path = "/api/v1/stock/{serial}/write-off/confirmation", tag = "production",
    request_body = Witnessed,
    responses((status = 200, body = ChipView)))]
async fn confirm_write_off(
    State(desk): State<Desk>,
    officer: Officer,
    Named(serial): Named<String>,
    Write { stamp, body }: Write<Witnessed>,
) -> Answered {
    let serial = known(&serial)?;
    desk.write(officer, stamp, async |deed| {
        withdrawal::confirm_write_off(deed, &serial, body.reason.as_str()).await.map(ChipView::from)
    })
    .await
}

/// Ends an application before there is a card; its chip is written off with it.
#[utoipa::path(post, path = "/api/v1/applications/{id}/cancellation", tag = "production",
    request_body = CancellationReason, responses((status = 200, body = ApplicationView)))]
async fn cancel(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<CancellationReason>,
) -> Answered {
    desk.write(officer.clone(), stamp, async |deed| {
        let application = withdrawal::cancel(deed, id, body.reason.as_str()).await?;
        Ok::<_, ProductionError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// Ends an application whose card was not fetched while it was kept: the card is revoked and its chip spoiled, to be
/// destroyed before two witnesses.
#[utoipa::path(post, path = "/api/v1/applications/{id}/giving-up", tag = "production", request_body = Nothing,
    responses((status = 200, body = ApplicationView)))]
async fn give_up(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer.clone(), stamp, async |deed| {
        let application = withdrawal::give_up(deed, id).await?;
        Ok::<_, ProductionError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// A station gives a chip up.
#[utoipa::path(post, path = "/api/v1/station/chips/{serial}/spoiled", tag = "production", request_body = wire::Spoiled,
    responses((status = 200, body = ChipView)))]
async fn spoil(
    State(desk): State<Desk>,
    station: Station,
    Named(serial): Named<String>,
    Write { stamp, body }: Write<Spoiled>,
) -> Answered {
    let serial = known(&serial)?;
    // Cut, not refused: a station that cannot tell of a spoiled chip would never be rid of it.
    let [reason, evidence] = [&body.reason, &body.evidence].map(|text| shortened(text));
    desk.write(station, stamp, async |deed| {
        withdrawal::spoil(deed, &serial, &reason, &evidence).await.map(ChipView::from)
    })
    .await
}

/// An order that initialises a blank.
#[utoipa::path(post, path = "/api/v1/station/intake/orders", tag = "production", request_body = wire::Presented,
    responses((status = 200, body = wire::IntakeOrder)))]
async fn order_intake(
    State(desk): State<Desk>,
    State(production): State<Production>,
    station: Station,
    Write { stamp, body }: Write<Presented>,
) -> Answered {
    desk.write(station, stamp, async |deed| {
        intake::order(deed, &production, &body.presentation).await.map(|order| IntakeOrder { order })
    })
    .await
}

/// What a blank answered.
#[utoipa::path(post, path = "/api/v1/station/intake/receipts", tag = "production", request_body = wire::IntakeReceipt,
    responses((status = 200, body = wire::Outcome)))]
async fn receive_intake(
    State(desk): State<Desk>,
    State(production): State<Production>,
    station: Station,
    Write { stamp, body }: Write<IntakeReceipt>,
) -> Answered {
    let answer = desk
        .write(station.clone(), stamp, async |deed| {
            intake::receipt(deed, &production, &body.receipt).await.map(Outcome::from)
        })
        .await;
    refused_receipt(&desk, station, &body.receipt.order, answer).await
}

/// An order that personalizes an initialised chip, or asks for its report: for the application with this slip, or for
/// the one that waits longest.
#[utoipa::path(post, path = "/api/v1/station/personalization/orders", tag = "production", request_body = wire::PresentedFor,
    responses((status = 200, body = wire::PersonalizationOrder)))]
async fn order_personalization(
    State(desk): State<Desk>,
    State(production): State<Production>,
    station: Station,
    Write { stamp, body }: Write<PresentedFor>,
) -> Answered {
    if let Some(answer) = desk.answered(&station, &stamp).await? {
        return Ok(answer);
    }
    let slip = body.slip.as_deref().map(Slip::typed);
    let batch =
        body.batch.as_deref().map(|id| id.parse::<CardBatchId>().map_err(|_| ProductionError::CardBatchUnknown));
    let wish = match (&slip, batch.transpose()?) {
        (Some(_), Some(_)) => return Err(Problem::new(ProblemCode::BodyInvalid).detail("either `slip` or `batch`")),
        (Some(slip), None) => Wish::Slip(slip),
        (None, Some(batch)) => Wish::Batch(batch),
        (None, None) => Wish::Next,
    };
    let given = personalization::prepare(desk.deeds(), &production, &station, &body.presentation, wish).await?;
    let fence = given.or(body.fence);
    desk.write(station, stamp, async |deed| {
        let ordered = personalization::order(deed, &production, &body.presentation, fence).await?;
        let read_back = ReadBack { can: ordered.can.to_string(), challenge: ordered.challenge };
        Ok::<_, ProductionError>(PersonalizationOrder {
            order: ordered.order,
            read_back,
            slip: ordered.slip.0,
            voucher: ordered.voucher,
            lease: ordered.lease.map(card_batches_api::lease),
        })
    })
    .await
}

/// What a chip answered, and its signature.
#[utoipa::path(post, path = "/api/v1/station/personalization/receipts", tag = "production", request_body = wire::PersonalizationReceipt,
    responses((status = 200, body = wire::Outcome)))]
async fn receive_personalization(
    State(desk): State<Desk>,
    State(production): State<Production>,
    station: Station,
    Write { stamp, body }: Write<PersonalizationReceipt>,
) -> Answered {
    let proof = body.active_authentication.as_ref();
    let proof = proof.map(|proof| Proof { challenge: &proof.challenge, signature: &proof.signature });
    let answer = desk
        .write(station.clone(), stamp, async |deed| {
            personalization::receipt(deed, &production, &body.receipt, proof).await.map(Outcome::from)
        })
        .await;
    refused_receipt(&desk, station, &body.receipt.order, answer).await
}

/// Audits a refused receipt, if it names an order.
async fn refused_receipt(desk: &Desk, station: Station, order: &str, answer: Answered) -> Answered {
    if let (Err(problem), Ok(order)) = (&answer, order.parse()) {
        steps::record_refused_receipt(desk.deeds(), station, order, problem.code()).await?;
    }
    answer
}

impl From<IntakeOutcome> for Outcome {
    fn from(outcome: IntakeOutcome) -> Self {
        match outcome {
            IntakeOutcome::Incomplete => Self::Incomplete { next: Next::Present },
            IntakeOutcome::Initialised => Self::Initialised,
        }
    }
}

impl From<PersonalizationOutcome> for Outcome {
    fn from(outcome: PersonalizationOutcome) -> Self {
        match outcome {
            PersonalizationOutcome::Incomplete { next } => Self::Incomplete { next },
            PersonalizationOutcome::Personalized { card } => Self::Personalized { card_id: card.to_string() },
        }
    }
}

/// The beginning of a station's text, as long as a person's may be.
fn shortened(text: &str) -> String {
    text.chars().take(MOST_OF_REASON).collect()
}

/// A path that holds no serial names no chip.
pub(super) fn known(serial: &str) -> Result<CardSerial, Problem> {
    serial.parse().map_err(|_| ProductionError::ChipUnknown.into())
}
