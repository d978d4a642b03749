//! The service that decides: register, numbers, applications, production, cards. It alone has a
//! database and asks the signer.
//!
//! Offices stand on a ground, in one direction; each folder imports only those that stand before it here:
//!
//! 1. [`store`] (two databases), [`ground`] (clock, identifiers, callers, secrets, objects), [`deed`] (a verb under
//!    way and its audit trail)
//! 2. [`web`] (problems, idempotent writes, routes with their right), [`jobs`], [`keys`]
//! 3. [`access`] (officers, stations, gate), [`audit`] (the trail, read)
//! 4. [`offices`] (units, calendar of working days)
//! 5. [`holds`] (what must not be erased), [`population`], [`cards`], [`numbering`], [`notices`] (what citizens are
//!    told), [`bookings`] (place and time), [`applications`], [`production`], [`trust`], [`retention`] (what is kept no
//!    longer is erased)
//! 6. [`dashboards`] (figures of offices and provinces)
//! 7. [`server`] puts them together; [`cli`] is the command line
//!
//! A test holds the order, SQL included (`issuance/tests/it/order.rs`). In an office `model.rs` is pure,
//! `steps.rs` holds the verbs over a [`deed::Deed`], `store.rs` the SQL, `api.rs` the handlers,
//! `problem.rs` what a caller is told.

pub mod access;
pub mod applications;
pub mod audit;
pub mod bookings;
pub mod cards;
pub mod citizens;
pub mod cli;
pub mod dashboards;
pub mod deed;
pub mod exchange;
pub mod ground;
pub mod holds;
pub mod jobs;
pub mod keys;
pub mod notices;
pub mod numbering;
pub mod offices;
pub mod population;
pub mod production;
pub mod retention;
pub mod server;
pub mod store;
pub mod trust;
pub mod web;

pub use server::{Service, StartError};
