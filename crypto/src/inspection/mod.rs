//! Inspection: read a chip ([`read`]), then judge what it gave ([`judge`]). Doc 9303-11 (8th ed.) §4 to §6.
//!
//! Reading talks to the chip over any [`crate::conversation::CardTransport`] and believes nothing; it leaves [`Evidence`]: raw bytes and
//! how each protocol ended. Judging is a pure function of that evidence, of whom one trusts, and of the moment. It leaves a
//! [`Judgement`]: a [`Verdict`] with one finding per [`Check`] (proved, refuted or not checked, and why), and the [`Holder`] from
//! the data groups that were proved to be signed.

mod evidence;
mod holder;
mod judge;
mod length;
mod line;
mod reading;
mod verdict;

pub use evidence::{
    Access, AccessProtocol, ActiveAuthenticated, ChipAuthenticated, Evidence, FileReading, Password, Protocol,
};
pub use holder::{Holder, Judgement};
pub use judge::{Trust, judge};
pub use length::{minimum_reads, most_plaintext};
pub use line::{LineError, SecureLine};
pub use reading::{Request, Step, read};
pub use verdict::{Check, Conclusion, Finding, Outcome, UnknownCheck, Verdict};
