//! What a trusted proxy says of the caller's address: the PROXY protocol (versions 1 and 2, HAProxy's
//! `proxy-protocol.txt`) before TLS, or the header `Forwarded` (RFC 7239) where the proxy itself ends TLS.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;
use axum::http::header::FORWARDED;
use thiserror::Error;

/// Addresses that begin with the same bits: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{0}` is no network: write an address, or address/bits")]
pub struct NetworkMalformed(String);

impl Network {
    /// True if the address belongs to the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, other) = (bits(self.address), bits(address.to_canonical()));
        // A difference in the leading bits is the only thing that counts.
        own.1 == other.1 && (self.bits == 0 || (own.0 ^ other.0) >> (own.1 - u32::from(self.bits)) == 0)
    }
}

/// The address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

impl FromStr for Network {
    type Err = NetworkMalformed;

    fn from_str(text: &str) -> Result<Self, NetworkMalformed> {
        let malformed = || NetworkMalformed(text.to_owned());
        let (address, length) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address = address.parse::<IpAddr>().map_err(|_| malformed())?.to_canonical();
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = length.map_or(Ok(all), |bits| bits.parse().map_err(|_| malformed()))?;
        if bits > all { Err(malformed()) } else { Ok(Self { address, bits }) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkMalformed;

    fn try_from(text: String) -> Result<Self, NetworkMalformed> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// What stands at the beginning of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Beginning {
    /// A header of the PROXY protocol: so many bytes, and the caller's address if it tells one.
    Announced(usize, Option<IpAddr>),
    /// So far it may become a header.
    Incomplete,
    /// No header: TLS begins.
    NoHeader,
}

/// A header of the PROXY protocol that cannot be read. The connection is closed, as the protocol demands.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("malformed PROXY header")]
pub(super) struct HeaderMalformed;

/// Reads what stands at the beginning of a connection from a trusted proxy.
pub(super) fn beginning(bytes: &[u8]) -> Result<Beginning, HeaderMalformed> {
    let begins = |signature: &[u8]| {
        let common = signature.len().min(bytes.len());
        signature[..common] == bytes[..common]
    };
    if begins(VERSION_2) {
        version_2(bytes)
    } else if begins(VERSION_1) {
        version_1(bytes)
    } else {
        Ok(Beginning::NoHeader)
    }
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n`, or `PROXY UNKNOWN …\r\n`; 107 bytes at most.
fn version_1(bytes: &[u8]) -> Result<Beginning, HeaderMalformed> {
    let Some(end) = bytes.windows(2).take(106).position(|two| two == b"\r\n") else {
        return if bytes.len() < 107 { Ok(Beginning::Incomplete) } else { Err(HeaderMalformed) };
    };
    let line = str::from_utf8(&bytes[..end]).map_err(|_| HeaderMalformed)?;
    let mut words = line.split(' ').skip(1);
    let family = words.next();
    let rest: Vec<_> = words.collect();
    let source = match (family, rest.as_slice()) {
        (Some("UNKNOWN"), _) => None,
        (Some("TCP4"), [source, target, ports @ ..]) => Some(pair::<Ipv4Addr>(source, target, ports)?.into()),
        (Some("TCP6"), [source, target, ports @ ..]) => Some(pair::<Ipv6Addr>(source, target, ports)?.into()),
        _ => return Err(HeaderMalformed),
    };
    Ok(Beginning::Announced(end + 2, source))
}

fn pair<A: FromStr>(source: &str, target: &str, ports: &[&str]) -> Result<A, HeaderMalformed> {
    let fits = target.parse::<A>().is_ok() && ports.len() == 2 && ports.iter().all(|port| port.parse::<u16>().is_ok());
    if fits { source.parse().map_err(|_| HeaderMalformed) } else { Err(HeaderMalformed) }
}

/// Signature (12 bytes), version and command, family and protocol, length of what follows, addresses, extensions.
fn version_2(bytes: &[u8]) -> Result<Beginning, HeaderMalformed> {
    let Some(&[command, family, high, low]) = bytes.get(12..16) else { return Ok(Beginning::Incomplete) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if command >> 4 != 2 || length > LONGEST - 16 {
        return Err(HeaderMalformed);
    }
    let Some(rest) = bytes.get(16..16 + length) else { return Ok(Beginning::Incomplete) };
    let source = match (command & 0xf, family >> 4) {
        (1, 1) => Some(rest.get(..12).and_then(|rest| rest.first_chunk::<4>()).ok_or(HeaderMalformed)?)
            .map(|octets| Ipv4Addr::from(*octets).into()),
        (1, 2) => Some(rest.get(..36).and_then(|rest| rest.first_chunk::<16>()).ok_or(HeaderMalformed)?)
            .map(|octets| Ipv6Addr::from(*octets).into()),
        // LOCAL: the proxy's own connection, a probe for instance; or a unix socket, or unspecified.
        (0 | 1, _) => None,
        _ => return Err(HeaderMalformed),
    };
    Ok(Beginning::Announced(16 + length, source))
}

/// Returns the caller's address as the header `Forwarded` tells it: from the right, the first that is no trusted proxy.
/// What stands left of it may be the caller's own invention. `None` if it is hidden or cannot be read.
pub(super) fn forwarded_for(headers: &HeaderMap, trusted: &[Network]) -> Option<IpAddr> {
    let lines: Vec<_> = headers.get_all(FORWARDED).iter().map(|value| value.to_str().ok()).collect();
    for line in lines.into_iter().rev() {
        for element in split(line?, ',').into_iter().rev() {
            let address = for_of(element)?;
            if !trusted.iter().any(|network| network.contains(address)) {
                return Some(address);
            }
        }
    }
    None
}

/// `for=192.0.2.60;proto=http`, `for="[2001:db8::1]:4711"`
fn for_of(element: &str) -> Option<IpAddr> {
    let value = split(element, ';').into_iter().find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })?;
    let node = value.strip_prefix('"').map_or(Some(value), |quoted| quoted.strip_suffix('"'))?;
    let bracketed = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bracketed.unwrap_or(node).parse::<IpAddr>().ok();
    address.or_else(|| node.parse::<SocketAddr>().ok().map(|both| both.ip())).map(|address| address.to_canonical())
}

/// Splits at the sign, but not inside a quoted string.
fn split(text: &str, sign: char) -> Vec<&str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(|c| {
        let inside = quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == sign && !inside
    })
    .collect()
}

const VERSION_1: &[u8] = b"PROXY ";
const VERSION_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header that is read, extensions included.
pub(super) const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use rand::RngExt as _;

    use super::*;
    use crate::ground::Randomness;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [VERSION_2, &[command, family], &length, rest].concat()
    }

    fn headers() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let v6: [u8; 16] = "2001:db8::7".parse::<Ipv6Addr>().expect("an address").octets();
        vec![
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec(), Some("192.0.2.1")),
            (b"PROXY TCP6 2001:db8::7 2001:db8::8 1 65535\r\n".to_vec(), Some("2001:db8::7")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff:: ffff:: 1 2\r\n".to_vec(), None),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x21, 0x11, &[192, 0, 2, 1, 198, 51, 100, 1, 1, 2, 3, 4]), Some("192.0.2.1")),
            (v2(0x21, 0x11, &[192, 0, 2, 1, 198, 51, 100, 1, 1, 2, 3, 4, 0x20, 0, 1, 7]), Some("192.0.2.1")),
            (v2(0x21, 0x21, &[&v6[..], &v6[..], &[1, 2, 3, 4]].concat()), Some("2001:db8::7")),
            (v2(0x21, 0x31, &[0; 216]), None),
        ]
    }

    #[test]
    fn a_header_is_read_once_it_is_whole_and_what_follows_is_left() {
        for (header, address) in headers() {
            let address = address.map(|text| text.parse().expect("an address"));
            for cut in 0..header.len() {
                assert_eq!(beginning(&header[..cut]), Ok(Beginning::Incomplete), "{header:?} {cut}");
            }
            let followed = [&header[..], b"\x16\x03\x01"].concat();
            assert_eq!(beginning(&followed), Ok(Beginning::Announced(header.len(), address)), "{header:?}");
        }
        assert_eq!(beginning(b"\x16\x03\x01"), Ok(Beginning::NoHeader));
    }

    #[test]
    fn a_header_that_says_nonsense_ends_the_connection() {
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 100]].concat();
        let refused: [&[u8]; 8] = [
            b"PROXY TCP4 2001:db8::7 198.51.100.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
            b"PROXY TCP4\r\n",
            b"PROXY \xff\r\n",
            &long,
            &v2(0x11, 0x11, &[0; 12]),
            &v2(0x21, 0x11, &[0; 11]),
        ];
        for header in refused {
            assert_eq!(beginning(header), Err(HeaderMalformed), "{header:?}");
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_never_beyond_their_end() {
        let mut rng = Randomness::seeded(10).draw();
        for (header, _) in headers() {
            for _ in 0..2_000 {
                let mut bytes = header.clone();
                for _ in 0..rng.random_range(1..4) {
                    let at = rng.random_range(0..bytes.len());
                    bytes[at] = rng.random();
                }
                bytes.truncate(rng.random_range(0..=bytes.len()));
                if let Ok(Beginning::Announced(length, _)) = beginning(&bytes) {
                    assert!(length <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn forwarded_is_believed_from_the_right_as_far_as_proxies_are_trusted() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "2001:db8:5::/48"].map(|n| n.parse().expect("a network")).to_vec();
        let told = |lines: &[&'static str]| {
            let lines = lines.iter().map(|line| (FORWARDED, HeaderValue::from_static(line)));
            forwarded_for(&lines.collect(), &trusted).map(|address| address.to_string())
        };
        assert_eq!(told(&["for=192.0.2.60;proto=http;by=203.0.113.43"]).as_deref(), Some("192.0.2.60"));
        assert_eq!(told(&["For=\"[2001:db8:cafe::17]:4711\""]).as_deref(), Some("2001:db8:cafe::17"));
        assert_eq!(told(&["for=6.6.6.6, for=192.0.2.43:80, for=10.1.2.3"]).as_deref(), Some("192.0.2.43"));
        assert_eq!(told(&["for=6.6.6.6", "for=192.0.2.43", "for=\"[2001:db8:5::1]\""]).as_deref(), Some("192.0.2.43"));
        assert_eq!(told(&["proto=\"a,for=6.6.6.6;\\\"\";for=192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        for hidden in ["for=unknown", "for=_hidden", "proto=https", "", "for=\"192.0.2.1", "for=6.6.6.6, for=unknown"] {
            assert_eq!(told(&[hidden]), None, "{hidden}");
        }
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn networks_are_read_as_they_are_written() {
        let within = |network: &str, address: &str| {
            network.parse::<Network>().expect("a network").contains(address.parse().expect("an address"))
        };
        assert!(within("192.0.2.0/24", "192.0.2.255") && !within("192.0.2.0/24", "192.0.3.0"));
        assert!(within("192.0.2.7", "::ffff:192.0.2.7") && !within("192.0.2.7", "192.0.2.6"));
        assert!(within("2001:db8::/33", "2001:db8:7fff::") && !within("2001:db8::/33", "2001:db8:8000::"));
        assert!(within("0.0.0.0/0", "192.0.2.1") && !within("0.0.0.0/0", "2001:db8::"));
        for text in ["", "192.0.2.0/33", "2001:db8::/129", "192.0.2", "x/8", "10.0.0.0/"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
