//! Time and randomness, both parameters: the service's own, or those that a test sets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Instant;

use crypto::identity::civil_time::VIET_NAM;
use rand::rngs::ChaCha20Rng;
#[expect(clippy::disallowed_types, reason = "the one place where the system's randomness enters the service")]
use rand::rngs::SysRng;
use rand::{Rng, SeedableRng};
use time::{Date, Duration, OffsetDateTime, Time, UtcOffset};

use super::Id;

/// A clock with the civil day of the State.
///
/// A moment is a moment everywhere; a day is one of the State's: between 0 and 7 o'clock in Viet Nam it
/// is still yesterday in UTC.
#[derive(Clone, Debug)]
pub struct Clock {
    hands: Hands,
    offset: UtcOffset,
}

/// Where time comes from.
#[derive(Clone, Debug)]
enum Hands {
    /// A moment that a test sets, and how long the computer has run.
    Set(Arc<Mutex<(OffsetDateTime, Duration)>>),
    /// The computer's clock.
    System,
}

impl Clock {
    /// The computer's clock in a State whose civil time is `offset` ahead of UTC.
    #[must_use]
    pub fn system(offset: UtcOffset) -> Self {
        Self { hands: Hands::System, offset }
    }

    /// A clock that stands still at `at`, in Viet Nam. For tests.
    #[must_use]
    pub fn standing(at: OffsetDateTime) -> Self {
        Self { hands: Hands::Set(Arc::new(Mutex::new((at, Duration::ZERO)))), offset: VIET_NAM }
    }

    /// Returns the same clock in a State whose civil time is `offset` ahead of UTC.
    #[must_use]
    pub fn in_state(&self, offset: UtcOffset) -> Self {
        Self { hands: self.hands.clone(), offset }
    }

    /// Moves a set clock; the computer's clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Hands::Set(at) = &self.hands {
            let (at, run) = &mut *at.lock().expect("the lock is held for an addition only");
            *at += by;
            *run += by.max(Duration::ZERO);
        }
    }

    /// Sets a set clock ahead or back: no time passes.
    pub fn jump(&self, by: Duration) {
        if let Hands::Set(at) = &self.hands {
            at.lock().expect("the lock is held for an addition only").0 += by;
        }
    }

    /// Returns for how long this process has run, whatever happens to the clock on the wall.
    #[must_use]
    pub fn run(&self) -> Duration {
        match &self.hands {
            Hands::Set(at) => at.lock().expect("the lock is held for an addition only").1,
            Hands::System => BEGAN.elapsed().try_into().unwrap_or(Duration::MAX),
        }
    }

    /// Returns the moment, in UTC, in whole microseconds: what both databases keep.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        let at = match &self.hands {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks the computer's clock")]
            Hands::System => OffsetDateTime::now_utc(),
            Hands::Set(at) => at.lock().expect("the lock is held for an addition only").0,
        };
        at.replace_nanosecond(at.microsecond() * 1_000).unwrap_or(at)
    }

    /// Returns by how much the State's civil time is ahead of UTC.
    #[must_use]
    pub fn offset(&self) -> UtcOffset {
        self.offset
    }

    /// Returns the State's civil day at a moment.
    #[must_use]
    pub fn day_of(&self, at: OffsetDateTime) -> Date {
        at.to_offset(self.offset).date()
    }

    /// Returns the moment at which a civil day of the State begins.
    #[must_use]
    pub fn begin_of(&self, day: Date) -> OffsetDateTime {
        day.midnight().assume_offset(self.offset).to_offset(UtcOffset::UTC)
    }

    /// Returns the State's civil time at a moment.
    #[must_use]
    pub fn time_of(&self, at: OffsetDateTime) -> Time {
        at.to_offset(self.offset).time()
    }

    /// Returns the State's civil day now.
    #[must_use]
    pub fn today(&self) -> Date {
        self.day_of(self.now())
    }
}

/// When this process first asked how long it has run.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where randomness comes from.
#[derive(Debug)]
pub enum Randomness {
    /// A seed, for tests: the same requests in the same order see the same values.
    Seeded(Box<Mutex<ChaCha20Rng>>),
    /// The operating system.
    System,
}

impl Randomness {
    /// Deterministic randomness, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Box::new(Mutex::new(ChaCha20Rng::seed_from_u64(seed))))
    }

    /// Returns a fresh generator.
    #[must_use]
    pub fn draw(&self) -> ChaCha20Rng {
        match self {
            Self::Seeded(source) => {
                let mut seed = [0; 32];
                source.lock().expect("the lock is held for one draw only").fill_bytes(&mut seed);
                ChaCha20Rng::from_seed(seed)
            }
            Self::System => ChaCha20Rng::try_from_rng(&mut SysRng).expect("the operating system has randomness"),
        }
    }
}

