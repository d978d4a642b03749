//! OSIA `notification` 1.2.0: topics of the register, and the subscriptions of the caller. What is told, and how, is
//! `exchange::notifications`; the topics are the register's alone.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::super::super::notifications::subscriptions::{self, Subscription, Wish};
use super::super::super::notifications::{Policy, Topic};
use super::super::super::subject::Subject;
use super::call::{Call, forbidden, unfit};
use super::told;
use crate::web::Problem;

/// A topic.
#[derive(Serialize)]
struct TopicSaid {
    uuid: &'static str,
    name: &'static str,
}

impl From<Topic> for TopicSaid {
    fn from(topic: Topic) -> Self {
        Self { uuid: topic.uuid(), name: topic.name() }
    }
}

/// A subscription.
#[derive(Serialize)]
struct SubscriptionSaid {
    uuid: String,
    topic: &'static str,
    protocol: &'static str,
    address: String,
    policy: String,
    active: bool,
}

impl From<Subscription> for SubscriptionSaid {
    fn from(one: Subscription) -> Self {
        Self {
            uuid: one.id.to_string(),
            topic: one.topic.uuid(),
            protocol: "http",
            policy: one.policy.text(),
            active: one.is_active(),
            address: one.address,
        }
    }
}

/// Subscribes the system to a topic, at an address that two officers of the register named.
#[utoipa::path(post, path = "/osia/notification/v1/subscriptions", tag = "osia", operation_id = "subscribe",
    responses((status = 200)))]
pub(super) async fn subscribe(call: Call) -> Result<Response, Problem> {
    known(&call, &["topic", "protocol", "address", "policy"])?;
    let needed = |name: &str| unfit(format!("{name} is needed"));
    let topic = call.one("topic")?.ok_or_else(|| needed("topic"))?;
    let address = call.one("address")?.ok_or_else(|| needed("address"))?;
    match call.one("protocol")? {
        None | Some("http") => {}
        Some("email") => return Err(forbidden("protocol: what is told of persons leaves over HTTPS alone")),
        Some(_) => return Err(unfit("protocol: http")),
    }
    let policy = Policy::read(call.one("policy")?.unwrap_or_default()).map_err(unfit)?;
    let (asked, _) = call.question(Subject::default(), None, None).await?;
    let wish = Wish { topic, address, policy };
    let one = subscriptions::subscribe(call.desk.deeds(), &call.exchange, &call.partner, (&asked, wish)).await?;
    Ok(Call::plain(SubscriptionSaid::from(one)))
}

/// The subscriptions of the system that asks.
#[utoipa::path(get, path = "/osia/notification/v1/subscriptions", tag = "osia", operation_id = "listSubscription",
    responses((status = 200)))]
pub(super) async fn list_subscription(call: Call) -> Result<Response, Problem> {
    known(&call, &[])?;
    let all = subscriptions::listed(call.desk.deeds(), &call.partner).await?;
    Ok(Call::plain(all.into_iter().map(SubscriptionSaid::from).collect::<Vec<_>>()))
}

/// Ends a subscription.
#[utoipa::path(delete, path = "/osia/notification/v1/subscriptions/{uuid}", tag = "osia", operation_id = "unsubscribe",
    responses((status = 204)))]
pub(super) async fn unsubscribe(call: Call) -> Result<Response, Problem> {
    known(&call, &[])?;
    let ended = match call.named.parse() {
        Ok(id) => subscriptions::unsubscribe(call.desk.deeds(), &call.partner, id).await?,
        Err(_) => false,
    };
    Ok(if ended { StatusCode::NO_CONTENT.into_response() } else { unknown("Subscription not found") })
}

/// Confirms a subscription by the token that was sent to its address.
#[utoipa::path(get, path = "/osia/notification/v1/subscriptions/confirm", tag = "osia", operation_id = "confirm",
    responses((status = 200)))]
pub(super) async fn confirm(call: Call) -> Result<Response, Problem> {
    known(&call, &["token"])?;
    let token = call.one("token")?.ok_or_else(|| unfit("token is needed"))?;
    subscriptions::confirm(call.desk.deeds(), &call.partner, token).await?;
    Ok(StatusCode::OK.into_response())
}

/// A topic of the register, to a programme that makes sure that it is there. No other is made.
#[utoipa::path(post, path = "/osia/notification/v1/topics", tag = "osia", operation_id = "createTopic",
    responses((status = 200)))]
pub(super) async fn create_topic(call: Call) -> Result<Response, Problem> {
    known(&call, &["name"])?;
    let name = call.one("name")?.ok_or_else(|| unfit("name is needed"))?;
    let topic = Topic::named(name);
    let topic = topic.map_err(|_| forbidden("topics are the register's: what is told of persons is its record"))?;
    Ok(Call::plain(TopicSaid::from(topic)))
}

/// The topics.
#[utoipa::path(get, path = "/osia/notification/v1/topics", tag = "osia", operation_id = "listTopics",
    responses((status = 200)))]
pub(super) async fn list_topics(call: Call) -> Result<Response, Problem> {
    known(&call, &[])?;
    Ok(Json(Topic::ALL.map(TopicSaid::from)).into_response())
}

/// Refused: others are told on the topics of the register.
#[utoipa::path(delete, path = "/osia/notification/v1/topics/{uuid}", tag = "osia", operation_id = "deleteTopic",
    responses((status = 204)))]
pub(super) async fn delete_topic(call: Call) -> Result<Response, Problem> {
    match topic(&call) {
        Some(_) => Err(forbidden("topics are the register's: other partners are told on them")),
        None => Ok(unknown("Topic not found")),
    }
}

/// Refused: the register tells what became true in it, and takes reports with their evidence elsewhere.
#[utoipa::path(post, path = "/osia/notification/v1/topics/{uuid}/publish", tag = "osia", operation_id = "publish",
    responses((status = 200)))]
pub(super) async fn publish(call: Call) -> Result<Response, Problem> {
    if topic(&call).is_none() {
        return Err(unfit("uuid: no such topic"));
    }
    Err(forbidden(
        "the register tells by itself what becomes true in it: a birth is reported to uin, a death or a change with its \
         evidence to /api/v1/exchange/death and /api/v1/exchange/change",
    ))
}

fn topic(call: &Call) -> Option<Topic> {
    Topic::ALL.into_iter().find(|topic| topic.uuid() == call.named)
}

fn unknown(what: &str) -> Response {
    told(StatusCode::NOT_FOUND, 404, what)
}

/// Refuses a parameter that the operation does not have: one that is misspelt is not passed over.
fn known(call: &Call, names: &[&str]) -> Result<(), Problem> {
    match call.query.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        Some(_) => Err(unfit("a parameter that this operation does not have")),
        None => Ok(()),
    }
}
