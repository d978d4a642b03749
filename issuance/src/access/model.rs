//! Why access is refused: pure.

use thiserror::Error;

use super::deputies::{DeputyPeriodUnfit, DeputyUnfit};
use super::dissolutions::OfficeEnded;
use crate::ground::actor::OfficeCodeMalformed;
use crate::ground::{OtherOffice, Permission, Role};
use crate::keys::TlsAuthorityError;
use crate::store::StoreError;

/// Why access is refused.
#[derive(Debug, Error)]
pub enum AccessError {
    /// The TLS authority failed.
    #[error("certificate authority: {0}")]
    Authority(TlsAuthorityError),
    /// Too many passwords wait to be hashed.
    #[error("busy")]
    Busy,
    /// The certificate is not one of ours, or its station is unknown.
    #[error("client certificate unknown")]
    CertificateUnknown,
    /// No such certificate of an officer.
    #[error("officer's certificate unknown")]
    OfficerCertificateUnknown,
    /// The certification request of a station or an officer cannot be used.
    #[error("{0}")]
    CertificationRequest(TlsAuthorityError),
    /// The period of a deputy.
    #[error(transparent)]
    DeputyPeriod(#[from] DeputyPeriodUnfit),
    /// This officer cannot stand in.
    #[error(transparent)]
    DeputyUnfit(#[from] DeputyUnfit),
    /// No such deputy.
    #[error("deputy unknown")]
    DeputyUnknown,
    /// The key of a certification request was certified for another, or is that of a revoked certificate.
    #[error(
        "the key of the request was certified before: for another station or officer, or in a certificate that is revoked"
    )]
    KeyCertified,
    /// Wrong name or wrong password: which of them, is not said.
    #[error("name or password wrong")]
    Credentials,
    /// No administrator would be left who can sign in with two factors.
    #[error(
        "without this certificate no administrator of the national office could sign in with two factors; the owner of \
         the key file revokes it: issuance officer revoke-certificates"
    )]
    LastCertificate,
    /// No administrator of the national office would be left.
    #[error("the last administrator of the national office stays")]
    LastAdministrator,
    /// Too many wrong passwords for this name from this origin.
    #[error("locked for {wait} s")]
    Locked {
        /// Seconds until the lock ends.
        wait: u64,
    },
    /// A name that is empty or too long.
    #[error("names have 1 to 64 characters")]
    Name,
    /// Name taken.
    #[error("name taken")]
    NameTaken,
    /// Not an office code.
    #[error(transparent)]
    OfficeCode(#[from] OfficeCodeMalformed),
    /// The office takes no new work.
    #[error(transparent)]
    OfficeEnded(#[from] OfficeEnded),
    /// No such officer.
    #[error("officer unknown")]
    OfficerUnknown,
    /// No officer has the name that the owner of the key file typed.
    #[error("no officer is called `{0}`; `issuance officer list` shows all")]
    OfficerUnnamed(String),
    /// The object belongs to another office.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The password was not chosen by its owner, and is changed first.
    #[error("the password is changed first")]
    PasswordDue,
    /// The new password is the one that is to be changed.
    #[error("the new password is the old one")]
    PasswordSame,
    /// The certificate of a partner's system does not let it in.
    #[error("the certificate of the partner's system does not let it in: {0}")]
    PartnerCertificate(&'static str),
    /// What a carrier says of a question lets no system of a partner in.
    #[error("{0}")]
    PartnerMember(&'static str),
    /// No client certificate of a partner on this connection.
    #[error("no client certificate of a partner")]
    PartnerNeeded,
    /// The partner or its system is confirmed or ended already, or not yet.
    #[error("the partner or its system is not in a state for that")]
    PartnerState,
    /// A system that is joined in no way, or in two.
    #[error("{0}")]
    PartnerSystem(&'static str),
    /// No such system of a partner.
    #[error("system of a partner unknown")]
    PartnerSystemUnknown,
    /// No such partner.
    #[error("partner unknown")]
    PartnerUnknown,
    /// A password that is too short or too long.
    #[error("password of unfit length")]
    PasswordLength,
    /// No role of the officer carries the permission.
    #[error("role missing for {0:?}")]
    Permission(Permission),
    /// The officer whom it is about neither proposes nor decides.
    #[error("what is done to an officer is proposed and confirmed by others")]
    OwnCase,
    /// Something else is proposed than was read.
    #[error("it is proposed otherwise than it was read: read it again")]
    ProposalChanged,
    /// What was proposed is no longer borne out by what is.
    #[error("{0}")]
    ProposalStale(&'static str),
    /// No such proposal, or it is decided or has run out.
    #[error("no open proposal")]
    ProposalUnknown,
    /// No reason.
    #[error("the reason has 1 to 400 characters")]
    ReasonMissing,
    /// Roles that one officer never has together.
    #[error("{} and {}: {_2}", _0.name(), _1.name())]
    RolesExclude(Role, Role, &'static str),
    /// Who proposed does not confirm.
    #[error("another administrator confirms")]
    SecondAdministrator,
    /// A password alone, where the policy wants a second factor.
    #[error("a session with a client certificate is needed")]
    SecondFactor,
    /// No session: no token, an unknown one, ended, expired or idle.
    #[error("no session")]
    Session,
    /// No such session is open, or it is another officer's.
    #[error("session unknown")]
    SessionUnknown,
    /// The station's certificate has ended.
    #[error("the station's certificate has ended")]
    StationExpired,
    /// No station certificate on this connection.
    #[error("no client certificate")]
    StationNeeded,
    /// The station was given a new certificate a moment ago, which was not used yet.
    #[error("another renewal is under way")]
    StationRenewalOpen,
    /// The station was revoked.
    #[error("station revoked")]
    StationRevoked,
    /// No such station.
    #[error("station unknown")]
    StationUnknown,
    /// No station has the name that the owner of the key file typed.
    #[error("no station is called `{0}`; `issuance station list` shows all")]
    StationUnnamed(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A one-time token that is unknown, used or expired.
    #[error("one-time token unknown, used or expired")]
    Token,
}

impl From<TlsAuthorityError> for AccessError {
    fn from(error: TlsAuthorityError) -> Self {
        match error {
            TlsAuthorityError::Request(_) => Self::CertificationRequest(error),
            _ => Self::Authority(error),
        }
    }
}
