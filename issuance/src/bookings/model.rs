//! Opening hours, slots and bookings: pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Date, Duration, OffsetDateTime, Time, Weekday};
use utoipa::ToSchema;

use crate::ground::ids::{ApplicationId, BookingId, PersonId};
use crate::ground::{Decision, OfficeCode, words};
use crate::offices::calendar::Calendar;

/// A time of the civil day, to the minute, written `HH:MM`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "07:30")]
pub struct TimeOfDay(u16);

/// A text that is no time of the day.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a time of the day is written HH:MM, from 00:00 to 23:59")]
pub struct TimeMalformed;

impl TimeOfDay {
    /// From minutes since midnight; none past the end of the day.
    #[must_use]
    pub const fn at(minute: u16) -> Option<Self> {
        if minute < 24 * 60 { Some(Self(minute)) } else { None }
    }

    /// Returns the minutes since midnight.
    #[must_use]
    pub const fn minute(self) -> u16 {
        self.0
    }
}

impl From<Time> for TimeOfDay {
    fn from(time: Time) -> Self {
        Self(u16::from(time.hour()) * 60 + u16::from(time.minute()))
    }
}

impl From<TimeOfDay> for Time {
    fn from(time: TimeOfDay) -> Self {
        let part = |minutes: u16| u8::try_from(minutes).unwrap_or_default();
        Self::from_hms(part(time.0 / 60), part(time.0 % 60), 0).unwrap_or(Self::MIDNIGHT)
    }
}

impl FromStr for TimeOfDay {
    type Err = TimeMalformed;

