//! The verbs of the counter and of the second officer.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng as _;
use thiserror::Error;
use tokio::sync::Semaphore;

use super::model::{Application, ApplicationError, Capture, Decision, Kind, Slip, Stage, TransitionError, old_enough};
use super::objects::{self, ObjectError};
use super::portrait::{Crop, PortraitError, passport_portrait};
use super::store;
use crate::access::{AccessError, OfficeCode, Officer, OfficerId};
use crate::app::App;
use crate::audit;
use crate::cards;
use crate::http::Problem;
use crate::population::check::tidy;
use crate::population::{self, steps::PopulationError};
use crate::production::{self, ProductionError};
use crate::store::{StoreError, Tx};

/// What a citizen asks for at a counter.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Whose card.
    pub person: &'a str,
    /// What is applied for.
    pub kind: Kind,
    /// At which office.
    pub office: &'a OfficeCode,
    /// Whether the fee is waived (Circular 59/2019/TT-BTC, Art. 5(1)).
    pub exempt: bool,
}

/// Opens an application: the person must have a number, be fourteen, alive and a citizen, and have no other one under way.
///
/// # Errors
/// [`CounterError`]
pub async fn register(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    request: Request<'_>,
) -> Result<Application, CounterError> {
    officer.may_act_for(request.office)?;
    // Locked, so that two counters cannot open one each.
    let registered = population::store::person_locked(tx, request.person).await?.ok_or(PopulationError::Unknown)?;
    let person = &registered.person;
    if registered.personal_number.is_none() {
        return Err(CounterError::NumberMissing);
    }
    if person.nationality != "VNM" || person.died.is_some() {
        return Err(CounterError::NotEntitled);
    }
    old_enough(person.birth, app.now().date())?;
    if store::has_open(tx, request.person).await? {
        return Err(CounterError::AlreadyOpen);
    }
    if request.kind == Kind::First && cards::store::has_active(tx, request.person).await? {
        return Err(CounterError::CardAlreadyHeld);
    }
    let mut random = [0; 10];
    app.rng().fill_bytes(&mut random);
    let has_old_card = person.old_id_number.as_ref().is_some_and(|number| number.len() == 9);
    let application = Application {
        id: app.new_id(),
        slip: Slip::draw(random),
        person: request.person.to_owned(),
        kind: request.kind,
        office: request.office.clone(),
        registered: act(app, officer),
        fee: app.config().fees.of(request.kind, has_old_card, request.exempt),
        stage: Stage::Registered,
    };
    store::insert(tx, &application).await?;
    record(tx, app, officer, "application-registered", &application.id, request.kind.word()).await?;
    Ok(application)
}

/// Makes the passport portrait of a photograph and keeps it; gives the object's name. Needs no transaction, and so holds up
/// nobody while it computes.
///
/// # Errors
/// [`CounterError::Portrait`], [`CounterError::Base64`], [`CounterError::Object`]
pub async fn develop(app: &App, photograph: &str, crop: Option<Crop>) -> Result<String, CounterError> {
    let photograph = STANDARD.decode(photograph).map_err(|_| CounterError::Base64)?;
    let _turn = AT_ONCE.acquire().await.expect("the semaphore is never closed");
    let developed = tokio::task::spawn_blocking(move || passport_portrait(&photograph, crop)).await;
    let portrait = developed.map_err(|_| PortraitError::Damaged)??;
    Ok(objects::keep(app, &portrait).await?)
}

/// `Registered → Captured`: portrait and features; again while nobody has decided.
///
/// # Errors
/// [`CounterError`]
pub async fn capture(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    id: &str,
    portrait: String,
    features: &str,
) -> Result<Application, CounterError> {
    let mut application = own(tx, officer, id).await?;
    let features = tidy(features).filter(|text| text.len() <= MAX_FEATURES).ok_or(CounterError::Features)?;
    application.stage = application.stage.capture(Capture { taken: act(app, officer), portrait, features })?;
    moved(tx, app, officer, application, "application-captured", "capture").await
}

/// `Captured → Approved`, by a second person.
///
/// # Errors
/// [`CounterError`]
pub async fn approve(tx: &mut Tx, app: &App, officer: &Officer, id: &str) -> Result<Application, CounterError> {
    let mut application = own(tx, officer, id).await?;
    let hands = hands(tx, &application).await?;
    application.stage = application.stage.approve(&hands, act(app, officer))?;
    moved(tx, app, officer, application, "application-approved", "decision").await
}

