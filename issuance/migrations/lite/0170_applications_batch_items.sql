-- The items of batches of cards: which approved applications are made cards together, and which station has each on which chip.
create table batch_item (
    id TEXT primary key,
    batch_id TEXT not null,
    application_id TEXT not null references application (id),
    place INTEGER not null,
    fence INTEGER not null,
    station_id TEXT,
    serial TEXT,
    lease_until INTEGER,
    chips INTEGER not null,
    outcome TEXT,
    version INTEGER,
    mac BLOB
);
create unique index batch_item_open on batch_item (application_id) where outcome is null;
create index batch_item_place on batch_item (batch_id, place);
create index batch_item_application on batch_item (application_id);
