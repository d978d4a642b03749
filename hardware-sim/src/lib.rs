//! The card: a chip in software, for tests in process and, as the program `hardware-sim`, behind a virtual reader of the real
//! pcscd.
//!
//! [`Chip::transmit`] is the whole surface: bytes of a command APDU in, bytes of a response APDU out. Behind it, in the order a
//! command meets them: `channel` opens its protection, `applet` does what it asks, [`access`] says whether that is allowed,
//! [`state`] remembers. [`profile`] says what kind of chip it is, [`faults`] what goes wrong and when; [`vpcd`] and [`slot`] put it
//! on a reader, [`InProcess`] spares the reader.
//!
//! What it is not: a secure element. Its memory is a file, and its random numbers are a function of a seed.

pub mod access;
pub mod atr;
pub mod control;
pub mod faults;
pub mod filesystem;
pub mod hostile;
pub mod lifecycle;
pub mod profile;
pub mod slot;
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
