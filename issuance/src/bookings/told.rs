//! Whether what a notice about a booking says is still so when it leaves.

use super::model::BookingState;
use super::{Bookings, store};
use crate::notices::model::{Notice, NoticeKind, Subject};
use crate::notices::{StillSo, Teller};
use crate::store::Tx;

impl Teller for Bookings {
    fn still_so<'a>(&'a self, tx: &'a mut Tx, notice: &'a Notice) -> StillSo<'a> {
        Box::pin(async move {
            let Subject::Booking(id) = notice.about else { return Ok(None) };
            let Some(booking) = store::booking(tx, id).await? else { return Ok(None) };
            let says = match notice.kind {
                NoticeKind::BookingMoved => BookingState::Booked,
                NoticeKind::BookingToBeMoved => BookingState::ToBeMoved,
                _ => return Ok(None),
            };
            Ok(Some(booking.state == says))
        })
    }
}
