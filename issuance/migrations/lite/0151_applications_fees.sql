-- What was paid for applications, what need not be paid, and what was undone of both: rows are only added. `settles` is what the entry settles of the
-- fee, `dong` what it brings into the till of the office on that day; both are negative for what undoes another entry.
create table fee_entry (
    id TEXT primary key,
    application_id TEXT not null references application (id),
    person_id TEXT not null,
    office TEXT not null,
    day TEXT not null,
    kind TEXT not null,
    settles INTEGER not null,
    dong INTEGER not null,
    method TEXT,
    receipt TEXT,
    ground TEXT,
    words TEXT,
    undoes TEXT,
    recorded_by TEXT not null references officer (id),
    recorded_at INTEGER not null,
    version INTEGER,
    mac BLOB
);
create index fee_entry_application on fee_entry (application_id, id);
create index fee_entry_day on fee_entry (office, day, id);
-- A receipt is given once in an office.
create table fee_receipt (
    office TEXT not null,
    receipt TEXT not null,
    entry_id TEXT not null,
    primary key (office, receipt)
);
