-- Offices that may read a person: each row carries a MAC (`store::seal`).
alter table person_reader add column version INTEGER;
alter table person_reader add column mac BLOB;
