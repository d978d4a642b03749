-- The campaign that collects the forms: how many people are expected in a commune, from when until when.
create table campaign_plan (
    commune TEXT primary key,
    expected INTEGER not null,
    begins TEXT,
    due TEXT not null
);
-- How many paper forms a commune handed in on a day.
create table campaign_collected (
    commune TEXT not null,
    day TEXT not null,
    forms INTEGER not null,
    primary key (commune, day)
);
-- How many persons of a commune entered the register on a day, and how many forms went into quarantine (less those that left it). A change adds rows
-- and updates none; the service adds the rows up from time to time.
create table entry_tally (
    id INTEGER primary key,
    commune TEXT not null,
    day TEXT not null,
    entered INTEGER not null,
    quarantined INTEGER not null
);
