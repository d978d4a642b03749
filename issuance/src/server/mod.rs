//! Puts the offices together and runs them: settings, router, TLS, worker, service. No office imports it.

mod compose;
mod connection;
mod frames;
mod init;
mod proxy;
mod router;
mod seats;
mod service;
mod settings;
mod tls;
mod verify;
mod worker;

pub use compose::{Offices, SEALED, StartError, deeds, migrations};
pub use init::{InitError, Initialised, init};
pub use proxy::{Network, NetworkMalformed};
pub use router::{Health, document, health, rights, router};
pub use service::Service;
pub use settings::{Limits, Settings};
pub use tls::{ListenError, TlsListener};
pub use verify::{Verified, verify};
