//! The logical data structure: what the files of the chip contain, Doc 9303-10 (8th ed.).
//!
//! Written strictly, read leniently: a file of a foreign card is read as far as possible. Hash a file as it was
//! read, never a re-encoding.

mod atr_info;
mod com;
mod dg1;
pub mod dg13;
mod dg2;
mod file;
mod finger_images;
mod jpeg;
mod security_files;
pub mod security_infos;

pub use atr_info::{AtrInfo, AtrInfoError};
pub use com::{Com, ComError};
pub use dg1::{Dg1, Dg1Error};
pub use dg2::{Dg2, Dg2Error, ImageFormat};
pub use dg13::{Dg13, Dg13Error};
pub use file::{DataGroup, File, UnknownDataGroup, UnknownFile};
pub use finger_images::{FingerCoding, FingerImages, FingerImagesError, FingerPosition, FingerView};
pub use jpeg::{Jpeg, JpegError};
pub use security_files::{CardAccess, Dg14, Dg15, SecurityFileError};
pub use security_infos::SecurityInfos;

#[cfg(test)]
mod tests;
