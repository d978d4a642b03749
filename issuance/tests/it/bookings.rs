//! Places and times for the capture: opening hours, bookings, and what becomes of those whose slot is gone. On
//! SQLite and on PostgreSQL.

use std::collections::BTreeMap;

use issuance::applications::model::Kind;
use issuance::bookings::model::{Booking, BookingState, Cause, DayOfWeek, OpeningHours, TimeOfDay};
use issuance::bookings::steps::{self, Told, Wanted, Wish};
use issuance::bookings::upkeep::{Kept, keep};
use issuance::bookings::{BOOKING, BookingError};
use issuance::deed::{Object, Occasion};
use issuance::ground::ids::{BookingId, PersonId};
use issuance::ground::{Id, OfficeCode, Officer, Role};
use issuance::notices::model::NoticeKind;
use issuance::offices::calendar::{Day, SetDay};
use issuance::population::history::EventKind;
use issuance::store::{Argument, Sql};
use issuance::web::Problem;
use issuance::{args, notices, offices as units, sql};
use reqwest::Method;
use serde_json::{Value, json};
use time::macros::date;
use time::{Date, Duration};

use crate::house::{Caller, House};
use crate::merges::merged;
use crate::offices::{Offices, appoint, declaration, moves, within};
use crate::register_history::changes;
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL: on Sunday 22 November 2026, half past three in the afternoon.
async fn on_both(scenario: impl AsyncFn(&Offices)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::new(Box::pin(Offices::open(database)).await);
        Box::pin(scenario(offices.as_ref())).await;
    }
}

const MONDAY: Date = date!(2026 - 11 - 23);
const TUESDAY: Date = date!(2026 - 11 - 24);
const WEDNESDAY: Date = date!(2026 - 11 - 25);

fn office(code: &str) -> OfficeCode {
    code.parse().unwrap()
}

fn at(text: &str) -> TimeOfDay {
    text.parse().unwrap()
}

fn row(weekday: DayOfWeek, from: &str, to: &str, desks: u16) -> OpeningHours {
    OpeningHours { weekday, from: at(from), to: at(to), slot_minutes: 30, desks }
}

/// Monday to Wednesday from eight to ten, with so many desks.
fn mornings(desks: u16) -> Vec<OpeningHours> {
    [DayOfWeek::Monday, DayOfWeek::Tuesday, DayOfWeek::Wednesday]
        .map(|weekday| row(weekday, "08:00", "10:00", desks))
        .to_vec()
}

async fn sets(offices: &Offices, code: &str, from: Date, hours: Vec<OpeningHours>) -> Result<u32, BookingError> {
    let deeds = offices.state.deeds();
    let admin = moves(deeds, &appoint(deeds, Role::Admin).await, code).await;
    let code = office(code);
    let set = within!(offices, admin, deed => steps::set_hours(deed, &code, from, hours, "Thông báo 1"))?;
    Ok(set.version)
}

/// The offices with hours of two desks from today on.
async fn open(offices: &Offices) {
    sets(offices, "district-1", date!(2026 - 11 - 22), mornings(2)).await.unwrap();
}

/// A person without a number: a booking needs none.
async fn citizen(offices: &Offices) -> PersonId {
    offices.declares(&declaration()).await
}

async fn books(offices: &Offices, person: PersonId, day: Date, from: &str) -> Result<Told, BookingError> {
    let (code, from) = (office("district-1"), at(from));
    let wish = Wish { person, office: &code, day, from, claim: None };
    within!(offices, offices.capture, deed => steps::book(deed, &offices.state.bookings, wish))
}

async fn moved(
    offices: &Offices,
    officer: &Officer,
    id: BookingId,
    (code, day, from): (&str, Date, &str),
) -> Result<Told, BookingError> {
    let (code, from) = (office(code), at(from));
    within!(offices, officer, deed => steps::move_to(deed, &offices.state.bookings, id, &code, (day, from)))
}

