//! SOAP 1.1 as the adapters that speak it have in common: XML of a stranger, the envelope, and faults.

pub(super) mod envelope;
pub(super) mod fault;
pub(super) mod xml;

use axum::http::{HeaderMap, header};

use super::super::ExchangeError;
use crate::web::Problem;

/// SOAP 1.1.
pub(super) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// What this service adds: the signed answer, and what is wrong in a fault.
pub(super) const OWN: &str = "https://citizen-card.invalid/exchange/1";
/// What is answered.
pub(super) const XML: &str = "text/xml; charset=utf-8";

/// A message that is none.
pub(super) fn unfit(why: impl Into<String>) -> Problem {
    ExchangeError::RequestUnfit(why.into()).into()
}

/// Judges the kind of the body.
///
/// # Errors
/// `exchange-request-unfit`
pub(super) fn is_xml(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut parts = kind.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let known = ["text/xml", "application/xml"].iter().any(|known| name.eq_ignore_ascii_case(known));
    let sets = parts.filter_map(|part| part.split_once('=')).filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
    let mut sets = sets.map(|(_, set)| set.trim_matches('"'));
    if known && sets.all(|set| set.eq_ignore_ascii_case("utf-8")) {
        return Ok(());
    }
    Err(unfit("Content-Type is text/xml or application/xml, in UTF-8"))
}

/// Judges the header `SOAPAction`, by which a gateway before this service may decide: it may be empty, and else names
/// the operation that the body has.
///
/// # Errors
/// `exchange-request-unfit`
pub(super) fn means(headers: &HeaderMap, operation: &str) -> Result<(), Problem> {
    let wrong = || unfit(format!("SOAPAction: the body has {operation}"));
    for action in headers.get_all("soapaction") {
        let action = action.to_str().map_err(|_| wrong())?.trim().trim_matches('"');
        let last = action.rsplit(['/', '#', ':']).next().unwrap_or_default();
        if !action.is_empty() && last != operation {
            return Err(wrong());
        }
    }
    Ok(())
}
