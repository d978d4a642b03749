-- Places of the figures in the order of bytes, whatever collation the database has: a province or a district is a range of them.
alter table quality_tally alter column commune type text collate "C";
alter table entry_tally alter column commune type text collate "C";
alter table person alter column quality_commune type text collate "C";
-- The place where the campaign counts a row in quarantine, so that it is counted out there and nowhere else. Null in rows of a version before.
alter table quarantined add column place text;
