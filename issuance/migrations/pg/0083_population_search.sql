-- By what people are found: the folded name (lower case, no marks) with the year of birth, and the number of the old card. Filled by the service,
-- which knows how a name is folded. In the order of bytes, so that the beginning of a name is a range.
alter table person add column fold text collate "C";
alter table person add column birth_year bigint;
alter table person add column old_id_number text;
create index person_fold on person (fold, birth_year);
create index person_office_fold on person (office, fold, birth_year);
create index person_old_id_number on person (old_id_number);
