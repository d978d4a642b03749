//! Applications over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::appeals::{self, ComplaintView};
use super::cases::{OldDocument, case};
use super::model::{
    Application, DossierDigest, Kind, KindAndReason, KindName, ReasonName, ReturnReason, Slip, Stage, StageName,
};
use super::notices::notice;
use super::paper_archive::{self, OfPapers};
use super::paper_archive_api::{self, ArchiveRequestView, ClassificationView};
use super::portrait::Crop;
use super::register_check::{self, RegisterCheckSaid, RegisterCheckView};
use super::stages::{By, Step};
use super::steps::{self, Keeping, Missing, Request};
use super::store::closed::Erased;
use super::{
    Counter, CounterError, claims, deciders, fingerprints_api, hand_over, lists, payments_api, reading, reference,
};
use crate::bookings::{self, BookingOfApplication};
use crate::deed::Occasion;
use crate::ground::ids::{ApplicationId, CardId, HoldId, OfficerId, PersonId};
use crate::ground::objects::ObjectError;
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::ground::{OfficeCode, Officer, Permission, Role};
use crate::offices::calendar::Day;
use crate::population;
use crate::population::PersonDuplicates;
use crate::population::model::Claim;
use crate::web::{Answered, Desk, Looked, Named, Nothing, OccasionAsked, Right, Routes, Write};

/// The routes of this office. Cancellation is a route of `production`, since a chip may go with it.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Apply), routes!(register))
        .add(Right::Officer(Permission::ReadApplication), routes!(read))
        .add(Right::Officer(Permission::ReadApplication), routes!(read_portrait))
        .add(right(Step::Capture), routes!(capture))
        .add(right(Step::Approve), routes!(approve))
        .add(right(Step::Check), routes!(check))
        .add(right(Step::Refuse), routes!(refuse))
        .add(right(Step::Return), routes!(give_back))
        .add(right(Step::Resubmit), routes!(resubmit))
        .add(right(Step::Withdraw), routes!(withdraw))
        .add(right(Step::Release), routes!(release))
        .merge(appeals::routes())
        .merge(claims::routes())
        .merge(fingerprints_api::routes())
        .merge(hand_over::routes())
        .merge(payments_api::routes())
        .merge(reading::routes())
        .merge(lists::routes())
        .merge(paper_archive_api::routes())
        .merge(reference::routes())
        .merge(register_check::routes())
}

/// The right to take a step, as the table of stages says it.
pub(super) fn right(step: Step) -> Right {
    match step.by() {
        By::Officer(permission) => Right::Officer(permission),
        By::Register | By::Service | By::Station => Right::Station,
    }
}

/// What a citizen asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"person_id": "0197a3f0-1234-7abc-8def-0123456789ab", "kind": "first", "office": "003-001"}))]
struct Registration {
    /// The register's id of the person.
    person_id: PersonId,
    /// `first`, `change` or `reissue`.
    #[schema(value_type = KindName)]
    kind: Words<40>,
    /// For a change `age-reached`, `damaged`, `name-or-features-changed`, `sex-or-origin-redetermined`, `error-on-card`
    /// or `on-request`; for a re-issue `lost` or `nationality-regained`.
    #[schema(value_type = Option<ReasonName>)]
    reason: Option<Words<40>>,
    /// The office where the card will be handed over.
    office: OfficeCode,
    /// The fee is waived without a ground: only where the house asks for no payment (`applications.fees.pay_before`).
    /// Elsewhere an exemption is entered with its ground and evidence.
    #[serde(default)]
    fee_exempt: bool,
    /// Needed where another office registered the person: what the citizen tells or shows at the counter.
    claim: Option<Claim>,
    /// The officer knows what the register says against it, and answers for it.
    #[serde(default)]
    acknowledged: bool,
    /// Why it is right all the same, at most 400 characters; for the audit trail.
    #[serde(default)]
    #[schema(value_type = String)]
    because: Words<MOST_OF_REASON>,
}

/// What the counter took.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Captured {
    /// A photograph: JPEG in base64.
    portrait: String,
    /// Head and shoulders in it; without, the middle.
    crop: Option<Crop>,
    /// Identifying features.
    #[schema(value_type = String)]
    features: Words<MOST_OF_REASON>,
    /// What the citizen says to what the register holds.
    register_check: Option<RegisterCheckSaid>,
}

