//! The HTTP server of the page: which requests are let in, and what is sent.
//!
//! ```text
//! GET  /SECRET/              the page
//! GET  /SECRET/events        its parts, again whenever they change (server-sent events)
//! GET  /SECRET/kiosk.js      its script
//! GET  /SECRET/portrait/N    the portrait of visit N, while it is shown
//! POST /SECRET/key           what was typed or scanned
//! POST /SECRET/again | done | here | report
//! GET  /assets/NAME          stylesheet and fonts
//! ```

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use pages::Nonce;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use zeroize::Zeroizing;

use super::hall::{Act, Event};
use super::screen::{Face, Screen};
use super::view::{Look, View};
use crate::ambient;
use crate::failure::{Code, Failure, Language};
use crate::session::Stop;

pub(super) struct Door {
    /// The hosts that a request may name.
    hosts: [String; 2],
    secret: String,
    look: Look,
    screens: watch::Receiver<Arc<Screen>>,
    events: Sender<Event>,
}

impl Door {
    /// `address` is that of the page: `http://127.0.0.1:PORT/SECRET/`.
    pub(super) fn new(address: &str, look: Look, screens: watch::Receiver<Arc<Screen>>, events: Sender<Event>) -> Self {
        let mut parts = address.trim_start_matches("http://").trim_end_matches('/').split('/');
        let host = parts.next().unwrap_or_default().to_owned();
        let secret = parts.next().unwrap_or_default().to_owned();
        let named = host.replacen("127.0.0.1", "localhost", 1);
        Self { hosts: [host, named], secret, look, screens, events }
    }

