//! The parts of `issuance` that are measured without its server, under the names that the benchmarks use. Nothing else
//! in this folder names a path of `issuance`.

pub use issuance::applications::portrait::{on_chip, passport_portrait};
pub use issuance::cards::CardProfile;
pub use issuance::cards::compose::{ChipFacts, Composed, Holder, compose};
pub use issuance::keys::{KeyName, KeyStore, SigningKey};
pub use issuance::numbering::Permutation;
pub use issuance::numbering::model::Cell;
pub use issuance::population::check;
pub use issuance::population::model::Declaration;
pub use issuance::population::reference::{ExtraProvince, Reference};
