//! The other end of a connection: certificate, address, and whether the gate has found its caller known.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The place that a caller comes from, for limits and throttling: a client certificate where there is one, else an
/// address. In IPv6 a subscriber has a whole /64, so that is one place.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Origin {
    /// SHA-256 of a client certificate of our own authority.
    Certificate([u8; 32]),
    /// An address of IPv4, also when it came as an IPv6 one (`::ffff:192.0.2.1`).
    V4(Ipv4Addr),
    /// The first 64 bits of an address of IPv6.
    V6([u8; 8]),
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64;
                Self::V6(u64::try_from(network).expect("half of 128 bits").to_be_bytes())
            }
        }
    }
}

/// As the audit trail and the log name it.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(fingerprint) => write!(f, "certificate {}", hex::encode(&fingerprint[..8])),
            Self::V4(address) => address.fmt(f),
            Self::V6(network) => {
                let mut whole = [0; 16];
                whole[..8].copy_from_slice(network);
                write!(f, "{}/64", Ipv6Addr::from(whole))
            }
        }
    }
}

/// The peer at the other end of the connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// SHA-256 of the client certificate (DER), if one was shown and verified against our TLS authority.
    pub certificate: Option<[u8; 32]>,
    /// The place that the request comes from.
    pub origin: Origin,
    /// What the connection has earned.
    pub standing: Arc<Standing>,
}

/// What a connection has earned and when it last did something useful; shared by its requests.
///
/// A connection is a stranger's until a request on it came from a known caller. Strangers have small limits and little
/// patience; room is kept for the others.
#[derive(Debug)]
pub struct Standing {
    began: Instant,
    known: AtomicBool,
    under_way: AtomicUsize,
    /// Milliseconds from `began` to the last useful movement.
    moved: AtomicU64,
}

impl Standing {
    /// A new connection.
    #[must_use]
    pub fn new(known: bool) -> Self {
        Self {
            began: Instant::now(),
            known: AtomicBool::new(known),
            under_way: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
        }
    }

    /// True once the gate has found a known caller on the connection.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// Notes that an officer or a station has asked on the connection.
    pub fn prove(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    /// Notes that something useful happened: a request came, or an answer went out.
    pub fn moved(&self) {
        self.moved.store(u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// True while a request is answered.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Returns for how long nothing useful happened; nothing while a request is answered.
    #[must_use]
    pub fn quiet(&self) -> Duration {
        if self.is_busy() {
            return Duration::ZERO;
        }
        self.age().saturating_sub(Duration::from_millis(self.moved.load(Ordering::Relaxed)))
    }

    /// Returns the age of the connection.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Notes that a request is answered from now until the returned value is dropped.
    #[must_use]
    pub fn request(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.moved();
        UnderWay(Arc::clone(self))
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct UnderWay(Arc<Standing>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.moved();
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_is_one_place_and_a_mapped_address_is_ipv4() {
        let origin = |text: &str| Origin::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(origin("2001:db8:1:2::1"), origin("2001:db8:1:2:ffff::9"));
        assert_ne!(origin("2001:db8:1:2::1"), origin("2001:db8:1:3::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
        assert_eq!(origin("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
    }
}
