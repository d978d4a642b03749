//! Applications in the queue whose portrait is missing: one that comes back soon is not held for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::ground::ids::ApplicationId;

/// At how many presentations of a chip each portrait was missing. In memory, a restart counts anew; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Misses(Arc<Mutex<HashMap<ApplicationId, u8>>>);

impl Misses {
    /// Counts a presentation at which the portrait was missing. Returns true at the last one: hold the application.
    pub(super) fn missed(&self, id: ApplicationId) -> bool {
        let mut misses = self.0.lock().expect("the lock is held for a count only");
        let count = misses.entry(id).or_default();
        *count += 1;
        let enough = *count >= PRESENTATIONS;
        if enough {
            misses.remove(&id);
        }
        enough
    }

    /// Forgets what was counted: the portrait is there.
    pub(super) fn found(&self, id: ApplicationId) {
        self.0.lock().expect("the lock is held for a count only").remove(&id);
    }
}

/// An application is held when its portrait is missing at so many presentations in a row.
const PRESENTATIONS: u8 = 3;
