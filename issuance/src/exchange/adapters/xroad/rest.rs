//! The headers by which a security server says who asks over REST (X-Road message protocol for REST, r1). The address
//! below this prefix is that of the interface which is asked.

use axum::extract::Request;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::Response;
use crypto::perso::problem::ProblemCode;

use super::{fits, identifies};
use crate::ground::carried::{Brought, Member, is_identifier};
use crate::web::{Claim, Problem};

/// Below it stand the interfaces that members reach.
const PREFIX: &str = "/xroad/r1";
/// What members reach: what systems ask by their own certificates too. Tokens are bound to those, and what needs tokens
/// is not among it.
const REACHED: [&str; 2] = ["/api/v1/exchange/", "/npdb/soap"];

/// Takes a question that a security server brings to the interface that it is for, with what the server says of it. The
/// gate believes it of carriers alone.
pub(crate) async fn carried(mut request: Request, next: Next) -> Response {
    // No other layer and no caller makes one: what is there would be a claim without a carrier.
    request.extensions_mut().remove::<Claim>();
    if let Some(inner) = inner(request.uri()) {
        let claim = said(request.headers()).map_err(|why| Problem::new(ProblemCode::PartnerMemberUnfit).detail(why));
        *request.uri_mut() = inner;
        request.extensions_mut().insert(Claim(claim));
    }
    next.run(request).await
}

