-- Looks in emergencies ("break-glass access"): an officer read a person of whom the office has no case; another officer judges it.
create table emergency_look (
    id TEXT primary key,
    officer_id TEXT not null references officer (id),
    office TEXT not null,
    person_id TEXT references person (id),
    reason TEXT not null,
    case_number TEXT not null,
    opened_at INTEGER not null,
    until_at INTEGER not null,
    due_at INTEGER not null,
    reviewed_by TEXT references officer (id),
    reviewed_at INTEGER,
    verdict TEXT,
    remarks TEXT,
    version INTEGER,
    mac BLOB
);
create index emergency_look_officer on emergency_look (officer_id) where reviewed_at is null;
create index emergency_look_due on emergency_look (due_at) where reviewed_at is null;
