//! A citizen's complaint about a refusal (khiếu nại): taken at the counter, decided at the national office by an
//! officer who had no hand in it, and then refused for good or decided anew (Law on Complaints 02/2011/QH13).
//!
//! A citizen may take it back, with a signed paper that goes to the officer who decides (Art. 10 of that law): the
//! counter enters the paper, and an officer of the national office ends the complaint. No officer ends one alone.

use axum::extract::{FromRef, State};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use time::Date;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::api::{ApplicationView, right};
use super::model::{Application, Complaint, Held, Kind, Stage, Withdrawal};
use super::stages::Step;
use super::steps::{entitled, involve_actor, involved_officers, issued_of, moved, moved_because, stepped, to_step};
use super::{Counter, CounterError, store};
use crate::cards;
use crate::deed::{Action, Deed, Object, Purpose, officers_who};
use crate::ground::ids::{ApplicationId, OfficerId};
use crate::ground::text::{MOST_OF_REASON, SomeWords, tidy};
use crate::ground::{OfficeCode, Officer};
use crate::notices::model::Matter;
use crate::notices::{self, Case};
use crate::offices::calendar::Day;
use crate::population::{self, PopulationError};
use crate::store::{StoreError, Tx};
use crate::web::{Answered, Desk, Named, Routes, Write};

/// `Refused → Appealed`: the citizen complains, in words, on a day that is not after the last one for it. The citizen
/// must still be entitled to this card, and have no other application under way.
///
/// # Errors
/// [`CounterError::Transition`] for a complaint that is late or the second one, and for what is not refused;
/// [`CounterError::ComplaintDay`] for a day before the refusal or after today; [`CounterError`]
pub async fn appeal(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    words: &str,
    on: Date,
) -> Result<Application, CounterError> {
    let found = store::application(deed, id).await?.ok_or(CounterError::Unknown)?;
    deed.actor().may_act_for(&found.office)?;
    // Person before application, as where one is opened: no other one is opened meanwhile, and nothing is erased.
    let registered = population::store::person_locked(deed, found.person).await?.ok_or(PopulationError::Unknown)?;
    let mut application = to_step(deed, id).await?;
    let words = tidy(words).ok_or(CounterError::ReasonMissing)?;
    let complaint = Complaint { on, words, taken: deed.decision() };
    let refused = match &application.stage {
        Stage::Refused { decision, .. } => Some((decision.by, decision.at)),
        _ => None,
    };
    application.stage = application.stage.appeal(complaint)?;
    let first = refused.map_or(on, |(_, at)| deed.day_of(at));
    if on < first || on > deed.today() {
        return Err(CounterError::ComplaintDay(first));
    }
    let erased = store::closed::erased_of(deed.tx(), id).await?;
    if let Some((at, ground)) = erased.dossier.or(erased.portrait) {
        return Err(CounterError::Erased { on: at.date(), ground });
    }
    if let Some(into) = registered.merged_into {
        return Err(PopulationError::Merged(into).into());
    }
    entitled(counter, &registered.person)?;
    if let Some((open, office)) = store::lists::open_of(deed.tx(), application.person).await? {
        return Err(CounterError::AlreadyOpen(deed.actor().may_act_for(&office).is_ok().then_some(open)));
    }
    // A card may have come since.
    let cards = cards::store::cards_of(deed, application.person).await?;
    if application.kind == Kind::First && !issued_of(&cards).is_empty() {
        return Err(CounterError::CardAlreadyHeld);
    }
    application.kind.judge(Held::of(&cards), deed.today())?;
    if let Some((officer, _)) = refused {
        store::involve(deed.tx(), id, officer).await?;
    }
    involve_actor(deed, id).await?;
    store::closed::reopen(deed.tx(), id).await?;
    let at = deed.at();
    population::store::open_to(deed.tx(), application.person, &application.office, id, at).await?;
    moved(deed, application, Action::ApplicationAppealed, Purpose::Decision).await
}

/// `Appealed → Appealed`: the citizen takes the complaint back, with a signed paper. An officer of the national office
/// who had no hand in it ends the complaint; until then nothing ended. Entered again, the last paper counts.
///
/// # Errors
/// [`CounterError::ReasonMissing`] without words for the paper; [`CounterError`]
pub async fn take_back(deed: &mut Deed<Officer>, id: ApplicationId, paper: &str) -> Result<Application, CounterError> {
    let mut application = to_step(deed, id).await?;
    let paper = tidy(paper).ok_or(CounterError::ReasonMissing)?;
    let withdrawal = Withdrawal { paper, taken: deed.decision() };
    application.stage = stepped(application.stage, |stage| stage.take_back(withdrawal))?;
    // The officer does not decide about the complaint either.
    involve_actor(deed, id).await?;
    moved(deed, application, Action::ApplicationAppealTakenBack, Purpose::Decision).await
}

