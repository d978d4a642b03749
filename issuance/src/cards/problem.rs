//! What a caller is told when a card stays what it is.

use crypto::perso::problem::ProblemCode as Code;

use super::CardError;
use super::compose::ComposeError;
use super::model::UndoError;
use crate::web::Problem;

impl From<CardError> for Problem {
    fn from(error: CardError) -> Self {
        use CardError as E;
        match error {
            E::Recalled => Self::new(Code::CardRecalled).detail(error),
            E::BodyUnchecked => Self::new(Code::BodyCheckNeeded).detail(error),
            E::Grounds => Self::new(Code::LossGroundsMissing),
            E::Hash => Self::new(Code::HashMalformed),
            E::OtherOffice(source) => source.into(),
            E::Status(source) | E::Undo(UndoError::Status(source)) => {
                Self::new(Code::CardStatusDoesNotAllow).detail(source)
            }
            E::Store(source) => source.into(),
            E::Undo(UndoError::SameOfficer) => Self::new(Code::SecondOfficerNeeded).detail(error),
            E::Unknown => Self::new(Code::CardUnknown).detail(error),
        }
    }
}

impl From<ComposeError> for Problem {
    fn from(error: ComposeError) -> Self {
        Self::new(Code::CardNotComposable).detail(error)
    }
}
