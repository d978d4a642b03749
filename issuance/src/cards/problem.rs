//! What a caller is told when a card stays what it is.

use crypto::perso::problem::ProblemCode as Code;

use super::CardError;
use super::compose::ComposeError;
use crate::web::Problem;

impl From<CardError> for Problem {
    fn from(error: CardError) -> Self {
        use CardError as E;
        match error {
            E::Hash => Self::new(Code::HashMalformed),
            E::OtherOffice(source) => source.into(),
            E::Status(source) => Self::new(Code::CardStatusDoesNotAllow).detail(source),
            E::Store(source) => source.into(),
            E::Unknown => Self::new(Code::CardUnknown).detail(error),
        }
    }
}

impl From<ComposeError> for Problem {
    fn from(error: ComposeError) -> Self {
        Self::new(Code::CardNotComposable).detail(error)
    }
}
