-- Officers who stand in for others, with the roles that are lent for it: where one of them approves, a second administrator agreed. The table `deputy`,
-- from which no right followed, is no longer used, and goes with a later version.
create table stand_in (
    id uuid primary key,
    officer_id uuid not null references officer (id),
    stands_for uuid not null references officer (id),
    office text not null,
    from_day date not null,
    to_day date not null,
    roles jsonb not null,
    begins_at timestamptz not null,
    ends_at timestamptz not null,
    appointed_by uuid not null references officer (id),
    appointed_at timestamptz not null,
    confirmed_by uuid references officer (id),
    confirmed_at timestamptz,
    ended_on date,
    ended_by uuid references officer (id),
    ended_at timestamptz,
    version bigint,
    mac bytea
);
create index stand_in_office on stand_in (office, id);
create index stand_in_officer on stand_in (officer_id, ends_at);
create index stand_in_stands_for on stand_in (stands_for, ends_at);
