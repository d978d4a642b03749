//! What an auditor is told when the trail is not read.

use crypto::perso::problem::ProblemCode;

use super::steps::AuditError;
use crate::web::Problem;

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Form | AuditError::Unbounded => Self::new(ProblemCode::QueryMalformed).detail(error),
            AuditError::Store(source) => source.into(),
        }
    }
}
