-- Looks in emergencies ("break-glass access"): an officer read a person of whom the office has no case; another officer judges it.
create table emergency_look (
    id uuid primary key,
    officer_id uuid not null references officer (id),
    office text not null,
    person_id uuid references person (id),
    reason text not null,
    case_number text not null,
    opened_at timestamptz not null,
    until_at timestamptz not null,
    due_at timestamptz not null,
    reviewed_by uuid references officer (id),
    reviewed_at timestamptz,
    verdict text,
    remarks text,
    version bigint,
    mac bytea
);
create index emergency_look_officer on emergency_look (officer_id) where reviewed_at is null;
create index emergency_look_due on emergency_look (due_at) where reviewed_at is null;
