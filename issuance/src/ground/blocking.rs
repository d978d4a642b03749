//! The one bounded pool for work that blocks: files, image decoding, lists. Password hashing has turns of its own
//! (`access::passwords`), so that a flood of sign-ins keeps no portrait waiting.
//!
//! Policy: so many pieces of work at once as [`AT_ONCE`] says, the rest wait in the order of their arrival. Each
//! piece may hold tens to hundreds of megabytes (a photograph of 64 million pixels), so the bound is on
//! memory as much as on threads.

use tokio::sync::Semaphore;

/// Pieces of blocking work at once.
pub const AT_ONCE: usize = 4;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Runs work that blocks, off the asynchronous threads, when it is its turn. Returns what the work returns.
///
/// # Panics
/// With the work's own panic, so that a fault is seen once and at its place.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let _turn = TURNS.acquire().await.expect("the semaphore is never closed");
    apart(work).await
}

/// As [`run`], without waiting for a turn: for work that has a bound of its own.
///
/// # Panics
/// As [`run`].
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only while the runtime shuts down: the request is dropped with it.
            Err(_) => std::future::pending().await,
        },
    }
}
