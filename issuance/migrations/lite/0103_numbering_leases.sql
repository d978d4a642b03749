-- Blocks of numbers that a birth desk or an offline station took: positions of the cells of a province and a year, reserved before any of
-- them is drawn. A number of a lease that a person has names the lease; all others of the lease are unused, and listed as such.
create table number_lease (
    id TEXT primary key,
    office TEXT not null,
    holder TEXT not null,
    purpose TEXT not null,
    province TEXT not null,
    birth_year INTEGER not null,
    first_f INTEGER,
    size_f INTEGER,
    first_m INTEGER,
    size_m INTEGER,
    leased_by TEXT not null,
    leased_at INTEGER not null,
    expires_at INTEGER not null,
    returned_by TEXT,
    returned_at INTEGER,
    return_reason TEXT,
    version INTEGER,
    mac BLOB
);
create index number_lease_office on number_lease (office, id);
alter table personal_number add column lease_id TEXT;
create index personal_number_lease on personal_number (lease_id) where lease_id is not null;
