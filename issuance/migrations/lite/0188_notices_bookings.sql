-- A notice is about an application or about a booking.
create table notice_of_any (
    id TEXT primary key,
    kind TEXT not null,
    application_id TEXT,
    person_id TEXT not null references person (id),
    office TEXT not null,
    language TEXT not null,
    reference TEXT not null,
    message_id TEXT,
    channel TEXT not null,
    state TEXT not null,
    content BLOB,
    written_at INTEGER not null,
    due_at INTEGER,
    attempts INTEGER not null,
    repeats INTEGER not null,
    unsure INTEGER not null,
    failure TEXT,
    ended_at INTEGER,
    version INTEGER,
    mac BLOB
);
insert into notice_of_any
    select id, kind, application_id, person_id, office, language, reference, message_id, channel, state, content, written_at, due_at, attempts, repeats,
        unsure, failure, ended_at, version, mac from notice;
drop table notice;
alter table notice_of_any rename to notice;
alter table notice add column booking_id TEXT;
create index notice_due on notice (due_at, id) where state = 'waiting' and channel in ('email', 'sms');
create index notice_open on notice (state, channel, id) where state in ('waiting', 'dead');
create index notice_application on notice (application_id, id);
create index notice_ended on notice (ended_at, id) where ended_at is not null and content is not null;
create index notice_repeated on notice (id) where repeats > 0;
create index notice_booking on notice (booking_id, id) where booking_id is not null;
