//! Notices over HTTP, and where a citizen wants to be told.

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::model::{Addresses, Channel, Contact, Language, Notice, NoticeKind, NoticeState};
use super::steps::{self, NoticeError, Wish};
use super::{Notices, draw};
use crate::ground::ids::{ApplicationId, BookingId, NoticeId, OfficerId, PersonId};
use crate::ground::text::Words;
use crate::ground::{Officer, Permission, blocking};
use crate::web::{Answered, Desk, Looked, Named, Nothing, Problem, Right, Routes, Write};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Notices: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::ReadNotice), routes!(list))
        .add(Right::Officer(Permission::Apply), routes!(list_of_booking))
        .add(Right::Officer(Permission::ReadNotice), routes!(letter))
        .add(Right::Officer(Permission::Apply), routes!(delivered))
        .add(Right::Officer(Permission::Apply), routes!(contact))
        .add(Right::Officer(Permission::Apply), routes!(set_contact))
}

/// A notice, without what it says.
#[derive(Debug, Serialize, ToSchema)]
struct NoticeView {
    /// Identifier.
    id: NoticeId,
    /// What it is about.
    kind: NoticeKind,
    /// The application; null for a notice about a booking.
    application_id: Option<ApplicationId>,
    /// The booking; null for a notice about an application.
    booking_id: Option<BookingId>,
    /// Its language.
    language: Language,
    /// What the citizen quotes, for ever.
    reference: String,
    /// By which way it leaves.
    channel: Channel,
    /// How far it is.
    state: NoticeState,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    written_at: OffsetDateTime,
    /// When it was sent, posted or handed over.
    #[serde(with = "time::serde::rfc3339::option")]
    sent_at: Option<OffsetDateTime>,
    /// Attempts that began.
    attempts: u32,
    /// Attempts after one whose end is not known: the citizen may have it twice, under the same reference.
    repeats: u32,
    /// Why the last attempt failed.
    failure: Option<String>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

impl NoticeView {
    fn new(notice: Notice, holds: bool) -> Self {
        Self {
            id: notice.id,
            kind: notice.kind,
            application_id: notice.about.application(),
            booking_id: notice.about.booking(),
            language: notice.language,
            reference: notice.reference,
            channel: notice.channel,
            state: notice.state,
            written_at: notice.written_at,
            sent_at: notice.ended_at,
            attempts: notice.attempts,
            repeats: notice.repeats,
            failure: notice.failure,
            tampered: !holds,
        }
    }
}

/// The notices of an application or of a booking.
#[derive(Debug, Serialize, ToSchema)]
struct NoticesOfApplication {
    /// The oldest first.
    items: Vec<NoticeView>,
}

/// The notices that were written about an application, without what they say.
#[utoipa::path(get, path = "/api/v1/applications/{id}/notices", tag = "applications", operation_id = "list_notices",
    params(("id" = String, Path)), responses((status = 200, body = NoticesOfApplication)))]
async fn list(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
) -> Looked<NoticesOfApplication> {
    desk.look(officer, async |deed| {
        let notices = steps::of_application(deed, id).await?;
        let items = notices.into_iter().map(|(notice, holds)| NoticeView::new(notice, holds)).collect();
        Ok::<_, NoticeError>(NoticesOfApplication { items })
    })
    .await
}

/// The notices that were written about a booking, without what they say.
#[utoipa::path(get, path = "/api/v1/bookings/{id}/notices", tag = "bookings",
    operation_id = "list_notices_of_booking", params(("id" = String, Path)),
    responses((status = 200, body = NoticesOfApplication)))]
async fn list_of_booking(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<BookingId>,
) -> Looked<NoticesOfApplication> {
    desk.look(officer, async |deed| {
        let notices = steps::of_booking(deed, id).await?;
        let items = notices.into_iter().map(|(notice, holds)| NoticeView::new(notice, holds)).collect();
        Ok::<_, NoticeError>(NoticesOfApplication { items })
    })
    .await
}

