//! The one listener: TLS 1.2 and 1.3, client certificates optional and verified against our own authority.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::access::Peer;
use crate::keys::{KeyStore, KeyStoreError, server_key};

/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once: more wait in the kernel's queue.
const HANDSHAKES: usize = 256;
/// Connections at once, so that a process that may open 1024 files keeps some for the database.
const CONNECTIONS: usize = 800;
/// A connection on which nothing moves is closed: longer than any request takes.
const IDLE: Duration = Duration::from_secs(75);

/// Accepts connections whose handshake is done. Handshakes happen in tasks of their own, so a
/// slow client stops no other.
#[derive(Debug)]
pub struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(Connection, SocketAddr)>,
    accepting: tokio::task::JoinHandle<()>,
}

impl TlsListener {
    /// Binds, and begins to accept.
    ///
    /// # Errors
    /// [`ListenError`]
    pub async fn bind(address: SocketAddr, store: &KeyStore) -> Result<Self, ListenError> {
        Self::bind_with(address, store, IDLE).await
    }

    /// As [`bind`](Self::bind), with another patience for connections on which nothing moves.
    ///
    /// # Errors
    /// [`ListenError`]
    pub async fn bind_with(address: SocketAddr, store: &KeyStore, idle: Duration) -> Result<Self, ListenError> {
        let acceptor = TlsAcceptor::from(Arc::new(settings(store)?));
        let tcp = TcpListener::bind(address).await.map_err(|e| match e.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(address),
            io::ErrorKind::PermissionDenied => ListenError::Forbidden(address),
            _ => ListenError::Bind(address, e),
        })?;
        let address = tcp.local_addr().map_err(|e| ListenError::Bind(address, e))?;
        let (done, ready) = mpsc::channel(64);
        let accepting = tokio::spawn(accept(tcp, acceptor, idle, done));
        Ok(Self { address, ready, accepting })
    }

    /// Where it listens: with the real port, if 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort(); // frees the port
    }
}

impl Listener for TlsListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await, // the task only ends with us
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that is closed when nothing moved on it for a while, and gives its seat back when it ends. A client
/// that shakes hands and then says nothing, or never reads the answer, does not keep others out.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    idle: Duration,
    until: Pin<Box<Sleep>>,
    _seat: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TlsStream<TcpStream>, idle: Duration, seat: OwnedSemaphorePermit) -> Self {
        Self { stream, idle, until: Box::pin(tokio::time::sleep(idle)), _seat: seat }
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

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(context, into);
        self.watched(context, moved)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(context, bytes);
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

async fn accept(tcp: TcpListener, acceptor: TlsAcceptor, idle: Duration, done: mpsc::Sender<(Connection, SocketAddr)>) {
    let (turns, seats) = (Arc::new(Semaphore::new(HANDSHAKES)), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let seat = Arc::clone(&seats).acquire_owned().await.expect("the semaphore is never closed");
        let turn = Arc::clone(&turns).acquire_owned().await.expect("the semaphore is never closed");
        let (stream, from) = match tcp.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                // Out of files, for instance: it passes when connections end.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let (acceptor, done) = (acceptor.clone(), done.clone());
        tokio::spawn(async move {
            let _turn = turn;
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => drop(done.send((Connection::new(stream, idle, seat), from)).await),
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake refused"),
                Err(_) => tracing::debug!("TLS handshake given up"),
            }
        });
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        let (_, session) = stream.io().stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        Self { certificate: certificate.map(|der| Sha256::digest(der).into()) }
    }
}

fn settings(store: &KeyStore) -> Result<ServerConfig, ListenError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certificates = |name: &'static str| -> Result<Vec<CertificateDer<'static>>, ListenError> {
        CertificateDer::pem_slice_iter(&store.public(name)?)
            .collect::<Result<_, _>>()
            .map_err(|_| ListenError::Malformed(name))
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates("tls-ca.pem")? {
        roots.add(authority).map_err(|_| ListenError::Malformed("tls-ca.pem"))?;
    }
    // Optional: officers come without one. What a station may do is decided request by request, in the gate.
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|_| ListenError::Malformed("tls-ca.pem"))?;
    let chain = certificates("server.pem")?;
    let certificate = chain.first().ok_or(ListenError::Malformed("server.pem"))?;
    let key = PrivatePkcs8KeyDer::from(server_key(store, certificate)?.to_vec());
    let mut settings = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key.into())?;
    settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(settings)
}

/// Why the service does not listen. Each says what to do.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Anything else about the address.
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, io::Error),
    /// A port that needs a privilege.
    #[error("not allowed to listen on {0}: choose a port above 1023 with --listen")]
    Forbidden(SocketAddr),
    /// Another program listens there.
    #[error("{0} is in use: another service runs there; stop it, or choose another address with --listen")]
    InUse(SocketAddr),
    /// Not what the file should hold.
    #[error("{0} does not hold what it should")]
    Malformed(&'static str),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The library.
    #[error("TLS settings: {0}")]
    Tls(#[from] rustls::Error),
}
