-- Batches of production: the blanks in a station's tray. One closes when each of them is a card, spoiled, or still there.
create table production_batch (
    id TEXT primary key,
    office TEXT not null,
    station_id TEXT not null references station (id),
    serials TEXT not null,
    opened_by TEXT not null,
    opened_at INTEGER not null,
    good INTEGER,
    spoiled INTEGER,
    held INTEGER,
    closed_by TEXT,
    closed_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index production_batch_office on production_batch (office, id);
create index production_batch_open on production_batch (station_id) where closed_at is null;
