-- Entries of the fees stand in the takings of the day on which they were entered; `paid_on` is the day on which a payment was made.
alter table fee_entry add column paid_on TEXT;
-- How many entries of the fees each office ever made, and what they add up to: an entry that is deleted is missed.
create table fee_till (
    office TEXT primary key,
    entries INTEGER not null,
    dong INTEGER not null,
    version INTEGER,
    mac BLOB
);
