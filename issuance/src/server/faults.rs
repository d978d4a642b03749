//! What the worker fails in: said in the log once when it begins and once when it is over, and shown by health.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The work of the worker that fails now; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The work that fails. Why stands in the log alone: health answers strangers, and a cause names files and hosts.
    failing: BTreeSet<&'static str>,
    /// So many times a record that is of no person was looked at.
    sung: u64,
    /// A look in an emergency waits too long for its review.
    unreviewed: bool,
    /// An objection waits too long for its answer.
    unanswered: bool,
    /// What a partner is to be told was given up.
    given_up: bool,
    /// The end of the worker's last turn; none before the first one.
    turned: Option<Instant>,
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a piece of work ended, and logs it if it ended otherwise than the time before.
    pub(super) fn note<E: Display>(&self, work: &'static str, done: &Result<(), E>) {
        let before = match done {
            Ok(()) => self.state().failing.remove(work),
            Err(_) => !self.state().failing.insert(work),
        };
        match (before, done) {
            (false, Err(error)) => {
                tracing::error!(work, %error, "the worker fails in a piece of work, and tries it again");
            }
            (true, Ok(())) => tracing::info!(work, "the worker does a piece of work again that had failed"),
            (false, Ok(())) | (true, Err(_)) => {}
        }
    }

    /// Notes that records which are of no person were looked at.
    pub(super) fn sung(&self) {
        self.state().sung += 1;
    }

    /// Notes whether a look in an emergency waits too long for its review.
    pub(super) fn unreviewed(&self, waits: bool) {
        self.state().unreviewed = waits;
    }

    /// Notes whether an objection waits too long for its answer.
    pub(super) fn unanswered(&self, waits: bool) {
        self.state().unanswered = waits;
    }

    /// Notes whether what a partner is to be told was given up.
    pub(super) fn given_up(&self, is: bool) {
        self.state().given_up = is;
    }

    /// Notes that the worker has looked at all of its work.
    pub(super) fn turned(&self) {
        self.state().turned = Some(Instant::now());
    }

    /// Returns what fails, a sentence for each piece of work that strangers may read.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let state = self.state();
        let stands = state.turned.map(|turned| turned.elapsed()).filter(|elapsed| *elapsed > STANDS_STILL);
        let stands = stands.map(|elapsed| {
            let seconds = elapsed.as_secs();
            format!("the worker has not looked at its work for {seconds} seconds; if that goes on, restart the service")
        });
        let sung = (state.sung > 0).then(|| {
            "a record that is of no person was looked at; the log says by whom, and the notice ends with the next start"
                .to_owned()
        });
        let unreviewed = state.unreviewed.then(|| {
            "a look in an emergency waits too long for its review: the national office sees it at \
             /api/v1/emergency-looks"
                .to_owned()
        });
        let unanswered = state.unanswered.then(|| {
            "an objection of a citizen waits too long for its answer: those who answer it see it at /api/v1/objections"
                .to_owned()
        });
        let given_up = state.given_up.then(|| {
            "notifications to a partner were given up: the log says which, and the national office sees why at \
             /api/v1/partner-systems/{id}/addresses"
                .to_owned()
        });
        let fails = state.failing.iter().map(|work| format!("{work} fails, and is tried again; the log says why"));
        fails.chain(stands).chain(sung).chain(unreviewed).chain(unanswered).chain(given_up).collect()
    }
}

/// A worker that has not ended a turn for so long stands still.
const STANDS_STILL: Duration = Duration::from_mins(1);
