//! The callers of this service and what they may do: pure.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Id;
use super::carried::Carried;
use super::ids::{CardId, OfficerId, PartnerId, PartnerSystemId, PersonId, SessionId, StationId};
use crate::store::{Record, StoreError};

/// Code of an office of the authority: 1 to 16 of `a-z 0-9 -`. [`OfficeCode::national`] stands above all others.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct OfficeCode(String);

/// A text that is no code of an office.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("office codes have 1 to 16 of a-z, 0-9 and -")]
pub struct OfficeCodeMalformed;

impl OfficeCode {
    /// The office whose officers act for every other.
    #[must_use]
    pub fn national() -> Self {
        Self("national".to_owned())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OfficeCode {
    type Err = OfficeCodeMalformed;

    fn from_str(text: &str) -> Result<Self, OfficeCodeMalformed> {
        let fits = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if (1..=16).contains(&text.len()) && fits { Ok(Self(text.to_owned())) } else { Err(OfficeCodeMalformed) }
    }
}

impl TryFrom<String> for OfficeCode {
    type Error = OfficeCodeMalformed;

    fn try_from(text: String) -> Result<Self, OfficeCodeMalformed> {
        text.parse()
    }
}

impl From<OfficeCode> for String {
    fn from(code: OfficeCode) -> Self {
        code.0
    }
}

impl From<&OfficeCode> for crate::store::Argument {
    fn from(code: &OfficeCode) -> Self {
        Self::from(code.as_str())
    }
}

impl fmt::Display for OfficeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an officer is employed for. What a role may do stands in [`Permission::roles`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Registers officers and stations; sees no citizen.
    Admin,
    /// Decides applications that others captured.
    Approver,
    /// Reads the audit trail.
    Auditor,
    /// Captures applications at a counter.
    Capture,
    /// Protects personal data: signs what other authorities may ask, and reads what they asked.
    DataProtection,
    /// Hands cards over, takes reports of loss.
    HandOver,
    /// Keeps the register and gives numbers.
    Registrar,
    /// Keeps the stock of blank chips.
    Stock,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Admin,
        Self::Approver,
        Self::Auditor,
        Self::Capture,
        Self::DataProtection,
        Self::HandOver,
        Self::Registrar,
        Self::Stock,
    ];

    /// Pairs of roles that one officer never has together, each with its reason. An administrator stands alone.
    pub const EXCLUSIONS: [(Self, Self, &'static str); 9] = [
        (Self::Admin, Self::Approver, ADMIN_ALONE),
        (Self::Admin, Self::Auditor, ADMIN_ALONE),
        (Self::Admin, Self::Capture, ADMIN_ALONE),
        (Self::Admin, Self::DataProtection, ADMIN_ALONE),
        (Self::Admin, Self::HandOver, ADMIN_ALONE),
        (Self::Admin, Self::Registrar, ADMIN_ALONE),
        (Self::Admin, Self::Stock, ADMIN_ALONE),
        (
            Self::Stock,
            Self::Capture,
            "an officer who keeps blank chips must not be able to fill an application for one",
        ),
        (Self::Approver, Self::Capture, "an officer who decides must not be an officer who captures"),
    ];

    /// Returns the first two of these roles that one officer must not have together, with the reason.
    #[must_use]
    pub fn conflict(roles: &[Self]) -> Option<(Self, Self, &'static str)> {
        Self::EXCLUSIONS.into_iter().find(|(one, other, _)| roles.contains(one) && roles.contains(other))
    }

    /// Returns the role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The role as it is written in requests and in the document.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
            Self::Capture => "capture",
            Self::DataProtection => "data-protection",
            Self::HandOver => "hand-over",
            Self::Registrar => "registrar",
            Self::Stock => "stock",
        }
    }
}

/// Why an administrator has no other role.
const ADMIN_ALONE: &str = "an administrator appoints those who work, and sees no citizen";

