//! SQL of opening hours and bookings.

use time::Date;

use super::model::{Booking, BookingNumber, BookingState, Cause, Hours, Taken, TimeOfDay, Week};
use crate::ground::ids::{ApplicationId, BookingId, PersonId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Migration, Record, Sealed, Sql, StoreError, Tx};
use crate::{args, migration, sql};

/// Tables of opening hours and bookings.
pub const MIGRATIONS: &[Migration] =
    &[migration!(189, "0189_bookings_bookings"), migration!(203, "0203_bookings_hours_sealed")];

/// Bookings: each row carries a MAC, so that none is taken away, or held against a citizen, by another hand.
pub const BOOKING: Sealed = Sealed {
    table: "booking",
    columns: &[
        ("id", Kind::Uuid),
        ("number", Kind::Text),
        ("person_id", Kind::Uuid),
        ("office", Kind::Text),
        ("day", Kind::Day),
        ("from_minute", Kind::Integer),
        ("to_minute", Kind::Integer),
        ("state", Kind::Text),
        ("cause", Kind::Text),
        ("application_id", Kind::Uuid),
        ("booked_by", Kind::Uuid),
        ("booked_at", Kind::Moment),
        ("changed_at", Kind::Moment),
        ("moves", Kind::Integer),
    ],
    keys: 1,
    one: sql!(
        "select id, number, person_id, office, day, from_minute, to_minute, state, cause, application_id, booked_by,
                booked_at, changed_at, moves, version, mac
         from booking where id = $1"
    ),
    all: sql!(
        "select id, number, person_id, office, day, from_minute, to_minute, state, cause, application_id, booked_by,
                booked_at, changed_at, moves, version, mac
         from booking order by id"
    ),
    set: sql!("update booking set version = $1, mac = $2 where id = $3"),
};

/// Opening hours: each row carries a MAC, so that no other hand opens or closes an office. `version` of the table is
/// the ordinal of the hours; that of the row itself, which is 1 for ever, stands in `seal`.
pub const OFFICE_HOURS: Sealed = Sealed {
    table: "office_hours",
    columns: &[
        ("office", Kind::Text),
        ("ordinal", Kind::Integer),
        ("valid_from", Kind::Day),
        ("hours", Kind::Json),
        ("set_by", Kind::Uuid),
        ("set_at", Kind::Moment),
    ],
    keys: 2,
    one: sql!(
        "select office, version as ordinal, valid_from, hours, set_by, set_at, seal as version, mac
         from office_hours where office = $1 and version = $2"
    ),
    all: sql!(
        "select office, version as ordinal, valid_from, hours, set_by, set_at, seal as version, mac
         from office_hours order by office, ordinal"
    ),
    set: sql!("update office_hours set seal = $1, mac = $2 where office = $3 and version = $4"),
};

/// Keeps other bookings at an office, and other changes of its hours, waiting until this transaction ends. Returns
/// false if the office has no hours.
pub(super) async fn lock_office(tx: &mut Tx, office: &OfficeCode) -> Result<bool, StoreError> {
    let sql = sql!("select office from office_hours where office = $1 and version = 1");
    Ok(tx.one_locked(sql, args![office]).await?.is_some())
}

