-- The right to read a person ends with the case that gave it; wrong claims slow an officer down.
alter table person_reader add column application_id TEXT;
alter table person_reader add column until INTEGER;
-- Rights of cases that were opened before this version, which do not know their case.
update person_reader set until = since + 90 * 86400000000;
create table reading_claim (
    officer_id TEXT primary key references officer (id),
    failures INTEGER not null,
    last_at INTEGER not null
);