/// What an officer of the national office says to a complaint.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AppealOutcome {
    /// The complaint is right: the decision is taken anew.
    Allowed,
    /// The citizen took it back, with a paper that the officer saw: the refusal stands as before the complaint.
    Discontinued,
    /// The refusal stands, for good.
    Upheld,
}

/// `Appealed → Refused` for good, `→ Refused` as before the complaint, or `→ Captured`: by an officer of the national
/// office who neither refused the application nor had a hand in it. An officer who refused it, took the complaint or
/// decided about it does not decide anew.
///
/// # Errors
/// [`CounterError::Place`] for an officer of another office; [`CounterError`]
pub async fn decide(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    outcome: AppealOutcome,
    reason: &str,
) -> Result<Application, CounterError> {
    let mut application = to_step(deed, id).await?;
    let national = OfficeCode::national();
    if matches!(application.stage, Stage::Appealed { .. }) && deed.actor().office != national {
        return Err(CounterError::Place(national));
    }
    let reason = tidy(reason).ok_or(CounterError::ReasonMissing)?;
    let mut involved = involved_officers(deed, &application).await?;
    // A decision that was overtaken since, or a return, was a hand in it too.
    let before = decided_before(deed.tx(), &application).await?;
    // Also of the officer for whom this one stands in, or who stands in for this one.
    if before.iter().any(|officer| deed.actor().is_one_with(*officer)) {
        involved.push(deed.actor().id);
    }
    let decision = deed.decision();
    if outcome == AppealOutcome::Discontinued {
        application.stage = stepped(application.stage, |stage| stage.discontinue(&involved, decision))?;
        let action = Action::ApplicationAppealDiscontinued;
        return moved_because(deed, application, action, Purpose::Decision, Some(reason)).await;
    }
    if outcome == AppealOutcome::Upheld {
        let says = reason.clone();
        application.stage = stepped(application.stage, |stage| stage.uphold(&involved, decision, says))?;
        let action = Action::ApplicationAppealUpheld;
        return moved_because(deed, application, action, Purpose::Decision, Some(reason)).await;
    }
    let mut salt = [0; 16];
    deed.rng().fill_bytes(&mut salt);
    let says = reason.clone();
    application.stage = stepped(application.stage, |stage| stage.allow(&involved, decision, says, salt))?;
    involve_actor(deed, id).await?;
    let case = Case { application: id, person: application.person, office: &application.office };
    // Before the record, which names the person.
    notices::write(deed, case, &Matter::AppealDecided { granted: true, says: reason.clone() }).await?;
    let action = Action::ApplicationAppealAllowed;
    moved_because(deed, application, action, Purpose::Decision, Some(reason)).await
}

/// Returns the officers who decided something about an application, as the trail tells.
pub(super) async fn decided_before(tx: &mut Tx, application: &Application) -> Result<Vec<OfficerId>, StoreError> {
    let object = Object::Application(application.id).to_string();
    officers_who(tx, application.person, &object, &DECISIONS).await
}

/// What an officer who decides about a complaint did not do before.
const DECISIONS: [Action; 5] = [
    Action::ApplicationApproved,
    Action::ApplicationChecked,
    Action::ApplicationLocallyApproved,
    Action::ApplicationRefused,
    Action::ApplicationReturned,
];

/// The routes of complaints.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new()
        .add(right(Step::Appeal), routes!(complain))
        .add(right(Step::TakeBack), routes!(take_appeal_back))
        .add(right(Step::Uphold), routes!(decide_appeal))
}

/// A citizen's complaint about a refusal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"words": "The portrait shows me; it was taken after an illness.", "on": "2026-12-03"}))]
struct ComplaintMade {
    /// In the citizen's words, at most 400 characters.
    #[schema(value_type = String)]
    words: SomeWords<MOST_OF_REASON>,
    /// The day on which it was made: from the refusal to today, and not after `appeal_until`.
    on: Day,
}

