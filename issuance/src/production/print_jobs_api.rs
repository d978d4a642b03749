//! The check of a card's body, over HTTP.

use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::print_jobs::{self, Body, BodyVerdict};
use super::{Production, ProductionError};
use crate::ground::ids::{ApplicationId, CardId};
use crate::ground::text::Words;
use crate::ground::{Officer, Permission};
use crate::web::{Answered, Desk, Named, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Production: FromRef<S>,
{
    Routes::new().add(Right::Officer(Permission::Stock), routes!(check_body))
}

/// What was read from the body of a card.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BodyRead {
    /// The three lines of the machine-readable zone.
    #[schema(value_type = String, max_length = 120)]
    mrz: Words<120>,
    /// The text of the square code.
    #[schema(value_type = String, max_length = 800)]
    qr: Words<800>,
    /// The serial that the chip in this body told a reader; without one, no chip was asked.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[0-9A-F]{20}$")]
    serial: Option<CardSerial>,
}

/// What came of the check.
#[derive(Debug, Serialize, ToSchema)]
struct BodyChecked {
    /// The card.
    card_id: CardId,
    /// True if the body carries what the chip holds.
    matches: bool,
    /// What was found.
    verdict: BodyVerdict,
    /// Where another card of the house lies there: the serial of its chip.
    #[schema(value_type = Option<String>)]
    other_serial: Option<CardSerial>,
}

/// Compares what was read from the body of a finished card with its chip. By another officer than those who approved
/// the application or released its batch. A body that differs is doubted, and the card goes nowhere, until another
/// officer has read it; only if that reading differs too are both spoiled, and the application waits for another chip.
#[utoipa::path(post, path = "/api/v1/production/{id}/body-check", tag = "production", request_body = BodyRead,
    responses((status = 200, body = BodyChecked)))]
async fn check_body(
    State(desk): State<Desk>,
    State(production): State<Production>,
    officer: Officer,
    Named(application): Named<ApplicationId>,
    Write { stamp, body }: Write<BodyRead>,
) -> Answered {
    let read = Body { mrz: body.mrz.as_str(), qr: body.qr.as_str(), chip: body.serial };
    desk.write(officer, stamp, async |deed| {
        let checked = print_jobs::check_body(deed, &production, application, read).await?;
        Ok::<_, ProductionError>(BodyChecked {
            card_id: checked.card,
            matches: checked.matches(),
            verdict: checked.verdict,
            other_serial: checked.other,
        })
    })
    .await
}
