//! Who looked, for the citizen at the counter; what is told later; records that are of no person.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::ExchangeError;
use super::looks::{self, Canary, Delay, Look, Looks, Order};
use crate::ground::ids::{DelayId, EntryId, OfficerId, PartnerId, PersonId};
use crate::ground::text::SomeWords;
use crate::ground::{Officer, Permission, moment};
use crate::web::{Answered, Desk, Looked, Named, Nothing, Parameters, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::ReadLooks), routes!(looks_at_person))
        .add(Right::Officer(Permission::Withhold), routes!(propose_delay))
        .add(Right::Officer(Permission::Withhold), routes!(confirm_delay))
        .add(Right::Officer(Permission::Withhold), routes!(note_canary))
        .add(Right::Officer(Permission::Withhold), routes!(confirm_canary))
}

/// Which looks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Before {
    /// Those before this one: `before` of the page that came last.
    #[param(value_type = Option<EntryId>)]
    before: Option<EntryId>,
}

/// One look.
#[derive(Serialize, ToSchema)]
struct LookView {
    /// The record: an objection names it.
    id: EntryId,
    /// The moment of the look.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The authority; for the register itself, the code of its office; `yourself` where the citizen looked with the own
    /// card.
    institution: String,
    /// The unit of the authority that asked.
    unit: Option<String>,
    /// Word of the purpose.
    purpose: String,
    /// The purpose in Vietnamese: of another authority.
    purpose_vi: Option<String>,
    /// The purpose in English: of another authority.
    purpose_en: Option<String>,
    /// The law's article: of another authority.
    law: Option<String>,
    /// The service that was asked, or what an officer of the register did.
    service: String,
    /// The fields that were told or put to the test: of another authority.
    fields: Vec<String>,
    /// What came of it: of another authority.
    outcome: Option<String>,
}

/// A page of looks.
#[derive(Serialize, ToSchema)]
pub(crate) struct LooksView {
    /// The newest first.
    looks: Vec<LookView>,
    /// So many more are told later, by order of a judge.
    delayed: usize,
    /// Where the next page begins; null at the end.
    before: Option<EntryId>,
}

impl From<Look> for LookView {
    fn from(look: Look) -> Self {
        let (purpose_vi, purpose_en, law) = match look.named {
            Some(named) => (Some(named.name_vi), Some(named.name_en), Some(named.law)),
            None => (None, None, None),
        };
        Self {
            id: look.id,
            at: look.at,
            institution: look.institution,
            unit: look.unit,
            purpose: look.purpose,
            purpose_vi,
            purpose_en,
            law,
            service: look.service,
            fields: look.fields,
            outcome: look.outcome,
        }
    }
}

impl From<Looks> for LooksView {
    fn from(page: Looks) -> Self {
        let looks = page.looks.into_iter().map(LookView::from).collect();
        Self { looks, delayed: page.delayed, before: page.before }
    }
}

/// Looks on a page.
const SHOWN: i64 = 100;

/// Who looked at a person, for the person who is there: institution, unit, purpose and law, which fields, when, and
/// what came of it. The newest first, 100 a page. What a judge ordered to be told later is counted only.
#[utoipa::path(get, path = "/api/v1/persons/{id}/looks", tag = "exchange", params(("id" = String, Path), Before),
    responses((status = 200, body = LooksView)))]
async fn looks_at_person(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Parameters(Before { before }): Parameters<Before>,
) -> Looked<LooksView> {
    desk.look(officer, async |deed| Ok::<_, ExchangeError>(looks::looks(deed, id, before, SHOWN).await?.into())).await
}

/// A judge's order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"partner_id": "0197a3f0-1234-7abc-8def-0123456789ab", "court": "Tòa án thử nghiệm",
    "order": "QĐ-12/2026", "until": "2027-06-01T00:00:00+07:00"}))]
struct DelayBody {
    /// Whose looks are told later.
    partner_id: PartnerId,
    /// The court.
    #[schema(value_type = String)]
    court: SomeWords<200>,
    /// Number of the order.
    #[schema(value_type = String)]
    order: SomeWords<100>,
    /// From this moment on they are told; at most two years ahead.
    #[serde(deserialize_with = "moment::deserialize")]
    until: OffsetDateTime,
}

/// Looks that are told later.
#[derive(Serialize, ToSchema)]
struct DelayView {
    /// Identifier.
    id: DelayId,
    /// The person who is told later.
    person_id: PersonId,
    /// Whose looks.
    partner_id: PartnerId,
    /// The court.
    court: String,
    /// Number of the order.
    order: String,
    /// From this moment on they are told.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    /// Who proposed it.
    proposed_by: OfficerId,
    /// Who confirmed it: only then it counts.
    confirmed_by: Option<OfficerId>,
}

impl From<Delay> for DelayView {
    fn from(delay: Delay) -> Self {
        let Delay { id, person, partner, court, order, until, proposed, confirmed } = delay;
        let confirmed_by = confirmed.map(|decision| decision.by);
        Self { id, person_id: person, partner_id: partner, court, order, until, proposed_by: proposed.by, confirmed_by }
    }
}

/// Proposes that the looks of a partner at a person are told later, as a judge's order says.
#[utoipa::path(post, path = "/api/v1/persons/{id}/look-delays", tag = "exchange", request_body = DelayBody,
    params(("id" = String, Path)), responses((status = 200, body = DelayView)))]
async fn propose_delay(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body }: Write<DelayBody>,
) -> Answered {
    let (court, number) = (body.court.as_str().to_owned(), body.order.as_str().to_owned());
    let order = Order { person: id, partner: body.partner_id, court, order: number, until: body.until };
    desk.write(officer, stamp, async |deed| looks::propose_delay(deed, order).await.map(DelayView::from)).await
}

/// Confirms that looks are told later: another officer than the one who proposed it.
#[utoipa::path(post, path = "/api/v1/look-delays/{id}/confirmation", request_body = Nothing, tag = "exchange", params(("id" = String, Path)),
    responses((status = 200, body = DelayView)))]
async fn confirm_delay(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<DelayId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| looks::confirm_delay(deed, id).await.map(DelayView::from)).await
}

/// A record that is of no person.
#[derive(Serialize, ToSchema)]
struct CanaryView {
    /// The record.
    person_id: PersonId,
    /// Who noted it.
    noted_by: OfficerId,
    /// Who confirmed it: from then on each look is told.
    confirmed_by: Option<OfficerId>,
}

impl From<Canary> for CanaryView {
    fn from(canary: Canary) -> Self {
        let confirmed_by = canary.confirmed.map(|decision| decision.by);
        Self { person_id: canary.person, noted_by: canary.noted.by, confirmed_by }
    }
}

/// Notes that a record of the register is of no person, so that each look at it is a wrong one.
#[utoipa::path(post, path = "/api/v1/persons/{id}/canary", request_body = Nothing, tag = "exchange", params(("id" = String, Path)),
    responses((status = 200, body = CanaryView)))]
async fn note_canary(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| looks::note_canary(deed, id).await.map(CanaryView::from)).await
}

/// Confirms that a record is of no person: another officer than the one who noted it.
#[utoipa::path(post, path = "/api/v1/persons/{id}/canary/confirmation", request_body = Nothing, tag = "exchange",
    params(("id" = String, Path)), responses((status = 200, body = CanaryView)))]
async fn confirm_canary(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| looks::confirm_canary(deed, id).await.map(CanaryView::from)).await
}
