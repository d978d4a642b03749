-- A keyed MAC per row, over table, version and content (`store::seal`); written with each change, checked at each reading.
alter table application add column version INTEGER;
alter table application add column mac BLOB;
