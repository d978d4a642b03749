//! What two administrators do together about an officer: one proposes, another confirms.
//!
//! The owner of the key file proposes too, offline (`issuance officer`). Such a proposal breaks glass: while it is open
//! every answer of the service says so, and if no administrator who may decide about it signs in for a day it takes
//! effect by itself. If one does, it waits for the decision as long as one of them could still decide, and ends
//! undecided with its week.

use std::fmt;

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::store::proposals as store;
use super::{Access, AccessError, Settings, steps};
use crate::deed::{Action, Deed, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Service};
use crate::ground::ids::{OfficerId, ProposalId};
use crate::ground::{OfficeCode, Officer, Role};
use crate::store::{StoreError, Tx};

/// What is proposed about an officer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub(super) enum Change {
    /// The officer, who cannot sign in yet, is appointed.
    Appoint,
    /// The officer enrols a client certificate.
    Certificate,
    /// An administrator's access ends.
    Disable,
    /// A disabled officer comes back, with a new password.
    Enable,
    /// The officer works at another office.
    Office {
        /// The new office.
        office: OfficeCode,
    },
    /// The officer sets a new password.
    Reset,
    /// The officer is employed for something else.
    Roles {
        /// The new roles.
        roles: Vec<Role>,
    },
}

impl Change {
    fn word(&self) -> &'static str {
        match self {
            Self::Appoint => "appoint",
            Self::Certificate => "certificate",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Office { .. } => "office",
            Self::Reset => "reset",
            Self::Roles { .. } => "roles",
        }
    }
}

/// The change in words, for the trail and for people.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Appoint | Self::Certificate | Self::Disable | Self::Enable | Self::Reset => Ok(()),
            Self::Office { office } => write!(f, " {office}"),
            Self::Roles { roles } => roles.iter().try_for_each(|role| write!(f, " {}", role.name())),
        }
    }
}

/// A proposal about an officer.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    pub id: ProposalId,
    pub officer: OfficerId,
    /// Where the officer worked when it was made.
    pub office: OfficeCode,
    /// The officer's roles when it was made; a version that did not keep them made it if there are none.
    pub roles: Option<Vec<Role>>,
    pub change: Change,
    pub reason: String,
    /// None: the owner of the key file, offline.
    pub by: Option<OfficerId>,
    pub at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    /// It takes effect alone, at the earliest then, if no administrator signed in since.
    pub effective_at: Option<OffsetDateTime>,
    /// Fingerprint of the one-time token that was shown when it was proposed.
    pub token_hash: Option<[u8; 32]>,
    /// So long the service has shown its alarm, counted at …
    pub shown_for: Duration,
    /// … this moment.
    pub shown_at: Option<OffsetDateTime>,
    /// An administrator was seen at work since.
    pub administrator_seen_at: Option<OffsetDateTime>,
}

impl Proposal {
    /// Returns for how long the alarm is still to be shown before it takes effect alone.
    pub(super) fn remaining(&self) -> Duration {
        (BREAK_GLASS_ALARM - self.shown_for).max(Duration::ZERO)
    }
}

/// A one-time token, which lets the owner of an account set its password, or enrol a client certificate.
#[derive(Debug)]
pub struct Token {
    /// 32 random bytes in hex: shown once; only its SHA-256 is stored.
    pub text: Zeroizing<String>,
    /// It works until then.
    pub expires_at: OffsetDateTime,
}

/// What became of a proposal.
pub(super) struct Proposed {
    pub officer: OfficerId,
    pub proposal: ProposalId,
    /// True if it took effect.
    pub effective: bool,
    pub token: Option<Token>,
}

