//! Personalization: an order computed by the service, played blind by the station, proved by the chip.

mod presentation;

pub use presentation::{LifeCycle, Presentation, present, tag};
