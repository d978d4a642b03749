//! What another authority may ask: purposes and agreements, drafted by one officer of the national office and signed by
//! two, one of them the data protection officer.

use std::collections::{BTreeMap, BTreeSet};

use time::{Date, OffsetDateTime};

use super::ExchangeError;
use super::model::{Agreement, AgreementUnfit, Grant, Purpose, PurposeCode, Standing};
use super::store::agreements as store;
use crate::access;
use crate::access::partners::{self, PartnerRow};
use crate::deed::{Action, Deed, Entry, Object, Purpose as Why};
use crate::ground::ids::{AgreementId, OfficerId, PartnerId};
use crate::ground::{Id, OfficeCode, Officer, Permission, Role};
use crate::population::reference::Reference;
use crate::store::{StoreError, Tx};

/// What a new purpose is to be.
pub(super) struct NewPurpose {
    /// Its code.
    pub code: String,
    /// In Vietnamese.
    pub name_vi: String,
    /// In English.
    pub name_en: String,
    /// The law's article.
    pub law: String,
    /// Term of the Data Privacy Vocabulary.
    pub dpv: Option<String>,
}

/// Proposes a purpose.
///
/// # Errors
/// [`ExchangeError::PurposeUnfit`], [`ExchangeError::NameTaken`]
pub(super) async fn draft_purpose(deed: &mut Deed<Officer>, new: NewPurpose) -> Result<Purpose, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let NewPurpose { code, name_vi, name_en, law, dpv } = new;
    let code = PurposeCode::try_from(code).map_err(|_| ExchangeError::PurposeUnfit)?.as_str().to_owned();
    let drafted = deed.decision();
    let purpose = Purpose { code, name_vi, name_en, law, dpv, drafted, confirmed: None, ended: None, end_reason: None };
    store::insert_purpose(deed.tx(), &purpose).await?;
    let object = Object::ExchangePurpose(purpose.code.clone());
    deed.record(Action::PurposeDrafted, object, None, Why::Administration).await?;
    Ok(purpose)
}

/// Confirms a purpose that another officer proposed; one of the two is the data protection officer.
///
/// # Errors
/// [`ExchangeError::PurposeUnknown`], [`ExchangeError::State`], [`ExchangeError::Access`] for the officer who proposed
/// it, [`ExchangeError::ProtectorNeeded`]
pub(super) async fn confirm_purpose(deed: &mut Deed<Officer>, code: &str) -> Result<Purpose, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let purpose = store::purpose_locked(deed.tx(), code).await?.ok_or(ExchangeError::PurposeUnknown)?;
    if purpose.confirmed.is_some() || purpose.ended.is_some() {
        return Err(ExchangeError::State);
    }
    partners::second(deed, &purpose.drafted, Permission::Exchange).await?;
    if !deed.actor().roles.contains(&Role::DataProtection) {
        return Err(ExchangeError::ProtectorNeeded);
    }
    let decision = deed.decision();
    store::confirm_purpose(deed.tx(), code, &decision).await?;
    let object = Object::ExchangePurpose(purpose.code.clone());
    deed.record(Action::PurposeConfirmed, object, None, Why::Administration).await?;
    Ok(Purpose { confirmed: Some(decision), ..purpose })
}

/// Ends a purpose: no agreement can be drafted or signed for it any more. Its code is never given again, since the log
/// goes on naming it.
///
/// # Errors
/// [`ExchangeError::PurposeUnknown`], [`ExchangeError::State`] if it ended before, [`ExchangeError::PurposeInUse`]
/// while an agreement that did not end has it.
pub(super) async fn end_purpose(deed: &mut Deed<Officer>, code: &str, reason: &str) -> Result<Purpose, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    // Who drafts or signs an agreement for it waits for this lock, and then sees that it ended.
    let purpose = store::purpose_locked(deed.tx(), code).await?.ok_or(ExchangeError::PurposeUnknown)?;
    if purpose.ended.is_some() {
        return Err(ExchangeError::State);
    }
    let at = deed.at();
    let in_use: Vec<String> = not_over(deed.tx(), at)
        .await?
        .into_iter()
        .filter(|agreement| agreement.grants.iter().any(|grant| grant.purpose == code))
        .map(|agreement| agreement.number)
        .collect();
    if !in_use.is_empty() {
        return Err(ExchangeError::PurposeInUse(in_use.join(", ")));
    }
    let decision = deed.decision();
    store::end_purpose(deed.tx(), code, &decision, reason).await?;
    let entry = Entry::new(Action::PurposeEnded, Object::ExchangePurpose(code.to_owned()), Why::Administration);
    deed.enter(entry.because(reason)).await?;
    Ok(Purpose { ended: Some(decision), end_reason: Some(reason.to_owned()), ..purpose })
}

