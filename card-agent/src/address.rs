//! The address of the issuance service, as a person types it.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// `https://host:port`, and nothing behind it: the service stands at the root of its host.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceAddress {
    base: Url,
    typed: String,
}

impl ServiceAddress {
    /// Returns the address as it was typed, without spaces around it.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// Returns the address of this path of the interface.
    pub fn at(&self, path: &str) -> Url {
        self.base.join(path.trim_start_matches('/')).expect("our own paths are relative addresses")
    }

    /// Refuses an address without a port. Asked where an address is typed: there a missing port is forgotten as a rule,
    /// and 443 would be tried in vain. A station that was enrolled without one goes on.
    ///
    /// # Errors
    /// [`AddressError::Port`].
    pub fn with_port(self) -> Result<Self, AddressError> {
        let authority = self.typed.split_once("://").map_or("", |(_, rest)| rest).trim_end_matches('/');
        let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| port.parse::<u16>().is_ok());
        match port {
            Some(_) => Ok(self),
            None => {
                let host = authority.trim_end_matches(':').to_owned();
                Err(AddressError::Port { typed: self.typed, host })
            }
        }
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.typed)
    }
}

/// Error when reading an address. Each says what to write instead.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum AddressError {
    /// Not an address at all.
    #[error("`{typed}` is not an address ({reason}): write https://host:port")]
    Form {
        /// The text.
        typed: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No port, where one is asked for.
    #[error(
        "`{typed}` names no port: write https://{host}:8443 with the port of your service, https://{host}:443 if it has the usual one"
    )]
    Port {
        /// The text.
        typed: String,
        /// The host in it.
        host: String,
    },
    /// Something behind host and port.
    #[error("`{typed}` has `{extra}` behind host and port: write {instead}")]
    Extra {
        /// The text.
        typed: String,
        /// The part too much.
        extra: String,
        /// The address without it.
        instead: String,
    },
    /// Another scheme than `https`, or none.
    #[error("`{typed}` does not begin with https://, and the service speaks nothing else: write {instead}")]
    Scheme {
        /// The text.
        typed: String,
        /// The address with the right scheme.
        instead: String,
    },
    /// A name or a password before the host. The text is not repeated.
    #[error(
        "the address has a name or a password before its host, and a station has none: its certificate says who it is; write {instead}"
    )]
    UserInfo {
        /// The address without it.
        instead: String,
    },
}

impl FromStr for ServiceAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let typed = text.trim().to_owned();
        let form = |reason: &str| AddressError::Form { typed: shown(&typed), reason: reason.to_owned() };
        if typed.is_empty() {
            return Err(form("it is empty"));
        }
        let (scheme, rest) = typed.split_once("://").unwrap_or(("", &typed));
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        if let Some((_, host)) = authority.rsplit_once('@') {
            return Err(AddressError::UserInfo { instead: format!("https://{host}") });
        }
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(AddressError::Scheme { instead: format!("https://{authority}"), typed });
        }
        let base = Url::parse(&typed).map_err(|e| form(&e.to_string()))?;
        if base.host_str().is_none_or(str::is_empty) {
            return Err(form("it has no host"));
        }
        let extra = &rest[authority.len()..];
        if !matches!(extra, "" | "/") {
            let (extra, instead) = (extra.to_owned(), format!("https://{authority}"));
            return Err(AddressError::Extra { typed, extra, instead });
        }
        Ok(Self { base, typed })
    }
}

impl TryFrom<String> for ServiceAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServiceAddress> for String {
    fn from(address: ServiceAddress) -> Self {
        address.typed
    }
}

/// Returns the text without what may be a password in it.
fn shown(typed: &str) -> String {
    typed.rsplit_once('@').map_or(typed, |(_, host)| host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<ServiceAddress>().and_then(ServiceAddress::with_port).expect_err(text).to_string()
    }

    #[test]
    fn an_address_is_host_and_port_over_https() {
        for text in ["https://localhost:8443", " https://localhost:8443/ \n", "HTTPS://[::1]:8443", "https://a.vn:443"]
        {
            let address: ServiceAddress = text.parse().expect(text);
            assert!(address.at("/api/v1/trust-bundle").path() == "/api/v1/trust-bundle", "{text}");
            assert!(address.with_port().is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_to_write_instead() {
        for (text, culprit, instead) in [
            ("http://localhost:8443", "http://localhost:8443", "write https://localhost:8443"),
            ("ftp://localhost:8443", "does not begin with https://", "write https://localhost:8443"),
            ("localhost:8443", "does not begin with https://", "write https://localhost:8443"),
            ("localhost", "does not begin with https://", "write https://localhost"),
            ("//localhost:8443", "does not begin with https://", "https://"),
            ("https://localhost", "names no port", "write https://localhost:8443"),
            ("https://localhost/", "names no port", "write https://localhost:8443"),
            ("https://[::1]", "names no port", "write https://[::1]:8443"),
            ("https://localhost:", "names no port", "write https://localhost:8443"),
            ("https://localhost:8443/issuance/", "`/issuance/`", "write https://localhost:8443"),
            ("https://localhost:8443/api", "`/api`", "write https://localhost:8443"),
            ("https://localhost:8443?x=1", "`?x=1`", "write https://localhost:8443"),
            ("https://localhost:8443#top", "`#top`", "write https://localhost:8443"),
            ("https://localhost:84430", "invalid port", "write https://host:port"),
            ("https://", "is not an address", "write https://host:port"),
            ("https://local host:8443", "is not an address", "write https://host:port"),
            ("", "it is empty", "write https://host:port"),
        ] {
            let words = refused(text);
            assert!(words.contains(culprit) && words.contains(instead), "{text}: {words}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        for text in ["https://me:s3cret@localhost:8443", "me:s3cret@localhost:8443", "https://me:s3cret@lo cal:1"] {
            let words = refused(text);
            assert!(!words.contains("s3cret") && words.contains("before its host"), "{words}");
        }
    }

    #[test]
    fn a_station_that_was_enrolled_without_a_port_goes_on() {
        let address: ServiceAddress = "https://issuance.example".parse().expect("443");
        assert_eq!(address.at("api/x").as_str(), "https://issuance.example/api/x");
    }
}
