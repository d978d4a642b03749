//! The one listener: TLS 1.2 and 1.3, client certificates optional and verified against our own authority.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::Router;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::aws_lc_rs;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

use super::connection::Connection;
use super::proxy::{self, Beginning};
use super::seats::{Seat, Seats};
use super::{Limits, Network};
use crate::keys::{KeyStore, KeyStoreError, server_key};
use crate::web::{Origin, Peer, Standing};

/// A bound port, and what connections to it are served with.
pub struct TlsListener {
    address: SocketAddr,
    tcp: TcpListener,
    handshakes: Handshakes,
    limits: Arc<Limits>,
    trusted_proxies: Arc<[Network]>,
}

/// Shows where it listens.
impl std::fmt::Debug for TlsListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TlsListener({})", self.address)
    }
}

impl TlsListener {
    /// Binds the port. Client certificates shake hands for this `grace` after they ended: the gate lets them renew
    /// themselves, and do nothing else.
    ///
    /// # Errors
    /// [`ListenError`]
    pub async fn bind(
        address: SocketAddr,
        store: &KeyStore,
        limits: Limits,
        trusted_proxies: &[Network],
        grace: Duration,
    ) -> Result<Self, ListenError> {
        let handshakes = Handshakes::new(store, grace)?;
        let tcp = TcpListener::bind(address).await.map_err(|e| match e.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(address),
            io::ErrorKind::PermissionDenied => ListenError::Forbidden(address),
            _ => ListenError::Bind(address, e),
        })?;
        let address = tcp.local_addr().map_err(|e| ListenError::Bind(address, e))?;
        Ok(Self { address, tcp, handshakes, limits: Arc::new(limits), trusted_proxies: trusted_proxies.into() })
    }

    /// Where it listens: with the real port, if 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what is shown in handshakes, to be replaced while it serves.
    #[must_use]
    pub fn handshakes(&self) -> Handshakes {
        self.handshakes.clone()
    }

    /// Serves connections until `stop` says so; then lets requests under way finish. Each connection is a task of its
    /// own, so a slow client stops no other.
    pub async fn serve(self, router: Router, mut stop: watch::Receiver<bool>) {
        let seats = Seats::new((*self.limits).clone());
        let (open, mut closed) = mpsc::channel::<()>(1);
        let shared = Shared {
            handshakes: self.handshakes,
            limits: self.limits,
            trusted_proxies: self.trusted_proxies,
            seats,
            router,
            stop: stop.clone(),
            _open: open,
        };
        // A dropped sender is no request to stop: the handle was let go, and the service goes on.
        let mut stopped = Box::pin(async move {
            if stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        loop {
            tokio::select! {
                () = &mut stopped => break,
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, from)) => shared.clone().begin(stream, from.ip()),
                    Err(error) => {
                        // Out of files, for instance: it passes when connections end.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop((self.tcp, shared)); // frees the port
        let _ = closed.recv().await; // none is sent: returns when the last connection is gone
    }
}

/// Certificate and key that the service shows in handshakes, and whose certificates it takes. A connection
/// keeps what it began with.
#[derive(Clone)]
pub struct Handshakes {
    acceptor: Arc<RwLock<TlsAcceptor>>,
    grace: Duration,
}

/// Shows no key.
impl std::fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handshakes")
    }
}

impl Handshakes {
    fn new(store: &KeyStore, grace: Duration) -> Result<Self, ListenError> {
        let acceptor = TlsAcceptor::from(Arc::new(settings(store, grace)?));
        Ok(Self { acceptor: Arc::new(RwLock::new(acceptor)), grace })
    }

    /// Takes what the folder holds now, for every handshake from now on.
    ///
    /// # Errors
    /// [`ListenError`]; what there was stays then.
    pub fn reload(&self, store: &KeyStore) -> Result<(), ListenError> {
        let acceptor = TlsAcceptor::from(Arc::new(settings(store, self.grace)?));
        *self.acceptor.write().expect("the lock is held for a copy only") = acceptor;
        Ok(())
    }

    fn now(&self) -> TlsAcceptor {
        self.acceptor.read().expect("the lock is held for a copy only").clone()
    }
}

