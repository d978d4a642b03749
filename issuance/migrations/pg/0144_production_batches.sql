-- Batches of production: the blanks in a station's tray. One closes when each of them is a card, spoiled, or still there.
create table production_batch (
    id uuid primary key,
    office text not null,
    station_id uuid not null references station (id),
    serials jsonb not null,
    opened_by uuid not null,
    opened_at timestamptz not null,
    good bigint,
    spoiled bigint,
    held bigint,
    closed_by uuid,
    closed_at timestamptz,
    version bigint,
    mac bytea
);
create index production_batch_office on production_batch (office, id);
create index production_batch_open on production_batch (station_id) where closed_at is null;
