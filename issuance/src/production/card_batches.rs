//! A batch of cards: approved applications that two officers release together, and that stations make cards of, each
//! item leased to one station on one chip. What is in a batch is bound from it alone.
//!
//! ```text
//! drafted -> released -> (running) -> closed;  released <-> paused;  drafted | released | paused -> closed
//! ```
//! The state of an item is the stage of its application, so that the two never disagree.

use serde::Serialize;
use time::{Date, Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::cases::{PROPOSAL_WAITS, still_keeps_stock};
use super::error::ProductionError;
use super::store::card_batches as kept;
use crate::applications::model::{Application, Stage};
use crate::applications::progress::follow_batch;
use crate::applications::store as applications;
use crate::applications::store::ahead;
use crate::applications::store::items::{self, BatchItem, Counts, ItemOutcome, is_card};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::{ApplicationId, BatchItemId, CardBatchId, OfficerId};
use crate::ground::text::tidy;
use crate::ground::{Decision, OfficeCode, Officer};
use crate::store::{StoreError, Tx};

/// A batch of cards.
#[derive(Clone, Debug)]
pub struct CardBatch {
    /// Identifier.
    pub id: CardBatchId,
    /// The office whose stations work on it.
    pub office: OfficeCode,
    /// The higher, the more urgent.
    pub priority: u8,
    /// It takes applications that were approved until then.
    pub cut_off: OffsetDateTime,
    /// It takes at most so many.
    pub most: u32,
    /// How far it is.
    pub state: CardBatchState,
    /// The officer who drafted it, and when.
    pub drafted: Decision,
    /// The officer who released it, and when.
    pub released: Option<Decision>,
    /// Why it was paused last, or cancelled.
    pub reason: Option<String>,
    /// So many applications it took.
    pub items: Option<u64>,
    /// How it ended.
    pub closed: Option<Closing>,
}

/// How a batch of cards ended.
#[derive(Clone, Debug)]
pub struct Closing {
    /// The officer who closed it, and when.
    pub by: Decision,
    /// Cards.
    pub good: u64,
    /// Applications that are no card of this batch.
    pub left: u64,
    /// Chips that were used up and are no card.
    pub spoiled: u64,
}

/// How far a batch of cards is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CardBatchState {
    /// It waits for a second officer, and holds nothing.
    Drafted,
    /// Stations take items from it.
    Released,
    /// No station takes another item; what is begun is finished.
    Paused,
    /// Nothing is left to do.
    Closed,
}

impl CardBatchState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Drafted, Self::Released, Self::Paused, Self::Closed];

    /// The word, as stored.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Drafted => "drafted",
            Self::Released => "released",
            Self::Paused => "paused",
            Self::Closed => "closed",
        }
    }
}

/// A batch that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The higher, the more urgent.
    pub priority: u8,
    /// It takes applications that were approved until then; none: until now.
    pub cut_off: Option<OffsetDateTime>,
    /// It takes at most so many.
    pub most: u32,
}

/// Drafts a batch of the officer's office. It holds nothing before another officer releases it.
///
/// # Errors
/// [`ProductionError::ListTooLong`]
pub async fn draft(deed: &mut Deed<Officer>, wanted: Wanted) -> Result<CardBatch, ProductionError> {
    if !(1..=MOST_ITEMS).contains(&wanted.most) {
        return Err(ProductionError::ListTooLong { most: MOST_ITEMS as usize });
    }
    let batch = CardBatch {
        id: deed.id(),
        office: deed.actor().office.clone(),
        priority: wanted.priority,
        cut_off: wanted.cut_off.unwrap_or(deed.at()),
        most: wanted.most,
        state: CardBatchState::Drafted,
        drafted: deed.decision(),
        released: None,
        reason: None,
        items: None,
        closed: None,
    };
    kept::insert(deed.tx(), &batch).await?;
    tell(deed, &batch, Action::CardBatchDrafted, format!("at most {}", batch.most)).await?;
    Ok(batch)
}

/// Releases a batch that another officer drafted in the last week: the applications that were approved until its
/// cut-off, those approved first before the others, are bound from it alone from now on.
///
/// # Errors
/// [`ProductionError::CardBatchUnknown`], [`ProductionError::CardBatchState`], [`ProductionError::SecondOfficer`],
/// [`ProductionError::ProposalStale`]
pub async fn release(deed: &mut Deed<Officer>, id: CardBatchId) -> Result<CardBatch, ProductionError> {
    let mut batch = of_office(deed, id).await?;
    batch.is(&[CardBatchState::Drafted])?;
    // The person counts, not the session.
    if deed.actor().is_one_with(batch.drafted.by) {
        return Err(ProductionError::SecondOfficer);
    }
    if deed.at() >= batch.drafted.at + PROPOSAL_WAITS {
        return Err(ProductionError::ProposalStale);
    }
    still_keeps_stock(deed, &batch.drafted, &batch.office).await?;
    let mut place = 0;
    for application in items::candidates(deed.tx(), &batch.office, batch.cut_off, batch.most).await? {
        place += u64::from(take(deed, &batch, application, place + 1).await?);
    }
    (batch.state, batch.released, batch.items) = (CardBatchState::Released, Some(deed.decision()), Some(place));
    kept::change(deed.tx(), &batch).await?;
    tell(deed, &batch, Action::CardBatchReleased, format!("{place} applications")).await?;
    Ok(batch)
}

