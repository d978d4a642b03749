//! What partners ask, over HTTP.

use axum::extract::{FromRef, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::ask::{self, Answered, Asked};
use super::model::{Agreement, Field, Grant, Service};
use super::oauth::Asking;
use super::signing::AnswerKeys;
use super::subject::Subject;
use super::{
    Exchange, ExchangeError, agreements_api, emergencies_api, feed, incoming, lists, looks_api, notifications,
    statistics,
};
use crate::deed::{Action, Object, Purpose};
use crate::ground::actor::Partner;
use crate::ground::moment;
use crate::ground::text::{Login, SomeWords};
use crate::web::{Desk, Digested, Looked, Problem, Right, Routes};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new()
        .add(Right::Anyone, routes!(keys))
        .add(Right::Partner, routes!(own_agreements))
        .add(Right::Partner, routes!(confirm))
        .add(Right::Partner, routes!(look_up))
        .add(Right::Partner, routes!(household))
        .add(Right::Partner, routes!(kinship))
        .add(Right::Partner, routes!(card_status))
        .add(Right::Partner, routes!(follow))
        .merge(feed::api::routes())
        .merge(lists::api::routes())
        .merge(statistics::api::routes())
        .merge(agreements_api::routes())
        .merge(looks_api::routes())
        .merge(emergencies_api::routes())
        .merge(incoming::routes())
        .merge(notifications::addresses_api::routes())
}

/// A question. Purpose, case and officer are always named.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"request": "0f5e2c1a-1", "purpose": "tax-number", "case": "HS-2026-000123",
    "officer": "nguyen.van.thu", "unit": "Chi cục Thuế thử nghiệm",
    "subject": {"personal_number": "000190000017", "full_name": "Nguyễn Thị Mẫu", "birth_date": "17/05/1990"}}))]
struct Question {
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
    /// The partner's officer who asks: the name of an account of a person, letters of the Vietnamese alphabet, digits
    /// and `.`, `-`, `_`, `@`.
    #[schema(value_type = String)]
    officer: Login,
    /// The officer's unit: the citizen is told of it.
    #[schema(value_type = String)]
    unit: SomeWords<200>,
    /// When it was asked, by the partner's clock (RFC 3339).
    #[serde(default, deserialize_with = "moment::option::deserialize")]
    #[schema(nullable = false)]
    asked_at: Option<OffsetDateTime>,
    /// The fields that are wanted; without it, all of the agreement. Not for a confirmation.
    #[serde(default)]
    #[schema(nullable = false)]
    fields: Option<Vec<Field>>,
    /// Whom it is about.
    subject: Subject,
}

/// A signed answer: the header `x-jws-signature` holds the detached JWS over its bytes.
#[derive(Serialize, ToSchema)]
struct AnswerView {
    /// The partner's identifier of the request.
    request: String,
    /// SHA-256 of the question's body, hexadecimal.
    request_sha256: String,
    /// The register's identifier of the answer.
    answer: crate::ground::ids::RequestId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    /// Number of the agreement.
    agreement: String,
    /// Code of the purpose.
    purpose: String,
    /// The service.
    service: Service,
    /// `confirmed`, `not-confirmed`, `found` or `not-found`.
    outcome: String,
    /// Of a confirmation where the agreement says so: the fields that are not so.
    #[schema(nullable = false)]
    differs: Option<Vec<Field>>,
    /// The partner's own name for the person.
    #[schema(nullable = false)]
    pseudonym: Option<String>,
    /// The fields of the agreement, null where the register has nothing.
    #[schema(nullable = false, value_type = Option<Object>)]
    record: Option<serde_json::Value>,
    /// The persons of the household, each as a record.
    #[schema(nullable = false, value_type = Option<Vec<Object>>)]
    members: Option<serde_json::Value>,
    /// The relatives.
    #[schema(nullable = false)]
    relatives: Option<Vec<RelativeView>>,
}

/// A relative, as far as the agreement goes.
#[derive(Serialize, ToSchema)]
struct RelativeView {
    /// What the relative is to the person: `father`, `mother`, `representative` or `spouse`.
    relation: Field,
    /// The fields of the agreement.
    #[schema(value_type = Object)]
    record: serde_json::Value,
}

async fn asked(
    desk: &Desk,
    exchange: &Exchange,
    partner: Partner,
    service: Service,
    Digested { sha256, body }: Digested<Question>,
) -> Result<Response, Problem> {
    let Question { request, purpose, case, officer, unit, asked_at, fields, subject } = body;
    let text = |words: &str| words.to_owned();
    let question = Asked {
        request: text(request.as_str()),
        request_sha256: sha256,
        purpose: text(purpose.as_str()),
        case: text(case.as_str()),
        officer: text(officer.as_str()),
        unit: text(unit.as_str()),
        asked_at,
        service,
        fields,
        subject,
    };
    Ok(signed(ask::ask(desk.deeds(), exchange, partner, question).await?))
}

