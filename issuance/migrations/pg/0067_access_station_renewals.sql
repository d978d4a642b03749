-- The next certificate of a station, until it is first used: then it takes the place of the one before.
alter table station add column next_fingerprint bytea;
alter table station add column next_certificate bytea;
alter table station add column next_made_at timestamptz;
alter table station add column next_expires_at timestamptz;
create unique index station_next on station (next_fingerprint);
