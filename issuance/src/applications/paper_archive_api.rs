//! Classification and the archive of papers over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::ProvinceCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::api::right;
use super::paper_archive::{
    self, Answer, ArchiveDoubt, ArchiveOutcome, ArchiveRequest, Classification, OfPapers, Papers,
};
use super::register_check::RegisterField;
use super::stages::Step;
use super::store::paper_archive as store;
use super::{Counter, CounterError};
use crate::ground::ids::{ApplicationId, ArchiveRequestId, OfficerId};
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::ground::{Id, OfficeCode, Officer, Permission, Role};
use crate::offices::calendar::Day;
use crate::population::model::Person;
use crate::store::Record;
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    let keeps_archive = Right::Officer(Permission::Archive);
    Routes::new()
        .add(right(Step::Capture), routes!(list_unclassified))
        .add(right(Step::Capture), routes!(classify))
        .add(right(Step::Approve), routes!(ask_archive))
        .add(keeps_archive, routes!(list_archive_requests))
        .add(keeps_archive, routes!(read_archive_request))
        .add(keeps_archive, routes!(answer_archive_request))
}

/// An application that waits to be classified.
#[derive(Debug, Serialize, ToSchema)]
struct UnclassifiedItem {
    /// The application.
    application_id: ApplicationId,
    /// The last day on which it is classified in time.
    due_on: Option<Day>,
    /// True if that day is over.
    overdue: bool,
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllUnclassified {}

/// The applications of the officer's office that wait to be classified; for the national office, of all.
#[utoipa::path(get, path = "/api/v1/unclassified-applications", tag = "applications", params(PageAsked),
    responses((status = 200, body = Page<UnclassifiedItem>)))]
async fn list_unclassified(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<AllUnclassified, ApplicationId>,
) -> Looked<Page<UnclassifiedItem>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let today = desk.deeds().source().clock().today();
    let after = listing.after.unwrap_or(Id::nil());
    let rows = store::unclassified(&mut tx, &officer.office, after, listing.most()).await?;
    let item = |(application_id, due): (ApplicationId, Option<time::Date>)| {
        let overdue = due.is_some_and(|due| due < today);
        (application_id, UnclassifiedItem { application_id, due_on: due.map(Day), overdue })
    };
    Ok(Json(Page::of(rows.into_iter().map(item).collect(), listing.limit)))
}

/// Where the papers of the citizen's old identity card lie.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"papers": "outside", "province": "001"}))]
struct ClassificationSaid {
    /// `inside` the own province, `outside` it, or `nowhere`: the citizen never had one.
    papers: Papers,
    /// The code of the other province; for `outside` alone.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{3}$")]
    province: Option<Words<3>>,
}

/// What was said of the papers of a dossier.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassificationView {
    /// Where they lie; null while it waits to be said.
    papers: Option<Papers>,
    /// Of which province; null where the office's own one is not known.
    #[schema(value_type = Option<String>)]
    province: Option<String>,
    /// True if the case needs a look-up in the archive.
    look_up_needed: bool,
    /// The officer who said it.
    classified_by: Option<OfficerId>,
    /// The moment.
    #[serde(with = "time::serde::rfc3339::option")]
    classified_at: Option<OffsetDateTime>,
    /// While it waits: the last day on which it is said in time.
    due_on: Option<Day>,
}

impl ClassificationView {
    /// The classification of an application as it stands; none where none waits and none was made.
    pub(super) fn of(papers: &OfPapers) -> Option<Self> {
        let said = papers.classification.as_ref();
        if said.is_none() && papers.due.is_none() {
            return None;
        }
        Some(Self {
            papers: said.map(|said| said.papers),
            province: said.and_then(|said| said.province).map(|code| code.to_string()),
            look_up_needed: said.is_some_and(|said| said.needed),
            classified_by: said.map(|said| said.classified.by),
            classified_at: said.map(|said| said.classified.at),
            due_on: papers.due.map(Day),
        })
    }
}

impl From<Classification> for ClassificationView {
    fn from(said: Classification) -> Self {
        Self {
            papers: Some(said.papers),
            province: said.province.map(|code| code.to_string()),
            look_up_needed: said.needed,
            classified_by: Some(said.classified.by),
            classified_at: Some(said.classified.at),
            due_on: None,
        }
    }
}

/// Sorts an application on the day of its capture: where the papers of the citizen's old identity card lie. Said again,
/// the last word counts, until the archive is asked.
#[utoipa::path(post, path = "/api/v1/applications/{id}/classification", tag = "applications",
    request_body = ClassificationSaid, responses((status = 200, body = ClassificationView)))]
async fn classify(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<ClassificationSaid>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let unknown = |_| ArchiveDoubt::ClassificationUnfit("there is no such province");
        let province = body.province.as_ref().map(|code| code.as_str().parse::<ProvinceCode>().map_err(unknown));
        let said = paper_archive::classify(deed, &counter, id, body.papers, province.transpose()?).await?;
        Ok::<_, CounterError>(ClassificationView::from(said))
    })
    .await
}

