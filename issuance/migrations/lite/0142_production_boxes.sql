-- Boxes of blanks on their way between two offices.
create table stock_box (
    id TEXT primary key,
    from_office TEXT not null,
    to_office TEXT not null,
    serials TEXT not null,
    sent_by TEXT not null,
    sent_at INTEGER not null,
    counted INTEGER,
    received_by TEXT,
    received_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index stock_box_from on stock_box (from_office, id);
create index stock_box_to on stock_box (to_office, id);
-- Counts of what a station holds, each bound to what it held when the count began.
create table stock_count (
    id TEXT primary key,
    office TEXT not null,
    station_id TEXT not null references station (id),
    fingerprint BLOB not null,
    begun_by TEXT not null,
    begun_at INTEGER not null,
    counted INTEGER,
    missing INTEGER,
    extra INTEGER,
    finished_by TEXT,
    finished_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index stock_count_office on stock_count (office, id);
