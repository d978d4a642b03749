use std::collections::BTreeMap;

use proptest::prelude::*;
use time::macros::{date, datetime, time};

use super::*;
use crate::ground::Id;
use crate::offices::calendar::SetDay;

fn at(text: &str) -> TimeOfDay {
    text.parse().unwrap()
}

fn row(weekday: DayOfWeek, from: &str, to: &str, slot_minutes: u16, desks: u16) -> OpeningHours {
    OpeningHours { weekday, from: at(from), to: at(to), slot_minutes, desks }
}

fn hours(version: u32, valid_from: Date, rows: Vec<OpeningHours>) -> Hours {
    let set = Decision { by: Id::nil(), at: datetime!(2026-11-20 02:00 UTC) };
    Hours { version, valid_from, week: Week::new(rows).unwrap(), set }
}

/// Mondays from eight to nine with slots of twenty minutes and two desks.
fn place() -> Place {
    let rows = vec![row(DayOfWeek::Monday, "08:00", "09:00", 20, 2)];
    Place { hours: vec![hours(1, date!(2026 - 11 - 01), rows)], calendar: Calendar::default(), ends: None }
}

const MONDAY: Date = date!(2026 - 11 - 30);
const SUNDAY: Date = date!(2026 - 11 - 22);

fn booking(n: u128, day: Date, slot: Slot) -> Booking {
    Booking {
        id: Id::from_uuid(uuid::Uuid::from_u128(n)),
        number: BookingNumber::draw([0; 12]),
        person: Id::nil(),
        office: "o-1".parse().unwrap(),
        day,
        from: slot.from,
        to: slot.to,
        state: BookingState::Booked,
        cause: None,
        application: None,
        booked: Decision { by: Id::nil(), at: datetime!(2026-11-20 02:00 UTC) },
        changed_at: datetime!(2026-11-20 02:00 UTC),
        moves: 0,
    }
}

#[test]
fn a_time_of_the_day_has_one_spelling() {
    assert_eq!(at("07:30").minute(), 450);
    assert_eq!((at("00:00").to_string(), at("23:59").to_string()), ("00:00".into(), "23:59".into()));
    assert_eq!((TimeOfDay::from(time!(07:30:59)), Time::from(at("07:30"))), (at("07:30"), time!(07:30)));
    assert_eq!((TimeOfDay::at(1439), TimeOfDay::at(1440)), (Some(at("23:59")), None));
    for text in ["", "7:30", "24:00", "12:60", "07:3", "07-30", "+7:30", "07:30:00", "０７:30"] {
        assert_eq!(text.parse::<TimeOfDay>(), Err(TimeMalformed), "{text}");
    }
}

#[test]
fn words_are_read_as_they_are_written_and_answered() {
    for state in BookingState::ALL {
        assert_eq!(BookingState::named(state.word()), Some(*state));
        assert_eq!(serde_json::to_value(state).unwrap(), state.word());
    }
    for cause in Cause::ALL {
        assert_eq!(Cause::named(cause.word()), Some(*cause));
        assert_eq!(serde_json::to_value(cause).unwrap(), cause.word());
    }
    assert_eq!((BookingState::named("lost"), Cause::named("rain")), (None, None));
}

#[test]
fn a_number_is_read_as_people_type_it() {
    let number = BookingNumber::draw([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 255]);
    assert_eq!(number.as_str(), "LH-0123-4567-89ZZ");
    for text in ["LH-0123-4567-89ZZ", "lh 0123 4567 89zz", "lh0123456789zz"] {
        assert_eq!(text.parse(), Ok(number.clone()), "{text}");
    }
    for text in ["", "LH", "0123456789ZZ", "LH-0123-4567-89Z", "LH-0123-4567-89Z/", "LHồồồồ"] {
        assert_eq!(text.parse::<BookingNumber>(), Err(BookingNumberMalformed), "{text}");
    }
}

