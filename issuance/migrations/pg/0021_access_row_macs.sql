-- A keyed MAC per row, over table, version and content (`store::seal`); written with each change, checked at each reading.
alter table officer add column version bigint;
alter table officer add column mac bytea;
alter table station add column version bigint;
alter table station add column mac bytea;
