-- Under which keys a person lies, so that a second declaration of the person is found (docs/duplicates.md). The primary key is the index by which
-- they are looked up. No foreign key: rows are written by the million, with their persons, and no person is ever deleted.
create table person_key (
    key bigint not null,
    person_id uuid not null,
    primary key (key, person_id)
);
-- The way in which a person's keys were made; null before they are.
alter table person add column keyed bigint;
create index person_not_keyed on person (id) where keyed is null;
