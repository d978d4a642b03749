-- Where a citizen wants to be told, with the citizen's consent: sealed. Without a row a citizen is told by letter, in Vietnamese.
create table contact (
    person_id TEXT primary key references person (id),
    language TEXT not null,
    has_email INTEGER not null,
    has_phone INTEGER not null,
    addresses BLOB,
    consent_at INTEGER,
    changed_by TEXT not null,
    changed_at INTEGER not null,
    version INTEGER,
    mac BLOB
);
-- Notices to citizens: written in the transaction of the step that causes them, sent afterwards. The text is sealed.
create table notice (
    id TEXT primary key,
    kind TEXT not null,
    application_id TEXT not null,
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
create index notice_due on notice (due_at, id) where state = 'waiting' and channel in ('email', 'sms');
create index notice_open on notice (state, channel, id) where state in ('waiting', 'dead');
create index notice_application on notice (application_id, id);
create index notice_ended on notice (ended_at, id) where ended_at is not null and content is not null;
create index notice_repeated on notice (id) where repeats > 0;