async fn arrives(offices: &Offices, id: BookingId) -> Result<Told, BookingError> {
    within!(offices, offices.capture, deed => steps::arrive(deed, &offices.state.bookings, id))
}

async fn reads(offices: &Offices, id: BookingId) -> Booking {
    within!(offices, offices.capture, deed => steps::read(deed, &offices.state.bookings, id)).unwrap().0.booking
}

async fn keeps(offices: &Offices) -> (u32, u32) {
    let Kept { missed, to_be_moved } = Box::pin(keep(offices.state.deeds())).await.unwrap();
    (missed, to_be_moved)
}

/// Code of a refusal, and all that it says.
fn told<T: std::fmt::Debug>(refused: Result<T, BookingError>) -> (String, String) {
    let error = refused.unwrap_err();
    let says = error.to_string();
    (Problem::from(error).code().word().to_owned(), says)
}

fn code<T: std::fmt::Debug>(refused: Result<T, BookingError>) -> String {
    told(refused).0
}

/// How many desks are free in the slots of a day.
async fn free(offices: &Offices, day: Date) -> Vec<u16> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let (now, code) =
        ((offices.clock.today(), offices.clock.time_of(offices.clock.now()).into()), office("district-1"));
    let (days, _) = steps::slots(&mut tx, &offices.state.bookings, &code, (day, day), now).await.unwrap();
    days.iter().flat_map(|day| &day.slots).map(|(_, free)| *free).collect()
}

/// The names, states and times of a day's list.
async fn listed(offices: &Offices, wanted: Wanted) -> Vec<(String, BookingState, String)> {
    let code = office("district-1");
    let (found, unreadable) = within!(offices, offices.capture, deed => steps::list(deed, &code, wanted, 100)).unwrap();
    assert_eq!(unreadable, [""; 0]);
    let one = |one: issuance::bookings::steps::Listed| {
        (one.name.unwrap_or_default(), one.booking.state, one.booking.from.to_string())
    };
    found.into_iter().map(one).collect()
}

/// The kinds of the notices about a booking.
async fn notices_of(offices: &Offices, id: BookingId) -> Vec<NoticeKind> {
    let found = within!(offices, offices.capture, deed => notices::steps::of_booking(deed, id)).unwrap();
    assert!(found.iter().all(|(notice, holds)| *holds && notice.about.booking() == Some(id)));
    found.into_iter().map(|(notice, _)| notice.kind).collect()
}

/// Two administrators of the national office close a day.
async fn closes(offices: &Offices, day: Date, name: &str) {
    let deeds = offices.state.deeds();
    let first = moves(deeds, &appoint(deeds, Role::Admin).await, "national").await;
    let second = moves(deeds, &appoint(deeds, Role::Admin).await, "national").await;
    within!(offices, first, deed => units::steps::propose_day(deed, day, false, name, "Công điện")).unwrap();
    let read = SetDay { working: false, name: name.to_owned() };
    within!(offices, second, deed => units::steps::confirm_day(deed, day, &read)).unwrap();
}