/// Proposes a new officer. The first of two administrators has no second one, so the appointment of an administrator
/// takes effect at once where no other one could confirm it.
///
/// # Errors
/// [`AccessError`]
pub(super) async fn appoint(
    deed: &mut Deed<Officer>,
    settings: &Settings,
    username: &str,
    roles: &[Role],
    office: &OfficeCode,
) -> Result<Proposed, AccessError> {
    deed.actor().may_act_for(office)?;
    steps::fit_name(username)?;
    fit_roles(roles)?;
    stays(deed, office).await?;
    let (officer, at, own) = (deed.id(), deed.at(), deed.actor().id);
    store::lock(deed.tx()).await?;
    super::store::insert_officer(deed.tx(), officer, username, "", roles, office, at).await?;
    let proposal = draft(deed, officer, (office.clone(), roles.to_vec()), Change::Appoint, "", deed.actor().id);
    store::insert(deed.tx(), &proposal).await?;
    let entry = Entry::new(Action::OfficerProposed, Object::Officer(officer), Purpose::Administration).of(office);
    deed.enter(entry.because(format!("{} {}", proposal.change, names(roles)))).await?;
    let alone = roles == [Role::Admin] && store::others_who_confirm(deed.tx(), own, office, at).await? == 0;
    let token = if alone { take_effect(deed, settings, &proposal, "bootstrap").await? } else { None };
    Ok(Proposed { officer, proposal: proposal.id, effective: alone, token })
}

/// Proposes a change about an officer who is there.
///
/// # Errors
/// [`AccessError::OfficerUnknown`], [`AccessError::OtherOffice`], [`AccessError::RolesExclude`],
/// [`AccessError::LastAdministrator`]
pub(super) async fn propose(
    deed: &mut Deed<Officer>,
    settings: &Settings,
    officer: OfficerId,
    change: Change,
    reason: &str,
) -> Result<Proposed, AccessError> {
    store::lock(deed.tx()).await?;
    let post = super::store::post_of_any_officer(deed.tx(), officer).await?.ok_or(AccessError::OfficerUnknown)?;
    let office = post.0.clone();
    deed.actor().may_act_for(&office)?;
    match &change {
        Change::Office { office } => {
            deed.actor().may_act_for(office)?;
            stays(deed, office).await?;
        }
        Change::Enable => stays(deed, &office).await?,
        Change::Roles { roles } => fit_roles(roles)?,
        Change::Appoint | Change::Certificate | Change::Disable | Change::Reset => {}
    }
    keep_an_administrator(deed, officer, &change, settings.factors).await?;
    if officer == deed.actor().id {
        return Err(AccessError::OwnCase);
    }
    let proposal = draft(deed, officer, post, change, reason, deed.actor().id);
    store::insert(deed.tx(), &proposal).await?;
    let entry = Entry::new(Action::OfficerProposed, Object::Officer(officer), Purpose::Administration).of(&office);
    deed.enter(entry.because(format!("{}: {reason}", proposal.change))).await?;
    Ok(Proposed { officer, proposal: proposal.id, effective: false, token: None })
}

