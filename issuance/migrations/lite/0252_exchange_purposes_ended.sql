-- A purpose ends: no agreement can be drafted or signed for it any more, and those who read the log still know what it was.
alter table exchange_purpose add column ended_by TEXT references officer (id);
alter table exchange_purpose add column ended_at INTEGER;
alter table exchange_purpose add column end_reason TEXT;
