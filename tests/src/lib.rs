//! The only crate that knows all the others: the whole road as real programs on this machine ([`world`]), the people
//! who walk it ([`roles`]), the strides they take ([`road`]) and the invented people they serve ([`citizen`]).
//! `README.md` explains the words.

pub mod ambient;
pub mod citizen;
pub mod crash;
pub mod documents;
pub mod factory;
pub mod golden;
pub mod road;
pub mod roles;
pub mod wait;
pub mod world;
