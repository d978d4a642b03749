//! OSIA 7.1 (ITU-T X.1281), the interfaces of national identity systems: `dataaccess`, `uin`, `notification`
//! and of `3rdparty` two operations (docs/osia.md).
//!
//! An access token of the scope that the operation names, bound to the certificate of the connection, is always needed.
//! What OSIA does not carry, purpose, case, officer and unit, stands in headers.

mod attributes;
mod call;
mod dataaccess;
mod notification;
mod third_party;
mod uin;

use axum::Json;
use axum::extract::FromRef;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::ProblemCode;
use serde_json::json;
use utoipa_axum::routes;

use super::super::Exchange;
use super::super::model::Service;
use super::super::oauth::scopes::Scope;
use crate::web::{Desk, Problem, Right, Routes};

/// Below this path stand the interfaces of OSIA.
pub(super) const AT: &str = "/osia/";

/// An operation of an interface: what it needs.
#[derive(Debug)]
pub(super) struct Operation {
    /// Method.
    pub method: &'static str,
    /// Path pattern.
    pub path: &'static str,
    /// The scope without which it is refused.
    pub scope: &'static str,
    /// The services of which one grant opens it, the one that answers first; none for what no agreement grants.
    pub services: &'static [Service],
}

/// All operations. One that does not stand here is answered to no caller.
const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/osia/dataaccess/v1/persons",
        scope: "pr.person.read",
        services: &[Service::LookUp],
    },
    Operation {
        method: "GET",
        path: "/osia/dataaccess/v1/persons/{uin}",
        scope: "pr.person.read",
        services: &[Service::LookUp],
    },
    Operation {
        method: "POST",
        path: "/osia/dataaccess/v1/persons/{uin}/match",
        scope: "pr.person.match",
        services: &[Service::Confirm],
    },
    Operation {
        method: "POST",
        path: "/osia/dataaccess/v1/persons/{uin}/verify",
        scope: "pr.person.verify",
        services: &[Service::Confirm],
    },
    Operation {
        method: "GET",
        path: "/osia/dataaccess/v1/persons/{uin}/document",
        scope: "pr.document.read",
        services: &[],
    },
    Operation {
        method: "POST",
        path: "/osia/3rdparty/v1/verify/{identifier}",
        scope: "id.verify",
        services: &[Service::Confirm],
    },
    Operation {
        method: "POST",
        path: "/osia/3rdparty/v1/attributes/{identifier}",
        scope: "id.read",
        services: &[Service::LookUp],
    },
    Operation { method: "POST", path: "/osia/uin/v1/uin", scope: "uin.generate", services: &[Service::Birth] },
    Operation { method: "POST", path: SUBSCRIPTIONS, scope: "notif.sub.write", services: FOLLOWS },
    Operation { method: "GET", path: SUBSCRIPTIONS, scope: "notif.sub.read", services: FOLLOWS },
    Operation {
        method: "DELETE",
        path: "/osia/notification/v1/subscriptions/{uuid}",
        scope: "notif.sub.write",
        services: FOLLOWS,
    },
    Operation {
        method: "GET",
        path: "/osia/notification/v1/subscriptions/confirm",
        scope: "notif.sub.write",
        services: FOLLOWS,
    },
    Operation { method: "POST", path: TOPICS, scope: "notif.topic.write", services: REPORTS },
    Operation {
        method: "GET",
        path: TOPICS,
        scope: "notif.topic.read",
        services: &[Service::Follow, Service::Birth, Service::Death, Service::Change],
    },
    Operation {
        method: "DELETE",
        path: "/osia/notification/v1/topics/{uuid}",
        scope: "notif.topic.write",
        services: REPORTS,
    },
    Operation {
        method: "POST",
        path: "/osia/notification/v1/topics/{uuid}/publish",
        scope: "notif.topic.publish",
        services: REPORTS,
    },
];

/// Where subscriptions are.
const SUBSCRIPTIONS: &str = "/osia/notification/v1/subscriptions";
/// Where topics are.
const TOPICS: &str = "/osia/notification/v1/topics";
/// Of those who are told.
const FOLLOWS: &[Service] = &[Service::Follow];
/// Of those who report.
const REPORTS: &[Service] = &[Service::Birth, Service::Death, Service::Change];

/// The scopes of OSIA, each with the services of which one grant gives it.
pub(super) fn scopes() -> impl Iterator<Item = Scope> {
    OPERATIONS.iter().map(|operation| (operation.scope, operation.services))
}

/// The routes of OSIA.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new()
        .add(Right::Partner, routes!(dataaccess::query_person_list))
        .add(Right::Partner, routes!(dataaccess::read_person_attributes))
        .add(Right::Partner, routes!(dataaccess::match_person_attributes))
        .add(Right::Partner, routes!(dataaccess::verify_person_attributes))
        .add(Right::Partner, routes!(dataaccess::read_document))
        .add(Right::Partner, routes!(third_party::verify))
        .add(Right::Partner, routes!(third_party::read_attributes))
        .add(Right::Partner, routes!(uin::generate_uin))
        .add(Right::Partner, routes!(notification::subscribe, notification::list_subscription))
        .add(Right::Partner, routes!(notification::unsubscribe))
        .add(Right::Partner, routes!(notification::confirm))
        .add(Right::Partner, routes!(notification::create_topic, notification::list_topics))
        .add(Right::Partner, routes!(notification::delete_topic))
        .add(Right::Partner, routes!(notification::publish))
        .add(Right::Anyone, routes!(openapi))
}

/// What is served of OSIA here, as an OpenAPI document of its own.
#[utoipa::path(get, path = "/osia/openapi.json", tag = "osia", operation_id = "osia_openapi", responses((status = 200)))]
async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], CONTRACT).into_response()
}

/// The document.
const CONTRACT: &str = include_str!("openapi.json");

/// Why an operation is refused, with the number by which programs know it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Code {
    /// No such attribute.
    AttributeUnknown = 1023,
    /// The register has no value for it.
    NoValue = 1024,
    /// An officer decides first.
    Held = 1025,
}

/// Tells a problem in the words of OSIA: its own status, or the one that OSIA has for it.
pub(super) fn in_words(problem: &Problem) -> Response {
    let unknown = problem.code() == ProblemCode::PartnerCertificateUnfit;
    let status = match problem.status() {
        _ if unknown => StatusCode::UNAUTHORIZED,
        status @ (StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE) => status,
        status if status.is_server_error() => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut message = problem.code().word().to_owned();
    if let Some(detail) = problem.detail_of() {
        message = format!("{message}: {detail}");
    }
    for error in problem.errors() {
        message = format!("{message}; {}: {}", error.pointer, error.message);
    }
    let mut response = told(status, i32::from(status.as_u16()), &message);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = match problem.code() {
            ProblemCode::ExchangeTokenUnfit => "Bearer error=\"invalid_token\"",
            _ => "Bearer",
        };
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(seconds) = problem.waits() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// An answer that is an error of OSIA.
fn told(status: StatusCode, code: i32, message: &str) -> Response {
    (status, Json(json!({"code": code, "message": message}))).into_response()
}
