//! The verbs of bookings: hours are set, a booking is made, moved, cancelled, read, and taken when the citizen comes.

use rand::Rng as _;
use thiserror::Error;
use time::{Date, Duration};

use super::model::{
    Booking, BookingNumber, BookingState, BookingUnfit, Hours, HoursUnfit, OpeningHours, Place, Slot, SlotUnfit,
    TimeOfDay, Week, last_day, nearest,
};
use super::{Bookings, store};
use crate::deed::{Action, Deed, Entry, Object, Occasion, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, BookingId, PersonId};
use crate::ground::{OfficeCode, Officer, OtherOffice};
use crate::notices::model::{Matter, Subject};
use crate::offices::model::PeriodUnfit;
use crate::population::PopulationError;
use crate::population::model::Claim;
use crate::store::{StoreError, Tx};
use crate::{access, cards, notices, offices, population};

/// Sets the opening hours of an office, in force from a day on. What was set before stays on record. An office without
/// hours takes no bookings.
///
/// # Errors
/// [`BookingError::Hours`], [`BookingError::UnitUnknown`], [`BookingError::OtherOffice`]
pub async fn set_hours(
    deed: &mut Deed<Officer>,
    office: &OfficeCode,
    valid_from: Date,
    hours: Vec<OpeningHours>,
    reason: &str,
) -> Result<Hours, BookingError> {
    deed.actor().may_act_for(office)?;
    if offices::steps::knows_unit(deed.tx(), office).await? == Some(false) {
        return Err(BookingError::UnitUnknown);
    }
    let week = Week::new(hours)?;
    store::lock_office(deed.tx(), office).await?;
    let before = store::hours(deed.tx(), office).await?;
    let today = deed.today();
    // Only the first hours are in force at once: citizens may wait for a slot of today already.
    let earliest = if before.is_empty() { today } else { today.next_day().unwrap_or(today) };
    if valid_from < earliest {
        return Err(HoursUnfit::From(earliest).into());
    }
    let version = before.last().map_or(1, |last| last.version + 1);
    let hours = Hours { version, valid_from, week, set: deed.decision() };
    store::insert_hours(deed.tx(), office, &hours).await?;
    let object = Object::Unit(office.to_string());
    let entry = Entry::new(Action::OfficeHoursSet, object, Purpose::Administration).of(office);
    deed.enter(entry.because(format!("from {valid_from}: {reason}"))).await?;
    Ok(hours)
}

/// Returns all versions of the hours of an office, the first one first.
///
/// # Errors
/// [`StoreError`]
pub async fn hours(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<Hours>, StoreError> {
    store::hours(tx, office).await
}

/// Returns an office as bookings see it, with the calendar around this day.
///
/// # Errors
/// [`StoreError`]
pub async fn place(tx: &mut Tx, office: &OfficeCode, today: Date) -> Result<Place, StoreError> {
    let hours = store::hours(tx, office).await?;
    let calendar = offices::steps::calendar(tx, today.year() - 1, today.year() + 1).await?;
    let ends = access::dissolutions::ended(tx, office).await?.map(|_| today);
    Ok(Place { hours, calendar, ends })
}

/// The slots of an office on a day.
#[derive(Clone, Debug)]
pub struct DayOfSlots {
    /// The day.
    pub day: Date,
    /// False on a day on which the authority does not work.
    pub working: bool,
    /// What the day is called.
    pub name: Option<String>,
    /// The slots that can still be booked, each with how many desks are free.
    pub slots: Vec<(Slot, u16)>,
}

/// Returns the slots of an office from a day to a day, as far as they can be booked now, and the last day that can.
///
/// # Errors
/// [`BookingError::Period`]
pub async fn slots(
    tx: &mut Tx,
    bookings: &Bookings,
    office: &OfficeCode,
    (from, to): (Date, Date),
    now: (Date, TimeOfDay),
) -> Result<(Vec<DayOfSlots>, Date), BookingError> {
    offices::model::check_period(from, to)?;
    let (today, last) = (now.0, last_day(now.0, bookings.settings.horizon_days));
    let (from, to) = (from.max(today), to.min(last));
    let place = place(tx, office, today).await?;
    let taken = store::taken(tx, office, (from, to)).await?;
    let days = std::iter::successors(Some(from), |day| day.next_day()).take_while(|day| *day <= to);
    let of_day = |day| {
        let slots = place.slots(day).unwrap_or_default().into_iter();
        let open = slots.filter(|slot| (slot.day, slot.from) > now);
        DayOfSlots {
            day,
            working: place.calendar.is_working(day),
            name: place.calendar.name(day).map(ToOwned::to_owned),
            slots: open.map(|slot| (slot, slot.free(&taken))).collect(),
        }
    };
    Ok((days.map(of_day).collect(), last))
}

/// What a citizen asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The citizen.
    pub person: PersonId,
    /// At which office.
    pub office: &'a OfficeCode,
    /// On which day.
    pub day: Date,
    /// At which time.
    pub from: TimeOfDay,
    /// What the citizen tells or shows, where another office registered the citizen.
    pub claim: Option<&'a Claim>,
}

