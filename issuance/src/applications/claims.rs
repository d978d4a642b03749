//! An officer takes an application before them, so that a second one who opens it is told who has it: for some minutes,
//! until the officer releases it, takes a step, or leaves the office.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::model::{Application, Stage, StageName, TransitionError};
use super::stages::{self, By};
use super::steps::{involved_officers, mends_only, of_office};
use super::store::claims as store;
use super::{Counter, CounterError};
use crate::access;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::{ApplicationId, OfficerId};
use crate::ground::{OfficeCode, Officer, Permission};
use crate::store::{StoreError, Tx};
use crate::web::{Answered, Desk, Named, Nothing, Right, Routes, Write};

/// For how long an officer has an application.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Claims {
    /// Minutes from the claim, or from the last one of the same officer.
    pub minutes: u16,
}

impl Default for Claims {
    fn default() -> Self {
        Self { minutes: 15 }
    }
}

/// An officer has an application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// The officer.
    pub officer: OfficerId,
    /// Since when.
    pub since: OffsetDateTime,
    /// Until when.
    pub until: OffsetDateTime,
    /// The moves that the application had made then.
    pub moves: u32,
}

/// Takes an application that waits, for some minutes. Taken again, they begin anew, until the claim lasted eight times
/// as long: then another officer may have it first. Only an officer who may take a step takes it.
///
/// # Errors
/// [`CounterError::Claimed`] names the officer who has it; [`TransitionError::SameOfficer`] for an officer who had a
/// hand in what a second one decides; [`CounterError`]
pub async fn claim(deed: &mut Deed<Officer>, counter: &Counter, id: ApplicationId) -> Result<Claim, CounterError> {
    let application = of_office(deed, id).await?;
    if !application.stage.is_open() {
        return Err(TransitionError::NotFrom(application.stage.name()).into());
    }
    if mends_only(deed.actor()) && !matches!(application.stage, Stage::Held { .. }) {
        return Err(CounterError::NotHeld);
    }
    let before = free_for_actor(deed, &application).await?;
    let (officer, at) = (deed.actor().id, deed.at());
    let steps = steps_of(deed.actor(), application.stage.which());
    if steps.is_empty() {
        return Err(TransitionError::NotFrom(application.stage.name()).into());
    }
    if steps.iter().all(|permission| *permission == Permission::Decide) {
        let involved = involved_officers(deed, &application).await?;
        application.stage.second(&involved, officer)?;
    }
    let since = before.map_or(at, |claim| claim.since);
    let minutes = Duration::minutes(counter.settings.claims.minutes.into());
    let until = (at + minutes).min(since + minutes * MOST_RENEWED);
    let claim = Claim { officer, since, until, moves: application.progress.moves };
    store::put(deed.tx(), id, &claim).await?;
    record(deed, &application, Action::ApplicationClaimed).await?;
    Ok(claim)
}

