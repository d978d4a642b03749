//! Objections of citizens, and the copy of the own record, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::api::OwnRecordView;
use super::objections::{self, CitizenObjection, ObjectionVerdict, Opened, Which};
use super::{CitizenError, Citizens, MOST_OF_WORDS, own};
use crate::applications::OwnApplication;
use crate::exchange::{Exchange, LooksView, signed};
use crate::ground::actor::Citizen;
use crate::ground::ids::{EntryId, ObjectionId, PersonId};
use crate::ground::text::SomeWords;
use crate::ground::{OfficeCode, Officer, Permission};
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Problem, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Citizens: FromRef<S>,
    Exchange: FromRef<S>,
{
    let answers = Right::Officer(Permission::AnswerObjections);
    Routes::new()
        .add(Right::Citizen, routes!(object, own_objections))
        .add(Right::Citizen, routes!(copy))
        .add(answers, routes!(list_objections))
        .add(answers, routes!(read_objection))
        .add(answers, routes!(answer_objection))
}

/// What a citizen objects to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"words": "Tôi không có việc gì ở cơ quan này."}))]
struct ObjectionBody {
    /// The look, as `GET /api/v1/citizen/looks` names it; without it, what the register holds.
    #[serde(default)]
    #[schema(value_type = Option<EntryId>, nullable = false)]
    look: Option<EntryId>,
    /// What the citizen says.
    #[schema(value_type = String)]
    words: SomeWords<MOST_OF_WORDS>,
}

/// How far an objection is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ObjectionState {
    /// It was answered: the citizen is not right.
    Rejected,
    /// It was answered: the citizen is right.
    Upheld,
    /// It waits for its answer.
    Waiting,
}

impl ObjectionState {
    fn of(case: &CitizenObjection) -> Self {
        match case.answer.as_ref().map(|given| given.verdict) {
            None => Self::Waiting,
            Some(ObjectionVerdict::Rejected) => Self::Rejected,
            Some(ObjectionVerdict::Upheld) => Self::Upheld,
        }
    }
}

/// An objection.
#[derive(Debug, Serialize, ToSchema)]
struct ObjectionView {
    /// Identifier.
    id: ObjectionId,
    /// Who objects; null in the citizen's own list.
    person_id: Option<PersonId>,
    /// The look; null: it is about what the register holds.
    look: Option<EntryId>,
    /// How far it is.
    state: ObjectionState,
    /// The office that answers it.
    office: OfficeCode,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    made_at: OffsetDateTime,
    /// Until then it is answered.
    #[serde(with = "time::serde::rfc3339")]
    due: OffsetDateTime,
    /// What the citizen says; null in the list of those that wait.
    words: Option<String>,
    /// What the citizen is told.
    answer: Option<String>,
    /// When it was answered.
    #[serde(with = "time::serde::rfc3339::option")]
    answered_at: Option<OffsetDateTime>,
    /// True if the row is not as this service wrote it.
    tampered: bool,
}

impl ObjectionView {
    /// Without the words of either side.
    fn of(case: CitizenObjection, tampered: bool) -> Self {
        let state = ObjectionState::of(&case);
        let CitizenObjection { id, person, look, office, made_at, due, answer, .. } = case;
        let answered_at = answer.map(|given| given.by.at);
        let (words, answer) = (None, None);
        Self { id, person_id: Some(person), look, state, office, made_at, due, words, answer, answered_at, tampered }
    }
}

impl From<Opened> for ObjectionView {
    fn from(Opened { case, words, answer }: Opened) -> Self {
        Self { words: Some(words), answer, ..Self::of(case, false) }
    }
}

/// The citizen's own objections.
#[derive(Debug, Serialize, ToSchema)]
struct OwnObjectionsView {
    /// The oldest first.
    objections: Vec<ObjectionView>,
}

fn to_the_citizen(opened: Opened) -> ObjectionView {
    ObjectionView { person_id: None, ..opened.into() }
}

/// Objects to a look, or to what the register holds: a case with an owner, answered until the moment that is told, of
/// which the citizen is told in writing. Needs the code.
#[utoipa::path(post, path = "/api/v1/citizen/objections", tag = "citizens", request_body = ObjectionBody,
    responses((status = 200, body = ObjectionView)))]
async fn object(
    State(desk): State<Desk>,
    State(citizens): State<Citizens>,
    citizen: Citizen,
    Write { stamp, body: ObjectionBody { look, words } }: Write<ObjectionBody>,
) -> Answered {
    let settings = *citizens.settings();
    desk.write(citizen, stamp, async |deed| {
        objections::object(deed, &settings, (look, words.as_str())).await.map(to_the_citizen)
    })
    .await
}