/// What the officer saw and agrees to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Approval {
    /// `dossier_sha256` of the application as this officer read it: 64 hexadecimal digits.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{64}$")]
    dossier: Option<DossierDigest>,
}

/// The reason of a decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "The portrait shows another person."}))]
struct ReasonForCitizen {
    /// In words that the citizen will read, at most 400 characters.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// What the citizen is to bring.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reasons": ["evidence-missing"], "says": "Bring the birth certificate.", "until": "2027-03-01"}))]
struct Bring {
    /// What is missing or wrong: one or more.
    reasons: Vec<ReturnReason>,
    /// In words that the citizen will read, at most 400 characters.
    #[schema(value_type = String)]
    says: SomeWords<MOST_OF_REASON>,
    /// The last day on which the citizen may bring it: after today.
    until: Day,
}

/// An application as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApplicationView {
    /// Identifier.
    id: ApplicationId,
    /// Where it stands.
    #[schema(value_type = StageName)]
    stage: &'static str,
    /// The person who applies.
    person_id: PersonId,
    /// What is applied for, and why.
    #[schema(value_type = KindAndReason)]
    kind: Kind,
    /// The office.
    office: OfficeCode,
    /// What the citizen brings to fetch the card; shown at the counter that prints it, and not to an officer who may
    /// hand the card over, to whom it proves that the citizen is there.
    slip: Option<Slip>,
    /// The fee, in đồng.
    fee_dong: u32,
    /// What is taken back from the citizen, and when.
    old_document: OldDocument,
    /// The moment at which it was opened.
    #[serde(with = "time::serde::rfc3339")]
    registered_at: OffsetDateTime,
    /// The chip that it is being written on.
    #[schema(value_type = Option<String>, pattern = "^[0-9A-F]{20}$")]
    chip: Option<crypto::identity::CardSerial>,
    /// The card that it became.
    card_id: Option<CardId>,
    /// Identifying features.
    features: Option<String>,
    /// The portrait as it goes on the chip, base64; only when read.
    portrait: Option<String>,
    /// Names what this officer sees here, for an approval; only when read, and another one for each officer.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{64}$")]
    dossier_sha256: Option<DossierDigest>,
    /// Why it was refused, returned, cancelled or held.
    reason: Option<String>,
    /// What the citizen is to bring.
    return_reasons: Option<Vec<ReturnReason>>,
    /// True if it ended since the citizen wanted it no more.
    withdrawn: bool,
    /// What the citizen is told in writing of a refusal or a return, in Vietnamese.
    notice: Option<String>,
    /// The role that has it; none at an end.
    owner: Option<Role>,
    /// The office that has it; none at an end.
    owner_office: Option<OfficeCode>,
    /// The last day on which it leaves the stage in time, and on which the citizen may bring what is missing.
    due_on: Option<Day>,
    /// The day that the citizen was promised.
    promised_on: Option<Day>,
    /// The role that mends what a held application is held for.
    held_for: Option<Role>,
    /// Until when the citizen may complain about a refusal.
    #[schema(format = Date)]
    appeal_until: Option<String>,
    /// The citizen's complaint about the refusal, while it is open and once it is not upheld.
    complaint: Option<ComplaintView>,
    /// Other persons who are probably the citizen, who was then declared twice; only when read while it waits for its
    /// decision.
    likely_doubles: Option<PersonDuplicates>,
    /// True where it waits for a decision, and each officer in service who could take it had a hand in it: another
    /// approver is to be appointed at the office that has it, or moved there; only when read.
    lacks_decider: bool,
    /// What the citizen said to what the register holds; only when read.
    register_check: Option<RegisterCheckView>,
    /// Where the papers of the citizen's old identity card lie; only when read by an officer who captures or decides.
    classification: Option<ClassificationView>,
    /// What archives of papers were asked and answered, the first question first; likewise.
    archive_requests: Option<Vec<ArchiveRequestView>>,
    /// The citizen's booking that it took; only when opened and when read.
    booking: Option<BookingOfApplication>,
    /// The officer who has taken it for some minutes; only when read.
    claimed_by: Option<OfficerId>,
    /// Until when; only when read.
    #[serde(with = "time::serde::rfc3339::option")]
    claimed_until: Option<OffsetDateTime>,
    /// The legal hold that keeps it from being erased; only when read.
    legal_hold: Option<HoldId>,
    /// Since when the portrait is erased; only when read.
    #[serde(with = "time::serde::rfc3339::option")]
    portrait_erased_at: Option<OffsetDateTime>,
    /// Since when the other captured data are erased; only when read.
    #[serde(with = "time::serde::rfc3339::option")]
    dossier_erased_at: Option<OffsetDateTime>,
    /// The ground on which it was erased, the last one of both.
    erased_because: Option<String>,
}

