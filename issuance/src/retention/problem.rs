//! What a caller is told when a legal hold is not put or ended.

use crypto::perso::problem::ProblemCode as Code;

use super::HoldError;
use crate::web::Problem;

impl From<HoldError> for Problem {
    fn from(error: HoldError) -> Self {
        use HoldError as E;
        let said = error.to_string();
        let of = |code| Self::new(code).detail(&said);
        match error {
            E::ApplicationUnknown => of(Code::ApplicationUnknown),
            E::CardUnknown => of(Code::CardUnknown),
            E::OtherOffice(source) => source.into(),
            E::PersonUnknown => of(Code::PersonUnknown),
            E::ReasonMissing => of(Code::ReasonMissing),
            E::SecondOfficer => of(Code::SecondOfficerNeeded),
            E::State(_) => of(Code::LegalHoldState),
            E::Store(source) => source.into(),
            E::Unknown => of(Code::LegalHoldUnknown),
        }
    }
}
