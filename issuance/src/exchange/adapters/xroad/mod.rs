//! X-Road (in Viet Nam VDXP): this service as a provider behind a security server (docs/xroad.md, ADR 0055).
//!
//! A security server is a *carrier*: a system that two officers joined as one, which says for which member of its
//! instance it asks. Which system a member is was joined by two officers too. Over REST (r1) a security server asks the
//! interfaces that systems ask directly, below a prefix; over SOAP (4.0) it asks those of the national population
//! database, in a form of its own.

mod header;
mod rest;
mod soap;

use axum::extract::{FromRef, State};
use axum::http::{HeaderValue, header as http};
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::ProblemCode;
pub(crate) use rest::carried;
use utoipa_axum::routes;

use self::soap::Call;
use super::super::Exchange;
use super::soap::XML;
use crate::web::{Desk, Parameters, Problem, Right, Routes};

/// Below this path stands the interface.
pub(super) const AT: &str = "/xroad/";

/// The routes of the interface.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new().add(Right::Carrier, routes!(ask)).add(Right::Anyone, routes!(description))
}

/// A question of a member: SOAP by the X-Road message protocol 4.0.
#[utoipa::path(post, path = "/xroad/soap", tag = "xroad", operation_id = "ask", responses((status = 200)))]
async fn ask(call: Call) -> Response {
    // On the heap: a question is a large future.
    Box::pin(call.answered()).await
}

/// The description of the interface (WSDL 1.1), from which a security server takes what its services are: the query is
/// `wsdl`.
#[utoipa::path(get, path = "/xroad/soap", tag = "xroad", operation_id = "description", responses((status = 200)))]
async fn description(
    State(exchange): State<Exchange>,
    Parameters(query): Parameters<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    match query.as_slice() {
        [(name, value)] if name.eq_ignore_ascii_case("wsdl") && value.is_empty() => {}
        _ => return Err(Problem::new(ProblemCode::QueryMalformed).detail("the description is at ?wsdl")),
    }
    let issuer = quick_xml::escape::escape(exchange.settings.issuer.as_str());
    let text = soap::description().replace(ADDRESS, &format!("{issuer}/xroad/soap"));
    Ok(([(http::CONTENT_TYPE, HeaderValue::from_static(XML))], text).into_response())
}

/// What stands in the description for the address.
const ADDRESS: &str = "ADDRESS-OF-THE-SERVICE";

/// Returns a text that a security server says, if it is one of at most so many bytes, without control characters.
fn fits(name: &str, text: &str, most: usize) -> Result<String, String> {
    let is_control = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.trim().is_empty() || text.len() > most || text.chars().any(is_control) {
        return Err(format!("{name}: 1 to {most} bytes of text without control characters"));
    }
    Ok(text.to_owned())
}

/// Returns the identifier of a message or a query. It has no spaces: it stands in logs.
fn identifies(name: &str, text: &str) -> Result<String, String> {
    if !(1..=LONGEST_ID).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!("{name}: 1 to {LONGEST_ID} letters, digits and signs of ASCII, without spaces"));
    }
    Ok(text.to_owned())
}

/// An identifier of a message or a query has at most so many bytes.
const LONGEST_ID: usize = 128;
/// The name of an officer has at most so many bytes.
const LONGEST_USER: usize = 256;
/// The number of a case has at most so many bytes.
const LONGEST_ISSUE: usize = 100;
