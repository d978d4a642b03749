//! Tests of the chip through its APDUs, its store and its virtual reader.

mod bearer;
mod cast;
mod faults;
mod hostile;
mod issuer;
mod log_in;
mod memory;
mod order;
mod readers;
mod unauthenticated;