/// The citizen's own objections, and what they were answered. Needs the code.
#[utoipa::path(get, path = "/api/v1/citizen/objections", tag = "citizens",
    responses((status = 200, body = OwnObjectionsView)))]
async fn own_objections(State(desk): State<Desk>, citizen: Citizen) -> Looked<OwnObjectionsView> {
    desk.look(citizen, async |deed| {
        let all = objections::own(deed).await?;
        Ok::<_, CitizenError>(OwnObjectionsView { objections: all.into_iter().map(to_the_citizen).collect() })
    })
    .await
}

/// A copy of what the register holds of the citizen, who looked, and what the citizen applied for.
#[derive(Serialize, ToSchema)]
struct CopyView {
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    made_at: OffsetDateTime,
    /// What the register holds.
    record: OwnRecordView,
    /// The last looks.
    looks: LooksView,
    /// What the citizen applied for.
    applications: Vec<OwnApplication>,
}

/// A copy for the citizen to keep or to show: signed, so that others can verify it. The header `x-jws-signature` holds
/// the detached JWS over the bytes, by a key of `GET /api/v1/exchange/keys`. Needs the code.
#[utoipa::path(get, path = "/api/v1/citizen/copy", tag = "citizens", responses((status = 200, body = CopyView)))]
async fn copy(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    citizen: Citizen,
) -> Result<Response, Problem> {
    let Json(copy) = desk
        .look(citizen, async |deed| {
            let record = own::record(deed).await?.into();
            let looks = own::looks(deed, None).await?.into();
            let applications = own::applications(deed).await?;
            Ok::<_, CitizenError>(CopyView { made_at: deed.at(), record, looks, applications })
        })
        .await?;
    let copy = serde_json::to_vec(&copy).map_err(|error| Problem::internal(&error))?;
    Ok(signed(exchange.sign_copy(copy).map_err(|error| Problem::internal(&error))?))
}

/// Which objections.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Those {
    /// Those that wait (unless it says otherwise), those of them that are late, or those that were answered.
    #[serde(default)]
    #[param(inline, value_type = Option<Which>)]
    state: Which,
}

/// Lists the objections that wait for an answer which the officer may give, the oldest first: to looks for the data
/// protection officers of the national office, to the record for the registrars of its office. Those that were answered
/// stand the newest first.
#[utoipa::path(get, path = "/api/v1/objections", tag = "citizens", params(PageAsked, Those),
    responses((status = 200, body = Page<ObjectionView>)))]
async fn list_objections(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<Those, ObjectionId>,
) -> Looked<Page<ObjectionView>> {
    let (after, most, limit) = (listing.after, listing.most(), listing.limit);
    desk.look(officer, async |deed| {
        let rows = objections::listed(deed, listing.filter.state, after, most).await?;
        let item = |(case, holds): (CitizenObjection, bool)| (case.id, ObjectionView::of(case, !holds));
        Ok::<_, CitizenError>(Page::of(rows.into_iter().map(item).collect(), limit))
    })
    .await
}

/// Reads an objection, to answer it, also one that is answered.
#[utoipa::path(get, path = "/api/v1/objections/{id}", tag = "citizens", params(("id" = String, Path)),
    responses((status = 200, body = ObjectionView)))]
async fn read_objection(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ObjectionId>,
) -> Looked<ObjectionView> {
    desk.look(officer, async |deed| objections::read(deed, id).await.map(ObjectionView::from)).await
}

/// What an objection is answered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"verdict": "rejected", "words": "Cơ quan đã tra cứu theo Luật Quản lý thuế, Điều 35."}))]
struct ObjectionAnswerBody {
    /// Whether the citizen is right.
    verdict: ObjectionVerdict,
    /// What the citizen is told.
    #[schema(value_type = String)]
    words: SomeWords<MOST_OF_WORDS>,
}

/// Answers an objection, and tells the citizen in writing that it is answered. Never by the officer who looked.
#[utoipa::path(post, path = "/api/v1/objections/{id}/answer", tag = "citizens", request_body = ObjectionAnswerBody,
    params(("id" = String, Path)), responses((status = 200, body = ObjectionView)))]
async fn answer_objection(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ObjectionId>,
    Write { stamp, body: ObjectionAnswerBody { verdict, words } }: Write<ObjectionAnswerBody>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        objections::answer(deed, id, (verdict, words.as_str())).await.map(ObjectionView::from)
    })
    .await
}
