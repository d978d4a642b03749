-- Cards, and what kiosks must refuse: also documents that were signed and never became a card.
create table card (
    id uuid primary key,
    person_id uuid not null references person (id),
    application_id uuid not null,
    serial text not null unique,
    sod_sha256 bytea not null unique,
    office text not null,
    issued date not null,
    expires date,
    status text not null,
    status_data jsonb not null
);
create index card_person on card (person_id, status);
create table revoked_document (
    sod_sha256 bytea primary key,
    reason text not null,
    at timestamptz not null
);

-- One row per change of the list since the last trust bundle: inserted, never updated, so that no writer waits for another.
create table revocation_mark (
    id uuid primary key
);