/// Ends an officer's access: at once, or as a proposal if the officer is an administrator, so that no administrator can
/// get rid of the other one alone. Returns the proposal, if it is one.
///
/// # Errors
/// As [`propose`].
pub(super) async fn disable(
    deed: &mut Deed<Officer>,
    settings: &Settings,
    id: OfficerId,
    reason: &str,
) -> Result<Option<ProposalId>, AccessError> {
    match store::is_administrator(deed.tx(), id).await {
        Ok(true) => propose(deed, settings, id, Change::Disable, reason).await.map(|proposed| Some(proposed.proposal)),
        Ok(false) => steps::disable_officer(deed, id, reason).await.map(|()| None),
        // What the row says of office and roles is not believed.
        Err(StoreError::Tampered { .. }) => {
            let national = OfficeCode::national();
            deed.actor().may_act_for(&national)?;
            lock_tampered(deed, id, &format!("{reason}; {TAMPERED}")).await.map(|()| None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends the access of an officer whose row another hand changed.
async fn lock_tampered<A: Actor>(deed: &mut Deed<A>, id: OfficerId, why: &str) -> Result<(), AccessError> {
    let at = deed.at();
    store::lock_tampered(deed.tx(), id, at).await?;
    let entry = Entry::new(Action::OfficerDisabled, Object::Officer(id), Purpose::Administration);
    Ok(deed.enter(entry.of(&OfficeCode::national()).because(why)).await?)
}

/// Confirms what another administrator proposed. It takes effect at once.
///
/// # Errors
/// [`AccessError::ProposalUnknown`], [`AccessError::ProposalStale`], [`AccessError::OtherOffice`],
/// [`AccessError::SecondAdministrator`], [`AccessError::OwnCase`]
pub(super) async fn confirm(
    deed: &mut Deed<Officer>,
    settings: &Settings,
    id: ProposalId,
) -> Result<Proposed, AccessError> {
    let proposal = open(deed, id).await?;
    if proposal.by.is_some_and(|by| deed.actor().is_one_with(by)) {
        return Err(AccessError::SecondAdministrator);
    }
    if proposal.officer == deed.actor().id {
        return Err(AccessError::OwnCase);
    }
    let at = deed.at();
    still_fits(deed.tx(), &proposal, at).await?;
    match &proposal.change {
        Change::Office { office } => {
            deed.actor().may_act_for(office)?;
            stays(deed, office).await?;
        }
        Change::Appoint | Change::Enable => stays(deed, &proposal.office).await?,
        Change::Certificate | Change::Disable | Change::Reset | Change::Roles { .. } => {}
    }
    let token = take_effect(deed, settings, &proposal, "confirmed").await?;
    Ok(Proposed { officer: proposal.officer, proposal: id, effective: true, token })
}

/// Takes a proposal back, or turns down another's. The officer whom it is about turns down only what the owner of the
/// key file proposed: an administrator who can sign in decides, and not the owner.
///
/// # Errors
/// As [`confirm`], but for the second administrator.
pub(super) async fn withdraw(deed: &mut Deed<Officer>, id: ProposalId) -> Result<Proposed, AccessError> {
    let proposal = open(deed, id).await?;
    if proposal.officer == deed.actor().id && proposal.by.is_some() {
        return Err(AccessError::OwnCase);
    }
    let (by, at) = (deed.actor().id, deed.at());
    store::decide(deed.tx(), id, "withdrawn", Some(by), at).await?;
    store::forget_unappointed(deed.tx()).await?;
    let object = Object::Officer(proposal.officer);
    let entry = Entry::new(Action::OfficerProposalWithdrawn, object, Purpose::Administration).of(&proposal.office);
    deed.enter(entry.because(proposal.change.to_string())).await?;
    Ok(Proposed { officer: proposal.officer, proposal: id, effective: false, token: None })
}

/// Returns the open proposals about officers for whom the administrator acts, and those of the owner of the key file:
/// each administrator sees that glass is broken.
///
/// # Errors
/// [`AccessError::Store`]
pub(super) async fn list(deed: &mut Deed<Officer>) -> Result<Vec<Proposal>, AccessError> {
    let at = deed.at();
    let (mut proposals, _) = store::all_open(deed.tx(), at).await?;
    proposals.retain(|proposal| proposal.by.is_none() || deed.actor().may_act_for(&proposal.office).is_ok());
    let object = Object::Asked("officer-proposals".to_owned());
    deed.record(Action::OfficerProposalsRead, object, None, Purpose::Administration).await?;
    Ok(proposals)
}

/// An officer, as the owner of the key file sees it.
#[derive(Debug)]
pub struct Listed {
    /// Identifier.
    pub id: OfficerId,
    /// Name of the account.
    pub username: String,
    /// What the officer is employed for, and where; none if the row was changed by another hand.
    pub post: Option<(Vec<Role>, OfficeCode)>,
    /// `open`, `disabled`, `without-password`, or `changed-by-another-hand`.
    pub state: &'static str,
}

/// What every answer says while a proposal of the owner of the key file is open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Alarm {
    /// The proposal takes effect then, if no administrator who may decide signs in before; while it waits for one, it
    /// ends then undecided.
    pub at: OffsetDateTime,
    /// Since when it waits for an administrator who may decide and was seen at work.
    pub waits_since: Option<OffsetDateTime>,
}

/// As the header `x-break-glass` has it: seconds since 1970, and whether it waits.
impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.at.unix_timestamp(), if self.waits_since.is_some() { ";waits" } else { "" })
    }
}

