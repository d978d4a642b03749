//! Partners: other authorities that ask the register under agreements, and their systems. What lets one in is proposed
//! by one officer of the national office and confirmed by another; what shuts one out takes one.

use std::sync::Arc;

use time::OffsetDateTime;

use super::AccessError;
use super::store::partners as store;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::{Carrier, Partner};
use crate::ground::carried::{Brought, Carried, Member};
use crate::ground::ids::{PartnerId, PartnerSystemId};
use crate::ground::{Decision, OfficeCode, Officer, Permission};
use crate::keys::{IssuedCertificate, TlsAuthority};
use crate::store::{StoreError, Tx};

/// The officer of a partner who answers for the connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contact {
    /// Full name.
    pub name: String,
    /// Address of electronic mail.
    pub email: String,
    /// Telephone.
    pub phone: String,
}

/// A partner, as the register of partners has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PartnerRow {
    /// Identifier.
    pub id: PartnerId,
    /// Short code, as an office has one.
    pub code: OfficeCode,
    /// The authority.
    pub name: String,
    /// The unit of the authority that is joined.
    pub unit: String,
    /// Who answers for the connection.
    pub contact: Contact,
    /// Who proposed it.
    pub drafted: Decision,
    /// Who confirmed it.
    pub confirmed: Option<Decision>,
    /// Who ended it.
    pub ended: Option<Decision>,
    /// Why it ended.
    pub end_reason: Option<String>,
}

impl PartnerRow {
    /// True while the authority may ask.
    #[must_use]
    pub const fn is_joined(&self) -> bool {
        self.confirmed.is_some() && self.ended.is_none()
    }
}

/// A system of a partner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SystemRow {
    /// Identifier.
    pub id: PartnerSystemId,
    /// The partner whose system it is.
    pub partner: PartnerId,
    /// What it is called; unique within the partner.
    pub name: String,
    /// Certification request (PKCS#10, PEM); empty for a member.
    pub request: String,
    /// Who brought the request.
    pub drafted: Decision,
    /// Its certificate (DER), once a second officer confirmed it.
    pub certificate: Option<Vec<u8>>,
    /// Who confirmed it.
    pub confirmed: Option<Decision>,
    /// When the certificate ends.
    pub expires_at: Option<OffsetDateTime>,
    /// Who revoked it.
    pub revoked: Option<Decision>,
    /// The member of a data exchange layer that it is, for which carriers ask; it has no certificate.
    pub member: Option<Member>,
    /// The instance of a data exchange layer for whose members it asks, as a carrier.
    pub carries: Option<String>,
}

/// How a system comes to the register.
#[derive(Clone, Debug)]
pub(super) enum Comes {
    /// As a carrier of this instance, by the certificate that its request (PEM) asks for.
    AsCarrier(String, String),
    /// As this member of a data exchange layer: a carrier asks for it.
    AsMember(Member),
    /// By the certificate that its request (PEM) asks for.
    ByItself(String),
}

/// Proposes that an authority is a partner.
///
/// # Errors
/// [`AccessError::OtherOffice`] outside the national office, [`AccessError::NameTaken`] for a code that is taken.
pub(super) async fn draft(
    deed: &mut Deed<Officer>,
    code: OfficeCode,
    (name, unit): (String, String),
    contact: Contact,
) -> Result<PartnerRow, AccessError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let (id, drafted) = (deed.id(), deed.decision());
    let partner = PartnerRow { id, code, name, unit, contact, drafted, confirmed: None, ended: None, end_reason: None };
    store::insert_partner(deed.tx(), &partner).await?;
    deed.record(Action::PartnerDrafted, Object::Partner(id), None, Purpose::Administration).await?;
    Ok(partner)
}

/// Confirms what another officer proposed: from now on systems of the authority can be joined.
///
/// # Errors
/// [`AccessError::PartnerUnknown`]; [`AccessError::PartnerState`] if it is confirmed or ended;
/// [`AccessError::SecondAdministrator`] for the officer who proposed it; [`AccessError::ProposalStale`] if that one
/// could not propose it any more.
pub(super) async fn confirm(deed: &mut Deed<Officer>, id: PartnerId) -> Result<PartnerRow, AccessError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let partner = store::partner_locked(deed.tx(), id).await?.ok_or(AccessError::PartnerUnknown)?;
    if partner.confirmed.is_some() || partner.ended.is_some() {
        return Err(AccessError::PartnerState);
    }
    second(deed, &partner.drafted, Permission::Exchange).await?;
    let decision = deed.decision();
    store::confirm_partner(deed.tx(), id, &decision).await?;
    let entry = Entry::new(Action::PartnerConfirmed, Object::Partner(id), Purpose::Administration);
    deed.enter(entry.with(Object::Officer(partner.drafted.by))).await?;
    Ok(PartnerRow { confirmed: Some(decision), ..partner })
}

