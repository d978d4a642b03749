//! The chip from outside: what a station, a reader, a thief and a power cut see of it.

mod bearer;
mod cast;
mod faults;
mod hostile;
mod issuer;
mod memory;
mod order;
mod readers;
mod strangers;
