//! Officers who stand in for others, from a day to a day: while it lasts the deputy has the roles of the
//! absent officer, each act by them is recorded as done for that one, and the two count as one where a
//! second officer is needed.

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use time::{Date, Duration, OffsetDateTime};

use super::store::{self, deputies as kept};
use super::{AccessError, Settings};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::StandIn;
use crate::ground::ids::{DeputyId, OfficerId};
use crate::ground::text::{MOST_OF_REASON, tidy};
use crate::ground::{Decision, OfficeCode, Officer, Permission, Role};
use crate::store::{StoreError, Tx};

/// An officer stands in for another from a day to a day, both included.
#[derive(Clone, Debug)]
pub struct Deputy {
    /// Identifier of the appointment.
    pub id: DeputyId,
    /// The officer who stands in.
    pub officer: OfficerId,
    /// The officer who is absent.
    pub stands_for: OfficerId,
    /// Office of both.
    pub office: OfficeCode,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// The administrator who appointed the deputy, and when.
    pub appointed: Decision,
    /// The administrator who agreed; the one who appointed the deputy, where one is enough.
    pub confirmed: Option<Decision>,
    /// The roles that are lent: the absent officer has them, and the deputy lacks them.
    pub roles: Vec<Role>,
    /// They are lent from this moment on …
    pub begins_at: OffsetDateTime,
    /// … and before this one.
    pub ends_at: OffsetDateTime,
    /// From this day on no more, and the moment at which it was ended early.
    pub ended: Option<(Date, OffsetDateTime)>,
}

/// How far a standing in is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeputyState {
    /// It waits for a second administrator.
    Proposed,
    /// Its first day comes.
    Appointed,
    /// It lasts.
    Acting,
    /// It is over.
    Over,
}

impl Deputy {
    /// Returns how far it is at a moment. The deputy has the roles while it is [`DeputyState::Acting`], and both
    /// officers are still at the office.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> DeputyState {
        if self.ended.is_some() || now >= self.ends_at {
            DeputyState::Over
        } else if self.confirmed.is_none() {
            if now < self.appointed.at + PROPOSAL_WAITS { DeputyState::Proposed } else { DeputyState::Over }
        } else if now < self.begins_at {
            DeputyState::Appointed
        } else {
            DeputyState::Acting
        }
    }

    /// True if the two officers count as one at a moment: from the first moment on, and for a while after the last.
    #[must_use]
    pub fn ties(&self, now: OffsetDateTime) -> bool {
        let end = self.ended.map_or(self.ends_at, |(_, at)| at.min(self.ends_at));
        self.confirmed.is_some() && self.begins_at <= now && self.begins_at < end && now < end + TIE_LASTS
    }

    /// Names what was proposed: it is what the second administrator read.
    #[must_use]
    pub fn digest(&self) -> String {
        let roles = self.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" ");
        let parts = [
            self.id.to_string(),
            self.officer.to_string(),
            self.stands_for.to_string(),
            self.office.to_string(),
            self.from.to_string(),
            self.to.to_string(),
            self.appointed.by.to_string(),
            roles,
        ];
        let mut hash = Sha256::new();
        for part in &parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }
}

/// Where an officer works, and as what.
#[derive(Clone, Debug)]
pub struct Post {
    /// The officer.
    pub officer: OfficerId,
    /// The office where the officer works.
    pub office: OfficeCode,
    /// All that the officer is employed for.
    pub roles: Vec<Role>,
}

