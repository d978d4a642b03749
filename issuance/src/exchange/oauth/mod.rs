//! OAuth 2.0 for systems of partners: client credentials (RFC 6749, section 4.4) with the client certificate that the
//! system has (RFC 8705). A token narrows what the certificate may ask, and gives no more than the agreements in force.

mod bearer;
pub(super) mod scopes;
mod tokens;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{ConnectInfo, FromRef, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
pub(super) use bearer::Asking;
use crypto::perso::problem::ProblemCode;
use serde::Serialize;
use serde_json::{Value, json};
pub use tokens::TokenSigner;
use utoipa_axum::routes;

use self::tokens::{Bound, Claims};
use super::Exchange;
use super::store::agreements;
use crate::deed::{Action, Entry, Object, Purpose};
use crate::ground::actor::Partner;
use crate::ground::ids::RequestId;
use crate::web::{Desk, Fields, Peer, Problem, Right, Routes};

/// The routes of OAuth.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new()
        .add(Right::Partner, routes!(token))
        .add(Right::Anyone, routes!(keys))
        .add(Right::Anyone, routes!(metadata))
}

/// True for what may be called an issuer here: `https://` and a name, perhaps with a port, and nothing behind it, so
/// that its metadata stands at the root (RFC 8414, section 3).
#[must_use]
pub fn is_issuer(text: &str) -> bool {
    let uri = text.parse::<axum::http::Uri>().ok();
    let host = uri.as_ref().and_then(|uri| uri.authority()).map(|name| format!("https://{name}"));
    host.is_some_and(|host| host == text && !text.contains('@'))
}

/// For whom tokens are: the exchange of the service of this name.
pub(super) fn audience(issuer: &str) -> String {
    format!("{issuer}/exchange")
}

