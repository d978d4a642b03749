//! Hand-over: the citizen brings the slip and takes the card; what the citizen had before is revoked
//! in the same transaction.

use axum::extract::{FromRef, State};
use crypto::identity::{CardSerial, PersonalNumber};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::fees::PayBefore;
use super::model::{Slip, StageName, TransitionError};
use super::progress::move_to;
use super::store::lists::{self as store_lists, Wanted, Window};
use super::{Counter, CounterError, claims, payments, steps, store};
use crate::cards::model::{Status, StatusError};
use crate::cards::{self, CardError};
use crate::deed::{Action, Deed, Entry, Object, Occasion, Purpose};
use crate::ground::ids::{ApplicationId, CardId, PersonId};
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::ground::{Id, OfficeCode, Officer, Permission, words};
use crate::population::search::{SearchError, Sought};
use crate::store::{Record, StoreError};
use crate::web::{Answered, Desk, Named, Right, Routes, Write};

/// `Personalized → HandedOver`, and the card is active. Returns the ids of the cards that it replaced.
///
/// # Errors
/// [`HandOverError`]
pub async fn hand_over(deed: &mut Deed<Officer>, id: CardId, slip: &str) -> Result<Vec<CardId>, HandOverError> {
    Ok(hands_over(deed, None, id, slip, "").await?.0)
}

/// As [`hand_over`], where the house may ask that the fee is settled and the body of the card checked before.
///
/// # Errors
/// [`HandOverError`]; [`FeeRefusal::Unpaid`](super::payments::FeeRefusal::Unpaid) once the slip is the card's.
pub async fn hand_over_settled(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: CardId,
    slip: &str,
) -> Result<Vec<CardId>, HandOverError> {
    Ok(hands_over(deed, Some(counter), id, slip, "").await?.0)
}

async fn hands_over(
    deed: &mut Deed<Officer>,
    settled: Option<&Counter>,
    id: CardId,
    slip: &str,
    because: &str,
) -> Result<(Vec<CardId>, PersonId), HandOverError> {
    let mut card = cards::steps::of_office(deed, id).await?;
    let application = store::application_locked(deed, card.application).await?;
    let mut application = application.ok_or(CardError::Unknown)?;
    // This officer was shown the slip's number: from that hand it does not show that the citizen is there.
    if deed.actor().is_one_with(application.registered.by) {
        return Err(HandOverError::SameOfficer);
    }
    let free = claims::free_for_actor(deed, &application).await;
    free.map_err(|error| HandOverError::Counter(Box::new(error)))?;
    if !application.slip.matches(slip) {
        return Err(HandOverError::Slip);
    }
    if let Some(counter) = settled {
        let settled = payments::must_be_settled(deed, counter, PayBefore::HandOver, &application).await;
        settled.map_err(|error| HandOverError::Counter(Box::new(error)))?;
    }
    let handed_over = deed.decision();
    let body_check = settled.is_some_and(Counter::demands_body_check);
    let revoked = cards::steps::activate(deed, &mut card, handed_over.clone(), body_check).await?;
    application.stage = application.stage.hand_over(handed_over)?;
    move_to(deed, application.id, &application.stage).await?;
    steps::close_case(deed, &application).await?;
    let entry = Entry::new(Action::CardHandedOver, Object::Card(id), Purpose::HandOver).about(card.person);
    let reason = (!because.is_empty()).then(|| because.to_owned());
    deed.enter(Entry { reason, ..entry }).await?;
    Ok((revoked, card.person))
}

/// What the officer saw and took at a hand-over, beside the slip.
#[derive(Clone, Debug, Default)]
pub struct HandOverSeen {
    /// What the officer compared; it stands in the trail.
    pub checks: Vec<HandOverCheck>,
    /// What became of the document that the citizen had; it stands in the trail.
    pub old_document: Option<OldDocumentEnd>,
    /// Number of the envelope, or of the minutes, in which the old document was kept; perhaps empty.
    pub envelope: Words<40>,
}

/// What an officer compares before a card is handed over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HandOverCheck {
    /// A reader said that the chip is to be trusted, and showed what the register holds.
    ChipTrusted,
    /// The person who came is the one on the portrait.
    FaceCompared,
}

words! {
    HandOverCheck {
        ChipTrusted = "chip-trusted",
        FaceCompared = "face-compared",
    }
}

/// What became of the document that the citizen had.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OldDocumentEnd {
    /// Taken back, and still to be read.
    Collected,
    /// Taken back, spoiled or worn.
    CollectedDamaged,
    /// The citizen says that it is lost.
    DeclaredLost,
}

