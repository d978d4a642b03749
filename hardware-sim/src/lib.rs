//! The card: a chip in software, for tests in process and, as the program `hardware-sim`, behind a virtual
//! reader of the real pcscd.
//!
//! [`Chip::transmit`] takes the bytes of a command APDU and returns the bytes of a response APDU. The modules import
//! each other in one direction only, from top to bottom (a test refuses circles):
//!
//! | module | what it is |
//! | --- | --- |
//! | [`control`] | control lines |
//! | [`specimen`] | finished cards of invented people, by the authority of a seed |
//! | [`pcscd`] | a private pcscd with virtual readers |
//! | [`slot`], [`vpcd`], [`InProcess`] | a chip on a virtual reader; the protocol of that reader; a chip without one |
//! | [`Chip`] | one chip, driven by APDUs: parse, open the channel, act, seal |
//! | `applet` | what each command does |
//! | `core`, `dialogue`, `channel` | the state of one chip; a protocol between two commands; the secure channel |
//! | [`lifecycle`], [`access`] | the steps from one life cycle state to the next; which operation is allowed when |
//! | [`state`], [`filesystem`] | what survives a power cut; the files |
//! | [`faults`], [`atr`] | planned faults; what the chip announces about itself |
//! | [`profile`], [`hostile`] | what kind of chip it is; how it misbehaves |
//!
//! It is not a secure element: its memory is a file, and its random numbers are a function of a seed.

pub mod access;
pub mod atr;
pub mod control;
pub mod faults;
pub mod filesystem;
pub mod hostile;
pub mod lifecycle;
pub mod pcscd;
pub mod profile;
pub mod slot;
pub mod specimen;
pub mod state;
pub mod vpcd;

mod applet;
mod channel;
mod chip;
mod core;
mod dialogue;
mod in_process;
mod manufacture;

pub use chip::{Chip, TRANSPORT_KEY_VERSION};
pub use in_process::{InProcess, InProcessError};
pub use manufacture::{TransportMasterError, serial, transport_master};
pub use profile::Profile;
pub use state::{StateError, Store};
