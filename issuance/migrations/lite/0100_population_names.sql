-- By what people are found beside name, year and number: the day of birth (yyyymmdd, with 00 for what is not known), the folded names of father
-- and mother, the place of permanent residence. Filled by the service, which knows how a name is folded.
alter table person add column born INTEGER;
alter table person add column father_fold TEXT;
alter table person add column mother_fold TEXT;
alter table person add column residence_province TEXT;
alter table person add column residence_district TEXT;
alter table person add column residence_commune TEXT;
drop index person_fold;
drop index person_office_fold;
create index person_fold_born on person (fold, born);
create index person_office_fold_born on person (office, fold, born);
create index person_father on person (father_fold, born);
create index person_mother on person (mother_fold, born);
create index person_commune on person (residence_commune, born);
-- Persons of a version before, until the service has filled the columns.
create index person_not_indexed on person (id) where born is null;

-- The dictionary of distinct folded names: the same words in the order of bytes, and an estimate of how many people bear the name.
create table full_name (
    fold TEXT primary key,
    sorted TEXT not null,
    n INTEGER not null
);
create index full_name_sorted on full_name (sorted);

-- The names in which a word occurs.
create table full_name_word (
    word TEXT not null,
    fold TEXT not null,
    primary key (word, fold)
);

-- The words of names, some thousand: kept in the memory of the service. An estimate of the names in which each occurs.
create table name_word (
    word TEXT primary key,
    n INTEGER not null
);