words! {
    OldDocumentEnd {
        Collected = "collected",
        CollectedDamaged = "collected-damaged",
        DeclaredLost = "declared-lost",
    }
}

/// As [`hand_over_settled`]; the trail tells what the officer compared, and what became of the citizen's old document.
///
/// # Errors
/// [`HandOverError`]
pub async fn hand_over_seen(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: CardId,
    slip: &str,
    seen: &HandOverSeen,
) -> Result<Vec<CardId>, HandOverError> {
    let HandOverSeen { checks, old_document, envelope } = seen;
    let because: Vec<&str> =
        HandOverCheck::ALL.iter().filter(|one| checks.contains(one)).map(|one| one.word()).collect();
    let (revoked, person) = hands_over(deed, Some(counter), id, slip, &because.join(", ")).await?;
    if let Some(end) = old_document {
        let words = match envelope.as_str() {
            "" => end.word().to_owned(),
            envelope => format!("{}: {envelope}", end.word()),
        };
        let entry = Entry::new(Action::OldDocumentSettled, Object::Card(id), Purpose::HandOver).about(person);
        let related = revoked.first().map(|old| Object::Card(*old));
        deed.enter(Entry { related, ..entry.because(words) }).await?;
    }
    Ok(revoked)
}

/// Records that a card was not handed over to the person who came for it, with the officer's reason. The card stays
/// where it is, and waits for its holder.
///
/// # Errors
/// [`HandOverError::Card`] for a card of another office, or one that does not wait to be handed over
pub async fn refuse(deed: &mut Deed<Officer>, id: CardId, reason: &str) -> Result<(), HandOverError> {
    let card = cards::steps::of_office(deed, id).await?;
    if card.status != Status::Personalized {
        return Err(CardError::Status(StatusError(card.status.word())).into());
    }
    let entry = Entry::new(Action::CardHandOverRefused, Object::Card(id), Purpose::HandOver).about(card.person);
    deed.enter(entry.with(Object::Application(card.application)).of(&card.office).because(reason)).await?;
    Ok(())
}

/// Where the card of an application lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Lies {
    /// The application.
    pub application: ApplicationId,
    /// The office that has the application, and hands the card over.
    pub office: OfficeCode,
    /// Its stage.
    pub stage: StageName,
}

/// Finds the application of a slip, at whichever office: with the slip in hand the citizen may
/// know where the card lies.
///
/// # Errors
/// [`HandOverError::Store`]
pub(super) async fn by_slip(deed: &mut Deed<Officer>, text: &str) -> Result<Option<Lies>, HandOverError> {
    let (slip, any) = (Slip::typed(text), OfficeCode::national());
    lies(deed, Wanted::Slip(&slip.0, &any, "")).await
}

/// Finds the application of the card on a chip, at the officer's office.
///
/// # Errors
/// [`HandOverError::Store`]
pub(super) async fn by_chip(deed: &mut Deed<Officer>, serial: CardSerial) -> Result<Option<Lies>, HandOverError> {
    let found = cards::on_chip(deed, serial, OCCASION).await?;
    let Some((person, application)) = found else { return Ok(None) };
    let office = deed.actor().office.clone();
    Ok(of_person(deed, person, &office).await?.into_iter().find(|lies| lies.application == application))
}

/// Finds the application of the officer's office whose card waits for the person of this number.
///
/// # Errors
/// [`HandOverError::Search`], [`HandOverError::Store`]
pub(super) async fn by_number(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    number: PersonalNumber,
) -> Result<Option<Lies>, HandOverError> {
    let personal_number = Words::try_from(number.as_str().to_owned()).unwrap_or_default();
    let sought = Sought { personal_number, ..Sought::default() };
    let (found, _) = steps::search(deed, &counter.register, &sought, OCCASION).await?;
    let office = deed.actor().office.clone();
    let mut last = None;
    for found in found {
        // The last one: what was handed over before is not sought.
        last = of_person(deed, found.registered.id, &office).await?.pop().or(last);
    }
    Ok(last)
}

/// The applications of a person at this office, oldest first.
async fn of_person(
    deed: &mut Deed<Officer>,
    person: PersonId,
    office: &OfficeCode,
) -> Result<Vec<Lies>, HandOverError> {
    let window = Window { until: deed.at(), after: Id::nil(), most: MOST };
    let rows = store_lists::applications(deed.tx(), Wanted::Person(person, office, ""), window).await?;
    deed.record_reading(Action::ApplicationsListed, Object::Person(person), person, office, OCCASION).await?;
    rows.iter().filter(|(_, holds)| *holds).map(|(row, _)| Ok(lie(row)?)).collect()
}

