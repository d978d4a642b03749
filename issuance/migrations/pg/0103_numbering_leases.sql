-- Blocks of numbers that a birth desk or an offline station took: positions of the cells of a province and a year, reserved before any of
-- them is drawn. A number of a lease that a person has names the lease; all others of the lease are unused, and listed as such.
create table number_lease (
    id uuid primary key,
    office text not null,
    holder text not null,
    purpose text not null,
    province text not null,
    birth_year bigint not null,
    first_f bigint,
    size_f bigint,
    first_m bigint,
    size_m bigint,
    leased_by text not null,
    leased_at timestamptz not null,
    expires_at timestamptz not null,
    returned_by text,
    returned_at timestamptz,
    return_reason text,
    version bigint,
    mac bytea
);
create index number_lease_office on number_lease (office, id);
alter table personal_number add column lease_id uuid;
create index personal_number_lease on personal_number (lease_id) where lease_id is not null;
