//! The office that decides: register, numbers, applications, production, cards. It alone has a database and asks the signer.
//!
//! One folder per office ([`population`], [`numbering`], [`applications`], [`production`], [`cards`], [`pki`], [`access`],
//! [`audit`]), and around them [`http`] (router, problems, TLS), [`store`] (two databases, one SQL) and [`app`] (what every
//! handler is given). In an office: `model.rs` is pure, `steps.rs` holds the verbs, `store.rs` the SQL, `api.rs` the handlers.

pub mod access;
pub mod app;
pub mod applications;
pub mod audit;
pub mod cards;
pub mod config;
pub mod http;
pub mod numbering;
pub mod pki;
pub mod population;
pub mod production;
pub mod store;

mod service;

pub use service::{Service, StartError};

/// All tables, office by office.
pub const MIGRATIONS: &[&[store::Migration]] = &[
    http::MIGRATIONS,
    access::MIGRATIONS,
    audit::MIGRATIONS,
    pki::MIGRATIONS,
    population::MIGRATIONS,
    numbering::MIGRATIONS,
    applications::MIGRATIONS,
    production::MIGRATIONS,
    cards::MIGRATIONS,
];

/// Starts the service with the computer's clock and randomness.
///
/// # Errors
/// [`StartError`], which says what to do.
pub async fn serve(config: config::Config) -> Result<Service, StartError> {
    Service::start(config, app::Clock::System, app::Randomness::System).await
}
