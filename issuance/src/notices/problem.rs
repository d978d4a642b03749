//! What a caller is told when something is not done about a notice.

use crypto::perso::problem::ProblemCode as Code;

use super::NoticeError;
use crate::web::Problem;

impl From<NoticeError> for Problem {
    fn from(error: NoticeError) -> Self {
        use NoticeError as E;
        match error {
            E::ContactUnfit(says) => Self::new(Code::ContactUnfit).detail(says),
            E::Erased => Self::new(Code::Erased).detail(E::Erased),
            E::OtherOffice(source) => source.into(),
            E::Overtaken(_) => Self::new(Code::StageDoesNotAllow).detail(error),
            E::Person(source) => source.into(),
            E::Store(source) => source.into(),
            E::Unknown => Self::new(Code::NoticeUnknown),
        }
    }
}