/// What the archive is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"says": "The register has no number of the card that the citizen lost."}))]
struct ArchiveQuestion {
    /// What is to be looked for, at most 400 characters.
    #[schema(value_type = String)]
    says: SomeWords<MOST_OF_REASON>,
}

/// A question to the archive of papers of a province.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ArchiveRequestView {
    /// Identifier.
    id: ArchiveRequestId,
    /// The application for which it is asked.
    application_id: ApplicationId,
    /// Inside or outside the province of the application's office.
    papers: Papers,
    /// The province.
    #[schema(value_type = Option<String>)]
    province: Option<String>,
    /// The office that asks.
    from_office: OfficeCode,
    /// The office that keeps the archive.
    to_office: OfficeCode,
    /// The role that answers there.
    owner: Role,
    /// What is asked; empty once it is erased.
    says: String,
    /// The officer who asked.
    asked_by: OfficerId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    asked_at: OffsetDateTime,
    /// The last day on which the archive answers in time.
    due_on: Day,
    /// How it ended; null until the archive answered.
    outcome: Option<ArchiveOutcome>,
    /// What the archive has; null until it answered, and once it is erased.
    answer: Option<ArchiveAnswerView>,
    /// The officer who answered.
    answered_by: Option<OfficerId>,
    /// The moment of the answer.
    #[serde(with = "time::serde::rfc3339::option")]
    answered_at: Option<OffsetDateTime>,
    /// When the application ended without an answer.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
}

/// What the papers say.
#[derive(Debug, Serialize, ToSchema)]
struct ArchiveAnswerView {
    /// The number of the identity card.
    number: Option<String>,
    /// The name.
    full_name: Option<String>,
    /// The birth date, as it is written there.
    birth_date: Option<String>,
    /// The day on which the identity card was issued.
    issued_on: Option<Day>,
    /// What was looked at.
    says: String,
    /// SHA-256 of the scan, which stays in the archive.
    scan_sha256: Option<String>,
    /// Fields in which the papers say otherwise than the register.
    disagrees: Vec<RegisterField>,
}

impl From<ArchiveRequest> for ArchiveRequestView {
    fn from(request: ArchiveRequest) -> Self {
        let (outcome, answered) = request.answered.unzip();
        let answer = request.answer.map(|answer| ArchiveAnswerView {
            number: answer.number,
            full_name: answer.full_name,
            birth_date: answer.birth_date,
            issued_on: answer.issued_on.map(Day),
            says: answer.says,
            scan_sha256: answer.scan_sha256,
            disagrees: answer.disagrees,
        });
        Self {
            id: request.id,
            application_id: request.application,
            papers: request.papers,
            province: request.province.map(|code| code.to_string()),
            from_office: request.from,
            to_office: request.to,
            owner: Role::Registrar,
            says: request.words,
            asked_by: request.asked.by,
            asked_at: request.asked.at,
            due_on: Day(request.due_on),
            outcome,
            answer,
            answered_by: answered.as_ref().map(|answered| answered.by),
            answered_at: answered.map(|answered| answered.at),
            ended_at: request.ended_at,
        }
    }
}

/// The head asks the archive of the province that the classification names, or the national office where that province
/// has none. No card is approved before it answered.
#[utoipa::path(post, path = "/api/v1/applications/{id}/archive-request", tag = "applications",
    request_body = ArchiveQuestion, responses((status = 200, body = ArchiveRequestView)))]
async fn ask_archive(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<ArchiveQuestion>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let asked = paper_archive::ask(deed, &counter, id, body.says.as_str()).await?;
        Ok::<_, CounterError>(ArchiveRequestView::from(asked))
    })
    .await
}

/// A question to an archive, without what it is about.
#[derive(Debug, Serialize, ToSchema)]
struct ArchiveRequestItem {
    /// Identifier.
    id: ArchiveRequestId,
    /// The office that asks.
    from_office: OfficeCode,
    /// The office that keeps the archive.
    to_office: OfficeCode,
    /// When it was asked.
    #[serde(with = "time::serde::rfc3339")]
    asked_at: OffsetDateTime,
    /// The last day on which it is answered in time.
    due_on: Day,
    /// True if it waits and that day is over.
    overdue: bool,
    /// How it ended; null until it is answered.
    outcome: Option<ArchiveOutcome>,
    /// When the application ended without an answer.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

/// Which questions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ArchiveRequestsAsked {
    /// Those that are answered or ended too.
    #[serde(default)]
    answered: bool,
}

/// The questions to the archive of the officer's office; for the national office, to all.
#[utoipa::path(get, path = "/api/v1/archive-requests", tag = "applications", params(PageAsked, ArchiveRequestsAsked),
    responses((status = 200, body = Page<ArchiveRequestItem>)))]