/// `Captured → Refused`, by a second person.
///
/// # Errors
/// [`CounterError`]
pub async fn refuse(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    id: &str,
    reason: &str,
) -> Result<Application, CounterError> {
    let mut application = own(tx, officer, id).await?;
    let reason = tidy(reason).ok_or(CounterError::ReasonMissing)?;
    let hands = hands(tx, &application).await?;
    application.stage = application.stage.refuse(&hands, act(app, officer), reason)?;
    moved(tx, app, officer, application, "application-refused", "decision").await
}

/// Ends an application before there is a card. A chip that it was bound to is written off with it.
///
/// # Errors
/// [`CounterError`]
pub async fn cancel(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    id: &str,
    reason: &str,
) -> Result<Application, CounterError> {
    let reason = tidy(reason).ok_or(CounterError::ReasonMissing)?;
    // Chip before application: the order in which everybody locks them.
    let bound = store::application(tx, id).await?.and_then(|application| application.stage.chip());
    if let Some(chip) = &bound {
        production::steps::lock(tx, chip).await?;
    }
    let mut application = own(tx, officer, id).await?;
    if application.stage.chip() != bound {
        return Err(TransitionError::NotFrom(application.stage.name()).into());
    }
    if let Some(chip) = &bound {
        production::steps::abandon(tx, app, officer, chip).await?;
    }
    application.stage = application.stage.cancel(act(app, officer), reason)?;
    moved(tx, app, officer, application, "application-cancelled", "cancellation").await
}

/// An application with the portrait that was taken: who decides must see what they decide on.
///
/// # Errors
/// [`CounterError`]
pub async fn read(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    id: &str,
) -> Result<(Application, Option<String>), CounterError> {
    let application = own(tx, officer, id).await?;
    let portrait = match &application.stage {
        Stage::Captured { capture }
        | Stage::Approved { capture, .. }
        | Stage::Refused { capture, .. }
        | Stage::InProduction { capture, .. }
        | Stage::Personalized { capture, .. } => Some(STANDARD.encode(&*objects::fetch(app, &capture.portrait).await?)),
        Stage::Registered | Stage::HandedOver { .. } | Stage::Cancelled { .. } => None,
    };
    record(tx, app, officer, "application-read", id, "look-up").await?;
    Ok((application, portrait))
}

/// Who had a hand in an application before it was captured: who declared the person, who opened it.
async fn hands(tx: &mut Tx, application: &Application) -> Result<Vec<OfficerId>, StoreError> {
    let declarer = population::store::declarer(tx, &application.person).await?;
    Ok(declarer.into_iter().chain([application.registered.by.clone()]).collect())
}

/// The application, if it is of the officer's office.
async fn own(tx: &mut Tx, officer: &Officer, id: &str) -> Result<Application, CounterError> {
    let application = store::application_locked(tx, id).await?.ok_or(CounterError::Unknown)?;
    officer.may_act_for(&application.office)?;
    Ok(application)
}

async fn moved(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    application: Application,
    action: &'static str,
    purpose: &str,
) -> Result<Application, CounterError> {
    store::move_to(tx, &application.id, &application.stage).await?;
    record(tx, app, officer, action, &application.id, purpose).await?;
    Ok(application)
}

async fn record(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    action: &'static str,
    id: &str,
    purpose: &str,
) -> Result<(), StoreError> {
    audit::record(tx, app, officer, action, &format!("application/{id}"), purpose).await
}

fn act(app: &App, officer: &Officer) -> Decision {
    Decision { by: officer.id.clone(), at: app.now() }
}

/// A photograph may decode to 200 MB: only so many at once, whoever sends them.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// Longest description of features in bytes: what DG13 takes.
const MAX_FEATURES: usize = crypto::lds::Dg13::MAX_TEXT;

