-- A count without a station is of the office's store room. What is counted may come in parts.
alter table stock_count alter column station_id drop not null;
create table stock_count_part (
    id uuid primary key,
    count_id uuid not null references stock_count (id),
    serials jsonb not null,
    version bigint,
    mac bytea
);
create index stock_count_part_count on stock_count_part (count_id, id);
