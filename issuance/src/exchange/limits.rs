//! What bounds a partner's questions: who asks, when, how many a day, and how often about what is not so.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use time::{Date, Duration, OffsetDateTime};

use super::answer::Found;
use super::ask::Asked;
use super::model::{Agreement, Grant, Service};
use super::store::{agreements, requests};
use super::{Exchange, ExchangeError, Settings};
use crate::deed::Deed;
use crate::ground::actor::Partner;
use crate::ground::ids::AgreementId;
use crate::ground::text::Login;
use crate::population::model::Registered;
use crate::store::StoreError;

/// What of the quotas this process has reserved and not spent yet. A process that ends loses it: of a day's quota less
/// is then used than is counted, never more.
#[derive(Clone, Debug, Default)]
pub(super) struct Quota(Arc<Mutex<Reserved>>);

/// Of each grant (its agreement, its place there) the day, and how much of it is left.
type Reserved = HashMap<(AgreementId, usize), (Date, u32)>;

impl Quota {
    /// Takes one of what is reserved for this day. Returns false if nothing is.
    pub fn take(&self, grant: (AgreementId, usize), day: Date) -> bool {
        let mut reserved = self.0.lock().expect("nothing panics under it");
        match reserved.get_mut(&grant) {
            Some((of, left)) if *of == day && *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// Adds what was reserved for this day, or gives back what was not spent.
    pub fn put(&self, grant: (AgreementId, usize), day: Date, more: u32) {
        let mut reserved = self.0.lock().expect("nothing panics under it");
        let (of, left) = reserved.entry(grant).or_insert((day, 0));
        if *of == day {
            *left += more;
        } else {
            (*of, *left) = (day, more);
        }
    }
}

/// Returns what allows a service for a purpose now, with the grant and its place among those of the agreement.
///
/// # Errors
/// [`ExchangeError::NotAgreed`] if no agreement in force has it, or it is outside the hours of the grant.
pub(super) async fn granted(
    deed: &mut Deed<Partner>,
    service: Service,
    purpose: &str,
) -> Result<(Agreement, usize, Grant), ExchangeError> {
    let (partner, at) = (deed.actor().id, deed.at());
    let in_force = agreements::in_force(deed.tx(), partner, at).await?;
    let (agreement, place, grant) = granted_by(&in_force, deed, service, purpose)?;
    Ok((agreement.clone(), place, grant.clone()))
}

/// As [`granted`], of the agreements in force.
pub(super) fn granted_by<'a>(
    in_force: &'a [Agreement],
    deed: &Deed<Partner>,
    service: Service,
    purpose: &str,
) -> Result<(&'a Agreement, usize, &'a Grant), ExchangeError> {
    let (today, time) = (deed.today(), deed.time_of_day());
    let found = in_force.iter().find_map(|agreement| {
        let (place, grant) = agreement.grant(service, purpose)?;
        Some((agreement, place, grant))
    });
    let (agreement, place, grant) = found.ok_or_else(|| {
        // The purpose is the partner's own text: it is not said again.
        let count = in_force.len();
        ExchangeError::NotAgreed(format!("none of {count} in force has {service} for this purpose"))
    })?;
    if grant.hours.as_ref().is_some_and(|hours| !hours.hold(today.weekday(), time)) {
        return Err(ExchangeError::NotAgreed("it is outside the hours of the agreement".to_owned()));
    }
    Ok((agreement, place, grant))
}

/// Refuses an officer who is none.
pub(super) fn fit_officer(exchange: &Exchange, partner: &Partner, named: &str) -> Result<(), ExchangeError> {
    // The officer has the one spelling of an account: a programme has the same one, or is written otherwise.
    let programmes = [partner.code.as_str(), partner.name.as_str()].into_iter();
    let mut programmes = programmes.chain(exchange.settings.no_officers.iter().map(String::as_str));
    let officer = |name: &str| name.parse::<Login>().is_ok_and(|name| name.as_str() == named);
    if programmes.any(officer) {
        return Err(ExchangeError::RequestUnfit(
            "officer: a programme asks for an officer, and names that one".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses a question of another officer or about another case than the carrier says that brought it.
pub(super) fn fit_carried(partner: &Partner, officer: &str, case: &str) -> Result<(), ExchangeError> {
    let Some(carried) = &partner.carried else { return Ok(()) };
    let unfit = |why: &str| Err(ExchangeError::RequestUnfit(why.to_owned()));
    if !carried.brought.is_of(officer) {
        return unfit("officer: another one than the user (userId, X-Road-UserId) whom the security server names");
    }
    if carried.brought.issue.as_deref().is_some_and(|issue| issue != case) {
        return unfit("case: another one than the issue (X-Road-Issue) that the security server names");
    }
    Ok(())
}

/// Refuses a question whose time is not about now.
pub(super) fn fit_clock(exchange: &Exchange, asked: &Asked, now: OffsetDateTime) -> Result<(), ExchangeError> {
    let apart = asked.asked_at.map(|at| (now - at).abs());
    if apart.is_some_and(|apart| apart > exchange.settings.clocks_differ) {
        return Err(ExchangeError::RequestUnfit(
            "asked_at: it is not about now; set the clock of the system that asks".to_owned(),
        ));
    }
    Ok(())
}

/// Returns by what guesses about one person are counted together, without saying whom: whichever of the numbers names
/// the person.
pub(super) fn subject_of(deed: &Deed<Partner>, partner: &Partner, asked: &Asked, found: &Found) -> [u8; 32] {
    subject_named(deed, partner, found.registered(), asked.subject.target())
}

/// As [`subject_of`], of the person who was found, or of what names none.
pub(super) fn subject_named(
    deed: &Deed<Partner>,
    partner: &Partner,
    found: Option<&Registered>,
    target: &str,
) -> [u8; 32] {
    let person = found.map(|registered| registered.id.to_string());
    let target = person.as_deref().unwrap_or(target);
    deed.secrets().fingerprint(&format!("exchange-subject/{}", partner.id), target.as_bytes())
}

/// Refuses an officer of a partner, or a partner about one person, after too many questions that missed.
pub(super) async fn no_guessing(
    deed: &mut Deed<Partner>,
    exchange: &Exchange,
    partner: &Partner,
    (officer, subject): (&str, &[u8; 32]),
) -> Result<(), ExchangeError> {
    let bound = counted(deed, exchange);
    let missed = requests::misses(deed.tx(), partner.id, officer, subject, bound).await?;
    few_misses(exchange, partner, missed)
}

/// Refuses a question whose officer missed too often, or about whose person it was missed too often.
pub(super) fn few_misses(
    exchange: &Exchange,
    partner: &Partner,
    (by_officer, by_person): (i64, i64),
) -> Result<(), ExchangeError> {
    let Settings { misses_of_officer, misses_about_person, .. } = *exchange.settings;
    let (of_officer, about_person) = (i64::from(misses_of_officer), i64::from(misses_about_person));
    if by_officer >= of_officer || by_person >= about_person {
        tracing::warn!(partner = %partner.id, "a partner is refused: too many questions about what is not so");
        return Err(ExchangeError::Guessing(if by_officer >= of_officer {
            "of one officer"
        } else {
            "about one person"
        }));
    }
    Ok(())
}

/// Returns since when misses count, and up to how many.
pub(super) fn counted(deed: &Deed<Partner>, exchange: &Exchange) -> (OffsetDateTime, i64) {
    let most = exchange.settings.misses_of_officer.max(exchange.settings.misses_about_person);
    (deed.at() - COUNTED, i64::from(most))
}

/// What missed counts for so long.
pub(super) const COUNTED: Duration = Duration::hours(1);

/// How one of the quota was spent.
pub(super) enum Spent {
    /// Of what this process had reserved.
    Taken,
    /// The transaction reserved so many more beside it.
    Reserved(u32),
}

impl Spent {
    /// What the transaction reserved counts now that it is true; what was taken of an earlier one goes back where
    /// nothing came of it.
    pub fn settle(&self, exchange: &Exchange, grant: (AgreementId, usize), today: Date, done: bool) {
        match self {
            Self::Reserved(more) if done => exchange.quota.put(grant, today, *more),
            Self::Taken if !done => exchange.quota.put(grant, today, 1),
            Self::Reserved(_) | Self::Taken => {}
        }
    }
}

/// Spends one of the day's quota: of what this process has reserved, or in a stretch that the transaction reserves.
///
/// # Errors
/// [`ExchangeError::QuotaSpent`]
pub(super) async fn spend(
    deed: &mut Deed<Partner>,
    exchange: &Exchange,
    (agreement, place, grant): (&Agreement, usize, &Grant),
    today: Date,
) -> Result<Spent, ExchangeError> {
    let key = (agreement.id, place);
    if exchange.quota.take(key, today) {
        return Ok(Spent::Taken);
    }
    match reserve(deed, (agreement, place, grant), today).await?.checked_sub(1) {
        Some(more) => Ok(Spent::Reserved(more)),
        None => Err(spent_today(deed, today)),
    }
}

/// Reserves a stretch of the day's quota, or what is left of it. Returns how many.
pub(super) async fn reserve(
    deed: &mut Deed<Partner>,
    (agreement, place, grant): (&Agreement, usize, &Grant),
    today: Date,
) -> Result<u32, StoreError> {
    let stretch = (grant.per_day / 200).clamp(1, 256);
    let bound = (i64::from(stretch), i64::from(grant.per_day));
    let place = i64::try_from(place).unwrap_or(i64::MAX);
    let taken = requests::spend(deed.tx(), agreement.id, place, today, bound).await?;
    Ok(u32::try_from(taken).unwrap_or(0))
}

/// Spends so many of the day's quota, or none.
///
/// # Errors
/// [`ExchangeError::QuotaSpent`] if not as many are left.
pub(super) async fn spend_all(
    deed: &mut Deed<Partner>,
    (agreement, place, grant): (&Agreement, usize, &Grant),
    many: i64,
) -> Result<(), ExchangeError> {
    let today = deed.today();
    let place = i64::try_from(place).unwrap_or(i64::MAX);
    let bound = (many, i64::from(grant.per_day));
    let taken = requests::spend(deed.tx(), agreement.id, place, today, bound).await?;
    if taken == many { Ok(()) } else { Err(spent_today(deed, today)) }
}

/// The day's quota is spent: until the next day begins.
fn spent_today(deed: &Deed<Partner>, today: Date) -> ExchangeError {
    let tomorrow = today.next_day().map_or(deed.at(), |day| deed.begin_of(day));
    let wait = (tomorrow - deed.at()).whole_seconds();
    ExchangeError::QuotaSpent { wait: u64::try_from(wait).unwrap_or(1).max(1) }
}
