-- Officers who stand in for others, with the roles that are lent for it: where one of them approves, a second administrator agreed. The table `deputy`,
-- from which no right followed, is no longer used, and goes with a later version.
create table stand_in (
    id TEXT primary key,
    officer_id TEXT not null references officer (id),
    stands_for TEXT not null references officer (id),
    office TEXT not null,
    from_day TEXT not null,
    to_day TEXT not null,
    roles TEXT not null,
    begins_at INTEGER not null,
    ends_at INTEGER not null,
    appointed_by TEXT not null references officer (id),
    appointed_at INTEGER not null,
    confirmed_by TEXT references officer (id),
    confirmed_at INTEGER,
    ended_on TEXT,
    ended_by TEXT references officer (id),
    ended_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index stand_in_office on stand_in (office, id);
create index stand_in_officer on stand_in (officer_id, ends_at);
create index stand_in_stands_for on stand_in (stands_for, ends_at);