/// Why no token is given (RFC 6749, section 5.2).
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl Refused {
    fn of(error: &'static str, description: impl Into<String>) -> Self {
        let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        Self { status, error, description: description.into() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        tracing::info!(error = self.error, "no token is given");
        let body = json!({"error": self.error, "error_description": self.description});
        (self.status, Json(body)).into_response()
    }
}

/// Tells a problem in the words of OAuth.
pub(super) fn in_words(problem: &Problem) -> Response {
    // A client that cannot be known has one status, whichever reason there is.
    let status = match problem.code() {
        ProblemCode::PartnerCertificateUnfit => StatusCode::UNAUTHORIZED,
        _ => problem.status(),
    };
    let error = match status {
        StatusCode::UNAUTHORIZED => "invalid_client",
        StatusCode::FORBIDDEN => "unauthorized_client",
        StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request",
    };
    let description = problem.detail_of().map_or_else(|| problem.code().word().to_owned(), str::to_owned);
    let body = json!({"error": error, "error_description": ascii(&description)});
    (status, Json(body)).into_response()
}

/// The signs that a description may have (RFC 6749, section 5.2); the others are left out.
fn ascii(text: &str) -> String {
    text.chars().filter(|sign| matches!(sign, ' '..='~') && !matches!(sign, '"' | '\\')).collect()
}

/// A token, as it is given.
#[derive(Serialize)]
struct Given {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

/// What a client asks for.
struct Wish {
    scopes: Vec<String>,
}

impl Wish {
    fn of(fields: Vec<(String, String)>, headers: &HeaderMap, partner: &Partner, aud: &str) -> Result<Self, Refused> {
        let invalid = |why: &str| Refused::of("invalid_request", why);
        let mut said = BTreeMap::new();
        for (name, value) in fields {
            // A parameter without a value is one that was left out (RFC 6749, section 3.2).
            if !value.is_empty() && said.insert(name, value).is_some() {
                return Err(invalid("a parameter stands twice"));
            }
        }
        let secret = ["client_secret", "client_assertion", "client_assertion_type"];
        if headers.contains_key(header::AUTHORIZATION) || secret.iter().any(|name| said.contains_key(*name)) {
            return Err(invalid("the client is known by its certificate, and by nothing else"));
        }
        match said.get("grant_type").map(String::as_str) {
            Some("client_credentials") => {}
            Some(_) => return Err(Refused::of("unsupported_grant_type", "grant_type is client_credentials")),
            None => return Err(invalid("grant_type is missing")),
        }
        match said.get("client_id") {
            Some(client) if *client == partner.system.to_string() => {}
            Some(_) => return Err(Refused::of("invalid_client", "client_id is not the system of this certificate")),
            None => return Err(invalid("client_id is missing: the identifier of the system")),
        }
        if said.get("resource").is_some_and(|resource| resource != aud) {
            return Err(Refused::of("invalid_target", format!("resource is {aud}")));
        }
        let scopes = said.get("scope").map(String::as_str).unwrap_or_default();
        let mut scopes: Vec<_> = scopes.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() || scopes.len() > MOST_SCOPES {
            return Err(Refused::of("invalid_scope", "scope names what the token is for"));
        }
        Ok(Self { scopes })
    }
}

/// A token has at most so many scopes.
const MOST_SCOPES: usize = 50;

/// Gives a system of a partner an access token for the scopes that it asks for, each of which an agreement in force
/// grants.
#[utoipa::path(post, path = "/oauth2/token", tag = "oauth2", responses((status = 200)))]
async fn token(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    partner: Partner,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    Fields(fields): Fields,
) -> Result<Response, Problem> {
    let Some(certificate) = peer.certificate else { return Err(Problem::new(ProblemCode::PartnerCertificateNeeded)) };
    let issuer = &exchange.settings.issuer;
    let aud = audience(issuer);
    let Wish { scopes } = match Wish::of(fields, &headers, &partner, &aud) {
        Ok(wish) => wish,
        Err(refused) => return Ok(refused.into_response()),
    };
    let mut deed = desk.deeds().open(partner.clone()).await?;
    let (now, system) = (deed.at(), partner.system);
    let in_force = agreements::in_force(deed.tx(), partner.id, now).await?;
    if let Some(beyond) = scopes.iter().find(|scope| !scopes::granted(scope, &in_force)) {
        let known = scopes::all().contains(beyond);
        let entry = Entry::new(Action::AccessRefused, Object::PartnerSystem(system), Purpose::Exchange);
        deed.enter(entry.refused(ProblemCode::ExchangeNotAgreed)).await?;
        deed.commit().await?;
        // Only what stands on our own list is said again.
        let why = if known { format!("{beyond}: no agreement in force grants it") } else { "no such scope".to_owned() };
        return Ok(Refused::of("invalid_scope", why).into_response());
    }
    let id: RequestId = deed.id();
    let scope = scopes.join(" ");
    let life = exchange.settings.token_life.whole_seconds();
    let claims = Claims {
        iss: issuer.clone(),
        aud,
        sub: system.to_string(),
        client_id: system.to_string(),
        scope: scope.clone(),
        iat: now.unix_timestamp(),
        exp: now.unix_timestamp() + life,
        jti: id.to_string(),
        cnf: Bound::to(&certificate),
    };
    let access_token = exchange.tokens.sign(&claims).map_err(super::ExchangeError::from)?;
    let entry = Entry::new(Action::TokenIssued, Object::PartnerSystem(system), Purpose::Exchange);
    deed.enter(entry.because(format!("{id}: {scope}"))).await?;
    deed.commit().await?;
    let given = Given { access_token, token_type: "Bearer", expires_in: life, scope };
    Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(given)).into_response())
}

/// A public key of tokens (RFC 7517).
#[derive(Serialize)]
struct TokenKeys<'a> {
    keys: &'a [super::signing::AnswerKey],
}

/// The public keys with which access tokens are verified. They sign no answer.
#[utoipa::path(get, path = "/oauth2/keys", tag = "oauth2", operation_id = "token_keys", responses((status = 200)))]
async fn keys(State(exchange): State<Exchange>) -> Response {
    Json(TokenKeys { keys: exchange.tokens.keys() }).into_response()
}

/// What a client needs to know to ask for tokens (RFC 8414).
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "oauth2", responses((status = 200)))]
async fn metadata(State(exchange): State<Exchange>) -> Json<Value> {
    let issuer = &exchange.settings.issuer;
    Json(json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth2/token"),
        "jwks_uri": format!("{issuer}/oauth2/keys"),
        "scopes_supported": scopes::all(),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["tls_client_auth"],
        "tls_client_certificate_bound_access_tokens": true,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_a_name_with_https_and_nothing_behind_it() {
        for good in ["https://register.invalid", "https://issuance.invalid:8443"] {
            assert!(is_issuer(good), "{good}");
        }
        for other in [
            "",
            "register.invalid",
            "http://register.invalid",
            "https://",
            "https://register.invalid/",
            "https://register.invalid/x",
            "https://register.invalid?x",
            "https://register.invalid#x",
            "https://a@register.invalid",
            "https://regis ter.invalid",
        ] {
            assert!(!is_issuer(other), "{other}");
        }
    }
}
