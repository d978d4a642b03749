-- Files of declarations: one row per file is the first event of all its persons. It says how far the file is read, and which process reads it.
create table import_batch (
    id TEXT primary key,
    file_name TEXT not null,
    digest BLOB not null,
    format TEXT not null,
    office TEXT not null,
    officer_id TEXT not null references officer (id),
    started_at INTEGER not null,
    finished_at INTEGER,
    bytes INTEGER not null,
    read_bytes INTEGER not null,
    read_digest BLOB not null,
    lines INTEGER not null,
    rows INTEGER not null,
    accepted INTEGER not null,
    quarantined INTEGER not null,
    state TEXT not null,
    holder TEXT,
    held_until INTEGER,
    version INTEGER,
    mac BLOB
);
create unique index import_batch_digest on import_batch (digest);
create index import_batch_state on import_batch (office, state, file_name);

-- Of a person who came with a file: the file, the line, the digest of the record as declared, and a MAC over these.
alter table person add column batch_id TEXT;
alter table person add column batch_line INTEGER;
alter table person add column declared_digest BLOB;
alter table person add column declared_mac BLOB;
alter table person add column form TEXT;
alter table person add column declared_on TEXT;
-- The household: commune and number of the household book; true for the head.
alter table person add column household TEXT;
alter table person add column heads_household INTEGER;
create index person_household on person (household) where household is not null;
create index person_batch on person (batch_id, household) where batch_id is not null;

-- Rows of files from which no person can be made, until an officer mends them.
create table quarantined (
    id TEXT primary key,
    batch_id TEXT not null references import_batch (id),
    line INTEGER not null,
    office TEXT not null,
    declaration TEXT not null,
    raw TEXT,
    findings TEXT not null,
    state TEXT not null,
    corrected_by TEXT,
    corrected_at INTEGER,
    person_id TEXT references person (id)
);
create unique index quarantined_line on quarantined (batch_id, line);
create index quarantined_state on quarantined (office, state, id);