/// True for an officer who prints the slip of an application: one of the counter. To an officer who may hand the card
/// over, the slip proves that the citizen is there; but the officer who opened the application prints it, and does not
/// hand the card over.
pub(super) fn prints_slip(officer: &Officer, application: &Application) -> bool {
    let hands_over = officer.may(Permission::HandOver) && !officer.is_one_with(application.registered.by);
    officer.may(Permission::Apply) && !hands_over
}

impl ApplicationView {
    pub(crate) fn new(application: Application, portrait: Option<String>, officer: &Officer) -> Self {
        let prints = prints_slip(officer, &application);
        let (stage, chip) = (application.stage.name(), application.stage.chip());
        let features = application.stage.capture_of().map(|capture| capture.features.clone());
        let capture = application.stage.capture_of().filter(|_| portrait.is_some());
        let dossier_sha256 = capture.map(|capture| capture.dossier(officer.id));
        let (mut card_id, mut reason, mut appeal_until, mut held_for) = (None, None, None, None);
        let (mut return_reasons, mut withdrawn, notice) = (None, false, notice(&application));
        let (owner_office, owner) = application.progress.owner.unzip();
        let complaint = ComplaintView::of(&application.stage);
        match application.stage {
            Stage::Registered
            | Stage::Captured { .. }
            | Stage::Checked { .. }
            | Stage::LocallyApproved { .. }
            | Stage::Approved { .. }
            | Stage::InProduction { .. } => {}
            Stage::Returned { reasons, says, .. } => (return_reasons, reason) = (Some(reasons), Some(says)),
            Stage::Held { hold, .. } => (reason, held_for) = (Some(hold.reason.word().to_owned()), Some(hold.owner)),
            Stage::Refused { reason: why, appeal_until: until, .. }
            | Stage::Appealed { reason: why, appeal_until: until, .. } => {
                (reason, appeal_until) = (Some(why), Some(until.to_string()));
            }
            Stage::Shipped { card, .. }
            | Stage::Personalized { card, .. }
            | Stage::NotFetched { card, .. }
            | Stage::HandedOver { card, .. } => {
                card_id = Some(card);
            }
            Stage::Cancelled { reason: why, withdrawn: wanted, .. } => (reason, withdrawn) = (Some(why), wanted),
        }
        Self {
            id: application.id,
            stage,
            person_id: application.person,
            kind: application.kind,
            office: application.office,
            slip: prints.then_some(application.slip),
            fee_dong: application.fee,
            old_document: case(application.kind).old,
            registered_at: application.registered.at,
            chip,
            card_id,
            features,
            portrait,
            dossier_sha256,
            reason,
            return_reasons,
            withdrawn,
            notice,
            owner,
            owner_office,
            due_on: application.progress.due.map(Day),
            promised_on: application.progress.promised.map(Day),
            held_for,
            appeal_until,
            complaint,
            likely_doubles: None,
            lacks_decider: false,
            register_check: None,
            classification: None,
            archive_requests: None,
            booking: None,
            claimed_by: None,
            claimed_until: None,
            legal_hold: None,
            portrait_erased_at: None,
            dossier_erased_at: None,
            erased_because: None,
        }
    }

    /// With what is kept and what was erased of it.
    fn with(self, keeping: Keeping) -> Self {
        let Erased { portrait, dossier } = keeping.erased;
        let at = |erased: &Option<(OffsetDateTime, String)>| erased.as_ref().map(|(at, _)| *at);
        let (portrait_erased_at, dossier_erased_at) = (at(&portrait), at(&dossier));
        let erased_because = dossier.or(portrait).map(|(_, ground)| ground);
        Self { legal_hold: keeping.hold, portrait_erased_at, dossier_erased_at, erased_because, ..self }
    }
}

