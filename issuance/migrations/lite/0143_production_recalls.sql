-- What the manufacturer says of the software on the chips.
alter table delivery add column firmware TEXT;
-- Recalls of chips by lot, firmware or delivery; in force once a second officer confirmed it.
create table recall (
    id TEXT primary key,
    kind TEXT not null,
    value TEXT not null,
    manufacturer TEXT,
    reason TEXT not null,
    proposed_by TEXT not null,
    proposed_at INTEGER not null,
    confirmed_by TEXT,
    confirmed_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index delivery_batch on delivery (batch);
create index delivery_firmware on delivery (firmware);
