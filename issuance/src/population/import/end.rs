//! The end of a file that is never read to its end: it was changed while it was imported, or is gone.

use thiserror::Error;
use time::OffsetDateTime;

use super::super::store::import::{self as store, Batch};
use super::{State, lease};
use crate::deed::{Action, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::OfficeCode;
use crate::ground::actor::Service;
use crate::ground::ids::{BatchId, OfficerId};
use crate::ground::text::tidy;
use crate::store::StoreError;

/// Ends a file of an office that is not read to its end, in the name of an officer and for a reason. What entered of it
/// stays, what waits in quarantine waits on, and its counts are those of what was read.
///
/// # Errors
/// [`EndError`]
pub async fn end(
    deeds: &Deeds,
    id: BatchId,
    (officer, office): (OfficerId, &OfficeCode),
    because: &str,
) -> Result<Batch, EndError> {
    let because = tidy(because).ok_or(EndError::ReasonMissing)?;
    let mut deed = deeds.open(Service).await?;
    let mut batch = store::batch_locked(deed.tx(), id).await?.ok_or(EndError::Unknown)?;
    if batch.office != *office {
        return Err(EndError::OtherOffice(batch.office));
    }
    if let State::Finished | State::Ended = batch.state {
        return Err(EndError::Over(batch.state));
    }
    if let (Some(holder), Some(until)) = (&batch.holder, batch.held_until)
        && until > deed.at()
        && !lease::has_ended(holder)
    {
        return Err(EndError::Held { until });
    }
    batch.state = State::Ended;
    (batch.holder, batch.held_until, batch.finished_at) = (None, None, Some(deed.at()));
    store::advance(deed.tx(), &batch).await?;
    let entry = Entry::new(Action::DeclarationsImported, Object::Batch(id), Purpose::Declaration);
    let entry = entry.with(Object::Officer(officer)).of(office);
    deed.enter(entry.because(format!("ended before line {}: {because}", batch.read.line))).await?;
    deed.commit().await?;
    Ok(batch)
}

/// Why a file is not ended.
#[derive(Debug, Error)]
pub enum EndError {
    /// A deed.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// A process reads it.
    #[error(
        "a process reads this file, and gave a sign of life less than a minute ago: stop it, or try again after {until}"
    )]
    Held {
        /// Until then it counts as alive.
        until: OffsetDateTime,
    },
    /// It is another office's.
    #[error("the file is of the office `{0}`: name that by --office, or have its officer end it")]
    OtherOffice(OfficeCode),
    /// There is nothing to end.
    #[error("the file is {0} already")]
    Over(State),
    /// No word why.
    #[error("no reason is given: say it by --because")]
    ReasonMissing,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such file.
    #[error("no file was begun that has this identifier: `issuance quarantine list` shows all")]
    Unknown,
}