async fn lies(deed: &mut Deed<Officer>, wanted: Wanted<'_>) -> Result<Option<Lies>, HandOverError> {
    let window = Window { until: deed.at(), after: Id::nil(), most: 1 };
    let rows = store_lists::applications(deed.tx(), wanted, window).await?;
    let Some((row, true)) = rows.first() else {
        let question = Object::Asked("applications/slip".to_owned());
        deed.record(Action::ApplicationsListed, question, None, Purpose::HandOver).await?;
        return Ok(None);
    };
    let (lies, person) = (lie(row)?, Id::of(row, "person_id")?);
    let occasion = Occasion { case: Some(lies.application), ..OCCASION };
    deed.record_reading(Action::ApplicationsListed, Object::Person(person), person, &lies.office, occasion).await?;
    Ok(Some(lies))
}

fn lie(row: &Record) -> Result<Lies, StoreError> {
    Ok(Lies { application: Id::of(row, "id")?, office: row.parsed("office")?, stage: row.parsed("stage")? })
}

/// For what a hand-over reads a person.
pub(super) const OCCASION: Occasion = Occasion { purpose: Purpose::HandOver, case: None };
/// A person has fewer applications.
const MOST: i64 = 200;

/// Why a card is not handed over.
#[derive(Debug, Error)]
pub enum HandOverError {
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The counter.
    #[error(transparent)]
    Counter(Box<CounterError>),
    /// The search for the person.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The officer opened the application, and so knows the slip.
    #[error("another officer than the one who opened the application")]
    SameOfficer,
    /// The slip is another one.
    #[error("the slip does not belong to this card")]
    Slip,
    /// The application's stage.
    #[error(transparent)]
    Stage(#[from] TransitionError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The route of hand-over.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::HandOver), routes!(hand_over_card))
        .add(Right::Officer(Permission::HandOver), routes!(refuse_hand_over))
}

/// The citizen came for the card.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HandOver {
    /// The number of the appointment slip.
    #[serde(default)]
    #[schema(value_type = String)]
    slip: Words<40>,
    /// What the officer compared; it stands in the trail.
    #[serde(default)]
    checks: Vec<HandOverCheck>,
    /// What became of the document that the citizen had; it stands in the trail.
    old_document: Option<OldDocumentEnd>,
    /// Number of the envelope, or of the minutes, in which the old document was kept.
    #[serde(default)]
    #[schema(value_type = String)]
    envelope: Words<40>,
}

/// The person who came is not given the card.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HandOverRefusal {
    /// Why, without names: 1 to 400 characters.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// The card waits on.
#[derive(Debug, Serialize, ToSchema)]
struct HandOverRefused {
    /// `personalized`
    status: &'static str,
}

/// The citizen has the card.
#[derive(Debug, Serialize, ToSchema)]
struct HandedOver {
    /// `active`
    status: &'static str,
    /// Cards that it replaced.
    #[schema(value_type = Vec<String>)]
    revoked: Vec<CardId>,
}

/// Hands a card over; the old one is revoked with it.
#[utoipa::path(post, path = "/api/v1/cards/{id}/hand-over", tag = "applications", request_body = HandOver,
    responses((status = 200, body = HandedOver)))]
async fn hand_over_card(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<CardId>,
    Write { stamp, body }: Write<HandOver>,
) -> Answered {
    let HandOver { slip, checks, old_document, envelope } = body;
    let seen = HandOverSeen { checks, old_document, envelope };
    desk.write(officer, stamp, async |deed| {
        let revoked = hand_over_seen(deed, &counter, id, slip.as_str(), &seen).await?;
        Ok::<_, HandOverError>(HandedOver { status: "active", revoked })
    })
    .await
}

/// Records that a card was not handed over to the person who came for it: another person, papers that do not fit. The
/// card waits on for its holder.
#[utoipa::path(post, path = "/api/v1/cards/{id}/hand-over/refusal", tag = "applications", request_body = HandOverRefusal,
    responses((status = 200, body = HandOverRefused)))]
async fn refuse_hand_over(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardId>,
    Write { stamp, body }: Write<HandOverRefusal>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        refuse(deed, id, body.reason.as_str()).await?;
        Ok::<_, HandOverError>(HandOverRefused { status: Status::Personalized.word() })
    })
    .await
}
