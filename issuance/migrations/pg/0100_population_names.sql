-- By what people are found beside name, year and number: the day of birth (yyyymmdd, with 00 for what is not known), the folded names of father
-- and mother, the place of permanent residence. Filled by the service, which knows how a name is folded.
alter table person add column born bigint;
alter table person add column father_fold text collate "C";
alter table person add column mother_fold text collate "C";
alter table person add column residence_province text;
alter table person add column residence_district text;
alter table person add column residence_commune text;
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
    fold text primary key,
    sorted text not null,
    n bigint not null
);
alter table full_name alter column fold type text collate "C";
alter table full_name alter column sorted type text collate "C";
create index full_name_sorted on full_name (sorted);

-- The names in which a word occurs.
create table full_name_word (
    word text not null,
    fold text not null,
    primary key (word, fold)
);
alter table full_name_word alter column word type text collate "C";
alter table full_name_word alter column fold type text collate "C";

-- The words of names, some thousand: kept in the memory of the service. An estimate of the names in which each occurs.
create table name_word (
    word text primary key,
    n bigint not null
);
alter table name_word alter column word type text collate "C";
