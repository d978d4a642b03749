//! Turns at hashing passwords: a fixed number, each with its own memory, which is kept and used again.
//!
//! argon2 takes tens of megabytes and all of a core for each password. A flood of sign-ins therefore gets neither more
//! memory nor more cores than the turns have: few wait, each origin in a queue of its own, served in rotation; the rest
//! is told to come again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::Block;
use tokio::sync::oneshot;

use super::AccessError;
use crate::web::Origin;

/// So many turns, and the queues before them.
#[derive(Debug)]
pub(super) struct Turns(Mutex<Queues>);

#[derive(Debug, Default)]
struct Queues {
    free: Vec<Memory>,
    waiting: usize,
    by_origin: HashMap<Origin, VecDeque<oneshot::Sender<Turn>>>,
    /// The origins that wait, the next one first.
    rotation: VecDeque<Origin>,
}

/// Memory for argon2.
#[derive(Default)]
struct Memory(Vec<Block>);

/// Shows its size only.
impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({} KiB)", self.0.len())
    }
}

impl Turns {
    /// So many turns at once.
    pub(super) fn new(turns: usize) -> Arc<Self> {
        let free = (0..turns).map(|_| Memory::default()).collect();
        Arc::new(Self(Mutex::new(Queues { free, ..Queues::default() })))
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`AccessError::Busy`] if too many wait already, or no turn came in time.
    pub(super) async fn take(self: &Arc<Self>, origin: Origin) -> Result<Turn, AccessError> {
        let turn = {
            let mut queues = self.queues();
            if let Some(memory) = queues.free.pop() {
                return Ok(Turn { memory, turns: Arc::clone(self), ended: false });
            }
            if queues.waiting >= WAITING {
                return Err(AccessError::Busy);
            }
            let queue = queues.by_origin.entry(origin).or_default();
            if queue.len() >= WAITING_PER_ORIGIN {
                return Err(AccessError::Busy);
            }
            let (give, turn) = oneshot::channel();
            queue.push_back(give);
            if queue.len() == 1 {
                queues.rotation.push_back(origin);
            }
            queues.waiting += 1;
            turn
        };
        match tokio::time::timeout(PATIENCE, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(AccessError::Busy),
        }
    }
}

impl Queues {
    /// The one whose turn is next.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let origin = self.rotation.pop_front()?;
        let queue = self.by_origin.get_mut(&origin)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.by_origin.remove(&origin);
        } else {
            self.rotation.push_back(origin);
        }
        self.waiting -= 1;
        next
    }
}

/// A turn, with its memory; dropped, it goes to the next one in the queues.
#[derive(Debug)]
pub(super) struct Turn {
    memory: Memory,
    turns: Arc<Turns>,
    /// Given back: there is nothing more to pass on.
    ended: bool,
}

impl Turn {
    /// Memory of so many blocks, with what the turn before left in it: argon2 overwrites all that it reads.
    pub(super) fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.memory.0.len() < count {
            self.memory.0.resize(count, Block::default());
        }
        &mut self.memory.0[..count]
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let memory = std::mem::take(&mut self.memory);
        let mut turn = Self { memory, turns: Arc::clone(&self.turns), ended: false };
        loop {
            let mut queues = self.turns.queues();
            let Some(next) = queues.next() else {
                queues.free.push(std::mem::take(&mut turn.memory));
                drop(queues);
                turn.ended = true;
                return;
            };
            drop(queues);
            match next.send(turn) {
                Ok(()) => return,
                Err(back) => turn = back, // it waited no more
            }
        }
    }
}

/// So many wait at most …
const WAITING: usize = 64;
/// … of one origin …
const WAITING_PER_ORIGIN: usize = 8;
/// … for so long.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn origin(last: u8) -> Origin {
        Origin::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    #[tokio::test]
    async fn a_crowd_waits_in_a_short_queue_of_its_own_and_another_origin_comes_next_but_one() {
        let turns = Turns::new(1);
        let first = turns.take(origin(1)).await.expect("free");
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut waiting = tokio::task::JoinSet::new();
        for from in [1; 12].into_iter().chain([2]) {
            let (turns, tell) = (Arc::clone(&turns), tell.clone());
            waiting.spawn(async move { tell.send((from, turns.take(origin(from)).await.map(drop).is_ok())) });
            tokio::task::yield_now().await;
        }
        drop((first, tell));
        let mut story = Vec::new();
        while let Some(one) = told.recv().await {
            story.push(one);
        }
        assert_eq!(story.iter().filter(|told| **told == (1, false)).count(), 4, "the queue holds eight: {story:?}");
        let served: Vec<_> = story.iter().filter(|(_, served)| *served).map(|(from, _)| *from).collect();
        assert_eq!(served, [1, 2, 1, 1, 1, 1, 1, 1, 1]);
    }

    #[tokio::test]
    async fn a_turn_is_not_lost_on_a_caller_who_went_away_and_its_memory_is_kept() {
        let turns = Turns::new(1);
        let mut turn = turns.take(origin(1)).await.expect("free");
        let place = turn.blocks(8).as_ptr();
        let gone = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take(origin(2)).await.map(drop) }
        });
        tokio::task::yield_now().await;
        gone.abort();
        drop((gone.await, turn));
        let mut turn = turns.take(origin(3)).await.expect("free again");
        assert_eq!(turn.blocks(8).as_ptr(), place);
    }
}