/// Another hand than the service's.
async fn by_hand(offices: &Offices, sql: Sql, arguments: Vec<Argument>) {
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    assert_eq!(tx.run(sql, arguments).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_books_comes_and_the_application_takes_the_booking() {
    on_both(async |offices| {
        open(offices).await;
        assert_eq!(free(offices, MONDAY).await, [2, 2, 2, 2]);
        let person = offices.citizen().await;
        let booked = books(offices, person, MONDAY, "08:30").await.unwrap();
        let (id, number) = (booked.booking.id, booked.booking.number.clone());
        assert_eq!((booked.missed, booked.often, booked.booking.to), (0, false, at("09:00")));
        assert_eq!(free(offices, MONDAY).await, [2, 1, 2, 2]);
        let open = told(books(offices, person, TUESDAY, "08:00").await);
        assert_eq!(open, ("booking-open".into(), "the person has a booking: move or cancel that one".into()));
        // Found by day, number and person, each with a record about the citizen.
        let day = Wanted::Day(MONDAY, (0, Id::nil()));
        assert_eq!(listed(offices, day).await, [("Nguyễn Thị Mẫu".into(), BookingState::Booked, "08:30".into())]);
        let typed = number.as_str().to_lowercase().replace('-', " ").parse().unwrap();
        let found = within!(offices, offices.capture, deed => steps::read_by_number(deed, &offices.state.bookings, &typed));
        assert_eq!(found.unwrap().0.booking.id, id);
        let of = within!(offices, offices.capture, deed => steps::of_person(deed, &offices.state.bookings, person, Occasion::default()));
        assert_eq!(of.unwrap().0.len(), 1);
        assert_eq!(code(arrives(offices, id).await), "booking-not-today");
        offices.clock.advance(Duration::hours(17));
        assert_eq!(arrives(offices, id).await.unwrap().booking.state, BookingState::Arrived);
        assert_eq!(code(arrives(offices, id).await), "booking-ended");
        let application = offices.applies(person, Kind::First).await.unwrap();
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let taken = steps::of_application(&mut tx, application.id).await.unwrap().unwrap();
        drop(tx);
        assert_eq!((taken.id, taken.state, taken.application), (id, BookingState::Arrived, Some(application.id)));
        let trail = offices.trail(Object::Booking(id)).await;
        assert_eq!(trail, ["booking-arrived", "booking-arrived", "booking-made", "booking-read", "bookings-listed"]);
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let unnamed = sql!("select id from v_audit_entry where object = $1 and person_id is null");
        assert_eq!(tx.all(unnamed, args![Object::Booking(id).to_string()]).await.unwrap().len(), 0, "all name her");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_without_arrival_takes_the_booking_and_elsewhere_its_desk_is_free() {
    on_both(async |offices| {
        open(offices).await;
        let person = offices.citizen().await;
        let id = books(offices, person, MONDAY, "08:00").await.unwrap().booking.id;
        // On another day: the booking is overtaken.
        offices.applies(person, Kind::First).await.unwrap();
        assert_eq!((reads(offices, id).await.state, free(offices, MONDAY).await[0]), (BookingState::Overtaken, 2));
        assert_eq!(code(arrives(offices, id).await), "booking-ended");
        // On its day, without a word before: the citizen came.
        let person = offices.citizen().await;
        let id = books(offices, person, MONDAY, "08:00").await.unwrap().booking.id;
        offices.clock.advance(Duration::hours(17));
        let application = offices.applies(person, Kind::First).await.unwrap();
        let taken = reads(offices, id).await;
        assert_eq!((taken.state, taken.application), (BookingState::Arrived, Some(application.id)));
        offices.clock.advance(Duration::days(1));
        assert_eq!(keeps(offices).await, (0, 0), "it was not missed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_booking_of_a_citizen_who_dies_ends_and_its_desk_is_free() {
    on_both(async |offices| {
        open(offices).await;
        let (dies, lives) = (citizen(offices).await, citizen(offices).await);
        let id = books(offices, dies, MONDAY, "08:00").await.unwrap().booking.id;
        let other = books(offices, lives, MONDAY, "08:00").await.unwrap().booking.id;
        assert_eq!(free(offices, MONDAY).await[0], 0);
        changes(offices, dies, EventKind::Died, json!({"died": "2026-11-20"})).await;
        assert_eq!((reads(offices, id).await.state, free(offices, MONDAY).await[0]), (BookingState::Cancelled, 1));
        assert_eq!(reads(offices, other).await.state, BookingState::Booked);
        let trail = offices.trail(Object::Booking(id)).await;
        assert!(trail.contains(&"booking-cancelled".to_owned()), "{trail:?}");
        // Days later nothing was missed, and no citizen is told.
        offices.clock.advance(Duration::days(2));
        assert_eq!(keeps(offices).await, (1, 0), "the other one");
        assert_eq!(notices_of(offices, id).await, []);
        // What another hand did to a booking stops no death.
        let person = citizen(offices).await;
        let id = books(offices, person, WEDNESDAY, "08:00").await.unwrap().booking.id;
        by_hand(offices, sql!("update booking set day = '2026-12-02' where id = $1"), args![id]).await;
        changes(offices, person, EventKind::Died, json!({"died": "2026-11-20"})).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_booking_of_a_merged_record_is_that_of_the_record_which_stays() {
    on_both(async |offices| {
        open(offices).await;
        let (stays, gone) = (offices.citizen().await, citizen(offices).await);
        let booked = books(offices, gone, MONDAY, "08:00").await.unwrap().booking;
        merged(offices, stays, gone, &[]).await;
        let now = reads(offices, booked.id).await;
        assert_eq!((now.person, now.number, now.state), (stays, booked.number, BookingState::Booked));
        let trail = offices.trail(Object::Booking(booked.id)).await;
        assert_eq!(trail.iter().filter(|action| *action == "booking-moved").count(), 2, "said of both: {trail:?}");
        // The one under each record that stays: the other desk is free.
        let twin = citizen(offices).await;
        let other = books(offices, twin, MONDAY, "08:30").await.unwrap().booking.id;
        merged(offices, stays, twin, &[]).await;
        assert_eq!(reads(offices, other).await.state, BookingState::Cancelled);
        // The application of the citizen takes it.
        offices.clock.advance(Duration::hours(17));
        let application = offices.applies(stays, Kind::First).await.unwrap();
        assert_eq!(reads(offices, booked.id).await.application, Some(application.id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_has_its_code_and_names_the_nearest_free_slots() {
    on_both(async |offices| {
        let person = citizen(offices).await;
        let none = told(books(offices, person, MONDAY, "08:00").await);
        assert_eq!(none.0, "office-takes-no-bookings");
        assert!(none.1.ends_with("no slot of district-1 is free up to the last day that can be booked"), "{}", none.1);
        open(offices).await;
        let refused = async |day, from| told(books(offices, person, day, from).await);
        let near = "; the nearest free slots of district-1: ";
        assert_eq!(
            refused(MONDAY, "07:00").await,
            (
                "booking-outside-hours".into(),
                format!(
                    "no slot of the office begins at that time{near}2026-11-23 08:00, 2026-11-23 08:30, 2026-11-23 09:00"
                )
            )
        );
        let (code, says) = refused(date!(2026 - 11 - 28), "08:00").await;
        assert!(code == "booking-day-closed" && says.starts_with("2026-11-28 is no working day; "), "{says}");
        let (code, says) = refused(date!(2026 - 12 - 23), "08:00").await;
        assert!(code == "booking-beyond-horizon" && says.contains("2026-12-22"), "{says}");
        for (day, from) in [(date!(2026 - 11 - 22), "15:30"), (date!(2026 - 11 - 16), "08:00")] {
            assert_eq!(refused(day, from).await.0, "booking-time-past");
        }
        assert_eq!(refused(date!(2026 - 11 - 26), "08:00").await.0, "booking-outside-hours", "no hours on a Thursday");
        closes(offices, TUESDAY, "Nghỉ bão").await;
        let (code, says) = refused(TUESDAY, "08:00").await;
        assert!(code == "booking-day-closed" && says.contains("no working day: Nghỉ bão;"), "{says}");
        // A full slot.
        for _ in 0..2 {
            books(offices, citizen(offices).await, MONDAY, "08:30").await.unwrap();
        }
        let (code, says) = refused(MONDAY, "08:30").await;
        assert!(code == "booking-slot-full" && says.starts_with("all 2 desks of the slot are taken; "), "{says}");
        assert!(says.ends_with("2026-11-23 08:00, 2026-11-23 09:00, 2026-11-23 09:30"), "{says}");
        // A person who is none, or of another office; another office than the officer's.
        assert_eq!(refused_for(offices, Id::nil(), "district-1").await, "person-unknown");
        assert_eq!(refused_for(offices, person, "district-2").await, "other-office");
        books(offices, person, MONDAY, "08:00").await.unwrap();
    })
    .await;
}

async fn refused_for(offices: &Offices, person: PersonId, code: &str) -> String {
    let code = office(code);
    let wish = Wish { person, office: &code, day: MONDAY, from: at("08:00"), claim: None };
    let refused = within!(offices, offices.capture, deed => steps::book(deed, &offices.state.bookings, wish));
    Problem::from(refused.unwrap_err()).code().word().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_at_once_for_a_slot_with_two_desks_are_two() {
    on_both(async |offices| {
        open(offices).await;
        let mut people = Vec::new();
        for _ in 0..30 {
            people.push(citizen(offices).await);
        }
        let all = people.iter().map(|person| books(offices, *person, MONDAY, "09:00"));
        let done = futures_util::future::join_all(all).await;
        let mut codes = BTreeMap::new();
        for one in done {
            let code = one.err().map_or_else(|| "booked".to_owned(), |error| code::<()>(Err(error)));
            *codes.entry(code).or_insert(0) += 1;
        }
        assert_eq!(codes, BTreeMap::from([("booked".to_owned(), 2), ("booking-slot-full".to_owned(), 28)]));
        assert_eq!(free(offices, MONDAY).await, [2, 2, 0, 2]);
        // One person at two counters at once has one.
        let person = citizen(offices).await;
        let twice = vec![books(offices, person, TUESDAY, "08:00"), books(offices, person, WEDNESDAY, "08:00")];
        let done = futures_util::future::join_all(twice).await;
        assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1, "{done:?}");
        // All of them move to one slot with two desks.
        let mut moving = Vec::new();
        for (n, person) in people[2..8].iter().enumerate() {
            let (day, from) = ([TUESDAY, WEDNESDAY][n % 2], ["08:30", "09:00", "09:30"][n / 2]);
            let held = books(offices, *person, day, from).await;
            // Two of the thirty have a booking already.
            moving.extend(held.ok().map(|told| told.booking.id));
        }
        let all = moving.iter().map(|id| moved(offices, &offices.capture, *id, ("district-1", MONDAY, "08:00")));
        let done = futures_util::future::join_all(all).await;
        assert!(moving.len() >= 4 && done.iter().filter(|one| one.is_ok()).count() == 2, "{done:?}");
        assert_eq!(free(offices, MONDAY).await, [0, 2, 0, 2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_booked_for_a_day_that_is_closed_is_told_and_moved() {
    on_both(async |offices| {
        open(offices).await;
        let (one, other) = (citizen(offices).await, citizen(offices).await);
        let id = books(offices, one, TUESDAY, "08:00").await.unwrap().booking.id;
        let kept = books(offices, other, WEDNESDAY, "08:00").await.unwrap().booking.id;
        assert_eq!(keeps(offices).await, (0, 0));
        closes(offices, TUESDAY, "Nghỉ bão").await;
        assert_eq!(keeps(offices).await, (0, 1));
        assert_eq!(keeps(offices).await, (0, 0), "told once");
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        assert_eq!(issuance::bookings::to_be_moved(&mut tx).await.unwrap(), 1, "as `issuance status` warns");
        drop(tx);
        let stranded = reads(offices, id).await;
        assert_eq!((stranded.state, stranded.cause), (BookingState::ToBeMoved, Some(Cause::DayClosed)));
        assert_eq!(notices_of(offices, id).await, [NoticeKind::BookingToBeMoved]);
        let list = Wanted::ToBeMoved((date!(1945 - 01 - 01), 0, Id::nil()));
        assert_eq!(listed(offices, list).await.len(), 1);
        // It is still hers: she books no second one, and days later it is not missed.
        assert_eq!(code(books(offices, one, MONDAY, "08:00").await), "booking-open");
        offices.clock.advance(Duration::days(2));
        assert_eq!(keeps(offices).await, (0, 0));
        assert_eq!(reads(offices, kept).await.state, BookingState::Booked);
        let moved = moved(offices, &offices.capture, id, ("district-1", WEDNESDAY, "08:00")).await.unwrap().booking;
        assert_eq!((moved.state, moved.cause, moved.moves), (BookingState::Booked, None, 1));
        assert_eq!(notices_of(offices, id).await, [NoticeKind::BookingToBeMoved, NoticeKind::BookingMoved]);
        assert_eq!(free(offices, WEDNESDAY).await, [0, 2, 2, 2]);
        let trail = offices.trail(Object::Booking(id)).await;
        let told = |action: &str| trail.iter().filter(|one| *one == action).count();
        assert_eq!((told("booking-to-be-moved"), told("booking-moved")), (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_booked_when_hours_change_keeps_a_desk_by_the_order_of_booking() {
    on_both(async |offices| {
        open(offices).await;
        let mut ids = Vec::new();
        for (day, from) in [(TUESDAY, "08:00"), (TUESDAY, "08:00"), (WEDNESDAY, "09:30"), (MONDAY, "08:00")] {
            ids.push(books(offices, citizen(offices).await, day, from).await.unwrap().booking.id);
        }
        // From Tuesday on one desk, and until nine on Wednesdays; Mondays stay as they are until then.
        let fewer = vec![row(DayOfWeek::Tuesday, "08:00", "10:00", 1), row(DayOfWeek::Wednesday, "08:00", "09:00", 2)];
        assert_eq!(sets(offices, "district-1", TUESDAY, fewer).await.unwrap(), 2);
        assert_eq!(keeps(offices).await, (0, 2));
        let mut states = Vec::new();
        for id in &ids {
            let booking = reads(offices, *id).await;
            states.push((booking.state, booking.cause));
        }
        let (stays, goes) = ((BookingState::Booked, None), (BookingState::ToBeMoved, Some(Cause::HoursChanged)));
        assert_eq!(states, [stays, goes, goes, stays], "who booked first keeps the desk");
        assert_eq!(free(offices, TUESDAY).await, [0, 1, 1, 1]);
        // The office takes no bookings any more.
        assert_eq!(sets(offices, "district-1", TUESDAY, vec![]).await.unwrap(), 3);
        assert_eq!(keeps(offices).await, (0, 1));
        let closed = reads(offices, ids[0]).await;
        assert_eq!((closed.state, closed.cause), (BookingState::ToBeMoved, Some(Cause::OfficeClosed)));
        assert_eq!(notices_of(offices, ids[0]).await, [NoticeKind::BookingToBeMoved]);
        // Another office takes them: its officer moves what is to be moved there.
        sets(offices, "district-2", date!(2026 - 11 - 22), mornings(1)).await.unwrap();
        let deeds = offices.state.deeds();
        let there = moves(deeds, &appoint(deeds, Role::Capture).await, "district-2").await;
        let stranger = moves(deeds, &appoint(deeds, Role::Capture).await, "district-3").await;
        let goes = ("district-2", WEDNESDAY, "08:00");
        assert_eq!(code(moved(offices, &stranger, ids[0], goes).await), "other-office");
        assert_eq!(moved(offices, &there, ids[0], goes).await.unwrap().booking.office, office("district-2"));
        assert_eq!(code(moved(offices, &there, ids[0], goes).await), "booking-unchanged");
        assert_eq!(code(moved(offices, &there, ids[1], goes).await), "booking-slot-full");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_have_a_history_and_change_no_day_on_which_citizens_wait() {
    on_both(async |offices| {
        let today = offices.clock.today();
        let refused = async |from, hours| code(sets(offices, "district-1", from, hours).await);
        assert_eq!(refused(today.previous_day().unwrap(), mornings(1)).await, "hours-unfit");
        assert_eq!(refused(today, vec![row(DayOfWeek::Monday, "08:00", "08:10", 1)]).await, "hours-unfit");
        assert_eq!(sets(offices, "district-1", today, mornings(1)).await.unwrap(), 1);
        assert_eq!(refused(today, mornings(2)).await, "hours-unfit", "a change begins tomorrow at the earliest");
        assert_eq!(sets(offices, "district-1", MONDAY, mornings(3)).await.unwrap(), 2);
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let all = steps::hours(&mut tx, &office("district-1")).await.unwrap();
        drop(tx);
        let desks: Vec<_> = all.iter().map(|one| (one.version, one.valid_from, one.week.hours()[0].desks)).collect();
        assert_eq!(desks, [(1, today, 1), (2, MONDAY, 3)]);
        assert_eq!(free(offices, MONDAY).await, [3, 3, 3, 3]);
        let trail = offices.trail(Object::Unit("district-1".into())).await;
        assert_eq!(trail, ["office-hours-set", "office-hours-set"]);
        let stranger = appoint(offices.state.deeds(), Role::Admin).await;
        let other = office("district-2");
        let set = within!(offices, stranger, deed => steps::set_hours(deed, &other, MONDAY, mornings(1), "x"));
        assert_eq!(code(set), "other-office");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_third_that_is_missed_is_said_to_the_counter_and_refuses_nothing() {
    on_both(async |offices| {
        open(offices).await;
        let person = citizen(offices).await;
        let mut last = None;
        for (day, missed) in [(MONDAY, 0), (TUESDAY, 1), (WEDNESDAY, 2)] {
            let booked = books(offices, person, day, "08:00").await.unwrap();
            assert_eq!((booked.missed, booked.often), (missed, false));
            offices.clock.advance(Duration::days(1));
            assert_eq!(keeps(offices).await, (1, 0), "its time is over");
            assert_eq!(reads(offices, booked.booking.id).await.state, BookingState::Missed);
            last = Some(booked.booking.id);
        }
        // Wednesday afternoon: one who comes late on the day is taken all the same, and missed nothing.
        let late = arrives(offices, last.unwrap()).await.unwrap();
        assert_eq!((late.booking.state, late.missed), (BookingState::Arrived, 2));
        let next = books(offices, person, date!(2026 - 11 - 30), "08:00").await.unwrap();
        offices.clock.advance(Duration::days(6));
        assert_eq!(keeps(offices).await, (1, 0));
        assert_eq!(code(arrives(offices, next.booking.id).await), "booking-not-today");
        let told = books(offices, person, date!(2026 - 12 - 02), "08:00").await.unwrap();
        assert_eq!((told.missed, told.often), (3, true));
        // What lies longer back than the days of the settings is said no more.
        offices.clock.advance(Duration::days(200));
        keeps(offices).await;
        let later = books(offices, person, date!(2027 - 06 - 23), "08:00").await.unwrap();
        assert_eq!((later.missed, later.often), (0, false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_booking_frees_its_desk() {
    on_both(async |offices| {
        open(offices).await;
        let person = citizen(offices).await;
        let id = books(offices, person, MONDAY, "08:00").await.unwrap().booking.id;
        let cancel = async |officer: &Officer| {
            within!(offices, officer, deed => steps::cancel(deed, &offices.state.bookings, id, "goes abroad"))
        };
        let deeds = offices.state.deeds();
        let stranger = moves(deeds, &appoint(deeds, Role::Capture).await, "district-2").await;
        assert_eq!(code(cancel(&stranger).await), "other-office");
        assert_eq!(cancel(&offices.capture).await.unwrap().booking.state, BookingState::Cancelled);
        assert_eq!(code(cancel(&offices.capture).await), "booking-ended");
        assert_eq!(code(moved(offices, &offices.capture, id, ("district-1", TUESDAY, "08:00")).await), "booking-ended");
        assert_eq!(free(offices, MONDAY).await, [2, 2, 2, 2]);
        books(offices, person, MONDAY, "08:00").await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_that_another_hand_changed_is_refused_and_stops_no_card_and_no_other_booking() {
    on_both(async |offices| {
        open(offices).await;
        let (person, other) = (offices.citizen().await, citizen(offices).await);
        let id = books(offices, person, MONDAY, "08:00").await.unwrap().booking.id;
        let honest = books(offices, other, MONDAY, "08:00").await.unwrap().booking.id;
        by_hand(offices, sql!("update booking set moves = 7 where id = $1"), args![id]).await;
        let read = within!(offices, offices.capture, deed => steps::read(deed, &offices.state.bookings, id));
        assert_eq!(code(read.map(drop)), "record-tampered");
        let day = Wanted::Day(MONDAY, (0, Id::nil()));
        let names: Vec<_> = listed(offices, day).await.into_iter().map(|one| one.0).collect();
        assert_eq!(names.iter().filter(|name| name.is_empty()).count(), 1, "shown, without a name: {names:?}");
        closes(offices, MONDAY, "Nghỉ bão").await;
        assert_eq!(keeps(offices).await, (0, 1), "the other one is told");
        assert_eq!(reads(offices, honest).await.state, BookingState::ToBeMoved);
        let application = offices.applies(person, Kind::First).await.unwrap();
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        assert!(steps::of_application(&mut tx, application.id).await.unwrap().is_none());
        let (_, faults) = tx.walk(&BOOKING).await.unwrap();
        assert_eq!(faults, [id.to_string()]);
    })
    .await;
}

/// The blocks of `docs/bookings.md`: a line with method and address, and a body.
fn blocks() -> Vec<(Method, String, Value)> {
    let text = include_str!("../../../docs/bookings.md");
    let blocks = text.split("```http\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let block = |block: &str| {
        let (line, body) = block.split_once('\n').unwrap();
        let (method, path) = line.split_once(' ').unwrap();
        let body = if body.trim().is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
        (method.parse().unwrap(), path.to_owned(), body)
    };
    blocks.map(block).collect()
}

/// Does what the page shows, in its order, with the officer of each address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_about_bookings_is_done_as_it_is_written() {
    let house = Box::pin(House::open(None)).await;
    let capture = house.officer("capture", &[Role::Capture], "o-1").await;
    let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
    let place = json!({"province": "003", "detail": "Số 1 Phố Mẫu"});
    let form = json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "05/01/2000", "sex": "Nữ",
        "birth_registration": place, "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
    let declared = registrar.post("/api/v1/declarations", "k", form).await;
    let mut known = BTreeMap::from([("$PERSON", declared.body["person_id"].as_str().unwrap().to_owned())]);
    let (today, mut asked) = (house.clock.today(), 0);
    known.insert("$TODAY", today.to_string());
    let calendar = house.admin.get(&format!("/api/v1/calendar?from={today}&to={}", today + Duration::days(25))).await;
    let working = calendar.body["days"].as_array().unwrap().iter().skip(1).filter(|day| day["working"] == true);
    let working = working.map(|day| day["day"].as_str().unwrap().parse::<Day>().unwrap().0);
    // A Saturday may be worked in exchange for a day off: the page has no hours for it.
    let working: Vec<Date> = working.filter(|day| day.weekday().number_from_monday() <= 5).collect();
    known.insert("$DAY", working[0].to_string());
    known.insert("$LATER", working[1].to_string());
    let blocks = blocks();
    assert!(blocks.len() >= 8, "{}", blocks.len());
    for (method, path, body) in blocks {
        let filled = |text: String| known.iter().fold(text, |text, (name, value)| text.replace(name, value));
        let (path, body) = (filled(path), filled(body.to_string()));
        let body: Value = serde_json::from_str(&body).unwrap();
        let caller: &Caller = if path.ends_with("/hours") { &house.admin } else { &capture };
        asked += 1;
        let key = format!("page-{asked}");
        let posted = method == Method::POST;
        let said = caller.asks(method, &path, posted.then_some(&*key), posted.then_some(body)).await;
        assert!([200, 201].contains(&said.status), "{path}: {said:?}");
        if said.status == 201 {
            known.insert("$BOOKING", said.body["id"].as_str().unwrap().to_owned());
            known.insert("$NUMBER", said.body["number"].as_str().unwrap().to_owned());
        }
    }
    house.service.stop().await;
}
