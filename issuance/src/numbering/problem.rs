//! What a caller is told when no number is established.

use crypto::perso::problem::ProblemCode as Code;

use super::EstablishError;
use super::model::NumberingError;
use crate::web::Problem;

impl From<EstablishError> for Problem {
    fn from(error: EstablishError) -> Self {
        use EstablishError as E;
        match error {
            E::Counters(source) => Self::internal(&source),
            E::Doubtful(_) => Self::new(Code::AcknowledgementNeeded).detail(error),
            E::NotACitizen => Self::new(Code::NotEntitled).detail(error),
            E::ReasonMissing => Self::new(Code::ReasonMissing).detail(error),
            E::Numbering(source @ NumberingError::Exhausted(_)) => Self::new(Code::NumberCellExhausted).detail(source),
            E::Numbering(source @ NumberingError::Structure(_)) => Self::new(Code::NumberStructure).detail(source),
            E::OtherOffice(source) => source.into(),
            E::PersonUnknown => Self::new(Code::PersonUnknown),
            E::Store(source) => source.into(),
        }
    }
}
