-- Offices that may read a person: each row carries a MAC (`store::seal`).
alter table person_reader add column version bigint;
alter table person_reader add column mac bytea;
