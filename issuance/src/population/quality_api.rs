//! The four figures over HTTP, as data for a page.

use axum::Json;
use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::Register;
use super::campaign::{self, CampaignView};
use super::quality::{self, Figures, Level, Within};
use crate::web::{Desk, Looked, Parameters, Right, Routes};

/// The routes of figures: nothing in them is about one person.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Register: FromRef<S>,
{
    Routes::new().add(Right::SignedIn, routes!(read_quality)).add(Right::SignedIn, routes!(read_campaign))
}

/// What figures are wanted.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
struct FiguresWanted {
    /// `country`, `province`, `district` or `commune`; provinces if not given.
    #[param(value_type = Option<Level>)]
    level: Level,
    /// Only within a province (`001`) or a district (`001/004`).
    #[param(value_type = Option<String>)]
    of: Within,
}

/// The four figures of the units of a level.
#[derive(Debug, Serialize, ToSchema)]
struct QualityView {
    /// The level.
    level: Level,
    /// Within this province or district; empty for the whole register.
    of: String,
    /// Months for which a record counts as living.
    living_months: u32,
    /// The units in which there are persons, by place.
    items: Vec<Figures>,
}

/// Reads how many persons are right, enough, clean and living.
#[utoipa::path(get, path = "/api/v1/quality", tag = "population", params(FiguresWanted),
    responses((status = 200, body = QualityView)))]
async fn read_quality(
    State(desk): State<Desk>,
    State(register): State<Register>,
    Parameters(wanted): Parameters<FiguresWanted>,
) -> Looked<QualityView> {
    let within = wanted.of;
    let (today, term) = (desk.deeds().source().clock().today(), register.living_months());
    let mut tx = desk.deeds().db().begin_read().await?;
    let items = quality::figures(&mut tx, register.reference(), (wanted.level, &within), (today, term)).await?;
    Ok(Json(QualityView { level: wanted.level, of: within.as_str().to_owned(), living_months: term, items }))
}

/// Reads how far the campaign is that fills the register: forms expected, collected, entered, verified and in
/// quarantine, who is behind the plan, and when each will be done at the present rate.
#[utoipa::path(get, path = "/api/v1/campaign", tag = "population", params(FiguresWanted),
    responses((status = 200, body = CampaignView)))]
async fn read_campaign(
    State(desk): State<Desk>,
    State(register): State<Register>,
    Parameters(wanted): Parameters<FiguresWanted>,
) -> Looked<CampaignView> {
    let today = desk.deeds().source().clock().today();
    let mut tx = desk.deeds().db().begin_read().await?;
    Ok(Json(campaign::campaign(&mut tx, register.reference(), wanted.level, &wanted.of, today).await?))
}
