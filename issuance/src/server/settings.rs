//! Settings of one running service: each office's own, and where it runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Collector, Network};
use crate::cards::CardProfile;
use crate::keys::Authority;
use crate::offices::holidays::Holidays;
use crate::{
    access, applications, bookings, cards, citizens, exchange, keys, notices, numbering, population, production,
    retention, trust, web,
};

/// Limits of connections, so that a stranger does not stop the service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at once, so that a process that may open 1024 files keeps some for the database.
    pub connections: usize,
    /// Of these, connections on which neither officer nor station has asked yet. The rest is kept for the others.
    pub strangers: usize,
    /// As `strangers`, per origin.
    pub strangers_per_origin: usize,
    /// Connections at once with one client certificate.
    pub per_certificate: usize,
    /// A handshake that takes longer is given up.
    #[serde(with = "crate::ground::span::std")]
    pub handshake: Duration,
    /// The head of a request on HTTP/1.1 must have come whole within this time; so long a connection waits for one.
    #[serde(with = "crate::ground::span::std")]
    pub head: Duration,
    /// Largest head of a request, in bytes; at least 8 KiB.
    pub head_bytes: u32,
    /// Requests at once on a connection of HTTP/2.
    pub streams: u32,
    /// A connection on which nothing moves is closed: longer than any request takes.
    #[serde(with = "crate::ground::span::std")]
    pub idle: Duration,
    /// A stranger's connection on which no request came and no answer went out for so long is closed.
    #[serde(with = "crate::ground::span::std")]
    pub stranger_patience: Duration,
    /// A stranger's connection is closed after this time, when what is under way is answered.
    #[serde(with = "crate::ground::span::std")]
    pub stranger_lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 800,
            strangers: 400,
            strangers_per_origin: 100,
            per_certificate: 16,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            head_bytes: 16 * 1024,
            streams: 32,
            idle: Duration::from_secs(75),
            stranger_patience: Duration::from_secs(15),
            stranger_lifetime: Duration::from_mins(5),
        }
    }
}

/// Everything that can be set; [`Settings::new`] has the defaults of a development service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder with keys, certificates and (without `database`) the SQLite file. Made by `issuance init`.
    pub data: PathBuf,
    /// File with the key-encryption key; none: `kek` in `data`.
    pub key_file: Option<PathBuf>,
    /// `postgres://…`; none: SQLite in `data`.
    pub database: Option<String>,
    /// The other servers of PostgreSQL, each `postgres://…`: the service works with the one that takes writes.
    pub database_standbys: Vec<String>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where metrics are answered in plain HTTP; none: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// The collector of OpenTelemetry that spans are sent to; none: nowhere.
    pub traces: Option<Collector>,
    /// Limits of connections.
    pub limits: Limits,
    /// Proxies whose word about the caller's address is believed: PROXY protocol before TLS, or `Forwarded` where the
    /// proxy itself ends TLS (then no station can show its certificate: give stations a way that does not).
    pub trusted_proxies: Vec<Network>,
    /// What the configuration says of the authority; a folder that was founded otherwise is refused.
    pub authority: Authority,
    /// The worker looks for due work this often.
    pub tick: Duration,
    /// The web.
    pub web: web::Settings,
    /// The pages.
    pub pages: web::PagesSettings,
    /// Officers and stations.
    pub access: access::Settings,
    /// Keys.
    pub keys: keys::Settings,
    /// The register.
    pub population: population::Settings,
    /// Numbers for life.
    pub numbering: numbering::Settings,
    /// Production.
    pub production: production::Settings,
    /// Holidays by year.
    pub calendar: Holidays,
    /// Notices to citizens.
    pub notices: notices::Settings,
    /// Places and times for the capture.
    pub bookings: bookings::Settings,
    /// The counter.
    pub applications: applications::Settings,
    /// What cards of this series can do.
    pub card: CardProfile,
    /// The registry of cards.
    pub cards: cards::Settings,
    /// The trust bundle.
    pub trust: trust::Settings,
    /// What other authorities ask.
    pub exchange: exchange::Settings,
    /// Citizens who log in with the card.
    pub citizens: citizens::Settings,
    /// What is kept no longer.
    pub retention: retention::Settings,
    /// The folder of the archive of `SQLite`'s log, where the configuration names one.
    pub archive: Option<PathBuf>,
    /// A statement waits at most so long for a lock of `PostgreSQL`; none: for ever, as a service whose requests
    /// have an end of their own.
    pub lock_timeout: Option<Duration>,
}

impl Settings {
    /// The defaults over this folder.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            key_file: None,
            database: None,
            database_standbys: Vec::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)),
            metrics_listen: None,
            traces: None,
            limits: Limits::default(),
            trusted_proxies: Vec::new(),
            authority: Authority::default(),
            tick: Duration::from_secs(1),
            web: web::Settings::default(),
            pages: web::PagesSettings::default(),
            access: access::Settings::default(),
            keys: keys::Settings::default(),
            population: population::Settings::default(),
            numbering: numbering::Settings::default(),
            production: production::Settings::default(),
            calendar: Holidays::default(),
            notices: notices::Settings::default(),
            bookings: bookings::Settings::default(),
            applications: applications::Settings::default(),
            card: CardProfile::default(),
            cards: cards::Settings::default(),
            trust: trust::Settings::default(),
            exchange: exchange::Settings::default(),
            citizens: citizens::Settings::default(),
            retention: retention::Settings::default(),
            archive: None,
            lock_timeout: None,
        }
    }
}
