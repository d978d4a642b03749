//! Clients that do what no library does: half a head, a body without end, a header before TLS.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A place to connect to. Clones share their settings, so that an attacker is cheap.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    settings: Arc<ClientConfig>,
}

impl Target {
    pub fn new(address: SocketAddr, data: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(data.join("tls-ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let settings = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Self { address, settings: Arc::new(settings.with_root_certificates(roots).with_no_client_auth()) }
    }

    /// Connects from this address of the loopback interface, says `before`, and shakes hands.
    pub async fn connect(&self, from: &str, before: &[u8], protocol: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from.parse::<IpAddr>().unwrap(), 0))?;
        let mut stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(before).await?;
        let mut settings = (*self.settings).clone();
        settings.alpn_protocols = vec![protocol.to_vec()];
        TlsConnector::from(Arc::new(settings)).connect(ServerName::from(self.address.ip()), stream).await
    }

    /// Asks once over HTTP/1.1. Returns status, head and body of the answer.
    pub async fn asks(&self, from: &str, before: &[u8], head: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect(from, before, b"http/1.1").await.unwrap();
        let request = format!("{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        (status, answer)
    }

    /// Sends a sign-in with a wrong password, and does not mind what becomes of it.
    pub async fn guesses_somehow(&self, from: &str, name: &str) -> std::io::Result<()> {
        let mut stream = self.connect(from, b"", b"http/1.1").await?;
        let body = format!(r#"{{"username":"{name}","password":"wrong wrong wrong"}}"#);
        let head = format!("POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await?;
        stream.read_exact(&mut [0; 12]).await.map(drop)
    }

    /// Signs in with a wrong password. Returns status and answer.
    pub async fn guesses(&self, from: &str, before: &[u8], more: &str, name: &str) -> (u16, String) {
        let body = format!(r#"{{"username":"{name}","password":"wrong wrong wrong"}}"#);
        self.asks(from, before, &format!("POST /api/v1/sessions HTTP/1.1{more}"), &body).await
    }
}

/// What became of bodies without end on one connection of HTTP/2.
#[derive(Debug, Default)]
pub struct Endless {
    /// Bytes of bodies that were taken.
    pub sent: usize,
    /// Streams that the service answered or reset.
    pub ended: usize,
}

/// Opens so many streams to the sign-in on one connection, and sends each a body of `length` bytes, as far as the
/// service's windows allow, without ever ending one; goes on until `patience` is over or the connection is closed.
pub async fn endless_bodies(target: &Target, streams: u32, length: usize, patience: std::time::Duration) -> Endless {
    let mut story = Endless::default();
    let Ok(stream) = target.connect("127.0.0.9", b"", b"h2").await else { return story };
    let _ = tokio::time::timeout(patience, send_endless(stream, streams, length, &mut story)).await;
    story
}

async fn send_endless(
    mut stream: TlsStream<TcpStream>,
    streams: u32,
    length: usize,
    story: &mut Endless,
) -> std::io::Result<()> {
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    // :method POST, :scheme https, :path and :authority as literals (RFC 7541, 6.2.2).
    let mut head = vec![0x83, 0x87, 0x04, 13];
    head.extend(b"/api/v1/sessions");
    head.extend([0x01, 1, b'x']);
    let mut open: BTreeMap<u32, (usize, i64)> = BTreeMap::new();
    for number in 0..streams {
        open.insert(2 * number + 1, (length, 65_535));
        stream.write_all(&frame(HEADERS, END_HEADERS, 2 * number + 1, &head)).await?;
    }
    let mut window = 65_535_i64;
    let mut initial = 65_535_i64;
    loop {
        for (id, (left, own)) in &mut open {
            let room = usize::try_from(window.min(*own)).unwrap_or_default().min(*left).min(16_384);
            if room > 0 {
                stream.write_all(&frame(DATA, 0, *id, &vec![b' '; room])).await?;
                window -= i64::try_from(room).unwrap();
                *own -= i64::try_from(room).unwrap();
                *left -= room;
                story.sent += room;
            }
        }
        let can_send = window > 0 && open.values().any(|(left, own)| *left > 0 && *own > 0);
        if can_send {
            tokio::task::yield_now().await;
            continue;
        }
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await?;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        match (head[3], head[4]) {
            (SETTINGS, 0) => {
                for setting in payload.chunks_exact(6).filter(|setting| setting[..2] == [0, 4]) {
                    let new = i64::from(u32::from_be_bytes(setting[2..].try_into().unwrap()));
                    for (_, own) in open.values_mut() {
                        *own += new - initial;
                    }
                    initial = new;
                }
                stream.write_all(&frame(SETTINGS, 1, 0, &[])).await?;
            }
            (WINDOW_UPDATE, _) => {
                let more = i64::from(u32::from_be_bytes(payload[..4].try_into().unwrap()));
                match open.get_mut(&id) {
                    Some((_, own)) => *own += more,
                    None if id == 0 => window += more,
                    None => {}
                }
            }
            (HEADERS | RESET, _) => {
                story.ended += usize::from(open.remove(&id).is_some());
            }
            _ => {}
        }
    }
}

/// A frame of HTTP/2 (RFC 9113, 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const RESET: u8 = 3;
pub const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const END_HEADERS: u8 = 4;
