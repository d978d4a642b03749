//! Names that are locked where they were tried, in memory: a guess while locked costs neither hashing nor a write.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// What is remembered of locked names; the database has the locks themselves.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<[u8; 32], Locked>>);

#[derive(Clone, Copy, Debug)]
struct Locked {
    until: OffsetDateTime,
    guesses: u32,
}

/// A guess while the name is locked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Guess {
    /// Seconds until the lock ends.
    pub wait: u64,
    /// Guesses since the lock began, if this number is to be recorded: at 1, 2, 4, 8 …
    pub recorded: Option<u32>,
}

impl Throttle {
    /// Counts a guess if the bucket is locked at this moment. A lock lasts `most` from now at most, also if it began
    /// while the clock was ahead.
    pub(super) fn guess(&self, bucket: &[u8; 32], now: OffsetDateTime, most: Duration) -> Option<Guess> {
        let mut locked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = locked.get_mut(bucket)?;
        if lock.until <= now {
            locked.remove(bucket);
            return None;
        }
        lock.until = lock.until.min(now + most);
        lock.guesses = lock.guesses.saturating_add(1);
        Some(lock.told(now))
    }

    /// Remembers that the bucket is locked, after so many guesses.
    pub(super) fn lock(&self, bucket: [u8; 32], until: OffsetDateTime, guesses: u32, now: OffsetDateTime) -> Guess {
        let mut locked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if locked.len() >= REMEMBERED {
            locked.retain(|_, lock| lock.until > now);
        }
        let lock = Locked { until, guesses };
        if locked.len() < REMEMBERED {
            locked.insert(bucket, lock);
        }
        lock.told(now)
    }
}

impl Locked {
    fn told(self, now: OffsetDateTime) -> Guess {
        let wait = u64::try_from((self.until - now).whole_seconds()).unwrap_or(0) + 1;
        Guess { wait, recorded: self.guesses.is_power_of_two().then_some(self.guesses) }
    }
}

/// So many locks are remembered; guesses at the rest take their turn and are counted in the database.
const REMEMBERED: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_recorded_ever_more_rarely_until_the_lock_ends() {
        let (throttle, begin) = (Throttle::default(), OffsetDateTime::UNIX_EPOCH);
        let until = begin + Duration::minutes(15);
        assert_eq!(throttle.guess(&[1; 32], begin, QUARTER), None);
        assert_eq!(throttle.lock([1; 32], until, 1, begin), Guess { wait: 901, recorded: Some(1) });
        let recorded: Vec<_> = (0..1_000).filter_map(|_| throttle.guess(&[1; 32], begin, QUARTER)?.recorded).collect();
        assert_eq!(recorded, [2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(throttle.guess(&[2; 32], begin, QUARTER), None, "another bucket");
        assert_eq!(throttle.guess(&[1; 32], until, QUARTER), None);
    }

    #[test]
    fn a_lock_that_began_while_the_clock_was_ahead_ends_within_the_usual_time() {
        let (throttle, now) = (Throttle::default(), OffsetDateTime::UNIX_EPOCH);
        let ahead = now + Duration::days(1);
        throttle.lock([1; 32], ahead + QUARTER, 1, ahead);
        assert_eq!(throttle.guess(&[1; 32], now, QUARTER).unwrap().wait, 901);
        assert_eq!(throttle.guess(&[1; 32], now + QUARTER, QUARTER), None);
    }

    const QUARTER: Duration = Duration::minutes(15);
}
