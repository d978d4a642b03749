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
    let turn = TURNS.acquire().await.expect("the semaphore is never closed");
    // The turn belongs to the work, not to its caller: a caller that is given up does not end the work, and until the
    // work ends its memory is in use.
    apart(move || {
        let _turn = turn;
        work()
    })
    .await
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_whose_caller_was_given_up_keeps_its_turn() {
        let (begun, begins) = mpsc::channel();
        let (let_go, held): (Vec<_>, Vec<_>) = (0..AT_ONCE).map(|_| mpsc::channel::<()>()).unzip();
        let callers = held.into_iter().map(|held| {
            let begun = begun.clone();
            tokio::spawn(run(move || {
                begun.send(()).unwrap();
                let _ = held.recv();
            }))
        });
        for caller in callers.collect::<Vec<_>>() {
            begins.recv().unwrap();
            caller.abort();
            let _ = caller.await;
        }
        let next = tokio::spawn(run(|| ()));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!next.is_finished(), "all turns are taken by work that goes on");
        drop(let_go);
        next.await.unwrap();
    }
}