impl Alarm {
    fn of(proposal: &Proposal, now: OffsetDateTime) -> Self {
        let waits_since = proposal.administrator_seen_at;
        let at = if waits_since.is_some() { proposal.expires_at } else { now + proposal.remaining() };
        Self { at, waits_since }
    }

    /// Returns the more urgent one: what takes effect by itself is before what waits.
    fn sooner(self, other: Option<Self>) -> Self {
        let urgent = |one: &Self| (one.waits_since.is_some(), one.at);
        other.filter(|other| urgent(other) < urgent(&self)).unwrap_or(self)
    }
}

/// Returns the alarm of the most urgent open proposal of the owner of the key file, as far as it was counted.
///
/// # Errors
/// [`StoreError`]
pub async fn break_glass(tx: &mut Tx, now: OffsetDateTime) -> Result<Option<Alarm>, StoreError> {
    let (open, _) = store::all_open(tx, now).await?;
    let offline = open.iter().filter(|proposal| proposal.by.is_none());
    Ok(offline.fold(None, |alarm, proposal| Some(Alarm::of(proposal, now).sooner(alarm))))
}

/// Returns how many administrators of the national office can sign in as the policy wants.
///
/// # Errors
/// [`StoreError`]
pub async fn administrators(tx: &mut Tx, factors: u8, now: OffsetDateTime) -> Result<usize, StoreError> {
    Ok(store::national_administrators(tx, factors, now).await?.len())
}

/// Returns all officers, by name.
///
/// # Errors
/// [`StoreError`]
pub async fn listed(tx: &mut Tx) -> Result<Vec<Listed>, StoreError> {
    store::listed(tx).await
}

/// Ends an officer's access, offline.
///
/// # Errors
/// [`AccessError::OfficerUnnamed`], [`AccessError::LastAdministrator`]
pub async fn lock_offline(deed: &mut Deed<Service>, username: &str) -> Result<(), AccessError> {
    store::lock(deed.tx()).await?;
    let id = named(deed, username).await?;
    let office = match super::store::office_of_officer(deed.tx(), id).await {
        Err(StoreError::Tampered { .. }) => {
            return lock_tampered(deed, id, &format!("{OFFLINE}; {TAMPERED}")).await;
        }
        office => office?.ok_or(AccessError::OfficerUnknown)?,
    };
    keep_an_administrator(deed, id, &Change::Disable, 1).await?;
    let at = deed.at();
    super::store::disable_officer(deed.tx(), id, at).await?;
    let entry = Entry::new(Action::OfficerDisabled, Object::Officer(id), Purpose::Administration).of(&office);
    Ok(deed.enter(entry.because(OFFLINE)).await?)
}

/// Revokes all client certificates and grants of an officer, offline: also those of the last administrator.
///
/// # Errors
/// [`AccessError::OfficerUnnamed`]
pub async fn revoke_certificates_offline(deed: &mut Deed<Service>, username: &str) -> Result<(), AccessError> {
    store::lock(deed.tx()).await?;
    let id = named(deed, username).await?;
    let office = super::store::office_of_officer(deed.tx(), id).await?.ok_or(AccessError::OfficerUnknown)?;
    let at = deed.at();
    super::store::certificates::revoke_all(deed.tx(), id, OFFLINE, at).await?;
    let entry = Entry::new(Action::OfficerCertificateRevoked, Object::Officer(id), Purpose::Administration);
    Ok(deed.enter(entry.of(&office).because(OFFLINE)).await?)
}

