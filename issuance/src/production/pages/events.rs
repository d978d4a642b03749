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
use crate::web::html::{Asked, Dress, FACTORY, STREAM_OVER, Shown, Visitor, cookie_token_hash, session_over, texts};
use crate::web::{Desk, Problem};

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
    let Ok(watcher) = production.live.watch(deeds, production.lease(), &office, &visitor.officer) else {
        // A script that is told so asks again after a while; a page without one is not told a problem as its content.
        if dress.is_part() {
            let busy = Event::default().event("busy").retry(AGAIN).data("busy");
            return Ok(answer(stream::once(async { Ok(busy) })));
        }
        return Err(Problem::new(ProblemCode::ServiceBusy));
    };
    let words = Words { language: dress.language, offset: deeds.source().clock().offset() };
    let follower = Follower {
        watcher,
        access,
        deeds: deeds.clone(),
        token_hash,
        officer: visitor.officer,
        words,
        looked: Instant::now(),
        end: End::NotYet,
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
    end: End,
}

/// How far the end of a stream is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// The session goes on.
    NotYet,
    /// The page was told that its session ended; it is still to be told not to ask again.
    Told,
    /// All is told.
    Over,
}

impl Follower {
    /// Waits for what is to be told next; `None` at the end.
    async fn tell(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        match self.end {
            End::NotYet => {}
            End::Told => {
                self.end = End::Over;
                return Some((Ok(Event::default().event(STREAM_OVER).data(STREAM_OVER)), self));
            }
            End::Over => return None,
        }
        loop {
            tokio::select! {
                seen = self.watcher.next() => {
                    let seen = seen?;
                    if !self.goes_on().await? {
                        break;
                    }
                    if let Some(event) = self.event(&seen) {
                        return Some((Ok(event), self));
                    }
                }
                () = tokio::time::sleep_until(self.looked + LOOK) => {
                    if !self.goes_on().await? {
                        break;
                    }
                }
            }
        }
        self.end = End::Told;
        let said = session_over(texts(self.words.language), FACTORY)?;
        Some((Ok(Event::default().data(said)), self))
    }

    /// True while the session goes on; looked at every few seconds. `None` if it cannot be looked at: what cannot be
    /// looked at is not believed, and the page, which is told nothing false either, asks again by itself.
    async fn goes_on(&mut self) -> Option<bool> {
        if self.looked.elapsed() < LOOK {
            return Some(true);
        }
        self.looked = Instant::now();
        match access::goes_on(&self.access, &self.deeds, &self.token_hash, &self.officer).await {
            Ok(goes_on) => Some(goes_on),
            Err(error) => {
                tracing::warn!(%error, "a stream of a factory ends: its session could not be looked at");
                None
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

/// A page that found no room asks again after so long.
const AGAIN: Duration = Duration::from_secs(15);
/// The session is looked at so often.
const LOOK: Duration = Duration::from_secs(5);
/// A stream that says nothing breathes so often, so that no proxy on the way takes it for dead.
const BREATH: Duration = Duration::from_secs(20);