/// Something that officers do, and only some of them may.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
pub enum Permission {
    /// Make and disable officers, make and revoke stations, look after keys.
    Administer,
    /// Answer what citizens object to.
    AnswerObjections,
    /// Open and cancel applications.
    Apply,
    /// Keep the archive of papers, and say what it has.
    Archive,
    /// Look at a person whom the office has no case of, in an emergency; reviewed afterwards.
    BreakGlass,
    /// Take features and portrait.
    Capture,
    /// Approve and refuse.
    Decide,
    /// Enter declarations.
    Declare,
    /// Draft, sign and end what other authorities may ask, at the national office.
    Exchange,
    /// Hand a card over.
    HandOver,
    /// Put what must not be erased under a legal hold, at the national office.
    Hold,
    /// List applications: those that the own role has, without their persons.
    ListApplications,
    /// Give a number for life.
    Number,
    /// Read applications.
    ReadApplication,
    /// Read the audit trail.
    ReadAudit,
    /// Read cards.
    ReadCard,
    /// Tell a citizen who looked.
    ReadLooks,
    /// Read what citizens are told in writing.
    ReadNotice,
    /// Read persons.
    ReadPerson,
    /// Read the stock.
    ReadStock,
    /// Put a held application back into the queue.
    Release,
    /// Take a report of loss.
    ReportLoss,
    /// Deliveries, custody, write-offs.
    Stock,
    /// Take fees, and see what was taken.
    TakeFees,
    /// Tell citizens later of looks, as a judge orders, and note records that are of no person; at the national office.
    Withhold,
}

impl Permission {
    /// The roles that carry the permission.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Admin, Approver, Auditor, Capture, DataProtection, HandOver, Registrar, Stock};
        match self {
            Self::Administer => &[Admin],
            Self::Apply | Self::Capture => &[Capture],
            Self::Decide => &[Approver],
            Self::AnswerObjections => &[DataProtection, Registrar],
            Self::Archive | Self::Declare | Self::Number => &[Registrar],
            Self::Exchange => &[Admin, DataProtection],
            Self::HandOver | Self::ReadCard => &[HandOver],
            Self::Hold => &[Auditor, Registrar],
            Self::ListApplications => &[Approver, Capture, HandOver, Registrar, Stock],
            Self::ReadApplication => &[Approver, Capture, HandOver, Registrar],
            Self::ReadAudit => &[Auditor],
            Self::ReadLooks => &[Auditor, Capture, DataProtection, HandOver],
            Self::ReadNotice => &[Approver, Capture, HandOver],
            Self::BreakGlass | Self::ReadPerson => &[Approver, Capture, Registrar],
            Self::ReadStock | Self::Stock => &[Stock],
            Self::Release => &[Approver, Registrar],
            Self::ReportLoss | Self::TakeFees => &[Capture, HandOver],
            Self::Withhold => &[Auditor, DataProtection],
        }
    }
}

/// The officer who asks, by the session that the bearer token opened.
#[derive(Clone, Debug)]
pub struct Officer {
    /// Identifier.
    pub id: OfficerId,
    /// Office; see [`may_act_for`](Self::may_act_for).
    pub office: OfficeCode,
    /// The officer's own roles, and those that are lent to the officer now.
    pub roles: Vec<Role>,
    /// The session.
    pub session: SessionId,
    /// The officer whom this one stands in for now, with the roles that are lent for it.
    pub stands_in: Option<StandIn>,
    /// The officer for whom this one acts in the request under way: recorded with the act.
    pub acts_for: Option<OfficerId>,
    /// Officers who count as this one where a second officer is needed: whom this one stands in for, who stands in for
    /// this one, and those of whom one of the two was so not long ago.
    pub ties: Vec<OfficerId>,
    /// Dissolved offices whose place the officer's office took.
    pub successor_of: Vec<OfficeCode>,
}

/// An officer stands in for another, and has roles of that one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StandIn {
    /// The officer who is absent.
    pub stands_for: OfficerId,
    /// The roles that are lent: none of the officer's own.
    pub roles: Vec<Role>,
}

/// The object belongs to an office that the officer does not act for.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the object belongs to another office")]
pub struct OtherOffice;

impl Officer {
    /// An officer who stands in for no other.
    #[must_use]
    pub const fn new(id: OfficerId, office: OfficeCode, roles: Vec<Role>, session: SessionId) -> Self {
        Self { id, office, roles, session, stands_in: None, acts_for: None, ties: Vec::new(), successor_of: Vec::new() }
    }

