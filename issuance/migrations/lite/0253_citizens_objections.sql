-- A citizen objects to a look at the own data, or to what the register holds: a case with an owner and a due time.
create table objection (
    id TEXT primary key,
    person_id TEXT not null references person (id),
    card_id TEXT not null references card (id),
    look_id TEXT,
    looker_id TEXT references officer (id),
    role TEXT not null,
    office TEXT not null,
    words BLOB not null,
    made_at INTEGER not null,
    due_at INTEGER not null,
    answered_by TEXT references officer (id),
    answered_at INTEGER,
    verdict TEXT,
    answer BLOB,
    version INTEGER,
    mac BLOB
);
create index objection_person on objection (person_id);
create index objection_waits on objection (due_at) where answered_at is null;