/// Why the counter does not do what was asked.
#[derive(Debug, Error)]
pub enum CounterError {
    /// Not the officer's office.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Another application is under way.
    #[error("an application of this person is under way")]
    AlreadyOpen,
    /// Age, or words that do not fit.
    #[error(transparent)]
    Application(#[from] ApplicationError),
    /// The photograph is not base64.
    #[error("the photograph is not base64")]
    Base64,
    /// Who has a card changes it.
    #[error("the person has a card")]
    CardAlreadyHeld,
    /// No features, or too many.
    #[error("features: 1 to {MAX_FEATURES} bytes")]
    Features,
    /// Not a citizen, or dead.
    #[error("not entitled to a card")]
    NotEntitled,
    /// No number yet.
    #[error("the person has no number")]
    NumberMissing,
    /// The object store.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The person.
    #[error(transparent)]
    Person(#[from] PopulationError),
    /// The photograph.
    #[error(transparent)]
    Portrait(#[from] PortraitError),
    /// The chip.
    #[error(transparent)]
    Production(#[from] Box<ProductionError>),
    /// A refusal or cancellation without a reason.
    #[error("no reason is given")]
    ReasonMissing,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stage.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// No such application.
    #[error("application unknown")]
    Unknown,
}

impl From<ProductionError> for CounterError {
    fn from(error: ProductionError) -> Self {
        Self::Production(Box::new(error))
    }
}

impl From<TransitionError> for Problem {
    fn from(error: TransitionError) -> Self {
        match error {
            TransitionError::NotFrom(_) => Self::new(
                StatusCode::CONFLICT,
                "stage-does-not-allow",
                "Look the application up: somebody was faster, or a step is missing.",
            )
            .detail(error),
            TransitionError::SameOfficer => Self::new(
                StatusCode::FORBIDDEN,
                "second-officer-needed",
                "Ask an approver who neither declared the person nor opened, captured or already approved this application.",
            )
            .detail(error),
        }
    }
}

impl From<CounterError> for Problem {
    fn from(error: CounterError) -> Self {
        use CounterError as E;
        let said = error.to_string();
        let unfit = |code, remedy| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, remedy).detail(&said);
        let conflict = |code, remedy| Self::new(StatusCode::CONFLICT, code, remedy).detail(&said);
        match error {
            E::Access(source) => source.into(),
            E::AlreadyOpen => conflict("application-open", "Finish or cancel the application that is under way."),
            E::Application(ApplicationError::TooYoung) => {
                unfit("age-below-fourteen", "A card is issued from the fourteenth birthday (Law 59/2014, Art. 19).")
            }
            E::Application(ApplicationError::Reason) => unfit(
                "reason-unfit",
                "A first card has no reason; change and reissue have one of those that /openapi.json lists (Law 59/2014, Art. 23).",
            ),
            E::Base64 => unfit("portrait-not-base64", "Send the JPEG in standard base64 with padding."),
            E::CardAlreadyHeld => {
                conflict("card-already-held", "Apply for a change or a re-issue: this person has a card in force.")
            }
            E::Features => unfit("features-unfit", "Describe identifying features in 1 to 400 bytes of text."),
            E::NotEntitled => conflict(
                "not-entitled",
                "Cards are for living citizens of Viet Nam: look at nationality and death in the register.",
            ),
            E::NumberMissing => {
                conflict("number-missing", "Establish the personal number first: POST /api/persons/{id}/number.")
            }
            E::Object(source) => Self::internal(&source),
            E::Person(source) => source.into(),
            E::Portrait(source) => source.into(),
            E::Production(source) => (*source).into(),
            E::ReasonMissing => unfit("reason-missing", "Say why, in words that the citizen will read."),
            E::Store(source) => source.into(),
            E::Transition(source) => source.into(),
            E::Unknown => {
                Self::new(StatusCode::NOT_FOUND, "application-unknown", "Check the id of the application.").detail(said)
            }
        }
    }
}

impl From<PortraitError> for Problem {
    fn from(error: PortraitError) -> Self {
        let (status, code, remedy) = match error {
            PortraitError::Crop { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "crop-outside", "Choose a rectangle within the picture.")
            }
            PortraitError::Damaged => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "portrait-damaged",
                "Take the photograph again, or save it again as JPEG.",
            ),
            PortraitError::NotJpeg => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "portrait-not-jpeg", "Send a JPEG file (it begins with FF D8 FF).")
            }
            PortraitError::Oversize => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "portrait-oversize",
                "Send at most 2.9 MB, 12,000 pixels a side and 64 million pixels.",
            ),
            PortraitError::Restless => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "portrait-restless",
                "Take the photograph before a plain background, in focus, without noise.",
            ),
            PortraitError::TooSmall { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "portrait-too-small", "Crop less, or photograph with more pixels.")
            }
        };
        Self::new(status, code, remedy).detail(error)
    }
}
