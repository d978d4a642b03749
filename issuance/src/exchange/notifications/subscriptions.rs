//! A partner's system subscribes: to a topic, at an address that two officers named, until it says otherwise.

use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;

use super::super::ask::Asked;
use super::super::model::Service;
use super::super::store::requests::{self, Kept};
use super::super::store::{feed, notifications as store};
use super::super::{Exchange, ExchangeError, limits};
use super::{Policy, Topic, address, addresses};
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Partner};
use crate::ground::ids::{PartnerId, PartnerSystemId, RequestId, SubscriptionId};
use crate::store::StoreError;

/// What a system of a partner wants to be told at one of its addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::exchange) struct Subscription {
    /// Identifier.
    pub id: SubscriptionId,
    /// The partner.
    pub partner: PartnerId,
    /// Its system.
    pub system: PartnerSystemId,
    /// The request by which it began: the citizen who is told of is told of this one.
    pub request: RequestId,
    /// Code of the purpose.
    pub purpose: String,
    /// What it is about.
    pub topic: Topic,
    /// Where it is told.
    pub address: String,
    /// When a message is sent again.
    pub policy: Policy,
    /// When it began.
    pub begun_at: OffsetDateTime,
    /// When the token was shown.
    pub confirmed_at: Option<OffsetDateTime>,
    /// Place of the last notice that was delivered or passed over; none until the token was shown for the first time.
    pub place: Option<i64>,
    /// Place of the last notice of which the trail has a record.
    pub told: i64,
    /// So many times the address did not take what is next.
    pub attempts: u32,
    /// When something is to be sent; none: nothing is, until the partner acts.
    pub due_at: Option<OffsetDateTime>,
    /// When it was given up.
    pub stopped_at: Option<OffsetDateTime>,
    /// What was wrong the last time.
    pub note: Option<String>,
}

impl Subscription {
    /// True while notifications are delivered.
    pub const fn is_active(&self) -> bool {
        self.confirmed_at.is_some() && self.stopped_at.is_none()
    }
}

/// What is wished.
pub(in crate::exchange) struct Wish<'a> {
    pub topic: &'a str,
    pub address: &'a str,
    pub policy: Policy,
}

