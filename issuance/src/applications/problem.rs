//! What a caller is told when the counter does not do what was asked.

use crypto::perso::problem::ProblemCode as Code;

use super::CounterError;
use super::fingerprint_image::PrintError;
use super::fingerprints::FingerprintDoubt;
use super::hand_over::HandOverError;
use super::model::{ApplicationError, TransitionError};
use super::paper_archive::ArchiveDoubt;
use super::payments::FeeRefusal;
use super::portrait::PortraitError;
use super::register_check::RegisterDoubt;
use crate::deed::Object;
use crate::web::Problem;

impl From<CounterError> for Problem {
    fn from(error: CounterError) -> Self {
        use CounterError as E;
        let said = error.to_string();
        let of = |code| Self::new(code).detail(&said);
        match error {
            E::AlreadyOpen(open) => of(Code::ApplicationOpen).object(open.map(Object::Application)),
            E::Application(ApplicationError::TooYoung) => of(Code::AgeBelowFourteen),
            E::Application(ApplicationError::Contradicts(_)) => of(Code::KindContradictsRegister),
            E::Application(ApplicationError::Reason) => {
                of(Code::ReasonUnfit).field("/reason", Code::ReasonUnfit, said.as_str())
            }
            E::Archive(source) => source.into(),
            E::Base64 => of(Code::PortraitNotBase64).field("/portrait", Code::PortraitNotBase64, said.as_str()),
            E::Calendar(_) => of(Code::CalendarEnds),
            E::Card(source) => source.into(),
            E::CardAlreadyHeld => of(Code::CardAlreadyHeld),
            E::ComplaintDay(_) => of(Code::PeriodUnfit).field("/on", Code::PeriodUnfit, said.as_str()),
            E::Claimed { by, .. } => of(Code::ApplicationClaimed).object(Some(Object::Officer(by))),
            E::Compose(source) => source.into(),
            E::Doubtful(_) => of(Code::AcknowledgementNeeded),
            E::Erased { .. } => of(Code::Erased),
            E::Fee(source) => source.into(),
            E::Fingerprint(source) => source.into(),
            E::GroundMissing => of(Code::ReasonMissing).field("/fee_exempt", Code::ReasonMissing, said.as_str()),
            E::Features => of(Code::FeaturesUnfit).field("/features", Code::FeaturesUnfit, said.as_str()),
            E::NoPortrait => of(Code::StageDoesNotAllow),
            E::NotEntitled => of(Code::NotEntitled),
            E::NumberMissing => of(Code::NumberMissing),
            E::MovedOn { by, .. } => of(Code::StageDoesNotAllow).object(Some(Object::Officer(by))),
            E::NotHeld | E::NotOwn => of(Code::RoleMissing),
            E::Object(source) => source.into(),
            E::OfficeEnded(source) => source.into(),
            E::OtherOffice(source) => source.into(),
            E::Person(source) => source.into(),
            E::Place(_) => of(Code::OtherOffice),
            E::Portrait(source) => source.into(),
            E::ReasonMissing => of(Code::ReasonMissing),
            E::Register(RegisterDoubt::Unfit) => of(Code::RegisterCheckUnfit),
            E::Register(_) => of(Code::RegisterChangeOpen),
            E::Store(source) => source.into(),
            E::Transition(source) => source.into(),
            E::Until(_) => of(Code::PeriodUnfit).field("/until", Code::PeriodUnfit, said.as_str()),
            E::Case | E::Unknown => of(Code::ApplicationUnknown),
        }
    }
}

impl From<ArchiveDoubt> for Problem {
    fn from(error: ArchiveDoubt) -> Self {
        let code = match error {
            ArchiveDoubt::AnswerUnfit(_) => Code::ArchiveAnswerUnfit,
            ArchiveDoubt::Closed => Code::ArchiveRequestClosed,
            ArchiveDoubt::ClassificationUnfit(_) => Code::ClassificationUnfit,
            ArchiveDoubt::Unanswered(_) => Code::ArchiveAnswerMissing,
            ArchiveDoubt::Unclassified => Code::ClassificationMissing,
            ArchiveDoubt::Unknown => Code::ArchiveRequestUnknown,
        };
        Self::new(code).detail(error)
    }
}