    /// Serves until the program is asked to stop.
    ///
    /// # Errors
    /// [`Code::OutputUnusable`], if the server cannot be started.
    pub(super) fn serve(self, listener: std::net::TcpListener, stop: &Stop) -> Result<(), Failure> {
        let unusable = |e: std::io::Error| Failure::new(Code::OutputUnusable, format!("the page: {e}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unusable)?;
        let door = Arc::new(self);
        let served = runtime.block_on(async {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
            while !stop.requested() {
                let Ok(accepted) = tokio::time::timeout(LOOK, listener.accept()).await else { continue };
                let Ok((stream, _)) = accepted else {
                    // Too many files are open: those that are end by themselves.
                    tokio::time::sleep(LOOK).await;
                    continue;
                };
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                let door = Arc::clone(&door);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let door = Arc::clone(&door);
                        async move { Ok::<_, Infallible>(door.answers(request).await) }
                    });
                    let mut server = http1::Builder::new();
                    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
                    // An error is a browser that went away.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                    drop(place);
                });
            }
            Ok(())
        });
        // Open pages are not waited for.
        runtime.shutdown_background();
        served.map_err(unusable)
    }

    async fn answers(&self, request: Request<Incoming>) -> Response<Answer> {
        if let Err(refused) = self.may_come_in(request.method(), request.headers()) {
            return plain(refused);
        }
        let path = request.uri().path().trim_start_matches('/').to_owned();
        if let Some(asset) = path.strip_prefix("assets/").and_then(pages::asset)
            && request.method() == Method::GET
        {
            let mut answer = whole(StatusCode::OK, asset.media_type, Bytes::from_static(&asset.bytes));
            let kept = HeaderValue::from_static(pages::Asset::CACHE_CONTROL);
            answer.headers_mut().insert(header::CACHE_CONTROL, kept);
            return answer;
        }
        // Browsers ask for it by themselves.
        if path == "favicon.ico" {
            return whole(StatusCode::NO_CONTENT, "image/x-icon", Bytes::new());
        }
        let Some((secret, rest)) = path.split_once('/') else { return plain(StatusCode::NOT_FOUND) };
        if !self.is_secret(secret) {
            return plain(StatusCode::NOT_FOUND);
        }
        match (request.method(), rest) {
            (&Method::GET, "") => self.page(language(&request, self.look.first)),
            (&Method::GET, "events") => self.stream(language(&request, self.look.first)),
            (&Method::GET, "kiosk.js") => {
                whole(StatusCode::OK, "text/javascript; charset=utf-8", Bytes::from_static(SCRIPT.as_bytes()))
            }
            (&Method::GET, rest) if rest.starts_with("portrait/") => self.portrait(&rest["portrait/".len()..]),
            (&Method::POST, "key") => self.is_typed(request).await,
            (&Method::POST, "again") => self.acts(Act::Again),
            (&Method::POST, "done") => self.acts(Act::Done),
            (&Method::POST, "here") => self.acts(Act::Here),
            (&Method::POST, "report") => self.acts(Act::Report),
            _ => plain(StatusCode::NOT_FOUND),
        }
    }

    /// Compares in a time that does not tell where two secrets differ.
    fn is_secret(&self, named: &str) -> bool {
        named.as_bytes().ct_eq(self.secret.as_bytes()).into()
    }

    /// Refuses what names another host (a name that was bound anew to this machine), and what a page of another site
    /// sends.
    fn may_come_in(&self, method: &Method, headers: &HeaderMap) -> Result<(), StatusCode> {
        let one = |name: HeaderName| {
            let mut all = headers.get_all(name).iter();
            (all.next().map(HeaderValue::as_bytes), all.next().is_none())
        };
        let is_ours = |host: &[u8]| self.hosts.iter().any(|own| own.as_bytes() == host);
        match one(header::HOST) {
            (Some(host), true) if is_ours(host) => {}
            _ => return Err(StatusCode::MISDIRECTED_REQUEST),
        }
        let site = one(HeaderName::from_static("sec-fetch-site"));
        let (origin, is_one) = one(header::ORIGIN);
        let is_own_origin = |origin: &[u8]| origin.strip_prefix(b"http://").is_some_and(is_ours);
        let is_from_here = match *method {
            // An address that was typed, or given to the browser at its start, has no site.
            Method::GET => matches!(site, (None | Some(b"same-origin" | b"none"), true)),
            Method::POST => {
                matches!(site, (None | Some(b"same-origin"), true)) && is_one && origin.is_some_and(is_own_origin)
            }
            _ => return Err(StatusCode::METHOD_NOT_ALLOWED),
        };
        if is_from_here { Ok(()) } else { Err(StatusCode::FORBIDDEN) }
    }

    fn page(&self, first: Language) -> Response<Answer> {
        let nonce = Nonce::of(ambient::random());
        let screen = Arc::clone(&self.screens.borrow());
        let html = View::new(&screen, &self.look, first).page(nonce.as_str());
        let mut answer = whole(StatusCode::OK, "text/html; charset=utf-8", Bytes::from(html));
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; font-src 'self'; \
             connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types kiosk"
        );
        let policy = HeaderValue::from_str(&policy).expect("hexadecimal digits are a header");
        answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        answer
    }

    /// Sends the parts of the page now and whenever they change, for as long as the browser listens.
    fn stream(&self, first: Language) -> Response<Answer> {
        let (sender, receiver) = mpsc::channel(4);
        let (mut screens, look) = (self.screens.clone(), self.look.clone());
        tokio::spawn(async move {
            loop {
                let screen = Arc::clone(&screens.borrow_and_update());
                let parts = View::new(&screen, &look, first).parts();
                drop(screen);
                if sender.send(Bytes::from(format!("data: {parts}\n\n"))).await.is_err() {
                    return;
                }
                loop {
                    match tokio::time::timeout(ALIVE, screens.changed()).await {
                        Ok(Ok(())) => break,
                        Ok(Err(_)) => return,
                        // Finds out that the browser has gone.
                        Err(_) if sender.send(Bytes::from_static(b":\n\n")).await.is_err() => return,
                        Err(_) => {}
                    }
                }
            }
        });
        with_headers(Response::new(Answer::Events(receiver)), "text/event-stream")
    }

    fn portrait(&self, visit: &str) -> Response<Answer> {
        let screen = Arc::clone(&self.screens.borrow());
        let picture = match &screen.face {
            Face::Shown(shown) if shown.visit.to_string() == visit => {
                shown.person.as_ref().and_then(|person| person.portrait.clone())
            }
            _ => None,
        };
        match picture {
            Some(png) => whole(StatusCode::OK, "image/png", Bytes::from(png)),
            None => plain(StatusCode::NOT_FOUND),
        }
    }

    async fn is_typed(&self, request: Request<Incoming>) -> Response<Answer> {
        let read = tokio::time::timeout(PATIENCE, Limited::new(request.into_body(), MOST_TYPED).collect()).await;
        let Ok(Ok(read)) = read else { return plain(StatusCode::PAYLOAD_TOO_LARGE) };
        match String::from_utf8(read.to_bytes().to_vec()) {
            Ok(text) => self.tells(Event::Typed(Zeroizing::new(text))),
            Err(_) => plain(StatusCode::BAD_REQUEST),
        }
    }

    fn acts(&self, act: Act) -> Response<Answer> {
        self.tells(Event::Act(act))
    }

    fn tells(&self, event: Event) -> Response<Answer> {
        match self.events.send(event) {
            Ok(()) => whole(StatusCode::NO_CONTENT, "text/plain", Bytes::new()),
            Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// Returns the first language of an answer: that of `?lang=`, or of the kiosk.
fn language(request: &Request<Incoming>, otherwise: Language) -> Language {
    let query = request.uri().query().unwrap_or_default();
    query.strip_prefix("lang=").and_then(|tag| tag.parse().ok()).unwrap_or(otherwise)
}

/// What is sent: at once, or piece after piece.
enum Answer {
    Events(mpsc::Receiver<Bytes>),
    Whole(Option<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Events(receiver) => receiver.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }
}

/// Returns an answer without content.
fn plain(status: StatusCode) -> Response<Answer> {
    whole(status, "text/plain; charset=utf-8", Bytes::from(status.canonical_reason().unwrap_or_default()))
}

fn whole(status: StatusCode, media_type: &'static str, bytes: Bytes) -> Response<Answer> {
    let mut answer = Response::new(Answer::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())));
    *answer.status_mut() = status;
    with_headers(answer, media_type)
}

