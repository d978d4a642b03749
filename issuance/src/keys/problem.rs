//! What a caller is told when a key is missing.

use crypto::perso::problem::ProblemCode;

use super::{CardKeysError, CrlFileError, SignerError};
use crate::web::Problem;

impl From<SignerError> for Problem {
    fn from(error: SignerError) -> Self {
        match error {
            SignerError::Store(source) => source.into(),
            SignerError::Exhausted(_) | SignerError::Expired(_) => {
                Self::new(ProblemCode::SigningKeyExhausted).detail(error)
            }
            SignerError::Crl(source) => source.into(),
            SignerError::Revoked(..) => Self::caused(ProblemCode::SignerRevoked, &error),
            _ => Self::internal(&error),
        }
    }
}

impl From<CardKeysError> for Problem {
    fn from(error: CardKeysError) -> Self {
        match error {
            CardKeysError::Version(_) => Self::internal(&error),
            _ => Self::new(ProblemCode::TransportKeyUnknown).detail(error),
        }
    }
}

impl From<CrlFileError> for Problem {
    fn from(error: CrlFileError) -> Self {
        Self::internal(&error)
    }
}