/// A booking, and how many the citizen missed of late.
#[derive(Clone, Debug)]
pub struct Told {
    /// The booking.
    pub booking: Booking,
    /// Bookings that were missed within the days of the settings.
    pub missed: u32,
    /// True if these are so many that the counter is told. Nothing is refused for it.
    pub often: bool,
}

/// Books a slot for a citizen.
///
/// # Errors
/// [`BookingError::Slot`] names what is wrong with the slot, and the nearest free ones; [`BookingError::OpenAlready`];
/// as where an application is opened
pub async fn book(deed: &mut Deed<Officer>, bookings: &Bookings, wish: Wish<'_>) -> Result<Told, BookingError> {
    let Wish { person, office, day, from, claim } = wish;
    deed.actor().may_act_for(office)?;
    // Locked, so that two counters cannot book one each.
    let registered = population::store::person_locked(deed, person).await?.ok_or(PopulationError::Unknown)?;
    if let Some(into) = registered.merged_into {
        return Err(PopulationError::Merged(into).into());
    }
    let cards = cards::store::cards_of(deed, person).await?;
    let in_hand: Vec<Date> = cards.iter().filter(|card| card.status.is_active()).map(|card| card.issued).collect();
    population::steps::citizen_is_there(deed.actor(), &registered, claim, &in_hand)?;
    if registered.person.died.is_some() {
        return Err(BookingError::NotEntitled);
    }
    if let Some((open, at)) = store::open_of(deed.tx(), person).await? {
        // An officer of another office learns that there is one, and not which.
        return Err(BookingError::OpenAlready(deed.actor().may_act_for(&at).is_ok().then_some(open)));
    }
    let slot = slot_for(deed, bookings, office, (day, from)).await?;
    let mut random = [0; 12];
    deed.rng().fill_bytes(&mut random);
    let booking = Booking {
        id: deed.id(),
        number: BookingNumber::draw(random),
        person,
        office: office.clone(),
        day: slot.day,
        from: slot.from,
        to: slot.to,
        state: BookingState::Booked,
        cause: None,
        application: None,
        booked: deed.decision(),
        changed_at: deed.at(),
        moves: 0,
    };
    store::insert(deed.tx(), &booking).await?;
    record(deed, &booking, Action::BookingMade, time_of(&booking)).await?;
    told(deed, bookings, booking).await
}

/// Gives a booking another place or time. The officer acts for the office that it leaves, or for the one to which it
/// goes. A citizen whose booking had to be moved is told the new time.
///
/// # Errors
/// [`BookingError::Slot`], [`BookingError::Unfit`], [`BookingError::Unknown`], [`BookingError::OtherOffice`]
pub async fn move_to(
    deed: &mut Deed<Officer>,
    bookings: &Bookings,
    id: BookingId,
    office: &OfficeCode,
    (day, from): (Date, TimeOfDay),
) -> Result<Told, BookingError> {
    let before = locked_with_person(deed, id).await?.ok_or(BookingError::Unknown)?;
    deed.actor().may_act_for(&before.office).or_else(|_| deed.actor().may_act_for(office))?;
    if !before.is_open() {
        return Err(BookingUnfit::Ended(before.state).into());
    }
    // Asked first: the slot may be full with this very booking.
    if before.is_at(office, day, from) {
        return Err(BookingUnfit::SameSlot.into());
    }
    let slot = slot_for(deed, bookings, office, (day, from)).await?;
    let (at, was, old) = (deed.at(), before.state, format!("{} {}", before.office, time_of(&before)));
    let booking = before.move_to(office.clone(), slot, at)?;
    store::update(deed.tx(), &booking).await?;
    if was == BookingState::ToBeMoved {
        let (number, day) = (booking.number.as_str().to_owned(), booking.day);
        let matter = Matter::BookingMoved { number, day, from: booking.from.into() };
        notices::write_about(deed, (Subject::Booking(id), booking.person, &booking.office), &matter).await?;
    }
    let says = format!("from {old} to {} {}", booking.office, time_of(&booking));
    record(deed, &booking, Action::BookingMoved, says).await?;
    told(deed, bookings, booking).await
}

