-- Opening hours carry a MAC. `version` is the ordinal of the hours of an office, and part of the key; the version of the row itself stands in `seal`.
alter table office_hours add column seal bigint;
alter table office_hours add column mac bytea;
