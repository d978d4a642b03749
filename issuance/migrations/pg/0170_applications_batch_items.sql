-- The items of batches of cards: which approved applications are made cards together, and which station has each on which chip.
create table batch_item (
    id uuid primary key,
    batch_id uuid not null,
    application_id uuid not null references application (id),
    place bigint not null,
    fence bigint not null,
    station_id uuid,
    serial text,
    lease_until timestamptz,
    chips bigint not null,
    outcome text,
    version bigint,
    mac bytea
);
create unique index batch_item_open on batch_item (application_id) where outcome is null;
create index batch_item_place on batch_item (batch_id, place);
create index batch_item_application on batch_item (application_id);