/// Cancels a booking: its desk is free.
///
/// # Errors
/// [`BookingError::Unfit`], [`BookingError::Unknown`], [`BookingError::OtherOffice`]
pub async fn cancel(
    deed: &mut Deed<Officer>,
    bookings: &Bookings,
    id: BookingId,
    reason: &str,
) -> Result<Told, BookingError> {
    let before = of_office(deed, id).await?;
    let at = deed.at();
    let booking = before.cancel(at)?;
    store::update(deed.tx(), &booking).await?;
    record(deed, &booking, Action::BookingCancelled, reason.to_owned()).await?;
    told(deed, bookings, booking).await
}

/// Notes that the citizen came: the way to the capture is open. One who comes late on the day is taken all the same.
///
/// # Errors
/// [`BookingError::Unfit`], [`BookingError::Unknown`], [`BookingError::OtherOffice`]
pub async fn arrive(deed: &mut Deed<Officer>, bookings: &Bookings, id: BookingId) -> Result<Told, BookingError> {
    let before = of_office(deed, id).await?;
    let (at, today) = (deed.at(), deed.today());
    let booking = before.arrive(today, at)?;
    store::update(deed.tx(), &booking).await?;
    record(deed, &booking, Action::BookingArrived, time_of(&booking)).await?;
    told(deed, bookings, booking).await
}

/// Takes the bookings of a person for an application that is opened: the one for which the person is expected, and the
/// one for which the person came today. A row that another hand changed is passed over: what is done to a booking stops
/// no card. Returns the last of them.
///
/// # Errors
/// [`StoreError`]
pub async fn take(
    deed: &mut Deed<Officer>,
    person: PersonId,
    office: &OfficeCode,
    application: ApplicationId,
) -> Result<Option<Booking>, StoreError> {
    let (today, at) = (deed.today(), deed.at());
    let mut last = None;
    for id in store::to_take(deed.tx(), person, today).await? {
        let before = match store::locked(deed.tx(), id).await {
            Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => None,
            found => found?,
        };
        let taken = before.and_then(|before| before.taken_by(application, office, today, at));
        let Some(booking) = taken else { continue };
        store::update(deed.tx(), &booking).await?;
        let entry = Entry::new(Action::BookingArrived, Object::Booking(id), Purpose::Registration).about(person);
        let entry = entry.of(&booking.office).with(Object::Application(application));
        deed.enter(entry.because(booking.state.word())).await?;
        last = Some(booking);
    }
    Ok(last)
}

/// Returns the booking that an application took. One that another hand changed is none.
///
/// # Errors
/// [`StoreError`]
pub async fn of_application(tx: &mut Tx, id: ApplicationId) -> Result<Option<Booking>, StoreError> {
    match store::of_application(tx, id).await {
        Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => Ok(None),
        found => found,
    }
}

/// Returns the bookings that an application of a person would take if it were opened today. Those that another hand
/// changed are none. For a person whose reading is recorded.
///
/// # Errors
/// [`StoreError`]
pub async fn to_take(tx: &mut Tx, person: PersonId, today: Date) -> Result<Vec<Booking>, StoreError> {
    let mut found = vec![];
    for id in store::to_take(tx, person, today).await? {
        match store::booking(tx, id).await {
            Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => {}
            booking => found.extend(booking?),
        }
    }
    Ok(found)
}

/// A booking of a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The booking.
    pub booking: Booking,
    /// The citizen's name; none where the record is not to be believed, or is of an office that the officer does not
    /// act for.
    pub name: Option<String>,
    /// False if another hand changed the record.
    pub holds: bool,
}

/// Reads a booking, for the office that it is for.
///
/// # Errors
/// [`BookingError::Unknown`], [`BookingError::OtherOffice`]
pub async fn read(
    deed: &mut Deed<Officer>,
    bookings: &Bookings,
    id: BookingId,
) -> Result<(Told, Option<String>), BookingError> {
    let booking = store::booking(deed.tx(), id).await?.ok_or(BookingError::Unknown)?;
    deed.actor().may_act_for(&booking.office)?;
    shown(deed, bookings, booking).await
}

