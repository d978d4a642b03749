-- Looks that the citizen sees later, by a judge's order: proposed by one officer and confirmed by another. On that day they appear by themselves.
create table exchange_delay (
    id uuid primary key,
    person_id uuid not null references person (id),
    partner_id uuid not null references partner (id),
    court text not null,
    order_number text not null,
    until_at timestamptz not null,
    proposed_by uuid not null references officer (id),
    proposed_at timestamptz not null,
    confirmed_by uuid references officer (id),
    confirmed_at timestamptz,
    version bigint,
    mac bytea
);
create index exchange_delay_person on exchange_delay (person_id);
-- Persons who are none: each look at one is told within seconds.
create table exchange_canary (
    id uuid primary key references person (id),
    noted_by uuid not null references officer (id),
    noted_at timestamptz not null,
    confirmed_by uuid references officer (id),
    confirmed_at timestamptz,
    version bigint,
    mac bytea
);
