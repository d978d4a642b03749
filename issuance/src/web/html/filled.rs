//! A form that came back filled in, from this very service: who else may make a browser send one, may not decide.
#![expect(
    clippy::disallowed_types,
    reason = "the fields of a form are read as those of a query, and refused in our words"
)]

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use crypto::perso::problem::ProblemCode;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use super::frame::Visitor;
use crate::ground::text::UnfitText;
use crate::web::extract::is_text;
use crate::web::write::body_of;
use crate::web::{IdempotencyKey, Problem, Stamp};

/// The fields of a form. Its token is right, where the caller has a session.
pub(crate) struct Filled {
    fields: Vec<(String, String)>,
    request_hash: [u8; 32],
}

/// Shows nothing: what is typed is personal, or a password.
impl std::fmt::Debug for Filled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filled(…)")
    }
}

impl Filled {
    /// The fields of a form, if its token is that of the caller's session.
    ///
    /// # Errors
    /// `form-foreign`
    pub(super) fn of(
        fields: Vec<(String, String)>,
        request_hash: [u8; 32],
        token: Option<&str>,
    ) -> Result<Self, Problem> {
        let filled = Self { fields, request_hash };
        match token {
            Some(token) if !bool::from(filled.text("token").as_bytes().ct_eq(token.as_bytes())) => {
                Err(Problem::new(ProblemCode::FormForeign))
            }
            _ => Ok(filled),
        }
    }

    /// Returns what was typed into a field; nothing if there is none of this name.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.some(name).unwrap_or_default()
    }

    /// Returns what was typed into a field, if it is there.
    pub(crate) fn some(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns all that was ticked under this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns what was typed into a field as a text that is judged like one of the API.
    ///
    /// # Errors
    /// `reason-missing`, `text-too-long`, `text-unfit`
    pub(crate) fn judged<T: TryFrom<String, Error = UnfitText>>(&self, name: &str) -> Result<T, Problem> {
        T::try_from(self.text(name).to_owned()).map_err(|error| {
            let said = error.to_string();
            let code = crate::ground::text::refusal(&said).unwrap_or(ProblemCode::TextUnfit);
            Problem::new(code).field(format!("/{name}"), code, said)
        })
    }

    /// Returns what makes it the same act when it is sent twice: the key that the page was given when it was drawn.
    ///
    /// # Errors
    /// `idempotency-key-missing`, `idempotency-key-malformed`
    pub(crate) fn stamp(&self) -> Result<Stamp, Problem> {
        let key = self.some("key").ok_or_else(|| Problem::new(ProblemCode::IdempotencyKeyMissing))?;
        Ok(Stamp { key: IdempotencyKey::of(key)?, request_hash: self.request_hash })
    }
}

impl<S: Send + Sync> FromRequest<S> for Filled {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let malformed = || Problem::new(ProblemCode::BodyMalformed);
        let token = request.extensions().get::<Visitor>().map(|visitor| visitor.token.clone());
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(malformed());
        }
        let mut hash = Sha256::new();
        for part in [request.method().as_str(), request.uri().path()] {
            hash.update(part);
            hash.update([0]);
        }
        let bytes = body_of(request).await?;
        hash.update(&bytes);
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
        if text.contains("%00") {
            return Err(Problem::new(ProblemCode::TextUnfit).detail("a text holds U+0000"));
        }
        if !is_text(text) {
            return Err(malformed());
        }
        let uri = Uri::try_from(format!("/?{text}")).map_err(|_| malformed())?;
        let Query(fields) = Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| malformed())?;
        Self::of(fields, hash.finalize().into(), token.as_deref())
    }
}

/// What stands behind the question mark of a page's address.
pub(crate) struct Asked(Vec<(String, String)>);

impl Asked {
    /// Returns the value of this name.
    pub(crate) fn some(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let malformed = || Problem::new(ProblemCode::QueryMalformed);
        if !parts.uri.query().is_none_or(is_text) {
            return Err(malformed());
        }
        let Query(fields) = Query::try_from_uri(&parts.uri).map_err(|_| malformed())?;
        Ok(Self(fields))
    }
}

/// True if the browser says that a page of this very service makes the request. One that does not say where a request
/// comes from names at least the origin; who says neither is no browser, and sends no form.
pub(crate) fn asked_here(uri: &Uri, headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match said("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => {
            let host = uri.authority().map(axum::http::uri::Authority::as_str).or_else(|| said("host"));
            let origin = said("origin").and_then(|origin| origin.strip_prefix("https://"));
            host.is_some() && origin == host
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_form_comes_from_our_own_page_or_not_at_all() {
        let asked = |fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
            });
            asked_here(&Uri::from_static("/pages/x"), &fields.collect())
        };
        assert!(asked(&[("sec-fetch-site", "same-origin")]));
        for site in ["cross-site", "same-site", "none"] {
            assert!(!asked(&[("sec-fetch-site", site), ("host", "a"), ("origin", "https://a")]), "{site}");
        }
        assert!(asked(&[("host", "a:8443"), ("origin", "https://a:8443")]));
        assert!(!asked(&[("host", "a:8443"), ("origin", "https://b")]));
        assert!(!asked(&[("host", "a"), ("origin", "null")]));
        assert!(!asked(&[("host", "a")]));
        assert!(!asked(&[]));
    }
}
