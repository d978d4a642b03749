//! Purposes and agreements over HTTP, for officers of the national office.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::agreements::{self, NewPurpose, Terms};
use super::model::{Agreement, AgreementState, Grant, Purpose, PurposeCode, Standing};
use super::store::agreements as store;
use super::{Exchange, ExchangeError};
use crate::deed::{Action, Object, Purpose as Why};
use crate::ground::ids::{AgreementId, OfficerId, PartnerId};
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::ground::{Id, OfficeCode, Officer, Permission, moment};
use crate::web::{Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    let exchanges = Right::Officer(Permission::Exchange);
    Routes::new()
        .add(exchanges, routes!(draft_purpose, list_purposes))
        .add(exchanges, routes!(confirm_purpose))
        .add(exchanges, routes!(end_purpose))
        .add(exchanges, routes!(draft_agreement, list_agreements))
        .add(exchanges, routes!(read_agreement))
        .add(exchanges, routes!(sign_agreement))
        .add(exchanges, routes!(end_agreement))
}

/// A purpose that is proposed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "tax-number", "name_vi": "Cấp mã số thuế theo số định danh",
    "name_en": "Tax code by personal number", "law": "Law 38/2019/QH14, Art. 35(7)", "dpv": "dpv:LegalCompliance"}))]
struct PurposeBody {
    /// 2 to 40 lower-case letters, digits and hyphens.
    #[schema(value_type = String)]
    code: SomeWords<40>,
    /// In Vietnamese: what the citizen reads.
    #[schema(value_type = String)]
    name_vi: SomeWords<200>,
    /// In English.
    #[schema(value_type = String)]
    name_en: SomeWords<200>,
    /// The law's article.
    #[schema(value_type = String)]
    law: SomeWords<200>,
    /// Term of the Data Privacy Vocabulary (DPV 2.3) that is nearest.
    #[serde(default)]
    #[schema(nullable = false, value_type = Option<String>)]
    dpv: Option<Words<100>>,
}

/// A purpose.
#[derive(Serialize, ToSchema)]
struct PurposeView {
    /// Code.
    code: String,
    /// In Vietnamese.
    name_vi: String,
    /// In English.
    name_en: String,
    /// The law's article.
    law: String,
    /// Term of the Data Privacy Vocabulary.
    dpv: Option<String>,
    /// Who proposed it.
    drafted_by: OfficerId,
    /// Who confirmed it.
    confirmed_by: Option<OfficerId>,
    /// When it ended: no agreement can be drafted or signed for it any more.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// Why it ended.
    end_reason: Option<String>,
    /// True for a record that was changed by another hand: no agreement can be signed for it.
    tampered: bool,
}

impl PurposeView {
    fn new(purpose: Purpose, tampered: bool) -> Self {
        let Purpose { code, name_vi, name_en, law, dpv, drafted, confirmed, ended, end_reason } = purpose;
        let confirmed_by = confirmed.map(|decision| decision.by);
        let ended_at = ended.map(|decision| decision.at);
        Self { code, name_vi, name_en, law, dpv, drafted_by: drafted.by, confirmed_by, ended_at, end_reason, tampered }
    }
}

/// The purposes.
#[derive(Serialize, ToSchema)]
struct Purposes {
    /// By code.
    purposes: Vec<PurposeView>,
}

/// Proposes a purpose for which partners may ask.
#[utoipa::path(post, path = "/api/v1/exchange-purposes", tag = "agreements", request_body = PurposeBody,
    responses((status = 200, body = PurposeView)))]
async fn draft_purpose(
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<PurposeBody>,
) -> Answered {
    let text = |words: &str| words.to_owned();
    let new = NewPurpose {
        code: text(body.code.as_str()),
        name_vi: text(body.name_vi.as_str()),
        name_en: text(body.name_en.as_str()),
        law: text(body.law.as_str()),
        dpv: body.dpv.map(String::from).filter(|term| !term.is_empty()),
    };
    desk.write(officer, stamp, async |deed| {
        agreements::draft_purpose(deed, new).await.map(|purpose| PurposeView::new(purpose, false))
    })
    .await
}

/// Lists the purposes: some dozens.
#[utoipa::path(get, path = "/api/v1/exchange-purposes", tag = "agreements",
    responses((status = 200, body = Purposes)))]