/// Puts an application into a batch, kept from other writers. Returns false for one that moved on meanwhile, or whose
/// record cannot be believed: the queue finds those.
async fn take(
    deed: &mut Deed<Officer>,
    batch: &CardBatch,
    id: ApplicationId,
    place: u64,
) -> Result<bool, ProductionError> {
    let application = match applications::application_locked(deed, id).await {
        Ok(Some(application)) if matches!(application.stage, Stage::Approved { .. }) => application,
        Ok(Some(application)) => {
            let entry = Entry::new(Action::ApplicationRead, Object::Application(id), Purpose::Stock);
            deed.enter(entry.about(application.person).of(&application.office)).await?;
            return Ok(false);
        }
        Ok(None) => return Ok(false),
        Err(error @ (StoreError::Inconsistent { .. } | StoreError::Tampered { .. })) => {
            tracing::error!(application.id = %id, %error, "not taken into a batch: its record cannot be believed");
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    };
    if items::of_application(deed.tx(), id).await?.is_some() {
        let entry = Entry::new(Action::ApplicationRead, Object::Application(id), Purpose::Stock);
        deed.enter(entry.about(application.person).of(&application.office)).await?;
        return Ok(false);
    }
    let (item, batch_id) = (deed.id(), batch.id);
    let item = BatchItem {
        id: item,
        batch: batch_id,
        application: id,
        place,
        fence: 0,
        lease: None,
        chips: 0,
        outcome: None,
        office: Some(batch.office.clone()),
    };
    items::insert(deed.tx(), &item).await?;
    follow_batch(deed, &application).await?;
    let entry = Entry::new(Action::ApplicationBatched, Object::Application(id), Purpose::Stock);
    let entry = entry.about(application.person).of(&application.office);
    deed.enter(entry.with(Object::CardBatch(batch.id))).await?;
    Ok(true)
}

/// Pauses a batch: no station takes another item, what is bound is finished.
///
/// # Errors
/// [`ProductionError::CardBatchUnknown`], [`ProductionError::CardBatchState`], [`ProductionError::EvidenceMissing`]
pub async fn pause(deed: &mut Deed<Officer>, id: CardBatchId, reason: &str) -> Result<CardBatch, ProductionError> {
    let mut batch = of_office(deed, id).await?;
    batch.is(&[CardBatchState::Released])?;
    let reason = tidy(reason).ok_or(ProductionError::EvidenceMissing)?;
    (batch.state, batch.reason) = (CardBatchState::Paused, Some(reason));
    kept::change(deed.tx(), &batch).await?;
    tell(deed, &batch, Action::CardBatchPaused, "paused".to_owned()).await?;
    Ok(batch)
}

/// Pauses a batch over what was found in it, if stations work on it.
pub(super) async fn stop(deed: &mut Deed<Officer>, id: CardBatchId, reason: &str) -> Result<(), ProductionError> {
    let mut batch = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::CardBatchUnknown)?;
    if batch.state == CardBatchState::Released {
        (batch.state, batch.reason) = (CardBatchState::Paused, Some(reason.to_owned()));
        kept::change(deed.tx(), &batch).await?;
        tell(deed, &batch, Action::CardBatchPaused, reason.to_owned()).await?;
    }
    Ok(())
}

/// Returns the officers who drafted and released a batch.
pub(super) async fn officers(tx: &mut Tx, id: CardBatchId) -> Result<Vec<OfficerId>, StoreError> {
    let Some(batch) = kept::batch(tx, id).await? else { return Ok(Vec::new()) };
    Ok([Some(batch.drafted), batch.released].into_iter().flatten().map(|decision| decision.by).collect())
}

/// Lets stations take items from a paused batch again.
///
/// # Errors
/// [`ProductionError::CardBatchUnknown`], [`ProductionError::CardBatchState`]
pub async fn resume(deed: &mut Deed<Officer>, id: CardBatchId) -> Result<CardBatch, ProductionError> {
    let mut batch = of_office(deed, id).await?;
    batch.is(&[CardBatchState::Paused])?;
    batch.state = CardBatchState::Released;
    kept::change(deed.tx(), &batch).await?;
    tell(deed, &batch, Action::CardBatchResumed, "resumed".to_owned()).await?;
    Ok(batch)
}