    fn from_str(text: &str) -> Result<Self, TimeMalformed> {
        let two = |digits: &[u8]| match digits {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(u16::from(tens - b'0') * 10 + u16::from(ones - b'0')),
            _ => None,
        };
        let (hours, minutes) = match text.as_bytes() {
            [h1, h2, b':', m1, m2] => (two(&[*h1, *h2]), two(&[*m1, *m2])),
            _ => (None, None),
        };
        match (hours, minutes) {
            (Some(hours @ 0..=23), Some(minutes @ 0..=59)) => Ok(Self(hours * 60 + minutes)),
            _ => Err(TimeMalformed),
        }
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = TimeMalformed;

    fn try_from(text: String) -> Result<Self, TimeMalformed> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DayOfWeek {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl From<Weekday> for DayOfWeek {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}

/// Hours of one day of the week: from a time to a time, cut into slots, each with so many desks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"weekday": "monday", "from": "07:30", "to": "11:30", "slot_minutes": 15, "desks": 2}))]
pub struct OpeningHours {
    /// The day of the week. A Saturday that is worked in exchange for a day off has the hours of a Saturday.
    pub weekday: DayOfWeek,
    /// The first slot begins.
    pub from: TimeOfDay,
    /// No slot ends later.
    pub to: TimeOfDay,
    /// Minutes of a slot, 5 to 240. What is left at the end is no slot.
    #[schema(minimum = 5, maximum = 240)]
    pub slot_minutes: u16,
    /// Bookings that a slot takes, 1 to 200.
    #[schema(minimum = 1, maximum = 200)]
    pub desks: u16,
}

/// The opening hours of a week, in order, without two that overlap. None: the office takes no bookings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Week(Vec<OpeningHours>);

/// Why hours cannot be so.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum HoursUnfit {
    /// Desks of a slot.
    #[error("desks: 1 to 200")]
    Desks,
    /// Two hours of one day overlap.
    #[error("two rows of {0:?} overlap")]
    Overlap(DayOfWeek),
    /// Hours from a day that is over, or on which citizens may be waiting already.
    #[error("valid_from: {0} or later, so that no citizen waits before a door that closed meanwhile")]
    From(Date),
    /// The length of a slot.
    #[error("slot_minutes: 5 to 240, and no longer than the hours")]
    Slot,
    /// Too many rows.
    #[error("hours: at most {MOST_HOURS} rows")]
    TooMany,
}

impl Week {
    /// Checks the hours of a week and puts them in order.
    ///
    /// # Errors
    /// [`HoursUnfit`]
    pub fn new(mut hours: Vec<OpeningHours>) -> Result<Self, HoursUnfit> {
        if hours.len() > MOST_HOURS {
            return Err(HoursUnfit::TooMany);
        }
        for one in &hours {
            if !(5..=240).contains(&one.slot_minutes) || one.from.0 + one.slot_minutes > one.to.0 {
                return Err(HoursUnfit::Slot);
            }
            if !(1..=200).contains(&one.desks) {
                return Err(HoursUnfit::Desks);
            }
        }
        hours.sort_by_key(|one| (one.weekday, one.from));
        let overlap = |pair: &[OpeningHours]| pair[0].weekday == pair[1].weekday && pair[1].from < pair[0].to;
        match hours.windows(2).find(|pair| overlap(pair)) {
            Some(pair) => Err(HoursUnfit::Overlap(pair[0].weekday)),
            None => Ok(Self(hours)),
        }
    }

    /// Returns the hours, in order.
    #[must_use]
    pub fn hours(&self) -> &[OpeningHours] {
        &self.0
    }

    /// Returns the slots of a day, in order; the calendar is not asked.
    #[must_use]
    pub fn slots(&self, day: Date) -> Vec<Slot> {
        let weekday = DayOfWeek::from(day.weekday());
        let of_day = self.0.iter().filter(|hours| hours.weekday == weekday);
        let cut = |hours: &OpeningHours| {
            let OpeningHours { from, to, slot_minutes, desks, .. } = *hours;
            let begins = (from.0..to.0).step_by(slot_minutes.into()).filter(move |at| at + slot_minutes <= to.0);
            begins.map(move |at| Slot { day, from: TimeOfDay(at), to: TimeOfDay(at + slot_minutes), desks })
        };
        of_day.flat_map(cut).collect()
    }
}

/// The hours of an office from a day on, as an administrator set them.
#[derive(Clone, Debug)]
pub struct Hours {
    /// Number of this version, from 1.
    pub version: u32,
    /// First day.
    pub valid_from: Date,
    /// The hours.
    pub week: Week,
    /// The administrator and the moment.
    pub set: Decision,
}

/// Returns the hours that are in force on a day: those with the latest first day up to it, and of two with the same
/// first day those that were set last.
#[must_use]
pub fn in_force(hours: &[Hours], day: Date) -> Option<&Hours> {
    hours.iter().filter(|one| one.valid_from <= day).max_by_key(|one| (one.valid_from, one.version))
}

/// A time at an office that can be booked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Slot {
    /// The day.
    pub day: Date,
    /// Its begin.
    pub from: TimeOfDay,
    /// Its end.
    pub to: TimeOfDay,
    /// Bookings that it takes.
    pub desks: u16,
}

/// Bookings that take a desk at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taken {
    /// The day.
    pub day: Date,
    /// Their begin.
    pub from: TimeOfDay,
    /// Their end.
    pub to: TimeOfDay,
    /// How many.
    pub count: u32,
}

impl Slot {
    /// Returns how many desks are free. Bookings that were made when the hours were others count where they overlap.
    #[must_use]
    pub fn free(&self, taken: &[Taken]) -> u16 {
        let overlaps = |one: &&Taken| one.day == self.day && one.from < self.to && self.from < one.to;
        let count: u32 = taken.iter().filter(overlaps).map(|one| one.count).sum();
        self.desks.saturating_sub(u16::try_from(count).unwrap_or(u16::MAX))
    }

    fn begins(&self) -> i64 {
        minutes(self.day, self.from)
    }
}

/// An office as bookings see it: its hours, the calendar, and whether it takes bookings at all.
#[derive(Clone, Debug)]
pub struct Place {
    /// All versions of its hours.
    pub hours: Vec<Hours>,
    /// The calendar of the period that is looked at.
    pub calendar: Calendar,
    /// From this day on the office is no more.
    pub ends: Option<Date>,
}

