-- What was paid for applications, what need not be paid, and what was undone of both: rows are only added. `settles` is what the entry settles of the
-- fee, `dong` what it brings into the till of the office on that day; both are negative for what undoes another entry.
create table fee_entry (
    id uuid primary key,
    application_id uuid not null references application (id),
    person_id uuid not null,
    office text not null,
    day date not null,
    kind text not null,
    settles bigint not null,
    dong bigint not null,
    method text,
    receipt text,
    ground text,
    words text,
    undoes uuid,
    recorded_by uuid not null references officer (id),
    recorded_at timestamptz not null,
    version bigint,
    mac bytea
);
create index fee_entry_application on fee_entry (application_id, id);
create index fee_entry_day on fee_entry (office, day, id);
-- A receipt is given once in an office.
create table fee_receipt (
    office text not null,
    receipt text not null,
    entry_id uuid not null,
    primary key (office, receipt)
);
