-- What the citizen said at the counter to what the register holds: the last word of each application. `disagrees` names fields; `events` is how many
-- events the history of the person had then.
create table register_check (
    application_id TEXT primary key references application (id),
    person_id TEXT not null,
    disagrees TEXT not null,
    events INTEGER not null,
    said_by TEXT not null references officer (id),
    said_at INTEGER not null,
    version INTEGER,
    mac BLOB
);
