-- The right to read a person ends with the case that gave it; wrong claims slow an officer down.
alter table person_reader add column application_id uuid;
alter table person_reader add column until timestamptz;
update person_reader set until = since where not exists
    (select 1 from application a where a.person_id = person_reader.person_id and a.office = person_reader.office
     and a.stage not in ('cancelled', 'refused', 'handed-over'));
update person_reader set application_id =
    (select a.id from application a where a.person_id = person_reader.person_id and a.office = person_reader.office
     and a.stage not in ('cancelled', 'refused', 'handed-over') order by a.id desc limit 1);
create table reading_claim (
    officer_id uuid primary key references officer (id),
    failures bigint not null,
    last_at timestamptz not null
);
