-- Cards, and what kiosks must refuse: also documents that were signed and never became a card.
create table card (
    id TEXT primary key,
    person_id TEXT not null references person (id),
    application_id TEXT not null,
    serial TEXT not null unique,
    sod_sha256 BLOB not null unique,
    office TEXT not null,
    issued TEXT not null,
    expires TEXT,
    status TEXT not null,
    status_data TEXT not null
);
create index card_person on card (person_id, status);
create table revoked_document (
    sod_sha256 BLOB primary key,
    reason TEXT not null,
    at INTEGER not null
);

-- One row per change of the list since the last trust bundle: inserted, never updated, so that no writer waits for another.
create table revocation_mark (
    id TEXT primary key
);