/// Subscribes a system of a partner, and has a token sent to the address. The same topic and address are one
/// subscription: of one that waits, or was given up, a token is sent again; it goes on where it was.
///
/// # Errors
/// [`ExchangeError::RequestUnfit`] for a topic or an address that is none; [`ExchangeError::NotAgreed`] where no
/// agreement grants the topic, or the address is not one that two officers named for this system
pub(in crate::exchange) async fn subscribe(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    (asked, wish): (&Asked, Wish<'_>),
) -> Result<Subscription, ExchangeError> {
    let unfit = |why: &str| ExchangeError::RequestUnfit(why.to_owned());
    let topic = Topic::named(wish.topic).map_err(|_| unfit("topic: none of this name; GET /v1/topics names them"))?;
    let address = address(wish.address).map_err(unfit)?;
    limits::fit_officer(exchange, partner, &asked.officer)?;
    let mut deed = deeds.open(partner.clone()).await?;
    let (agreement, _, grant) = limits::granted(&mut deed, Service::Follow, &asked.purpose).await?;
    if !topic.is_granted(&grant) {
        return Err(ExchangeError::NotAgreed(format!("nothing of {} is in the agreement", topic.name())));
    }
    if addresses::named(deed.tx(), partner.system, &address).await?.is_none() {
        return Err(ExchangeError::NotAgreed("address: none that two officers named for this system".to_owned()));
    }
    let at = deed.at();
    let of_system = store::of_system(deed.tx(), (partner.id, partner.system)).await?;
    let same = |one: &&Subscription| (&one.purpose, one.topic, &one.address) == (&asked.purpose, topic, &address);
    let before = of_system.iter().find(same).map(|one| (one.partner, one.id));
    let before = match before {
        Some(of) => store::locked(deed.tx(), of).await?,
        None => None,
    };
    // By the request that begins it the citizen is told who is told of births.
    let request = match &before {
        Some(before) if before.stopped_at.is_none() => before.request,
        _ => keep(&mut deed, partner, asked, agreement.id).await?,
    };
    let one = match before {
        Some(mut one) => {
            one.policy = wish.policy;
            if !one.is_active() {
                (one.request, one.confirmed_at, one.stopped_at) = (request, None, None);
                (one.attempts, one.due_at, one.note) = (0, Some(at), None);
            }
            store::update(deed.tx(), &one).await?;
            one
        }
        None => {
            let one = Subscription {
                id: deed.id(),
                partner: partner.id,
                system: partner.system,
                request,
                purpose: asked.purpose.clone(),
                topic,
                address,
                policy: wish.policy,
                begun_at: at,
                confirmed_at: None,
                place: None,
                told: 0,
                attempts: 0,
                due_at: Some(at),
                stopped_at: None,
                note: None,
            };
            store::insert(deed.tx(), &one).await?;
            one
        }
    };
    finish(deed, Action::SubscriptionBegun, &one).await?;
    Ok(one)
}

/// Keeps the request, with who asked at the partner, and why. Returns its identifier.
async fn keep(
    deed: &mut Deed<Partner>,
    partner: &Partner,
    asked: &Asked,
    agreement: crate::ground::ids::AgreementId,
) -> Result<RequestId, ExchangeError> {
    let (id, at): (RequestId, _) = (deed.id(), deed.at());
    let kept = Kept {
        id,
        at,
        request: &format!("{}#{id}", asked.request),
        request_sha256: asked.request_sha256,
        agreement: Some(agreement),
        purpose: &asked.purpose,
        service: Service::Follow.word(),
        officer: &asked.officer,
        unit: &asked.unit,
        case: &asked.case,
        fields: String::new(),
        outcome: "found",
        subject: [0; 32],
        missed: false,
        answer: None,
        answer_sha256: [0; 32],
        signature: "",
        kept_until: at,
    };
    requests::insert(deed.tx(), partner, kept).await?;
    Ok(id)
}

/// Confirms a subscription of the system by the token that was sent to its address. From then on it is told what gets
/// its place in the feed; one that was given up goes on where it was. Once confirmed, it is so again.
///
/// # Errors
/// [`ExchangeError::RequestUnfit`] for any other token
pub(in crate::exchange) async fn confirm(deeds: &Deeds, partner: &Partner, shown: &str) -> Result<(), ExchangeError> {
    let unfit = || ExchangeError::RequestUnfit("token: none that was sent to an address of this system".to_owned());
    let (id, _) = shown.split_once('.').ok_or_else(unfit)?;
    let id: SubscriptionId = id.parse().map_err(|_| unfit())?;
    let mut deed = deeds.open(partner.clone()).await?;
    let one = store::locked(deed.tx(), (partner.id, id)).await?;
    let mut one = one.filter(|one| one.system == partner.system).ok_or_else(unfit)?;
    let right = token(&deed, &one);
    if !bool::from(right.as_bytes().ct_eq(shown.as_bytes())) || one.stopped_at.is_some() {
        return Err(unfit());
    }
    if one.confirmed_at.is_some() {
        return Ok(());
    }
    let of_feed = (one.partner, one.purpose.as_str());
    feed::begin(deed.tx(), of_feed).await?;
    if one.place.is_none() {
        one.place = Some(feed::last(deed.tx(), of_feed).await?.map_or(0, |(place, _)| place));
    }
    (one.confirmed_at, one.due_at) = (Some(deed.at()), Some(deed.at()));
    (one.attempts, one.note) = (0, None);
    store::update(deed.tx(), &one).await?;
    finish(deed, Action::SubscriptionConfirmed, &one).await
}

/// Returns the token that opens a subscription: worth nothing to a system that did not get it at the address.
pub(super) fn token<A: Actor>(deed: &Deed<A>, one: &Subscription) -> String {
    let said = format!("{}/{}", one.id, one.request);
    format!("{}.{}", one.id, hex::encode(deed.secrets().fingerprint("exchange-subscription", said.as_bytes())))
}

/// Returns the subscriptions of a system.
///
/// # Errors
/// [`StoreError`]
pub(in crate::exchange) async fn listed(deeds: &Deeds, partner: &Partner) -> Result<Vec<Subscription>, StoreError> {
    store::of_system(&mut deeds.db().begin_read().await?, (partner.id, partner.system)).await
}

/// Ends a subscription of the system, also after its agreement ended. Returns false if it has no such one.
///
/// # Errors
/// [`ExchangeError`]
pub(in crate::exchange) async fn unsubscribe(
    deeds: &Deeds,
    partner: &Partner,
    id: SubscriptionId,
) -> Result<bool, ExchangeError> {
    let mut deed = deeds.open(partner.clone()).await?;
    let one = store::locked(deed.tx(), (partner.id, id)).await?.filter(|one| one.system == partner.system);
    let Some(one) = one else { return Ok(false) };
    store::remove(deed.tx(), (one.partner, one.id)).await?;
    finish(deed, Action::SubscriptionEnded, &one).await?;
    Ok(true)
}

async fn finish(mut deed: Deed<Partner>, action: Action, one: &Subscription) -> Result<(), ExchangeError> {
    let entry = Entry::new(action, Object::ExchangeRequest(one.request), Purpose::Exchange);
    deed.enter(entry.with(Object::PartnerSystem(one.system)).because(one.topic.name())).await?;
    Ok(deed.commit().await?)
}
