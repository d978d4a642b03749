//! Births that are held, over HTTP: for officers of the register.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::super::store::reports::Report;
use super::super::{Exchange, ExchangeError};
use super::births::Newborn;
use super::held::{self, HeldError, RefusedAs};
use crate::deed::{Action, Entry, Object, Purpose};
use crate::ground::ids::{PartnerId, PersonId, RequestId};
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Id, Officer, Permission};
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Right, Routes, Stamp, Write};

/// The routes of births that are held.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Number), routes!(list_held))
        .add(Right::Officer(Permission::Number), routes!(read_held))
        .add(Right::Officer(Permission::Number), routes!(register_held))
        .add(Right::Officer(Permission::Number), routes!(refuse_held))
}

/// A birth that is held, without the child.
#[derive(Serialize, ToSchema)]
struct HeldItem {
    /// Identifier.
    id: RequestId,
    /// The partner that reported it.
    partner_id: PartnerId,
    /// What speaks against a number: `birth-recorded`, `namesake`, `probably-recorded`.
    reasons: Vec<String>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

/// No choice: all that wait.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllHeld {}

fn reasons(report: &Report) -> Vec<String> {
    report.reasons.split(',').filter(|code| !code.is_empty()).map(str::to_owned).collect()
}

/// Lists the births of the officer's office that partners reported and that wait for an officer, the oldest first.
#[utoipa::path(get, path = "/api/v1/held-births", tag = "exchange", params(PageAsked),
    responses((status = 200, body = Page<HeldItem>)))]
async fn list_held(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<AllHeld, RequestId>,
) -> Looked<Page<HeldItem>> {
    let (after, most, limit) = (listing.after.unwrap_or(Id::nil()), listing.most(), listing.limit);
    desk.look(officer, async |deed| {
        let rows = held::listed(deed, after, most).await?;
        let item = |(report, holds): (Report, bool)| {
            let reasons = reasons(&report);
            (report.id, HeldItem { id: report.id, partner_id: report.partner, reasons, tampered: !holds })
        };
        Ok::<_, ExchangeError>(Page::of(rows.into_iter().map(item).collect(), limit))
    })
    .await
}

/// A birth that is held.
#[derive(Serialize, ToSchema)]
struct HeldBirth {
    /// Identifier.
    id: RequestId,
    /// The partner that reported it.
    partner_id: PartnerId,
    /// When it was reported.
    #[serde(with = "time::serde::rfc3339")]
    reported_at: OffsetDateTime,
    /// The partner's officer.
    officer: String,
    /// The officer's unit.
    unit: String,
    /// Number of the partner's case.
    case: String,
    /// What speaks against a number.
    reasons: Vec<String>,
    /// The message.
    birth: Newborn,
}

/// Reads a birth that is held.
#[utoipa::path(get, path = "/api/v1/held-births/{id}", tag = "exchange", params(("id" = String, Path)),
    responses((status = 200, body = HeldBirth)))]
async fn read_held(State(desk): State<Desk>, officer: Officer, Named(id): Named<RequestId>) -> Looked<HeldBirth> {
    desk.look(officer, async |deed| {
        let (report, brought, birth) = held::read(deed, id).await?;
        Ok::<_, ExchangeError>(HeldBirth {
            id,
            partner_id: report.partner,
            reported_at: brought.at,
            officer: brought.officer,
            unit: brought.unit,
            case: brought.case,
            reasons: reasons(&report),
            birth,
        })
    })
    .await
}

/// Why the child is another one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HeldRegistration {
    /// Why a number is right all the same, at most 400 characters; for the audit trail.
    #[schema(value_type = String)]
    because: SomeWords<MOST_OF_REASON>,
}

/// The child of a birth that was held.
#[derive(Serialize, ToSchema)]
struct RegisteredHeld {
    /// The register's own id.
    person_id: PersonId,
}

/// Gives the child of a birth that is held its number: the officer knows what speaks against it, and answers for it.
/// The partner is told the number when it asks what became of its report.
#[utoipa::path(post, path = "/api/v1/held-births/{id}/registration", tag = "exchange", request_body = HeldRegistration,
    params(("id" = String, Path)), responses((status = 200, body = RegisteredHeld)))]
async fn register_held(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    officer: Officer,
    Named(id): Named<RequestId>,
    Write { stamp, body }: Write<HeldRegistration>,
) -> Answered {
    register_once((&desk, &exchange), officer, stamp, id, body.because.as_str()).await
}

/// Gives the child its number, once for this stamp. A refusal that tells of a person is recorded about the person.
///
/// # Errors
/// What the verb says, as a problem.
pub(in crate::exchange) async fn register_once(
    (desk, exchange): (&Desk, &Exchange),
    officer: Officer,
    stamp: Stamp,
    id: RequestId,
    because: &str,
) -> Answered {
    let mut told = None;
    let done = desk
        .write(officer.clone(), stamp, async |deed| {
            let done = held::register(deed, &exchange.numbers, &exchange.register, id, because).await;
            told = done.as_ref().err().and_then(HeldError::tells_of);
            done.map(|person_id| RegisteredHeld { person_id })
        })
        .await;
    // The refused deed is undone, and with it what it recorded.
    if let (Err(problem), Some(person)) = (&done, told) {
        let mut deed = desk.deeds().open(officer).await?;
        let entry = Entry::new(Action::PersonFound, Object::Person(person), Purpose::Numbering).about(person);
        deed.enter(entry.refused(problem.code())).await?;
        deed.commit().await?;
    }
    done
}

/// Why there is no number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HeldRefusal {
    /// What the partner is told.
    reason: RefusedAs,
    /// In words, at most 400 characters; for the audit trail.
    #[schema(value_type = String)]
    because: SomeWords<MOST_OF_REASON>,
}

/// Refuses a birth that is held. The partner is told the reason when it asks what became of its report.
#[utoipa::path(post, path = "/api/v1/held-births/{id}/refusal", tag = "exchange", request_body = HeldRefusal,
    params(("id" = String, Path)), responses((status = 204, description = "Done.")))]
async fn refuse_held(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<RequestId>,
    Write { stamp, body }: Write<HeldRefusal>,
) -> Answered {
    desk.write(officer, stamp, async |deed| held::refuse(deed, id, body.reason, body.because.as_str()).await)
        .await
        .map(crate::web::Answer::without_body)
}