/// What a new agreement is to say.
pub(super) struct Terms {
    /// The partner that may ask.
    pub partner: PartnerId,
    /// Number, as both sides call it.
    pub number: String,
    /// Legal basis.
    pub basis: String,
    /// From …
    pub valid_from: OffsetDateTime,
    /// … until before.
    pub valid_to: OffsetDateTime,
    /// Answers are kept for so many days.
    pub kept_days: u32,
    /// What it allows.
    pub grants: Vec<Grant>,
}

/// Drafts an agreement. Nothing may be asked by it until both signatures are there.
///
/// # Errors
/// [`ExchangeError::Unfit`] with what is wrong, [`ExchangeError::Access`] for an unknown partner,
/// [`ExchangeError::NameTaken`] for a number that is taken.
pub(super) async fn draft(
    deed: &mut Deed<Officer>,
    reference: &Reference,
    terms: Terms,
) -> Result<Agreement, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let Terms { partner, number, basis, valid_from, valid_to, kept_days, grants } = terms;
    let of = partners::partner(deed.tx(), partner).await?.ok_or(crate::access::AccessError::PartnerUnknown)?;
    if of.ended.is_some() {
        return Err(crate::access::AccessError::PartnerState.into());
    }
    let agreement = Agreement {
        id: deed.id(),
        partner,
        number,
        basis,
        valid_from,
        valid_to,
        kept_days,
        grants,
        drafted: deed.decision(),
        signed: None,
        protected: None,
        ended: None,
        end_reason: None,
    };
    agreement.check()?;
    provinces_are_there(&agreement, reference, deed.today())?;
    purposes_hold(deed, &agreement).await?;
    store::insert(deed.tx(), &agreement).await?;
    let entry = Entry::new(Action::AgreementDrafted, Object::Agreement(agreement.id), Why::Administration);
    deed.enter(entry.with(Object::Partner(partner))).await?;
    Ok(agreement)
}

/// Lets through an agreement whose provinces the register has, or had.
///
/// # Errors
/// [`ExchangeError::Unfit`] with the code that no province has
fn provinces_are_there(agreement: &Agreement, reference: &Reference, today: Date) -> Result<(), AgreementUnfit> {
    let unknown = |code: &&String| code.parse().map_or(true, |code| reference.province(code, today).is_none());
    let mut named = agreement.grants.iter().flat_map(|grant| grant.provinces.iter().map(|code| (grant.service, code)));
    match named.find(|(_, code)| unknown(code)) {
        None => Ok(()),
        Some((service, code)) => Err(AgreementUnfit(format!(
            "{service}: the register has no province `{code}`; GET /api/v1/reference/provinces lists them"
        ))),
    }
}

/// Lists the agreements after this one, of a partner or of all, that stand so now, in the order in which they were
/// drafted; each with whether its record is as it was written. The listing is recorded.
///
/// # Errors
/// [`ExchangeError::OtherOffice`] outside the national office
pub(super) async fn listed(
    deed: &mut Deed<Officer>,
    partner: Option<PartnerId>,
    standing: &[Standing],
    (after, most): (AgreementId, i64),
) -> Result<Vec<(Agreement, bool)>, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let now = deed.at();
    let rows = store::list(deed.tx(), (partner, standing), now, (after, most)).await?;
    let object = partner.map_or_else(|| Object::Trail("agreements".to_owned()), Object::Partner);
    deed.record(Action::AgreementsListed, object, None, Why::Administration).await?;
    Ok(rows)
}