/// What every connection is served with.
#[derive(Clone)]
struct Shared {
    handshakes: Handshakes,
    limits: Arc<Limits>,
    trusted_proxies: Arc<[Network]>,
    seats: Seats,
    router: Router,
    stop: watch::Receiver<bool>,
    _open: mpsc::Sender<()>,
}

impl Shared {
    /// Serves a connection in a task of its own, if there is a seat.
    fn begin(self, stream: TcpStream, from: IpAddr) {
        let _ = stream.set_nodelay(true);
        if self.is_trusted(from) {
            tokio::spawn(async move {
                let announced = tokio::time::timeout(self.limits.handshake, announced(&stream)).await;
                let (mut stream, (length, source)) = match announced {
                    Ok(Ok(announced)) => (stream, announced),
                    Ok(Err(error)) => return tracing::warn!(%error, "a trusted proxy began with nonsense"),
                    Err(_) => return tracing::debug!("a trusted proxy said nothing"),
                };
                if stream.read_exact(&mut vec![0; length]).await.is_err() {
                    return;
                }
                // Without an announcement the proxy ends TLS itself and is the peer of many callers.
                let standing = Arc::new(Standing::new(source.is_none()));
                let origin = Origin::from(source.unwrap_or(from));
                if let Some(seat) = self.seats.take(origin, Arc::clone(&standing)) {
                    self.shake_hands(stream, origin, standing, seat, source.is_none()).await;
                }
            });
            return;
        }
        let (origin, standing) = (Origin::from(from), Arc::new(Standing::new(false)));
        match self.seats.take(origin, Arc::clone(&standing)) {
            Some(seat) => drop(tokio::spawn(self.shake_hands(stream, origin, standing, seat, false))),
            None => tracing::warn!("every seat is a known caller's: a connection was closed"),
        }
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }

    async fn shake_hands(self, stream: TcpStream, origin: Origin, standing: Arc<Standing>, seat: Seat, forwards: bool) {
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(self.limits.handshake, self.handshakes.now().accept(stream)) => shaken,
            () = seat.given_away() => return tracing::debug!("TLS handshake given up for another connection"),
        };
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake refused"),
            Err(_) => return tracing::debug!("TLS handshake given up"),
        };
        let session = stream.get_ref().1;
        let certificate = session.peer_certificates().and_then(<[_]>::first).map(|der| Sha256::digest(der).into());
        let http2 = session.alpn_protocol() == Some(b"h2");
        if let Some(certificate) = certificate {
            seat.shown(certificate);
        }
        let origin = certificate.map_or(origin, Origin::Certificate);
        standing.moved();
        let peer = Peer { certificate, origin, standing };
        let trusted = forwards.then_some(self.trusted_proxies);
        let connection = Connection { peer, seat, http2, trusted, limits: self.limits, router: self.router };
        connection.serve(stream, self.stop).await;
    }
}

/// Returns how many bytes a trusted proxy put before TLS, and the address that it names.
async fn announced(stream: &TcpStream) -> io::Result<(usize, Option<IpAddr>)> {
    let mut bytes = [0; proxy::LONGEST];
    loop {
        let length = stream.peek(&mut bytes).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match proxy::beginning(&bytes[..length]) {
            Ok(Beginning::Announced(length, source)) => return Ok((length, source)),
            Ok(Beginning::NoHeader) => return Ok((0, None)),
            // What was looked at stays in the socket, so there is no waking for what comes after it.
            Ok(Beginning::Incomplete) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
}

/// Takes a client certificate that has ended for a while longer. Everything else is judged by the library.
#[derive(Debug)]
struct Graceful {
    verifier: Arc<dyn ClientCertVerifier>,
    grace: Duration,
}

impl ClientCertVerifier for Graceful {
    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let judged = self.verifier.verify_client_cert(certificate, intermediates, now);
        match &judged {
            Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }))
                if now.as_secs().saturating_sub(not_after.as_secs()) <= self.grace.as_secs() =>
            {
                self.verifier.verify_client_cert(certificate, intermediates, *not_after)
            }
            _ => judged,
        }
    }

    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn settings(store: &KeyStore, grace: Duration) -> Result<ServerConfig, ListenError> {
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
        .with_client_cert_verifier(Arc::new(Graceful { verifier, grace }))
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
