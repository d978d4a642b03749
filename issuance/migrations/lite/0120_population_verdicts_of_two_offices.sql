-- Of two persons of two offices an officer of one speaks for that one's person; null: for both.
alter table duplicate_verdict add column speaks_for text;
