-- Spoiled chips that are destroyed together, before two witnesses who confirm by themselves.
create table destruction (
    id TEXT primary key,
    office TEXT not null,
    method TEXT not null,
    serials TEXT not null,
    witness_one TEXT not null,
    witness_two TEXT not null,
    proposed_by TEXT not null,
    proposed_at INTEGER not null,
    one_confirmed_at INTEGER,
    two_confirmed_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index destruction_office on destruction (office, id);
-- Differences of the stock, each with an owner and a day by which two officers settle it.
create table stock_case (
    id TEXT primary key,
    kind TEXT not null,
    office TEXT not null,
    subject TEXT not null,
    missing TEXT not null,
    extra TEXT not null,
    opened_by TEXT not null,
    opened_at INTEGER not null,
    due_on TEXT not null,
    state TEXT not null,
    outcome TEXT,
    reason TEXT,
    proposed_by TEXT,
    proposed_at INTEGER,
    settled_by TEXT,
    settled_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index stock_case_office on stock_case (office, id);
create index stock_case_open on stock_case (due_on) where state <> 'settled';
create index stock_case_subject on stock_case (subject) where state <> 'settled';