/// The answer, with its signature beside it.
pub(crate) fn signed(answered: Answered) -> Response {
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
        (header::CACHE_CONTROL.as_str(), "no-store".to_owned()),
        (SIGNATURE, answered.signature),
    ];
    (headers, answered.body).into_response()
}

/// The header of the detached signature.
pub(super) const SIGNATURE: &str = "x-jws-signature";

/// Whether particulars belong together. No data of the person is told: the answer is the same where no person has the
/// number and where the particulars are another's.
#[utoipa::path(post, path = "/api/v1/exchange/confirm", tag = "exchange", request_body = Question,
    responses((status = 200, body = AnswerView)))]
async fn confirm(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    question: Digested<Question>,
) -> Result<Response, Problem> {
    asked(&desk, &exchange, asking.of(Service::Confirm)?, Service::Confirm, question).await
}

/// The record of a person, as far as the agreement goes.
#[utoipa::path(post, path = "/api/v1/exchange/look-up", tag = "exchange", request_body = Question,
    responses((status = 200, body = AnswerView)))]
async fn look_up(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    question: Digested<Question>,
) -> Result<Response, Problem> {
    asked(&desk, &exchange, asking.of(Service::LookUp)?, Service::LookUp, question).await
}

/// The persons of the household of a person, as far as the agreement goes.
#[utoipa::path(post, path = "/api/v1/exchange/household", tag = "exchange", request_body = Question,
    responses((status = 200, body = AnswerView)))]
async fn household(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    question: Digested<Question>,
) -> Result<Response, Problem> {
    asked(&desk, &exchange, asking.of(Service::Household)?, Service::Household, question).await
}

/// Parents, spouse and legal representative of a person, as far as the agreement goes.
#[utoipa::path(post, path = "/api/v1/exchange/kinship", tag = "exchange", request_body = Question,
    responses((status = 200, body = AnswerView)))]
async fn kinship(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    question: Digested<Question>,
) -> Result<Response, Problem> {
    asked(&desk, &exchange, asking.of(Service::Kinship)?, Service::Kinship, question).await
}

/// Whether a person has a card that counts.
#[utoipa::path(post, path = "/api/v1/exchange/card-status", tag = "exchange", request_body = Question,
    responses((status = 200, body = AnswerView)))]
async fn card_status(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    question: Digested<Question>,
) -> Result<Response, Problem> {
    asked(&desk, &exchange, asking.of(Service::CardStatus)?, Service::CardStatus, question).await
}

/// Begins that a partner is told what changes of a person, for this purpose. The answer holds the name under which the
/// changes come (`GET /api/v1/exchange/changes`), and nothing else.
#[utoipa::path(post, path = "/api/v1/exchange/follow", tag = "exchange", request_body = Question,
    responses((status = 200, body = AnswerView)))]
async fn follow(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    asking: Asking,
    question: Digested<Question>,
) -> Result<Response, Problem> {
    asked(&desk, &exchange, asking.of(Service::Follow)?, Service::Follow, question).await
}

/// The public keys with which answers are verified.
#[utoipa::path(get, path = "/api/v1/exchange/keys", tag = "exchange", responses((status = 200, body = AnswerKeys)))]
async fn keys(State(exchange): State<Exchange>) -> axum::Json<AnswerKeys> {
    axum::Json(AnswerKeys { keys: exchange.signer.keys().to_vec() })
}

/// An agreement, as its partner sees it.
#[derive(Serialize, ToSchema)]
struct OwnAgreement {
    /// Number.
    number: String,
    /// Legal basis.
    basis: String,
    /// From …
    #[serde(with = "time::serde::rfc3339")]
    valid_from: OffsetDateTime,
    /// … until before.
    #[serde(with = "time::serde::rfc3339")]
    valid_to: OffsetDateTime,
    /// Answers are kept for so many days.
    kept_days: u32,
    /// What it allows.
    grants: Vec<Grant>,
}

/// The agreements in force of a partner.
#[derive(Serialize, ToSchema)]
struct OwnAgreements {
    /// By number.
    agreements: Vec<OwnAgreement>,
}

/// What the partner that asks may ask now.
#[utoipa::path(get, path = "/api/v1/exchange/agreements", tag = "exchange",
    responses((status = 200, body = OwnAgreements)))]
async fn own_agreements(State(desk): State<Desk>, asking: Asking) -> Looked<OwnAgreements> {
    desk.look(asking.itself(), async |deed| {
        let (id, now) = (deed.actor().id, deed.at());
        let agreements = super::store::agreements::in_force(deed.tx(), id, now).await?;
        deed.record(Action::AgreementsListed, Object::Partner(id), None, Purpose::Exchange).await?;
        let own = |agreement: Agreement| OwnAgreement {
            number: agreement.number,
            basis: agreement.basis,
            valid_from: agreement.valid_from,
            valid_to: agreement.valid_to,
            kept_days: agreement.kept_days,
            grants: agreement.grants,
        };
        Ok::<_, ExchangeError>(OwnAgreements { agreements: agreements.into_iter().map(own).collect() })
    })
    .await
}
