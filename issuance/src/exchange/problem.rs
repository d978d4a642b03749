//! What a caller is told when the exchange does not do what was asked.

use crypto::perso::problem::ProblemCode as Code;

use super::ExchangeError;
use crate::web::Problem;

impl From<ExchangeError> for Problem {
    fn from(error: ExchangeError) -> Self {
        use ExchangeError as E;
        let said = error.to_string();
        let of = |code| Self::new(code).detail(&said);
        match error {
            E::Access(source) => source.into(),
            E::AddressUnfit(_) => of(Code::BodyInvalid),
            E::AddressUnknown => of(Code::PartnerSystemUnknown),
            E::AgreementUnknown => of(Code::AgreementUnknown),
            E::CursorGone => of(Code::ExchangeCursorGone),
            E::DelayUnfit => of(Code::LookDelayUnfit),
            E::DelayUnknown => of(Code::LookDelayUnknown),
            E::Deed(source) => source.into(),
            E::EmergenciesUnreviewed => of(Code::EmergencyLooksUnreviewed),
            E::EmergencyOver => of(Code::EmergencyLookOver),
            E::EmergencyUnknown => of(Code::EmergencyLookUnknown),
            E::Guessing(_) => of(Code::ExchangeGuessing).retry_after(3600),
            E::ListUnknown => of(Code::ExchangeListUnknown),
            E::NameTaken => of(Code::NameTaken),
            E::NotAgreed(_) => of(Code::ExchangeNotAgreed),
            E::NotJson(source) => Self::internal(&source),
            E::OtherOffice(source) => source.into(),
            E::Person(source) => source.into(),
            E::ProtectorNeeded => of(Code::SecondOfficerNeeded),
            E::PurposeUnfit | E::Unfit(_) => of(Code::AgreementUnfit),
            E::PurposeUnknown => of(Code::PurposeUnknown),
            E::QuotaSpent { wait } => of(Code::ExchangeQuotaSpent).retry_after(wait),
            E::Repeated | E::RequestReused => of(Code::ExchangeRequestReused),
            E::ReportUnknown => of(Code::ExchangeReportUnknown),
            E::RequestUnfit(_) => of(Code::ExchangeRequestUnfit),
            E::Signer(source) => Self::internal(&source),
            E::PurposeInUse(_) | E::State => of(Code::AgreementStateUnfit),
            E::Store(source) => source.into(),
        }
    }
}