/// Reads the booking with a number, which the citizen brings: at any counter. Another office's is shown without the
/// name.
///
/// # Errors
/// [`BookingError::Unknown`]
pub async fn read_by_number(
    deed: &mut Deed<Officer>,
    bookings: &Bookings,
    number: &BookingNumber,
) -> Result<(Told, Option<String>), BookingError> {
    let id = store::of_number(deed.tx(), number).await?.ok_or(BookingError::Unknown)?;
    let booking = store::booking(deed.tx(), id).await?.ok_or(BookingError::Unknown)?;
    shown(deed, bookings, booking).await
}

async fn shown(
    deed: &mut Deed<Officer>,
    bookings: &Bookings,
    booking: Booking,
) -> Result<(Told, Option<String>), BookingError> {
    let own = deed.actor().may_act_for(&booking.office).is_ok();
    let name = if own { name_of(deed, booking.person).await? } else { None };
    let entry = Entry::new(Action::BookingRead, Object::Booking(booking.id), Purpose::Registration);
    deed.enter(entry.about(booking.person).of(&booking.office)).await?;
    Ok((told(deed, bookings, booking).await?, name))
}

/// Which bookings of an office.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// Those of a day, by time, after this time and booking.
    Day(Date, (u16, BookingId)),
    /// Those that are to be moved, by day and time, after this day, time and booking.
    ToBeMoved((Date, u16, BookingId)),
}

/// Lists bookings of an office, with the names of the citizens: each of them is a record about its citizen. Returns
/// also the keys of rows of which nothing can be shown.
///
/// # Errors
/// [`BookingError::OtherOffice`]
pub async fn list(
    deed: &mut Deed<Officer>,
    office: &OfficeCode,
    wanted: Wanted,
    most: i64,
) -> Result<(Vec<Listed>, Vec<String>), BookingError> {
    deed.actor().may_act_for(office)?;
    let (found, unreadable) = match wanted {
        Wanted::Day(day, after) => store::of_day(deed.tx(), (office, day), after, most).await?,
        Wanted::ToBeMoved(after) => store::stranded(deed.tx(), office, after, most).await?,
    };
    let mut listed = Vec::with_capacity(found.len());
    for (booking, holds) in found {
        let name = if holds { name_of(deed, booking.person).await? } else { None };
        let entry = Entry::new(Action::BookingsListed, Object::Booking(booking.id), Purpose::Registration);
        deed.enter(entry.about(booking.person).of(office)).await?;
        listed.push(Listed { booking, name, holds });
    }
    if listed.is_empty() {
        let object = Object::Unit(office.to_string());
        deed.enter(Entry::new(Action::BookingsListed, object, Purpose::Registration).of(office)).await?;
    }
    Ok((listed, unreadable))
}

/// Lists the bookings of a person whom the officer may read, the newest first, and those that were missed of late.
///
/// # Errors
/// [`BookingError::Person`]
pub async fn of_person(
    deed: &mut Deed<Officer>,
    bookings: &Bookings,
    person: PersonId,
    occasion: Occasion,
) -> Result<(Vec<(Booking, bool)>, u32), BookingError> {
    let registered = population::steps::read(deed, person, occasion).await?;
    let (found, _) = store::of_person(deed.tx(), person, MOST_OF_PERSON).await?;
    let entry = Entry::new(Action::BookingsListed, Object::Person(person), occasion.purpose).about(person);
    deed.enter(entry.of(&registered.office)).await?;
    let missed = missed(deed, bookings, person).await?;
    Ok((found, missed))
}

/// Returns a slot that is free and kept from other bookings until the deed ends, or says what is wrong with it.
async fn slot_for(
    deed: &mut Deed<Officer>,
    bookings: &Bookings,
    office: &OfficeCode,
    asked: (Date, TimeOfDay),
) -> Result<Slot, BookingError> {
    let now = (deed.today(), TimeOfDay::from(deed.time_of_day()));
    let last = last_day(now.0, bookings.settings.horizon_days);
    store::lock_office(deed.tx(), office).await?;
    // Read after the lock: what another counter booked meanwhile is seen.
    let place = place(deed.tx(), office, now.0).await?;
    let taken = store::taken(deed.tx(), office, (now.0, last)).await?;
    let unfit = match place.judge(asked, now, last) {
        Ok(slot) if slot.free(&taken) > 0 => return Ok(slot),
        Ok(slot) => SlotUnfit::Full(slot.desks),
        Err(unfit) => unfit,
    };
    let free = nearest(place.free(now, last, &taken), asked, NEAREST);
    Err(BookingError::Slot { office: office.clone(), unfit, free })
}

