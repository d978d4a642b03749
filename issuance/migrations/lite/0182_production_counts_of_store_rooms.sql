-- A count without a station is of the office's store room. What is counted may come in parts.
create table stock_count_of_any (
    id TEXT primary key,
    office TEXT not null,
    station_id TEXT references station (id),
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
insert into stock_count_of_any
    select id, office, station_id, fingerprint, begun_by, begun_at, counted, missing, extra, finished_by, finished_at, version, mac from stock_count;
drop table stock_count;
alter table stock_count_of_any rename to stock_count;
create index stock_count_office on stock_count (office, id);
create table stock_count_part (
    id TEXT primary key,
    count_id TEXT not null references stock_count (id),
    serials TEXT not null,
    version INTEGER,
    mac BLOB
);
create index stock_count_part_count on stock_count_part (count_id, id);
