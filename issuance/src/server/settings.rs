//! Settings of one running service: each office's own, and where it runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::cards::CardProfile;
use crate::{access, applications, cards, keys, population, trust, web};

/// Everything that can be set; [`Settings::new`] has the defaults of a development service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder with keys, certificates and (without `database`) the SQLite file. Made by `issuance init`.
    pub data: PathBuf,
    /// File with the key-encryption key; none: `kek` in `data`.
    pub key_file: Option<PathBuf>,
    /// `postgres://…`; none: SQLite in `data`.
    pub database: Option<String>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The worker looks for due work this often.
    pub tick: Duration,
    /// The web.
    pub web: web::Settings,
    /// Officers and stations.
    pub access: access::Settings,
    /// Keys.
    pub keys: keys::Settings,
    /// The register.
    pub population: population::Settings,
    /// The counter.
    pub applications: applications::Settings,
    /// What cards of this series can do.
    pub card: CardProfile,
    /// The registry of cards.
    pub cards: cards::Settings,
    /// The trust bundle.
    pub trust: trust::Settings,
}

impl Settings {
    /// The defaults over this folder.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            key_file: None,
            database: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)),
            tick: Duration::from_secs(1),
            web: web::Settings::default(),
            access: access::Settings::default(),
            keys: keys::Settings::default(),
            population: population::Settings::default(),
            applications: applications::Settings::default(),
            card: CardProfile::default(),
            cards: cards::Settings::default(),
            trust: trust::Settings::default(),
        }
    }
}