impl Place {
    /// Returns the slots of a day, or why there are none.
    ///
    /// # Errors
    /// [`Closed`]
    pub fn slots(&self, day: Date) -> Result<Vec<Slot>, Closed> {
        let hours = in_force(&self.hours, day).filter(|hours| !hours.week.0.is_empty());
        let Some(hours) = hours.filter(|_| self.ends.is_none_or(|ends| day < ends)) else {
            return Err(Closed::NoBookings);
        };
        if !self.calendar.is_working(day) {
            return Err(Closed::Day(self.calendar.name(day).map(ToOwned::to_owned)));
        }
        Ok(hours.week.slots(day))
    }

    /// Judges the slot that is asked for. `now` is the civil day and time, `last` the last day that can be booked.
    ///
    /// # Errors
    /// [`SlotUnfit`], but [`SlotUnfit::Full`], which takes the bookings.
    pub fn judge(&self, (day, from): (Date, TimeOfDay), now: (Date, TimeOfDay), last: Date) -> Result<Slot, SlotUnfit> {
        if (day, from) <= now {
            return Err(SlotUnfit::Past);
        }
        if day > last {
            return Err(SlotUnfit::Beyond(last));
        }
        let slots = self.slots(day).map_err(|closed| match closed {
            Closed::Day(name) => SlotUnfit::Closed { day, name },
            Closed::NoBookings => SlotUnfit::NoBookings,
        })?;
        slots.into_iter().find(|slot| slot.from == from).ok_or(SlotUnfit::OutsideHours)
    }

    /// Returns the slots with a free desk that begin after `now`, up to and with the day `last`.
    #[must_use]
    pub fn free(&self, (first, now): (Date, TimeOfDay), last: Date, taken: &[Taken]) -> Vec<(Slot, u16)> {
        let days = std::iter::successors(Some(first), |day| day.next_day()).take_while(|day| *day <= last);
        let slots = days.flat_map(|day| self.slots(day).unwrap_or_default());
        let open = slots.filter(|slot| (slot.day, slot.from) > (first, now));
        open.map(|slot| (slot, slot.free(taken))).filter(|(_, free)| *free > 0).collect()
    }

    /// Returns why a booking at this time has no slot any more; none if it has one.
    #[must_use]
    pub fn gone(&self, day: Date, from: TimeOfDay, to: TimeOfDay) -> Option<Cause> {
        match self.slots(day) {
            Err(Closed::Day(_)) => Some(Cause::DayClosed),
            Err(Closed::NoBookings) => Some(Cause::OfficeClosed),
            Ok(slots) if slots.iter().any(|slot| (slot.from, slot.to) == (from, to)) => None,
            Ok(_) => Some(Cause::HoursChanged),
        }
    }

    /// Returns why some of the bookings at a time have no desk, and how many of those that were made first keep theirs;
    /// none where all of them do.
    #[must_use]
    pub fn without_desk(&self, at: &Taken) -> Option<(Cause, usize)> {
        if let Some(cause) = self.gone(at.day, at.from, at.to) {
            return Some((cause, 0));
        }
        let slots = self.slots(at.day).unwrap_or_default();
        let desks = slots.iter().find(|slot| slot.from == at.from).map_or(0, |slot| slot.desks);
        (at.count > u32::from(desks)).then_some((Cause::HoursChanged, desks.into()))
    }
}

/// Why an office has no slots on a day.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Closed {
    /// It is no working day; a holiday has a name.
    Day(Option<String>),
    /// The office takes no bookings.
    NoBookings,
}

/// Returns at most so many slots that lie nearest to a time, the nearest first.
#[must_use]
pub fn nearest(mut free: Vec<(Slot, u16)>, (day, from): (Date, TimeOfDay), most: usize) -> Vec<Slot> {
    let asked = minutes(day, from);
    free.sort_by_key(|(slot, _)| ((slot.begins() - asked).abs(), slot.begins()));
    free.into_iter().take(most).map(|(slot, _)| slot).collect()
}

/// Minutes since a day long ago.
fn minutes(day: Date, time: TimeOfDay) -> i64 {
    i64::from(day.to_julian_day()) * 24 * 60 + i64::from(time.0)
}

/// Returns the last day that can be booked.
#[must_use]
pub fn last_day(today: Date, horizon_days: u16) -> Date {
    today.checked_add(Duration::days(horizon_days.into())).unwrap_or(Date::MAX)
}

