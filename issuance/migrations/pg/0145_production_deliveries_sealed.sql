-- A MAC for each delivery: what lot and firmware its chips are of decides whether a recall finds them.
alter table delivery add column version bigint;
alter table delivery add column mac bytea;
