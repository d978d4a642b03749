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
