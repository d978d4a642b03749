-- Opening hours of an office, in force from a day on. The first version of an office is what its bookings are locked by.
create table office_hours (
    office text not null,
    version bigint not null,
    valid_from date not null,
    hours jsonb not null,
    set_by uuid not null references officer (id),
    set_at timestamptz not null,
    primary key (office, version)
);

-- A citizen's place and time for the capture. A person has one that is open.
create table booking (
    id uuid primary key,
    number text not null,
    person_id uuid not null references person (id),
    office text not null,
    day date not null,
    from_minute bigint not null,
    to_minute bigint not null,
    state text not null,
    cause text,
    application_id uuid,
    booked_by uuid not null references officer (id),
    booked_at timestamptz not null,
    changed_at timestamptz not null,
    moves bigint not null,
    version bigint,
    mac bytea
);
create unique index booking_number on booking (number);
create unique index booking_open on booking (person_id) where state in ('booked', 'to-be-moved');
create index booking_person on booking (person_id, id);
create index booking_day on booking (office, day, from_minute, id);
create index booking_stranded on booking (office, day, from_minute, id) where state = 'to-be-moved';
create index booking_waits on booking (office, day, from_minute, to_minute) where state = 'booked';
create index booking_over on booking (day, to_minute) where state = 'booked';
create index booking_application on booking (application_id) where application_id is not null;