/// Reads an agreement. The reading is recorded.
///
/// # Errors
/// [`ExchangeError::OtherOffice`] outside the national office, [`ExchangeError::AgreementUnknown`]
pub(super) async fn one(deed: &mut Deed<Officer>, id: AgreementId) -> Result<Agreement, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let agreement = store::agreement(deed.tx(), id).await?.ok_or(ExchangeError::AgreementUnknown)?;
    deed.record(Action::AgreementsListed, Object::Agreement(id), None, Why::Administration).await?;
    Ok(agreement)
}

/// An agreement as the officer who signs it reads it.
pub(super) struct AgreementFile {
    /// The agreement.
    pub agreement: Agreement,
    /// The partner that may ask.
    pub partner: PartnerRow,
    /// The purposes of its grants, by code.
    pub purposes: BTreeMap<String, Purpose>,
    /// The officers who had a hand in it, by name.
    pub officers: BTreeMap<OfficerId, String>,
}

/// Reads an agreement with its partner and purposes: as [`one`], whose record it leaves.
///
/// # Errors
/// As [`one`].
pub(super) async fn file(deed: &mut Deed<Officer>, id: AgreementId) -> Result<AgreementFile, ExchangeError> {
    let agreement = one(deed, id).await?;
    let partner = partners::partner(deed.tx(), agreement.partner).await?.ok_or(access::AccessError::PartnerUnknown)?;
    let (mut purposes, mut officers) = (BTreeMap::new(), BTreeMap::new());
    let codes: BTreeSet<&String> = agreement.grants.iter().map(|grant| &grant.purpose).collect();
    for code in codes {
        if let Some(purpose) = store::purpose(deed.tx(), code).await? {
            purposes.insert(code.clone(), purpose);
        }
    }
    let hands =
        [Some(&agreement.drafted), agreement.signed.as_ref(), agreement.protected.as_ref(), agreement.ended.as_ref()];
    for by in hands.into_iter().flatten().map(|decision| decision.by).collect::<BTreeSet<_>>() {
        officers.insert(by, access::called(deed.tx(), by).await?);
    }
    Ok(AgreementFile { agreement, partner, purposes, officers })
}

/// Returns how many agreements lack a signature, and how many in force end soon: each as far as `most`.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn how_many(tx: &mut Tx, now: OffsetDateTime, most: i64) -> Result<(usize, usize), StoreError> {
    let from = (Id::nil(), most);
    let unsigned = store::list(tx, (None, &[Standing::Drafted, Standing::HalfSigned]), now, from).await?;
    let ending = store::list(tx, (None, &[Standing::Ending]), now, from).await?;
    Ok((unsigned.len(), ending.len()))
}

/// Signs an agreement: a data protection officer for the persons, any other officer for the register. It is in force
/// with both signatures, which are of two officers.
///
/// # Errors
/// [`ExchangeError::AgreementUnknown`]; [`ExchangeError::State`] if the signature is there already, or it was ended;
/// [`ExchangeError::Access`] where the officer is the one who gave the other signature, or that one could not give it
/// any more, or the partner is not joined; [`ExchangeError::Unfit`] for terms that hold no more.
pub(super) async fn sign(deed: &mut Deed<Officer>, id: AgreementId) -> Result<Agreement, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let mut agreement = store::locked(deed.tx(), id).await?.ok_or(ExchangeError::AgreementUnknown)?;
    let partner = partners::partner(deed.tx(), agreement.partner).await?;
    if !partner.is_some_and(|partner| partner.is_joined()) {
        return Err(crate::access::AccessError::PartnerState.into());
    }
    let protects = deed.actor().roles.contains(&Role::DataProtection);
    let (own, other) =
        if protects { (&agreement.protected, &agreement.signed) } else { (&agreement.signed, &agreement.protected) };
    if own.is_some() || agreement.ended.is_some() || agreement.valid_to <= deed.at() {
        return Err(ExchangeError::State);
    }
    if let Some(other) = other.clone() {
        partners::second(deed, &other, Permission::Exchange).await?;
    }
    agreement.check()?;
    purposes_hold(deed, &agreement).await?;
    let decision = Some(deed.decision());
    if protects {
        agreement.protected = decision;
    } else {
        agreement.signed = decision;
    }
    store::decide(deed.tx(), &agreement).await?;
    let entry = Entry::new(Action::AgreementSigned, Object::Agreement(id), Why::Administration);
    deed.enter(entry.because(if protects { "data-protection" } else { "register" })).await?;
    Ok(agreement)
}

