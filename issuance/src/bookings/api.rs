//! Opening hours, slots and bookings over HTTP.

use std::fmt;
use std::str::FromStr;

use axum::Json;
use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::model::{Booking, BookingNumber, BookingState, Cause, Hours, OpeningHours, Slot, TimeOfDay, in_force};
use super::steps::{self, DayOfSlots, Listed, Told, Wanted, Wish};
use super::{BookingError, Bookings};
use crate::deed::Occasion;
use crate::ground::ids::{ApplicationId, BookingId, OfficerId, PersonId};
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::offices::calendar::Day;
use crate::population;
use crate::population::model::Claim;
use crate::web::{
    Answered, Desk, Listing, Looked, Named, Nothing, OccasionAsked, Page, PageAsked, Parameters, Right, Routes, Write,
};

/// The routes of this office. Hours and slots tell of no citizen, so that reading them leaves no record.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Bookings: FromRef<S>,
    Desk: FromRef<S>,
{
    let books = Right::Officer(Permission::Apply);
    Routes::new()
        .add(Right::SignedIn, routes!(office_hours))
        .add(Right::Officer(Permission::Administer), routes!(set_office_hours))
        .add(Right::SignedIn, routes!(office_slots))
        .add(books, routes!(list_bookings))
        .add(books, routes!(book))
        .add(books, routes!(read_booking))
        .add(books, routes!(booking_of_number))
        .add(books, routes!(bookings_of_person))
        .add(books, routes!(move_booking))
        .add(books, routes!(cancel_booking))
        .add(books, routes!(arrive))
}

/// The hours of an office from a day on.
#[derive(Debug, Serialize, ToSchema)]
struct HoursVersionView {
    /// Number of this version, from 1.
    version: u32,
    /// First day. Of two with the same first day the later one counts.
    valid_from: Day,
    /// The hours, by day of the week and time; none: the office takes no bookings.
    hours: Vec<OpeningHours>,
    /// The administrator who set them.
    set_by: OfficerId,
    /// The moment at which they were set.
    #[serde(with = "time::serde::rfc3339")]
    set_at: OffsetDateTime,
}

impl From<&Hours> for HoursVersionView {
    fn from(hours: &Hours) -> Self {
        let Hours { version, valid_from, week, set } = hours;
        let (valid_from, hours) = (Day(*valid_from), week.hours().to_vec());
        Self { version: *version, valid_from, hours, set_by: set.by, set_at: set.at }
    }
}

/// The opening hours of an office with all that they were.
#[derive(Debug, Serialize, ToSchema)]
struct OfficeHoursView {
    /// The office.
    office: OfficeCode,
    /// The version that is in force today; null if none is.
    in_force: Option<u32>,
    /// All versions, the first one first.
    versions: Vec<HoursVersionView>,
}

/// The opening hours of an office, as they are, were and will be.
#[utoipa::path(get, path = "/api/v1/offices/{office}/hours", tag = "bookings", params(("office" = String, Path)),
    responses((status = 200, body = OfficeHoursView)))]
async fn office_hours(State(desk): State<Desk>, Named(office): Named<OfficeCode>) -> Looked<OfficeHoursView> {
    let today = desk.deeds().source().clock().today();
    let mut tx = desk.deeds().db().begin_read().await?;
    let versions = steps::hours(&mut tx, &office).await?;
    let in_force = in_force(&versions, today).map(|hours| hours.version);
    Ok(Json(OfficeHoursView { office, in_force, versions: versions.iter().map(HoursVersionView::from).collect() }))
}

/// Body of new hours.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HoursBody {
    /// First day: tomorrow or later, or today for an office without hours.
    valid_from: Day,
    /// The hours of a week, at most 28 rows; none: the office takes no bookings from that day on.
    hours: Vec<OpeningHours>,
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// Sets the opening hours of an office from a day on. For administrators of that office and of the national one.
/// Bookings whose slot is gone are to be moved, and their citizens are told.
#[utoipa::path(post, path = "/api/v1/offices/{office}/hours", tag = "bookings", request_body = HoursBody,
    params(("office" = String, Path)), responses((status = 200, body = HoursVersionView)))]
async fn set_office_hours(
    State(desk): State<Desk>,
    officer: Officer,
    Named(office): Named<OfficeCode>,
    Write { stamp, body }: Write<HoursBody>,
) -> Answered {
    let HoursBody { valid_from, hours, reason } = body;
    desk.write(officer, stamp, async |deed| {
        let set = steps::set_hours(deed, &office, valid_from.0, hours, reason.as_str()).await?;
        Ok::<_, BookingError>(HoursVersionView::from(&set))
    })
    .await
}

