-- Looks that the citizen sees later, by a judge's order: proposed by one officer and confirmed by another. On that day they appear by themselves.
create table exchange_delay (
    id TEXT primary key,
    person_id TEXT not null references person (id),
    partner_id TEXT not null references partner (id),
    court TEXT not null,
    order_number TEXT not null,
    until_at INTEGER not null,
    proposed_by TEXT not null references officer (id),
    proposed_at INTEGER not null,
    confirmed_by TEXT references officer (id),
    confirmed_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index exchange_delay_person on exchange_delay (person_id);
-- Persons who are none: each look at one is told within seconds.
create table exchange_canary (
    id TEXT primary key references person (id),
    noted_by TEXT not null references officer (id),
    noted_at INTEGER not null,
    confirmed_by TEXT references officer (id),
    confirmed_at INTEGER,
    version INTEGER,
    mac BLOB
);
