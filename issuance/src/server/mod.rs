//! Puts the offices together and runs them: settings, router, TLS, worker, service. No office imports it.

mod compose;
mod init;
mod router;
mod service;
mod settings;
mod tls;
mod verify;
mod worker;

pub use compose::{Offices, SEALED, StartError, migrations};
pub use init::{InitError, Initialised, init};
pub use router::{Health, document, health, rights, router};
pub use service::Service;
pub use settings::Settings;
pub use tls::{ListenError, TlsListener};
pub use verify::{Verified, verify};
