//! What goes on in a factory, sent to open pages as it happens (server-sent events). A stream ends with the session
//! that opened it and with the service; it is no sign of life of its officer.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::ProblemCode;
use futures_util::stream::{self, Stream};
use tokio::time::Instant;

use super::factory::office_of;
use super::view::Words;
use crate::access::{self, Access};
use crate::deed::Deeds;
use crate::ground::Officer;
use crate::production::Production;
use crate::production::live::{Seen, Watcher};
use crate::web::html::{Asked, DOOR, Dress, FACTORY, Shown, Texts, Visitor, cookie_token_hash, texts};
use crate::web::{Desk, Problem};

/// What an open page is told when its session ended.
#[derive(Template)]
#[template(path = "floor-over.html")]
struct Over {
    t: &'static Texts,
    door: String,
}

/// `GET /pages/factory/events`
pub(super) async fn stream(
    State(access): State<Access>,
    State(desk): State<Desk>,
    State(production): State<Production>,
    dress: Dress,
    visitor: Visitor,
    headers: HeaderMap,
    asked: Asked,
) -> Shown {
    let office = office_of(&asked, &visitor.officer)?;
    let token_hash = cookie_token_hash(&headers).ok_or_else(|| Problem::new(ProblemCode::SessionNeeded))?;
    let deeds = desk.deeds();
    let watcher = production
        .live
        .watch(deeds, production.lease(), &office, visitor.officer.session)
        .map_err(|_| Problem::new(ProblemCode::ServiceBusy))?;
    let words = Words { language: dress.language, offset: deeds.source().clock().offset() };
    let follower = Follower {
        watcher,
        access,
        deeds: deeds.clone(),
        token_hash,
        officer: visitor.officer,
        words,
        looked: Instant::now(),
        over: false,
    };
    Ok(answer(stream::unfold(follower, Follower::tell)))
}

fn answer(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let events: Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>> = Box::pin(events);
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(BREATH));
    // A proxy on the way hands on each event when it comes.
    ([(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))], sse).into_response()
}

/// One page that follows a factory.
struct Follower {
    watcher: Watcher,
    access: Access,
    deeds: Deeds,
    token_hash: [u8; 32],
    officer: Officer,
    words: Words,
    /// When the session was looked at last.
    looked: Instant,
    /// True once the page was told that its session ended.
    over: bool,
}

impl Follower {
    /// Waits for what is to be told next; `None` at the end.
    async fn tell(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if self.over {
            return None;
        }
        loop {
            tokio::select! {
                seen = self.watcher.next() => {
                    let seen = seen?;
                    if !self.goes_on().await {
                        break;
                    }
                    if let Some(event) = self.event(&seen) {
                        return Some((Ok(event), self));
                    }
                }
                () = tokio::time::sleep_until(self.looked + LOOK) => {
                    if !self.goes_on().await {
                        break;
                    }
                }
            }
        }
        self.over = true;
        let over = Over { t: texts(self.words.language), door: format!("{DOOR}?next={FACTORY}") };
        let said = over.render().ok()?;
        Some((Ok(Event::default().data(said)), self))
    }

    /// True while the session goes on; looked at every few seconds.
    async fn goes_on(&mut self) -> bool {
        if self.looked.elapsed() < LOOK {
            return true;
        }
        self.looked = Instant::now();
        match access::goes_on(&self.access, &self.deeds, &self.token_hash, &self.officer).await {
            Ok(goes_on) => goes_on,
            // What cannot be looked at is not believed.
            Err(error) => {
                tracing::warn!(%error, "a stream of a factory ends: its session could not be looked at");
                false
            }
        }
    }

    fn event(&self, seen: &Seen) -> Option<Event> {
        match self.words.floor(seen).render() {
            Ok(text) => Some(Event::default().data(text.replace('\r', ""))),
            Err(error) => {
                tracing::error!(%error, "what goes on in a factory could not be drawn");
                None
            }
        }
    }
}

/// The session is looked at so often.
const LOOK: Duration = Duration::from_secs(5);
/// A stream that says nothing breathes so often, so that no proxy on the way takes it for dead.
const BREATH: Duration = Duration::from_secs(20);