/// A notice as a letter (PDF, A4): to print and hand over, or to post.
#[utoipa::path(get, path = "/api/v1/notices/{id}/letter", tag = "applications", params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf")))]
async fn letter(
    State(desk): State<Desk>,
    State(notices): State<Notices>,
    officer: Officer,
    Named(id): Named<NoticeId>,
) -> Result<Response, Problem> {
    let read = async |deed: &mut crate::deed::Deed<Officer>| steps::letter(deed, &notices, id).await;
    let Json(letter) = desk.look(officer, read).await?;
    let pdf = blocking::run(move || draw(&letter)).await;
    let kind = HeaderValue::from_static("application/pdf");
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], pdf)
        .into_response())
}

/// Notes that a notice was handed over or posted as a letter: it is sent no other way.
#[utoipa::path(post, path = "/api/v1/notices/{id}/delivery", tag = "applications", operation_id = "deliver_notice",
    request_body = Nothing, responses((status = 200, body = NoticeView)))]
async fn delivered(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<NoticeId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        steps::delivered(deed, id).await.map(|notice| NoticeView::new(notice, true))
    })
    .await
}

/// Where a citizen wants to be told.
#[derive(Serialize, ToSchema)]
struct ContactView {
    /// In which language.
    language: Language,
    /// The address for e-mail.
    email: Option<String>,
    /// The telephone number.
    phone: Option<String>,
    /// When the citizen agreed to be told there.
    #[serde(with = "time::serde::rfc3339::option")]
    consent_at: Option<OffsetDateTime>,
    /// The officer who wrote it down; null if the citizen never said.
    changed_by: Option<OfficerId>,
}

impl ContactView {
    fn of(found: Option<(Contact, Addresses)>) -> Self {
        let (contact, addresses) = found.unzip();
        let Addresses { email, phone } = addresses.unwrap_or_default();
        Self {
            language: contact.as_ref().map_or(Language::Vi, |contact| contact.language),
            email,
            phone,
            consent_at: contact.as_ref().and_then(|contact| contact.consent_at),
            changed_by: contact.map(|contact| contact.changed_by),
        }
    }
}

/// What a citizen says about where to be told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "mau@example.vn", "phone": "+84912345678", "language": "vi", "consent": true}))]
struct ContactBody {
    /// An address of e-mail in ASCII; empty for none.
    #[serde(default)]
    #[schema(value_type = String)]
    email: Words<254>,
    /// A telephone number with its country; empty for none.
    #[serde(default)]
    #[schema(value_type = String)]
    phone: Words<20>,
    /// The language of the notices.
    language: Language,
    /// True: the citizen agrees to be told there. Without it no address is kept.
    #[serde(default)]
    consent: bool,
}

/// Where a citizen wants to be told.
#[utoipa::path(get, path = "/api/v1/persons/{id}/contact", tag = "population", operation_id = "read_contact",
    params(("id" = String, Path)), responses((status = 200, body = ContactView)))]
async fn contact(State(desk): State<Desk>, officer: Officer, Named(id): Named<PersonId>) -> Looked<ContactView> {
    desk.look(officer, async |deed| steps::contact(deed, id).await.map(ContactView::of)).await
}

/// Writes down where a citizen wants to be told, in the place of what was known. Without an address the citizen is told
/// by letter.
#[utoipa::path(post, path = "/api/v1/persons/{id}/contact", tag = "population", operation_id = "set_contact",
    request_body = ContactBody, responses((status = 200, body = ContactView)))]
async fn set_contact(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body }: Write<ContactBody>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let (email, phone) = (body.email.as_str(), body.phone.as_str());
        let wish = Wish { language: body.language, email, phone, consent: body.consent };
        steps::set_contact(deed, id, wish).await.map(|found| ContactView::of(Some(found)))
    })
    .await
}
