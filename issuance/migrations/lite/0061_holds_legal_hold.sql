-- Legal holds: what they name is not erased. `application_id` null: everything of the person. Each row carries a MAC (`store::seal`).
create table legal_hold (
    id TEXT primary key,
    object_kind TEXT not null,
    object_id TEXT not null,
    person_id TEXT not null,
    application_id TEXT,
    grounds TEXT not null,
    proposed_by TEXT not null references officer (id),
    proposed_at INTEGER not null,
    confirmed_by TEXT references officer (id),
    confirmed_at INTEGER,
    release_grounds TEXT,
    release_proposed_by TEXT references officer (id),
    release_proposed_at INTEGER,
    released_by TEXT references officer (id),
    released_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index legal_hold_person on legal_hold (person_id);
