//! What is due leaves: of each subscription one message after the other, at least once, until its address takes none.
//!
//! A subscription is one process's for some minutes. What is told, and that it is told, is written before the message
//! leaves, and that it was taken afterwards; a process that dies between them leaves a message that comes again.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use reqwest::Client;
use serde::Serialize;
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::super::feed::{Cursor, kinds, tell};
use super::super::model::{Grant, Service};
use super::super::store::feed::{self, Placed};
use super::super::store::{notifications as store, requests};
use super::super::{Exchange, ExchangeError, answer, limits};
use super::post::{self, Letter};
use super::subscriptions::{self, Subscription};
use super::{BORN, Topic, addresses};
use crate::access::partners;
use crate::deed::{Action, Deed, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Partner;
use crate::ground::failpoint;
use crate::ground::ids::{PartnerId, PersonId, RequestId, SubscriptionId};
use crate::population::store as register;
use crate::store::{StoreError, Tx};

/// What left in one go.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Delivered {
    /// Messages that were taken.
    pub taken: u32,
    /// Messages that will be sent again.
    pub later: u32,
    /// Subscriptions that were given up.
    pub given_up: u32,
}

/// Delivers what is due, to some addresses side by side: one that is slow keeps the others not waiting. Several
/// processes may do it at once.
///
/// # Errors
/// [`ExchangeError`] of the first subscription that failed; the others were looked at.
pub async fn deliver_notifications(deeds: &Deeds, exchange: &Exchange) -> Result<Delivered, ExchangeError> {
    let now = deeds.source().now();
    let due = store::due(&mut deeds.db().begin_read().await?, now, MOST).await?;
    let all = stream::iter(due).map(|of| Box::pin(stretch(deeds, exchange, of)));
    let done: Vec<_> = all.buffer_unordered(SIDE_BY_SIDE).collect().await;
    let (mut sum, mut failed) = (Delivered::default(), None);
    for one in done {
        match one {
            Ok(Delivered { taken, later, given_up }) => {
                sum.taken += taken;
                sum.later += later;
                sum.given_up += given_up;
            }
            Err(error) => failed = Some(error),
        }
    }
    if sum != Delivered::default() {
        let Delivered { taken, later, given_up } = sum;
        tracing::info!(taken, later, given_up, "notifications left");
    }
    failed.map_or(Ok(sum), Err)
}