/// Ends a partner for good: its systems are refused from now on.
///
/// # Errors
/// [`AccessError::PartnerUnknown`], [`AccessError::PartnerState`] if it ended before.
pub(super) async fn end(deed: &mut Deed<Officer>, id: PartnerId, reason: &str) -> Result<PartnerRow, AccessError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let partner = store::partner_locked(deed.tx(), id).await?.ok_or(AccessError::PartnerUnknown)?;
    if partner.ended.is_some() {
        return Err(AccessError::PartnerState);
    }
    let decision = deed.decision();
    store::end_partner(deed.tx(), id, &decision, reason).await?;
    let entry = Entry::new(Action::PartnerEnded, Object::Partner(id), Purpose::Administration);
    deed.enter(entry.because(reason)).await?;
    Ok(PartnerRow { ended: Some(decision), end_reason: Some(reason.to_owned()), ..partner })
}

/// Brings a system: its certification request, which is looked at now and certified once another officer confirms it,
/// or the member that it is.
///
/// # Errors
/// [`AccessError::PartnerUnknown`], [`AccessError::PartnerState`] for a partner that may not ask;
/// [`AccessError::CertificationRequest`]; [`AccessError::NameTaken`], also for a member that another system is
pub(super) async fn draft_system(
    deed: &mut Deed<Officer>,
    authority: &TlsAuthority,
    partner: PartnerId,
    name: String,
    comes: Comes,
) -> Result<SystemRow, AccessError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let of = store::partner_locked(deed.tx(), partner).await?.ok_or(AccessError::PartnerUnknown)?;
    if !of.is_joined() {
        return Err(AccessError::PartnerState);
    }
    // A request that cannot be certified is said to whom can mend it, and not to the second officer.
    let (id, at): (PartnerSystemId, _) = (deed.id(), deed.at());
    let (request, member, carries) = match comes {
        Comes::AsCarrier(instance, request) => (request, None, Some(instance)),
        Comes::AsMember(member) => (String::new(), Some(member), None),
        Comes::ByItself(request) => (request, None, None),
    };
    if member.is_none() {
        authority.partner(&id.to_string(), &request, at, &mut deed.rng())?;
    }
    let system = SystemRow {
        id,
        partner,
        name,
        request,
        drafted: deed.decision(),
        certificate: None,
        confirmed: None,
        expires_at: None,
        revoked: None,
        member,
        carries,
    };
    store::insert_system(deed.tx(), &system).await?;
    let entry = Entry::new(Action::PartnerSystemDrafted, Object::PartnerSystem(id), Purpose::Administration);
    deed.enter(entry.with(Object::Partner(partner))).await?;
    Ok(system)
}

/// Confirms a system that another officer brought, and issues its client certificate (one year); a member has none.
///
/// # Errors
/// [`AccessError::PartnerSystemUnknown`], [`AccessError::PartnerState`], [`AccessError::SecondAdministrator`],
/// [`AccessError::ProposalStale`], [`AccessError::KeyCertified`]
pub(super) async fn confirm_system(
    deed: &mut Deed<Officer>,
    authority: &TlsAuthority,
    id: PartnerSystemId,
) -> Result<(SystemRow, Option<IssuedCertificate>), AccessError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let system = store::system_locked(deed.tx(), id).await?.ok_or(AccessError::PartnerSystemUnknown)?;
    let partner = store::partner_locked(deed.tx(), system.partner).await?.ok_or(AccessError::PartnerUnknown)?;
    if system.confirmed.is_some() || system.revoked.is_some() || !partner.is_joined() {
        return Err(AccessError::PartnerState);
    }
    second(deed, &system.drafted, Permission::Exchange).await?;
    let decision = deed.decision();
    if system.member.is_some() {
        store::confirm_member(deed.tx(), id, &decision).await?;
        let entry = Entry::new(Action::PartnerSystemConfirmed, Object::PartnerSystem(id), Purpose::Administration);
        deed.enter(entry.with(Object::Officer(system.drafted.by))).await?;
        return Ok((SystemRow { confirmed: Some(decision), ..system }, None));
    }
    let at = deed.at();
    let certificate = authority.partner(&id.to_string(), &system.request, at, &mut deed.rng())?;
    super::steps::claim_key(deed, &format!("partner-system/{id}"), &certificate).await?;
    store::certify_system(deed.tx(), id, &decision, &certificate).await?;
    let entry = Entry::new(Action::PartnerSystemConfirmed, Object::PartnerSystem(id), Purpose::Administration);
    deed.enter(entry.with(Object::Officer(system.drafted.by))).await?;
    let expires_at = Some(certificate.not_after);
    let der = Some(certificate.der.clone());
    Ok((SystemRow { confirmed: Some(decision), certificate: der, expires_at, ..system }, Some(certificate)))
}

