//! The hands: a station that writes chips and a kiosk that reads them.
//!
//! It carries, it does not decide: what a chip is told comes sealed from the issuance service, and whether a card is genuine is
//! [`crypto::inspection::judge`]'s word. It alone knows PC/SC.

pub mod client;
pub mod failure;
pub mod kiosk;
pub mod session;
pub mod station;
pub mod transport;
