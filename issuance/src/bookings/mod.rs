//! Bookings: a citizen has a place and a time at an office for the capture.
//!
//! An office has opening hours with slots and desks, in force from a day; the calendar of working days says on which
//! days it is open. A booking takes a desk of a slot until it is cancelled, moved or missed. One whose slot is gone,
//! because a day was closed, hours were changed or the office takes no bookings any more, is to be moved: the citizen
//! is told, and it stays open until an officer moves or cancels it. One of a citizen who died
//! ends, and its desk is free.

mod api;
pub mod model;
mod pages;
mod problem;
mod register_changes;
pub mod steps;
mod store;
mod told;
pub mod upkeep;

pub use api::{BookingOfApplication, routes};
pub(crate) use pages::pages;
use serde::{Deserialize, Serialize};
pub use steps::BookingError;
pub use store::{BOOKING, MIGRATIONS, OFFICE_HOURS, to_be_moved};

/// Settings of bookings.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The last day that can be booked is so many days ahead.
    pub horizon_days: u16,
    /// Bookings that were missed in the last so many days count ...
    pub missed_days: u16,
    /// ... and from so many on the counter is told. Nothing is refused for it.
    pub missed_told: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self { horizon_days: 30, missed_days: 180, missed_told: 3 }
    }
}

/// What this office has: its settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bookings {
    settings: Settings,
}

impl Bookings {
    /// The office with these settings.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings }
    }
}