async fn list_purposes(State(desk): State<Desk>, officer: Officer) -> Looked<Purposes> {
    desk.look(officer, async |deed| {
        deed.actor().may_act_for(&OfficeCode::national())?;
        let rows = store::purposes(deed.tx()).await?;
        let object = Object::Trail("exchange-purposes".to_owned());
        deed.record(Action::PurposesListed, object, None, Why::Administration).await?;
        let purposes = rows.into_iter().map(|(row, holds)| PurposeView::new(row, !holds)).collect();
        Ok::<_, ExchangeError>(Purposes { purposes })
    })
    .await
}

/// Confirms a purpose that another officer proposed: the data protection officer does.
#[utoipa::path(post, path = "/api/v1/exchange-purposes/{purpose}/confirmation", request_body = Nothing, tag = "agreements",
    params(("purpose" = String, Path)), responses((status = 200, body = PurposeView)))]
async fn confirm_purpose(
    State(desk): State<Desk>,
    officer: Officer,
    Named(code): Named<PurposeCode>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        agreements::confirm_purpose(deed, code.as_str()).await.map(|purpose| PurposeView::new(purpose, false))
    })
    .await
}

/// Ends a purpose: no agreement can be drafted or signed for it any more. Refused while an agreement has it.
#[utoipa::path(post, path = "/api/v1/exchange-purposes/{purpose}/end", request_body = Ending, tag = "agreements",
    params(("purpose" = String, Path)), responses((status = 200, body = PurposeView)))]
async fn end_purpose(
    State(desk): State<Desk>,
    officer: Officer,
    Named(code): Named<PurposeCode>,
    Write { stamp, body }: Write<Ending>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let ended = agreements::end_purpose(deed, code.as_str(), body.reason.as_str()).await;
        ended.map(|purpose| PurposeView::new(purpose, false))
    })
    .await
}

/// An agreement that is drafted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"partner_id": "0197a3f0-1234-7abc-8def-0123456789ab", "number": "TT-2026-0001",
    "basis": "Decree 47/2020/NĐ-CP, Art. 5", "valid_from": "2026-12-01T00:00:00Z", "valid_to": "2027-12-01T00:00:00Z",
    "kept_days": 90, "grants": [{"purpose": "tax-number", "service": "confirm",
    "fields": ["full_name", "birth_date", "sex"], "per_day": 20000}]}))]
struct AgreementBody {
    /// The partner that may ask.
    partner_id: PartnerId,
    /// Number, as both sides call it; unique.
    #[schema(value_type = String)]
    number: SomeWords<40>,
    /// Legal basis: text and article.
    #[schema(value_type = String)]
    basis: SomeWords<400>,
    /// From this moment on …
    #[serde(deserialize_with = "moment::deserialize")]
    valid_from: OffsetDateTime,
    /// … until before this one; at most five years.
    #[serde(deserialize_with = "moment::deserialize")]
    valid_to: OffsetDateTime,
    /// Answers are kept for so many days, 1 to 3660.
    kept_days: u32,
    /// What it allows: 1 to 100, each a service for a purpose.
    grants: Vec<Grant>,
}

/// An agreement.
#[derive(Serialize, ToSchema)]
struct AgreementView {
    /// Identifier.
    id: AgreementId,
    /// The partner that may ask.
    partner_id: PartnerId,
    /// Number.
    number: String,
    /// Legal basis.
    basis: String,
    /// From …
    #[serde(with = "time::serde::rfc3339")]
    valid_from: OffsetDateTime,
    /// … until before.
    #[serde(with = "time::serde::rfc3339")]
    valid_to: OffsetDateTime,
    /// Answers are kept for so many days.
    kept_days: u32,
    /// What it allows.
    grants: Vec<Grant>,
    /// How far it is.
    state: AgreementState,
    /// Who drafted it.
    drafted_by: OfficerId,
    /// The officer who signed for the register.
    signed_by: Option<OfficerId>,
    /// The data protection officer who signed.
    protected_by: Option<OfficerId>,
    /// When it was ended.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// Why it was ended.
    end_reason: Option<String>,
    /// True for a record that was changed by another hand: nothing may be asked by it.
    tampered: bool,
}

