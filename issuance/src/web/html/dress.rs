//! How a page looks for its reader, and what its answer carries: language, theme, nonce; and the page of a problem.

use ::pages::{Language, Nonce};
use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::ProblemCode;

use super::cookies::{LOOK, cookie, set};
use super::frame::{Frame, Place, Trouble};
use super::texts::{Texts, texts};
use super::{DOOR, HOME, PASSWORD, page_about, to};
use crate::ground::ids::RequestId;
use crate::web::Problem;

/// The colours of a page.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Theme {
    /// Black lines and no tints.
    Contrast,
    /// Light on dark, for halls and night shifts.
    Dark,
    /// Dark on warm paper.
    #[default]
    Light,
}

impl Theme {
    pub(super) const ALL: [Self; 3] = [Self::Light, Self::Dark, Self::Contrast];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Contrast => "contrast",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }
}

/// For what a browser asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wants {
    /// A page.
    Page,
    /// A script: a part of the page that is shown.
    Part,
    /// A script: a stream of what happens.
    Stream,
}

/// What a page knows of its reader before it knows the officer.
#[derive(Clone, Debug)]
pub(crate) struct Dress {
    /// The reader's choice; without one, what the browser asks for.
    pub(crate) language: Language,
    /// The reader's choice.
    pub(crate) theme: Theme,
    /// Whether single keys act.
    pub(crate) keys: bool,
    /// The word by which this answer's scripts run.
    pub(crate) nonce: Nonce,
    /// Where a change of language leads back to.
    pub(crate) here: String,
    /// The path that was asked for, with its query.
    asked: String,
    /// For what the browser asks.
    wants: Wants,
    /// True for a question, false for an act.
    reads: bool,
    /// True where all people are invented.
    pub(crate) sandbox: bool,
}

/// True for a path of the pages.
pub(crate) fn is_page(path: &str) -> bool {
    path.strip_prefix(HOME).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns a place if it is one of the pages: never another host, and nothing that a header or a browser reads
/// otherwise.
pub(crate) fn local(place: &str) -> Option<&str> {
    let fits = place.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') && !place.contains("//");
    let path = place.split(['?', '#']).next().unwrap_or_default();
    // A browser goes up by two dots, escaped or not: out of the pages.
    let stays =
        path.split('/').all(|name| !matches!(name.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."));
    (fits && stays && is_page(path)).then_some(place)
}

impl Dress {
    /// What the request of a page says, with a nonce for its answer.
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap, nonce: Nonce, sandbox: bool) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let asked = uri.path_and_query().map_or(HOME, |whole| whole.as_str()).to_owned();
        let said = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (mut language, mut theme, mut keys) = (Language::preferred(said), Theme::default(), true);
        for word in cookie(headers, LOOK).unwrap_or_default().split('.') {
            language = word.parse().unwrap_or(language);
            theme = Theme::ALL.into_iter().find(|theme| theme.word() == word).unwrap_or(theme);
            keys = keys && word != NO_KEYS;
        }
        let here = if reads { asked.clone() } else { HOME.to_owned() };
        let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let wants = match headers.contains_key("hx-request") {
            false => Wants::Page,
            true if accepts.contains("text/event-stream") => Wants::Stream,
            true => Wants::Part,
        };
        Self { language, theme, keys, nonce, here, asked, wants, reads, sandbox }
    }

    /// True if a script asks, which goes on with the page that it has.
    pub(crate) fn is_part(&self) -> bool {
        self.wants != Wants::Page
    }

    /// The same, for an answer to an act that shows the page at another place.
    pub(crate) fn at(&self, here: &str) -> Self {
        Self { here: here.to_owned(), ..self.clone() }
    }

    /// Returns the field that keeps what the reader chooses now, beside what was chosen before.
    pub(crate) fn chosen(&self, language: Option<&str>, theme: Option<&str>, keys: Option<&str>) -> HeaderValue {
        let language = language.and_then(|tag| tag.parse().ok()).unwrap_or(self.language);
        let theme = Theme::ALL.into_iter().find(|known| Some(known.word()) == theme).unwrap_or(self.theme);
        let keys = keys.map_or(self.keys, |word| word != NO_KEYS);
        let without = if keys { "" } else { ".no-keys" };
        set(LOOK, &format!("{language}.{}{without}", theme.word()))
    }

    /// Writes the headers of a page into its answer.
    pub(crate) fn finish(&self, response: &mut Response) {
        for (name, value) in ::pages::headers(&self.nonce) {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        // One address has a page in each language and theme.
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("cookie, accept-language"));
    }

    /// Answers a problem: with the way to the door where there is no session, else with a page that says what is wrong
    /// and what to do.
    pub(crate) fn refused(&self, problem: &Problem, id: RequestId) -> Response {
        match problem.code() {
            // A script that follows what happens would ask for ever: it is told, and told not to.
            ProblemCode::SessionNeeded if self.wants == Wants::Stream => {
                let place = self.asked.split('?').next().unwrap_or(HOME).trim_end_matches("/events");
                return over(session_over(texts(self.language), place).unwrap_or_default().trim());
            }
            // The part stays as it is; the next act leads to the door.
            ProblemCode::SessionNeeded if self.is_part() => return StatusCode::NO_CONTENT.into_response(),
            ProblemCode::SessionNeeded if self.reads && self.asked == HOME => return to(DOOR),
            ProblemCode::SessionNeeded if self.reads => {
                let next: String = percent(&self.asked);
                return to(&format!("{DOOR}?next={next}"));
            }
            ProblemCode::PasswordChangeNeeded if self.reads => return to(PASSWORD),
            _ => {}
        }
        let t = texts(self.language);
        let frame = Frame::new(self, None, Place::Elsewhere);
        let trouble = Trouble::of(problem, t);
        let sheet = Sheet { frame: &frame, trouble: &trouble, request: id.to_string(), door: DOOR };
        page_about(problem, &sheet).unwrap_or_else(|_| problem.status().into_response())
    }
}

/// What an open page is told when its session ended.
#[derive(Template)]
#[template(path = "session-over.html")]
struct SessionOver {
    t: &'static Texts,
    door: String,
}

/// Returns what an open page is told when its session ended, with the way through the door back to this place; nothing
/// if it cannot be drawn.
pub(crate) fn session_over(t: &'static Texts, place: &str) -> Option<String> {
    SessionOver { t, door: format!("{DOOR}?next={}", percent(place)) }.render().ok()
}

/// The name of the event after which a page does not ask for its stream again.
pub(crate) const STREAM_OVER: &str = "over";

/// Answers a page that asks for its stream after its session ended.
fn over(said: &str) -> Response {
    let lines: Vec<String> = said.lines().map(|line| format!("data: {line}")).collect();
    let events = format!("{}\n\nevent: {STREAM_OVER}\ndata: {STREAM_OVER}\n\n", lines.join("\n"));
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))], events).into_response()
}

