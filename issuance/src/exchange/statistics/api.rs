//! Statistics, over HTTP.

use std::collections::BTreeMap;

use axum::extract::{FromRef, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::Counting;
use crate::exchange::api::signed;
use crate::exchange::ask::Asked;
use crate::exchange::model::{Dimension, Service};
use crate::exchange::oauth::Asking;
use crate::exchange::subject::Subject;
use crate::exchange::{Exchange, ExchangeError};
use crate::ground::ids::RequestId;
use crate::ground::moment;
use crate::ground::text::{Login, SomeWords};
use crate::web::{Desk, Digested, Problem, Right, Routes};

/// The routes of this file.
pub(in crate::exchange) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new().add(Right::Partner, routes!(statistics))
}

/// What is to be counted. Purpose, case and officer are always named.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"request": "tk-2026-q4-1", "purpose": "official-statistics", "case": "KH-2026-11",
    "officer": "nguyen.van.thu", "unit": "Cục Thống kê thử nghiệm", "crossed": ["province", "age_group", "sex"],
    "only": {"province": ["001", "003"]}}))]
struct StatisticsQuestion {
    /// The partner's identifier of the request, unique for the partner: asked again under it with the same content, the
    /// same answer comes.
    #[schema(value_type = String)]
    request: SomeWords<100>,
    /// Code of the purpose, as in the agreement.
    #[schema(value_type = String)]
    purpose: SomeWords<40>,
    /// Number of the case at the partner.
    #[schema(value_type = String)]
    case: SomeWords<100>,
    /// The partner's officer who asks.
    #[schema(value_type = String)]
    officer: Login,
    /// The officer's unit.
    #[schema(value_type = String)]
    unit: SomeWords<200>,
    /// When it was asked, by the partner's clock (RFC 3339).
    #[serde(default, deserialize_with = "moment::option::deserialize")]
    #[schema(nullable = false)]
    asked_at: Option<OffsetDateTime>,
    /// By what persons are counted: a place, at most two others, and `life`. None: one number for all.
    #[serde(default)]
    crossed: Vec<Dimension>,
    /// Of a dimension, only these values, at most 100; it is crossed too.
    #[serde(default)]
    #[schema(value_type = Object)]
    only: BTreeMap<Dimension, Vec<SomeWords<20>>>,
    /// The first day of the quarter of a state, `yyyy-MM-dd`; without it, the newest state.
    #[serde(default)]
    #[schema(value_type = String, nullable = false)]
    day: Option<SomeWords<10>>,
}

/// Signed counts: the header `x-jws-signature` holds the detached JWS over the bytes.
#[derive(Serialize, ToSchema)]
struct StatisticsView {
    /// The partner's identifier of the request.
    request: String,
    /// SHA-256 of the question's body, hexadecimal.
    request_sha256: String,
    /// The register's identifier of the answer.
    answer: RequestId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    /// Number of the agreement.
    agreement: String,
    /// Code of the purpose.
    purpose: String,
    /// `statistics`.
    service: Service,
    /// `counted`.
    outcome: String,
    /// The first day of the quarter whose state it is: ages are those of this day.
    day: String,
    /// The register was counted from this moment …
    #[serde(with = "time::serde::rfc3339")]
    counted_from: OffsetDateTime,
    /// … to this one.
    #[serde(with = "time::serde::rfc3339")]
    counted_until: OffsetDateTime,
    /// By what it is counted.
    crossed: Vec<Dimension>,
    /// The standard deviation of the error that each count has, in persons. Counts do not add up exactly.
    noise: i64,
    /// The least number that is told. A cell that is not there has fewer persons with its error, or none.
    least: i64,
    /// The cells: a value for each dimension, null where the register has none, and `persons`.
    #[schema(value_type = Vec<Object>)]
    cells: Vec<serde_json::Value>,
}

/// How many persons there are, by what the agreement allows to be counted by. Nothing of a person is told: each count
/// has an error, and a small one is not told.
#[utoipa::path(post, path = "/api/v1/exchange/statistics", tag = "exchange", request_body = StatisticsQuestion,
    responses((status = 200, body = StatisticsView)))]
async fn statistics(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    Digested { sha256, body }: Digested<StatisticsQuestion>,
) -> Result<Response, Problem> {
    let partner = asking.of(Service::Statistics)?;
    let text = |words: &str| words.to_owned();
    let day = body.day.map(|day| Date::parse(day.as_str(), &Iso8601::DATE)).transpose();
    let day = day.map_err(|_| ExchangeError::RequestUnfit("day: a day as yyyy-MM-dd".to_owned()))?;
    let values = |words: Vec<SomeWords<20>>| words.iter().map(|value| text(value.as_str())).collect();
    let counting = Counting {
        crossed: body.crossed.into_iter().collect(),
        only: body.only.into_iter().map(|(dimension, words)| (dimension, values(words))).collect(),
        day,
    };
    let asked = Asked {
        request: text(body.request.as_str()),
        request_sha256: sha256,
        purpose: text(body.purpose.as_str()),
        case: text(body.case.as_str()),
        officer: text(body.officer.as_str()),
        unit: text(body.unit.as_str()),
        asked_at: body.asked_at,
        service: Service::Statistics,
        fields: None,
        subject: Subject::default(),
    };
    Ok(signed(super::count(desk.deeds(), &exchange, &partner, &asked, &counting).await?))
}
