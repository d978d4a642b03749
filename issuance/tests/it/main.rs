//! The offices at the level of their verbs, over SQLite and, where it is installed or named, PostgreSQL. The chip is the chip's side of
//! SCP03 and nothing more; the simulated card, stations and HTTP are for the `tests` crate.

mod chip;
mod offices;
mod road;
