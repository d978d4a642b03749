//! Puts the offices together and runs them: settings, router, TLS, worker, service. No office imports it.

mod compose;
mod connection;
mod init;
mod proxy;
mod router;
mod seats;
mod service;
mod settings;
mod tls;
mod worker;

pub use compose::{Offices, StartError, migrations};
pub use init::{InitError, Initialised, init};
pub use proxy::{Network, NetworkMalformed};
pub use router::{document, rights, router};
pub use service::Service;
pub use settings::{Limits, Settings};
pub use tls::{ListenError, TlsListener};