/// Returns the officer of this name.
async fn named(deed: &mut Deed<Service>, username: &str) -> Result<OfficerId, AccessError> {
    let found = store::named(deed.tx(), username).await?;
    found.ok_or_else(|| AccessError::OfficerUnnamed(username.to_owned()))
}

/// What the owner of the key file proposes about an officer.
#[derive(Clone, Debug)]
pub enum Offline {
    /// The officer enrols a client certificate.
    Certificate,
    /// The officer sets a new password.
    Reset,
    /// The officer is employed for something else.
    Roles(Vec<Role>),
}

/// What the owner of the key file has proposed.
#[derive(Debug)]
pub struct OfflineProposal {
    /// It takes effect then, if no administrator who may decide signs in before …
    pub effective_at: OffsetDateTime,
    /// … and if one does, it waits for the decision until then.
    pub expires_at: OffsetDateTime,
    /// For a new password or a certificate the one-time token, which works from then on.
    pub token: Option<Zeroizing<String>>,
}

/// Proposes something about an officer, offline.
///
/// # Errors
/// [`AccessError::OfficerUnnamed`], [`AccessError::RolesExclude`], [`AccessError::LastAdministrator`]
pub async fn propose_offline(
    deed: &mut Deed<Service>,
    username: &str,
    offline: Offline,
) -> Result<OfflineProposal, AccessError> {
    store::lock(deed.tx()).await?;
    let officer = named(deed, username).await?;
    let post = super::store::post_of_any_officer(deed.tx(), officer).await?.ok_or(AccessError::OfficerUnknown)?;
    let office = post.0.clone();
    let (change, token) = match offline {
        Offline::Certificate => (Change::Certificate, Some(draw(deed))),
        Offline::Reset => (Change::Reset, Some(draw(deed))),
        Offline::Roles(roles) => {
            fit_roles(&roles)?;
            (Change::Roles { roles }, None)
        }
    };
    keep_an_administrator(deed, officer, &change, 1).await?;
    let effective_at = deed.at() + BREAK_GLASS_ALARM;
    let proposal = Proposal {
        by: None,
        effective_at: Some(effective_at),
        token_hash: token.as_ref().map(|token| Sha256::digest(token.as_bytes()).into()),
        ..draft(deed, officer, post, change, OFFLINE, None)
    };
    store::insert(deed.tx(), &proposal).await?;
    let entry = Entry::new(Action::OfficerProposed, Object::Officer(officer), Purpose::Administration).of(&office);
    deed.enter(entry.because(format!("{}: {}", proposal.change, proposal.reason))).await?;
    Ok(OfflineProposal { effective_at, expires_at: proposal.expires_at, token })
}

/// Looks for proposals of the owner of the key file, counts for how long their alarm was shown, and puts into effect
/// those whose alarm was shown for a day, if no administrator signed in since. The alarm that every answer carries is
/// afterwards that of the database.
///
/// Only time counts in which this process, or another one of the service, ran and showed the alarm: a service that was
/// off, or a clock that was set, brings nothing nearer.
///
/// # Errors
/// [`AccessError`], [`DeedError`]
pub async fn watch(access: &Access, deeds: &Deeds) -> Result<(), WatchError> {
    let (now, run) = (deeds.source().now(), deeds.source().clock().run());
    let (open, strange) = store::all_open(&mut deeds.db().begin_read().await?, now).await?;
    access.say_strange(&strange);
    let offline: Vec<_> = open.into_iter().filter(|proposal| proposal.by.is_none()).collect();
    let begun = access.shown_since(&offline, run);
    let mut alarm = None;
    for (proposal, since) in offline.into_iter().zip(begun) {
        let uncounted = run - since;
        let counts = uncounted >= COUNTED_EVERY || proposal.shown_for + uncounted >= BREAK_GLASS_ALARM;
        let counted =
            if counts { count(access, deeds, &proposal, uncounted, (run, now)).await? } else { Some(proposal) };
        let Some(proposal) = counted else { continue };
        if proposal.remaining().is_zero()
            && proposal.administrator_seen_at.is_none()
            && breaks(access, deeds, &proposal).await?
        {
            continue;
        }
        alarm = Some(Alarm::of(&proposal, now).sooner(alarm));
    }
    access.set_alarm(alarm);
    Ok(())
}

