-- The place where the campaign counts a row in quarantine, so that it is counted out there and nowhere else. Null in rows of a version before.
alter table quarantined add column place TEXT;
