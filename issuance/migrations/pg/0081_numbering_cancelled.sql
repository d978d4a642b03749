-- A number that was established anew, since sex or year of birth were determined anew: the old one is cancelled, names the one that took
-- its place, and is never given again.
alter table personal_number add column cancelled_at timestamptz;
alter table personal_number add column cancelled_by uuid;
alter table personal_number add column replaced_by text;
create index personal_number_person on personal_number (person_id);