/// Why a slot cannot be booked.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum SlotUnfit {
    /// Further ahead than can be booked.
    #[error("the last day that can be booked is {0}")]
    Beyond(Date),
    /// The authority does not work on the day.
    #[error("{day} is no working day{}", .name.as_ref().map_or_else(String::new, |name| format!(": {name}")))]
    Closed {
        /// The day.
        day: Date,
        /// What it is called.
        name: Option<String>,
    },
    /// All desks are taken.
    #[error("all {0} desks of the slot are taken")]
    Full(u16),
    /// The office takes no bookings on the day.
    #[error("the office takes no bookings on that day")]
    NoBookings,
    /// No slot begins at the time.
    #[error("no slot of the office begins at that time")]
    OutsideHours,
    /// It has begun.
    #[error("the time is over, or has begun")]
    Past,
}

/// The number that a citizen quotes: `LH-` (lịch hẹn) and twelve letters and digits.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct BookingNumber(String);

/// A text that is no number of a booking.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the number of a booking is LH and twelve letters and digits")]
pub struct BookingNumberMalformed;

impl BookingNumber {
    /// From twelve random bytes.
    #[must_use]
    pub fn draw(random: [u8; 12]) -> Self {
        let letters: String = random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
        Self::grouped(&letters)
    }

    fn grouped(letters: &str) -> Self {
        Self(format!("LH-{}-{}-{}", &letters[..4], &letters[4..8], &letters[8..]))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// From a text as people read it from paper: case, spaces and dashes do not count.
impl FromStr for BookingNumber {
    type Err = BookingNumberMalformed;

    fn from_str(text: &str) -> Result<Self, BookingNumberMalformed> {
        let plain: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect();
        let letters = plain.strip_prefix("LH").filter(|rest| rest.len() == 12);
        let letters = letters.filter(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        letters.map(Self::grouped).ok_or(BookingNumberMalformed)
    }
}

impl TryFrom<String> for BookingNumber {
    type Error = BookingNumberMalformed;

    fn try_from(text: String) -> Result<Self, BookingNumberMalformed> {
        text.parse()
    }
}

/// The letters of a number, without those that are taken for digits (Crockford).
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How far a booking is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BookingState {
    /// The citizen came.
    Arrived,
    /// It has a desk.
    Booked,
    /// The citizen wants it no more.
    Cancelled,
    /// The citizen did not come.
    Missed,
    /// An application was opened at another office or on another day: its desk is free.
    Overtaken,
    /// Its slot is gone: an officer moves or cancels it.
    ToBeMoved,
}

words! {
    BookingState {
        Arrived = "arrived",
        Booked = "booked",
        Cancelled = "cancelled",
        Missed = "missed",
        Overtaken = "overtaken",
        ToBeMoved = "to-be-moved",
    }
}

/// Why a booking is to be moved.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The day is no working day any more.
    DayClosed,
    /// The office has other hours, or fewer desks.
    HoursChanged,
    /// The office takes no bookings any more.
    OfficeClosed,
}

words! {
    Cause { DayClosed = "day-closed", HoursChanged = "hours-changed", OfficeClosed = "office-closed", }
}

/// A citizen's booking.
#[derive(Clone, Debug)]
pub struct Booking {
    /// Identifier.
    pub id: BookingId,
    /// What the citizen quotes.
    pub number: BookingNumber,
    /// The citizen.
    pub person: PersonId,
    /// The office.
    pub office: OfficeCode,
    /// The day.
    pub day: Date,
    /// Its begin.
    pub from: TimeOfDay,
    /// Its end.
    pub to: TimeOfDay,
    /// How far it is.
    pub state: BookingState,
    /// Why it is to be moved.
    pub cause: Option<Cause>,
    /// The application that took it.
    pub application: Option<ApplicationId>,
    /// The officer who booked it, and the moment.
    pub booked: Decision,
    /// When it changed last.
    pub changed_at: OffsetDateTime,
    /// How often it was moved.
    pub moves: u32,
}

/// Why a booking does not change so.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum BookingUnfit {
    /// It ended.
    #[error("the booking is {}", .0.word())]
    Ended(BookingState),
    /// Of another day.
    #[error("the booking is of {0}: move it to today, or open the application without it")]
    NotToday(Date),
    /// It is where it is to go.
    #[error("the booking is at that time already")]
    SameSlot,
}

impl Booking {
    /// True while the citizen is expected: booked, or to be moved.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, BookingState::Booked | BookingState::ToBeMoved)
    }