/// The days that are wanted, both included.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SlotsWanted {
    /// First day.
    #[param(value_type = String)]
    from: Day,
    /// Last day, at most 366 days in all; days that cannot be booked are left out.
    #[param(value_type = String)]
    to: Day,
}

/// A slot that can be booked, or is full.
#[derive(Debug, Serialize, ToSchema)]
struct SlotView {
    /// Its begin: what a booking names.
    from: TimeOfDay,
    /// Its end.
    to: TimeOfDay,
    /// Bookings that it takes.
    desks: u16,
    /// How many more it takes now.
    free: u16,
}

impl From<(Slot, u16)> for SlotView {
    fn from((slot, free): (Slot, u16)) -> Self {
        let Slot { day: _, from, to, desks } = slot;
        Self { from, to, desks, free }
    }
}

/// The slots of a day.
#[derive(Debug, Serialize, ToSchema)]
struct SlotsOfDay {
    /// The day.
    day: Day,
    /// False on a day on which the authority does not work.
    working: bool,
    /// What the day is called: of a holiday, or of a day that was set by hand.
    name: Option<String>,
    /// The slots that did not begin yet; none where the office has no hours.
    slots: Vec<SlotView>,
}

/// The slots of an office.
#[derive(Debug, Serialize, ToSchema)]
struct SlotsView {
    /// The office.
    office: OfficeCode,
    /// The last day that can be booked now.
    last_day: Day,
    /// The days of the period that can be booked.
    days: Vec<SlotsOfDay>,
}

/// The slots of an office that can be booked, each with how many desks are free. They tell of no citizen.
#[utoipa::path(get, path = "/api/v1/offices/{office}/slots", tag = "bookings",
    params(("office" = String, Path), SlotsWanted), responses((status = 200, body = SlotsView)))]
async fn office_slots(
    State(desk): State<Desk>,
    State(bookings): State<Bookings>,
    Named(office): Named<OfficeCode>,
    Parameters(wanted): Parameters<SlotsWanted>,
) -> Looked<SlotsView> {
    let clock = desk.deeds().source().clock();
    let at = clock.now();
    let now = (clock.day_of(at), TimeOfDay::from(clock.time_of(at)));
    let mut tx = desk.deeds().db().begin_read().await?;
    let period = (wanted.from.0, wanted.to.0);
    let (days, last) = steps::slots(&mut tx, &bookings, &office, period, now).await?;
    let view = |one: DayOfSlots| {
        let DayOfSlots { day, working, name, slots } = one;
        SlotsOfDay { day: Day(day), working, name, slots: slots.into_iter().map(SlotView::from).collect() }
    };
    Ok(Json(SlotsView { office, last_day: Day(last), days: days.into_iter().map(view).collect() }))
}

/// A booking.
#[derive(Debug, Serialize, ToSchema)]
struct BookingView {
    /// Identifier.
    id: BookingId,
    /// What the citizen quotes.
    number: String,
    /// The citizen.
    person_id: PersonId,
    /// The citizen's name, for the office of the booking; elsewhere null.
    full_name: Option<String>,
    /// The office.
    office: OfficeCode,
    /// The day.
    day: Day,
    /// Its begin.
    from: TimeOfDay,
    /// Its end.
    to: TimeOfDay,
    /// How far it is.
    state: BookingState,
    /// Why it is to be moved.
    because: Option<Cause>,
    /// The application that took it.
    application_id: Option<ApplicationId>,
    /// The officer who booked it.
    booked_by: OfficerId,
    /// The moment at which it was booked.
    #[serde(with = "time::serde::rfc3339")]
    booked_at: OffsetDateTime,
    /// How often it was moved.
    moves: u32,
    /// Bookings that the citizen missed within `bookings.missed_days`; null in a list.
    missed: Option<u32>,
    /// True if these are `bookings.missed_told` or more: ask the citizen what keeps them. Nothing is
    /// refused for it; null in a list.
    often_missed: Option<bool>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

impl From<Listed> for BookingView {
    fn from(listed: Listed) -> Self {
        let Listed { booking, name, holds } = listed;
        let Booking { id, number, person, office, day, from, to, state, cause, application, booked, moves, .. } =
            booking;
        Self {
            id,
            number: number.as_str().to_owned(),
            person_id: person,
            full_name: name,
            office,
            day: Day(day),
            from,
            to,
            state,
            because: cause,
            application_id: application,
            booked_by: booked.by,
            booked_at: booked.at,
            moves,
            missed: None,
            often_missed: None,
            tampered: !holds,
        }
    }
}

impl BookingView {
    fn told(told: Told, name: Option<String>) -> Self {
        let Told { booking, missed, often } = told;
        let view = Self::from(Listed { booking, name, holds: true });
        Self { missed: Some(missed), often_missed: Some(often), ..view }
    }
}

/// Which bookings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BookingsWanted {
    /// The office; another one than the officer's own is for the national office.
    office: OfficeCode,
    /// The day; today without it.
    #[param(value_type = Option<String>)]
    day: Option<Day>,
    /// True: those that are to be moved, of every day.
    to_be_moved: Option<bool>,
}

