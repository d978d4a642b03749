//! One connection, from the end of its handshake to its own end: HTTP/1.1 or HTTP/2 with limits and deadlines.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::frames::Frames;
use super::seats::Seat;
use super::{Limits, Network, proxy};
use crate::web::{Origin, Peer, Standing};

/// A connection whose handshake is done.
pub(super) struct Connection {
    pub(super) peer: Peer,
    pub(super) seat: Seat,
    pub(super) http2: bool,
    /// Set if the peer is a proxy that ends TLS itself: `Forwarded` then names the caller, request by request.
    pub(super) trusted: Option<Arc<[Network]>>,
    pub(super) limits: Arc<Limits>,
    pub(super) router: Router,
}

impl Connection {
    /// Serves requests until the other side closes, patience ends, the seat is given away or the service stops.
    pub(super) async fn serve(self, stream: TlsStream<TcpStream>, mut stop: watch::Receiver<bool>) {
        let Self { peer, seat, http2, trusted, limits, router } = self;
        let (standing, router) = (Arc::clone(&peer.standing), TowerToHyperService::new(router));
        let io = TokioIo::new(Watched::new(stream, limits.idle, Arc::clone(&standing), http2));
        let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
            let under_way = peer.standing.request();
            let mut request = request.map(Body::new);
            let mut peer = peer.clone();
            if let Some(trusted) = &trusted
                && let Some(address) = proxy::forwarded_for(request.headers(), trusted)
            {
                peer.origin = Origin::from(address);
            }
            request.extensions_mut().insert(ConnectInfo(peer));
            let answered = router.call(request);
            async move {
                let answered: Result<Response, Infallible> = answered.await;
                drop(under_way);
                answered
            }
        });
        let builder = builder(http2, standing.is_known(), &limits);
        let mut connection = pin!(builder.serve_connection(io, answer));
        let mut patience = tokio::time::interval(limits.stranger_patience / 8);
        let (mut stopping, mut leaving) = (false, None::<Instant>);
        loop {
            tokio::select! {
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::trace!(%error, "a connection ended");
                    }
                    return;
                }
                () = seat.given_away() => return,
                stopped = stop.wait_for(|stop| *stop), if !stopping => {
                    stopping = true;
                    if stopped.is_ok() {
                        connection.as_mut().graceful_shutdown();
                    }
                }
                _ = patience.tick() => match leaving {
                    // The farewell of TLS had its time, and so had the last answer.
                    Some(since) if since.elapsed() > FAREWELL && standing.quiet() > limits.stranger_patience => return,
                    None if limits.is_overdue(&standing) => {
                        leaving = Some(Instant::now());
                        connection.as_mut().graceful_shutdown();
                    }
                    Some(_) | None => {}
                },
            }
        }
    }
}

impl Limits {
    /// True if a connection has been quiet for too long, or is too old for a stranger's.
    fn is_overdue(&self, standing: &Standing) -> bool {
        !standing.is_known() && (standing.quiet() > self.stranger_patience || standing.age() > self.stranger_lifetime)
    }
}

/// Returns the library's server with our limits. The bytes that it takes ahead of a handler are few, fewer still where
/// no certificate was shown.
fn builder(http2: bool, known: bool, limits: &Limits) -> Builder<TokioExecutor> {
    // By what TLS agreed on: guessing from the first bytes would wait for them without a deadline.
    let mut builder = Builder::new(TokioExecutor::new());
    builder = if http2 { builder.http2_only() } else { builder.http1_only() };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(64)
        .max_buf_size(limits.head_bytes as usize)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_WAITS)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.head_bytes)
        .max_send_buf_size(64 * 1024)
        .initial_stream_window_size(if known { MIB } else { 64 * 1024 })
        .initial_connection_window_size(if known { 2 * MIB } else { 128 * 1024 });
    builder
}

/// A connection that is to end may take so long to say so.
const FAREWELL: Duration = Duration::from_secs(1);
const MIB: u32 = 1024 * 1024;
/// An HTTP/2 connection on which nothing moves is asked after so long whether the other side is there …
const PING_AFTER: Duration = Duration::from_secs(20);
/// … and closed when it has not answered after so long.
const PING_WAITS: Duration = Duration::from_secs(20);

/// A stream that fails when nothing moved on it for a while: a client that never reads the answer does not keep its
/// seat. Answers that go out count as useful movement; what comes in does not, since any byte would. It fails too when
/// a stranger sends frames of HTTP/2 without end that ask for nothing.
struct Watched {
    stream: TlsStream<TcpStream>,
    idle: Duration,
    until: Pin<Box<Sleep>>,
    standing: Arc<Standing>,
    /// Of HTTP/2, until the caller is known.
    frames: Option<Frames>,
}

impl Watched {
    fn new(stream: TlsStream<TcpStream>, idle: Duration, standing: Arc<Standing>, http2: bool) -> Self {
        let frames = http2.then(|| Frames::new(std::time::Instant::now()));
        Self { stream, idle, until: Box::pin(tokio::time::sleep(idle)), standing, frames }
    }

    /// Counts the frames that came in from a stranger.
    fn counted(&mut self, came: &[u8]) -> io::Result<()> {
        if self.standing.is_known() {
            self.frames = None;
        }
        let Some(frames) = &mut self.frames else { return Ok(()) };
        if frames.came(came, std::time::Instant::now()) {
            return Ok(());
        }
        tracing::debug!("frames of HTTP/2 that ask for nothing: a connection was closed");
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    /// What moved starts the time anew; when it is up the connection ends.
    fn watched<T>(&mut self, context: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            let until = Instant::now() + self.idle;
            self.until.as_mut().reset(until);
            return moved;
        }
        self.until.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let mut moved = Pin::new(&mut self.stream).poll_read(context, into);
        if matches!(moved, Poll::Ready(Ok(()))) {
            moved = Poll::Ready(self.counted(&into.filled()[before..]));
        }
        self.watched(context, moved)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = moved
            && written > AN_ACKNOWLEDGEMENT
        {
            self.standing.moved();
            if let Some(frames) = &mut self.frames {
                frames.went(written);
            }
        }
        self.watched(context, moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A flush alone does not reset the idle timer.
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Pending => self.watched(context, Poll::Pending),
            done @ Poll::Ready(_) => done,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Pending => self.watched(context, Poll::Pending),
            done @ Poll::Ready(_) => done,
        }
    }
}

/// Answers to pings and settings of HTTP/2 are shorter, and no useful movement.
const AN_ACKNOWLEDGEMENT: usize = 64;