#[test]
fn hours_that_cannot_be_are_refused() {
    use DayOfWeek::{Friday, Monday};
    let refuses = |rows: Vec<OpeningHours>| Week::new(rows).unwrap_err();
    assert_eq!(refuses(vec![row(Monday, "08:00", "07:00", 15, 1)]), HoursUnfit::Slot);
    assert_eq!(refuses(vec![row(Monday, "08:00", "08:10", 15, 1)]), HoursUnfit::Slot, "no slot fits");
    assert_eq!(refuses(vec![row(Monday, "08:00", "09:00", 4, 1)]), HoursUnfit::Slot);
    assert_eq!(refuses(vec![row(Monday, "08:00", "18:00", 241, 1)]), HoursUnfit::Slot);
    assert_eq!(refuses(vec![row(Monday, "08:00", "09:00", 15, 0)]), HoursUnfit::Desks);
    assert_eq!(refuses(vec![row(Monday, "08:00", "09:00", 15, 201)]), HoursUnfit::Desks);
    let (early, late) = (row(Monday, "08:00", "09:01", 15, 1), row(Monday, "09:00", "10:00", 15, 1));
    assert_eq!(refuses(vec![late, early]), HoursUnfit::Overlap(Monday));
    assert_eq!(refuses(vec![row(Monday, "08:00", "09:00", 15, 1); 29]), HoursUnfit::TooMany);
    let fits = vec![row(Friday, "08:00", "09:00", 15, 1), late, row(Monday, "08:00", "09:00", 15, 1)];
    assert_eq!(Week::new(fits).unwrap().hours()[0].from, at("08:00"), "in order");
    assert_eq!(Week::new(vec![]), Ok(Week::default()), "an office may take no bookings");
}

#[test]
fn the_hours_with_the_latest_first_day_count_and_of_two_those_that_were_set_last() {
    let none = |version, from| hours(version, from, vec![]);
    let all = [
        none(1, date!(2026 - 01 - 01)),
        none(2, date!(2026 - 03 - 01)),
        none(3, date!(2026 - 02 - 01)),
        none(4, date!(2026 - 03 - 01)),
    ];
    let version = |day| in_force(&all, day).map(|hours| hours.version);
    assert_eq!(version(date!(2025 - 12 - 31)), None);
    assert_eq!(version(date!(2026 - 01 - 31)), Some(1));
    assert_eq!(version(date!(2026 - 02 - 28)), Some(3));
    assert_eq!(version(date!(2026 - 03 - 01)), Some(4));
}

#[test]
fn each_slot_that_cannot_be_booked_has_its_reason() {
    let (place, now, last) = (place(), (SUNDAY, at("15:30")), date!(2026 - 12 - 22));
    let judge = |day, from| place.judge((day, at(from)), now, last);
    assert_eq!(judge(MONDAY, "08:20").map(|slot| (slot.to, slot.desks)), Ok((at("08:40"), 2)));
    assert_eq!(judge(SUNDAY, "15:30"), Err(SlotUnfit::Past), "it has begun");
    assert_eq!(judge(date!(2026 - 11 - 16), "08:00"), Err(SlotUnfit::Past));
    assert_eq!(judge(date!(2026 - 12 - 28), "08:00"), Err(SlotUnfit::Beyond(last)));
    assert_eq!(
        judge(date!(2026 - 11 - 29), "08:00"),
        Err(SlotUnfit::Closed { day: date!(2026 - 11 - 29), name: None })
    );
    assert_eq!(judge(MONDAY, "08:10"), Err(SlotUnfit::OutsideHours));
    assert_eq!(judge(date!(2026 - 12 - 01), "08:00"), Err(SlotUnfit::OutsideHours), "a Tuesday");
    let holiday = SetDay { working: false, name: "Nghỉ bão".into() };
    let closed = Place { calendar: Calendar::new([(MONDAY, holiday)].into()), ..place.clone() };
    let named = SlotUnfit::Closed { day: MONDAY, name: Some("Nghỉ bão".into()) };
    assert_eq!(closed.judge((MONDAY, at("08:00")), now, last), Err(named.clone()));
    assert_eq!(named.to_string(), "2026-11-30 is no working day: Nghỉ bão");
    let ended = Place { ends: Some(MONDAY), ..place.clone() };
    assert_eq!(ended.judge((MONDAY, at("08:00")), now, last), Err(SlotUnfit::NoBookings));
    assert!(ended.judge((date!(2026 - 11 - 23), at("08:00")), now, last).is_ok(), "until then it takes them");
    let none = Place { hours: vec![], ..place };
    assert_eq!(none.judge((MONDAY, at("08:00")), now, last), Err(SlotUnfit::NoBookings));
}

#[test]
fn the_nearest_free_slots_come_first() {
    let (place, now, last) = (place(), (SUNDAY, at("15:30")), date!(2026 - 12 - 07));
    let full = Taken { day: MONDAY, from: at("08:20"), to: at("08:40"), count: 2 };
    let free = place.free(now, last, &[full]);
    assert_eq!(free.len(), 3 * 3 - 1);
    let near = nearest(free, (MONDAY, at("08:20")), 3);
    let times: Vec<_> = near.iter().map(|slot| (slot.day, slot.from)).collect();
    assert_eq!(times[..2], [(MONDAY, at("08:00")), (MONDAY, at("08:40"))]);
    assert_eq!(times[2].0, date!(2026 - 11 - 23), "a week before is as near as a week later, and comes first");
}

