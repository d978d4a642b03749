-- A day of the calendar counts once a second administrator confirmed it; those of before there were two count on.
alter table calendar_day add column confirmed_by TEXT references officer (id);
alter table calendar_day add column confirmed_at INTEGER;
update calendar_day set confirmed_by = set_by, confirmed_at = set_at;