/// The place of a booking in the lists.
#[derive(Clone, Copy, Debug)]
struct BookingKey {
    day: Date,
    minute: u16,
    id: BookingId,
}

impl BookingKey {
    const fn of(booking: &Booking) -> Self {
        Self { day: booking.day, minute: booking.from.minute(), id: booking.id }
    }
}

impl fmt::Display for BookingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", Day(self.day), self.minute, self.id)
    }
}

impl FromStr for BookingKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(' ').collect();
        let [day, minute, id] = parts[..] else { return Err("a day, a minute, an identifier") };
        let day: Day = day.parse().map_err(|_| "a day")?;
        let (minute, id) = (minute.parse().map_err(|_| "a minute")?, id.parse().map_err(|_| "an identifier")?);
        Ok(Self { day: day.0, minute, id })
    }
}

/// The first day that is written: no booking is of an earlier one.
const FIRST: Date = time::macros::date!(1945 - 01 - 01);

/// Lists the bookings of an office on a day by time, with the names of the citizens; or those that are to be moved.
/// Each is a record about its citizen.
#[utoipa::path(get, path = "/api/v1/bookings", tag = "bookings", params(PageAsked, BookingsWanted),
    responses((status = 200, body = Page<BookingView>)))]
async fn list_bookings(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<BookingsWanted, BookingKey>,
) -> Looked<Page<BookingView>> {
    let (most, limit) = (listing.most(), listing.limit);
    let Listing { filter: BookingsWanted { office, day, to_be_moved }, after, .. } = listing;
    let today = desk.deeds().source().clock().today();
    let wanted = if to_be_moved.unwrap_or_default() {
        Wanted::ToBeMoved(after.map_or((FIRST, 0, Id::nil()), |key| (key.day, key.minute, key.id)))
    } else {
        Wanted::Day(day.map_or(today, |day| day.0), after.map_or((0, Id::nil()), |key| (key.minute, key.id)))
    };
    let list = async |deed: &mut crate::deed::Deed<Officer>| steps::list(deed, &office, wanted, most).await;
    let Json((listed, unreadable)) = desk.look(officer, list).await?;
    let rows = listed.into_iter().map(|listed| (BookingKey::of(&listed.booking), BookingView::from(listed)));
    let page = Page::of(rows.collect(), limit);
    Ok(Json(Page { unreadable, ..page }))
}

/// Body of a booking.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BookingBody {
    /// The register's id of the citizen.
    person_id: PersonId,
    /// The office: the officer's own, or any for the national office.
    office: OfficeCode,
    /// The day.
    day: Day,
    /// The begin of a slot.
    from: TimeOfDay,
    /// Needed where another office registered the citizen: what the citizen tells or shows at the counter.
    claim: Option<Claim>,
}

/// Books a place and a time for the capture. A refusal names the nearest free slots.
#[utoipa::path(post, path = "/api/v1/bookings", tag = "bookings", request_body = BookingBody,
    responses((status = 201, body = BookingView, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn book(
    State(desk): State<Desk>,
    State(bookings): State<Bookings>,
    officer: Officer,
    Write { stamp, body }: Write<BookingBody>,
) -> Answered {
    let BookingBody { person_id: person, office, day, from, claim } = body;
    let book = async || {
        desk.write(officer.clone(), stamp, async |deed| {
            let wish = Wish { person, office: &office, day: day.0, from, claim: claim.as_ref() };
            steps::book(deed, &bookings, wish).await.map(|told| BookingView::told(told, None))
        })
        .await
    };
    let booked = if claim.is_some() { population::claimed(&desk, &officer, person, book).await } else { book().await };
    booked.map(|made| made.created("/api/v1/bookings/", "id"))
}

/// Reads a booking of the officer's office.
#[utoipa::path(get, path = "/api/v1/bookings/{id}", tag = "bookings", params(("id" = String, Path)),
    responses((status = 200, body = BookingView)))]
async fn read_booking(
    State(desk): State<Desk>,
    State(bookings): State<Bookings>,
    officer: Officer,
    Named(id): Named<BookingId>,
) -> Looked<BookingView> {
    desk.look(officer, async |deed| {
        let (told, name) = steps::read(deed, &bookings, id).await?;
        Ok::<_, BookingError>(BookingView::told(told, name))
    })
    .await
}

/// Reads the booking with the number that a citizen brings, of whatever office.
#[utoipa::path(get, path = "/api/v1/booking-numbers/{number}", tag = "bookings", params(("number" = String, Path)),
    responses((status = 200, body = BookingView)))]
