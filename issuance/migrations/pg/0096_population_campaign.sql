-- The campaign that collects the forms: how many people are expected in a commune, from when until when.
create table campaign_plan (
    commune text primary key,
    expected bigint not null,
    begins date,
    due date not null
);
-- How many paper forms a commune handed in on a day.
create table campaign_collected (
    commune text not null,
    day date not null,
    forms bigint not null,
    primary key (commune, day)
);
-- How many persons of a commune entered the register on a day, and how many forms went into quarantine (less those that left it). A change adds rows
-- and updates none; the service adds the rows up from time to time.
create table entry_tally (
    id bigserial primary key,
    commune text not null,
    day date not null,
    entered bigint not null,
    quarantined bigint not null
);