/// Writes a place so that it is one value of a query.
fn percent(place: &str) -> String {
    place.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('#', "%23").replace('?', "%3F")
}

/// The word of the cookie for a reader who wants no single keys.
pub(crate) const NO_KEYS: &str = "no-keys";

/// The page of a problem.
#[derive(Template)]
#[template(path = "problem.html")]
struct Sheet<'a> {
    frame: &'a Frame,
    trouble: &'a Trouble,
    request: String,
    door: &'static str,
}

/// The router's outermost layer has made it for every request of a page.
impl<S: Sync> FromRequestParts<S> for Dress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(ProblemCode::RouteWithoutRight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dress(path: &'static str, look: &str) -> Dress {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
        if !look.is_empty() {
            headers.insert(header::COOKIE, HeaderValue::try_from(format!("__Host-look={look}")).unwrap());
        }
        Dress::of(&Method::GET, &Uri::from_static(path), &headers, Nonce::of([1; 16]), false)
    }

    #[test]
    fn the_reader_chooses_and_the_browser_is_asked_before_that() {
        let before = dress("/pages", "");
        assert_eq!((before.language, before.theme, before.keys), (Language::En, Theme::Light, true));
        let chosen = dress("/pages", "vi.dark.no-keys");
        assert_eq!((chosen.language, chosen.theme, chosen.keys), (Language::Vi, Theme::Dark, false));
        let nonsense = dress("/pages", "fr.pink.keys");
        assert_eq!((nonsense.language, nonsense.theme, nonsense.keys), (Language::En, Theme::Light, true));
        let field = chosen.chosen(Some("en"), Some("pink"), None);
        assert!(field.to_str().unwrap().starts_with("__Host-look=en.dark.no-keys; "), "{field:?}");
        let field = chosen.chosen(None, Some("contrast"), Some("keys"));
        assert!(field.to_str().unwrap().starts_with("__Host-look=vi.contrast; "), "{field:?}");
    }

    #[test]
    fn a_way_leads_to_our_own_pages_alone() {
        for place in ["/pages", "/pages/approvals/1?done=approved", "/pages?x=../y", "/pages#main", "/pages/..x"] {
            assert_eq!(local(place), Some(place));
        }
        for place in [
            "//host/pages",
            "/pages//host",
            "https://host/pages",
            "/pagesx",
            "/api/v1/me",
            "/pages/\\host",
            "/pages/../api/v1/me",
            "/pages/x/%2E%2e/../api",
            "/pages/.",
            "/pages\r\nset-cookie:",
            "",
        ] {
            assert_eq!(local(place), None, "{place}");
        }
    }
}
