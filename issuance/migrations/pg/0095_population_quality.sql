-- The four words of the register, counted: how many persons of a commune are right, enough and clean, by the month in which they were last confirmed.
-- A change adds rows and updates none, so that no writer waits for another; the service adds the rows up from time to time.
create table quality_tally (
    id bigserial primary key,
    commune text not null,
    month bigint not null,
    persons bigint not null,
    right_n bigint not null,
    enough_n bigint not null,
    clean_n bigint not null,
    all_n bigint not null
);
-- What a person is counted as: province/district/commune of the permanent residence, month of the last confirmation (months since year 0), and the words
-- as bits (1 right, 2 enough, 4 clean, 8 recorded as dead and not counted). Filled by the service, which knows the rules.
alter table person add column quality_commune text;
alter table person add column quality_month bigint;
alter table person add column quality_words bigint;
create index person_not_counted on person (id) where quality_commune is null;
