//! A small mail server that speaks SMTP in earnest (RFC 5321, STARTTLS, AUTH), and does with each message what a test
//! wants.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the server does with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Does {
    /// Answers this step (`mail`, `rcpt`, `data`, `message`) with a number, and has not taken it.
    Answers(&'static str, u16),
    /// Takes it, and cuts the line before it answers.
    CutsAfterData,
    /// Takes it, and never answers.
    IsSilentAfterData,
    /// Answers the recipient with a line that has no end, as long as the client listens.
    NeverEndsALine,
    /// Takes it and answers.
    Takes,
}

/// How its lines are protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Line {
    Plain,
    Starttls,
    /// With words behind the answer to STARTTLS, before the handshake, as an attacker on the line puts them there.
    StarttlsWithWords,
    Implicit,
}

/// A message that the server took.
#[derive(Clone, Debug)]
pub struct Got {
    pub to: String,
    /// The message as it came, with its header.
    pub text: String,
    pub over_tls: bool,
    /// Name and password, if the client said them.
    pub account: Option<String>,
}

impl Got {
    /// A field of the header, on one line.
    pub fn field(&self, name: &str) -> String {
        let head = self.text.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default();
        line.to_owned()
    }

    /// The text, decoded.
    pub fn body(&self) -> String {
        let body = self.text.split_once("\r\n\r\n").unwrap().1;
        match self.field("Content-Transfer-Encoding").as_str() {
            "base64" => {
                let compact: String = body.split_whitespace().collect();
                String::from_utf8(STANDARD.decode(compact).unwrap()).unwrap()
            }
            "quoted-printable" => unquoted(body),
            _ => body.to_owned(),
        }
    }
}

fn unquoted(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        if *first == b'=' && after.len() >= 2 {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    /// The certificate that clients must know, PEM.
    pub roots: PathBuf,
    got: Arc<Mutex<Vec<Got>>>,
    plan: Arc<Mutex<VecDeque<Does>>>,
    /// Bytes of lines without an end that clients took.
    endless: Arc<Mutex<usize>>,
    line: Line,
    _folder: Arc<tempfile::TempDir>,
}

impl Server {
    /// Begins to listen. Messages beyond the plan are taken.
    pub async fn begin(line: Line, plan: &[Does]) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let roots = folder.path().join("roots.pem");
        std::fs::write(&roots, made.cert.pem()).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            roots,
            got: Arc::default(),
            plan: Arc::new(Mutex::new(plan.iter().copied().collect())),
            endless: Arc::default(),
            line,
            _folder: Arc::new(folder),
        };
        let listens = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, acceptor) = (listens.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if server.line == Line::Implicit {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        server.talks(stream, true, true).await;
                    } else if let Some(stream) = server.talks(stream, true, false).await {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        server.talks(stream, false, true).await;
                    }
                });
            }
        });
        server
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Bytes of lines without an end that clients took.
    pub fn endless(&self) -> usize {
        *self.endless.lock().unwrap()
    }

    /// Holds a conversation. Returns the line if TLS is to begin on it.
    async fn talks<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, greets: bool, over_tls: bool) -> Option<S> {
        let mut stream = BufReader::new(stream);
        if greets {
            stream.write_all(b"220 post.example ESMTP\r\n").await.ok()?;
        }
        let (mut does, mut to, mut account) = (Does::Takes, String::new(), None);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let verb = line.trim_end().to_uppercase();
            let said = |step: &str, good: &str| match does {
                Does::Answers(at, number) if at == step => format!("{number} mau@example.vn is not here\r\n"),
                _ => format!("{good}\r\n"),
            };
            let answer = if verb.starts_with("EHLO") {
                let starttls = matches!(self.line, Line::Starttls | Line::StarttlsWithWords);
                let offers = if starttls && !over_tls { "250-STARTTLS\r\n" } else { "" };
                format!("250-post.example\r\n250-8BITMIME\r\n{offers}250 AUTH PLAIN LOGIN\r\n")
            } else if verb == "STARTTLS" {
                let words = if self.line == Line::Starttls { "" } else { "250-evil.example\r\n250 AUTH PLAIN\r\n" };
                stream.write_all(format!("220 go ahead\r\n{words}").as_bytes()).await.ok()?;
                return Some(stream.into_inner());
            } else if verb.starts_with("AUTH PLAIN ") {
                let plain = STANDARD.decode(line.trim_end().rsplit(' ').next().unwrap()).unwrap();
                account = Some(String::from_utf8(plain).unwrap().trim_start_matches('\0').replace('\0', ":"));
                "235 welcome\r\n".to_owned()
            } else if verb.starts_with("MAIL FROM:") {
                does = self.plan.lock().unwrap().pop_front().unwrap_or(Does::Takes);
                match does {
                    Does::Answers("mail", number) => format!("{number} not from you\r\n"),
                    _ => "250 ok\r\n".to_owned(),
                }
            } else if verb.starts_with("RCPT TO:") {
                to = line.split(['<', '>']).nth(1).unwrap().to_owned();
                if does == Does::NeverEndsALine {
                    loop {
                        stream.write_all(&[b'2'; 4096]).await.ok()?;
                        *self.endless.lock().unwrap() += 4096;
                    }
                }
                said("rcpt", "250 ok")
            } else if verb == "DATA" {
                let answer = said("data", "354 go ahead");
                stream.write_all(answer.as_bytes()).await.ok()?;
                if !answer.starts_with("354") {
                    continue;
                }
                let text = message(&mut stream).await?;
                if !matches!(does, Does::Answers(..)) {
                    let got = Got { to: to.clone(), text, over_tls, account: account.clone() };
                    self.got.lock().unwrap().push(got);
                }
                match does {
                    Does::CutsAfterData => return None,
                    Does::IsSilentAfterData => std::future::pending().await,
                    _ => said("message", "250 taken"),
                }
            } else if verb == "QUIT" {
                let _ = stream.write_all(b"221 bye\r\n").await;
                return None;
            } else {
                "500 what?\r\n".to_owned()
            };
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }
}

/// Reads a message up to its dot.
async fn message<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line == ".\r\n" {
            return Some(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