/// Opens an application.
#[utoipa::path(post, path = "/api/v1/applications", tag = "applications", request_body = Registration,
    responses((status = 201, body = ApplicationView, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn register(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Write { stamp, body }: Write<Registration>,
) -> Answered {
    let (person, claim) = (body.person_id, body.claim.as_ref());
    let open = async || {
        desk.write(officer.clone(), stamp, async |deed| {
            let kind = Kind::parse(body.kind.as_str(), body.reason.as_ref().map(Words::as_str))?;
            let acknowledged = body.acknowledged.then_some(body.because.as_str());
            let (office, exempt) = (&body.office, body.fee_exempt);
            let request = Request { person, kind, office, exempt, claim, acknowledged };
            let application = steps::register(deed, &counter, request).await?;
            let booking = bookings::steps::of_application(deed.tx(), application.id).await?;
            let booking = booking.map(BookingOfApplication::from);
            Ok::<_, CounterError>(ApplicationView { booking, ..ApplicationView::new(application, None, &officer) })
        })
        .await
    };
    let opened = if claim.is_some() { population::claimed(&desk, &officer, person, open).await } else { open().await };
    opened.map(|made| made.created("/api/v1/applications/", "id"))
}

/// An application as it stands, with the portrait that was taken.
#[utoipa::path(get, path = "/api/v1/applications/{id}", tag = "applications", params(OccasionAsked),
    responses((status = 200, body = ApplicationView)))]
async fn read(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    occasion: Occasion,
) -> Looked<ApplicationView> {
    let Json((application, keeping, likely, claim, check, papers, booking, lacks_decider)) = desk
        .look(officer.clone(), async |deed| {
            let application = steps::read(deed, id, occasion).await?;
            let keeping = steps::keeping(deed, &application).await?;
            let likely = steps::likely_doubles(deed, &application, occasion).await?;
            let at = deed.at();
            let claim = claims::standing(deed.tx(), &application, at).await?;
            let check = register_check::unsettled(deed, &application).await?;
            let sees_papers = deed.actor().may(Permission::Capture) || deed.actor().may(Permission::Decide);
            let papers =
                if sees_papers { Some(paper_archive::of_application(deed.tx(), application.id).await?) } else { None };
            let booking = bookings::steps::of_application(deed.tx(), id).await?;
            let lacks_decider = officer.may(Permission::Decide) && deciders::lacks_one(deed.tx(), id, at).await?;
            Ok::<_, CounterError>((application, keeping, likely, claim, check, papers, booking, lacks_decider))
        })
        .await?;
    let portrait = if steps::mends_only(&officer) { None } else { steps::portrait_of(&counter, &application).await? };
    let view = ApplicationView::new(application, portrait, &officer).with(keeping);
    let (claimed_by, claimed_until) = claim.map(|claim| (claim.officer, claim.until)).unzip();
    let likely_doubles = likely.map(PersonDuplicates::from);
    let (register_check, booking) = (check.map(RegisterCheckView::from), booking.map(BookingOfApplication::from));
    let classification = papers.as_ref().and_then(ClassificationView::of);
    let archive_requests =
        papers.map(|OfPapers { requests, .. }| requests.into_iter().map(ArchiveRequestView::from).collect());
    let view = ApplicationView { lacks_decider, classification, archive_requests, ..view };
    Ok(Json(ApplicationView { likely_doubles, register_check, booking, claimed_by, claimed_until, ..view }))
}

/// A portrait.
#[derive(Debug, Serialize, ToSchema)]
struct PortraitView {
    /// As it goes on the chip: JPEG in base64.
    portrait: String,
}

/// The portrait that was taken. One that was erased is answered with 410, day and ground.
#[utoipa::path(get, path = "/api/v1/applications/{id}/portrait", tag = "applications",
    params(("id" = String, Path)), responses((status = 200, body = PortraitView)))]