/// Ends an agreement: what it allowed is refused from now on.
///
/// # Errors
/// [`ExchangeError::AgreementUnknown`], [`ExchangeError::State`]
pub(super) async fn end(deed: &mut Deed<Officer>, id: AgreementId, reason: &str) -> Result<Agreement, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let mut agreement = store::locked(deed.tx(), id).await?.ok_or(ExchangeError::AgreementUnknown)?;
    if agreement.ended.is_some() {
        return Err(ExchangeError::State);
    }
    agreement.ended = Some(deed.decision());
    agreement.end_reason = Some(reason.to_owned());
    store::decide(deed.tx(), &agreement).await?;
    let entry = Entry::new(Action::AgreementEnded, Object::Agreement(id), Why::Administration);
    deed.enter(entry.because(reason)).await?;
    Ok(agreement)
}

/// Returns the agreements that were not ended and whose time is not over, of partners that did not end either.
async fn not_over(tx: &mut Tx, now: OffsetDateTime) -> Result<Vec<Agreement>, StoreError> {
    let (mut going, mut known) = (Vec::new(), BTreeMap::new());
    for agreement in store::not_over(tx, now).await? {
        let ended = match known.get(&agreement.partner) {
            Some(ended) => *ended,
            None => {
                let partner = partners::partner(tx, agreement.partner).await?;
                let ended = partner.is_none_or(|partner| partner.ended.is_some());
                *known.entry(agreement.partner).or_insert(ended)
            }
        };
        if !ended {
            going.push(agreement);
        }
    }
    Ok(going)
}

/// Returns number and end of each agreement that is signed by both and not over, by that end; without those of which
/// others of the partner grant everything for longer.
///
/// # Errors
/// [`StoreError`]
pub async fn in_force_until(tx: &mut Tx, now: OffsetDateTime) -> Result<Vec<(String, OffsetDateTime)>, StoreError> {
    let mut all = not_over(tx, now).await?;
    all.retain(|agreement| agreement.signed.is_some() && agreement.protected.is_some());
    let goes_on = |one: &Agreement, grant: &Grant| {
        all.iter().any(|other| {
            let later =
                other.partner == one.partner && other.valid_from <= one.valid_to && other.valid_to > one.valid_to;
            later && other.grant(grant.service, &grant.purpose).is_some()
        })
    };
    let ends = all.iter().filter(|one| !one.grants.iter().all(|grant| goes_on(one, grant)));
    let mut ends: Vec<_> = ends.map(|one| (one.number.clone(), one.valid_to)).collect();
    ends.sort_by(|(one, first), (other, second)| (first, one).cmp(&(second, other)));
    Ok(ends)
}

/// Refuses a grant for a purpose that is not confirmed, or ended.
async fn purposes_hold(deed: &mut Deed<Officer>, agreement: &Agreement) -> Result<(), ExchangeError> {
    // One after the other in one order, so that two that sign never wait for each other.
    let codes: BTreeSet<&str> = agreement.grants.iter().map(|grant| &*grant.purpose).collect();
    for code in codes {
        let purpose = store::purpose_locked(deed.tx(), code).await?;
        if !purpose.is_some_and(|purpose| purpose.holds()) {
            return Err(AgreementUnfit(format!("`{code}` is no confirmed purpose, or ended")).into());
        }
    }
    Ok(())
}