    /// Returns the officer as the one who asks for something that takes this permission: for the absent officer, where
    /// only a role that is lent carries it.
    #[must_use]
    pub fn under(self, permission: Permission) -> Self {
        let lends = self.stands_in.as_ref().filter(|lent| {
            let own = |role: &Role| permission.roles().contains(role) && !lent.roles.contains(role);
            self.may(permission) && !self.roles.iter().any(own)
        });
        let acts_for = lends.map(|lent| lent.stands_for);
        Self { acts_for, ..self }
    }

    /// True if the other is this officer, or counts as this officer where a second one is needed.
    #[must_use]
    pub fn is_one_with(&self, other: OfficerId) -> bool {
        self.id == other || self.ties.contains(&other)
    }

    /// True if one of the roles carries the permission.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.roles.iter().any(|role| permission.roles().contains(role))
    }

    /// Object-level right: an officer touches the objects of their own office and of those whose place it took, the
    /// national office those of all.
    ///
    /// # Errors
    /// [`OtherOffice`]
    pub fn may_act_for(&self, office: &OfficeCode) -> Result<(), OtherOffice> {
        let own = self.office == *office || self.office == OfficeCode::national();
        if own || self.successor_of.contains(office) { Ok(()) } else { Err(OtherOffice) }
    }
}

/// The station that asks, by its TLS client certificate.
#[derive(Clone, Debug)]
pub struct Station {
    /// Identifier.
    pub id: StationId,
    /// Name that people gave it.
    pub name: String,
    /// Office where it stands.
    pub office: OfficeCode,
}

/// The system of a partner that asks, by its TLS client certificate, or as a member of a data exchange layer for which
/// a carrier asks.
#[derive(Clone, Debug)]
pub struct Partner {
    /// The authority.
    pub id: PartnerId,
    /// Its code.
    pub code: OfficeCode,
    /// The system that asks.
    pub system: PartnerSystemId,
    /// What the system is called.
    pub name: String,
    /// The carrier that brought the question, and what it says; none for a system that asks by its own certificate.
    pub carried: Option<Arc<Carried>>,
}

/// A carrier, by its TLS client certificate: a security server of a data exchange layer, which asks for members of it
/// and nothing for itself.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// The system that it is.
    pub system: Partner,
    /// The instance of the layer whose members it may name.
    pub instance: String,
}

/// A citizen, by the card that is at a reader now and proved itself to the service.
#[derive(Clone, Debug)]
pub struct Citizen {
    /// The holder of the card.
    pub person: PersonId,
    /// The card.
    pub card: CardId,
    /// SHA-256 of the session's token.
    pub session: [u8; 32],
    /// True once the code was shown that the citizen set at the counter.
    pub code_shown: bool,
    /// How long the session lasts: looked at again when a deed begins.
    pub lasts: Lasting,
}

/// How long a citizen's session lasts. The session and the requests that it let in share it, so that a request whose
/// body ends late finds the session as it is then.
#[derive(Clone, Debug)]
pub struct Lasting(Arc<Mutex<Option<Range<OffsetDateTime>>>>);

impl Lasting {
    /// A session that lasts for this time.
    #[must_use]
    pub fn within(time: Range<OffsetDateTime>) -> Self {
        Self(Arc::new(Mutex::new(Some(time))))
    }

    fn time(&self) -> MutexGuard<'_, Option<Range<OffsetDateTime>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session goes on, for this time.
    pub fn goes_on(&self, time: Range<OffsetDateTime>) {
        *self.time() = Some(time);
    }

    /// The session is over.
    pub fn end(&self) {
        *self.time() = None;
    }

    /// True while the session lasts. Before its time, as of a clock that was set back, it lasts no more.
    #[must_use]
    pub fn holds(&self, now: OffsetDateTime) -> bool {
        self.time().as_ref().is_some_and(|time| time.contains(&now))
    }
}

/// The caller of a verb, as the audit trail names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Caller {
    /// A caller who is not known: a public question.
    Anyone,
    /// A citizen, in the own matter.
    Citizen(PersonId),
    /// An officer.
    Officer(OfficerId, OfficeCode),
    /// A partner.
    Partner(PartnerId),
    /// The service itself (its jobs, its ceremonies).
    Service,
    /// A station.
    Station(StationId, OfficeCode),
}

