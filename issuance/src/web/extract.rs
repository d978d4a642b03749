//! What stands in the path and in the query, and the caller whom the gate found out; each refuses with our problems.
//! Handlers take path and query through the types here and no others (`clippy.toml` refuses the library's own).
#![expect(clippy::disallowed_types, reason = "the one place where path and query are read, and refused in our words")]

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{Uri, header};
use crypto::perso::problem::ProblemCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Problem;
use super::write::body_of;
use crate::deed::{Occasion, Purpose};
use crate::ground::actor::{Carrier, Citizen, Partner};
use crate::ground::ids::ApplicationId;
use crate::ground::text::Words;
use crate::ground::{Officer, Station};

/// What the path names: an identifier or a serial.
#[derive(Debug)]
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        // Not the library's sentence: it quotes what stood in the path.
        let malformed = |_| Problem::new(ProblemCode::IdentifierMalformed);
        named.map(|Path(value)| Self(value)).map_err(malformed)
    }
}

/// The parameters of the query.
#[derive(Debug)]
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if !parts.uri.query().is_none_or(is_text) {
            return Err(Problem::new(ProblemCode::QueryMalformed));
        }
        let asked: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        asked.map(|Query(value)| Self(value)).map_err(|_| Problem::new(ProblemCode::QueryMalformed))
    }
}

/// The fields of a form that a program sends (`application/x-www-form-urlencoded`), in their order.
pub(crate) struct Fields(pub Vec<(String, String)>);

/// Shows nothing: a field may be a secret.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fields(…)")
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let malformed = |why: &str| Problem::new(ProblemCode::BodyMalformed).detail(why);
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(malformed("Content-Type is application/x-www-form-urlencoded"));
        }
        let bytes = body_of(request).await?;
        let text = std::str::from_utf8(&bytes).ok().filter(|text| is_text(text));
        let fields = text.and_then(|text| {
            let uri = Uri::try_from(format!("/?{text}")).ok()?;
            Query::try_from_uri(&uri).ok().map(|Query(fields)| fields)
        });
        fields.map(Self).ok_or_else(|| malformed("the form cannot be read"))
    }
}

/// True for a query, or a form that is written like one, whose values are text: UTF-8, of which the library would else
/// make U+FFFD without a word, and no U+0000, which PostgreSQL does not take and SQLite does.
pub(crate) fn is_text(query: &str) -> bool {
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(|digits| hex::decode(digits).ok());
        rest = if escaped.is_some() { &after[2..] } else { after };
        bytes.push(escaped.map_or(*first, |byte| byte[0]));
    }
    !bytes.contains(&0) && std::str::from_utf8(&bytes).is_ok()
}

/// The query of every route that reads a person.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OccasionAsked {
    /// What for: `look-up`, which it is without this parameter, `capture`, `decision`, `hand-over`, `loss-by-holder`,
    /// `loss-by-other`, `numbering`, `registration` or `update`. A role of the officer must have that task.
    #[param(value_type = Option<String>)]
    pub(crate) purpose: Option<Words<20>>,
    /// The application for which it is read: the audit trail names it. Without it, the one by which the office may
    /// read.
    #[param(value_type = Option<String>)]
    pub(crate) case: Option<ApplicationId>,
}

impl OccasionAsked {
    /// Returns the occasion, if the officer has its task.
    ///
    /// # Errors
    /// `query-malformed` for a purpose that is none of those for which persons are read; `role-missing`
    pub fn of(self, officer: &Officer) -> Result<Occasion, Problem> {
        let Self { purpose, case } = self;
        let Some(word) = purpose else { return Ok(Occasion { case, ..Occasion::default() }) };
        let known = Purpose::READING.iter().find(|(purpose, _)| purpose.word() == word.as_str());
        let (purpose, task) = *known.ok_or_else(|| Problem::new(ProblemCode::QueryMalformed))?;
        if task.is_some_and(|task| !officer.may(task)) {
            return Err(Problem::new(ProblemCode::RoleMissing).detail("no role of the officer has this purpose"));
        }
        Ok(Occasion { purpose, case })
    }
}

/// For what an officer reads a person.
impl<S: Send + Sync> FromRequestParts<S> for Occasion {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Parameters(asked) = Parameters::<OccasionAsked>::from_request_parts(parts, state).await?;
        // Without a purpose no caller is needed.
        if asked.purpose.is_none() {
            return Ok(Self { case: asked.case, ..Self::default() });
        }
        asked.of(&Officer::from_request_parts(parts, state).await?)
    }
}

macro_rules! known_by_the_gate {
    ($($caller:ident),*) => { $(
        /// The gate has found out who asks; a handler that wants another kind of caller than its route's right admits
        /// is a fault of this program.
        impl<S: Sync> FromRequestParts<S> for $caller {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(ProblemCode::RouteWithoutRight))
            }
        }
    )* };
}
known_by_the_gate!(Carrier, Citizen, Officer, Partner, Station);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_text_or_refused() {
        for text in ["", "a=b", "a=%C6%AF%20%c6%b0&b=%EF%BF%BD", "a=100%", "a=%zz", "a=%e", "a=ư", "a=%2500"] {
            assert!(is_text(text), "{text}");
        }
        for other in ["a=%00", "a=x%00y", "a=%FF", "a=%ED%A0%80", "a=%C6", "%c6=a", "a=%C3%28"] {
            assert!(!is_text(other), "{other}");
        }
    }
}
