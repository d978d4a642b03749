-- Units of the authority. Code, kind and province stay; name and parent change, one row per version.
create table unit (
    code text primary key,
    kind text not null,
    province text
);
create table unit_version (
    unit text not null references unit (code),
    version bigint not null,
    name text not null,
    parent text references unit (code),
    valid_from date not null,
    recorded_by uuid references officer (id),
    recorded_at timestamptz not null,
    primary key (unit, version)
);

-- The national office is there from the start; no officer recorded it.
insert into unit (code, kind, province) values ('national', 'national', null);
insert into unit_version (unit, version, name, parent, valid_from, recorded_by, recorded_at)
values ('national', 1, 'Cơ quan quản lý căn cước công dân của Bộ Công an', null, '1970-01-01', null, '1970-01-01 00:00:00+00');

-- Days that are set by hand; of the versions of a day the last one counts.
create table calendar_day (
    day date not null,
    version bigint not null,
    working boolean not null,
    name text not null,
    set_by uuid not null references officer (id),
    set_at timestamptz not null,
    primary key (day, version)
);

-- Officers who stand in for another. `ended_on`: from this day on no more.
create table deputy (
    id uuid primary key,
    officer_id uuid not null references officer (id),
    stands_for uuid not null references officer (id),
    office text not null,
    from_day date not null,
    to_day date not null,
    appointed_by uuid not null references officer (id),
    appointed_at timestamptz not null,
    ended_on date,
    ended_by uuid references officer (id),
    ended_at timestamptz
);
create index deputy_office on deputy (office, to_day);
create index deputy_officer on deputy (officer_id, stands_for);
