//! What a caller is told when no number is established.

use crypto::perso::problem::ProblemCode as Code;

use super::EstablishError;
use super::births::BirthError;
use super::leases::LeaseError;
use super::model::NumberingError;
use crate::keys::KeyStoreError;
use crate::web::Problem;

impl From<EstablishError> for Problem {
    fn from(error: EstablishError) -> Self {
        use EstablishError as E;
        match error {
            E::Counters(ref source @ KeyStoreError::File(_, ref file)) => Self::of_file(file, source),
            E::Counters(source) => Self::internal(&source),
            E::Doubtful(_) => Self::new(Code::AcknowledgementNeeded).detail(error),
            E::Given => of_number(Code::NumberGiven, &error),
            E::LeaseReturned => of_number(Code::NumberLeaseReturned, &error),
            E::LeaseUnknown => Self::new(Code::NumberLeaseUnknown),
            E::Merged(_) => Self::new(Code::PersonMerged).detail(error),
            E::NotACitizen => Self::new(Code::NotEntitled).detail(error),
            E::ReasonMissing => Self::new(Code::ReasonMissing).detail(error),
            E::NumberAtMerged => Self::new(Code::MergeUnfit).detail(error),
            E::NotLeased => of_number(Code::NumberNotLeased, &error),
            E::Numbering(source) => source.into(),
            E::OtherOffice(source) => source.into(),
            E::PersonUnknown => Self::new(Code::PersonUnknown),
            E::Store(source) => source.into(),
        }
    }
}

/// A refusal of the number that a message names.
fn of_number(code: Code, error: &EstablishError) -> Problem {
    Problem::new(code).detail(error).field("/of_lease/personal_number", code.word(), error.to_string())
}

impl From<NumberingError> for Problem {
    fn from(error: NumberingError) -> Self {
        match error {
            NumberingError::Exhausted(_) => Self::new(Code::NumberCellExhausted).detail(error),
            NumberingError::Structure(_) => Self::new(Code::NumberStructure).detail(error),
        }
    }
}

impl From<LeaseError> for Problem {
    fn from(error: LeaseError) -> Self {
        use LeaseError as E;
        match error {
            E::Counters(ref source @ KeyStoreError::File(_, ref file)) => Self::of_file(file, source),
            E::Counters(source) => Self::internal(&source),
            E::Elsewhere(_) => Self::new(Code::NumberLeaseElsewhere).detail(&error).field(
                "/province",
                Code::NumberLeaseElsewhere.word(),
                error.to_string(),
            ),
            E::Numbering(source) => source.into(),
            E::OtherOffice(source) => source.into(),
            E::ReasonMissing => Self::new(Code::ReasonMissing).detail(error),
            E::Returned => Self::new(Code::NumberLeaseReturned).detail(error),
            E::Store(source) => source.into(),
            E::TooMany(_) => Self::new(Code::NumberLeaseLimit).detail(&error).field(
                "/numbers",
                Code::NumberLeaseLimit.word(),
                error.to_string(),
            ),
            E::Unfit(_) => Self::new(Code::NumberLeaseUnfit).detail(error),
            E::Unknown => Self::new(Code::NumberLeaseUnknown),
        }
    }
}

impl From<BirthError> for Problem {
    fn from(error: BirthError) -> Self {
        use BirthError as E;
        match error {
            E::DayMissing => Self::new(Code::DeclarationIncomplete).detail(&error).field(
                "/birth_date",
                "birth-day-missing",
                error.to_string(),
            ),
            E::Number(source) => source.into(),
            E::ParentDead(field, _) => Self::new(Code::ParentDead).detail(&error).field(
                format!("/{field}/personal_number"),
                "parent-dead",
                error.to_string(),
            ),
            E::ParentUnknown(field) | E::ParentDiffers(field, _) => Self::new(Code::ParentUnknown)
                .detail(&error)
                .field(format!("/{field}/personal_number"), "parent-unknown", error.to_string()),
            E::Person(source) => source.into(),
            E::Recorded { child, may_know: true } => Self::new(Code::BirthRecorded).detail(format!("person {child}")),
            E::Recorded { may_know: false, .. } => Self::new(Code::BirthRecorded),
            E::RegistrationUsed => Self::new(Code::BirthRegistrationUsed).field(
                "/registration",
                "birth-registration-used",
                error.to_string(),
            ),
            E::TooOld => Self::new(Code::DeclarationIncomplete).detail(&error).field(
                "/birth_date",
                "no-newborn",
                error.to_string(),
            ),
            E::Store(source) => source.into(),
        }
    }
}
