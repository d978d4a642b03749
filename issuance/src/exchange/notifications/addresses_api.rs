//! Addresses to which notifications go, over HTTP, for officers of the national office.

use axum::extract::{FromRef, State};
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::super::store::notifications as store;
use super::super::{Exchange, ExchangeError};
use super::addresses::{self, Address};
use super::subscriptions::Subscription;
use crate::access::{AccessError, partners};
use crate::deed::{Action, Object, Purpose};
use crate::ground::ids::{OfficerId, PartnerAddressId, PartnerSystemId, SubscriptionId};
use crate::ground::text::SomeWords;
use crate::ground::{OfficeCode, Officer, Permission};
use crate::web::{Answered, Desk, Looked, Named, Nothing, Problem, Right, Routes, Write};

/// The routes of this file.
pub(in crate::exchange) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    let exchanges = Right::Officer(Permission::Exchange);
    Routes::new()
        .add(exchanges, routes!(draft_address, list_addresses))
        .add(exchanges, routes!(confirm_address))
        .add(exchanges, routes!(end_address))
}

/// An address to which notifications are to go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"address": "https://may-chu.example.invalid/osia",
    "roots_pem": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"}))]
struct NewAddress {
    /// `https://`, a host, perhaps a port and a path, and nothing more.
    #[schema(value_type = String)]
    address: SomeWords<500>,
    /// The certificates that the server there must follow from (PEM).
    roots_pem: String,
}

/// Why an address ends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddressEnd {
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: SomeWords<400>,
}

/// An address of a partner's system.
#[derive(Serialize, ToSchema)]
struct AddressView {
    /// Identifier.
    id: PartnerAddressId,
    /// The system.
    system_id: PartnerSystemId,
    /// Where notifications go.
    address: String,
    /// `drafted`, `named` or `ended`.
    state: &'static str,
    /// Who named it.
    drafted_by: OfficerId,
    /// Who confirmed it.
    confirmed_by: Option<OfficerId>,
    /// Why it ended.
    end_reason: Option<String>,
    /// True for a record that was changed by another hand: it opens nothing.
    tampered: bool,
}

impl AddressView {
    fn of(one: Address, tampered: bool) -> Self {
        let state = match (&one.confirmed, &one.ended) {
            (_, Some(_)) => "ended",
            (Some(_), None) => "named",
            (None, None) => "drafted",
        };
        Self {
            id: one.id,
            system_id: one.system,
            address: one.address,
            state,
            drafted_by: one.drafted.by,
            confirmed_by: one.confirmed.map(|decision| decision.by),
            end_reason: one.end_reason,
            tampered,
        }
    }
}

/// What a system wants to be told, and how that stands.
#[derive(Serialize, ToSchema)]
struct SubscriptionView {
    /// Identifier.
    id: SubscriptionId,
    /// Code of the purpose.
    purpose: String,
    /// What it is about.
    topic: &'static str,
    /// Where it is told.
    address: String,
    /// `waits` for its token, `active`, or `given-up`.
    state: &'static str,
    /// So many times the address did not take what is next.
    attempts: u32,
    /// When something is to be sent.
    #[serde(with = "time::serde::rfc3339::option")]
    due_at: Option<OffsetDateTime>,
    /// What was wrong the last time.
    note: Option<String>,
}

impl From<Subscription> for SubscriptionView {
    fn from(one: Subscription) -> Self {
        let state = match (one.stopped_at, one.confirmed_at) {
            (Some(_), _) => "given-up",
            (None, Some(_)) => "active",
            (None, None) => "waits",
        };
        Self {
            id: one.id,
            purpose: one.purpose,
            topic: one.topic.name(),
            address: one.address,
            state,
            attempts: one.attempts,
            due_at: one.due_at,
            note: one.note,
        }
    }
}

/// The addresses of a system, and what it wants to be told there.
#[derive(Serialize, ToSchema)]
struct AddressesView {
    /// In the order in which they were named.
    addresses: Vec<AddressView>,
    /// In the order in which they began.
    subscriptions: Vec<SubscriptionView>,
}

/// Names an address of a partner's system, to which notifications may go once another officer confirms it.
#[utoipa::path(post, path = "/api/v1/partner-systems/{id}/addresses", tag = "partners", request_body = NewAddress,
    params(("id" = String, Path)), responses((status = 200, body = AddressView)))]
async fn draft_address(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PartnerSystemId>,
    Write { stamp, body }: Write<NewAddress>,
) -> Answered {
    if body.roots_pem.len() > LONGEST_ROOTS {
        return Err(Problem::new(ProblemCode::TextTooLong).detail(format!("roots_pem: at most {LONGEST_ROOTS} bytes")));
    }
    desk.write(officer, stamp, async |deed| {
        let named = addresses::draft(deed, id, (body.address.as_str(), &body.roots_pem)).await?;
        Ok::<_, ExchangeError>(AddressView::of(named, false))
    })
    .await
}

/// Lists the addresses of a partner's system, with what it wants to be told there.
#[utoipa::path(get, path = "/api/v1/partner-systems/{id}/addresses", tag = "partners", params(("id" = String, Path)),
    responses((status = 200, body = AddressesView)))]
async fn list_addresses(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PartnerSystemId>,
) -> Looked<AddressesView> {
    desk.look(officer, async |deed| {
        deed.actor().may_act_for(&OfficeCode::national())?;
        let system = partners::system(deed.tx(), id).await?.ok_or(AccessError::PartnerSystemUnknown)?;
        let addresses = store::addresses_of(deed.tx(), id).await?;
        let subscriptions = store::of_system(deed.tx(), (system.partner, id)).await?;
        deed.record(Action::PartnersListed, Object::PartnerSystem(id), None, Purpose::Administration).await?;
        Ok::<_, ExchangeError>(AddressesView {
            addresses: addresses.into_iter().map(|(one, holds)| AddressView::of(one, !holds)).collect(),
            subscriptions: subscriptions.into_iter().map(SubscriptionView::from).collect(),
        })
    })
    .await
}

/// Confirms an address that another officer named.
#[utoipa::path(post, path = "/api/v1/partner-addresses/{id}/confirmation", request_body = Nothing, tag = "partners",
    params(("id" = String, Path)), responses((status = 200, body = AddressView)))]
async fn confirm_address(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PartnerAddressId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        addresses::confirm(deed, id).await.map(|named| AddressView::of(named, false))
    })
    .await
}

/// Ends an address, with what the system wanted to be told there.
#[utoipa::path(post, path = "/api/v1/partner-addresses/{id}/end", tag = "partners", request_body = AddressEnd,
    params(("id" = String, Path)), responses((status = 200, body = AddressView)))]
async fn end_address(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PartnerAddressId>,
    Write { stamp, body }: Write<AddressEnd>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        addresses::end(deed, id, body.reason.as_str()).await.map(|named| AddressView::of(named, false))
    })
    .await
}

/// Longest text with certificates.
const LONGEST_ROOTS: usize = 20_000;
