//! Settings of one running service.

use std::net::SocketAddr;
use std::path::PathBuf;

use time::Duration;

use crate::applications::fees::Fees;
use crate::population::reference::ExtraProvince;
use crate::production::profile::CardProfile;

/// Everything that can be set; [`Config::new`] has the defaults of a development service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder with keys, certificates and (without `database`) the SQLite file. Made by `issuance init`.
    pub data: PathBuf,
    /// File with the key-encryption key; none: `kek` in `data`.
    pub key_file: Option<PathBuf>,
    /// `postgres://…`; none: SQLite in `data`.
    pub database: Option<String>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Largest request body in bytes.
    pub body_limit: usize,
    /// A session ends this long after sign-in.
    pub session_lifetime: Duration,
    /// A session ends when nothing was asked for this long.
    pub session_idle: Duration,
    /// So many wrong passwords in a row lock an officer's name …
    pub lockout_after: u32,
    /// … for this long.
    pub lockout_for: Duration,
    /// argon2id: memory in KiB. Production takes at least 19456 with 2 passes (OWASP); tests take less.
    pub password_memory_kib: u32,
    /// argon2id: passes over the memory.
    pub password_passes: u32,
    /// A signing key makes at most so many signatures.
    pub signing_key_limit: u64,
    /// A trust bundle is made anew after this long, and whenever what it says has changed …
    pub bundle_renewal: Duration,
    /// … and is due for replacement after this long.
    pub bundle_lifetime: Duration,
    /// A request that takes longer is given up.
    pub request_limit: std::time::Duration,
    /// Provinces beside the official ones, for invented people.
    pub extra_provinces: Vec<ExtraProvince>,
    /// What an application costs.
    pub fees: Fees,
    /// What cards of this series can do.
    pub card: CardProfile,
}

impl Config {
    /// The defaults over this folder.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            key_file: None,
            database: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)),
            body_limit: 4 * 1024 * 1024,
            session_lifetime: Duration::hours(10),
            session_idle: Duration::minutes(30),
            lockout_after: 5,
            lockout_for: Duration::minutes(15),
            password_memory_kib: 19_456,
            password_passes: 2,
            signing_key_limit: 1_000_000,
            bundle_renewal: Duration::hours(1),
            bundle_lifetime: Duration::days(7),
            request_limit: std::time::Duration::from_secs(60),
            extra_provinces: Vec::new(),
            fees: Fees::default(),
            card: CardProfile::default(),
        }
    }
}