fn with_headers(mut answer: Response<Answer>, media_type: &'static str) -> Response<Answer> {
    for (name, value) in [
        ("content-type", media_type),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        // Nothing that is no page of ours runs or loads anything, whatever it is taken for.
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ] {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    answer
}

const SCRIPT: &str = include_str!("kiosk.js");
/// Browsers hold six connections or so each.
const MOST_CONNECTIONS: usize = 64;
/// What is typed at once, in bytes: an MRZ of 90 characters in UTF-8 with line breaks, a code of some hundred.
const MOST_TYPED: usize = 4096;
/// How long the head of a request, and what was typed, is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a page that shows nothing new is spoken to.
const ALIVE: Duration = Duration::from_secs(15);
/// How often it is looked whether the program is to stop.
const LOOK: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kiosk::page::hall::State;

    fn door() -> Door {
        let state = State::new(Err(Failure::new(Code::TrustBundleUnusable, "none")));
        let (_, screens) = watch::channel(Arc::new(state.screen(0)));
        let look = Look::plain();
        Door::new("http://127.0.0.1:8377/5ec2e7/", look, screens, std::sync::mpsc::channel().0)
    }

    fn judged(method: &Method, headers: &[(&'static str, &'static str)]) -> Result<(), u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        door().may_come_in(method, &map).map_err(|status| status.as_u16())
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:8377");
    const OWN: (&str, &str) = ("origin", "http://127.0.0.1:8377");

    #[test]
    fn a_request_names_this_host_and_no_other() {
        assert_eq!(judged(&Method::GET, &[HERE]), Ok(()));
        assert_eq!(judged(&Method::GET, &[("host", "localhost:8377")]), Ok(()));
        for host in ["evil.example:8377", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8377.evil.example", "[::1]:8377", ""]
        {
            assert_eq!(judged(&Method::GET, &[("host", host)]), Err(421), "{host}");
        }
        assert_eq!(judged(&Method::GET, &[]), Err(421));
        assert_eq!(judged(&Method::GET, &[HERE, HERE]), Err(421), "two are none");
    }

    #[test]
    fn a_page_of_another_site_can_neither_read_nor_act() {
        for site in ["cross-site", "same-site"] {
            assert_eq!(judged(&Method::GET, &[HERE, ("sec-fetch-site", site)]), Err(403), "{site}");
            assert_eq!(judged(&Method::POST, &[HERE, OWN, ("sec-fetch-site", site)]), Err(403), "{site}");
        }
        assert_eq!(judged(&Method::GET, &[HERE, ("sec-fetch-site", "none")]), Ok(()), "typed");
        assert_eq!(judged(&Method::POST, &[HERE, OWN, ("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(judged(&Method::POST, &[HERE, OWN, ("sec-fetch-site", "none")]), Err(403));
        assert_eq!(judged(&Method::POST, &[HERE]), Err(403), "no origin");
        for origin in ["null", "http://evil.example", "https://127.0.0.1:8377", "http://127.0.0.1:8378"] {
            assert_eq!(judged(&Method::POST, &[HERE, ("origin", origin)]), Err(403), "{origin}");
        }
        assert_eq!(judged(&Method::POST, &[HERE, OWN, OWN]), Err(403), "two are none");
        assert_eq!(judged(&Method::PUT, &[HERE, OWN]), Err(405));
    }

    #[test]
    fn only_the_whole_secret_is_the_secret() {
        assert!(door().is_secret("5ec2e7"));
        for other in ["", "5ec2e", "5ec2e77", "5ec2e8", "6ec2e7"] {
            assert!(!door().is_secret(other), "{other}");
        }
    }
}
