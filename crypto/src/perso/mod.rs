//! Personalization: the service computes an order, the station plays it without reading it, the chip proves the result.
//!
//! ```text
//! station                          service                             chip
//! present(card) -> Presentation ->  Script::personalize(..) -> Record (stored)
//!                  Order        <-  Script::order(id)
//! play(card, &order)  ------------------------------------------------> decrypts, checks, acts
//!                  Receipt      ->  Script::from_record(..).verify(..) -> Outcome
//! ```
//!
//! ```
//! use crypto::identity::CardSerial;
//! use crypto::perso::{LifeCycle, Presentation, Reason, Receipt, Script};
//! use crypto::scp03::MasterKey;
//!
//! let serial = CardSerial([7; 10]);
//! let keys = MasterKey::from_bytes(&[1; 16])?.diversify(&serial, 3);
//! let presentation = Presentation {
//!     serial,
//!     life_cycle: LifeCycle::Initialised,
//!     key_version: 3,
//!     sequence_counter: 41,
//!     max_command: 261,
//!     max_response: 258,
//! };
//! let script = Script::report(&keys, &presentation, &mut rand::rng())?;
//! let order = script.order("order-1");
//! assert_eq!(order.commands.len(), 4);
//! // A receipt without the chip's answers proves nothing.
//! let receipt = Receipt { order: order.id, responses: vec![] };
//! let refused = script.verify(&keys, &receipt).unwrap_err();
//! assert_eq!((refused.index, refused.reason), (0, Reason::Incomplete));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The argument
//!
//! *Trusted:* the service, and the chip to the extent that it has the keys diversified for its serial. The station, the
//! wire and the reader are not.
//!
//! * **The station learns nothing.** An [`Order`] is INITIALIZE UPDATE, EXTERNAL AUTHENTICATE and commands sealed under
//!   session keys that are a function of the chip's static keys, its sequence counter and a fresh host challenge. Only
//!   the kind of each command and its length are visible. Answers ([`Receipt`]) are encrypted too.
//! * **The station changes nothing.** Every sealed command is a link of one MAC chain. A changed, dropped,
//!   repeated, swapped or foreign command has a wrong C-MAC; the chip drops the session and its keys. Only
//!   the tail can be cut off.
//! * **An order works once, on one chip.** The chip commits its counter before it answers INITIALIZE UPDATE, and the
//!   card challenge is a function of the counter: a second play meets another challenge, and fails at EXTERNAL
//!   AUTHENTICATE, as it does on a chip with other keys. Of two orders for the same counter one at most works. An old
//!   order is dead as soon as the counter has passed it.
//! * **The receipt is the chip's own evidence.** Each answer carries an R-MAC that covers the chaining value of its
//!   command, so it stands for this command after all those before it. A receipt cannot be invented, mixed from others,
//!   or shortened into a success: [`Script::verify`] wants the answer to *every* command, and the last one reports what
//!   the chip holds after the commit.
//! * **A lie in the [`Presentation`]** (serial, counter, key version, state, buffer sizes) yields an order that
//!   the chip refuses or cannot take. Which keys a chip may be opened with is a matter of the service's ledger,
//!   not of the presentation.
//! * **After a cut** nothing is continued: a new presentation shows the chip's state, a new order for a new
//!   counter does the rest. Only SET STATUS commits; a chip found personalized without a receipt proves its
//!   digest by a report order.
//!
//! *What is left.* Error statuses are not protected, so a station can always pretend failure, and can withhold. It can
//! burn counter values (2^24 of them). PUT KEY carries the issuer keys under the transport Key-DEK: an attacker who
//! knows a chip's transport keys *and* records its intake order learns the issuer keys of that chip. SCP03 has no
//! forward secrecy: with the master key recorded orders can be read.

mod order;
mod package;
mod presentation;
pub mod problem;
pub mod protocol;
mod report;
mod script;
mod stream;
#[cfg(test)]
mod tests;
mod verify;

pub use order::{Order, Purpose, Receipt, play};
pub use package::{Package, PackageError, digest};
pub use presentation::{LifeCycle, Presentation, present, tag};
pub use report::Report;
pub use script::{Record, Script, ScriptError, ScriptStep};
pub use stream::{Collector, Grouping};
pub use verify::{Outcome, PublicKeys, Reason, ReceiptError, StepName};
