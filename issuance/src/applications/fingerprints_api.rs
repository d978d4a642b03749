//! The ten-print card over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::api::right;
use super::fingerprint_image::{self, PrintError, PrintFinding, Sorted};
use super::fingerprints::{self, FingerprintDoubt, Print, PrintState, TenPrintCard};
use super::fingers::{Finger, NoPrint};
use super::stages::Step;
use super::{Counter, CounterError, steps};
use crate::deed::Occasion;
use crate::ground::ids::{ApplicationId, OfficerId};
use crate::ground::{Officer, Permission, blocking};
use crate::web::{Answered, Desk, Looked, Named, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::ReadApplication), routes!(list_fingerprints))
        .add(Right::Officer(Permission::ReadApplication), routes!(read_fingerprint))
        .add(right(Step::Capture), routes!(take_fingerprint))
}

/// An image of a finger, or the reason why there is none: one of both.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"finger": "left-little", "because": "amputated"}))]
struct FingerprintGiven {
    /// Which finger. Without it, the record of the scanner says it.
    finger: Option<Finger>,
    /// A finger image record (ISO/IEC 19794-4:2005, its images raw or PNG), or a PNG in 256 shades of grey, at 500
    /// pixels per inch; base64.
    image: Option<String>,
    /// Why there is no image.
    because: Option<NoPrint>,
}

/// What is known of one finger.
#[derive(Debug, Serialize, ToSchema)]
struct FingerprintView {
    /// Which finger, or which flat image.
    finger: Finger,
    /// True if there is an image.
    image: bool,
    /// Width of the image in pixels.
    width: Option<u16>,
    /// Height of the image in pixels.
    height: Option<u16>,
    /// What is to be said of the image.
    findings: Vec<PrintFinding>,
    /// Why there is no image.
    because: Option<NoPrint>,
    /// The officer who took it.
    taken_by: OfficerId,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    taken_at: OffsetDateTime,
}

/// The ten-print card of an application.
#[derive(Debug, Serialize, ToSchema)]
struct TenPrintCardView {
    /// True if the application is sent with a whole card only.
    demanded: bool,
    /// What was taken, in the order of the circular.
    prints: Vec<FingerprintView>,
    /// The fingers of which there is neither image nor reason.
    left: Vec<Finger>,
}

impl TenPrintCardView {
    fn new(card: &TenPrintCard, demanded: bool) -> Self {
        let left = card.left().collect();
        Self { demanded, prints: card.prints().iter().map(FingerprintView::from).collect(), left }
    }
}

impl From<&Print> for FingerprintView {
    fn from(print: &Print) -> Self {
        let (taken_by, taken_at) = (print.taken.by, print.taken.at);
        let (finger, none) = (print.finger, None);
        match &print.state {
            PrintState::Image { width, height, findings, .. } => {
                let (width, height, findings) = (Some(*width), Some(*height), findings.clone());
                Self { finger, image: true, width, height, findings, because: none, taken_by, taken_at }
            }
            PrintState::None { because } => Self {
                finger,
                image: false,
                width: None,
                height: None,
                findings: vec![],
                because: Some(*because),
                taken_by,
                taken_at,
            },
        }
    }
}

/// What was taken of the fingers; no image.
#[utoipa::path(get, path = "/api/v1/applications/{id}/fingerprints", tag = "applications",
    params(("id" = String, Path)), responses((status = 200, body = TenPrintCardView)))]
async fn list_fingerprints(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
) -> Looked<TenPrintCardView> {
    desk.look(officer, async |deed| {
        let application = steps::read(deed, id, Occasion::default()).await?;
        if steps::mends_only(deed.actor()) {
            return Err(CounterError::NotHeld);
        }
        let card = fingerprints::of_application(deed, id).await?;
        Ok::<_, CounterError>(TenPrintCardView::new(&card, fingerprints::is_demanded(&application)))
    })
    .await
}

/// The image of a finger.
#[derive(Debug, Serialize, ToSchema)]
struct FingerprintRecord {
    /// Which finger.
    finger: Finger,
    /// A finger image record (ISO/IEC 19794-4:2005) with a PNG in it; base64.
    record: String,
}

/// The image of one finger. Each reading is recorded with the finger. One that was erased is answered with 410, day and
/// ground.
#[utoipa::path(get, path = "/api/v1/applications/{id}/fingerprints/{finger}", tag = "applications",
    params(("id" = String, Path), ("finger" = Finger, Path, description = "Which finger.")), responses((status = 200, body = FingerprintRecord)))]
async fn read_fingerprint(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named((id, finger)): Named<(ApplicationId, Finger)>,
) -> Looked<FingerprintRecord> {
    let purpose = Occasion::default().purpose;
    let Json(print) = desk.look(officer, async |deed| fingerprints::read(deed, id, finger, purpose).await).await?;
    let record = fingerprints::record_of(&counter, &print).await?;
    Ok(Json(FingerprintRecord { finger, record: STANDARD.encode(&*record) }))
}

/// Takes the image of a finger, or why there is none, in the place of what was known of it.
#[utoipa::path(post, path = "/api/v1/applications/{id}/fingerprints", tag = "applications",
    request_body = FingerprintGiven, responses((status = 200, body = TenPrintCardView)))]
async fn take_fingerprint(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<FingerprintGiven>,
) -> Answered {
    let developed = match (&body.image, body.because) {
        (Some(_), None) => Some(developed(&counter, &body).await?),
        (None, Some(_)) if body.finger.is_some() => None,
        _ => return Err(CounterError::from(FingerprintDoubt::OneOfBoth).into()),
    };
    desk.write(officer, stamp, async |deed| {
        // Before the record of what is taken, which tells of this look too.
        let demanded = fingerprints::is_demanded(&steps::of_office(deed, id).await?);
        let card = match (developed, body.finger, body.because) {
            (Some(developed), ..) => {
                let taken = fingerprints::take(deed, &counter, id, developed).await?;
                // One image was given: what is not taken is refused.
                if let Some((_, other)) = taken.same.first() {
                    return Err(FingerprintDoubt::from(PrintError::Same(*other)).into());
                }
                taken.card
            }
            (None, Some(finger), Some(because)) => fingerprints::miss(deed, &counter, id, finger, because).await?,
            _ => return Err(FingerprintDoubt::OneOfBoth.into()),
        };
        Ok::<_, CounterError>(TenPrintCardView::new(&card, demanded))
    })
    .await
}

async fn developed(counter: &Counter, given: &FingerprintGiven) -> Result<Vec<fingerprints::Developed>, CounterError> {
    let (image, finger) = (given.image.clone().unwrap_or_default(), given.finger);
    let Sorted { right, wrong } = blocking::run(move || {
        let file = STANDARD.decode(image).map_err(|_| FingerprintDoubt::Base64)?;
        Ok::<_, FingerprintDoubt>(fingerprint_image::sorted(&[("", &file)], finger))
    })
    .await?;
    match wrong.into_iter().next() {
        Some((_, error)) => Err(FingerprintDoubt::from(error).into()),
        None => fingerprints::develop(counter, right).await,
    }
}