/// Checks that `deputy` can be appointed by `appointed_by` to stand in for `absent`: another officer of the same
/// office, whose roles go together with those of the absent one. Returns the roles that are lent.
///
/// # Errors
/// [`DeputyUnfit`]
pub fn check_deputy(deputy: &Post, absent: &Post, appointed_by: OfficerId) -> Result<Vec<Role>, DeputyUnfit> {
    if deputy.officer == absent.officer {
        return Err(DeputyUnfit::Oneself);
    }
    if deputy.officer == appointed_by || absent.officer == appointed_by {
        return Err(DeputyUnfit::Appointer);
    }
    if deputy.office != absent.office {
        return Err(DeputyUnfit::OtherOffice);
    }
    let lent: Vec<Role> = absent.roles.iter().copied().filter(|role| !deputy.roles.contains(role)).collect();
    if lent.is_empty() {
        return Err(DeputyUnfit::NothingLent);
    }
    let both = [&deputy.roles[..], &lent[..]].concat();
    match Role::conflict(&both) {
        Some((one, other, why)) => Err(DeputyUnfit::RolesExclude(one, other, why)),
        None => Ok(lent),
    }
}

/// Checks the period of a deputy: it begins today or later, so that no past act gets a deputy afterwards, and
/// has at most so many days.
///
/// # Errors
/// [`DeputyPeriodUnfit`]
pub fn check_period(from: Date, to: Date, today: Date, most: u16) -> Result<(), DeputyPeriodUnfit> {
    if to < from {
        Err(DeputyPeriodUnfit::Reversed)
    } else if from < today {
        Err(DeputyPeriodUnfit::Past)
    } else if (to - from).whole_days() >= i64::from(most) {
        Err(DeputyPeriodUnfit::TooLong(most))
    } else {
        Ok(())
    }
}

/// Why an officer cannot stand in for another.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum DeputyUnfit {
    /// The administrator would appoint a deputy of their own, or be one.
    #[error("administrators appoint others, and deputies of others")]
    Appointer,
    /// The deputy has every role of the absent officer: there is nothing to lend, and both would count as one.
    #[error("the officer has all roles of the absent one: nothing is to be lent")]
    NothingLent,
    /// Both are the same officer.
    #[error("an officer does not stand in for themselves")]
    Oneself,
    /// They work in different offices.
    #[error("both officers work in the same office")]
    OtherOffice,
    /// One of them stands in for another officer, or has a deputy, in these days.
    #[error("one of the two has a deputy or is one in these days")]
    Overlaps,
    /// What is lent is lent no further.
    #[error("what is lent is lent no further: a deputy has no deputy, and an absent officer stands in for no other")]
    SubDeputy,
    /// The roles of the two never go together.
    #[error("{} and {}: {_2}", _0.name(), _1.name())]
    RolesExclude(Role, Role, &'static str),
}

/// Why the period of a deputy cannot be so.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum DeputyPeriodUnfit {
    /// It begins before today.
    #[error("the period begins before today")]
    Past,
    /// It ends before it begins.
    #[error("the period ends before it begins")]
    Reversed,
    /// It is longer than a deputy stands in.
    #[error("a deputy stands in for at most {0} days")]
    TooLong(u16),
}

