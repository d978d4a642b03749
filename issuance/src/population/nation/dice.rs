//! Draws of the generator: all from one seed, so that the same seed makes the same nation.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

/// A stream of draws for one part of the nation.
#[derive(Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// Returns the stream of a part: the same for the same seed and part, whatever was drawn elsewhere.
    pub(super) fn new(seed: u64, part: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&part.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Draws a number below `most`; 0 if that is 0.
    pub(super) fn of(&mut self, most: u32) -> u32 {
        if most == 0 { 0 } else { self.0.random_range(0..most) }
    }

    /// As [`Self::of`], of a small number.
    pub(super) fn of_u8(&mut self, most: u8) -> u8 {
        if most == 0 { 0 } else { self.0.random_range(0..most) }
    }

    /// Draws a place in a list of so many; 0 if it is empty.
    pub(super) fn at(&mut self, length: usize) -> usize {
        if length == 0 { 0 } else { self.0.random_range(0..length) }
    }

    /// Draws a number from `least` to `most`, both included.
    pub(super) fn between(&mut self, least: i32, most: i32) -> i32 {
        if least >= most { least } else { self.0.random_range(least..=most) }
    }

    /// True in so many of a hundred draws.
    pub(super) fn percent(&mut self, share: u32) -> bool {
        self.of(100) < share
    }

    /// Draws one of a list that is not empty.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.at(from.len())]
    }

    /// Draws a number below 2^64.
    pub(super) fn word(&mut self) -> u64 {
        self.0.random()
    }
}
