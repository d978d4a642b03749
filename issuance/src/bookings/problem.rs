//! What a caller is told when something is not done about a booking or about hours.

use crypto::perso::problem::ProblemCode as Code;

use super::BookingError;
use super::model::{BookingUnfit, HoursUnfit, SlotUnfit};
use crate::deed::Object;
use crate::web::Problem;

impl From<BookingError> for Problem {
    fn from(error: BookingError) -> Self {
        use BookingError as E;
        let said = error.to_string();
        let of = |code| Self::new(code).detail(&said);
        match error {
            E::Hours(unfit) => {
                let field = if matches!(unfit, HoursUnfit::From(_)) { "/valid_from" } else { "/hours" };
                of(Code::HoursUnfit).field(field, Code::HoursUnfit, said.as_str())
            }
            E::NotEntitled => of(Code::NotEntitled),
            E::OpenAlready(open) => of(Code::BookingOpen).object(open.map(Object::Booking)),
            E::OtherOffice(source) => source.into(),
            E::Period(_) => of(Code::PeriodUnfit),
            E::Person(source) => source.into(),
            E::Slot { unfit, .. } => {
                let (code, field) = match unfit {
                    SlotUnfit::Beyond(_) => (Code::BookingBeyondHorizon, "/day"),
                    SlotUnfit::Closed { .. } => (Code::BookingDayClosed, "/day"),
                    SlotUnfit::Full(_) => (Code::BookingSlotFull, "/from"),
                    SlotUnfit::NoBookings => (Code::OfficeTakesNoBookings, "/office"),
                    SlotUnfit::OutsideHours => (Code::BookingOutsideHours, "/from"),
                    SlotUnfit::Past => (Code::BookingTimePast, "/from"),
                };
                of(code).field(field, code, said.as_str())
            }
            E::Store(source) => source.into(),
            E::Unfit(BookingUnfit::Ended(_)) => of(Code::BookingEnded),
            E::Unfit(BookingUnfit::NotToday(_)) => of(Code::BookingNotToday),
            E::Unfit(BookingUnfit::SameSlot) => of(Code::BookingUnchanged),
            E::UnitUnknown => of(Code::UnitUnknown),
            E::Unknown => of(Code::BookingUnknown),
        }
    }
}