/// Takes what is not begun out of a batch: those applications are free for the queue and for other batches. A draft is
/// closed with it.
///
/// # Errors
/// [`ProductionError::CardBatchUnknown`], [`ProductionError::CardBatchState`], [`ProductionError::EvidenceMissing`]
pub async fn cancel(deed: &mut Deed<Officer>, id: CardBatchId, reason: &str) -> Result<CardBatch, ProductionError> {
    let mut batch = of_office(deed, id).await?;
    batch.is(&[CardBatchState::Drafted, CardBatchState::Released, CardBatchState::Paused])?;
    let reason = tidy(reason).ok_or(ProductionError::EvidenceMissing)?;
    batch.reason = Some(reason);
    let mut ended = 0;
    for (application, item, stage) in items::at_work(deed.tx(), id).await? {
        if is_begun(&stage) {
            continue;
        }
        // Kept from the transaction that binds it, the application before its item; then looked at again.
        let application = left_by(deed, application).await?;
        items::locked(deed.tx(), item).await?;
        if items::stage_of(deed.tx(), item).await?.is_some_and(|stage| is_begun(&stage)) {
            continue;
        }
        items::end(deed.tx(), item, ItemOutcome::Left).await?;
        if let Some(application) = application {
            follow_batch(deed, &application).await?;
        }
        ended += 1;
    }
    if batch.state == CardBatchState::Drafted {
        batch.state = CardBatchState::Closed;
        batch.closed = Some(Closing { by: deed.decision(), good: 0, left: 0, spoiled: 0 });
    }
    kept::change(deed.tx(), &batch).await?;
    tell(deed, &batch, Action::CardBatchCancelled, format!("{ended} applications")).await?;
    Ok(batch)
}

/// Closes a batch in which nothing is left to do: its applications are as many as are cards and have left it, its chips
/// as many as are cards and spoiled.
///
/// # Errors
/// [`ProductionError::CardBatchUnfinished`], [`ProductionError::CardBatchUnknown`], [`ProductionError::CardBatchState`]
pub async fn close(deed: &mut Deed<Officer>, id: CardBatchId) -> Result<CardBatch, ProductionError> {
    let mut batch = of_office(deed, id).await?;
    batch.is(&[CardBatchState::Released, CardBatchState::Paused])?;
    for (_, item, _) in items::at_work(deed.tx(), id).await? {
        items::locked(deed.tx(), item).await?;
        let Some(stage) = items::stage_of(deed.tx(), item).await? else { continue };
        let outcome = match stage.as_str() {
            "approved" | "in-production" => return Err(ProductionError::CardBatchUnfinished),
            stage if is_card(stage) => ItemOutcome::Done,
            _ => ItemOutcome::Left,
        };
        items::end(deed.tx(), item, outcome).await?;
    }
    let at = deed.at();
    let counts = items::counts(deed.tx(), id, at).await?;
    let closing = Closing { by: deed.decision(), good: counts.done, left: counts.left, spoiled: counts.spoiled() };
    let Closing { good, left, spoiled, .. } = closing;
    // A row that is gone is no application that left.
    if batch.items != Some(good + left) {
        return Err(StoreError::inconsistent("card_batch", "items", id).into());
    }
    (batch.state, batch.closed) = (CardBatchState::Closed, Some(closing));
    kept::change(deed.tx(), &batch).await?;
    let said =
        format!("{} applications: {good} cards, {left} left; {} chips: {spoiled} spoiled", good + left, counts.chips);
    tell(deed, &batch, Action::CardBatchClosed, said).await?;
    Ok(batch)
}

