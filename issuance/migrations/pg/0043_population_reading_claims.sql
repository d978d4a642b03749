-- The right to read a person ends with the case that gave it; wrong claims slow an officer down.
alter table person_reader add column application_id uuid;
alter table person_reader add column until timestamptz;
-- Rights of cases that were opened before this version, which do not know their case.
update person_reader set until = since + interval '90 days';
create table reading_claim (
    officer_id uuid primary key references officer (id),
    failures bigint not null,
    last_at timestamptz not null
);