async fn list_archive_requests(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<ArchiveRequestsAsked, ArchiveRequestId>,
) -> Looked<Page<ArchiveRequestItem>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let today = desk.deeds().source().clock().today();
    let (after, answered) = (listing.after.unwrap_or(Id::nil()), listing.filter.answered);
    let rows = store::listed(&mut tx, &officer.office, answered, after, listing.most()).await?;
    let item = |(row, holds): &(Record, bool)| {
        let request = store::read(row)?;
        let item = ArchiveRequestItem {
            id: request.id,
            overdue: request.is_open() && request.due_on < today,
            from_office: request.from,
            to_office: request.to,
            asked_at: request.asked.at,
            due_on: Day(request.due_on),
            outcome: request.answered.map(|(outcome, _)| outcome),
            ended_at: request.ended_at,
            tampered: !holds,
        };
        Ok((request.id, item))
    };
    Ok(Json(Page::judged(&rows, listing.limit, item)?))
}

/// A question to an archive, with what is looked for: what the register holds of the citizen, as far as the look-up
/// needs it.
#[derive(Debug, Serialize, ToSchema)]
struct ArchiveRequestRead {
    /// The question.
    request: ArchiveRequestView,
    /// The citizen's name at birth.
    #[schema(value_type = String)]
    full_name: crypto::identity::FullName,
    /// The birth date, dd/MM/yyyy, MM/yyyy or yyyy.
    birth_date: String,
    /// The number of the old identity card, if the register knows it.
    old_id_number: Option<String>,
}

impl ArchiveRequestRead {
    fn new(request: ArchiveRequest, person: Person) -> Self {
        let Person { full_name, birth, old_id_number, .. } = person;
        Self { request: request.into(), full_name, birth_date: birth.to_string(), old_id_number }
    }
}

/// A question to the archive of the officer's office, with what is looked for.
#[utoipa::path(get, path = "/api/v1/archive-requests/{id}", tag = "applications", params(("id" = String, Path)),
    responses((status = 200, body = ArchiveRequestRead)))]
async fn read_archive_request(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ArchiveRequestId>,
) -> Looked<ArchiveRequestRead> {
    desk.look(officer, async |deed| {
        let (request, person) = paper_archive::read(deed, id).await?;
        Ok::<_, CounterError>(ArchiveRequestRead::new(request, person))
    })
    .await
}

/// What the archive has of the citizen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"outcome": "not-found", "says": "No index card under this name and year."}))]
struct ArchiveAnswerGiven {
    /// `found` with number and name, `not-found` with neither, `disagrees` with the fields that do.
    outcome: ArchiveOutcome,
    /// The number of the identity card, nine or twelve digits.
    #[schema(value_type = Option<String>, pattern = "^([0-9]{9}|[0-9]{12})$")]
    number: Option<Words<12>>,
    /// The name on the papers.
    #[schema(value_type = Option<String>)]
    full_name: Option<Words<200>>,
    /// The birth date on the papers, as it is written there.
    #[schema(value_type = Option<String>)]
    birth_date: Option<Words<20>>,
    /// The day on which the identity card was issued.
    issued_on: Option<Day>,
    /// What was looked at, at most 400 characters.
    #[schema(value_type = String)]
    says: SomeWords<MOST_OF_REASON>,
    /// SHA-256 of the scan, which stays in the archive.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{64}$")]
    scan_sha256: Option<Words<64>>,
    /// Fields in which the papers say otherwise than the register.
    #[serde(default)]
    disagrees: Vec<RegisterField>,
}

impl From<ArchiveAnswerGiven> for Answer {
    fn from(given: ArchiveAnswerGiven) -> Self {
        fn some<const MOST: usize>(words: Option<Words<MOST>>) -> Option<String> {
            words.map(String::from).filter(|words| !words.is_empty())
        }
        Self {
            number: some(given.number),
            full_name: some(given.full_name),
            birth_date: some(given.birth_date),
            issued_on: given.issued_on.map(|day| day.0),
            says: given.says.as_str().to_owned(),
            scan_sha256: some(given.scan_sha256),
            disagrees: given.disagrees,
        }
    }
}

/// Says what the archive has of the citizen. Fields in which the papers say otherwise than the register are settled as
/// the citizen's own doubts are (form DC02), before a card is approved.
#[utoipa::path(post, path = "/api/v1/archive-requests/{id}/answer", tag = "applications",
    request_body = ArchiveAnswerGiven, responses((status = 200, body = ArchiveRequestView)))]
async fn answer_archive_request(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ArchiveRequestId>,
    Write { stamp, body }: Write<ArchiveAnswerGiven>,
) -> Answered {
    let (outcome, answer) = (body.outcome, Answer::from(body));
    desk.write(officer, stamp, async |deed| {
        let answered = paper_archive::answer(deed, id, outcome, answer.clone()).await?;
        Ok::<_, CounterError>(ArchiveRequestView::from(answered))
    })
    .await
}
