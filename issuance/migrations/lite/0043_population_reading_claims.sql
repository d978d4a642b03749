-- The right to read a person ends with the case that gave it; wrong claims slow an officer down.
alter table person_reader add column application_id TEXT;
alter table person_reader add column until INTEGER;
create table reading_claim (
    officer_id TEXT primary key references officer (id),
    failures INTEGER not null,
    last_at INTEGER not null
);
