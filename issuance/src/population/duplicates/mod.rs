//! Finds people who were declared twice: candidate keys in an ordinary index, judged in Rust, with the reasons shown
//! (docs/duplicates.md).

pub mod keys;
pub mod memory;
pub mod score;
pub mod traits;
mod words;
