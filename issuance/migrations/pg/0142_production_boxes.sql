-- Boxes of blanks on their way between two offices.
create table stock_box (
    id uuid primary key,
    from_office text not null,
    to_office text not null,
    serials jsonb not null,
    sent_by uuid not null,
    sent_at timestamptz not null,
    counted bigint,
    received_by uuid,
    received_at timestamptz,
    version bigint,
    mac bytea
);
create index stock_box_from on stock_box (from_office, id);
create index stock_box_to on stock_box (to_office, id);
-- Counts of what a station holds, each bound to what it held when the count began.
create table stock_count (
    id uuid primary key,
    office text not null,
    station_id uuid not null references station (id),
    fingerprint bytea not null,
    begun_by uuid not null,
    begun_at timestamptz not null,
    counted bigint,
    missing bigint,
    extra bigint,
    finished_by uuid,
    finished_at timestamptz,
    version bigint,
    mac bytea
);
create index stock_count_office on stock_count (office, id);
