//! A personalization station: makes blanks into stock, and stock into cards.
//!
//! ```text
//! intake       present -> order -> play -> report                            blank       -> initialised
//! personalize  present -> order -> play -> read back -> report               initialised -> a citizen's card
//! ```
//!
//! Each arrow is a record in the [`journal`], on disk before the next step. A crash, Ctrl-C or a pulled card at any
//! point therefore ends in one of two ways: the chip is presented again and *resumed* with a new order (an order that
//! was begun is spent, because the chip counts), or it is *spoiled and accounted for* at the service. The station holds
//! no card key: orders and receipts are sealed.

pub mod enrolment;
mod in_use;
pub mod job;
pub mod journal;
mod read_back;
mod refusal;

pub use enrolment::Folder;
pub use in_use::InUse;
pub use job::{Done, Station, Stride};