/// Returns all versions of the hours of an office, the first one first.
///
/// # Errors
/// [`StoreError::Tampered`] if another hand changed one of them: no slot is given by it.
pub(super) async fn hours(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<Hours>, StoreError> {
    let sql = sql!(
        "select office, version as ordinal, valid_from, hours, set_by, set_at, seal as version, mac
         from office_hours where office = $1 order by office, ordinal"
    );
    let read = |row: &Record| {
        let week = Week::new(row.json("hours")?).map_err(|_| row.inconsistent("hours"))?;
        let set = Decision { by: Id::of(row, "set_by")?, at: row.get("set_at")? };
        Ok(Hours { version: row.number("ordinal")?, valid_from: row.get("valid_from")?, week, set })
    };
    tx.all_sealed(&OFFICE_HOURS, sql, args![office]).await?.iter().map(read).collect()
}

/// Inserts the hours of an office from a day on. A version that is there is [`StoreError::Duplicate`]: another
/// administrator was faster.
pub(super) async fn insert_hours(tx: &mut Tx, office: &OfficeCode, hours: &Hours) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into office_hours (office, version, valid_from, hours, set_by, set_at, seal, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let Hours { version, valid_from, week, set } = hours;
    let values = args![office, *version, *valid_from, Argument::json(&week.hours()), set.by, set.at];
    tx.insert_sealed(&OFFICE_HOURS, sql, values).await
}

/// Returns offices with hours, by code, after this one.
pub(super) async fn offices(tx: &mut Tx, after: &str, most: i64) -> Result<Vec<OfficeCode>, StoreError> {
    let sql = sql!("select office from office_hours where version = 1 and office > $1 order by office limit $2");
    tx.all(sql, args![after, most]).await?.iter().map(|row| row.parsed("office")).collect()
}

/// Returns how many desks are taken at an office, by time, from a day to a day.
pub(super) async fn taken(tx: &mut Tx, office: &OfficeCode, days: (Date, Date)) -> Result<Vec<Taken>, StoreError> {
    let sql = sql!(
        "select day, from_minute, to_minute, count(*) as n from booking
         where office = $1 and day >= $2 and day <= $3 and state in ('booked', 'arrived')
         group by day, from_minute, to_minute order by day, from_minute, to_minute"
    );
    tx.all(sql, args![office, days.0, days.1]).await?.iter().map(read_taken).collect()
}

/// Returns how many bookings wait at an office, by time.
pub(super) async fn waiting(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<Taken>, StoreError> {
    let sql = sql!(
        "select day, from_minute, to_minute, count(*) as n from booking
         where office = $1 and state = 'booked'
         group by day, from_minute, to_minute order by day, from_minute, to_minute"
    );
    tx.all(sql, args![office]).await?.iter().map(read_taken).collect()
}

fn read_taken(row: &Record) -> Result<Taken, StoreError> {
    let (day, count) = (row.get("day")?, row.number("n")?);
    Ok(Taken { day, from: time_of(row, "from_minute")?, to: time_of(row, "to_minute")?, count })
}

/// Returns the bookings that wait at an office at a time, those that were made first before the others.
pub(super) async fn waiting_at(tx: &mut Tx, office: &OfficeCode, at: &Taken) -> Result<Vec<BookingId>, StoreError> {
    let sql = sql!(
        "select id from booking
         where office = $1 and day = $2 and from_minute = $3 and to_minute = $4 and state = 'booked' order by id"
    );
    let arguments = args![office, at.day, at.from.minute(), at.to.minute()];
    tx.all(sql, arguments).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns bookings that wait though their time is over, after this one.
pub(super) async fn over(
    tx: &mut Tx,
    (today, now): (Date, TimeOfDay),
    after: BookingId,
    most: i64,
) -> Result<Vec<BookingId>, StoreError> {
    let sql = sql!(
        "select id from booking
         where state = 'booked' and (day < $1 or day = $1 and to_minute <= $2) and id > $3 order by id limit $4"
    );
    tx.all(sql, args![today, now.minute(), after, most]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Inserts a booking.
pub(super) async fn insert(tx: &mut Tx, booking: &Booking) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into booking (id, number, person_id, office, day, from_minute, to_minute, state, cause, application_id,
                              booked_by, booked_at, changed_at, moves, version, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    );
    let values = args![
        booking.id,
        booking.number.as_str(),
        booking.person,
        &booking.office,
        booking.day,
        booking.from.minute(),
        booking.to.minute(),
        booking.state.word(),
        booking.cause.map(Cause::word),
        booking.application,
        booking.booked.by,
        booking.booked.at,
        booking.changed_at,
        booking.moves
    ];
    tx.insert_sealed(&BOOKING, sql, values).await
}

/// Stores how a booking is now.
pub(super) async fn update(tx: &mut Tx, booking: &Booking) -> Result<(), StoreError> {
    let sql = sql!(
        "update booking set office = $1, day = $2, from_minute = $3, to_minute = $4, state = $5, cause = $6,
             application_id = $7, changed_at = $8, moves = $9
         where id = $10"
    );
    let arguments = args![
        &booking.office,
        booking.day,
        booking.from.minute(),
        booking.to.minute(),
        booking.state.word(),
        booking.cause.map(Cause::word),
        booking.application,
        booking.changed_at,
        booking.moves,
        booking.id
    ];
    tx.change(&BOOKING, booking.id, sql, arguments).await?;
    Ok(())
}

/// Stores a booking under the person whose it is now. Written anew, since a row lies on the machine of its person.
pub(super) async fn hand_on(tx: &mut Tx, booking: &Booking) -> Result<(), StoreError> {
    tx.run(sql!("delete from booking where id = $1"), args![booking.id]).await?;
    insert(tx, booking).await
}

/// Returns a booking.
pub(super) async fn booking(tx: &mut Tx, id: BookingId) -> Result<Option<Booking>, StoreError> {
    tx.sealed(&BOOKING, id).await?.as_ref().map(read).transpose()
}

/// Returns a booking, and keeps it from other writers until the transaction ends.
pub(super) async fn locked(tx: &mut Tx, id: BookingId) -> Result<Option<Booking>, StoreError> {
    tx.sealed_locked(&BOOKING, id).await?.as_ref().map(read).transpose()
}

/// Returns the booking with this number.
pub(super) async fn of_number(tx: &mut Tx, number: &BookingNumber) -> Result<Option<BookingId>, StoreError> {
    let sql = sql!("select id from booking where number = $1");
    tx.one(sql, args![number.as_str()]).await?.map(|row| Id::of(&row, "id")).transpose()
}

/// Returns the booking of a person for which the person is expected.
pub(super) async fn open_of(tx: &mut Tx, person: PersonId) -> Result<Option<(BookingId, OfficeCode)>, StoreError> {
    let sql = sql!("select id, office from booking where person_id = $1 and state in ('booked', 'to-be-moved')");
    let row = tx.one(sql, args![person]).await?;
    row.map(|row| Ok((Id::of(&row, "id")?, row.parsed("office")?))).transpose()
}

/// Returns the bookings of a person that an application takes: one for which the person is expected, and one for which
/// the person came on this day.
pub(super) async fn to_take(tx: &mut Tx, person: PersonId, today: Date) -> Result<Vec<BookingId>, StoreError> {
    let sql = sql!(
        "select id from booking
         where person_id = $1 and (state in ('booked', 'to-be-moved')
               or state = 'arrived' and day = $2 and application_id is null)
         order by id"
    );
    tx.all(sql, args![person, today]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns how many bookings are to be moved.
///
/// # Errors
/// [`StoreError`]
pub async fn to_be_moved(tx: &mut Tx) -> Result<u64, StoreError> {
    let sql = sql!("select count(*) as n from booking where state = 'to-be-moved'");
    tx.one(sql, args![]).await?.map_or(Ok(0), |row| row.number("n"))
}

/// Returns how many bookings a person missed since a day.
pub(super) async fn missed_since(tx: &mut Tx, person: PersonId, since: Date) -> Result<u32, StoreError> {
    let sql = sql!("select count(*) as n from booking where person_id = $1 and state = 'missed' and day >= $2");
    tx.one(sql, args![person, since]).await?.map_or(Ok(0), |row| row.number("n"))
}

/// Returns the bookings of a person, the newest first, each with whether its MAC holds.
pub(super) async fn of_person(tx: &mut Tx, person: PersonId, most: i64) -> Result<Judged, StoreError> {
    let sql = sql!(
        "select id, number, person_id, office, day, from_minute, to_minute, state, cause, application_id, booked_by,
                booked_at, changed_at, moves, version, mac
         from booking where person_id = $1 order by id desc limit $2"
    );
    judged(tx, sql, args![person, most]).await
}

/// Returns the booking that an application took.
pub(super) async fn of_application(tx: &mut Tx, id: ApplicationId) -> Result<Option<Booking>, StoreError> {
    let sql = sql!(
        "select id, number, person_id, office, day, from_minute, to_minute, state, cause, application_id, booked_by,
                booked_at, changed_at, moves, version, mac
         from booking where application_id = $1 order by id desc limit 1"
    );
    tx.all_sealed(&BOOKING, sql, args![id]).await?.first().map(read).transpose()
}

/// Returns the bookings of an office on a day, by time, after this one, each with whether its MAC holds.
pub(super) async fn of_day(
    tx: &mut Tx,
    (office, day): (&OfficeCode, Date),
    (minute, after): (u16, BookingId),
    most: i64,
) -> Result<Judged, StoreError> {
    let sql = sql!(
        "select id, number, person_id, office, day, from_minute, to_minute, state, cause, application_id, booked_by,
                booked_at, changed_at, moves, version, mac
         from booking where office = $1 and day = $2 and (from_minute, id) > ($3, $4)
         order by from_minute, id limit $5"
    );
    judged(tx, sql, args![office, day, minute, after, most]).await
}

/// Returns the bookings of an office that are to be moved, by day and time, after this one, each with whether its MAC
/// holds.
pub(super) async fn stranded(
    tx: &mut Tx,
    office: &OfficeCode,
    (day, minute, after): (Date, u16, BookingId),
    most: i64,
) -> Result<Judged, StoreError> {
    let sql = sql!(
        "select id, number, person_id, office, day, from_minute, to_minute, state, cause, application_id, booked_by,
                booked_at, changed_at, moves, version, mac
         from booking where office = $1 and state = 'to-be-moved' and (day, from_minute, id) > ($2, $3, $4)
         order by day, from_minute, id limit $5"
    );
    judged(tx, sql, args![office, day, minute, after, most]).await
}

/// Bookings of a list, each with whether its MAC holds, and the keys of those that another hand changed so that nothing
/// of them can be shown: they hide no other.
pub(super) type Judged = (Vec<(Booking, bool)>, Vec<String>);

async fn judged(tx: &mut Tx, sql: Sql, arguments: Vec<Argument>) -> Result<Judged, StoreError> {
    let (mut bookings, mut unreadable) = (Vec::new(), Vec::new());
    for (row, holds) in tx.all_judged(&BOOKING, sql, arguments).await? {
        match read(&row) {
            Ok(booking) => bookings.push((booking, holds)),
            Err(error) if holds => return Err(error),
            Err(_) => unreadable.push(row.name()),
        }
    }
    Ok((bookings, unreadable))
}

fn read(row: &Record) -> Result<Booking, StoreError> {
    let state = BookingState::named(&row.get::<String>("state")?).ok_or_else(|| row.inconsistent("state"))?;
    let cause = row.get::<Option<String>>("cause")?;
    let cause = cause.map(|word| Cause::named(&word).ok_or_else(|| row.inconsistent("cause"))).transpose()?;
    Ok(Booking {
        id: Id::of(row, "id")?,
        number: row.parsed("number")?,
        person: Id::of(row, "person_id")?,
        office: row.parsed("office")?,
        day: row.get("day")?,
        from: time_of(row, "from_minute")?,
        to: time_of(row, "to_minute")?,
        state,
        cause,
        application: Id::of_optional(row, "application_id")?,
        booked: Decision { by: Id::of(row, "booked_by")?, at: row.get("booked_at")? },
        changed_at: row.get("changed_at")?,
        moves: row.number("moves")?,
    })
}

fn time_of(row: &Record, column: &str) -> Result<TimeOfDay, StoreError> {
    TimeOfDay::at(row.number(column)?).ok_or_else(|| row.inconsistent(column))
}