#[test]
fn a_booking_made_under_other_hours_counts_where_it_overlaps() {
    let slot = place().slots(MONDAY).unwrap()[1];
    let other = |from, to| Taken { day: MONDAY, from: at(from), to: at(to), count: 1 };
    assert_eq!(slot.free(&[other("08:00", "08:20")]), 2);
    assert_eq!(slot.free(&[other("08:00", "08:21")]), 1);
    assert_eq!(slot.free(&[other("08:00", "09:00"), other("08:39", "10:00")]), 0);
    assert_eq!(slot.free(&[other("08:40", "09:00")]), 2);
    assert_eq!(slot.free(&[Taken { day: SUNDAY, ..other("08:00", "09:00") }]), 2, "another day");
}

#[test]
fn a_booking_moves_only_along_its_ways() {
    use BookingState as S;
    let (slot, later) = (datetime!(2026-11-30 00:30 UTC), datetime!(2026-11-30 02:30 UTC));
    let first = place().slots(MONDAY).unwrap()[0];
    let in_state = |state| Booking { state, ..booking(1, MONDAY, first) };
    let other: OfficeCode = "o-2".parse().unwrap();
    let own: OfficeCode = "o-1".parse().unwrap();
    let ended = |state: S| Some(BookingUnfit::Ended(state));
    for state in S::ALL.iter().copied() {
        let open = matches!(state, S::Booked | S::ToBeMoved);
        let of = in_state(state);
        assert_eq!(of.clone().cancel(slot).err(), if open { None } else { ended(state) }, "{state:?}");
        assert_eq!(of.clone().move_to(other.clone(), first, slot).err(), if open { None } else { ended(state) });
        let comes = open || state == S::Missed;
        assert_eq!(of.clone().arrive(MONDAY, slot).err(), if comes { None } else { ended(state) });
        assert_eq!(of.clone().miss((MONDAY, at("08:20")), later).is_some(), state == S::Booked);
        assert_eq!(of.clone().strand(Cause::DayClosed, slot).is_some(), state == S::Booked);
        let taken = of.taken_by(Id::nil(), &own, MONDAY, slot).map(|taken| taken.state);
        assert_eq!(taken, (open || state == S::Arrived).then_some(S::Arrived), "{state:?}");
    }
    let booked = in_state(S::Booked);
    assert_eq!(booked.clone().move_to(own.clone(), first, slot).unwrap_err(), BookingUnfit::SameSlot);
    assert!(in_state(S::ToBeMoved).move_to(own.clone(), first, slot).is_ok(), "the slot is there again");
    assert_eq!(booked.clone().arrive(SUNDAY, slot).unwrap_err(), BookingUnfit::NotToday(MONDAY));
    assert!(booked.clone().miss((MONDAY, at("08:19")), slot).is_none(), "its time is not over");
    // Opened elsewhere, or on another day: the desk is free.
    let elsewhere = |booking: Booking, office, day| booking.taken_by(Id::nil(), office, day, slot).map(|one| one.state);
    assert_eq!(elsewhere(booked.clone(), &other, MONDAY), Some(S::Overtaken));
    assert_eq!(elsewhere(booked, &own, SUNDAY), Some(S::Overtaken));
    let with = Booking { application: Some(Id::nil()), ..in_state(S::Arrived) };
    assert_eq!(elsewhere(with, &own, MONDAY), None, "one application takes it");
}

/// Weeks with a morning and an afternoon on some days.
fn weeks() -> impl Strategy<Value = Vec<OpeningHours>> {
    let half = |earliest: u16| {
        (0_u16..90, 5_u16..61, 1_u16..9, 0_u16..30, 1_u16..4).prop_map(move |(late, slot, n, rest, desks)| {
            let from = earliest + late;
            (from, (from + slot * n + rest).min(earliest + 299), slot, desks)
        })
    };
    let day = (prop::option::of(half(7 * 60)), prop::option::of(half(13 * 60)));
    prop::collection::vec(day, 7).prop_map(|days| {
        let weekdays = (0..7).map(|n| DayOfWeek::from(Weekday::Monday.nth_next(n)));
        let rows = weekdays.zip(days).flat_map(|(weekday, (morning, afternoon))| {
            [morning, afternoon].into_iter().flatten().map(move |(from, to, slot_minutes, desks)| OpeningHours {
                weekday,
                from: TimeOfDay(from),
                to: TimeOfDay(to),
                slot_minutes,
                desks,
            })
        });
        rows.filter(|row| row.from.0 + row.slot_minutes <= row.to.0).collect()
    })
}

