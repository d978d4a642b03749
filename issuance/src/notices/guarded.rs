//! The line to the mail server, as far as the library for SMTP does not guard it: an answer has a bound, and no word
//! that came before the handshake of STARTTLS is believed (RFC 3207, section 4.2; CVE-2011-0411 and its kind).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{AsyncRead as _, AsyncWrite as _};
use lettre::transport::smtp::Error as SmtpError;
#[expect(deprecated, reason = "the library has no other way to a conversation over TLS on a stream of ours")]
use lettre::transport::smtp::client::AsyncNetworkStream;
use lettre::transport::smtp::client::{AsyncTokioStream, TlsParameters};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, ToSocketAddrs};

/// A connection whose other side may say only so much before we speak again.
#[derive(Debug)]
pub(super) struct Guarded {
    stream: TcpStream,
    /// Bytes that came since we spoke last.
    heard: usize,
    handshake: Handshake,
}

/// How far a conversation is with STARTTLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Handshake {
    /// It was not asked for.
    No,
    /// It was asked for; the answer is one line, and nothing comes behind it.
    Asked,
    /// The answer came.
    Answered,
}

impl Guarded {
    /// Connects to the server.
    ///
    /// # Errors
    /// [`io::Error`]
    pub async fn connect(server: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(Self { stream: TcpStream::connect(server).await?, heard: 0, handshake: Handshake::No })
    }

    /// Judges what just came.
    fn hears(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.heard = self.heard.saturating_add(bytes.len());
        if self.heard > MOST_HEARD {
            return Err(refused("an answer without an end"));
        }
        match self.handshake {
            Handshake::No => Ok(()),
            Handshake::Answered if bytes.is_empty() => Ok(()),
            Handshake::Answered => Err(refused("words before the handshake")),
            Handshake::Asked => {
                let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(()) };
                self.handshake = Handshake::Answered;
                if end + 1 == bytes.len() { Ok(()) } else { Err(refused("words before the handshake")) }
            }
        }
    }

    /// Notes what we say.
    fn says(&mut self, bytes: &[u8]) {
        self.heard = 0;
        self.handshake = match self.handshake {
            Handshake::No if bytes.eq_ignore_ascii_case(b"STARTTLS\r\n") => Handshake::Asked,
            // What comes from here on is under TLS.
            _ => Handshake::No,
        };
    }
}

fn refused(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => Poll::Ready(self.hears(&buf.filled()[before..])),
            other => other,
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = written {
            self.says(&buf[..n]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Guarded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

/// Begins TLS on a connection, before a word is said.
///
/// # Errors
/// [`SmtpError`]
pub(super) async fn over_tls(
    guarded: Guarded,
    parameters: TlsParameters,
) -> Result<Box<dyn AsyncTokioStream>, SmtpError> {
    #[expect(deprecated, reason = "as where it is imported")]
    let mut stream = AsyncNetworkStream::use_existing_tokio1(Box::new(guarded));
    stream.upgrade_tls(parameters).await?;
    Ok(Box::new(OverTls(stream)))
}

/// The library's own stream, as a stream of ours.
#[derive(Debug)]
#[expect(deprecated, reason = "as where it is imported")]
struct OverTls(AsyncNetworkStream);

impl AsyncRead for OverTls {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.0).poll_read(cx, buf.initialize_unfilled()) {
            Poll::Ready(Ok(n)) => {
                buf.advance(n);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for OverTls {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

impl AsyncTokioStream for OverTls {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

/// So many bytes may come between two words of ours: the longest answer (RFC 5321, section 4.5.3.1.5, has 512 for a
/// line), or a handshake with its certificates.
const MOST_HEARD: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn guarded() -> Guarded {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Guarded::connect(listener.local_addr().unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_has_a_bound_and_each_word_of_ours_begins_another_one() {
        let mut line = guarded().await;
        for _ in 0..2 {
            assert!(line.hears(&vec![b'2'; MOST_HEARD]).is_ok());
            assert!(line.hears(b"2").is_err());
            line.says(b"NOOP\r\n");
        }
    }

    #[tokio::test]
    async fn nothing_comes_between_the_answer_to_starttls_and_our_handshake() {
        for (answer, fits) in [
            (&[&b"220 go ahead\r\n"[..]][..], true),
            (&[&b"220 go"[..], b" ahead\r\n"][..], true),
            (&[&b"220 go ahead\r\n250 AUTH PLAIN\r\n"[..]][..], false),
            (&[&b"220 go ahead\r\n"[..], b"2"][..], false),
        ] {
            let mut line = guarded().await;
            line.says(b"EHLO a.example\r\n");
            line.hears(b"250-a\r\n250 STARTTLS\r\n").unwrap();
            line.says(b"STARTTLS\r\n");
            assert_eq!(answer.iter().all(|bytes| line.hears(bytes).is_ok()), fits, "{answer:?}");
        }
    }
}
