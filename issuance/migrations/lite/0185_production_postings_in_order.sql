-- The order of postings is that in which they were written (here the rowid), not the clock's. Ranges are found by their delivery, and chips that no
-- service with a ledger ever posted are found at once.
create index posting_range on posting (delivery_id) where serial is null;
create index chip_unposted on chip (delivery_id) where posting_id is null;