impl AgreementView {
    fn new(agreement: Agreement, now: OffsetDateTime, tampered: bool) -> Self {
        Self {
            state: agreement.state(now),
            id: agreement.id,
            partner_id: agreement.partner,
            number: agreement.number,
            basis: agreement.basis,
            valid_from: agreement.valid_from,
            valid_to: agreement.valid_to,
            kept_days: agreement.kept_days,
            grants: agreement.grants,
            drafted_by: agreement.drafted.by,
            signed_by: agreement.signed.map(|decision| decision.by),
            protected_by: agreement.protected.map(|decision| decision.by),
            ended_at: agreement.ended.map(|decision| decision.at),
            end_reason: agreement.end_reason,
            tampered,
        }
    }
}

/// Drafts an agreement with a partner. Nothing may be asked by it until both signatures are there.
#[utoipa::path(post, path = "/api/v1/agreements", tag = "agreements", request_body = AgreementBody,
    responses((status = 200, body = AgreementView)))]
async fn draft_agreement(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    officer: Officer,
    Write { stamp, body }: Write<AgreementBody>,
) -> Answered {
    let AgreementBody { partner_id, number, basis, valid_from, valid_to, kept_days, grants } = body;
    let (number, basis) = (number.as_str().to_owned(), basis.as_str().to_owned());
    let terms = Terms { partner: partner_id, number, basis, valid_from, valid_to, kept_days, grants };
    desk.write(officer, stamp, async |deed| {
        let agreement = agreements::draft(deed, exchange.register.reference(), terms).await?;
        Ok::<_, ExchangeError>(AgreementView::new(agreement, deed.at(), false))
    })
    .await
}

/// Which agreements.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfPartner {
    /// Those of this partner only.
    #[param(value_type = Option<PartnerId>)]
    partner: Option<PartnerId>,
}

/// Lists agreements, in the order in which they were drafted.
#[utoipa::path(get, path = "/api/v1/agreements", tag = "agreements", params(PageAsked, OfPartner),
    responses((status = 200, body = Page<AgreementView>)))]
async fn list_agreements(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<OfPartner, AgreementId>,
) -> Looked<Page<AgreementView>> {
    let (after, most, limit) = (listing.after.unwrap_or(Id::nil()), listing.most(), listing.limit);
    let partner = listing.filter.partner;
    desk.look(officer, async |deed| {
        let rows = agreements::listed(deed, partner, &Standing::ALL, (after, most)).await?;
        let now = deed.at();
        let rows = rows.into_iter().map(|(row, holds)| (row.id, AgreementView::new(row, now, !holds))).collect();
        Ok::<_, ExchangeError>(Page::of(rows, limit))
    })
    .await
}

/// Reads an agreement.
#[utoipa::path(get, path = "/api/v1/agreements/{id}", tag = "agreements", params(("id" = String, Path)),
    responses((status = 200, body = AgreementView)))]
async fn read_agreement(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<AgreementId>,
) -> Looked<AgreementView> {
    desk.look(officer, async |deed| {
        let row = agreements::one(deed, id).await?;
        Ok::<_, ExchangeError>(AgreementView::new(row, deed.at(), false))
    })
    .await
}

/// Signs an agreement: a data protection officer for the persons, another officer for the register. It is in force with
/// both signatures.
#[utoipa::path(post, path = "/api/v1/agreements/{id}/signature", request_body = Nothing, tag = "agreements", params(("id" = String, Path)),
    responses((status = 200, body = AgreementView)))]
async fn sign_agreement(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<AgreementId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let agreement = agreements::sign(deed, id).await?;
        Ok::<_, ExchangeError>(AgreementView::new(agreement, deed.at(), false))
    })
    .await
}

/// Why an agreement or a purpose ends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Ending {
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// Ends an agreement: what it allowed is refused from now on.
#[utoipa::path(post, path = "/api/v1/agreements/{id}/end", tag = "agreements", request_body = Ending,
    params(("id" = String, Path)), responses((status = 200, body = AgreementView)))]
async fn end_agreement(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<AgreementId>,
    Write { stamp, body }: Write<Ending>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let agreement = agreements::end(deed, id, body.reason.as_str()).await?;
        Ok::<_, ExchangeError>(AgreementView::new(agreement, deed.at(), false))
    })
    .await
}