async fn booking_of_number(
    State(desk): State<Desk>,
    State(bookings): State<Bookings>,
    officer: Officer,
    Named(number): Named<BookingNumber>,
) -> Looked<BookingView> {
    desk.look(officer, async |deed| {
        let (told, name) = steps::read_by_number(deed, &bookings, &number).await?;
        Ok::<_, BookingError>(BookingView::told(told, name))
    })
    .await
}

/// The bookings of a person.
#[derive(Debug, Serialize, ToSchema)]
struct PersonBookings {
    /// The newest first, at most fifty.
    items: Vec<BookingView>,
    /// Bookings that the citizen missed within `bookings.missed_days`.
    missed: u32,
    /// True if these are `bookings.missed_told` or more. Nothing is refused for it.
    often_missed: bool,
}

/// The bookings of a person whom the officer may read.
#[utoipa::path(get, path = "/api/v1/persons/{id}/bookings", tag = "bookings", params(OccasionAsked),
    responses((status = 200, body = PersonBookings)))]
async fn bookings_of_person(
    State(desk): State<Desk>,
    State(bookings): State<Bookings>,
    officer: Officer,
    Named(id): Named<PersonId>,
    occasion: Occasion,
) -> Looked<PersonBookings> {
    desk.look(officer, async |deed| {
        let (found, missed) = steps::of_person(deed, &bookings, id, occasion).await?;
        let view = |(booking, holds)| BookingView::from(Listed { booking, name: None, holds });
        let (items, often_missed) = (found.into_iter().map(view).collect(), bookings.is_often(missed));
        Ok::<_, BookingError>(PersonBookings { items, missed, often_missed })
    })
    .await
}

/// Where a booking goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BookingMove {
    /// The office. The officer acts for this one, or for the one that the booking leaves.
    office: OfficeCode,
    /// The day.
    day: Day,
    /// The begin of a slot.
    from: TimeOfDay,
}

/// Gives a booking another place or time. A citizen whose booking had to be moved is told the new one.
#[utoipa::path(post, path = "/api/v1/bookings/{id}/move", tag = "bookings", request_body = BookingMove,
    params(("id" = String, Path)), responses((status = 200, body = BookingView)))]
async fn move_booking(
    State(desk): State<Desk>,
    State(bookings): State<Bookings>,
    officer: Officer,
    Named(id): Named<BookingId>,
    Write { stamp, body }: Write<BookingMove>,
) -> Answered {
    let BookingMove { office, day, from } = body;
    desk.write(officer, stamp, async |deed| {
        let told = steps::move_to(deed, &bookings, id, &office, (day.0, from)).await?;
        Ok::<_, BookingError>(BookingView::told(told, None))
    })
    .await
}

/// Body of a cancellation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BookingCancellation {
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// Cancels a booking: its desk is free.
#[utoipa::path(post, path = "/api/v1/bookings/{id}/cancellation", tag = "bookings",
    request_body = BookingCancellation, params(("id" = String, Path)), responses((status = 200, body = BookingView)))]
async fn cancel_booking(
    State(desk): State<Desk>,
    State(bookings): State<Bookings>,
    officer: Officer,
    Named(id): Named<BookingId>,
    Write { stamp, body }: Write<BookingCancellation>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let told = steps::cancel(deed, &bookings, id, body.reason.as_str()).await?;
        Ok::<_, BookingError>(BookingView::told(told, None))
    })
    .await
}

/// Notes that the citizen came, on the day of the booking. An application that is opened for the citizen takes it.
#[utoipa::path(post, path = "/api/v1/bookings/{id}/arrival", tag = "bookings", operation_id = "arrive_for_booking",
    request_body = Nothing, params(("id" = String, Path)), responses((status = 200, body = BookingView)))]
async fn arrive(
    State(desk): State<Desk>,
    State(bookings): State<Bookings>,
    officer: Officer,
    Named(id): Named<BookingId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let told = steps::arrive(deed, &bookings, id).await?;
        Ok::<_, BookingError>(BookingView::told(told, None))
    })
    .await
}

/// The booking that an application took.
#[derive(Debug, Serialize, ToSchema)]
pub struct BookingOfApplication {
    /// Identifier.
    id: BookingId,
    /// What the citizen quotes.
    number: String,
    /// The office.
    office: OfficeCode,
    /// The day.
    day: Day,
    /// Its begin.
    from: TimeOfDay,
    /// `arrived`, or `overtaken` where the application was opened at another office or on another day.
    state: BookingState,
}

impl From<Booking> for BookingOfApplication {
    fn from(booking: Booking) -> Self {
        let Booking { id, number, office, day, from, state, .. } = booking;
        Self { id, number: number.as_str().to_owned(), office, day: Day(day), from, state }
    }
}