/// Appoints `deputy` to stand in for `absent` from a day to a day, both included. Where a role that is lent approves,
/// it counts once another administrator confirms it.
///
/// # Errors
/// [`AccessError::DeputyUnfit`], [`AccessError::DeputyPeriod`], [`AccessError::OfficerUnknown`],
/// [`AccessError::OtherOffice`], [`AccessError::ReasonMissing`]
pub(crate) async fn appoint(
    deed: &mut Deed<Officer>,
    settings: &Settings,
    (deputy, absent): (OfficerId, OfficerId),
    (from, to): (Date, Date),
    reason: &str,
) -> Result<Deputy, AccessError> {
    let reason = reason_of(reason)?;
    let absent = post(deed.tx(), absent).await?;
    deed.actor().may_act_for(&absent.office)?;
    let deputy = post(deed.tx(), deputy).await?;
    let by = deed.actor().id;
    let roles = check_deputy(&deputy, &absent, by)?;
    check_period(from, to, deed.today(), settings.deputy_days)?;
    // One appointment at a time: two that are fine apart can overlap, or lend further what was lent.
    store::proposals::lock(deed.tx()).await?;
    let now = deed.at();
    for other in kept::of_either(deed.tx(), (deputy.officer, absent.officer), now).await? {
        if other.state(now) == DeputyState::Over || other.to < from || to < other.from {
            continue;
        }
        let further = other.officer == absent.officer || other.stands_for == deputy.officer;
        return Err(if further { DeputyUnfit::SubDeputy } else { DeputyUnfit::Overlaps }.into());
    }
    let ends_at = to.next_day().map_or(deed.begin_of(to) + Duration::days(1), |next| deed.begin_of(next));
    let appointed = deed.decision();
    let approves = Permission::Decide.roles().iter().any(|role| roles.contains(role));
    let deputy = Deputy {
        id: deed.id(),
        officer: deputy.officer,
        stands_for: absent.officer,
        office: absent.office,
        from,
        to,
        confirmed: (!approves).then(|| appointed.clone()),
        appointed,
        roles,
        begins_at: deed.begin_of(from),
        ends_at,
        ended: None,
    };
    kept::insert(deed.tx(), &deputy).await?;
    tell(deed, &deputy, Action::DeputyAppointed, Some(reason)).await?;
    Ok(deputy)
}

/// Confirms that an officer stands in for another, as another administrator wanted in the last week and as it was read.
///
/// # Errors
/// [`AccessError::ProposalUnknown`] where nothing waits; [`AccessError::SecondAdministrator`],
/// [`AccessError::ProposalChanged`] where another thing was read; [`AccessError::ProposalStale`] where the officers or
/// the first administrator are not what they were
pub(crate) async fn confirm(deed: &mut Deed<Officer>, id: DeputyId, digest: &str) -> Result<Deputy, AccessError> {
    store::proposals::lock(deed.tx()).await?;
    let mut deputy = kept::locked(deed.tx(), id).await?.ok_or(AccessError::DeputyUnknown)?;
    deed.actor().may_act_for(&deputy.office)?;
    if deputy.state(deed.at()) != DeputyState::Proposed {
        return Err(AccessError::ProposalUnknown);
    }
    if deed.actor().is_one_with(deputy.appointed.by) {
        return Err(AccessError::SecondAdministrator);
    }
    if [deputy.officer, deputy.stands_for].contains(&deed.actor().id) {
        return Err(AccessError::OwnCase);
    }
    if deputy.digest() != digest {
        return Err(AccessError::ProposalChanged);
    }
    let (officer, absent) = (post(deed.tx(), deputy.officer).await?, post(deed.tx(), deputy.stands_for).await?);
    let lent = check_deputy(&officer, &absent, deputy.appointed.by).ok();
    if absent.office != deputy.office || lent.as_ref() != Some(&deputy.roles) {
        return Err(AccessError::ProposalStale("one of the officers has another office or other roles since"));
    }
    let first = store::post_of_officer(deed.tx(), deputy.appointed.by).await?;
    let administers = first.is_some_and(|(office, roles)| {
        roles.contains(&Role::Admin) && (office == deputy.office || office == OfficeCode::national())
    });
    if !administers {
        return Err(AccessError::ProposalStale("the administrator who appointed the deputy may not do so any more"));
    }
    let decision = deed.decision();
    kept::confirm(deed.tx(), id, &decision).await?;
    deputy.confirmed = Some(decision);
    tell(deed, &deputy, Action::DeputyConfirmed, None).await?;
    Ok(deputy)
}

/// Ends a standing in, or the proposal of one, from now on. Ended again, the first end stays.
///
/// # Errors
/// [`AccessError::DeputyUnknown`], [`AccessError::OtherOffice`], [`AccessError::ReasonMissing`]
pub(crate) async fn end(deed: &mut Deed<Officer>, id: DeputyId, reason: &str) -> Result<Deputy, AccessError> {
    let reason = reason_of(reason)?;
    let mut deputy = kept::locked(deed.tx(), id).await?.ok_or(AccessError::DeputyUnknown)?;
    deed.actor().may_act_for(&deputy.office)?;
    if deputy.ended.is_none() {
        let (today, decision) = (deed.today(), deed.decision());
        kept::end(deed.tx(), id, today, &decision).await?;
        deputy.ended = Some((today, decision.at));
    }
    tell(deed, &deputy, Action::DeputyEnded, Some(reason)).await?;
    Ok(deputy)
}

