//! The job of bookings: those whose slot is gone are to be moved, and their citizens are told; those whose time is over
//! are missed, and their desks free.

use thiserror::Error;

use super::model::{Cause, Taken, TimeOfDay};
use super::steps::{locked_with_person, place, record, time_of};
use super::store;
use crate::deed::{Action, DeedError, Deeds};
use crate::ground::actor::Service;
use crate::ground::ids::BookingId;
use crate::ground::{Id, OfficeCode};
use crate::notices;
use crate::notices::model::{BookingGone, Matter, Subject};
use crate::store::StoreError;

/// What the job did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Kept {
    /// Bookings of which the citizen did not come.
    pub missed: u32,
    /// Bookings that are to be moved.
    pub to_be_moved: u32,
}

/// Looks at every booking that waits: one whose slot is gone is to be moved, whose time is over is missed. Each is a
/// transaction of its own with its record and its notice, so that a process that dies in between leaves the rest for
/// the next run.
///
/// # Errors
/// [`UpkeepError`]; bookings that another hand changed are left out.
pub async fn keep(deeds: &Deeds) -> Result<Kept, UpkeepError> {
    // First: a citizen who stood before a door that was closed missed nothing.
    let to_be_moved = strand(deeds).await?;
    let missed = miss(deeds).await?;
    Ok(Kept { missed, to_be_moved })
}

/// Why bookings were not looked after.
#[derive(Debug, Error)]
pub enum UpkeepError {
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn strand(deeds: &Deeds) -> Result<u32, UpkeepError> {
    let today = deeds.source().clock().today();
    let (mut stranded, mut after) = (0, String::new());
    loop {
        let offices = store::offices(&mut deeds.db().begin_read().await?, &after, PIECE).await?;
        let Some(last) = offices.last() else { return Ok(stranded) };
        last.as_str().clone_into(&mut after);
        for office in &offices {
            let mut tx = deeds.db().begin_read().await?;
            let place = match place(&mut tx, office, today).await {
                // By no hours that another hand wrote a booking is taken from a citizen.
                Err(error @ (StoreError::Tampered { .. } | StoreError::Inconsistent { .. })) => {
                    tracing::error!(%office, %error, "its bookings stay as they are; issuance verify lists the row");
                    continue;
                }
                place => place?,
            };
            let waiting = store::waiting(&mut tx, office).await?;
            let mut gone = Vec::new();
            for at in &waiting {
                if let Some((cause, kept)) = place.without_desk(at) {
                    let ids = store::waiting_at(&mut tx, office, at).await?;
                    gone.extend(ids.into_iter().skip(kept).map(|id| (id, *at, cause)));
                }
            }
            drop(tx);
            for (id, at, cause) in gone {
                stranded += u32::from(passing_over(Box::pin(strand_one(deeds, office, id, &at, cause)).await)?);
            }
        }
    }
}

async fn strand_one(
    deeds: &Deeds,
    office: &OfficeCode,
    id: BookingId,
    at: &Taken,
    cause: Cause,
) -> Result<bool, UpkeepError> {
    let mut deed = deeds.open(Service).await?;
    // Looked at again, and kept from other writers: it may just have been moved.
    let here = locked_with_person(&mut deed, id).await?;
    let here = here.filter(|found| (&found.office, found.day, found.from) == (office, at.day, at.from));
    let now = deed.at();
    let Some(booking) = here.and_then(|found| found.strand(cause, now)) else { return Ok(false) };
    store::update(deed.tx(), &booking).await?;
    let because = match cause {
        Cause::DayClosed => BookingGone::DayClosed,
        Cause::HoursChanged => BookingGone::HoursChanged,
        Cause::OfficeClosed => BookingGone::OfficeClosed,
    };
    let (number, day) = (booking.number.as_str().to_owned(), booking.day);
    let matter = Matter::BookingToBeMoved { number, day, from: booking.from.into(), because };
    notices::write_about(&mut deed, (Subject::Booking(id), booking.person, office), &matter).await?;
    let says = format!("{}: {}", time_of(&booking), cause.word());
    record(&mut deed, &booking, Action::BookingToBeMoved, says).await?;
    deed.commit().await?;
    Ok(true)
}

async fn miss(deeds: &Deeds) -> Result<u32, UpkeepError> {
    let clock = deeds.source().clock();
    let at = clock.now();
    let now = (clock.day_of(at), TimeOfDay::from(clock.time_of(at)));
    let (mut missed, mut after) = (0, Id::nil());
    loop {
        let some = store::over(&mut deeds.db().begin_read().await?, now, after, PIECE).await?;
        let Some(last) = some.last() else { return Ok(missed) };
        after = *last;
        for id in some {
            missed += u32::from(passing_over(Box::pin(miss_one(deeds, id, now)).await)?);
        }
    }
}

async fn miss_one(deeds: &Deeds, id: BookingId, now: (time::Date, TimeOfDay)) -> Result<bool, UpkeepError> {
    let mut deed = deeds.open(Service).await?;
    // Looked at again, and kept from other writers: the citizen may just have come.
    let Some(found) = store::locked(deed.tx(), id).await? else { return Ok(false) };
    let place = place(deed.tx(), &found.office, now.0).await?;
    if place.gone(found.day, found.from, found.to).is_some() {
        return Ok(false);
    }
    let at = deed.at();
    let Some(booking) = found.miss(now, at) else { return Ok(false) };
    store::update(deed.tx(), &booking).await?;
    record(&mut deed, &booking, Action::BookingMissed, time_of(&booking)).await?;
    deed.commit().await?;
    Ok(true)
}

/// Takes a booking that another hand changed as one at which nothing was done: it stops no other.
fn passing_over(done: Result<bool, UpkeepError>) -> Result<bool, UpkeepError> {
    match done {
        Err(UpkeepError::Store(StoreError::Tampered { .. } | StoreError::Inconsistent { .. })) => Ok(false),
        done => done,
    }
}

/// So many offices, or bookings, are looked at in one go.
const PIECE: i64 = 200;
