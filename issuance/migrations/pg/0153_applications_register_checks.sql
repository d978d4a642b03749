-- What the citizen said at the counter to what the register holds: the last word of each application. `disagrees` names fields; `events` is how many
-- events the history of the person had then.
create table register_check (
    application_id uuid primary key references application (id),
    person_id uuid not null,
    disagrees jsonb not null,
    events bigint not null,
    said_by uuid not null references officer (id),
    said_at timestamptz not null,
    version bigint,
    mac bytea
);