async fn read_portrait(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
) -> Looked<PortraitView> {
    let Json(application) = desk.look(officer, async |deed| steps::read_portrait(deed, id).await).await?;
    let portrait = steps::portrait_of(&counter, &application).await?;
    Ok(Json(PortraitView { portrait: portrait.ok_or(CounterError::Object(ObjectError::Lost))? }))
}

/// Takes portrait and features; again before the decision.
#[utoipa::path(post, path = "/api/v1/applications/{id}/capture", tag = "applications", request_body = Captured,
    responses((status = 200, body = ApplicationView)))]
async fn capture(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<Captured>,
) -> Answered {
    let portrait = steps::develop(&counter, body.portrait, body.crop).await?;
    desk.write(officer.clone(), stamp, async |deed| {
        let mut application = steps::capture(deed, id, portrait, body.features.as_str()).await?;
        if let Some(said) = body.register_check {
            application = register_check::say(deed, id, said.fields()?).await?;
        }
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// A second officer agrees to what that officer saw.
#[utoipa::path(post, path = "/api/v1/applications/{id}/approval", tag = "applications", request_body = Approval,
    responses((status = 200, body = ApplicationView)))]
async fn approve(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<Approval>,
) -> Answered {
    let portrait = steps::fetch_portrait(desk.deeds(), &counter, id).await?;
    desk.write(officer.clone(), stamp, async |deed| {
        let application = steps::approve(deed, &counter, id, body.dossier, portrait).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// The head of the team finds in order what that officer saw, where the office has a check before the approval.
#[utoipa::path(post, path = "/api/v1/applications/{id}/check", tag = "applications", request_body = Approval,
    responses((status = 200, body = ApplicationView)))]
async fn check(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<Approval>,
) -> Answered {
    desk.write(officer.clone(), stamp, async |deed| {
        let application = steps::check(deed, id, body.dossier).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// The citizen is to bring what is missing, until a day. The terms of the law rest meanwhile.
#[utoipa::path(post, path = "/api/v1/applications/{id}/return", tag = "applications",
    operation_id = "return_application", request_body = Bring, responses((status = 200, body = ApplicationView)))]
async fn give_back(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<Bring>,
) -> Answered {
    let Bring { reasons, says, until } = body;
    desk.write(officer.clone(), stamp, async |deed| {
        let missing = Missing { reasons, says: says.as_str(), until: until.0 };
        let application = steps::give_back(deed, &counter, id, missing).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// The citizen brought what was missing, and what was captured stands. Where nothing was captured, or it is to be taken
/// again, capture it instead.
#[utoipa::path(post, path = "/api/v1/applications/{id}/resubmission", tag = "applications", request_body = Nothing,
    responses((status = 200, body = ApplicationView)))]
async fn resubmit(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer.clone(), stamp, async |deed| {
        let application = steps::resubmit(deed, id).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// The citizen does not want the card any more. While it is being written, the office cancels it.
#[utoipa::path(post, path = "/api/v1/applications/{id}/withdrawal", tag = "applications",
    request_body = ReasonForCitizen, responses((status = 200, body = ApplicationView)))]
async fn withdraw(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<ReasonForCitizen>,
) -> Answered {
    desk.write(officer.clone(), stamp, async |deed| {
        let application = steps::withdraw(deed, id, body.reason.as_str()).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// A second officer disagrees.
#[utoipa::path(post, path = "/api/v1/applications/{id}/refusal", tag = "applications", request_body = ReasonForCitizen,
    responses((status = 200, body = ApplicationView)))]
async fn refuse(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<ReasonForCitizen>,
) -> Answered {
    desk.write(officer.clone(), stamp, async |deed| {
        let application = steps::refuse(deed, id, body.reason.as_str()).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}

/// A held application goes back into the queue, once a card can carry it. By an officer who had no hand in it: its
/// approval stands.
#[utoipa::path(post, path = "/api/v1/applications/{id}/release", tag = "applications", request_body = Nothing,
    responses((status = 200, body = ApplicationView)))]
async fn release(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    let portrait = steps::fetch_portrait(desk.deeds(), &counter, id).await?;
    desk.write(officer.clone(), stamp, async |deed| {
        let application = steps::release(deed, &counter, id, portrait).await?;
        Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
    })
    .await
}
