//! Addresses to which notifications go: named by one officer of the national office, confirmed by another, and ended by
//! one. No other address is ever spoken to, whatever a subscription says.

use super::super::ExchangeError;
use super::super::store::notifications as store;
use super::{address, post};
use crate::access::{AccessError, partners};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::{PartnerAddressId, PartnerId, PartnerSystemId};
use crate::ground::{Decision, OfficeCode, Officer, Permission};
use crate::store::{StoreError, Tx};

/// An address of a partner's system.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::exchange) struct Address {
    /// Identifier.
    pub id: PartnerAddressId,
    /// The partner.
    pub partner: PartnerId,
    /// Its system.
    pub system: PartnerSystemId,
    /// Where notifications go: `https://…`.
    pub address: String,
    /// The certificates that the server there must follow from (PEM).
    pub roots: String,
    /// Who named it.
    pub drafted: Decision,
    /// Who confirmed it.
    pub confirmed: Option<Decision>,
    /// Who ended it.
    pub ended: Option<Decision>,
    /// Why it ended.
    pub end_reason: Option<String>,
}

impl Address {
    /// True while notifications may go there.
    pub const fn is_named(&self) -> bool {
        self.confirmed.is_some() && self.ended.is_none()
    }
}

/// Names an address of a system, with the certificates that its server must follow from.
///
/// # Errors
/// [`ExchangeError::AddressUnfit`]; [`AccessError::PartnerSystemUnknown`]; [`AccessError::PartnerState`] for a system
/// that may not ask; [`ExchangeError::NameTaken`] for an address that the system has
pub(super) async fn draft(
    deed: &mut Deed<Officer>,
    system: PartnerSystemId,
    (text, roots): (&str, &str),
) -> Result<Address, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let text = address(text).map_err(ExchangeError::AddressUnfit)?;
    post::client(roots).map_err(|_| ExchangeError::AddressUnfit("roots_pem: no certificates (PEM)"))?;
    let of = partners::system(deed.tx(), system).await?.ok_or(AccessError::PartnerSystemUnknown)?;
    // A member of a data exchange layer has no certificate, and so no token to subscribe with.
    if of.certificate.is_none() || of.revoked.is_some() || of.carries.is_some() {
        return Err(AccessError::PartnerState.into());
    }
    let (id, partner, drafted) = (deed.id(), of.partner, deed.decision());
    let (address, roots) = (text, roots.to_owned());
    let (confirmed, ended, end_reason) = (None, None, None);
    let named = Address { id, partner, system, address, roots, drafted, confirmed, ended, end_reason };
    if !store::insert_address(deed.tx(), &named).await? {
        return Err(ExchangeError::NameTaken);
    }
    let entry = Entry::new(Action::PartnerAddressDrafted, Object::PartnerSystem(system), Purpose::Administration);
    deed.enter(entry.with(Object::Partner(partner)).because(&*named.address)).await?;
    Ok(named)
}

/// Confirms an address that another officer named: from now on the system can subscribe with it.
///
/// # Errors
/// [`ExchangeError::AddressUnknown`]; [`AccessError::PartnerState`] if it is confirmed or ended;
/// [`AccessError::SecondAdministrator`], [`AccessError::ProposalStale`]
pub(super) async fn confirm(deed: &mut Deed<Officer>, id: PartnerAddressId) -> Result<Address, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let named = store::address_locked(deed.tx(), id).await?.ok_or(ExchangeError::AddressUnknown)?;
    if named.confirmed.is_some() || named.ended.is_some() {
        return Err(AccessError::PartnerState.into());
    }
    partners::second(deed, &named.drafted, Permission::Exchange).await?;
    let decision = deed.decision();
    store::confirm_address(deed.tx(), id, &decision).await?;
    let entry =
        Entry::new(Action::PartnerAddressConfirmed, Object::PartnerSystem(named.system), Purpose::Administration);
    deed.enter(entry.with(Object::Officer(named.drafted.by)).because(&*named.address)).await?;
    Ok(Address { confirmed: Some(decision), ..named })
}

/// Ends an address, with the subscriptions that have it: nothing goes there any more.
///
/// # Errors
/// [`ExchangeError::AddressUnknown`]; [`AccessError::PartnerState`] if it ended before
pub(super) async fn end(
    deed: &mut Deed<Officer>,
    id: PartnerAddressId,
    reason: &str,
) -> Result<Address, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let named = store::address_locked(deed.tx(), id).await?.ok_or(ExchangeError::AddressUnknown)?;
    if named.ended.is_some() {
        return Err(AccessError::PartnerState.into());
    }
    let decision = deed.decision();
    store::end_address(deed.tx(), id, &decision, reason).await?;
    for one in store::of_system(deed.tx(), (named.partner, named.system)).await? {
        if one.address == named.address {
            store::remove(deed.tx(), (one.partner, one.id)).await?;
        }
    }
    let entry = Entry::new(Action::PartnerAddressEnded, Object::PartnerSystem(named.system), Purpose::Administration);
    deed.enter(entry.because(reason)).await?;
    Ok(Address { ended: Some(decision), end_reason: Some(reason.to_owned()), ..named })
}

/// Returns the address of a system that is spelt so, if two officers named it and no other hand changed it.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn named(tx: &mut Tx, system: PartnerSystemId, text: &str) -> Result<Option<Address>, StoreError> {
    let all = store::addresses_of(tx, system).await?;
    let named = all.into_iter().find(|(one, holds)| *holds && one.is_named() && one.address == text);
    Ok(named.map(|(one, _)| one))
}
