-- A keyed MAC per row, over table, version and content (`store::seal`); written with each change, checked at each reading.
alter table officer add column version INTEGER;
alter table officer add column mac BLOB;
alter table station add column version INTEGER;
alter table station add column mac BLOB;