/// Clock and randomness of one service, and the identifiers made of them; clones share both.
#[derive(Clone, Debug)]
pub struct Source {
    clock: Clock,
    randomness: Arc<Randomness>,
    /// When the last identifier was made, in parts of a millisecond of which it has 4096.
    last: Arc<AtomicU64>,
}

impl Source {
    /// A source of this clock and this randomness.
    #[must_use]
    pub fn new(clock: Clock, randomness: Randomness) -> Self {
        Self { clock, randomness: Arc::new(randomness), last: Arc::default() }
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the moment; see [`Clock::now`].
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// Returns a fresh generator for one request.
    #[must_use]
    pub fn rng(&self) -> ChaCha20Rng {
        self.randomness.draw()
    }

    /// Returns a new identifier: UUID version 7 (RFC 9562) of this clock and this randomness. Identifiers of one
    /// source ascend in the order in which they were made, those of two sources in that of time, down to a quarter of
    /// a microsecond (§6.2, method 3): what is listed by identifier is listed oldest first.
    #[must_use]
    pub fn id<T>(&self) -> Id<T> {
        made(self.reserve(1), &mut self.rng())
    }

    /// As [`id`](Self::id) so many times, with one draw from the source of randomness for all of them.
    #[must_use]
    pub fn ids<T>(&self, count: usize) -> Vec<Id<T>> {
        let (first, mut rng) = (self.reserve(count.max(1) as u64), self.rng());
        (first..).take(count).map(|at| made(at, &mut rng)).collect()
    }

    /// Returns a moment from which on so many parts of a millisecond belong to the caller's identifiers.
    fn reserve(&self, count: u64) -> u64 {
        let nanoseconds = u64::try_from(self.now().unix_timestamp_nanos()).unwrap_or(0);
        let now = (nanoseconds / 1_000_000) << 12 | (nanoseconds % 1_000_000 * 4_096 / 1_000_000);
        // Two in one moment: the second counts as a quarter of a microsecond later. After a clock that was set back,
        // time counts anew.
        let after = |last: u64| if (now..now + LENT).contains(&last) { last + 1 } else { now };
        let reserved = |last: u64| Some(after(last) + count - 1);
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserved);
        after(last.unwrap_or_else(|last| last))
    }
}

/// Makes an identifier of a moment, in parts of a millisecond of which it has 4096.
fn made<T>(at: u64, rng: &mut ChaCha20Rng) -> Id<T> {
    let mut random = [0; 10];
    rng.fill_bytes(&mut random);
    let fraction = u16::try_from(at & 0xfff).expect("twelve bits");
    random[..2].copy_from_slice(&fraction.to_be_bytes());
    Id::from_uuid(uuid::Builder::from_unix_timestamp_millis(at >> 12, &random).into_uuid())
}

/// So far may identifiers run ahead of the clock: a second, in parts of a millisecond of which it has 4096.
const LENT: u64 = 1_000 << 12;

/// So much may the clocks of two processes differ, or a clock be set back while the service runs: what is further in
/// the future was written while the clock was wrong.
pub const CLOCKS_DIFFER: Duration = Duration::minutes(1);

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn the_day_is_that_of_the_state() {
        let clock = Clock::standing(datetime!(2026-11-24 17:30 UTC));
        assert_eq!(clock.today(), date!(2026 - 11 - 25), "half past midnight in Viet Nam");
        assert_eq!(clock.now(), datetime!(2026-11-24 17:30 UTC));
        clock.advance(Duration::hours(-1));
        assert_eq!(clock.today(), date!(2026 - 11 - 24));
        assert_eq!(clock.run(), Duration::ZERO);
        clock.advance(Duration::hours(2));
        clock.jump(Duration::hours(5));
        assert_eq!((clock.run(), clock.now()), (Duration::hours(2), datetime!(2026-11-24 23:30 UTC)));
    }

    #[test]
    fn identifiers_ascend_with_time() {
        let source = Source::new(Clock::standing(datetime!(2026-11-24 17:30 UTC)), Randomness::seeded(1));
        let first: Id<()> = source.id();
        source.clock().advance(Duration::microseconds(1));
        assert!(first < source.id());
    }

    #[test]
    fn identifiers_of_one_moment_ascend_as_they_are_made() {
        let source = Source::new(Clock::standing(datetime!(2026-11-24 17:30 UTC)), Randomness::seeded(1));
        let other = source.clone();
        let made: Vec<Id<()>> = (0..20_000).map(|n| if n % 2 == 0 { source.id() } else { other.id() }).collect();
        assert!(made.is_sorted_by(|one, next| one < next));
        let many: Vec<Id<()>> = source.ids(5000);
        assert!(made[19_999] < many[0] && many.is_sorted_by(|one, next| one < next) && many[4999] < other.id());
        assert_eq!((many.len(), source.ids::<()>(0).len()), (5000, 0));
        source.clock().jump(Duration::hours(-1));
        let earlier: Id<()> = source.id();
        assert!(earlier < made[0] && earlier < source.id(), "a clock that is set back counts anew");
    }
}