/// The citizen takes a complaint back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"paper": "Đơn rút khiếu nại ngày 04/12/2026, có chữ ký"}))]
struct ComplaintTakenBack {
    /// Which paper of the citizen says so, with its day and signature or fingerprint; at most 400 characters.
    #[schema(value_type = String)]
    paper: SomeWords<MOST_OF_REASON>,
}

/// What is decided about a complaint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"outcome": "allowed", "reason": "Two earlier photographs show the same person."}))]
struct AppealDecision {
    /// `upheld`: the refusal stands, for good; `allowed`: the decision is taken anew, by other officers;
    /// `discontinued`: the citizen took it back, with a paper that this officer saw, and may complain anew while the
    /// term runs.
    outcome: AppealOutcome,
    /// In words that the citizen will read, at most 400 characters; they stand in the audit trail too.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// A complaint about a refusal, as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ComplaintView {
    /// The day on which it was made.
    on: Day,
    /// In the citizen's words; empty once they are erased or the complaint was taken back.
    pub(super) words: String,
    /// Which paper of the citizen takes it back; null without one.
    pub(super) taken_back_by: Option<String>,
    /// True once it ended since the citizen took it back.
    discontinued: bool,
    /// Why the application was refused; empty once it is erased.
    pub(super) refused_because: String,
    /// Why the refusal stands all the same; null while the complaint is open.
    upheld_because: Option<String>,
    /// Why the decision is taken anew; null unless the complaint was allowed.
    pub(super) allowed_because: Option<String>,
}

impl ComplaintView {
    /// The complaint that belongs to a stage.
    pub(super) fn of(stage: &Stage) -> Option<Self> {
        let view = |complaint: &Complaint, refusal: &str| Self {
            on: Day(complaint.on),
            words: complaint.words.clone(),
            taken_back_by: None,
            discontinued: false,
            refused_because: refusal.to_owned(),
            upheld_because: None,
            allowed_because: None,
        };
        match stage {
            Stage::Appealed { complaint, reason, withdrawal, .. } => {
                let taken_back_by = withdrawal.as_ref().map(|withdrawal| withdrawal.paper.clone());
                Some(Self { taken_back_by, ..view(complaint, reason) })
            }
            Stage::Refused { discontinued: Some(ended), reason, .. } => Some(Self {
                on: Day(ended.on),
                words: String::new(),
                taken_back_by: Some(ended.withdrawal.paper.clone()),
                discontinued: true,
                refused_because: reason.clone(),
                upheld_because: None,
                allowed_because: None,
            }),
            Stage::Refused { upheld: Some(upheld), reason, .. } => {
                Some(Self { upheld_because: Some(upheld.reason.clone()), ..view(&upheld.complaint, reason) })
            }
            _ => stage.capture_of().and_then(|capture| capture.heard.as_deref()).map(|heard| Self {
                allowed_because: Some(heard.reason.clone()),
                ..view(&heard.complaint, &heard.refusal)
            }),
        }
    }
}

/// The citizen complains about a refusal. The national office decides until `due_on`.
#[utoipa::path(post, path = "/api/v1/applications/{id}/appeal", tag = "applications", operation_id = "appeal",
    request_body = ComplaintMade, responses((status = 200, body = ApplicationView)))]
async fn complain(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<ComplaintMade>,
) -> Answered {
    desk.write(officer.clone(), stamp, async |deed| {
        let application = appeal(deed, &counter, id, body.words.as_str(), body.on.0).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// The citizen takes a complaint back, with a signed paper. It ends when an officer of the national office who had no
/// hand in it has seen the paper.
#[utoipa::path(post, path = "/api/v1/applications/{id}/appeal/withdrawal", tag = "applications",
    operation_id = "take_appeal_back", request_body = ComplaintTakenBack,
    responses((status = 200, body = ApplicationView)))]
async fn take_appeal_back(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<ComplaintTakenBack>,
) -> Answered {
    desk.write(officer.clone(), stamp, async |deed| {
        let application = take_back(deed, id, body.paper.as_str()).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// An officer of the national office decides about a complaint: the refusal stands for good, the decision is taken
/// anew, or the complaint ends since the citizen took it back.
#[utoipa::path(post, path = "/api/v1/applications/{id}/appeal/decision", tag = "applications",
    request_body = AppealDecision, responses((status = 200, body = ApplicationView)))]
async fn decide_appeal(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<AppealDecision>,
) -> Answered {
    desk.write(officer.clone(), stamp, async |deed| {
        let application = decide(deed, id, body.outcome, body.reason.as_str()).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}
