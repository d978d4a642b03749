-- Files of declarations: one row per file is the first event of all its persons. It says how far the file is read, and which process reads it.
create table import_batch (
    id uuid primary key,
    file_name text not null,
    digest bytea not null,
    format text not null,
    office text not null,
    officer_id uuid not null references officer (id),
    started_at timestamptz not null,
    finished_at timestamptz,
    bytes bigint not null,
    read_bytes bigint not null,
    read_digest bytea not null,
    lines bigint not null,
    rows bigint not null,
    accepted bigint not null,
    quarantined bigint not null,
    state text not null,
    holder text,
    held_until timestamptz,
    version bigint,
    mac bytea
);
create unique index import_batch_digest on import_batch (digest);
create index import_batch_state on import_batch (office, state, file_name);

-- Of a person who came with a file: the file, the line, the digest of the record as declared, and a MAC over these.
alter table person add column batch_id uuid;
alter table person add column batch_line bigint;
alter table person add column declared_digest bytea;
alter table person add column declared_mac bytea;
alter table person add column form text;
alter table person add column declared_on date;
-- The household: commune and number of the household book; true for the head.
alter table person add column household text;
alter table person add column heads_household boolean;
create index person_household on person (household) where household is not null;
create index person_batch on person (batch_id, household) where batch_id is not null;

-- Rows of files from which no person can be made, until an officer mends them.
create table quarantined (
    id uuid primary key,
    batch_id uuid not null references import_batch (id),
    line bigint not null,
    office text not null,
    declaration jsonb not null,
    raw text,
    findings jsonb not null,
    state text not null,
    corrected_by uuid,
    corrected_at timestamptz,
    person_id uuid references person (id)
);
create unique index quarantined_line on quarantined (batch_id, line);
create index quarantined_state on quarantined (office, state, id);
