//! What a citizen's agent is told when a card opens nothing. No answer tells anything of the holder.

use crypto::log_in::Refusal;
use crypto::perso::problem::ProblemCode as Code;

use super::CitizenError;
use crate::web::Problem;

/// Returns the code of a refusal; one per remedy.
pub(super) const fn code_of(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::Altered(_) => Code::CardAltered,
        Refusal::Foreign(_) => Code::CardNotOfState,
        Refusal::Unproved(_) => Code::CardUnproved,
    }
}

impl From<CitizenError> for Problem {
    fn from(error: CitizenError) -> Self {
        use CitizenError as E;
        match error {
            E::Access(source) => source.into(),
            E::Busy { wait } => Self::new(Code::LogInBusy).retry_after(wait),
            E::Card(source) => source.into(),
            E::CodeLocked { wait: None } => Self::new(Code::CitizenCodeLocked),
            E::CodeLocked { wait: Some(wait) } => Self::new(Code::CitizenCodeLocked).retry_after(wait),
            E::CodeNeeded => Self::new(Code::CitizenCodeNeeded),
            E::CodeUnfit => Self::new(Code::CitizenCodeUnfit).field(
                "/code",
                Code::CitizenCodeUnfit,
                "6 to 12 digits, no row, and nothing that stands on the card",
            ),
            E::CodeUnset => Self::new(Code::CitizenCodeUnset),
            E::CodeWrong => Self::new(Code::CitizenCodeWrong),
            E::Crl(source) => source.into(),
            E::CrlUnfit(source) => Self::internal(&source),
            E::Deed(source) => source.into(),
            E::LookUnknown => Self::new(Code::LookUnknown),
            E::NotInForce => Self::new(Code::CardNotInForce),
            E::ObjectionAnswered => Self::new(Code::ObjectionAnswered),
            E::ObjectionUnknown => Self::new(Code::ObjectionUnknown),
            E::ObjectionsOpen => Self::new(Code::ObjectionsOpen),
            E::Refused(refusal) => Self::new(code_of(&refusal)),
            E::SessionNeeded => Self::new(Code::CitizenSessionNeeded),
            E::Store(source) => source.into(),
            E::Unknown => Self::new(Code::LogInUnknown),
        }
    }
}