/// Returns at most so many deputies of an office who stand in on this day or will later, after this one, each with
/// whether its MAC holds.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn listed(
    tx: &mut Tx,
    office: &OfficeCode,
    day: Date,
    after: DeputyId,
    most: i64,
) -> Result<Vec<(Deputy, bool)>, StoreError> {
    kept::listed(tx, office, day, after, most).await
}

/// Gives an officer what is lent at this moment, and notes who counts as one with the officer. Nothing is lent by an
/// officer who has left the office, or has the role no more.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn lend(tx: &mut Tx, officer: &mut Officer, now: OffsetDateTime) -> Result<(), StoreError> {
    for (deputy, holds) in kept::of_officer(tx, officer.id, now - TIE_LASTS).await? {
        let other = if deputy.officer == officer.id { deputy.stands_for } else { deputy.officer };
        // Also by a row that another hand changed: it takes rights, and gives none.
        if deputy.ties(now) && !officer.ties.contains(&other) {
            officer.ties.push(other);
        }
        if !holds || deputy.officer != officer.id || deputy.state(now) != DeputyState::Acting {
            continue;
        }
        let absent = match store::post_of_officer(tx, deputy.stands_for).await {
            Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => None,
            found => found?,
        };
        let Some((_, still)) = absent.filter(|(office, _)| *office == officer.office) else { continue };
        let roles = deputy.roles.into_iter();
        let roles: Vec<Role> = roles.filter(|role| still.contains(role) && !officer.roles.contains(role)).collect();
        let both = [&officer.roles[..], &roles[..]].concat();
        if roles.is_empty() || officer.stands_in.is_some() || Role::conflict(&both).is_some() {
            continue;
        }
        officer.roles = both;
        officer.stands_in = Some(StandIn { stands_for: deputy.stands_for, roles });
    }
    Ok(())
}

async fn post(tx: &mut Tx, officer: OfficerId) -> Result<Post, AccessError> {
    let (office, roles) = store::post_of_officer(tx, officer).await?.ok_or(AccessError::OfficerUnknown)?;
    Ok(Post { officer, office, roles })
}

fn reason_of(text: &str) -> Result<String, AccessError> {
    let fits = |text: &String| text.chars().count() <= MOST_OF_REASON;
    tidy(text).filter(fits).ok_or(AccessError::ReasonMissing)
}

async fn tell(
    deed: &mut Deed<Officer>,
    deputy: &Deputy,
    action: Action,
    reason: Option<String>,
) -> Result<(), StoreError> {
    let entry = Entry::new(action, Object::Deputy(deputy.id), Purpose::Administration);
    let entry = entry.with(Object::Officer(deputy.stands_for)).of(&deputy.office);
    deed.enter(Entry { reason, ..entry }).await
}

