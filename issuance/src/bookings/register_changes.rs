//! What follows for bookings when the register changes: that of a citizen who died ends, and its desk is free; that of
//! a record which was merged is the booking of the record that stays.

use std::pin::Pin;

use super::model::Booking;
use super::steps::record;
use super::{Bookings, store};
use crate::deed::{Action, Deed, Objection, RegisterEvent, Subscriber};
use crate::ground::Officer;
use crate::ground::ids::PersonId;
use crate::store::StoreError;
use crate::web::Problem;

impl Subscriber for Bookings {
    fn follow<'a>(
        &'a self,
        deed: &'a mut Deed<Officer>,
        event: RegisterEvent,
    ) -> Pin<Box<dyn Future<Output = Result<(), Objection>> + Send + 'a>> {
        Box::pin(async move { follow(deed, event).await.map_err(|error| Problem::from(error).into()) })
    }
}

/// Cancels the booking for which a citizen who died is expected, or hands that of a merged record on. A row that
/// another hand changed is passed over: what is done to a booking stops no death and no merge.
async fn follow(deed: &mut Deed<Officer>, event: RegisterEvent) -> Result<(), StoreError> {
    let survivor = event.consequences.merged_into;
    if !event.consequences.died && survivor.is_none() {
        return Ok(());
    }
    let Some((id, _)) = store::open_of(deed.tx(), event.person).await? else { return Ok(()) };
    let found = match store::locked(deed.tx(), id).await {
        Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => None,
        found => found?,
    };
    let Some(booking) = found else { return Ok(()) };
    match survivor {
        Some(survivor) => merge(deed, booking, survivor).await,
        None => end(deed, booking, DIED).await,
    }
}

/// Gives a booking to the record that stays. A citizen who has a booking under that record too keeps that one.
async fn merge(deed: &mut Deed<Officer>, booking: Booking, survivor: PersonId) -> Result<(), StoreError> {
    if store::open_of(deed.tx(), survivor).await?.is_some() {
        return end(deed, booking, MERGED).await;
    }
    record(deed, &booking, Action::BookingMoved, MERGED.to_owned()).await?;
    let booking = Booking { person: survivor, changed_at: deed.at(), ..booking };
    store::hand_on(deed.tx(), &booking).await?;
    record(deed, &booking, Action::BookingMoved, MERGED.to_owned()).await
}

/// Cancels a booking for which the citizen is expected.
async fn end(deed: &mut Deed<Officer>, booking: Booking, because: &str) -> Result<(), StoreError> {
    let at = deed.at();
    let Ok(booking) = booking.cancel(at) else { return Ok(()) };
    store::update(deed.tx(), &booking).await?;
    record(deed, &booking, Action::BookingCancelled, because.to_owned()).await
}

/// Why a booking ends.
const DIED: &str = "register-changed: the citizen died";
/// Why a booking has another record of the citizen, or ends beside the one that this record has.
const MERGED: &str = "register-changed: two records of the citizen were merged";