impl Caller {
    /// The office that the caller belongs to.
    #[must_use]
    pub fn office(&self) -> Option<&OfficeCode> {
        match self {
            Self::Anyone | Self::Citizen(_) | Self::Partner(_) | Self::Service => None,
            Self::Officer(_, office) | Self::Station(_, office) => Some(office),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Citizen(id) => write!(f, "citizen/{id}"),
            Self::Officer(id, _) => write!(f, "officer/{id}"),
            Self::Partner(id) => write!(f, "partner/{id}"),
            Self::Service => f.write_str("service"),
            Self::Station(id, _) => write!(f, "station/{id}"),
        }
    }
}

/// An unknown caller.
#[derive(Clone, Copy, Debug)]
pub struct Anyone;

/// The service itself.
#[derive(Clone, Copy, Debug)]
pub struct Service;

/// Who must still be let in when a deed begins.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'a> {
    /// A citizen, by the session that the card opened.
    Citizen(&'a Citizen),
    /// The service itself, or a caller who needs no right.
    Free,
    /// An officer, by session, roles and office.
    Officer(&'a Officer),
    /// A partner, by the certificate of its system.
    Partner(&'a Partner),
    /// A station, by its certificate.
    Station(&'a Station),
}

/// A kind of caller. A verb says in its type which kind it is for: `Deed<Officer>`, `Deed<Station>`.
pub trait Actor: Clone + Send + Sync + 'static {
    /// The caller, as the audit trail names it.
    fn caller(&self) -> Caller;

    /// What is looked at again when a deed of this caller begins.
    fn standing(&self) -> Standing<'_>;

    /// The officer for whom the caller acts, if the caller stands in for one.
    fn acts_for(&self) -> Option<OfficerId> {
        None
    }
}

impl Actor for Officer {
    fn caller(&self) -> Caller {
        Caller::Officer(self.id, self.office.clone())
    }

    fn standing(&self) -> Standing<'_> {
        Standing::Officer(self)
    }

    fn acts_for(&self) -> Option<OfficerId> {
        self.acts_for
    }
}

impl Actor for Station {
    fn caller(&self) -> Caller {
        Caller::Station(self.id, self.office.clone())
    }

    fn standing(&self) -> Standing<'_> {
        Standing::Station(self)
    }
}

impl Actor for Partner {
    fn caller(&self) -> Caller {
        Caller::Partner(self.id)
    }

    fn standing(&self) -> Standing<'_> {
        Standing::Partner(self)
    }
}

impl Actor for Carrier {
    fn caller(&self) -> Caller {
        self.system.caller()
    }

    fn standing(&self) -> Standing<'_> {
        self.system.standing()
    }
}

impl Actor for Citizen {
    fn caller(&self) -> Caller {
        Caller::Citizen(self.person)
    }

    /// The session; the verb looks at the card itself in its own transaction.
    fn standing(&self) -> Standing<'_> {
        Standing::Citizen(self)
    }
}

impl Actor for Anyone {
    fn caller(&self) -> Caller {
        Caller::Anyone
    }

    fn standing(&self) -> Standing<'_> {
        Standing::Free
    }
}

impl Actor for Service {
    fn caller(&self) -> Caller {
        Caller::Service
    }

    fn standing(&self) -> Standing<'_> {
        Standing::Free
    }
}

/// A partner that reports what happened to persons, under an agreement. An office of the register takes the report, and
/// the officer who signed the agreement for the register answers for it.
#[derive(Clone, Debug)]
pub struct Reporter {
    /// The partner.
    pub partner: Partner,
    /// The office of the register that takes the report.
    pub office: OfficeCode,
    /// The officer who signed the agreement for the register.
    pub answers: OfficerId,
}

/// A caller by whom the register learns of persons: an officer, or a partner that reports under an agreement.
pub trait Registers: Actor {
    /// The office in whose name it happens.
    fn office(&self) -> &OfficeCode;

    /// The officer who answers for it.
    fn answers(&self) -> OfficerId;

    /// The partner whose report it is; none where an officer acts.
    fn partner(&self) -> Option<PartnerId>;

    /// Object-level right.
    ///
    /// # Errors
    /// [`OtherOffice`]
    fn may_act_for(&self, office: &OfficeCode) -> Result<(), OtherOffice>;
}

impl Actor for Reporter {
    fn caller(&self) -> Caller {
        self.partner.caller()
    }

    fn standing(&self) -> Standing<'_> {
        self.partner.standing()
    }
}

impl Registers for Officer {
    fn office(&self) -> &OfficeCode {
        &self.office
    }

