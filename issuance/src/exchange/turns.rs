//! Turns: questions of one officer come one after the other, and so do those about one person. Each is then judged by
//! what the ones before it missed, and a hundred guesses at once are no more than the limits allow.
//!
//! Several processes on one database have turns of their own: of each one question more may be under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::ground::ids::{OfficerId, PartnerId};

/// Those whose turn it is, and those who wait. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<Of, Arc<tokio::sync::Mutex<()>>>>>);

/// Of whom questions come one after the other.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(super) enum Of {
    /// An officer of a partner.
    Officer(PartnerId, String),
    /// A person, as a partner names the person.
    Person(PartnerId, String),
    /// An officer of the register who looks in an emergency.
    Emergency(OfficerId),
}

/// Shows nothing: it is personal data.
impl std::fmt::Debug for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Of(…)")
    }
}

impl Turns {
    fn all(&self) -> MutexGuard<'_, HashMap<Of, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn. The next one comes when it is dropped.
    pub async fn take(&self, of: Of) -> Turn {
        let place = Arc::clone(self.all().entry(of.clone()).or_default());
        // From here on the place is given up also where the wait is cut.
        let mut turn = Turn { turns: self.clone(), of, held: None };
        turn.held = Some(place.lock_owned().await);
        turn
    }
}

/// A turn.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    of: Of,
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.turns.all();
        self.held = None;
        // Places are taken under this lock only: one that no other holds is wanted by none.
        if all.get(&self.of).is_some_and(|place| Arc::strong_count(place) == 1) {
            all.remove(&self.of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::Id;

    #[tokio::test]
    async fn turns_come_one_after_the_other_and_leave_nothing_behind() {
        let turns = Turns::default();
        let of = |name: &str| Of::Officer(Id::nil(), name.to_owned());
        let first = turns.take(of("a")).await;
        let other = turns.take(of("b")).await;
        let waits = tokio::spawn({
            let (turns, of) = (turns.clone(), of("a"));
            async move { turns.take(of).await }
        });
        let cut = tokio::spawn({
            let (turns, of) = (turns.clone(), of("a"));
            async move { turns.take(of).await }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        cut.abort();
        assert!(cut.await.is_err());
        drop((first, other));
        drop(waits.await.unwrap());
        assert!(turns.all().is_empty());
    }
}
