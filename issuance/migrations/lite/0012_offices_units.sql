-- Units of the authority. Code, kind and province stay; name and parent change, one row per version.
create table unit (
    code TEXT primary key,
    kind TEXT not null,
    province TEXT
);
create table unit_version (
    unit TEXT not null references unit (code),
    version INTEGER not null,
    name TEXT not null,
    parent TEXT references unit (code),
    valid_from TEXT not null,
    recorded_by TEXT references officer (id),
    recorded_at INTEGER not null,
    primary key (unit, version)
);

-- The national office is there from the start; no officer recorded it.
insert into unit (code, kind, province) values ('national', 'national', null);
insert into unit_version (unit, version, name, parent, valid_from, recorded_by, recorded_at)
values ('national', 1, 'Cơ quan quản lý căn cước công dân của Bộ Công an', null, '1970-01-01', null, 0);

-- Days that are set by hand; of the versions of a day the last one counts.
create table calendar_day (
    day TEXT not null,
    version INTEGER not null,
    working INTEGER not null,
    name TEXT not null,
    set_by TEXT not null references officer (id),
    set_at INTEGER not null,
    primary key (day, version)
);

-- Officers who stand in for another. `ended_on`: from this day on no more.
create table deputy (
    id TEXT primary key,
    officer_id TEXT not null references officer (id),
    stands_for TEXT not null references officer (id),
    office TEXT not null,
    from_day TEXT not null,
    to_day TEXT not null,
    appointed_by TEXT not null references officer (id),
    appointed_at INTEGER not null,
    ended_on TEXT,
    ended_by TEXT references officer (id),
    ended_at INTEGER
);
create index deputy_office on deputy (office, to_day);
create index deputy_officer on deputy (officer_id, stands_for);