fn days() -> impl Strategy<Value = Date> {
    (0_i64..21).prop_map(|n| SUNDAY + Duration::days(n))
}

/// What happens at an office.
#[derive(Clone, Debug)]
enum Event {
    Books(Date, usize),
    Moves(usize, Date, usize),
    Cancels(usize),
    Comes(usize),
    Sets(Date, Vec<OpeningHours>),
    Closes(Date),
    Passes(i64),
    Keeps,
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (days(), 0_usize..24).prop_map(|(day, n)| Event::Books(day, n)),
        3 => (0_usize..60, days(), 0_usize..24).prop_map(|(of, day, n)| Event::Moves(of, day, n)),
        2 => (0_usize..60).prop_map(Event::Cancels),
        2 => (0_usize..60).prop_map(Event::Comes),
        1 => (days(), weeks()).prop_map(|(day, week)| Event::Sets(day, week)),
        1 => days().prop_map(Event::Closes),
        2 => (1_i64..2_000).prop_map(Event::Passes),
        2 => Just(Event::Keeps),
    ]
}

/// An office in memory, which does what the verbs do.
struct Office {
    place: Place,
    closed: BTreeMap<Date, SetDay>,
    bookings: Vec<Booking>,
    now: OffsetDateTime,
    asked: u128,
}

impl Office {
    fn now(&self) -> (Date, TimeOfDay) {
        (self.now.date(), TimeOfDay::from(self.now.time()))
    }

    fn taken(&self, states: &[BookingState]) -> Vec<Taken> {
        let mut counts = BTreeMap::new();
        for one in self.bookings.iter().filter(|one| states.contains(&one.state)) {
            *counts.entry((one.day, one.from, one.to)).or_insert(0_u32) += 1;
        }
        counts.into_iter().map(|((day, from, to), count)| Taken { day, from, to, count }).collect()
    }

    /// The slot that can be booked, if one can: the `n`-th of the day.
    fn free(&self, day: Date, n: usize) -> Option<Slot> {
        let from = self.place.slots(day).ok()?.get(n)?.from;
        let slot = self.place.judge((day, from), self.now(), last_day(self.now.date(), 14)).ok()?;
        (slot.free(&self.taken(&[BookingState::Booked, BookingState::Arrived])) > 0).then_some(slot)
    }

    fn lives(&mut self, event: Event) {
        let (at, now) = (self.now, self.now());
        let change = |all: &mut Vec<Booking>, n: usize, to: &dyn Fn(Booking) -> Option<Booking>| {
            if let Some(one) = all.get_mut(n)
                && let Some(next) = to(one.clone())
            {
                *one = next;
            }
        };
        match event {
            Event::Books(day, n) => {
                if let Some(slot) = self.free(day, n) {
                    self.asked += 1;
                    self.bookings.push(booking(self.asked, day, slot));
                }
            }
            Event::Moves(of, day, n) => {
                let slot = self.free(day, n);
                let office: OfficeCode = "o-1".parse().unwrap();
                change(&mut self.bookings, of, &|one| one.move_to(office.clone(), slot?, at).ok());
            }
            Event::Cancels(of) => change(&mut self.bookings, of, &|one| one.cancel(at).ok()),
            Event::Comes(of) => change(&mut self.bookings, of, &|one| one.arrive(now.0, at).ok()),
            Event::Sets(from, week) => {
                let from = from.max(now.0.next_day().unwrap());
                let version = u32::try_from(self.place.hours.len()).unwrap() + 1;
                self.place.hours.push(hours(version, from, week));
            }
            Event::Closes(day) => {
                if day > now.0 {
                    self.closed.insert(day, SetDay { working: false, name: "x".into() });
                    self.place.calendar = Calendar::new(self.closed.clone());
                }
            }
            Event::Passes(minutes) => self.now += Duration::minutes(minutes),
            Event::Keeps => self.keeps(),
        }
    }

    /// The job.
    fn keeps(&mut self) {
        let (at, now) = (self.now, self.now());
        for group in self.taken(&[BookingState::Booked]) {
            let Some((cause, kept)) = self.place.without_desk(&group) else { continue };
            let is = |one: &&mut Booking| {
                one.state == BookingState::Booked && (one.day, one.from, one.to) == (group.day, group.from, group.to)
            };
            for one in self.bookings.iter_mut().filter(is).skip(kept) {
                *one = one.clone().strand(cause, at).unwrap();
            }
        }
        for one in &mut self.bookings {
            if let Some(missed) = one.clone().miss(now, at) {
                *one = missed;
            }
        }
    }
}

