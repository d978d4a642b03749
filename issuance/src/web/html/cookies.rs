//! The two cookies: one opens the session of an officer, one says how pages look.
//!
//! `__Host-` binds them to this very host, over TLS alone; `SameSite=Strict` keeps them out of requests that another
//! site makes; no script reads them.

use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

/// The cookie of the session.
const SESSION: &str = "__Host-session";
/// The cookie of language, theme and keys. It opens nothing.
pub(super) const LOOK: &str = "__Host-look";

/// Returns the value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    // HTTP/2 may bring each cookie in a field of its own.
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Returns the field that sets a cookie until the browser is closed.
pub(super) fn set(name: &str, value: &str) -> HeaderValue {
    let field = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict");
    HeaderValue::try_from(field).expect("names and values of cookies are our own ASCII")
}

/// Returns the field that opens a session in the browser.
pub(crate) fn session_cookie(token: &str) -> HeaderValue {
    set(SESSION, token)
}

/// Returns the field that makes the browser forget the session.
pub(crate) fn forgotten_session() -> HeaderValue {
    HeaderValue::from_static("__Host-session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// True if the request brings the cookie of a session.
pub(crate) fn has_session(headers: &HeaderMap) -> bool {
    cookie(headers, SESSION).is_some()
}

/// Returns the name by which the session of the request's cookie is stored.
pub(crate) fn cookie_token_hash(headers: &HeaderMap) -> Option<[u8; 32]> {
    cookie(headers, SESSION).map(page_token_hash)
}

/// Returns the name by which the session of a page is stored: SHA-256 of its token, with a word before it that the
/// hash of a bearer token does not have. So the token of a cookie is no bearer token, and the other way round.
pub(crate) fn page_token_hash(token: &str) -> [u8; 32] {
    Sha256::new_with_prefix("page\0").chain_update(token).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (header::COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_in_any_field() {
        let headers = asked(&["a=1; __Host-look=en", "__Host-session=00ff"]);
        assert_eq!((cookie(&headers, LOOK), cookie(&headers, SESSION)), (Some("en"), Some("00ff")));
        assert!(!has_session(&asked(&["x__Host-session=1; __Host-sessions=2"])));
        assert!(!has_session(&asked(&[])));
    }

    #[test]
    fn the_token_of_a_page_is_stored_by_another_name_than_a_bearer_token() {
        let bearer: [u8; 32] = Sha256::digest("token").into();
        assert_ne!(page_token_hash("token"), bearer);
        assert_eq!(cookie_token_hash(&asked(&["__Host-session=token"])), Some(page_token_hash("token")));
    }
}
