//! The parts of `issuance` that are measured without its server, under the names that the benchmarks use. Nothing else in this folder
//! names a path of `issuance`.

pub use issuance::applications::portrait::passport_portrait;
pub use issuance::numbering::Permutation;
pub use issuance::numbering::model::Cell;
pub use issuance::pki::{KeyName, KeyStore, SigningKey};
pub use issuance::population::check;
pub use issuance::population::model::Declaration;
pub use issuance::population::reference::{ExtraProvince, Reference};
pub use issuance::production::compose::{ChipFacts, Composed, Holder, compose};
pub use issuance::production::profile::CardProfile;
