//! The logical data structure: what the files of the chip contain, Doc 9303-10 (8th ed.).
//!
//! Written strictly, read leniently: a file of a foreign card is understood as far as it goes, and whoever hashes a file hashes the bytes as
//! they were read, never a re-encoding.

mod atr_info;
mod com;
mod dg1;
pub mod dg13;
mod dg2;
mod file;
mod security_files;
pub mod security_infos;

pub use atr_info::{AtrInfo, AtrInfoError};
pub use com::{Com, ComError};
pub use dg1::{Dg1, Dg1Error};
pub use dg2::{Dg2, Dg2Error, ImageFormat};
pub use dg13::{Dg13, Dg13Error};
pub use file::{DataGroup, File, UnknownDataGroup, UnknownFile};
pub use security_files::{CardAccess, Dg14, Dg15, SecurityFileError};
pub use security_infos::SecurityInfos;

/// Content of a DER INTEGER: shortest, with a leading zero where the first bit would read as a sign.
fn integer_bytes(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let skip = bytes.iter().take(3).take_while(|b| **b == 0).count();
    let sign = (bytes[skip] & 0x80 != 0).then_some(0);
    sign.into_iter().chain(bytes[skip..].iter().copied()).collect()
}

#[cfg(test)]
mod tests;