/// Returns a booking kept from other writers, and its person before it: as where a person is booked or an application
/// opened, so that none of two waits for the other. For verbs that write a notice, which refers to the person.
pub(super) async fn locked_with_person<A: Actor>(
    deed: &mut Deed<A>,
    id: BookingId,
) -> Result<Option<Booking>, StoreError> {
    let Some(seen) = store::booking(deed.tx(), id).await? else { return Ok(None) };
    population::store::person_locked(deed, seen.person).await?;
    store::locked(deed.tx(), id).await
}

async fn of_office(deed: &mut Deed<Officer>, id: BookingId) -> Result<Booking, BookingError> {
    let booking = store::locked(deed.tx(), id).await?.ok_or(BookingError::Unknown)?;
    deed.actor().may_act_for(&booking.office)?;
    Ok(booking)
}

async fn told(deed: &mut Deed<Officer>, bookings: &Bookings, booking: Booking) -> Result<Told, BookingError> {
    let missed = missed(deed, bookings, booking.person).await?;
    let often = bookings.is_often(missed);
    Ok(Told { booking, missed, often })
}

async fn missed(deed: &mut Deed<Officer>, bookings: &Bookings, person: PersonId) -> Result<u32, StoreError> {
    let days = Duration::days(bookings.settings.missed_days.into());
    let since = deed.today().checked_sub(days).unwrap_or(Date::MIN);
    store::missed_since(deed.tx(), person, since).await
}

async fn name_of(deed: &mut Deed<Officer>, person: PersonId) -> Result<Option<String>, StoreError> {
    let registered = population::store::person(deed, person).await?;
    Ok(registered.map(|registered| registered.person.full_name.as_str().to_owned()))
}

pub(super) async fn record<A: Actor>(
    deed: &mut Deed<A>,
    booking: &Booking,
    action: Action,
    says: String,
) -> Result<(), StoreError> {
    let entry = Entry::new(action, Object::Booking(booking.id), Purpose::Registration).about(booking.person);
    deed.enter(entry.of(&booking.office).because(says)).await
}

/// Day and time, for the trail.
pub(super) fn time_of(booking: &Booking) -> String {
    format!("{} {}", booking.day, booking.from)
}

impl Bookings {
    /// True if a citizen missed so many bookings that the counter is told.
    #[must_use]
    pub fn is_often(&self, missed: u32) -> bool {
        missed >= u32::from(self.settings.missed_told)
    }
}

/// Why a verb about bookings is refused.
#[derive(Debug, Error)]
pub enum BookingError {
    /// The hours cannot be so.
    #[error(transparent)]
    Hours(#[from] HoursUnfit),
    /// The person is dead.
    #[error("the register says that the person is dead")]
    NotEntitled,
    /// The person is expected somewhere already.
    #[error("the person has a booking: move or cancel that one")]
    OpenAlready(Option<BookingId>),
    /// Another office's.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The period of a question.
    #[error(transparent)]
    Period(#[from] PeriodUnfit),
    /// The person.
    #[error(transparent)]
    Person(#[from] PopulationError),
    /// The slot.
    #[error("{unfit}; {}", free_in_words(.office, .free))]
    Slot {
        /// The office.
        office: OfficeCode,
        /// What is wrong with it.
        unfit: SlotUnfit,
        /// The nearest free slots of the office.
        free: Vec<Slot>,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The booking does not change so.
    #[error(transparent)]
    Unfit(#[from] BookingUnfit),
    /// There are units, and the office is none.
    #[error("no unit has this code")]
    UnitUnknown,
    /// There is no such booking.
    #[error("no such booking")]
    Unknown,
}

fn free_in_words(office: &OfficeCode, free: &[Slot]) -> String {
    if free.is_empty() {
        return format!("no slot of {office} is free up to the last day that can be booked");
    }
    let all: Vec<String> = free.iter().map(|slot| format!("{} {}", slot.day, slot.from)).collect();
    format!("the nearest free slots of {office}: {}", all.join(", "))
}

/// So many free slots are named to a counter whose slot is none.
const NEAREST: usize = 3;
/// So many bookings of a person are listed.
const MOST_OF_PERSON: i64 = 50;