/// Counts the time in which this process showed the alarm of a proposal, but no more than has passed by the clock since
/// it was counted last: two processes of one service count an hour once. Notes whether it waits for an administrator
/// who was seen at work. Returns the proposal as it is then; none if it was decided meanwhile.
async fn count(
    access: &Access,
    deeds: &Deeds,
    proposal: &Proposal,
    uncounted: Duration,
    // Both as they were when the time that is not counted was taken.
    (run, now): (Duration, OffsetDateTime),
) -> Result<Option<Proposal>, WatchError> {
    let mut tx = deeds.db().begin_upkeep().await?;
    let Some(mut proposal) = store::locked(&mut tx, proposal.id).await? else { return Ok(None) };
    let here = store::administrator_was_here(&mut tx, access.settings.factors, &proposal, now).await?;
    if here != proposal.administrator_seen_at.is_some() {
        // One who was seen and can decide no more does not hold it up either.
        proposal.administrator_seen_at = here.then_some(now);
        store::administrator_seen(&mut tx, proposal.id, proposal.administrator_seen_at).await?;
    }
    let passed = now - proposal.shown_at.unwrap_or(proposal.at);
    let shown = uncounted.min(passed);
    if proposal.administrator_seen_at.is_none() && shown.is_positive() {
        proposal.shown_for += shown;
    }
    store::shown(&mut tx, proposal.id, proposal.shown_for, now).await?;
    tx.commit().await?;
    access.shown_until(proposal.id, run);
    Ok(Some(proposal))
}

/// Puts a proposal of the owner of the key file into effect, unless an administrator signed in since.
/// Returns true if it is decided.
async fn breaks(access: &Access, deeds: &Deeds, proposal: &Proposal) -> Result<bool, WatchError> {
    let mut deed = deeds.open(Service).await?;
    store::lock(deed.tx()).await?;
    let Some(proposal) = store::locked(deed.tx(), proposal.id).await? else { return Ok(true) };
    let at = deed.at();
    if store::administrator_was_here(deed.tx(), access.settings.factors, &proposal, at).await? {
        // One can sign in, and so decides.
        return Ok(false);
    }
    let fits = still_fits(deed.tx(), &proposal, at).await;
    let done = match fits {
        Ok(()) => take_effect(&mut deed, &access.settings, &proposal, "break-glass").await.map(drop),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => {}
        // What is no longer possible ends here, or the alarm would never end.
        Err(
            AccessError::LastAdministrator
            | AccessError::OfficerUnknown
            | AccessError::ProposalStale(_)
            | AccessError::Store(StoreError::Tampered { .. }),
        ) => {
            store::decide(deed.tx(), proposal.id, "impossible", None, at).await?;
            let object = Object::Officer(proposal.officer);
            deed.enter(Entry::new(Action::OfficerProposalWithdrawn, object, Purpose::Administration)).await?;
        }
        Err(error) => return Err(error.into()),
    }
    deed.commit().await?;
    Ok(true)
}

/// Why the proposals were not looked at.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The proposal.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Ends what was not confirmed in time.
pub(super) async fn expire(tx: &mut Tx, now: OffsetDateTime) -> Result<(), StoreError> {
    store::expire(tx, now).await?;
    store::forget_unappointed(tx).await
}

