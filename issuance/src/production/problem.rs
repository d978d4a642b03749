//! What a station or a stock keeper is told when production does not do what was asked.

use crypto::perso::problem::ProblemCode as Code;

use super::ProductionError;
use super::dissolutions::DissolutionError;
use super::model::ChipError;
use crate::deed::Object;
use crate::web::Problem;

impl From<ProductionError> for Problem {
    fn from(error: ProductionError) -> Self {
        use ProductionError as E;
        let code = match error {
            E::Application(source) => return source.into(),
            E::Card(source) => return source.into(),
            E::Chip(source) => return source.into(),
            E::Compose(source) => return source.into(),
            E::Crl(source) => return source.into(),
            E::Deed(source) => return source.into(),
            E::Object(source) => return source.into(),
            E::OfChip { serial, source } => return Self::from(*source).object(Some(Object::Chip(serial))),
            E::OtherOffice(source) => return source.into(),
            E::Signer(source) => return source.into(),
            E::Stage(source) => return source.into(),
            E::Store(source) => return source.into(),
            E::TransportKey(source) => return source.into(),
            E::SerialKnown { serial, .. } | E::SerialTwice(serial) => {
                return Self::new(Code::SerialAlreadyDelivered).detail(&error).object(Some(Object::Chip(serial)));
            }
            E::Face(_)
            | E::List(_)
            | E::Package(_)
            | E::Secrets(_)
            | E::Signature(_)
            | E::SignerKey(_)
            | E::Sod(_)
            | E::SodGroup(_)
            | E::SodLint(_) => return Self::internal(&error),
            E::ActiveAuthentication => Code::ActiveAuthenticationFailed,
            E::ApplicationCancelled => Code::ApplicationCancelled,
            E::ApplicationGone => Code::ApplicationMovedOn,
            E::BodyUnreadable(_) => Code::BodyUnreadable,
            E::BatchUnknown => Code::ProductionBatchUnknown,
            E::CardBatchClosed => Code::BatchClosed,
            E::CardBatchExhausted => Code::BatchExhausted,
            E::CardBatchPaused => Code::BatchPaused,
            E::CardBatchState(_) => Code::BatchStateUnfit,
            E::CardBatchUnfinished => Code::BatchUnfinished,
            E::CardBatchUnknown => Code::BatchUnknown,
            E::ItemElsewhere => Code::BatchItemElsewhere,
            E::NotToShip => Code::CardNotToShip,
            E::LeaseLost => Code::LeaseLost,
            E::InBatch => Code::ChipInBatch,
            E::Unaccounted => Code::ChipUnaccounted,
            E::BoxUnfit | E::OfficeUnknown => Code::StockBoxUnfit,
            E::BoxUnknown => Code::StockBoxUnknown,
            E::CaseOutcome | E::CountedElsewhere => Code::StockCaseOutcomeUnfit,
            E::CaseUnknown => Code::StockCaseUnknown,
            E::CountOvertaken => Code::StockCountOvertaken,
            E::CountUnknown => Code::StockCountUnknown,
            E::Kept(_) => Code::PeriodUnfit,
            E::InBox => Code::ChipInBox,
            E::Recalled => Code::ChipRecalled,
            E::RecallUnfit => Code::RecallUnfit,
            E::ChallengeUnknown => Code::ChallengeUnknown,
            E::ChallengeUsed => Code::ChallengeUsed,
            E::ChipDiffers(_) => Code::ChipDiffers,
            E::ChipKeyKnown => Code::ChipKeyKnown,
            E::ChipUnknown => Code::ChipUnknown,
            E::DeliveryEmpty => Code::DeliveryEmpty,
            E::EvidenceMissing => Code::EvidenceMissing,
            E::FindingUnknown | E::ProposalUnknown | E::WriteOffUnknown => Code::ProposalUnknown,
            E::LifeCycle(_) => Code::ChipLifeCycleUnexpected,
            E::ListTooLong { .. } => Code::ListTooLong,
            E::SlipNotWaiting => Code::SlipNotWaiting,
            E::NothingToPersonalize => Code::NothingToPersonalize,
            E::OrderUnknown => Code::OrderUnknown,
            E::OtherCustody => Code::ChipInOtherCustody,
            E::ProposalChanged => Code::ProposalChanged,
            E::ProposalStale => Code::ProposalStale,
            E::Receipt(_) => Code::ReceiptForged,
            E::Script(_) => Code::PresentationUnfit,
            E::Seal | E::SealUsed => Code::SealUnfit,
            E::OtherSide | E::SecondOfficer => Code::SecondOfficerNeeded,
            E::StationUnknown => Code::StationNotFound,
            E::Witness => Code::WitnessUnfit,
        };
        Self::new(code).detail(error)
    }
}

impl From<DissolutionError> for Problem {
    fn from(error: DissolutionError) -> Self {
        use DissolutionError as E;
        let code = match error {
            E::Deed(source) => return source.into(),
            E::Ended(source) => return source.into(),
            E::OtherOffice(source) => return source.into(),
            E::Production(source) => return (*source).into(),
            E::Stays(_) => return Self::internal(&error),
            E::Store(source) => return source.into(),
            E::ProposalChanged => Code::ProposalChanged,
            E::ProposalStale => Code::ProposalStale,
            E::ProposalUnknown => Code::ProposalUnknown,
            E::ReasonMissing => Code::ReasonMissing,
            E::SecondAdministrator => Code::SecondOfficerNeeded,
            E::Unfit(_) => Code::DissolutionUnfit,
            E::UnitUnknown => Code::UnitUnknown,
        };
        Self::new(code).detail(error)
    }
}

impl From<ChipError> for Problem {
    fn from(error: ChipError) -> Self {
        let code = match error {
            ChipError::Bound => Code::ChipBound,
            ChipError::Destroyed => Code::ChipDestroyed,
            ChipError::Lost => Code::ChipLost,
            ChipError::NotLost => Code::ChipNotLost,
            ChipError::NotSpoiled => Code::ChipNotSpoiled,
            ChipError::Initialised => Code::ChipAlreadyInitialised,
            ChipError::NotInitialised => Code::ChipNotInitialised,
            ChipError::Personalized => Code::ChipAlreadyPersonalized,
            ChipError::Spoiled => Code::ChipSpoiled,
        };
        Self::new(code).detail(error)
    }
}
