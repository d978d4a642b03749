-- Opening hours of an office, in force from a day on. The first version of an office is what its bookings are locked by.
create table office_hours (
    office TEXT not null,
    version INTEGER not null,
    valid_from TEXT not null,
    hours TEXT not null,
    set_by TEXT not null references officer (id),
    set_at INTEGER not null,
    primary key (office, version)
);

-- A citizen's place and time for the capture. A person has one that is open.
create table booking (
    id TEXT primary key,
    number TEXT not null,
    person_id TEXT not null references person (id),
    office TEXT not null,
    day TEXT not null,
    from_minute INTEGER not null,
    to_minute INTEGER not null,
    state TEXT not null,
    cause TEXT,
    application_id TEXT,
    booked_by TEXT not null references officer (id),
    booked_at INTEGER not null,
    changed_at INTEGER not null,
    moves INTEGER not null,
    version INTEGER,
    mac BLOB
);
create unique index booking_number on booking (number);
create unique index booking_open on booking (person_id) where state in ('booked', 'to-be-moved');
create index booking_person on booking (person_id, id);
create index booking_day on booking (office, day, from_minute, id);
create index booking_stranded on booking (office, day, from_minute, id) where state = 'to-be-moved';
create index booking_waits on booking (office, day, from_minute, to_minute) where state = 'booked';
create index booking_over on booking (day, to_minute) where state = 'booked';
create index booking_application on booking (application_id) where application_id is not null;