proptest! {
    #[test]
    fn slots_lie_within_the_hours_and_do_not_overlap(rows in weeks(), day in days()) {
        let week = Week::new(rows).unwrap();
        let slots = week.slots(day);
        for slot in &slots {
            let within = week.hours().iter().any(|hours| {
                hours.weekday == DayOfWeek::from(day.weekday())
                    && hours.from <= slot.from
                    && slot.to <= hours.to
                    && slot.to.0 - slot.from.0 == hours.slot_minutes
                    && slot.desks == hours.desks
            });
            prop_assert!(within, "{slot:?}");
        }
        prop_assert!(slots.windows(2).all(|pair| pair[0].to <= pair[1].from), "{slots:?}");
        // No slot more would fit into any of the hours.
        for hours in week.hours().iter().filter(|hours| hours.weekday == DayOfWeek::from(day.weekday())) {
            let last = slots.iter().filter(|slot| hours.from <= slot.from && slot.to <= hours.to).map(|slot| slot.to).max();
            prop_assert!(last.unwrap().0 + hours.slot_minutes > hours.to.0);
        }
    }

    #[test]
    fn what_is_free_can_be_booked_and_nothing_else(rows in weeks(), n in 0_usize..24, day in days()) {
        let first = hours(1, date!(2026 - 11 - 01), rows);
        let place = Place { hours: vec![first], calendar: Calendar::default(), ends: None };
        let (now, last) = ((SUNDAY, at("15:30")), SUNDAY + Duration::days(14));
        let free = place.free(now, last, &[]);
        for (slot, desks) in &free {
            prop_assert_eq!(place.judge((slot.day, slot.from), now, last).unwrap(), *slot);
            prop_assert_eq!(*desks, slot.desks);
        }
        if let Some(slot) = place.slots(day).unwrap_or_default().get(n) {
            let listed = free.iter().any(|(one, _)| one == slot);
            prop_assert_eq!(place.judge((day, slot.from), now, last).is_ok(), listed);
        }
    }

    #[test]
    fn no_history_gives_a_desk_twice_or_loses_a_booking(
        rows in weeks(), history in prop::collection::vec(events(), 0..160),
    ) {
        let first = hours(1, date!(2026 - 11 - 01), rows);
        let place = Place { hours: vec![first], calendar: Calendar::default(), ends: None };
        let now = datetime!(2026-11-22 08:30 UTC);
        let mut office = Office { place, closed: BTreeMap::new(), bookings: vec![], now, asked: 0 };
        for event in history {
            let settles = matches!(event, Event::Keeps);
            let before: Vec<_> = office.bookings.iter().map(|one| (one.id, one.is_open())).collect();
            let ends = matches!(event, Event::Cancels(_) | Event::Comes(_) | Event::Keeps);
            office.lives(event.clone());
            for (id, open) in before {
                let after = office.bookings.iter().find(|one| one.id == id);
                prop_assert!(after.is_some(), "a booking is gone");
                prop_assert!(!open || ends || after.unwrap().is_open(), "{event:?} ended a booking");
            }
            // Taken desks never are more than there are, from the moment at which the job has looked.
            if settles {
                for group in office.taken(&[BookingState::Booked]) {
                    prop_assert_eq!(office.place.without_desk(&group), None, "{:?}", group);
                    let slots = office.place.slots(group.day).unwrap();
                    let slot = slots.iter().find(|slot| slot.from == group.from).unwrap();
                    prop_assert!(group.count <= u32::from(slot.desks), "{:?}", group);
                    prop_assert!((group.day, group.to) > office.now(), "a booking waits for a time that is over");
                }
            }
        }
    }

    #[test]
    fn while_hours_and_days_stay_no_slot_has_more_bookings_than_desks(
        rows in weeks(), history in prop::collection::vec(events(), 0..160),
    ) {
        let first = hours(1, date!(2026 - 11 - 01), rows);
        let place = Place { hours: vec![first], calendar: Calendar::default(), ends: None };
        let now = datetime!(2026-11-22 08:30 UTC);
        let mut office = Office { place, closed: BTreeMap::new(), bookings: vec![], now, asked: 0 };
        for event in history.into_iter().filter(|event| !matches!(event, Event::Sets(..) | Event::Closes(_))) {
            office.lives(event);
            for group in office.taken(&[BookingState::Booked]) {
                let slots = office.place.slots(group.day).unwrap();
                let slot = slots.iter().find(|slot| slot.from == group.from);
                prop_assert!(slot.is_some_and(|slot| group.count <= u32::from(slot.desks)), "{group:?}");
            }
        }
        prop_assert!(office.bookings.iter().all(|one| one.state != BookingState::ToBeMoved));
    }
}
