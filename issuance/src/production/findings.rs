//! What a reconciliation found and could not enter again is revoked by two officers: one proposes, another confirms.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::model::ChipState;
use super::store::findings::{self as store, Finding};
use super::{ProductionError, store as stock, withdrawal};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::{FindingId, OfficerId};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::store::{Record, StoreError};
use crate::web::{Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Right, Routes, Write};
use crate::{access, cards};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    let administers = Right::Officer(Permission::Administer);
    Routes::new()
        .add(administers, routes!(list))
        .add(administers, routes!(propose_revocation))
        .add(administers, routes!(confirm_revocation))
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct All {}

/// A document that was signed before a loss, and that the restored database does not know.
#[derive(Debug, Serialize, ToSchema)]
struct FindingItem {
    /// Identifier.
    id: FindingId,
    /// The chip that it may be on.
    #[schema(pattern = "^[0-9A-F]{20}$")]
    serial: String,
    /// Its fingerprint, as kiosks name a card.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    sod_sha256: String,
    /// The office that would have handed the card over.
    #[schema(value_type = OfficeCode)]
    office: String,
    /// Why it was not entered again, as a word.
    reason: String,
    /// `open`, `proposed`, `revoked`, or `settled` (entered again after all).
    state: String,
    /// The moment of the reconciliation.
    #[serde(with = "time::serde::rfc3339")]
    found_at: OffsetDateTime,
    /// The officer who proposes to revoke it.
    proposed_by: Option<OfficerId>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

/// How a finding stands.
#[derive(Debug, Serialize, ToSchema)]
struct FindingView {
    /// Identifier.
    id: FindingId,
    /// `proposed` or `revoked`.
    state: &'static str,
}

/// What reconciliations found and could not enter again, of the administrator's office; for the national office, of
/// all. The reading is a record of the trail.
#[utoipa::path(get, path = "/api/v1/reconciliation/findings", tag = "production", params(PageAsked),
    responses((status = 200, body = Page<FindingItem>)))]
async fn list(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<All, FindingId>,
) -> Looked<Page<FindingItem>> {
    desk.look(officer, async |deed| {
        let office = deed.actor().office.clone();
        let rows = store::listed(deed.tx(), &office, listing.after.unwrap_or(Id::nil()), listing.most()).await?;
        let object = Object::Unit(office.to_string());
        deed.record(Action::FindingsListed, object, None, Purpose::Administration).await?;
        Ok::<_, ProductionError>(Page::judged(&rows, listing.limit, item)?)
    })
    .await
}

fn item((row, holds): &(Record, bool)) -> Result<(FindingId, FindingItem), StoreError> {
    let id = Id::of(row, "id")?;
    let item = FindingItem {
        id,
        serial: row.get("serial")?,
        sod_sha256: hex::encode(row.get::<Vec<u8>>("sod_sha256")?),
        office: row.get("office")?,
        reason: row.get("reason")?,
        state: row.get("state")?,
        found_at: row.get("found_at")?,
        proposed_by: Id::of_optional(row, "proposed_by")?,
        tampered: !holds,
    };
    Ok((id, item))
}

/// Proposes that a document that was found is revoked: it is, once another administrator confirms it.
#[utoipa::path(post, path = "/api/v1/reconciliation/findings/{id}/proposal", tag = "production",
    request_body = Nothing, responses((status = 200, body = FindingView)))]
async fn propose_revocation(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<FindingId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| propose(deed, id).await.map(|()| FindingView { id, state: "proposed" }))
        .await
}

/// Confirms what another administrator proposed in the last week: kiosks refuse the document from the next trust bundle
/// on, and its chip is written off.
#[utoipa::path(post, path = "/api/v1/reconciliation/findings/{id}/confirmation", tag = "production",
    request_body = Nothing, responses((status = 200, body = FindingView)))]
async fn confirm_revocation(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<FindingId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| confirm(deed, id).await.map(|()| FindingView { id, state: "revoked" }))
        .await
}

/// Proposes that a document that was found is revoked. Proposed again, the later proposal counts.
///
/// # Errors
/// [`ProductionError::FindingUnknown`], also for what is decided; [`ProductionError::OtherOffice`]
pub async fn propose(deed: &mut Deed<Officer>, id: FindingId) -> Result<(), ProductionError> {
    let finding = open(deed, id).await?;
    let by = deed.decision();
    store::propose(deed.tx(), id, &by).await?;
    let entry = Entry::new(Action::FindingProposed, Object::Finding(id), Purpose::Administration);
    deed.enter(entry.with(Object::Chip(finding.serial)).of(&finding.office)).await?;
    Ok(())
}

/// Revokes a document that another administrator proposed to revoke in the last week; its chip is written off.
///
/// # Errors
/// [`ProductionError::FindingUnknown`], [`ProductionError::SecondOfficer`], [`ProductionError::ProposalStale`],
/// [`ProductionError::OtherOffice`]
pub async fn confirm(deed: &mut Deed<Officer>, id: FindingId) -> Result<(), ProductionError> {
    let finding = open(deed, id).await?;
    let proposed = finding.proposed.ok_or(ProductionError::FindingUnknown)?;
    if deed.at() >= proposed.at + PROPOSAL_WAITS {
        return Err(ProductionError::FindingUnknown);
    }
    if deed.actor().is_one_with(proposed.by) {
        return Err(ProductionError::SecondOfficer);
    }
    let post = access::post_of_officer(deed.tx(), proposed.by).await?;
    let may = post.is_some_and(|(office, roles)| {
        let administers = roles.iter().any(|role| Permission::Administer.roles().contains(role));
        administers && (office == finding.office || office == OfficeCode::national())
    });
    if !may {
        return Err(ProductionError::ProposalStale);
    }
    let chip = stock::chip_locked(deed.tx(), &finding.serial).await?;
    cards::steps::revoke_unissued(deed, &finding.sod_sha256).await?;
    // A chip that has proved to be another card since is that card; what was never in the ledger stays out of it.
    let to_write_off = chip.filter(|chip| {
        matches!(chip.state, ChipState::Delivered | ChipState::Initialised { .. } | ChipState::Bound { .. })
    });
    if let Some(chip) = to_write_off {
        let evidence = Object::Finding(id).to_string();
        let by = Object::Officer(proposed.by).to_string();
        withdrawal::account_for(deed, chip, "it may be a card that a restored database does not know", &evidence, by)
            .await?;
    }
    let (by, at) = (deed.actor().id, deed.at());
    store::decide(deed.tx(), id, "revoked", Some(by), at).await?;
    let entry = Entry::new(Action::FindingRevoked, Object::Finding(id), Purpose::Administration);
    let entry = entry.about(finding.person).with(Object::Chip(finding.serial));
    deed.enter(entry.of(&finding.office)).await?;
    Ok(())
}

/// Returns a finding that waits for a decision and is of the officer's office, kept from other writers.
async fn open(deed: &mut Deed<Officer>, id: FindingId) -> Result<Finding, ProductionError> {
    let finding = store::locked(deed.tx(), id).await?.ok_or(ProductionError::FindingUnknown)?;
    deed.actor().may_act_for(&finding.office)?;
    if ["open", "proposed"].contains(&finding.state.as_str()) {
        Ok(finding)
    } else {
        Err(ProductionError::FindingUnknown)
    }
}

/// A proposal that is not confirmed for so long is made anew.
const PROPOSAL_WAITS: Duration = Duration::days(7);