/// Returns a proposal that can still be decided, kept from other writers.
async fn open(deed: &mut Deed<Officer>, id: ProposalId) -> Result<Proposal, AccessError> {
    store::lock(deed.tx()).await?;
    let proposal = store::locked(deed.tx(), id).await?.ok_or(AccessError::ProposalUnknown)?;
    deed.actor().may_act_for(&proposal.office)?;
    if proposal.expires_at <= deed.at() { Err(AccessError::ProposalUnknown) } else { Ok(proposal) }
}

/// Refuses a proposal that what is now no longer bears out: the officer has changed, the proposer has left or lost the
/// right, or the clock was wrong.
async fn still_fits(tx: &mut Tx, proposal: &Proposal, now: OffsetDateTime) -> Result<(), AccessError> {
    if proposal.at > now + crate::ground::clock::CLOCKS_DIFFER {
        return Err(AccessError::ProposalStale("it was proposed in the future: the clock was wrong then, or is now"));
    }
    let (office, roles) =
        super::store::post_of_any_officer(tx, proposal.officer).await?.ok_or(AccessError::OfficerUnknown)?;
    if office != proposal.office {
        return Err(AccessError::ProposalStale("the officer works at another office since"));
    }
    if proposal.roles.as_ref().is_some_and(|then| *then != roles) {
        return Err(AccessError::ProposalStale("the officer has other roles since"));
    }
    let Some(by) = proposal.by else { return Ok(()) };
    let proposer = super::store::post_of_officer(tx, by).await?;
    let acts_for = |office: &OfficeCode| {
        proposer.as_ref().is_some_and(|(own, roles)| {
            roles.contains(&Role::Admin) && (own == office || *own == OfficeCode::national())
        })
    };
    let target = match &proposal.change {
        Change::Office { office } => acts_for(office),
        _ => true,
    };
    if acts_for(&office) && target {
        Ok(())
    } else {
        Err(AccessError::ProposalStale("the administrator who proposed it has left, or may not propose it any more"))
    }
}

/// Does what was proposed, and writes down how it was decided.
async fn take_effect<A: Actor>(
    deed: &mut Deed<A>,
    settings: &Settings,
    proposal: &Proposal,
    outcome: &str,
) -> Result<Option<Token>, AccessError> {
    let (id, at) = (proposal.officer, deed.at());
    let by = match deed.caller() {
        crate::ground::Caller::Officer(by, _) => Some(by),
        _ => None,
    };
    keep_an_administrator(deed, id, &proposal.change, settings.factors).await?;
    let (action, token) = match &proposal.change {
        Change::Appoint => (Action::OfficerMade, true),
        Change::Disable => {
            super::store::disable_officer(deed.tx(), id, at).await?;
            (Action::OfficerDisabled, false)
        }
        Change::Enable => {
            store::enable(deed.tx(), id).await?;
            (Action::OfficerChanged, true)
        }
        Change::Office { office } => {
            store::set_office(deed.tx(), id, office).await?;
            (Action::OfficerChanged, false)
        }
        Change::Certificate | Change::Reset => (Action::OfficerChanged, true),
        Change::Roles { roles } => {
            store::set_roles(deed.tx(), id, roles).await?;
            (Action::OfficerChanged, false)
        }
    };
    let token = if token {
        let expires_at = at + settings.token_lifetime;
        let text = if proposal.token_hash.is_none() { Some(draw(deed)) } else { None };
        let drawn = text.as_ref().map(|text| Sha256::digest(text.as_bytes()).into());
        let hash = proposal.token_hash.or(drawn).expect("one of the two was drawn");
        if proposal.change == Change::Certificate {
            let certificate = deed.id();
            super::store::certificates::grant(deed.tx(), certificate, id, &hash, expires_at).await?;
        } else {
            store::close_password(deed.tx(), id, &hash, expires_at, at).await?;
        }
        text.map(|text| Token { text, expires_at })
    } else {
        None
    };
    store::decide(deed.tx(), proposal.id, outcome, by, at).await?;
    let entry = Entry::new(action, Object::Officer(id), Purpose::Administration).of(&proposal.office);
    deed.enter(entry.because(format!("{}: {outcome}", proposal.change))).await?;
    Ok(token)
}

