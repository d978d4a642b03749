-- The four words of the register, counted: how many persons of a commune are right, enough and clean, by the month in which they were last confirmed.
-- A change adds rows and updates none, so that no writer waits for another; the service adds the rows up from time to time.
create table quality_tally (
    id INTEGER primary key,
    commune TEXT not null,
    month INTEGER not null,
    persons INTEGER not null,
    right_n INTEGER not null,
    enough_n INTEGER not null,
    clean_n INTEGER not null,
    all_n INTEGER not null
);
-- What a person is counted as: province/district/commune of the permanent residence, month of the last confirmation (months since year 0), and the words
-- as bits (1 right, 2 enough, 4 clean, 8 recorded as dead and not counted). Filled by the service, which knows the rules.
alter table person add column quality_commune TEXT;
alter table person add column quality_month INTEGER;
alter table person add column quality_words INTEGER;
create index person_not_counted on person (id) where quality_commune is null;
