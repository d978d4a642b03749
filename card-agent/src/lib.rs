//! A station that writes chips, and a kiosk that reads them.
//!
//! This crate only carries messages. The commands for a chip come sealed from the issuance service, and
//! [`crypto::inspection::judge`] decides whether a card is genuine. No other crate speaks PC/SC.

pub mod address;
pub mod ambient;
pub mod citizen;
pub mod client;
pub mod config;
pub mod failure;
pub mod kiosk;
pub mod papers;
pub mod portrait;
pub mod private;
pub mod session;
pub mod station;
pub mod transport;