impl From<FingerprintDoubt> for Problem {
    fn from(error: FingerprintDoubt) -> Self {
        let said = error.to_string();
        let (code, field) = match error {
            FingerprintDoubt::Absent => (Code::FingerprintAbsent, None),
            FingerprintDoubt::Flat => (Code::FingerprintUnfit, Some("/because")),
            FingerprintDoubt::OneOfBoth => (Code::FingerprintUnfit, None),
            FingerprintDoubt::Missing(_) => (Code::FingerprintsMissing, None),
            FingerprintDoubt::Unfit(PrintError::NotTaken(_)) => (Code::FingerprintFormat, Some("/image")),
            FingerprintDoubt::Base64 | FingerprintDoubt::Unfit(_) => (Code::FingerprintUnfit, Some("/image")),
        };
        let problem = Self::new(code).detail(&said);
        match field {
            Some(field) => problem.field(field, code, said.as_str()),
            None => problem,
        }
    }
}

impl From<FeeRefusal> for Problem {
    fn from(error: FeeRefusal) -> Self {
        let (code, field) = match error {
            FeeRefusal::Amount(_) => (Code::FeePaymentUnfit, Some("/dong")),
            FeeRefusal::Entry(_) => (Code::FeeEntryUnfit, None),
            FeeRefusal::Ground(_) => (Code::FeePaymentUnfit, Some("/ground")),
            FeeRefusal::NothingDue => (Code::FeePaymentUnfit, None),
            FeeRefusal::PaidOn(_) => (Code::PeriodUnfit, Some("/paid_on")),
            FeeRefusal::Receipt => (Code::ReceiptTaken, Some("/receipt")),
            FeeRefusal::ReceiptUnfit => (Code::FeePaymentUnfit, Some("/receipt")),
            FeeRefusal::Unpaid(_) => (Code::FeeUnpaid, None),
        };
        let said = error.to_string();
        let problem = Self::new(code).detail(&said);
        match field {
            Some(field) => problem.field(field, code, said.as_str()),
            None => problem,
        }
    }
}

impl From<HandOverError> for Problem {
    fn from(error: HandOverError) -> Self {
        match error {
            HandOverError::Card(source) => source.into(),
            HandOverError::Counter(source) => (*source).into(),
            HandOverError::Search(source) => source.into(),
            HandOverError::SameOfficer => Self::new(Code::SecondOfficerNeeded).detail(error),
            HandOverError::Slip => Self::new(Code::SlipMismatch).detail(error),
            HandOverError::Stage(source) => source.into(),
            HandOverError::Store(source) => source.into(),
        }
    }
}

impl From<TransitionError> for Problem {
    fn from(error: TransitionError) -> Self {
        match error {
            TransitionError::Complained => Self::new(Code::AppealDecided).detail(error),
            TransitionError::ComplainedLate(_) => Self::new(Code::AppealLate).detail(error),
            TransitionError::NotRefused(_) => Self::new(Code::AppealUnfit).detail(error),
            TransitionError::Changed => Self::new(Code::PortraitChanged).detail(error),
            TransitionError::NotSeen => Self::new(Code::DossierNotSeen).detail(error),
            TransitionError::Held => Self::new(Code::ApplicationHeld).detail(error),
            TransitionError::NotFrom(_) | TransitionError::NotTakenBack => {
                Self::new(Code::StageDoesNotAllow).detail(error)
            }
            TransitionError::SameOfficer => Self::new(Code::SecondOfficerNeeded).detail(error),
        }
    }
}

impl From<PortraitError> for Problem {
    fn from(error: PortraitError) -> Self {
        let code = match error {
            PortraitError::Crop { .. } => Code::CropOutside,
            PortraitError::Damaged => Code::PortraitDamaged,
            PortraitError::Faces(_) | PortraitError::Missing => Code::PortraitUnfit,
            PortraitError::NotJpeg => Code::PortraitNotJpeg,
            PortraitError::Oversize => Code::PortraitOversize,
            PortraitError::Restless => Code::PortraitRestless,
            PortraitError::TooSmall { .. } => Code::PortraitTooSmall,
        };
        Self::new(code).detail(error)
    }
}
