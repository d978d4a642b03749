//! Lists, over HTTP, for systems of partners.

use axum::Json;
use axum::extract::{FromRef, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{Opening, STRETCH};
use crate::exchange::api::signed;
use crate::exchange::model::{Field, Service};
use crate::exchange::oauth::Asking;
use crate::exchange::subject::Subject;
use crate::exchange::{Exchange, ExchangeError};
use crate::ground::actor::Partner;
use crate::ground::ids::{ListId, RequestId};
use crate::ground::text::{Login, SomeWords};
use crate::web::{Desk, Digested, Named, Problem, Right, Routes};

/// The routes of this file.
pub(in crate::exchange) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new()
        .add(Right::Partner, routes!(open_list))
        .add(Right::Partner, routes!(read_list))
        .add(Right::Partner, routes!(answer_stretch))
}

/// A list that is opened: two of the partner's officers are named.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"request": "ds-2026-11", "purpose": "tax-number", "case": "KH-2026-11",
    "officer": "nguyen.van.thu", "second_officer": "tran.thi.duyet", "unit": "Cục Thuế thử nghiệm", "lines": 250_000}))]
struct NewList {
    /// The partner's identifier of the request, unique for the partner: the same content opens the same list.
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
    /// The partner's officer who agreed to the list: another one.
    #[schema(value_type = String)]
    second_officer: Login,
    /// Their unit: the citizen is told of it.
    #[schema(value_type = String)]
    unit: SomeWords<200>,
    /// So many lines, at most 1,000,000.
    lines: u32,
}

/// A list, and how far it is.
#[derive(Serialize, ToSchema)]
struct ListView {
    /// Identifier.
    list: ListId,
    /// Code of the purpose.
    purpose: String,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    opened_at: OffsetDateTime,
    /// So many lines were announced.
    announced: i64,
    /// So many were answered.
    answered: i64,
    /// So many of them were confirmed.
    confirmed: i64,
    /// The numbers of the stretches that were answered.
    stretches: Vec<i64>,
    /// A stretch has at most so many lines.
    most_lines: usize,
}

/// A stretch of a list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StretchBody {
    /// Its number, from 1 on, in any order: sent again with the same lines, it has the same answer.
    number: u32,
    /// At most a thousand: each names a person by number, with full name and date of birth.
    lines: Vec<Subject>,
}

/// What a stretch is answered, line for line. The header `x-jws-signature` holds the detached JWS over the bytes.
#[derive(Serialize, ToSchema)]
struct StretchView {
    /// The list.
    list: ListId,
    /// Number of the stretch.
    stretch: u32,
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
    /// `confirm-list`.
    service: Service,
    /// In the order of the lines.
    lines: Vec<LineView>,
}

/// What a line is answered.
#[derive(Serialize, ToSchema)]
struct LineView {
    /// `confirmed`, `not-confirmed`, or `unfit` for a line that names no person.
    outcome: String,
    /// Where the agreement says so: the fields that are not so.
    #[schema(nullable = false)]
    differs: Option<Vec<Field>>,
    /// What an unfit line lacks.
    #[schema(nullable = false)]
    why: Option<String>,
}

async fn view(desk: &Desk, partner: Partner, id: ListId) -> Result<Json<ListView>, ExchangeError> {
    let (list, stretches) = super::state(desk.deeds(), partner, id).await?;
    Ok(Json(ListView {
        list: list.id,
        purpose: list.purpose,
        opened_at: list.at,
        announced: list.announced,
        answered: stretches.iter().map(|stretch| stretch.lines).sum(),
        confirmed: stretches.iter().map(|stretch| stretch.confirmed).sum(),
        stretches: stretches.iter().map(|stretch| stretch.number).collect(),
        most_lines: STRETCH,
    }))
}

/// Opens a list of persons to be confirmed, in stretches. It takes two officers of the partner.
#[utoipa::path(post, path = "/api/v1/exchange/lists", tag = "exchange", request_body = NewList,
    responses((status = 200, body = ListView)))]
async fn open_list(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    Digested { sha256, body }: Digested<NewList>,
) -> Result<Json<ListView>, Problem> {
    let partner = asking.of(Service::ConfirmList)?;
    let text = |words: &str| words.to_owned();
    let opening = Opening {
        request: text(body.request.as_str()),
        request_sha256: sha256,
        purpose: text(body.purpose.as_str()),
        case: text(body.case.as_str()),
        officer: body.officer,
        second_officer: body.second_officer,
        unit: text(body.unit.as_str()),
        lines: body.lines,
    };
    let list = super::open(desk.deeds(), &exchange, partner.clone(), opening).await?;
    Ok(view(&desk, partner, list.id).await?)
}

/// How far a list is: what a programme reads that goes on after a cut.
#[utoipa::path(get, path = "/api/v1/exchange/lists/{id}", tag = "exchange", params(("id" = String, Path)),
    responses((status = 200, body = ListView)))]
async fn read_list(
    State(desk): State<Desk>,
    asking: Asking,
    Named(id): Named<ListId>,
) -> Result<Json<ListView>, Problem> {
    let partner = asking.of(Service::ConfirmList)?;
    Ok(view(&desk, partner, id).await?)
}

/// Answers a stretch of a list. No data of a person is told.
#[utoipa::path(post, path = "/api/v1/exchange/lists/{id}/stretches", tag = "exchange", params(("id" = String, Path)),
    request_body = StretchBody, responses((status = 200, body = StretchView)))]
async fn answer_stretch(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    Named(id): Named<ListId>,
    Digested { sha256, body }: Digested<StretchBody>,
) -> Result<Response, Problem> {
    let partner = asking.of(Service::ConfirmList)?;
    let stretch = (body.number, sha256, body.lines);
    Ok(signed(super::answer(desk.deeds(), &exchange, &partner, id, stretch).await?))
}