/// Gives an application back before the minutes are over. Where the officer has it no more, nothing changes.
///
/// # Errors
/// [`CounterError::Claimed`] names another officer who has it; [`CounterError`]
pub async fn release(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<(), CounterError> {
    let application = of_office(deed, id).await?;
    free_for_actor(deed, &application).await?;
    let (officer, at) = (deed.actor().id, deed.at());
    store::end(deed.tx(), id, officer, at).await?;
    record(deed, &application, Action::ApplicationClaimReleased).await
}

/// Returns the permissions of an officer by which a step may be taken at a stage.
fn steps_of(officer: &Officer, stage: StageName) -> Vec<Permission> {
    let permissions = stages::row(stage).ways.iter().filter_map(|way| match way.step.by() {
        By::Officer(permission) => Some(permission),
        By::Register | By::Service | By::Station => None,
    });
    permissions.filter(|permission| officer.may(*permission)).collect()
}

/// Returns the officer who has an application at this moment. A claim ends with a step of the application, and with the
/// officer's service in its office, or in a role that may take a step.
///
/// # Errors
/// [`StoreError`]
pub async fn standing(tx: &mut Tx, application: &Application, at: OffsetDateTime) -> Result<Option<Claim>, StoreError> {
    let Some(claim) = store::of_application(tx, application.id).await? else { return Ok(None) };
    if claim.until <= at {
        return Ok(None);
    }
    let officer = access::officer_at(tx, claim.officer, at).await?;
    let (stage, moves) = (application.stage.which(), application.progress.moves);
    Ok(claim.stands(officer.as_ref(), &application.office, stage, moves).then_some(claim))
}

impl Claim {
    /// True if a claim whose time is not over counts for an application of this office, at this stage and after so many
    /// moves: its officer acts for that office, and may take a step there.
    pub(super) fn stands(&self, officer: Option<&Officer>, office: &OfficeCode, stage: StageName, moves: u32) -> bool {
        let may = |officer: &Officer| officer.may_act_for(office).is_ok() && !steps_of(officer, stage).is_empty();
        self.moves == moves && officer.is_some_and(may)
    }
}

/// A claim that is taken again and again lasts as many times its minutes.
const MOST_RENEWED: i32 = 8;

/// Refuses an officer while another one has the application. Returns the officer's own claim.
///
/// # Errors
/// [`CounterError::Claimed`]
pub(super) async fn free_for_actor(
    deed: &mut Deed<Officer>,
    application: &Application,
) -> Result<Option<Claim>, CounterError> {
    let (own, at) = (deed.actor().id, deed.at());
    match standing(deed.tx(), application, at).await? {
        Some(Claim { officer, until, .. }) if officer != own => Err(CounterError::Claimed { by: officer, until }),
        claim => Ok(claim),
    }
}

async fn record(deed: &mut Deed<Officer>, application: &Application, action: Action) -> Result<(), CounterError> {
    let entry = Entry::new(action, Object::Application(application.id), Purpose::Work).about(application.person);
    Ok(deed.enter(entry.of(&application.office)).await?)
}

/// The routes of claims.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    let reads = Right::Officer(Permission::ReadApplication);
    Routes::new().add(reads, routes!(claim_application)).add(reads, routes!(release_claim))
}

/// Who has an application.
#[derive(Debug, Serialize, ToSchema)]
struct ClaimedView {
    /// The application.
    application_id: ApplicationId,
    /// The officer who has it; null once it is given back.
    claimed_by: Option<OfficerId>,
    /// Since when.
    #[serde(with = "time::serde::rfc3339::option")]
    claimed_at: Option<OffsetDateTime>,
    /// Until when, if no step is taken before.
    #[serde(with = "time::serde::rfc3339::option")]
    claimed_until: Option<OffsetDateTime>,
}

/// Takes an application for some minutes, so that no other officer takes a step meanwhile. Taken again by the same
/// officer, the minutes begin anew.
#[utoipa::path(post, path = "/api/v1/applications/{id}/claim", tag = "applications", request_body = Nothing,
    responses((status = 200, body = ClaimedView)))]
async fn claim_application(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let Claim { officer, since, until, .. } = claim(deed, &counter, id).await?;
        let (claimed_by, claimed_at, claimed_until) = (Some(officer), Some(since), Some(until));
        Ok::<_, CounterError>(ClaimedView { application_id: id, claimed_by, claimed_at, claimed_until })
    })
    .await
}

/// Gives an application back that the officer had taken.
#[utoipa::path(post, path = "/api/v1/applications/{id}/claim/release", tag = "applications", request_body = Nothing,
    operation_id = "release_claim", responses((status = 200, body = ClaimedView)))]
async fn release_claim(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        release(deed, id).await?;
        let view = ClaimedView { application_id: id, claimed_by: None, claimed_at: None, claimed_until: None };
        Ok::<_, CounterError>(view)
    })
    .await
}
