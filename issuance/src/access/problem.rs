//! What a caller is told when access is refused.

use crypto::perso::problem::ProblemCode as Code;

use super::AccessError;
use super::dissolutions::OfficeEnded;
use super::steps::SignInError;
use crate::web::Problem;

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        use AccessError as E;
        match error {
            E::Authority(_) => Self::internal(&error),
            E::Busy => Self::new(Code::ServiceBusy).retry_after(2),
            E::CertificateUnknown => Self::new(Code::StationUnknown),
            E::CertificationRequest(_) => Self::new(Code::CertificationRequestUnfit).detail(error),
            E::Credentials => Self::new(Code::CredentialsWrong),
            E::DeputyPeriod(source) => Self::new(Code::PeriodUnfit).detail(source),
            E::DeputyUnfit(source) => Self::new(Code::DeputyUnfit).detail(source),
            E::DeputyUnknown => Self::new(Code::DeputyUnknown),
            E::KeyCertified => Self::new(Code::KeyCertifiedBefore),
            E::LastCertificate => Self::new(Code::LastAdministrator).detail(error),
            E::LastAdministrator => Self::new(Code::LastAdministrator),
            E::Locked { wait } => Self::new(Code::SignInLocked).retry_after(wait),
            E::Name => Self::new(Code::NameUnfit),
            E::NameTaken => Self::new(Code::NameTaken),
            E::OfficeCode(source) => source.into(),
            E::OfficeEnded(source) => source.into(),
            E::OfficerCertificateUnknown => Self::new(Code::OfficerCertificateUnknown),
            E::OfficerUnknown | E::OfficerUnnamed(_) => Self::new(Code::OfficerNotFound),
            E::OtherOffice(source) => source.into(),
            E::PartnerCertificate(_) => Self::new(Code::PartnerCertificateUnfit).detail(error),
            E::PartnerMember(_) => Self::new(Code::PartnerMemberUnfit).detail(error),
            E::PartnerNeeded => Self::new(Code::PartnerCertificateNeeded),
            E::PartnerState => Self::new(Code::PartnerStateUnfit),
            E::PartnerSystem(_) => Self::new(Code::BodyInvalid).detail(error),
            E::PartnerSystemUnknown => Self::new(Code::PartnerSystemUnknown),
            E::PartnerUnknown => Self::new(Code::PartnerUnknown),
            E::PasswordDue => Self::new(Code::PasswordChangeNeeded),
            E::PasswordSame => Self::new(Code::PasswordUnfit).detail(error),
            E::ProposalChanged => Self::new(Code::ProposalChanged).detail(error),
            E::ReasonMissing => Self::new(Code::ReasonMissing).detail(error),
            E::ProposalStale(_) => Self::new(Code::ProposalStale).detail(error),
            E::PasswordLength => Self::new(Code::PasswordUnfit),
            E::Permission(_) => Self::new(Code::RoleMissing).detail(error),
            E::ProposalUnknown => Self::new(Code::ProposalUnknown),
            E::RolesExclude(..) => Self::new(Code::RolesExclude).detail(error),
            E::OwnCase | E::SecondAdministrator => Self::new(Code::SecondOfficerNeeded).detail(error),
            E::SecondFactor => Self::new(Code::SecondFactorNeeded),
            E::Session => Self::new(Code::SessionNeeded),
            E::SessionUnknown => Self::new(Code::SessionUnknown),
            E::StationNeeded => Self::new(Code::StationCertificateNeeded),
            E::StationExpired => Self::new(Code::StationCertificateExpired),
            E::StationRenewalOpen => Self::new(Code::StationRenewalOpen),
            E::StationRevoked => Self::new(Code::StationRevoked),
            E::StationUnknown | E::StationUnnamed(_) => Self::new(Code::StationNotFound),
            E::Store(source) => source.into(),
            E::Token => Self::new(Code::OneTimeTokenUnfit),
        }
    }
}

impl From<OfficeEnded> for Problem {
    fn from(ended: OfficeEnded) -> Self {
        Self::new(Code::OfficeDissolved).detail(ended)
    }
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Access(source) => source.into(),
            SignInError::Deed(source) => source.into(),
        }
    }
}
