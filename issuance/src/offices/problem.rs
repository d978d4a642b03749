//! What a caller is told when units or calendar do not change.

use crypto::perso::problem::ProblemCode as Code;

use super::model::OfficesError;
use crate::web::Problem;

impl From<OfficesError> for Problem {
    fn from(error: OfficesError) -> Self {
        use OfficesError as E;
        match error {
            E::CodeTaken => Self::new(Code::AlreadyThere).detail(error),
            E::Cycle => Self::new(Code::UnitCycle),
            E::DayName => Self::new(Code::CalendarDayUnfit),
            E::MovedOn => Self::new(Code::FormMovedOn),
            E::OfficeEnded(source) => source.into(),
            E::OtherOffice(source) => source.into(),
            E::ParentUnknown => Self::new(Code::UnitParentUnknown),
            E::Period(source) => Self::new(Code::PeriodUnfit).detail(source),
            E::ProposalStale => Self::new(Code::ProposalStale).detail(error),
            E::ProposalUnknown => Self::new(Code::ProposalUnknown).detail(error),
            E::ReasonMissing => Self::new(Code::ReasonMissing).detail(error),
            E::SecondOfficer => Self::new(Code::SecondOfficerNeeded).detail(error),
            E::Store(source) => source.into(),
            E::UnitUnfit(source) => Self::new(Code::UnitUnfit).detail(source),
            E::UnitUnknown => Self::new(Code::UnitUnknown),
        }
    }
}
