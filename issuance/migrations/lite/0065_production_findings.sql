-- Documents that were signed before a loss and that the restored database does not know: two officers revoke them.
create table finding (
    id TEXT primary key,
    sod_sha256 BLOB not null unique,
    serial TEXT not null,
    office TEXT not null,
    person_id TEXT not null,
    reason TEXT not null,
    state TEXT not null,
    found_at INTEGER not null,
    proposed_by TEXT,
    proposed_at INTEGER,
    decided_by TEXT,
    decided_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index finding_office on finding (office, id);
