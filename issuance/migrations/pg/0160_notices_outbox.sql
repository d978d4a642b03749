-- Where a citizen wants to be told, with the citizen's consent: sealed. Without a row a citizen is told by letter, in Vietnamese.
create table contact (
    person_id uuid primary key references person (id),
    language text not null,
    has_email boolean not null,
    has_phone boolean not null,
    addresses bytea,
    consent_at timestamptz,
    changed_by uuid not null,
    changed_at timestamptz not null,
    version bigint,
    mac bytea
);
-- Notices to citizens: written in the transaction of the step that causes them, sent afterwards. The text is sealed.
create table notice (
    id uuid primary key,
    kind text not null,
    application_id uuid not null,
    person_id uuid not null references person (id),
    office text not null,
    language text not null,
    reference text not null,
    message_id text,
    channel text not null,
    state text not null,
    content bytea,
    written_at timestamptz not null,
    due_at timestamptz,
    attempts bigint not null,
    repeats bigint not null,
    unsure boolean not null,
    failure text,
    ended_at timestamptz,
    version bigint,
    mac bytea
);
create index notice_due on notice (due_at, id) where state = 'waiting' and channel in ('email', 'sms');
create index notice_open on notice (state, channel, id) where state in ('waiting', 'dead');
create index notice_application on notice (application_id, id);
create index notice_ended on notice (ended_at, id) where ended_at is not null and content is not null;
create index notice_repeated on notice (id) where repeats > 0;