/// Refuses what would leave the national office without an administrator who can sign in, or take away the last one who
/// can sign in with that many factors.
async fn keep_an_administrator(
    deed: &mut Deed<impl Actor>,
    id: OfficerId,
    change: &Change,
    factors: u8,
) -> Result<(), AccessError> {
    let ends = match change {
        Change::Disable => true,
        Change::Roles { roles } => !roles.contains(&Role::Admin),
        Change::Office { office } => *office != OfficeCode::national(),
        Change::Appoint | Change::Certificate | Change::Enable | Change::Reset => false,
    };
    if !ends || !store::is_administrator(deed.tx(), id).await? {
        return Ok(());
    }
    let at = deed.at();
    let able = store::national_administrators(deed.tx(), factors, at).await?;
    let others = store::national_administrators(deed.tx(), 1, at).await?.iter().any(|other| *other != id);
    if able == [id] || !others {
        return Err(AccessError::LastAdministrator);
    }
    Ok(())
}

/// True if two factors are wanted and this officer is the only administrator who has them: without a certificate of
/// this officer it would take the key file to sign in again.
pub(super) async fn is_alone(
    deed: &mut Deed<Officer>,
    settings: &Settings,
    officer: OfficerId,
) -> Result<bool, AccessError> {
    if settings.factors < 2 {
        return Ok(false);
    }
    // Two administrators who revoke each other's at the same moment must not both find the other one there.
    store::lock(deed.tx()).await?;
    let at = deed.at();
    Ok(store::national_administrators(deed.tx(), settings.factors, at).await? == [officer])
}

/// Refuses an office that takes no new work.
async fn stays(deed: &mut Deed<Officer>, office: &OfficeCode) -> Result<(), AccessError> {
    match super::dissolutions::ended(deed.tx(), office).await? {
        Some(ended) => Err(ended.into()),
        None => Ok(()),
    }
}

fn fit_roles(roles: &[Role]) -> Result<(), AccessError> {
    Role::conflict(roles).map_or(Ok(()), |(one, other, reason)| Err(AccessError::RolesExclude(one, other, reason)))
}

fn draft<A: Actor>(
    deed: &Deed<A>,
    officer: OfficerId,
    post: (OfficeCode, Vec<Role>),
    change: Change,
    reason: &str,
    by: impl Into<Option<OfficerId>>,
) -> Proposal {
    Proposal {
        id: deed.id(),
        officer,
        office: post.0,
        roles: Some(post.1),
        change,
        reason: reason.to_owned(),
        by: by.into(),
        at: deed.at(),
        expires_at: deed.at() + OPEN_FOR,
        effective_at: None,
        token_hash: None,
        shown_for: Duration::ZERO,
        shown_at: None,
        administrator_seen_at: None,
    }
}

/// Returns 32 random bytes in hex.
fn draw<A: Actor>(deed: &Deed<A>) -> Zeroizing<String> {
    let mut token = Zeroizing::new([0; 32]);
    deed.rng().fill_bytes(&mut *token);
    Zeroizing::new(hex::encode(*token))
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" ")
}

/// Why, in the trail, of what the owner of the key file does.
const OFFLINE: &str = "offline, by the owner of the key file";
/// Why, in the trail, an officer whose row does not hold is locked.
const TAMPERED: &str = "the row was changed by another hand, and is sealed as locked";
/// The time of an alarm is counted about so often.
const COUNTED_EVERY: Duration = Duration::minutes(1);
/// A proposal that is not confirmed ends after this long.
const OPEN_FOR: Duration = Duration::days(7);
/// So long every answer says that the owner of the key file breaks glass, before it takes effect: time in which the
/// service ran and answered, not time on a clock.
const BREAK_GLASS_ALARM: Duration = Duration::hours(24);
