-- Spoiled chips that are destroyed together, before two witnesses who confirm by themselves.
create table destruction (
    id uuid primary key,
    office text not null,
    method text not null,
    serials jsonb not null,
    witness_one uuid not null,
    witness_two uuid not null,
    proposed_by uuid not null,
    proposed_at timestamptz not null,
    one_confirmed_at timestamptz,
    two_confirmed_at timestamptz,
    version bigint,
    mac bytea
);
create index destruction_office on destruction (office, id);
-- Differences of the stock, each with an owner and a day by which two officers settle it.
create table stock_case (
    id uuid primary key,
    kind text not null,
    office text not null,
    subject text not null,
    missing jsonb not null,
    extra jsonb not null,
    opened_by uuid not null,
    opened_at timestamptz not null,
    due_on date not null,
    state text not null,
    outcome text,
    reason text,
    proposed_by uuid,
    proposed_at timestamptz,
    settled_by uuid,
    settled_at timestamptz,
    version bigint,
    mac bytea
);
create index stock_case_office on stock_case (office, id);
create index stock_case_open on stock_case (due_on) where state <> 'settled';
create index stock_case_subject on stock_case (subject) where state <> 'settled';
