//! Pages for people: what a page knows of its reader, the frame around it, its forms and its problems. The pages
//! themselves stand in the offices, `pages.rs` with `templates/`; their texts are one file for each language.
//!
//! A page calls the same verbs as the handler of the API beside it, so that there is no second rule. Its caller is
//! known by a cookie, and the caller of the API by a bearer token: neither opens the door of the other.

mod cookies;
mod dress;
mod due;
mod filled;
mod frame;
mod routes;
mod texts;
mod uploaded;

use std::fmt::Display;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
pub(crate) use cookies::{cookie_token_hash, forgotten_session, has_session, page_token_hash, session_cookie};
pub(crate) use dress::{Dress, STREAM_OVER, is_page, local, session_over};
pub(crate) use due::{Tag, until};
pub(crate) use filled::{Asked, Filled, asked_here};
pub(crate) use frame::{
    ADMINISTRATION, AGREEMENTS, APPROVALS, CALENDAR, COUNTER, DASHBOARD, DEPUTIES, EMERGENCIES, FACTORY, Frame,
    HAND_OVER, HELD_BIRTHS, KEYS, OBJECTIONS, OFFICERS, PARTNERS, PERSONS, PROPOSALS, Place, READINGS, REGISTER,
    STATIONS, TABLES, Trouble, UNITS, Visitor,
};
pub(crate) use routes::PageRoutes;
use serde::{Deserialize, Serialize};
pub(crate) use texts::{Texts, fill, texts};
pub(crate) use uploaded::{Uploaded, UploadedFiles};

use super::Problem;

/// Settings of the pages.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PagesSettings {
    /// The pages, below `/pages`.
    pub enabled: bool,
}

impl Default for PagesSettings {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// What the handler of a page answers: a page, the way to another one, or a problem, which becomes a page of its own.
pub(crate) type Shown = Result<Response, Problem>;

/// Answers with a page.
///
/// # Errors
/// `internal`, if the template cannot be filled.
pub(crate) fn page(template: &impl Template) -> Shown {
    page_with(StatusCode::OK, template)
}

/// Answers with a page and this status.
///
/// # Errors
/// As [`page`].
fn page_with(status: StatusCode, template: &impl Template) -> Shown {
    let text = template.render().map_err(|error| Problem::internal(&error))?;
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    Ok((status, [(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Answers with a page that tells of a problem: with its status, and when the reader may try again.
///
/// # Errors
/// As [`page`].
pub(crate) fn page_about(problem: &Problem, template: &impl Template) -> Shown {
    let mut response = page_with(problem.status(), template)?;
    if let Some(seconds) = problem.waits() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

/// Leads to another page, which is asked for with GET.
pub(crate) fn to(place: &str) -> Response {
    let place = HeaderValue::try_from(place).unwrap_or_else(|_| HeaderValue::from_static(HOME));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

/// Returns how a page calls what has an identifier: by its last six signs.
pub(crate) fn reference(id: &impl Display) -> String {
    let id = id.to_string();
    id.get(id.len().saturating_sub(6)..).unwrap_or_default().to_uppercase()
}

/// The page where every officer begins.
pub(crate) const HOME: &str = "/pages";
/// The page where officers sign in.
pub(crate) const DOOR: &str = "/pages/sign-in";
/// The page where officers set a password with a one-time token.
pub(crate) const FIRST_PASSWORD: &str = "/pages/first-password";
/// The page where officers change their password.
pub(crate) const PASSWORD: &str = "/pages/password";