/// Returns the address of the interface that is asked, of an address below the prefix.
fn inner(uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(PREFIX)?;
    let path = rest.split('?').next().unwrap_or_default();
    if !REACHED.iter().any(|reached| if reached.ends_with('/') { path.starts_with(reached) } else { path == *reached })
    {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(rest.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// Reads what a security server says.
fn said(headers: &HeaderMap) -> Result<Brought, String> {
    if headers.contains_key(REPRESENTED) {
        return Err(format!("{REPRESENTED}: no party is represented here; the client asks for itself"));
    }
    let needed = |name: &str| one(headers, name)?.ok_or_else(|| format!("{name}: it is needed"));
    let member = member(CLIENT, needed(CLIENT)?)?;
    let service = needed(SERVICE)?;
    let parts: Vec<String> = service.split('/').map(|part| decoded(SERVICE, part)).collect::<Result<_, _>>()?;
    if !matches!(parts.len(), 4 | 5) || !parts.iter().all(|part| is_identifier(part)) {
        return Err(format!("{SERVICE}: it is instance/class/code/subsystem/service, each of A-Z a-z 0-9 '()+,-.=?"));
    }
    if parts[0] != member.instance() {
        return Err(format!("{SERVICE}: another instance than that of {CLIENT}"));
    }
    if let Some(server) = one(headers, SECURITY_SERVER)? {
        let parts: Vec<&str> = server.split('/').collect();
        if parts.len() != 4 || parts[0] != member.instance() {
            return Err(format!("{SECURITY_SERVER}: it is instance/class/code/server, of the instance of {CLIENT}"));
        }
    }
    let text = |name: &str, most: usize| one(headers, name)?.map(|text| fits(name, text, most)).transpose();
    Ok(Brought {
        member,
        message: identifies(ID, needed(ID)?)?,
        query: one(headers, REQUEST_ID)?.map(|text| identifies(REQUEST_ID, text)).transpose()?,
        user: text(USER, super::LONGEST_USER)?,
        issue: text(ISSUE, super::LONGEST_ISSUE)?,
    })
}

/// Returns the one value of a header. Of two values one would be read by one programme and the other by another.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(format!("{name}: it stands there twice"));
    }
    // UTF-8: an officer's account or a case may have letters that ASCII does not have.
    match std::str::from_utf8(first.as_bytes()) {
        Ok(text) if !text.trim().is_empty() => Ok(Some(text)),
        _ => Err(format!("{name}: it is empty, or no text in UTF-8")),
    }
}

/// Reads a member, each part of which is escaped as in an address.
fn member(name: &str, text: &str) -> Result<Member, String> {
    let parts: Vec<String> = text.split('/').map(|part| decoded(name, part)).collect::<Result<_, _>>()?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Member::of(&parts).map_err(|error| format!("{name}: {error}"))
}

fn decoded(name: &str, part: &str) -> Result<String, String> {
    let wrong = || format!("{name}: an escaped character is malformed");
    let (mut bytes, mut rest) = (Vec::with_capacity(part.len()), part.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let digits = after.get(..2).ok_or_else(wrong)?;
            bytes.extend(hex::decode(digits).map_err(|_| wrong())?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

const CLIENT: &str = "X-Road-Client";
const ID: &str = "X-Road-Id";
const ISSUE: &str = "X-Road-Issue";
const REPRESENTED: &str = "X-Road-Represented-Party";
const REQUEST_ID: &str = "X-Road-Request-Id";
const SECURITY_SERVER: &str = "X-Road-Security-Server";
const SERVICE: &str = "X-Road-Service";
const USER: &str = "X-Road-UserId";

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const GOOD: [(&str, &str); 7] = [
        (CLIENT, "VN/GOV/000.00.00.G12/thue"),
        (SERVICE, "VN/GOV/G01/npdb/xac-thuc"),
        (ID, "fa2e18a5-c2cb-4d09-b994-f57727f7c3fb"),
        (REQUEST_ID, "f92591a3"),
        (USER, "VN000190000017"),
        (ISSUE, "HS-1"),
        (SECURITY_SERVER, "VN/GOV/G01/ss1"),
    ];

    fn with(more: &[(&str, &str)], less: &[&str]) -> Result<Brought, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in GOOD.iter().filter(|(name, _)| !less.contains(name)).chain(more) {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        said(&headers)
    }

    #[test]
    fn a_security_server_says_who_asks() {
        let brought = with(&[], &[]).unwrap();
        assert_eq!(brought.member.as_str(), "VN/GOV/000.00.00.G12/thue");
        assert_eq!((&*brought.message, brought.query.as_deref()), (GOOD[2].1, Some("f92591a3")));
        assert_eq!((brought.officer(), brought.issue.as_deref()), (Some("000190000017"), Some("HS-1")));
        assert!(with(&[], &[REQUEST_ID, USER, ISSUE, SECURITY_SERVER]).is_ok());
        let escaped = with(&[(CLIENT, "VN/GOV/G%2812%29")], &[CLIENT]).unwrap();
        assert_eq!(escaped.member.as_str(), "VN/GOV/G(12)");
    }

    #[test]
    fn what_is_missing_doubled_empty_or_malformed_is_refused_with_the_name_of_the_header() {
        for name in [CLIENT, SERVICE, ID] {
            assert_eq!(with(&[], &[name]).unwrap_err(), format!("{name}: it is needed"));
        }
        for (name, value) in GOOD {
            assert_eq!(with(&[(name, value)], &[]).unwrap_err(), format!("{name}: it stands there twice"));
            for value in ["", " "] {
                assert!(with(&[(name, value)], &[name]).unwrap_err().starts_with(name));
            }
        }
        let long = "a".repeat(300);
        for (name, value) in [
            (CLIENT, "VN/GOV"),
            (CLIENT, "VN/GOV/G12/thue/x"),
            (CLIENT, "VN/GOV/G12%2Fthue"),
            (CLIENT, "VN/GOV/G12%2"),
            (CLIENT, "VN/GOV/G12%zz"),
            (CLIENT, "VN/GOV/G12%ff"),
            (CLIENT, "VN/GOV/G12%00"),
            (CLIENT, "VN/GOV/G12, VN/GOV/G13"),
            (CLIENT, "VN/GOV/ưu"),
            (SERVICE, "VN/GOV/G01"),
            (SERVICE, "EE/GOV/G01/npdb/x"),
            (SERVICE, "VN/GOV/G01/npdb/%"),
            (ID, "a b"),
            (ID, long.as_str()),
            (REQUEST_ID, long.as_str()),
            (USER, long.as_str()),
            (ISSUE, long.as_str()),
            (ISSUE, "a\tb"),
            (SECURITY_SERVER, "EE/GOV/G01/ss1"),
            (SECURITY_SERVER, "VN/GOV"),
        ] {
            let said = with(&[(name, value)], &[name]).unwrap_err();
            assert!(said.starts_with(name), "{name} {value}: {said}");
        }
        assert!(with(&[(REPRESENTED, "COM/1")], &[]).unwrap_err().starts_with(REPRESENTED));
    }

    #[test]
    fn members_reach_what_systems_ask_by_their_own_certificates_and_no_more() {
        let of = |text: &str| inner(&text.parse().unwrap()).map(|uri| uri.to_string());
        for (asked, reached) in [
            ("/xroad/r1/api/v1/exchange/confirm", "/api/v1/exchange/confirm"),
            ("/xroad/r1/api/v1/exchange/changes?purpose=a&after=b", "/api/v1/exchange/changes?purpose=a&after=b"),
            ("/xroad/r1/npdb/soap", "/npdb/soap"),
            ("/xroad/r1/npdb/soap?wsdl", "/npdb/soap?wsdl"),
        ] {
            assert_eq!(of(asked).as_deref(), Some(reached));
        }
        for other in [
            "/api/v1/exchange/confirm",
            "/xroad/r1/api/v1/persons",
            "/xroad/r1/api/v1/stations",
            "/xroad/r1/api/exchange/confirm",
            "/xroad/r1/oauth2/token",
            "/xroad/r1/osia/uin/v1/uin",
            "/xroad/r1/xroad/soap",
            "/xroad/r1/npdb/soapx",
            "/xroad/r1",
            "/xroad/r1//api/v1/exchange/confirm",
            "/XROAD/r1/npdb/soap",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