    fn answers(&self) -> OfficerId {
        self.id
    }

    fn partner(&self) -> Option<PartnerId> {
        None
    }

    fn may_act_for(&self, office: &OfficeCode) -> Result<(), OtherOffice> {
        Self::may_act_for(self, office)
    }
}

impl Registers for Reporter {
    fn office(&self) -> &OfficeCode {
        &self.office
    }

    fn answers(&self) -> OfficerId {
        self.answers
    }

    fn partner(&self) -> Option<PartnerId> {
        Some(self.partner.id)
    }

    /// What the report is about belongs to the office that takes it.
    fn may_act_for(&self, office: &OfficeCode) -> Result<(), OtherOffice> {
        if self.office == *office { Ok(()) } else { Err(OtherOffice) }
    }
}

/// An officer's act.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Decision {
    /// The officer.
    pub by: OfficerId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Decision {
    /// Reads the act out of two columns of a row, that of the officer and that of the moment; `None` where it was not
    /// done yet.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn of(row: &Record, by: &str, at: &str) -> Result<Option<Self>, StoreError> {
        let (by, at): (Option<OfficerId>, Option<OffsetDateTime>) = (Id::of_optional(row, by)?, row.get(at)?);
        Ok(by.zip(at).map(|(by, at)| Self { by, at }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_officer_has_two_roles_that_watch_each_other() {
        use Role::{Admin, Approver, Auditor, Capture, HandOver, Registrar, Stock};
        for other in Role::ALL.into_iter().filter(|role| *role != Admin) {
            assert!(Role::conflict(&[other, Admin]).is_some(), "{other:?}");
        }
        assert!(Role::conflict(&[Capture, Stock]).is_some());
        assert!(Role::conflict(&[Capture, HandOver, Approver]).is_some());
        assert_eq!(Role::conflict(&[Capture, HandOver, Registrar]), None);
        assert_eq!(Role::conflict(&[Approver, Auditor, Stock]), None);
        assert_eq!(Role::conflict(&[Admin]), None);
        for (one, other, reason) in Role::EXCLUSIONS {
            assert!(one != other && !reason.is_empty());
        }
    }

    #[test]
    fn a_deputy_acts_for_the_absent_officer_only_by_a_role_that_is_lent() {
        let id = |n: u128| crate::ground::Id::from_uuid(uuid::Uuid::from_u128(n));
        let own = Officer::new(id(1), OfficeCode::national(), vec![Role::HandOver], crate::ground::Id::nil());
        assert_eq!(own.clone().under(Permission::HandOver).acts_for, None);
        let stands_in = Some(StandIn { stands_for: id(2), roles: vec![Role::Approver] });
        let deputy = Officer { roles: vec![Role::HandOver, Role::Approver], stands_in, ties: vec![id(2)], ..own };
        assert_eq!(deputy.clone().under(Permission::Decide).acts_for, Some(id(2)));
        assert_eq!(deputy.clone().under(Permission::HandOver).acts_for, None);
        assert_eq!(deputy.clone().under(Permission::ReadApplication).acts_for, None, "the own role carries it too");
        assert_eq!(deputy.clone().under(Permission::Stock).acts_for, None, "no role carries it");
        assert!(deputy.is_one_with(id(1)) && deputy.is_one_with(id(2)) && !deputy.is_one_with(id(3)));
    }

    #[test]
    fn an_officer_acts_for_the_offices_whose_place_the_own_one_took() {
        let office = |code: &str| code.parse::<OfficeCode>().unwrap();
        let id = crate::ground::Id::from_uuid(uuid::Uuid::from_u128(1));
        let mut officer = Officer::new(id, office("o-2"), vec![], crate::ground::Id::nil());
        assert_eq!(officer.may_act_for(&office("o-1")), Err(OtherOffice));
        officer.successor_of = vec![office("o-1")];
        assert_eq!(officer.may_act_for(&office("o-1")), Ok(()));
        assert_eq!(officer.may_act_for(&office("o-3")), Err(OtherOffice));
    }

    #[test]
    fn office_codes_are_short_and_plain() {
        assert!("003-001".parse::<OfficeCode>().is_ok());
        for code in ["", "Ở đây", "UPPER", "a/b", "seventeen-letters"] {
            assert!(code.parse::<OfficeCode>().is_err(), "{code}");
        }
    }
}
