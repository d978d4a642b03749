//! The national population database (NPDB), as programmes of other authorities ask it today: SOAP 1.1, the operations
//! `XacThucThongTinCongDan`, `TraCuuThongTinCongDan` and `XacMinhThongTinNhanThan` (docs/soap.md).
//!
//! The messages carry procedure, officer and an identifier; the purpose follows from the agreement (ADR 0054).

mod citizens;
pub(super) mod message;
pub(super) mod names;
pub(super) mod question;

use axum::extract::{FromRef, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

use self::question::Call;
use super::super::Exchange;
use super::soap::XML;
pub(super) use super::soap::fault::in_words;
use crate::web::{Desk, Parameters, Problem, Right, Routes};

/// Below this path stands the interface.
pub(super) const AT: &str = "/npdb/";

/// What of the messages differs from place to place.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Integration codes (`MaTichHop`, `MaDichVu`) that may stand in `XacThucThongTinCongDan`; none: any.
    pub confirm: Vec<String>,
    /// As `confirm`, of `TraCuuThongTinCongDan`.
    pub look_up: Vec<String>,
    /// As `confirm`, of `XacMinhThongTinNhanThan`.
    pub kinship: Vec<String>,
    /// `MaCanBo` is the officer's number for life, and no other name.
    pub officers_by_number: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
        Self {
            confirm: codes(&["003", "033"]),
            look_up: codes(&["037"]),
            kinship: Vec::new(),
            officers_by_number: false,
        }
    }
}

/// The routes of the interface.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new().add(Right::Partner, routes!(ask)).add(Right::Anyone, routes!(description))
}

/// A question: SOAP 1.1 over HTTP.
#[utoipa::path(post, path = "/npdb/soap", tag = "npdb", operation_id = "ask", responses((status = 200)))]
async fn ask(call: Call) -> Result<Response, Problem> {
    call.answered().await
}

/// The description of the interface (WSDL 1.1): the query is `wsdl`.
#[utoipa::path(get, path = "/npdb/soap", tag = "npdb", operation_id = "description", responses((status = 200)))]
async fn description(
    State(exchange): State<Exchange>,
    Parameters(query): Parameters<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    match query.as_slice() {
        [(name, value)] if name.eq_ignore_ascii_case("wsdl") && value.is_empty() => {}
        _ => return Err(Problem::new(ProblemCode::QueryMalformed).detail("the description is at ?wsdl")),
    }
    let issuer = quick_xml::escape::escape(exchange.settings.issuer.as_str());
    let text = DESCRIPTION.replace(ADDRESS, &format!("{issuer}/npdb/soap"));
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(XML))], text).into_response())
}

/// The description, without the address.
const DESCRIPTION: &str = include_str!("npdb.wsdl");
/// What stands in it for the address.
const ADDRESS: &str = "ADDRESS-OF-THE-SERVICE";