/// What is not confirmed for so long is proposed anew.
const PROPOSAL_WAITS: Duration = Duration::days(7);
/// So long after the last moment deputy and absent officer still count as one: longer than anything that the deputy
/// proposed, or found in order, waits for a second officer.
const TIE_LASTS: Duration = Duration::days(30);

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;
    use crate::ground::Id;

    fn id<T>(n: u128) -> Id<T> {
        Id::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn post(n: u128, office: &str, roles: &[Role]) -> Post {
        Post { officer: id(n), office: office.parse().unwrap(), roles: roles.to_vec() }
    }

    #[test]
    fn a_deputy_is_another_officer_of_the_office_who_lacks_a_role_that_goes_with_the_own_ones() {
        let absent = post(1, "o-1", &[Role::Approver, Role::Auditor]);
        let lent = |deputy: &Post| check_deputy(deputy, &absent, id(9));
        assert_eq!(lent(&post(2, "o-1", &[Role::HandOver])), Ok(vec![Role::Approver, Role::Auditor]));
        assert_eq!(lent(&post(2, "o-1", &[Role::Approver])), Ok(vec![Role::Auditor]));
        assert_eq!(lent(&absent), Err(DeputyUnfit::Oneself));
        assert_eq!(lent(&post(9, "o-1", &[Role::HandOver])), Err(DeputyUnfit::Appointer));
        assert_eq!(lent(&post(2, "o-2", &[Role::HandOver])), Err(DeputyUnfit::OtherOffice));
        assert_eq!(lent(&post(2, "o-1", &[Role::Auditor, Role::Approver])), Err(DeputyUnfit::NothingLent));
        assert!(matches!(lent(&post(2, "o-1", &[Role::Capture])), Err(DeputyUnfit::RolesExclude(..))));
        assert!(matches!(lent(&post(2, "o-1", &[Role::Admin])), Err(DeputyUnfit::RolesExclude(..))));
    }

    #[test]
    fn a_period_begins_today_at_the_earliest_and_has_an_end() {
        let today = date!(2026 - 11 - 26);
        let judged =
            |from: i64, to: i64| check_period(today + Duration::days(from), today + Duration::days(to), today, 10);
        assert_eq!((judged(0, 0), judged(3, 12)), (Ok(()), Ok(())));
        assert_eq!(judged(1, 0), Err(DeputyPeriodUnfit::Reversed));
        assert_eq!(judged(-1, 3), Err(DeputyPeriodUnfit::Past));
        assert_eq!(judged(3, 13), Err(DeputyPeriodUnfit::TooLong(10)));
    }

    #[test]
    fn a_standing_in_lends_from_its_first_moment_to_its_last_and_ties_for_a_while_longer() {
        let (begins_at, ends_at) = (datetime!(2026-11-26 17:00 UTC), datetime!(2026-11-28 17:00 UTC));
        let appointed = Decision { by: id(9), at: datetime!(2026-11-25 08:00 UTC) };
        let deputy = Deputy {
            id: id(3),
            officer: id(2),
            stands_for: id(1),
            office: "o-1".parse().unwrap(),
            from: date!(2026 - 11 - 27),
            to: date!(2026 - 11 - 28),
            confirmed: Some(appointed.clone()),
            appointed,
            roles: vec![Role::Approver],
            begins_at,
            ends_at,
            ended: None,
        };
        let second = Duration::seconds(1);
        let at = |moment| (deputy.state(moment), deputy.ties(moment));
        assert_eq!(at(begins_at - second), (DeputyState::Appointed, false));
        assert_eq!(at(begins_at), (DeputyState::Acting, true));
        assert_eq!(at(ends_at - second), (DeputyState::Acting, true));
        assert_eq!(at(ends_at), (DeputyState::Over, true));
        assert_eq!(at(ends_at + TIE_LASTS), (DeputyState::Over, false));
        let ended = |moment| Deputy { ended: Some((date!(2026 - 11 - 27), moment)), ..deputy.clone() };
        assert!(!ended(begins_at - second).ties(begins_at), "it never began");
        assert!(
            ended(begins_at + second).ties(ends_at) && ended(begins_at + second).state(ends_at) == DeputyState::Over
        );
        let proposed = Deputy { confirmed: None, ..deputy.clone() };
        assert_eq!((proposed.state(begins_at), proposed.ties(begins_at)), (DeputyState::Proposed, false));
        assert_eq!(proposed.state(proposed.appointed.at + PROPOSAL_WAITS), DeputyState::Over);
        assert_ne!(deputy.digest(), Deputy { to: date!(2026 - 11 - 29), ..deputy.clone() }.digest());
    }
}
