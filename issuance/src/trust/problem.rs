//! What a terminal is told when there is no bundle.

use super::BundleError;
use crate::web::Problem;

impl From<BundleError> for Problem {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::Crl(source) => source.into(),
            BundleError::Signer(source) => source.into(),
            BundleError::Store(source) => source.into(),
            BundleError::Draft(_) | BundleError::Signature(_) => Self::internal(&error),
        }
    }
}
