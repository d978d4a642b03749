//! The budget of bytes that bodies of requests may hold at once: in all, and per origin; strangers have their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Origin, Settings};

/// The bytes that are held now; clones share them.
#[derive(Clone, Debug)]
pub struct Budget {
    limits: Arc<Settings>,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    /// Of strangers and of known callers.
    all: [usize; 2],
    by_origin: HashMap<(Origin, bool), usize>,
}

impl Budget {
    /// A budget of which nothing is held.
    #[must_use]
    pub fn new(limits: Settings) -> Self {
        Self { limits: Arc::new(limits), held: Arc::default() }
    }

    /// Begins to hold bytes for a request from this origin.
    #[must_use]
    pub fn open(&self, origin: Origin, known: bool) -> Reservation {
        Reservation { budget: self.clone(), origin, known, bytes: 0 }
    }
}

/// Bytes held for one request; given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    origin: Origin,
    known: bool,
    bytes: usize,
}

impl Reservation {
    /// Holds so many bytes more. Returns false, and holds no more than before, if the budget does not allow it.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let limits = &self.budget.limits;
        let (all, each) = if self.known {
            (limits.known_bytes, limits.known_bytes_per_origin)
        } else {
            (limits.stranger_bytes, limits.stranger_bytes_per_origin)
        };
        let mut held = self.budget.held.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (self.origin, self.known);
        let of_origin = held.by_origin.get(&key).copied().unwrap_or_default();
        if held.all[usize::from(self.known)] + bytes > all || of_origin + bytes > each {
            return false;
        }
        held.all[usize::from(self.known)] += bytes;
        held.by_origin.insert(key, of_origin + bytes);
        self.bytes += bytes;
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut held = self.budget.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all[usize::from(self.known)] -= self.bytes;
        let key = (self.origin, self.known);
        let left = held.by_origin.get(&key).copied().unwrap_or_default() - self.bytes;
        if left == 0 {
            held.by_origin.remove(&key); // the table is as large as what is held
        } else {
            held.by_origin.insert(key, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_origin_and_all_strangers_together_hold_no_more_than_their_budget_and_known_callers_have_their_own() {
        let limits = Settings { stranger_bytes: 100, stranger_bytes_per_origin: 60, ..Settings::default() };
        let budget = Budget::new(limits);
        let origin = |last| Origin::V4(Ipv4Addr::new(192, 0, 2, last));
        let mut one = budget.open(origin(1), false);
        assert!(one.grow(60));
        assert!(!one.grow(1), "the origin's share");
        let mut two = budget.open(origin(2), false);
        assert!(two.grow(40));
        assert!(!budget.open(origin(3), false).grow(1), "the share of all strangers");
        assert!(budget.open(origin(1), true).grow(1000), "an officer behind the same address");
        drop((one, two));
        assert!(budget.open(origin(1), false).grow(60), "given back");
        assert!(budget.held.lock().expect("no panic").by_origin.is_empty());
    }
}