/// True if a subscription was given up whose system may still ask, and its partner did not begin it again.
///
/// # Errors
/// [`StoreError`]
pub async fn notifications_given_up(tx: &mut Tx) -> Result<bool, StoreError> {
    for (partner, system) in store::given_up(tx).await? {
        let partner = partners::partner(tx, partner).await?;
        let system = partners::system(tx, system).await?;
        if partner.is_some_and(|row| row.ended.is_none()) && system.is_some_and(|row| row.revoked.is_none()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a subscription has next.
enum Next {
    /// The address is not the system's any more, or the system none of a partner: it ends.
    End,
    /// Nothing more, up to this place.
    Nothing(Option<i64>),
    /// No agreement lets it be told now.
    Pause(String),
    /// This message; the place of its notice, if it is none about the subscription itself.
    Send(Box<(Client, Letter, Option<i64>)>),
    /// What it was to be told is kept no more.
    Stop,
}

/// Delivers what a subscription has, for some seconds.
async fn stretch(
    deeds: &Deeds,
    exchange: &Exchange,
    of: (PartnerId, SubscriptionId),
) -> Result<Delivered, ExchangeError> {
    let (began, mut done) = (Instant::now(), Delivered::default());
    let Some(mut one) = claim(deeds, of).await? else { return Ok(done) };
    let lease = one.due_at;
    loop {
        let now = deeds.source().now();
        let next = match next(deeds, exchange, &mut one).await {
            Ok(next) => next,
            Err(ExchangeError::NotAgreed(why)) => Next::Pause(why),
            Err(ExchangeError::Deed(DeedError::Dismissed(_))) => Next::End,
            Err(other) => return Err(other),
        };
        let (client, letter, place) = match next {
            Next::Send(send) => *send,
            Next::End => {
                let mut tx = deeds.db().begin_upkeep().await?;
                store::remove(&mut tx, of).await?;
                tx.commit().await?;
                tracing::warn!(subscription = %one.id, "a subscription ends: its system is none of a partner any more");
                return Ok(done);
            }
            Next::Nothing(place) => {
                settle(deeds, &one, lease, |one| {
                    (one.place, one.due_at) = (place, one.confirmed_at.map(|_| now));
                })
                .await?;
                return Ok(done);
            }
            Next::Pause(why) => {
                settle(deeds, &one, lease, |one| (one.due_at, one.note) = (Some(now + PAUSE), Some(why))).await?;
                return Ok(done);
            }
            Next::Stop => {
                give_up(deeds, &one, lease, "what it was to be told is kept no more").await?;
                done.given_up += 1;
                return Ok(done);
            }
        };
        match post::post(&client, &one.address, &letter).await {
            Ok(()) => {
                failpoint::pass(failpoint::NOTIFICATION_DELIVERED);
                let more = place.is_some() && began.elapsed() < STRETCH;
                let due = if more { lease } else { place.map(|_| deeds.source().now()) };
                settle(deeds, &one, lease, |one| {
                    one.place = place.or(one.place);
                    (one.attempts, one.note, one.due_at) = (0, None, due);
                })
                .await?;
                one.place = place.or(one.place);
                done.taken += 1;
                if !more {
                    return Ok(done);
                }
            }
            Err(why) if one.policy.retries.is_some_and(|most| one.attempts >= most) => {
                give_up(deeds, &one, lease, &why).await?;
                done.given_up += 1;
                return Ok(done);
            }
            Err(why) => {
                tracing::debug!(subscription = %one.id, why, "a notification is sent again later");
                let due = deeds.source().now() + Duration::seconds(one.policy.countdown.into());
                settle(deeds, &one, lease, |one| {
                    one.attempts += 1;
                    (one.due_at, one.note) = (Some(due), Some(why));
                })
                .await?;
                done.later += 1;
                return Ok(done);
            }
        }
    }
}

/// Takes a subscription that is due for some minutes. Returns nothing if another process has it, or it ended.
async fn claim(deeds: &Deeds, of: (PartnerId, SubscriptionId)) -> Result<Option<Subscription>, StoreError> {
    let mut tx = deeds.db().begin_upkeep().await?;
    let Some(mut one) = store::locked(&mut tx, of).await? else { return Ok(None) };
    let now = deeds.source().now();
    if one.due_at.is_none_or(|due| due > now) {
        return Ok(None);
    }
    let until = now + LEASE;
    // As the database keeps it.
    one.due_at = Some(until.replace_microsecond(until.microsecond()).unwrap_or(until));
    store::update(&mut tx, &one).await?;
    tx.commit().await?;
    Ok(Some(one))
}

/// Writes what came of it, unless the partner acted meanwhile or another process has it.
async fn settle(
    deeds: &Deeds,
    of: &Subscription,
    lease: Option<OffsetDateTime>,
    change: impl FnOnce(&mut Subscription),
) -> Result<(), StoreError> {
    let mut tx = deeds.db().begin_upkeep().await?;
    let Some(mut one) = store::locked(&mut tx, (of.partner, of.id)).await? else { return Ok(()) };
    if one.due_at != lease {
        return Ok(());
    }
    change(&mut one);
    store::update(&mut tx, &one).await?;
    tx.commit().await
}

/// Gives a subscription up: the partner begins it again, and it goes on where it was.
async fn give_up(
    deeds: &Deeds,
    one: &Subscription,
    lease: Option<OffsetDateTime>,
    why: &str,
) -> Result<(), StoreError> {
    let now = deeds.source().now();
    settle(deeds, one, lease, |one| {
        one.attempts += 1;
        (one.stopped_at, one.due_at, one.note) = (Some(now), None, Some(why.to_owned()));
    })
    .await?;
    tracing::warn!(subscription = %one.id, partner = %one.partner, why, "a subscription of a partner was given up");
    Ok(())
}

/// Finds what a subscription has next, as the agreement is now, and writes that it is told.
async fn next(deeds: &Deeds, exchange: &Exchange, one: &mut Subscription) -> Result<Next, ExchangeError> {
    let caller = partners::system_as_caller(&mut deeds.db().begin_read().await?, one.system).await?;
    let Some(caller) = caller else { return Ok(Next::End) };
    let mut deed = deeds.open(caller.clone()).await?;
    let (_, _, grant) = limits::granted(&mut deed, Service::Follow, &one.purpose).await?;
    if !one.topic.is_granted(&grant) {
        return Err(ExchangeError::NotAgreed(format!("nothing of {} is in the agreement", one.topic.name())));
    }
    let named = addresses::named(deed.tx(), one.system, &one.address).await?;
    let Some(named) = named else {
        return Err(ExchangeError::NotAgreed("the address is none that two officers named".to_owned()));
    };
    let Ok(client) = post::client(&named.roots) else {
        return Err(ExchangeError::NotAgreed("the certificates of the address cannot be read".to_owned()));
    };
    let Some(place) = one.place.filter(|_| one.confirmed_at.is_some()) else {
        let token = subscriptions::token(&deed, one);
        let letter = confirmation(exchange, one, token, deed.at())?;
        return Ok(Next::Send(Box::new((client, letter, None))));
    };
    let of_feed = (one.partner, one.purpose.as_str());
    if feed::erased_until(deed.tx(), of_feed).await? > place {
        return Ok(Next::Stop);
    }
    let rows = feed::after(deed.tx(), of_feed, place, PIECE).await?;
    let (mut passed, mut found) = (place, None);
    for row in rows {
        if let Some(event) = event(&mut deed, &caller, (one, &grant), &row).await? {
            found = Some((event, row));
            break;
        }
        passed = row.place;
    }
    let Some((event, row)) = found else {
        // What was read to see that it is not told has a record.
        if !deed.told().is_empty() {
            pass(&mut deed, one, passed, one.told).await?;
            deed.commit().await?;
        }
        return Ok(Next::Nothing(Some(passed)));
    };
    let letter = notification(exchange, one, &event, &row)?;
    if one.told != row.place {
        let entry = Entry::new(Action::ChangesTold, Object::ExchangeRequest(event.request), Purpose::Exchange);
        deed.enter(entry.about(row.person).because(event.words)).await?;
        pass(&mut deed, one, passed, row.place).await?;
        deed.commit().await?;
    }
    Ok(Next::Send(Box::new((client, letter, Some(row.place)))))
}

/// Notes what was passed over, and what is told next.
async fn pass(deed: &mut Deed<Partner>, one: &mut Subscription, passed: i64, told: i64) -> Result<(), StoreError> {
    let Some(mut now) = store::locked(deed.tx(), (one.partner, one.id)).await? else { return Ok(()) };
    (now.place, now.told) = (Some(passed), told);
    (one.place, one.told) = (Some(passed), told);
    store::update(deed.tx(), &now).await
}

/// What of a notice is told.
struct Event {
    /// The partner's own name for the person.
    pseudonym: String,
    /// The request by which the partner follows the person, or is told of births.
    request: RequestId,
    /// What it is, for the trail.
    words: String,
}

/// Returns what of a notice a subscription is told; none of what is not its topic, or not in the agreement.
async fn event(
    deed: &mut Deed<Partner>,
    caller: &Partner,
    (one, grant): (&Subscription, &Grant),
    row: &Placed,
) -> Result<Option<Event>, ExchangeError> {
    if one.topic == Topic::LiveBirth {
        return birth(deed, caller, (one, grant), row).await;
    }
    let Some((pseudonym, request)) = row.follow.clone() else { return Ok(None) };
    let possible = kinds(&row.fields, &grant.fields);
    if !one.topic.is_of(&row.fields, &possible, &grant.fields) {
        return Ok(None);
    }
    let kinds = tell::kinds_of(deed, grant, row).await?;
    if !one.topic.is_of(&row.fields, &kinds, &grant.fields) {
        // The person moved away, and was read to see so: another topic tells of that.
        if !kinds.is_empty() {
            unseen(deed, row.person).await?;
        }
        return Ok(None);
    }
    let words = kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(",");
    Ok(Some(Event { pseudonym, request, words }))
}

/// As [`event`], of a birth: told where it is registered within the provinces of the agreement.
async fn birth(
    deed: &mut Deed<Partner>,
    caller: &Partner,
    (one, grant): (&Subscription, &Grant),
    row: &Placed,
) -> Result<Option<Event>, ExchangeError> {
    if !row.fields.split(',').any(|field| field == BORN) {
        return Ok(None);
    }
    if !grant.provinces.is_empty() {
        let child = register::person(deed, row.person).await?;
        let province = child.map(|child| child.person.birth_registration.province.to_string());
        if !grant.reaches(province.as_deref()) {
            unseen(deed, row.person).await?;
            return Ok(None);
        }
    }
    let pseudonym = answer::pseudonym(deed, caller, row.person);
    requests::note_pseudonym(deed.tx(), caller.id, &pseudonym, row.person).await?;
    Ok(Some(Event { pseudonym, request: one.request, words: BORN.to_owned() }))
}

/// Records that a person was read to see that nothing is told.
async fn unseen(deed: &mut Deed<Partner>, person: PersonId) -> Result<(), StoreError> {
    let entry = Entry::new(Action::ChangesTold, Object::Partner(deed.actor().id), Purpose::Exchange);
    deed.enter(entry.about(person).because("none")).await
}

/// A message, in the form of OSIA 7.1 (`Message`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    topic: &'static str,
    message: String,
    message_id: &'a str,
    #[serde(rename = "subscribeURL", skip_serializing_if = "Option::is_none")]
    subscribe_url: Option<String>,
    timestamp: String,
}

/// The message that brings the token.
fn confirmation(
    exchange: &Exchange,
    one: &Subscription,
    token: String,
    at: OffsetDateTime,
) -> Result<Letter, ExchangeError> {
    let url = format!("{}{CONFIRM}?token={token}", exchange.settings.issuer);
    let id = one.request.to_string();
    let message = Message {
        r#type: "SubscriptionConfirmation",
        token: Some(token),
        topic: one.topic.name(),
        message: "subscribeURL, with an access token of the system that subscribed, confirms the subscription"
            .to_owned(),
        message_id: &id,
        subscribe_url: Some(url),
        timestamp: moment(at),
    };
    letter(exchange, one, &message)
}

/// The message that tells of a person: no more than the partner's own name, as the feed tells.
fn notification(exchange: &Exchange, one: &Subscription, event: &Event, row: &Placed) -> Result<Letter, ExchangeError> {
    let id = Cursor { place: row.place, tag: row.tag }.text();
    let message = Message {
        r#type: "Notification",
        token: None,
        topic: one.topic.name(),
        message: json!({"source": exchange.settings.issuer, "uin": event.pseudonym}).to_string(),
        message_id: &id,
        subscribe_url: None,
        timestamp: moment(row.at),
    };
    letter(exchange, one, &message)
}

fn letter(exchange: &Exchange, one: &Subscription, message: &Message<'_>) -> Result<Letter, ExchangeError> {
    let body = serde_json::to_vec(message)?;
    let signature = exchange.signer.sign_message(&body, message.message_id)?;
    Ok(Letter {
        kind: message.r#type,
        subscription: one.id.to_string(),
        message: message.message_id.to_owned(),
        topic: one.topic.uuid(),
        body,
        signature,
    })
}

fn moment(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

/// Where a subscription is confirmed.
const CONFIRM: &str = "/osia/notification/v1/subscriptions/confirm";
/// A subscription that a process took and did not end with is another's after this: longer than a stretch and the
/// patience with its last message.
const LEASE: Duration = Duration::minutes(2);
/// What no agreement lets be told is looked at again after this.
const PAUSE: Duration = Duration::minutes(1);
/// So long messages of one subscription leave one after the other, before it is the others' turn.
const STRETCH: std::time::Duration = std::time::Duration::from_secs(10);
/// So many subscriptions are looked at in one go,
const MOST: i64 = 1000;
/// and so many at once.
const SIDE_BY_SIDE: usize = 16;
/// So many notices are looked at for the next message.
const PIECE: i64 = 100;
