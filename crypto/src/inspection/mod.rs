//! Inspection: read a chip ([`read`]), then judge the evidence ([`judge`]). Doc 9303-11 (8th ed.) §4 to §6.
//!
//! Reading talks to the chip over any [`crate::conversation::CardTransport`] and verifies nothing; it returns
//! [`Evidence`]: raw bytes and how each protocol ended. Judging is a pure function of that evidence, of the trust
//! anchors, and of the moment. It returns a [`Judgement`]: a [`Verdict`] with one finding per [`Check`] (proved,
//! refuted or not checked, and why), and the [`Holder`] from the data groups that were proved to be signed.
//!
//! ```
//! use crypto::apdu::{Command, Response, Status};
//! use crypto::conversation::{CardTransport, Fault};
//! use crypto::inspection::{Conclusion, Password, Request, judge, read};
//! use crypto::pki::TrustStore;
//!
//! /// A card that knows no command.
//! struct Mute;
//!
//! impl CardTransport for Mute {
//!     type Error = Fault;
//!
//!     fn transmit(&mut self, _: &Command) -> Result<Response, Fault> {
//!         Ok(Response::status(Status::INSTRUCTION_NOT_SUPPORTED))
//!     }
//! }
//!
//! let request = Request { password: Password::Can("000042".parse()?), challenge: rand::random(), groups: None };
//! let evidence = read(&mut Mute, &request, &mut rand::rng(), &mut |step| println!("{}", step.name()))?;
//! let judgement = judge(&evidence, &TrustStore::default(), time::OffsetDateTime::now_utc());
//! assert_eq!(judgement.verdict.conclusion(), Conclusion::Undecided);
//! assert!(judgement.holder.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod evidence;
mod holder;
mod judge;
mod length;
mod line;
mod profile;
mod reading;
mod verdict;

pub use evidence::{
    Access, AccessProtocol, ActiveAuthenticated, ChipAuthenticated, Evidence, FileReading, Password, Protocol,
};
pub use holder::{Holder, Judgement};
pub use judge::{Trust, judge};
pub use length::{minimum_reads, most_plaintext};
pub use line::{LineError, SecureLine};
pub use profile::DocumentProfile;
pub use reading::{Request, Step, read};
pub use verdict::{Check, Conclusion, Finding, Outcome, UnknownCheck, Verdict};