    /// True if it has a desk at this office and time.
    #[must_use]
    pub fn is_at(&self, office: &OfficeCode, day: Date, from: TimeOfDay) -> bool {
        self.state == BookingState::Booked && (&self.office, self.day, self.from) == (office, day, from)
    }

    /// True once its time is over.
    #[must_use]
    pub fn is_over(&self, now: (Date, TimeOfDay)) -> bool {
        (self.day, self.to) <= now
    }

    /// `Booked | ToBeMoved → Booked`, at another office or time.
    ///
    /// # Errors
    /// [`BookingUnfit::Ended`], [`BookingUnfit::SameSlot`]
    pub fn move_to(self, office: OfficeCode, slot: Slot, at: OffsetDateTime) -> Result<Self, BookingUnfit> {
        if !self.is_open() {
            return Err(BookingUnfit::Ended(self.state));
        }
        let Slot { day, from, to, .. } = slot;
        if self.is_at(&office, day, from) {
            return Err(BookingUnfit::SameSlot);
        }
        let (state, cause, moves) = (BookingState::Booked, None, self.moves + 1);
        Ok(Self { office, day, from, to, state, cause, moves, changed_at: at, ..self })
    }

    /// `Booked | ToBeMoved → Cancelled`.
    ///
    /// # Errors
    /// [`BookingUnfit::Ended`]
    pub fn cancel(self, at: OffsetDateTime) -> Result<Self, BookingUnfit> {
        if !self.is_open() {
            return Err(BookingUnfit::Ended(self.state));
        }
        Ok(Self { state: BookingState::Cancelled, changed_at: at, ..self })
    }

    /// `Booked | ToBeMoved | Missed → Arrived`, on its day: one who comes late is taken all the same.
    ///
    /// # Errors
    /// [`BookingUnfit::Ended`], [`BookingUnfit::NotToday`]
    pub fn arrive(self, today: Date, at: OffsetDateTime) -> Result<Self, BookingUnfit> {
        if !self.is_open() && self.state != BookingState::Missed {
            return Err(BookingUnfit::Ended(self.state));
        }
        if self.day != today {
            return Err(BookingUnfit::NotToday(self.day));
        }
        Ok(Self { state: BookingState::Arrived, cause: None, changed_at: at, ..self })
    }

    /// `Booked → Missed`, once its time is over; none where that is not so.
    #[must_use]
    pub fn miss(self, now: (Date, TimeOfDay), at: OffsetDateTime) -> Option<Self> {
        let missed = self.state == BookingState::Booked && self.is_over(now);
        missed.then_some(Self { state: BookingState::Missed, changed_at: at, ..self })
    }

    /// `Booked → ToBeMoved`; none where it is not booked.
    #[must_use]
    pub fn strand(self, cause: Cause, at: OffsetDateTime) -> Option<Self> {
        let booked = self.state == BookingState::Booked;
        booked.then_some(Self { state: BookingState::ToBeMoved, cause: Some(cause), changed_at: at, ..self })
    }

    /// Returns the booking as an application at an office takes it: arrived, or overtaken where it was for another
    /// office or another day. None where it is not open and did not arrive today.
    #[must_use]
    pub fn taken_by(self, id: ApplicationId, office: &OfficeCode, today: Date, at: OffsetDateTime) -> Option<Self> {
        let arrived = self.state == BookingState::Arrived && self.application.is_none() && self.day == today;
        if !self.is_open() && !arrived {
            return None;
        }
        let here = self.office == *office && self.day == today;
        let state = if here || arrived { BookingState::Arrived } else { BookingState::Overtaken };
        Some(Self { state, cause: None, application: Some(id), changed_at: at, ..self })
    }
}

/// Rows of a week, at most: four for each day.
const MOST_HOURS: usize = 28;

#[cfg(test)]
mod tests;
