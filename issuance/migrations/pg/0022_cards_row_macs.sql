-- A keyed MAC per row, over table, version and content (`store::seal`); written with each change, checked at each reading.
alter table card add column version bigint;
alter table card add column mac bytea;
