//! The protocol of vpcd, the virtual reader in pcscd. No other module knows it.
//!
//! The card connects to the reader's port. Each message in either direction is a length of two bytes, big-endian, and a
//! body. A body of one byte from the reader is a control message (power off, power on, reset, ATR wanted); anything
//! else is a command APDU. vpcd asks for the ATR every 400 ms to see whether the card is still there.
//!
//! vpcd sends length and body apart without TCP_NODELAY. With the delayed acknowledgements that a socket has by
//! default each command would take 44 ms. So quick acknowledgement is switched on, before **every** read, because
//! Linux switches it off again.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::linux::net::TcpStreamExt as _;
use std::time::Duration;

use thiserror::Error;

/// A message of the reader.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// The bytes of a command APDU, which may be malformed.
    Apdu(Vec<u8>),
    /// The reader wants the answer to reset.
    AnswerToReset,
    /// The reader takes the power away.
    PowerOff,
    /// The reader gives power.
    PowerOn,
    /// The reader resets the card.
    Reset,
}

/// The card's end of the socket.
#[derive(Debug)]
pub struct Vpcd {
    stream: TcpStream,
}

/// Shuts the connection down, so that the reader sees the card go even while another handle on the socket exists.
impl Drop for Vpcd {
    fn drop(&mut self) {
        // Fails if the reader closed it first, which has the same effect.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

impl Vpcd {
    /// Connects a card to the reader at `host` and `port`.
    ///
    /// Success does not mean that the reader has noticed the card: a reader that has another card accepts the
    /// connection as well, but sends nothing.
    ///
    /// # Errors
    /// [`VpcdError`] if no connection comes about within 5 s.
    pub fn connect(host: &str, port: u16) -> Result<Self, VpcdError> {
        let reader = format!("{host}:{port}");
        let unreachable = |source| VpcdError::Unreachable { reader: reader.clone(), source };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host, port).to_socket_addrs().map_err(unreachable)? {
            match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(unreachable)?;
                    return Ok(Self { stream });
                }
                Err(error) => last = error,
            }
        }
        Err(match last.kind() {
            io::ErrorKind::ConnectionRefused => VpcdError::Refused { reader },
            _ => unreachable(last),
        })
    }

    /// Returns a second handle, to shut the socket down from another thread.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn handle(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Waits for the next message. Returns `None` when the reader closed the connection.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn hear(&mut self) -> io::Result<Option<Message>> {
        let mut length = [0; 2];
        if !self.fill(&mut length)? {
            return Ok(None);
        }
        let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
        if !self.fill(&mut body)? {
            return Ok(None);
        }
        Ok(Some(match body[..] {
            [0] => Message::PowerOff,
            [1] => Message::PowerOn,
            [2] => Message::Reset,
            [4] => Message::AnswerToReset,
            _ => Message::Apdu(body),
        }))
    }

    /// Sends an answer: an ATR or a response APDU.
    ///
    /// # Errors
    /// Those of the operating system; [`io::ErrorKind::InvalidInput`] beyond 65,535 bytes, which
    /// the protocol cannot carry.
    pub fn say(&mut self, body: &[u8]) -> io::Result<()> {
        let length = u16::try_from(body.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.stream.write_all(&[&length.to_be_bytes(), body].concat())
    }

    /// Fills `buffer` from the socket. Returns `false` if the reader closed the connection first.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let mut filled = 0;
        while filled < buffer.len() {
            self.stream.set_quickack(true)?;
            match self.stream.read(&mut buffer[filled..]) {
                Ok(0) => return Ok(false),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                    return Ok(false);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }
}

/// Why a card cannot be connected to a reader.
#[derive(Debug, Error)]
pub enum VpcdError {
    /// No program listens on the port.
    #[error("no virtual reader listens on {reader}.\n{}", way(reader))]
    Refused {
        /// Host and port of the reader.
        reader: String,
    },
    /// The connection failed for another reason.
    #[error("the virtual reader on {reader} cannot be reached: {source}")]
    Unreachable {
        /// Host and port of the reader.
        reader: String,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Returns the ways to a virtual reader on this port. A plain pcscd has none where `tests/setup.sh` ran: it switches
/// off the entry of the Debian package, whose port is open to the whole network without authentication.
fn way(reader: &str) -> String {
    let port = reader.rsplit_once(':').map_or("35963", |(_, port)| port);
    format!(
        "A pcscd with a reader of vpcd must run (Debian packages pcscd and vsmartcard-vpcd). Either of these has one:\n\
         \n  hardware-sim --pcscd DIR …    # this program starts a pcscd of its own, on loopback alone; clients: PCSCLITE_CSOCK_NAME=DIR/pcscd.comm\n\
         \x20 make demo KEEP=1              # everything, from the folder of the sources\n\
         \x20 the system's pcscd, with these lines in /etc/reader.conf.d/vpcd; its port is then open to the whole network:\n\
         \x20   FRIENDLYNAME \"Virtual Reader\"\n\x20   DEVICENAME /dev/null:{port}\n\
         \x20   LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so.0.8\n\x20   CHANNELID {port}"
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let mut card = Vpcd::connect("127.0.0.1", port).expect("listening");
        let (mut reader, _) = listener.accept().expect("connected");
        for part in [&[0, 1][..], &[1], &[0, 1, 2, 0, 1, 4, 0, 5], &[0, 0xa4, 0, 0x0c, 0], &[0, 1, 0, 0]] {
            reader.write_all(part).expect("open");
        }
        let mut heard = || card.hear().expect("open");
        assert_eq!(heard(), Some(Message::PowerOn));
        assert_eq!(heard(), Some(Message::Reset));
        assert_eq!(heard(), Some(Message::AnswerToReset));
        assert_eq!(heard(), Some(Message::Apdu(vec![0, 0xa4, 0, 0x0c, 0])));
        assert_eq!(heard(), Some(Message::PowerOff));
        card.say(&[0x90, 0x00]).expect("open");
        let mut answer = [0; 4];
        reader.read_exact(&mut answer).expect("open");
        assert_eq!(answer, [0, 2, 0x90, 0]);
        drop(reader);
        assert_eq!(card.hear().expect("closed, not broken"), None);
    }

    #[test]
    fn a_closed_port_is_explained() {
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
        let error = Vpcd::connect("127.0.0.1", port).expect_err("the port is closed");
        let error = error.to_string();
        for part in ["--pcscd DIR", &format!("DEVICENAME /dev/null:{port}"), "PCSCLITE_CSOCK_NAME", "KEEP=1"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
