//! Connections to PostgreSQL that were used a moment ago, at hand for the next transaction.
//!
//! The driver's pool asks each connection that comes back whether it is there, on a task of its own: under load a
//! question, an answer and a task for each transaction. A connection on which a commit just went well is there.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The connections at hand, and turns for those who want one. Shared by the clones of a database.
#[derive(Debug)]
pub(super) struct AtHand {
    turns: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The one that was used last is the last.
    connections: Vec<(Instant, PoolConnection<Postgres>)>,
    /// How many came back.
    given: u64,
    closed: bool,
}

impl AtHand {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { turns: Arc::new(Semaphore::new(MOST_IN_USE as usize)), state: Mutex::default() })
    }

    /// Lends a connection: one that is at hand, else one of the pool.
    ///
    /// # Errors
    /// As the pool's own; [`sqlx::Error::PoolTimedOut`] where all are in use for [`PATIENCE`].
    pub(super) async fn lend(self: &Arc<Self>, pool: &PgPool) -> Result<Lent, sqlx::Error> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let connection = match self.take() {
            Some(connection) => connection,
            None => pool.acquire().await?,
        };
        Ok(Lent { connection: Some(connection), turn, home: Arc::clone(self) })
    }

    /// Returns how many are at hand.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.state().connections.len()).unwrap_or(u32::MAX)
    }

    /// Gives all back to the pool, and keeps none any more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        drop(std::mem::take(&mut state.connections));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<PoolConnection<Postgres>> {
        let mut state = self.state();
        match state.connections.pop() {
            Some((since, connection)) if since.elapsed() < FRESH => Some(connection),
            // The others were used before it: the pool finds out which of them are there.
            last => {
                drop(last);
                drop(std::mem::take(&mut state.connections));
                None
            }
        }
    }

    fn keep(&self, connection: PoolConnection<Postgres>) {
        let mut state = self.state();
        state.given += 1;
        // Now and then one goes through the pool, which ends those that are too old.
        let keeps = !state.closed && state.connections.len() < MOST_AT_HAND && !state.given.is_multiple_of(SELDOM);
        if keeps {
            state.connections.push((Instant::now(), connection));
        }
    }
}

impl Drop for AtHand {
    /// Outside a runtime the pool takes nothing back: there the connections are closed.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let in_runtime = tokio::runtime::Handle::try_current().is_ok();
        for (_, connection) in state.connections.drain(..) {
            if in_runtime {
                drop(connection);
            } else {
                drop(connection.detach());
            }
        }
    }
}

/// A connection in use. Dropped, it goes back to the pool.
#[derive(Debug)]
pub(super) struct Lent {
    /// Taken when it is given back.
    connection: Option<PoolConnection<Postgres>>,
    #[expect(dead_code, reason = "held for its turn")]
    turn: OwnedSemaphorePermit,
    home: Arc<AtHand>,
}

impl Lent {
    /// Gives the connection back for the next transaction: nothing is under way on it, and nothing failed.
    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.home.keep(connection);
        }
    }

    /// Has the connection closed when it is dropped.
    pub(super) fn close_on_drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("taken only when it is given back")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("taken only when it is given back")
    }
}

/// So many connections the pool has at most.
pub(super) const MOST_IN_USE: u32 = 16;
/// So many of them are kept at hand: a few stay for what asks the pool itself.
const MOST_AT_HAND: usize = 12;
/// For so long a caller waits for a turn.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// For so long after its last use a connection is taken to be there.
pub(super) const FRESH: Duration = Duration::from_millis(500);
/// One of so many goes through the pool.
const SELDOM: u64 = 1000;
