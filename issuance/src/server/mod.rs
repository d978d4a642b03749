//! Puts the offices together and runs them: settings, router, TLS, worker, service. No office imports it.

pub mod backup;
mod codes;
mod compose;
pub mod config;
mod connection;
mod docs;
mod faults;
mod frames;
mod init;
mod metrics;
mod proxy;
mod rekey;
mod roll_over;
mod router;
mod seats;
mod service;
mod settings;
pub mod status;
mod tls;
mod verify;
mod watch;
mod worker;

pub use compose::{Offices, SEALED, StartError, deeds, migrate, migrations};
pub use faults::Faults;
pub use init::{InitError, Initialised, init};
pub use metrics::Metrics;
pub use proxy::{Network, NetworkMalformed};
pub use rekey::{RekeyError, Rekeyed, rekey};
pub use roll_over::{ShutOutError, left_behind_by_roll_over, record_shut_out};
pub use router::{Health, document, health, rights, router};
pub use service::Service;
pub use settings::{Limits, Settings};
pub use tls::{Handshakes, ListenError, TlsListener};
pub use verify::{Verified, verify};
pub use watch::Watch;
