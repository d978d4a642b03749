//! Everything that two parties must agree on byte for byte: data objects, certificates, card commands, secure channels.
//!
//! The crate has no I/O, no clock, no ambient randomness, no `async` and no logging. Time comes in as a
//! parameter, randomness through [`rand_core::CryptoRng`], bytes through [`conversation::CardTransport`].
//!
//! *Bytes -> meaning -> arithmetic -> roles*: [`tlv`] and [`apdu`] carry bytes, [`command`], [`lds`], [`mrz`], [`pki`]
//! and [`sod`] give them meaning, [`suite`] and [`kdf`] compute, and each protocol ([`bac`], [`pace`], [`chip_auth`],
//! [`active_auth`], [`scp03`]) has a `terminal` and a `chip` side that never import each other. [`perso`],
//! [`inspection`] and [`log_in`] are the procedures made of them.

pub mod active_auth;
pub mod apdu;
pub mod bac;
pub mod chip_auth;
pub mod command;
pub mod conversation;
#[cfg(test)]
mod field_data;
pub mod identity;
pub mod inspection;
pub mod kdf;
pub mod lds;
pub mod log_in;
pub mod mrz;
pub mod pace;
pub mod perso;
pub mod pki;
pub mod scp03;
pub mod sm;
pub mod sod;
pub mod suite;
pub mod tlv;

pub use rand_core;
