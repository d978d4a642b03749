-- The next certificate of a station, until it is first used: then it takes the place of the one before.
alter table station add column next_fingerprint BLOB;
alter table station add column next_certificate BLOB;
alter table station add column next_made_at INTEGER;
alter table station add column next_expires_at INTEGER;
create unique index station_next on station (next_fingerprint);