/// Revokes a system: its next request is refused, also on a connection that is open.
///
/// # Errors
/// [`AccessError::PartnerSystemUnknown`]; [`AccessError::PartnerState`] if it was revoked before.
pub(super) async fn revoke_system(
    deed: &mut Deed<Officer>,
    id: PartnerSystemId,
    reason: &str,
) -> Result<SystemRow, AccessError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let system = store::system_locked(deed.tx(), id).await?.ok_or(AccessError::PartnerSystemUnknown)?;
    if system.revoked.is_some() {
        return Err(AccessError::PartnerState);
    }
    let decision = deed.decision();
    store::revoke_system(deed.tx(), id, &decision, reason).await?;
    let entry = Entry::new(Action::PartnerSystemRevoked, Object::PartnerSystem(id), Purpose::Administration);
    deed.enter(entry.because(reason)).await?;
    Ok(SystemRow { revoked: Some(decision), ..system })
}

/// Lists the partners after this one, each with whether its record is as it was written. The listing is recorded.
///
/// # Errors
/// [`AccessError::OtherOffice`] outside the national office
pub(crate) async fn listed(
    deed: &mut Deed<Officer>,
    after: PartnerId,
    most: i64,
) -> Result<Vec<(PartnerRow, bool)>, AccessError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let rows = store::partners(deed.tx(), after, most).await?;
    let object = Object::Trail("partners".to_owned());
    deed.record(Action::PartnersListed, object, None, Purpose::Administration).await?;
    Ok(rows)
}

/// Reads a partner with its systems, in the order in which they were brought, each with whether its record is as it was
/// written. The reading is recorded.
///
/// # Errors
/// [`AccessError::OtherOffice`] outside the national office, [`AccessError::PartnerUnknown`]
pub(crate) async fn file(
    deed: &mut Deed<Officer>,
    id: PartnerId,
) -> Result<(PartnerRow, Vec<(SystemRow, bool)>), AccessError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let row = store::partner(deed.tx(), id).await?.ok_or(AccessError::PartnerUnknown)?;
    let systems = store::systems_of(deed.tx(), id).await?;
    deed.record(Action::PartnersListed, Object::Partner(id), None, Purpose::Administration).await?;
    Ok((row, systems))
}

/// Returns the system for which a carrier asks.
///
/// # Errors
/// [`AccessError::PartnerMember`] for a member that no system is, or whose system or authority ended
pub(crate) async fn carried(tx: &mut Tx, carrier: &Carrier, brought: Brought) -> Result<Partner, AccessError> {
    if brought.member.instance() != carrier.instance {
        return Err(AccessError::PartnerMember(
            "client: another instance than the one whose members this carrier names",
        ));
    }
    let system = store::by_member(tx, &brought.member).await?;
    Ok(Partner { carried: Some(Arc::new(Carried { carrier: carrier.system.system, brought })), ..system })
}

/// Returns a partner, if there is one of this identifier.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn partner(tx: &mut Tx, id: PartnerId) -> Result<Option<PartnerRow>, StoreError> {
    store::partner(tx, id).await
}

/// Returns the partners after this one, each with whether its record is as it was written.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn partners(tx: &mut Tx, after: PartnerId, most: i64) -> Result<Vec<(PartnerRow, bool)>, StoreError> {
    store::partners(tx, after, most).await
}

/// Returns the systems of a partner, each with whether its record is as it was written.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn systems_of(tx: &mut Tx, partner: PartnerId) -> Result<Vec<(SystemRow, bool)>, StoreError> {
    store::systems_of(tx, partner).await
}

/// Returns a system of a partner, if there is one of this identifier.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn system(tx: &mut Tx, id: PartnerSystemId) -> Result<Option<SystemRow>, StoreError> {
    store::system(tx, id).await
}

/// Returns a system of a partner as the caller that it is, for what happens on its behalf: whether it is joined still
/// is judged when its deed begins.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn system_as_caller(tx: &mut Tx, id: PartnerSystemId) -> Result<Option<Partner>, StoreError> {
    let Some(system) = store::system(tx, id).await? else { return Ok(None) };
    let Some(partner) = store::partner(tx, system.partner).await? else { return Ok(None) };
    Ok(Some(Partner { id: partner.id, code: partner.code, system: id, name: system.name, carried: None }))
}

/// Refuses the officer who proposed, or who counts as that one, and a proposal of an officer of the national office who
/// has this permission there no more.
///
/// # Errors
/// [`AccessError::SecondAdministrator`], [`AccessError::ProposalStale`]
pub(crate) async fn second(
    deed: &mut Deed<Officer>,
    first: &Decision,
    permission: Permission,
) -> Result<(), AccessError> {
    if deed.actor().is_one_with(first.by) {
        return Err(AccessError::SecondAdministrator);
    }
    let post = super::post_of_officer(deed.tx(), first.by).await?;
    let may = post.is_some_and(|(office, roles)| {
        office == OfficeCode::national() && permission.roles().iter().any(|role| roles.contains(role))
    });
    if may { Ok(()) } else { Err(AccessError::ProposalStale("the officer who proposed it may not do so any more")) }
}
