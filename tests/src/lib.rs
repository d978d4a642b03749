//! Alone sees everybody: the whole road as real programs on this machine ([`world`]), the people who walk it ([`roles`]) and
//! the invented citizen they serve ([`citizen`]).

pub mod citizen;
pub mod road;
pub mod roles;
pub mod world;
