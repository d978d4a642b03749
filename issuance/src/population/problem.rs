//! What a caller is told when the register does not do what was asked.

use crypto::perso::problem::ProblemCode as Code;

use super::PopulationError;
use super::change::ChangeError;
use super::check::Declined;
use super::forms::FormError;
use super::history::ChangeUnfit;
use super::import::quarantine::QuarantineError;
use super::merge::MergeError;
use super::search::SearchError;
use crate::web::Problem;

impl From<PopulationError> for Problem {
    fn from(error: PopulationError) -> Self {
        use PopulationError as E;
        match error {
            E::ClaimMismatch => Self::new(Code::ClaimMismatch),
            E::ClaimNeeded => Self::new(Code::ClaimNeeded),
            E::ClaimTooSoon => Self::new(Code::ClaimTooSoon),
            E::Declined(declined) => of_declined(&declined, ""),
            E::Merged(_) => Self::new(Code::PersonMerged).detail(error),
            E::OtherOffice(source) => source.into(),
            E::Store(source) => source.into(),
            E::Unknown => Self::new(Code::PersonUnknown).detail(error),
        }
    }
}

impl From<FormError> for Problem {
    fn from(error: FormError) -> Self {
        use FormError as E;
        match error {
            E::Change(source) => source.into(),
            E::Declined(declined) => of_declined(&declined, ""),
            E::Differs(fields) => fields.iter().fold(Self::new(Code::ReadingsDiffer), |problem, field| {
                problem.field(format!("/{field}"), Code::ReadingsDiffer, "the two readings differ")
            }),
            E::MovedOn => Self::new(Code::FormMovedOn),
            E::OtherOffice(source) => source.into(),
            E::SameOfficer => Self::new(Code::SecondOfficerNeeded),
            E::Store(source) => source.into(),
            E::TooLong(ref field) => {
                let at = format!("/{}", field.replace('.', "/"));
                Self::new(Code::TextTooLong).detail(&error).field(at, Code::TextTooLong, "shorten it")
            }
            E::Unknown => Self::new(Code::FormUnknown),
        }
    }
}

impl From<QuarantineError> for Problem {
    fn from(error: QuarantineError) -> Self {
        use QuarantineError as E;
        match error {
            E::ColumnUnknown(_) => Self::new(Code::ColumnUnknown).detail(error),
            E::Declined(against) => of_declined(&Declined(against), ""),
            E::MovedOn => Self::new(Code::FormMovedOn),
            E::OtherOffice(source) => source.into(),
            E::Population(source) => source.into(),
            E::Store(source) => source.into(),
            E::Unknown => Self::new(Code::QuarantinedUnknown),
        }
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Store(source) => source.into(),
            SearchError::TooBroad => Self::new(Code::SearchTooBroad),
            SearchError::Unfit(_) => Self::new(Code::SearchUnfit).detail(error),
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        use ChangeError as E;
        match error {
            E::ChangeUnknown => Self::new(Code::ChangeUnknown),
            E::Declined(declined) => of_declined(&declined, "/fields"),
            E::Merged(_) => Self::new(Code::PersonMerged).detail(error),
            E::Objection(objection) => objection.into(),
            E::Store(source) => source.into(),
            E::OtherOffice(source) => source.into(),
            E::PersonUnknown => Self::new(Code::PersonUnknown).detail(error),
            E::SameOfficer => Self::new(Code::SecondOfficerNeeded),
            E::ProposerGone | E::Stale(_) => Self::new(Code::ChangeStale).detail(error),
            // Not one of the fields: a member of the body.
            E::Unfit(unfit @ ChangeUnfit::Ahead) => {
                Self::new(Code::ChangeUnfit).detail(&unfit).field("/valid_from", "date-in-future", unfit.to_string())
            }
            E::Unfit(unfit @ ChangeUnfit::NeedsCourt) => {
                Self::new(Code::ChangeUnfit).detail(&unfit).field("/evidence/source", "change-unfit", unfit.to_string())
            }
            E::Unfit(unfit) => {
                let problem = Self::new(Code::ChangeUnfit).detail(&unfit);
                match unfit.field() {
                    Some(field) => problem.field(format!("/fields/{field}"), "change-unfit", unfit.to_string()),
                    None => problem,
                }
            }
        }
    }
}

impl From<MergeError> for Problem {
    fn from(error: MergeError) -> Self {
        match error {
            // The proposal is a merge's, and is taken back as one.
            MergeError::Change(ref source @ (ChangeError::ProposerGone | ChangeError::Stale(_))) => {
                Self::new(Code::MergeStale).detail(source)
            }
            MergeError::Change(source) => source.into(),
            MergeError::Unfit(_) => Self::new(Code::MergeUnfit).detail(error),
            MergeError::Unknown => Self::new(Code::MergeUnknown),
        }
    }
}

/// One reason: its own code. Several: one code, and the detail names each field.
fn of_declined(declined: &Declined, within: &str) -> Problem {
    let codes: Vec<&str> = declined.0.iter().map(|finding| finding.code.as_str()).collect();
    let code = match codes[..] {
        ["name-not-writable"] => Code::NameNotWritable,
        ["date-unreadable"] => Code::DateUnreadable,
        ["date-impossible"] => Code::DateImpossible,
        ["date-in-future"] => Code::DateInFuture,
        ["province-unassigned"] => Code::ProvinceUnassigned,
        _ => Code::DeclarationIncomplete,
    };
    declined.0.iter().fold(Problem::new(code).detail(declined), |problem, finding| {
        problem.field(format!("{within}/{}", finding.field.replace('.', "/")), &finding.code, &finding.message)
    })
}