/// Returns an application that is to leave its batch, kept from other writers and recorded; none for one whose record
/// cannot be believed, which leaves it all the same.
async fn left_by(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Option<Application>, ProductionError> {
    match applications::application_locked(deed, id).await {
        Ok(Some(application)) => {
            let entry = Entry::new(Action::ApplicationRead, Object::Application(id), Purpose::Stock);
            deed.enter(entry.about(application.person).of(&application.office)).await?;
            Ok(Some(application))
        }
        Ok(None) => Ok(None),
        Err(error @ (StoreError::Inconsistent { .. } | StoreError::Tampered { .. })) => {
            tracing::error!(application.id = %id, %error, "taken out of a batch: its record cannot be believed");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn is_begun(stage: &str) -> bool {
    stage == "in-production" || is_card(stage)
}

/// Returns a batch of the officer's office, kept from other writers.
async fn of_office(deed: &mut Deed<Officer>, id: CardBatchId) -> Result<CardBatch, ProductionError> {
    let batch = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::CardBatchUnknown)?;
    deed.actor().may_act_for(&batch.office)?;
    Ok(batch)
}

async fn tell(deed: &mut Deed<Officer>, batch: &CardBatch, action: Action, said: String) -> Result<(), StoreError> {
    let entry = Entry::new(action, Object::CardBatch(batch.id), Purpose::Stock);
    deed.enter(entry.of(&batch.office).because(said)).await
}

impl CardBatch {
    fn is(&self, fitting: &[CardBatchState]) -> Result<(), ProductionError> {
        if fitting.contains(&self.state) { Ok(()) } else { Err(ProductionError::CardBatchState(self.state.word())) }
    }
}

/// How far a batch is, and how fast it goes.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Its items by state.
    pub counts: Counts,
    /// True once a chip was bound to one of them.
    pub begun: bool,
}

impl Progress {
    /// The state in words, in which a released batch that is begun is running.
    #[must_use]
    pub const fn word(&self, state: CardBatchState) -> &'static str {
        match state {
            CardBatchState::Released if self.begun => "running",
            state => state.word(),
        }
    }

    /// Cards per minute, over the last minutes.
    #[must_use]
    pub fn per_minute(&self) -> f64 {
        let lately = u32::try_from(self.counts.lately).unwrap_or(u32::MAX);
        f64::from(lately) * 60.0 / RATE.as_seconds_f64()
    }

    /// Returns the seconds until all items are cards at that rate; `None` while none becomes one.
    #[must_use]
    pub fn seconds_left(&self) -> Option<u64> {
        let rate = u64::try_from(RATE.whole_seconds()).unwrap_or(0);
        ((self.counts.waiting + self.counts.leased) * rate).checked_div(self.counts.lately)
    }
}

/// Returns how far a batch is.
///
/// # Errors
/// [`StoreError`]
pub async fn progress(tx: &mut Tx, id: CardBatchId, now: OffsetDateTime) -> Result<Progress, StoreError> {
    let counts = items::counts(tx, id, now - RATE).await?;
    Ok(Progress { counts, begun: counts.chips > 0 })
}

/// Returns how many items of a batch wait for a chip with what was [made ahead](super::ahead) for them today.
///
/// # Errors
/// [`StoreError`]
pub async fn ready(tx: &mut Tx, id: CardBatchId, today: Date) -> Result<u64, StoreError> {
    ahead::ready(tx, id, today).await
}

/// Returns the batch from which a station of this office takes an item now.
///
/// # Errors
/// [`ProductionError::CardBatchUnknown`], [`ProductionError::CardBatchPaused`], [`ProductionError::CardBatchClosed`]
pub(super) async fn at_work(tx: &mut Tx, id: CardBatchId, office: &OfficeCode) -> Result<(), ProductionError> {
    let batch = kept::batch(tx, id).await?.filter(|batch| batch.office == *office);
    match batch.map(|batch| batch.state) {
        Some(CardBatchState::Released) => Ok(()),
        Some(CardBatchState::Paused) => Err(ProductionError::CardBatchPaused),
        Some(CardBatchState::Closed) => Err(ProductionError::CardBatchClosed),
        None | Some(CardBatchState::Drafted) => Err(ProductionError::CardBatchUnknown),
    }
}

/// A lease as the station is told of it.
#[derive(Clone, Copy, Debug)]
pub struct GivenLease {
    /// The batch.
    pub batch: CardBatchId,
    /// The item.
    pub item: BatchItemId,
    /// Its fence.
    pub fence: u64,
    /// Until when.
    pub until: OffsetDateTime,
}

/// A batch has at most so many items: it is released in one transaction.
pub const MOST_ITEMS: u32 = 1_000;
/// The rate is that of so long.
const RATE: Duration = Duration::minutes(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_the_last_minutes() {
        let counts = Counts { waiting: 30, leased: 10, done: 20, left: 0, chips: 32, lately: 20 };
        let progress = Progress { counts, begun: true };
        assert!((progress.per_minute() - 4.0).abs() < 1e-9);
        assert_eq!(progress.seconds_left(), Some(600));
        assert_eq!(counts.spoiled(), 2);
        let none = Progress { counts: Counts { lately: 0, ..counts }, begun: true };
        assert_eq!(none.seconds_left(), None);
        assert_eq!(progress.word(CardBatchState::Released), "running");
        assert_eq!(Progress { begun: false, ..progress }.word(CardBatchState::Released), "released");
        assert_eq!(progress.word(CardBatchState::Paused), "paused");
    }
}
