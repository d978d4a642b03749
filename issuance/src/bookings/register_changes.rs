//! What follows for bookings when the register changes: those of a citizen who died end, and their desks are free.

use std::pin::Pin;

use super::steps::record;
use super::{Bookings, store};
use crate::deed::{Action, Deed, Objection, RegisterEvent, Subscriber};
use crate::ground::Officer;
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

/// Cancels the booking for which a citizen who died is expected. A row that another hand changed is passed over: what
/// is done to a booking stops no death.
async fn follow(deed: &mut Deed<Officer>, event: RegisterEvent) -> Result<(), StoreError> {
    if !event.consequences.died {
        return Ok(());
    }
    let Some((id, _)) = store::open_of(deed.tx(), event.person).await? else { return Ok(()) };
    let found = match store::locked(deed.tx(), id).await {
        Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => None,
        found => found?,
    };
    let at = deed.at();
    let Some(booking) = found.and_then(|found| found.cancel(at).ok()) else { return Ok(()) };
    store::update(deed.tx(), &booking).await?;
    record(deed, &booking, Action::BookingCancelled, DIED.to_owned()).await
}

/// Why a booking ends.
const DIED: &str = "register-changed: the citizen died";
