-- A keyed MAC per row, over table, version and content (`store::seal`); written with each change, checked at each reading.
alter table chip add column version bigint;
alter table chip add column mac bytea;
